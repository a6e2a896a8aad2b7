//! Seals: what binds each frame, header, footer and state frame to the log's head, keyed by the log's id and secret.
//!
//! A seal covers hashes and offsets, never the codec or the stored size, so recompressing keeps it.

use super::{Hash, Keys};

/// A seal: the first half of a keyed hash.
pub type Seal = [u8; 16];

const FRAME: u8 = 1;
const HEADER: u8 = 2;
const FOOTER: u8 = 3;
const STATE: u8 = 4;

/// S of docs/FORMAT.md: the 64 bytes that every seal begins with.
struct Start<'a> {
    kind: u8,
    flags: u8,
    epoch: u32,
    a: u64,
    b: u64,
    x: u64,
    head: &'a Hash,
}

impl Start<'_> {
    fn seal(&self, keys: &Keys, parts: &[&[u8]]) -> Seal {
        let mut start = [0; 64];
        start[0] = self.kind;
        start[1] = self.flags;
        start[4..8].copy_from_slice(&self.epoch.to_le_bytes());
        start[8..16].copy_from_slice(&self.a.to_le_bytes());
        start[16..24].copy_from_slice(&self.b.to_le_bytes());
        start[24..32].copy_from_slice(&self.x.to_le_bytes());
        start[32..].copy_from_slice(self.head);
        let mut hasher = blake3::Hasher::new_keyed(&keys.seal.bytes);
        hasher.update(&start);
        for part in parts {
            hasher.update(part);
        }
        first_half(hasher.finalize().as_bytes())
    }
}

/// Seals the frame of records `a` to `b`: `head` is head(b), `nodes` is nodes\[a, b).
pub fn frame_seal(keys: &Keys, flags: u8, epoch: u32, a: u64, b: u64, head: &Hash, nodes: &[Hash]) -> Seal {
    Start { kind: FRAME, flags, epoch, a, b, x: 0, head }.seal(keys, &[nodes.as_flattened()])
}

/// Seals the header of a segment that starts at `b`; `header_bytes` is all of it before the seal.
pub fn header_seal(keys: &Keys, epoch: u32, b: u64, kept_from: u64, head: &Hash, header_bytes: &[u8]) -> Seal {
    Start { kind: HEADER, flags: 0, epoch, a: b, b, x: kept_from, head }.seal(keys, &[header_bytes])
}

/// Seals the footer of a segment with the records `a` to `b`.
pub fn footer_seal(keys: &Keys, epoch: u32, a: u64, b: u64, head: &Hash) -> Seal {
    Start { kind: FOOTER, flags: 0, epoch, a, b, x: 0, head }.seal(keys, &[])
}

/// Seals a state frame at size `b`; `closing` when `close` writes it.
pub fn state_seal(keys: &Keys, closing: bool, epoch: u32, b: u64, head: &Hash, peaks: &[Hash], last_time: u64) -> Seal {
    let start = Start { kind: STATE, flags: u8::from(closing), epoch, a: b, b, x: 0, head };
    start.seal(keys, &[peaks.as_flattened(), &last_time.to_le_bytes()])
}

/// Compares in constant time, so that a forger cannot find a seal byte by byte.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    constant_time_eq::constant_time_eq(a, b)
}

pub(super) fn first_half(hash: &Hash) -> Seal {
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_changes_the_seal() {
        let keys = Keys::new(&[1; 32], None);
        let (head, other) = ([2; 32], [3; 32]);
        let mut seals = vec![
            frame_seal(&keys, 0, 0, 1, 2, &head, &[other]),
            frame_seal(&keys, 1, 0, 1, 2, &head, &[other]),
            frame_seal(&keys, 0, 1, 1, 2, &head, &[other]),
            frame_seal(&keys, 0, 0, 0, 2, &head, &[other]),
            frame_seal(&keys, 0, 0, 1, 3, &head, &[other]),
            frame_seal(&keys, 0, 0, 1, 2, &other, &[other]),
            frame_seal(&keys, 0, 0, 1, 2, &head, &[head]),
            frame_seal(&keys, 0, 0, 1, 2, &head, &[other, other]),
            header_seal(&keys, 0, 2, 0, &head, b"header"),
            header_seal(&keys, 0, 2, 1, &head, b"header"),
            header_seal(&keys, 0, 2, 0, &head, b"Header"),
            footer_seal(&keys, 0, 1, 2, &head),
            footer_seal(&keys, 0, 2, 2, &head),
            state_seal(&keys, false, 0, 2, &head, &[other], 0),
            state_seal(&keys, true, 0, 2, &head, &[other], 0),
            state_seal(&keys, false, 0, 2, &head, &[other], 1),
            state_seal(&keys, false, 0, 2, &head, &[head], 0),
            frame_seal(&Keys::new(&[1; 32], Some(&[4; 32])), 0, 0, 1, 2, &head, &[other]),
        ];
        let count = seals.len();
        seals.sort_unstable();
        seals.dedup();
        assert_eq!(seals.len(), count);
    }

    #[test]
    fn same_compares_content_and_length() {
        assert!(same(b"", b"") && same(b"abc", b"abc"));
        assert!(!same(b"abc", b"abd") && !same(b"abc", b"ab") && !same(b"", b"a"));
    }
}
