//! Leaves: one hash a record, which binds a commitment to the payload, the offset, time, length, kind and flags.
//!
//! The hot path of an append. Records of the same number of 64-byte blocks share a kernel call, so a batch is sorted
//! into bins as it is walked; each full bin of sixteen is hashed at once, what is left at the end in smaller calls.
//! Payloads of several chunks have another way ([`chunks`]).

use super::chunks::{self, CHUNK, ChunkHasher};
use super::many::{self, BLOCK, BLOCKS_MAX, Input, LANES};
use super::{Hash, Keys};
use crate::burst::Burst;

/// A record as the engine handles it: borrowed, without its offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordRef<'a> {
    /// The bytes of the caller; shorter than 2^32.
    pub payload: &'a [u8],
    /// Milliseconds since the Unix epoch; never less than the record's before.
    pub time: u64,
    /// 0 for data; the others are in docs/FORMAT.md.
    pub kind: u8,
    /// Hashed flags; 0 until one is defined.
    pub flags: u8,
}

/// Records that are walked before what is left in the bins is hashed: enough for full bins, little enough for L2.
const WINDOW: usize = 2048;
const ZEROS: [u8; BLOCK] = [0; BLOCK];

/// Record numbers of one length that wait for a full call.
#[derive(Clone, Copy)]
struct Bin {
    count: usize,
    records: [u32; LANES],
}

/// Hashes records into leaves. It owns the scratch, so keep it: no call allocates but for `out`.
pub struct LeafHasher {
    bins: [Bin; BLOCKS_MAX],
    /// Lanes for the kernel, and zeros that stay zero after the last one.
    lanes: Vec<u8>,
    chunks: ChunkHasher,
    /// Only for a stage that another one waits for: a check of 16 KiB records took 1.04 times as long with it.
    burst: Option<Burst>,
}

impl Default for LeafHasher {
    fn default() -> Self {
        Self::new()
    }
}

impl LeafHasher {
    /// Allocates the scratch, 17 KiB.
    pub fn new() -> Self {
        Self {
            bins: [Bin { count: 0, records: [0; LANES] }; BLOCKS_MAX],
            lanes: vec![0; many::scratch_len(BLOCKS_MAX)],
            chunks: ChunkHasher::default(),
            burst: None,
        }
    }

    /// The same, and it offers its processor to others in between.
    pub fn offering() -> Self {
        Self { burst: Some(Burst::default()), ..Self::new() }
    }

    /// Bytes of memory that grow with what is hashed.
    pub fn bytes(&self) -> usize {
        self.chunks.bytes()
    }

    /// Appends the leaves of `records`, whose offsets run from `first_offset`, to `out` in their order.
    pub fn leaves(&mut self, keys: &Keys, first_offset: u64, records: &[RecordRef<'_>], out: &mut Vec<Hash>) {
        let mut offset = first_offset;
        for window in records.chunks(WINDOW) {
            // The commitments go where their leaves will stand.
            let start = out.len();
            out.resize(start + window.len(), [0; 32]);
            let hashes = &mut out[start..];
            self.commitments(keys, window, hashes);
            self.bind(keys, offset, window, hashes);
            offset += window.len() as u64;
        }
    }

    /// P of docs/FORMAT.md for every record.
    pub(super) fn commitments(&mut self, keys: &Keys, records: &[RecordRef<'_>], out: &mut [Hash]) {
        let mut in_chunks = false;
        for (index, record) in records.iter().enumerate() {
            let len = record.payload.len();
            if chunks::shares(len) {
                in_chunks = true;
                continue;
            }
            if let Some(burst) = &mut self.burst {
                burst.did(len);
            }
            if len > CHUNK {
                out[index] = long(keys, record.payload);
                continue;
            }
            let blocks = blocks(len);
            let bin = &mut self.bins[blocks - 1];
            bin.records[bin.count] = index as u32;
            bin.count += 1;
            if bin.count == LANES {
                self.flush(keys, blocks, records, out);
            }
        }
        for blocks in 1..=BLOCKS_MAX {
            if self.bins[blocks - 1].count > 0 {
                self.flush(keys, blocks, records, out);
            }
        }
        if in_chunks {
            self.chunks.commitments(keys, records, &mut self.lanes, self.burst.as_mut(), out);
        }
    }

    /// Hashes and empties one bin.
    fn flush(&mut self, keys: &Keys, blocks: usize, records: &[RecordRef<'_>], out: &mut [Hash]) {
        let bin = &mut self.bins[blocks - 1];
        let members = &bin.records[..bin.count];
        for (lane, &index) in self.lanes.chunks_exact_mut(blocks * BLOCK).zip(members) {
            fill(lane, records[index as usize].payload);
        }
        let mut hashes = [[0; 32]; LANES];
        let hashes = &mut hashes[..members.len()];
        many::hash_lanes(keys.platform, &keys.payload, Input::Whole, blocks, &self.lanes, hashes);
        for (&index, hash) in members.iter().zip(hashes) {
            out[index as usize] = *hash;
        }
        bin.count = 0;
    }

    /// Turns commitments into leaves, in place.
    fn bind(&mut self, keys: &Keys, first_offset: u64, records: &[RecordRef<'_>], hashes: &mut [Hash]) {
        let mut offset = first_offset;
        for (records, hashes) in records.chunks(LANES).zip(hashes.chunks_mut(LANES)) {
            for ((lane, record), commitment) in
                self.lanes.as_chunks_mut::<BLOCK>().0.iter_mut().zip(records).zip(&*hashes)
            {
                *lane = leaf_block(commitment, offset, record);
                offset += 1;
            }
            if let [hash] = hashes {
                *hash = many::lone_block(keys.platform, &keys.leaf, &leaf_block(hash, offset - 1, &records[0]));
            } else {
                many::hash_lanes(keys.platform, &keys.leaf, Input::Whole, 1, &self.lanes, hashes);
            }
        }
    }
}

/// Blocks that a payload is padded to: at least one.
pub(super) fn blocks(len: usize) -> usize {
    len.div_ceil(BLOCK).max(1)
}

/// Copies a payload into its lane and zeroes what is left of its last block.
pub(super) fn fill(lane: &mut [u8], payload: &[u8]) {
    if let Some(last) = lane.last_chunk_mut::<BLOCK>() {
        *last = ZEROS;
    }
    lane[..payload.len()].copy_from_slice(payload);
}

/// P of a payload of many BLAKE3 chunks, which is parallel in itself.
pub(super) fn long(keys: &Keys, payload: &[u8]) -> Hash {
    let mut hasher = blake3::Hasher::new_keyed(&keys.payload.bytes);
    hasher.update(payload).update(&ZEROS[..blocks(payload.len()) * BLOCK - payload.len()]);
    *hasher.finalize().as_bytes()
}

fn leaf_block(commitment: &Hash, offset: u64, record: &RecordRef<'_>) -> [u8; BLOCK] {
    let length = u32::try_from(record.payload.len());
    debug_assert!(length.is_ok(), "records are capped far below 4 GiB");
    let mut block = [0; BLOCK];
    block[..32].copy_from_slice(commitment);
    block[32..40].copy_from_slice(&offset.to_le_bytes());
    block[40..48].copy_from_slice(&record.time.to_le_bytes());
    block[48..52].copy_from_slice(&length.unwrap_or(u32::MAX).to_le_bytes());
    block[52] = record.kind;
    block[53] = record.flags;
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The leaf as reference.py writes it, through blake3's public interface.
    fn plain_leaf(keys: &Keys, offset: u64, record: &RecordRef<'_>) -> Hash {
        let mut padded = record.payload.to_vec();
        padded.resize(blocks(padded.len()) * BLOCK, 0);
        let commitment = blake3::keyed_hash(&keys.payload.bytes, &padded);
        let mut block = commitment.as_bytes().to_vec();
        block.extend(offset.to_le_bytes());
        block.extend(record.time.to_le_bytes());
        block.extend((record.payload.len() as u32).to_le_bytes());
        block.extend([record.kind, record.flags, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        *blake3::keyed_hash(&keys.leaf.bytes, &block).as_bytes()
    }

    fn check(lengths: &[usize], first: u64) {
        let keys = Keys::new(&[5; 32], None);
        let payloads: Vec<Vec<u8>> = lengths
            .iter()
            .enumerate()
            .map(|(i, &len)| (0..len).map(|j| (i * 31 + j * 7) as u8 | 1).collect())
            .collect();
        let records: Vec<_> = payloads
            .iter()
            .enumerate()
            .map(|(i, payload)| RecordRef {
                payload,
                time: 1000 + i as u64,
                kind: (i % 200) as u8,
                flags: (i % 3) as u8,
            })
            .collect();
        let mut hasher = LeafHasher::new();
        for _ in 0..2 {
            let mut leaves = vec![[9; 32]];
            hasher.leaves(&keys, first, &records, &mut leaves);
            assert_eq!(leaves.len(), records.len() + 1);
            for (i, record) in records.iter().enumerate() {
                let expected = plain_leaf(&keys, first.wrapping_add(i as u64), record);
                assert_eq!(leaves[i + 1], expected, "record {i} of {} B", record.payload.len());
            }
        }
    }

    #[test]
    fn every_length_around_a_block_hashes_like_the_reference() {
        check(&(0..=1100).collect::<Vec<_>>(), 0);
    }

    #[test]
    fn long_payloads_hash_like_the_reference() {
        check(&[1024, 1025, 1087, 1088, 1089, 2048, 5000, 1 << 17, 3], 1 << 52);
    }

    #[test]
    fn every_number_of_chunks_hashes_like_the_reference() {
        let around = |chunks: usize| [0, 1, 64, 65, 500, 1023].map(|more| chunks * 1024 + more);
        // Once each, in falling order, and enough of one shape for a full kernel call and some more.
        check(&(1..=17).rev().flat_map(around).collect::<Vec<_>>(), 3);
        for chunks in 1..=17 {
            check(&[chunks * 1024 + 100; 21], 9);
        }
    }

    #[test]
    fn windows_join_without_a_gap() {
        check(&vec![5; WINDOW * 2 + 1], 77);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_mix_of_lengths_hashes_like_the_reference(
            lengths in proptest::collection::vec(prop_oneof![0usize..1200, 0usize..20_000], 0..120), first in 0u64..1 << 53,
        ) {
            check(&lengths, first);
        }
    }
}
