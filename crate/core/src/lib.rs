//! The engine of varve: a durable, tamper-evident, append-only log. It knows nothing of Node.
//!
//! Imports point one way: error ← options, hash, compress ← format ← record ← frame ← segment ← recovery ← log ←
//! writer, reader. Format, record and frame do no I/O; files are touched through [`disk`] only. ARCHITECTURE.md
//! follows a record through these files.

#![forbid(unsafe_code)]

pub mod buffers;
mod burst;
pub mod cache;
pub mod catalogue;
pub mod chain;
pub mod compress;
pub mod create;
pub mod disk;
pub mod error;
pub mod follow;
pub mod format;
pub mod frame;
#[cfg(any(test, feature = "simulation"))]
pub mod fuzzing;
pub mod hash;
pub mod host;
pub mod inspect;
mod lender;
pub mod lock;
pub mod log;
pub mod options;
mod place;
mod planted;
pub mod pool;
pub mod reader;
pub mod record;
pub mod recovery;
pub mod repair;
pub mod salvage;
pub mod scan;
pub mod sealing;
pub mod segment;
#[cfg(any(test, feature = "simulation"))]
pub mod simulation;
pub mod stated;
pub mod stats;
pub mod verify;
pub mod wait;
mod watch;
pub mod writer;
