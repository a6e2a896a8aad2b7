//! The engine of varve: a durable, tamper-evident, append-only log. It knows nothing of Node.
//!
//! Imports point one way: error ← options, hash, compress ← format ← record ← frame ← segment ← recovery ← log ←
//! writer, reader. Format, record and frame do no I/O; files are touched through [`disk`] only. ARCHITECTURE.md
//! follows a record through these files.

#![forbid(unsafe_code)]

pub mod compress;
pub mod disk;
pub mod error;
pub mod format;
pub mod frame;
pub mod hash;
pub mod host;
pub mod options;
pub mod pool;
pub mod record;
#[cfg(any(test, feature = "simulation"))]
pub mod simulation;
