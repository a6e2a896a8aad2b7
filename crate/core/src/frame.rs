//! Frames: records into bytes (stage 1) and back, with every hash that commits to them.
//!
//! [`FrameEncoder`] and [`Replay`] are mirror images: what one computes from records, the other recomputes from bytes
//! and compares. No I/O here.

mod damage;
mod decoding;
mod encoder;
mod replay;
mod state;

pub use damage::FrameDamage;
pub use decoding::{decode, raw_body, stored_body, with_record};
pub use encoder::{FrameEncoder, FrameInput};
pub use replay::{FrameHashes, Rehasher, Replay, check_seal, first_leaves};
