//! The hash layer: keys, leaves, the Merkle tree with its heads, and seals, byte for byte as docs/FORMAT.md says.
//!
//! Only `many` knows how blake3's kernels want to be called. Nothing here does I/O, and nothing depends on batching
//! or on the machine: the same records give the same head everywhere.

mod chunks;
mod keys;
mod leaf;
mod many;
mod seal;
mod tree;

#[cfg(test)]
mod vectors;

pub use keys::Keys;
pub use leaf::{LeafHasher, RecordRef};
pub use seal::{Seal, footer_seal, frame_seal, header_seal, same, state_seal};
pub use tree::{Peaks, Subtrees, head_of, range_nodes};

/// A BLAKE3 output: 32 bytes.
pub type Hash = [u8; 32];
