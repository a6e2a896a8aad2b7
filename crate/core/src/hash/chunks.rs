//! Commitments of payloads that are longer than a BLAKE3 chunk, many at once.
//!
//! A payload of few chunks leaves most of a SIMD unit idle: 1,100 bytes took seven times as long as 1,000. So chunks of
//! the same number and length share a kernel call, whichever payloads they are of, and so do the parents above them. The
//! tree is that of BLAKE3's paper (section 2.1): neighbours are joined in pairs, level by level, and a last one without a
//! neighbour moves up as it is. Measured (`cargo bench -p varve-core --bench hash -- leaves`, AVX-512): 1,100 B in 0.18 of
//! the time, 2 KiB in 0.30, 4 KiB in 0.52, 8 KiB in 0.87 to 1.

use super::leaf::{RecordRef, blocks, fill, long};
use super::many::{self, BLOCK, BLOCKS_MAX, Input, LANES};
use super::{Hash, Keys};
use crate::burst::Burst;

/// BLAKE3's chunk, bytes.
pub(super) const CHUNK: usize = BLOCKS_MAX * BLOCK;
/// Sixteen chunks fill a kernel call by themselves.
const CHUNKS_MAX: usize = LANES - 1;

/// Whether payloads of `len` bytes share kernel calls with others of several chunks.
pub(super) fn shares(len: usize) -> bool {
    (CHUNK + 1..=CHUNKS_MAX * CHUNK).contains(&len)
}

/// Hashes such payloads. It owns its memory, so keep it.
#[derive(Default)]
pub(super) struct ChunkHasher {
    trees: Vec<Tree>,
    /// The hashes of each tree's nodes, on the level that was reached.
    nodes: Vec<Hash>,
    /// Where the nodes of a pair begin, and where the one above them goes.
    pairs: Vec<(usize, usize)>,
}

/// One payload.
struct Tree {
    record: usize,
    chunks: usize,
    /// Of the last chunk.
    blocks: usize,
    /// Its first node.
    start: usize,
    /// On the level that was reached.
    nodes: usize,
}

impl ChunkHasher {
    /// Bytes of memory that it keeps.
    pub(super) fn bytes(&self) -> usize {
        self.trees.capacity() * size_of::<Tree>()
            + self.nodes.capacity() * size_of::<Hash>()
            + self.pairs.capacity() * size_of::<(usize, usize)>()
    }

    /// Writes the commitments of those `records` whose payload [`shares`] into `out`. `lanes` is scratch for whole chunks.
    pub(super) fn commitments(
        &mut self,
        keys: &Keys,
        records: &[RecordRef<'_>],
        lanes: &mut [u8],
        burst: Option<&mut Burst>,
        out: &mut [Hash],
    ) {
        self.plant(records);
        // A payload of more chunks than there are payloads fills more lanes by itself.
        let sharing = self.trees.partition_point(|tree| tree.chunks <= self.trees.len());
        for tree in self.trees.drain(sharing..) {
            out[tree.record] = long(keys, records[tree.record].payload);
        }
        self.hash_chunks(keys, records, lanes, burst);
        self.join(keys, lanes);
        for tree in &self.trees {
            out[tree.record] = self.nodes[tree.start];
        }
    }

    /// A tree for each payload, shorter ones first and those of one shape side by side.
    fn plant(&mut self, records: &[RecordRef<'_>]) {
        self.trees.clear();
        let mut start = 0;
        for (record, RecordRef { payload, .. }) in records.iter().enumerate() {
            if shares(payload.len()) {
                let chunks = payload.len().div_ceil(CHUNK);
                let blocks = blocks(payload.len() - (chunks - 1) * CHUNK);
                self.trees.push(Tree { record, chunks, blocks, start, nodes: chunks });
                start += chunks;
            }
        }
        self.nodes.clear();
        self.nodes.resize(start, [0; 32]);
        self.trees.sort_unstable_by_key(|tree| (tree.chunks, tree.blocks));
    }

    fn hash_chunks(&mut self, keys: &Keys, records: &[RecordRef<'_>], lanes: &mut [u8], mut burst: Option<&mut Burst>) {
        let Self { trees, nodes, .. } = self;
        let mut hash = |trees: &[Tree], number: usize, blocks: usize| {
            for group in trees.chunks(LANES) {
                for (lane, tree) in lanes.chunks_exact_mut(blocks * BLOCK).zip(group) {
                    let rest = &records[tree.record].payload[number * CHUNK..];
                    fill(lane, &rest[..rest.len().min(CHUNK)]);
                }
                let mut hashes = [[0; 32]; LANES];
                let hashes = &mut hashes[..group.len()];
                many::hash_lanes(keys.platform, &keys.payload, Input::Chunk(number as u64), blocks, lanes, hashes);
                for (tree, hash) in group.iter().zip(hashes) {
                    nodes[tree.start + number] = *hash;
                }
                if let Some(burst) = &mut burst {
                    burst.did(group.len() * blocks * BLOCK);
                }
            }
        };
        for number in 0..CHUNKS_MAX - 1 {
            let longer = trees.partition_point(|tree| tree.chunks <= number + 1);
            hash(&trees[longer..], number, BLOCKS_MAX);
        }
        for alike in trees.chunk_by(|a, b| (a.chunks, a.blocks) == (b.chunks, b.blocks)) {
            hash(alike, alike[0].chunks - 1, alike[0].blocks);
        }
    }

    /// Joins the nodes of each tree, until one is left.
    fn join(&mut self, keys: &Keys, lanes: &mut [u8]) {
        loop {
            self.pairs.clear();
            for tree in self.trees.iter().filter(|tree| tree.nodes > 2) {
                self.pairs.extend((0..tree.nodes / 2).map(|pair| (tree.start + 2 * pair, tree.start + pair)));
            }
            if self.pairs.is_empty() {
                break;
            }
            self.hash_pairs(keys, Input::Parent, lanes);
            for tree in self.trees.iter_mut().filter(|tree| tree.nodes > 2) {
                if tree.nodes % 2 == 1 {
                    self.nodes[tree.start + tree.nodes / 2] = self.nodes[tree.start + tree.nodes - 1];
                }
                tree.nodes = tree.nodes.div_ceil(2);
            }
        }
        self.pairs.extend(self.trees.iter().map(|tree| (tree.start, tree.start)));
        self.hash_pairs(keys, Input::Root, lanes);
    }

    /// No pair is overwritten before it is read: what is above it goes to its own place or to one before.
    fn hash_pairs(&mut self, keys: &Keys, input: Input, lanes: &mut [u8]) {
        for group in self.pairs.chunks(LANES) {
            for (lane, &(from, _)) in lanes.as_chunks_mut::<BLOCK>().0.iter_mut().zip(group) {
                lane.copy_from_slice(self.nodes[from..from + 2].as_flattened());
            }
            let mut hashes = [[0; 32]; LANES];
            let hashes = &mut hashes[..group.len()];
            many::hash_lanes(keys.platform, &keys.payload, input, 1, lanes, hashes);
            for (&(_, to), hash) in group.iter().zip(hashes) {
                self.nodes[to] = *hash;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::LeafHasher;

    /// Compares payloads of these lengths, each from another place of the noise.
    fn check(hasher: &mut LeafHasher, keys: &Keys, noise: &[u8], lengths: &[usize]) {
        let records: Vec<_> = lengths
            .iter()
            .enumerate()
            .map(|(i, &len)| RecordRef { payload: &noise[i * 64..][..len], time: 0, kind: 0, flags: 0 })
            .collect();
        let mut found = vec![[0xee; 32]; records.len()];
        hasher.commitments(keys, &records, &mut found);
        for (found, record) in found.iter().zip(&records) {
            let expected = long(keys, record.payload);
            assert_eq!(*found, expected, "{:?}, {lengths:?}", keys.platform);
        }
    }

    #[test]
    fn any_two_shapes_hash_like_the_public_interface_on_every_kernel() {
        let mut noise = vec![0; 32 << 10];
        blake3::Hasher::new().finalize_xof().fill(&mut noise);
        for platform in many::kernels() {
            let mut keys = Keys::new(&[3; 32], None);
            keys.platform = platform;
            let mut hasher = LeafHasher::new();
            for (n, (a, b)) in (1..=17).flat_map(|a| (a..=17).map(move |b| (a, b))).enumerate() {
                for (count_a, count_b) in [(1, 1), (2, 16), (17, 3)] {
                    let (len_a, len_b) = (a * CHUNK - n * 37 % CHUNK, b * CHUNK - n * 101 % CHUNK);
                    let mut lengths = [vec![len_b; count_b], vec![len_a; count_a]].concat();
                    lengths.rotate_left(count_b / 2);
                    check(&mut hasher, &keys, &noise, &lengths);
                }
            }
        }
    }
}
