//! Keyed BLAKE3 of up to sixteen inputs of equal length at once, each a chunk at most, and of one lone block.
//!
//! Records are short, so one hash at a time leaves most of a SIMD unit idle. blake3 has the kernels, but its
//! `hash_many` is doc-hidden and sharp: some kernels read up to 16 bytes past an input, no input at all crashes, and
//! a length other than 64, 128 … 1,024 gives a wrong hash without a word. So it is called in one function only
//! ([`kernel`]), on lanes that lie one after another in scratch of our own with [`SLACK`] bytes after the last one.
//! The tests compare every kernel this CPU has with blake3's public interface, at every length and every count.

use blake3::IncrementCounter;
use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use blake3::platform::Platform;

use super::Hash;

/// Most inputs of one call.
pub(super) const LANES: usize = 16;
/// BLAKE3's block, bytes.
pub(super) const BLOCK: usize = 64;
/// Longest lane in blocks: one BLAKE3 chunk, 1,024 bytes.
pub(super) const BLOCKS_MAX: usize = 16;
/// Zeros that must follow the last lane, bytes: some kernels read up to 16 past an input.
pub(super) const SLACK: usize = 64;

// BLAKE3's domain flags (section 2 of its paper).
const CHUNK_START: u8 = 1;
const CHUNK_END: u8 = 2;
const PARENT: u8 = 4;
const ROOT: u8 = 8;
const KEYED_HASH: u8 = 16;

/// What the lanes of a call hold.
#[derive(Debug, Clone, Copy)]
pub(super) enum Input {
    /// All that is hashed.
    Whole,
    /// A chunk of it, by its number.
    Chunk(u64),
    /// The hashes of two neighbours in its tree.
    Parent,
    /// The same for the last two.
    Root,
}

/// What a kernel is told of it: the counter, and the flags of all blocks, of the first and of the last one.
struct Flags {
    counter: u64,
    all: u8,
    first: u8,
    last: u8,
}

impl Input {
    fn flags(self) -> Flags {
        let (counter, all, first, last) = match self {
            Self::Whole => (0, KEYED_HASH, CHUNK_START, CHUNK_END | ROOT),
            Self::Chunk(number) => (number, KEYED_HASH, CHUNK_START, CHUNK_END),
            Self::Parent => (0, KEYED_HASH | PARENT, 0, 0),
            Self::Root => (0, KEYED_HASH | PARENT, 0, ROOT),
        };
        Flags { counter, all, first, last }
    }

    /// The hash of one, through blake3's public interface.
    fn hash(self, key: &Key, lane: &[u8]) -> Hash {
        let halves = || lane.first_chunk::<32>().zip(lane.last_chunk::<32>()).unwrap_or((&[0; 32], &[0; 32]));
        let mode = Mode::KeyedHash(&key.bytes);
        match self {
            Self::Whole => *blake3::keyed_hash(&key.bytes, lane).as_bytes(),
            Self::Chunk(number) => {
                let mut hasher = blake3::Hasher::new_keyed(&key.bytes);
                hasher.set_input_offset(number * (BLOCKS_MAX * BLOCK) as u64).update(lane).finalize_non_root()
            }
            Self::Parent => merge_subtrees_non_root(halves().0, halves().1, mode),
            Self::Root => *merge_subtrees_root(halves().0, halves().1, mode).as_bytes(),
        }
    }
}

/// A BLAKE3 key in both forms that the library wants.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) bytes: [u8; 32],
    words: [u32; 8],
}

impl Key {
    pub(super) fn new(bytes: [u8; 32]) -> Self {
        Self { words: blake3::platform::words_from_le_bytes_32(&bytes), bytes }
    }
}

/// Bytes of scratch that [`hash_lanes`] wants for lanes of up to `blocks` blocks.
pub(super) const fn scratch_len(blocks: usize) -> usize {
    LANES * blocks * BLOCK + SLACK
}

/// Hashes the first `out.len()` lanes of `scratch`, each `blocks` blocks long and such an `input`.
///
/// Scratch is [`scratch_len`] bytes or more, and at most [`LANES`] hashes are asked for. Anything else is hashed one
/// at a time through blake3's public interface, so that no caller's mistake reaches a kernel.
pub(super) fn hash_lanes(platform: Platform, key: &Key, input: Input, blocks: usize, scratch: &[u8], out: &mut [Hash]) {
    let fits = out.len() <= LANES && scratch.len() >= scratch_len(blocks);
    match blocks {
        _ if out.is_empty() => {}
        1 if fits => kernel::<64>(platform, key, input, scratch, out),
        2 if fits => kernel::<128>(platform, key, input, scratch, out),
        3 if fits => kernel::<192>(platform, key, input, scratch, out),
        4 if fits => kernel::<256>(platform, key, input, scratch, out),
        5 if fits => kernel::<320>(platform, key, input, scratch, out),
        6 if fits => kernel::<384>(platform, key, input, scratch, out),
        7 if fits => kernel::<448>(platform, key, input, scratch, out),
        8 if fits => kernel::<512>(platform, key, input, scratch, out),
        9 if fits => kernel::<576>(platform, key, input, scratch, out),
        10 if fits => kernel::<640>(platform, key, input, scratch, out),
        11 if fits => kernel::<704>(platform, key, input, scratch, out),
        12 if fits => kernel::<768>(platform, key, input, scratch, out),
        13 if fits => kernel::<832>(platform, key, input, scratch, out),
        14 if fits => kernel::<896>(platform, key, input, scratch, out),
        15 if fits => kernel::<960>(platform, key, input, scratch, out),
        16 if fits => kernel::<1024>(platform, key, input, scratch, out),
        _ => {
            debug_assert!(false, "{} lanes of {blocks} blocks in {} bytes of scratch", out.len(), scratch.len());
            for (hash, lane) in out.iter_mut().zip(scratch.chunks(blocks.max(1) * BLOCK)) {
                *hash = input.hash(key, lane);
            }
        }
    }
}

/// The one caller of `hash_many`. `N` is 64, 128 … 1,024 and `out` has 1 to [`LANES`] places.
fn kernel<const N: usize>(platform: Platform, key: &Key, input: Input, scratch: &[u8], out: &mut [Hash]) {
    let Some(lanes) = scratch.as_chunks::<N>().0.first_chunk::<LANES>() else {
        return debug_assert!(false, "scratch is too short");
    };
    let lanes = lanes.each_ref();
    let Flags { counter, all, first, last } = input.flags();
    let run = |count: usize, out: &mut [u8]| {
        platform.hash_many(&lanes[..count], &key.words, counter, IncrementCounter::No, all, first, last, out);
    };
    let count = out.len();
    let padded = padded(platform.simd_degree(), count);
    if padded == count {
        run(count, out.as_flattened_mut());
    } else {
        let mut whole = [[0; 32]; LANES];
        run(padded, whole.as_flattened_mut());
        out.copy_from_slice(&whole[..count]);
    }
}

/// How many lanes to hash for `count` wanted ones.
///
/// The kernels do 16, 8, 4, 2 and 1 lanes, each in nearly the time of the next smaller: fifteen lanes as 8 + 4 + 2 + 1
/// take twice as long as sixteen (285 against 153 ns a block, measured with AVX-512). Lanes that nobody asked for are
/// whatever the scratch holds, and their hashes are dropped.
fn padded(degree: usize, count: usize) -> usize {
    match count % degree {
        0 => count,
        rest => (count - rest + rest.next_power_of_two()).min(LANES),
    }
}

/// Keyed hash of one block, where there is nothing to share a kernel with: `hash_many` of one, without its array.
///
/// Measured as a chain, where each hash waits for the one before (Zen 5): 67 ns; portable 91, `keyed_hash` 79.
pub(super) fn lone_block(platform: Platform, key: &Key, block: &[u8; BLOCK]) -> Hash {
    let mut words = key.words;
    let Flags { counter, all, first, last } = Input::Whole.flags();
    platform.compress_in_place(&mut words, block, 64, counter, all | first | last);
    blake3::platform::le_bytes_from_words_32(&words)
}

/// Every kernel that this CPU has.
#[cfg(test)]
pub(super) fn kernels() -> Vec<Platform> {
    let mut kernels = vec![Platform::detect(), Platform::portable()];
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    kernels.extend([Platform::sse2(), Platform::sse41(), Platform::avx2(), Platform::avx512()].into_iter().flatten());
    kernels
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn noise(len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        blake3::Hasher::new().finalize_xof().fill(&mut bytes);
        bytes
    }

    fn check(platform: Platform, input: Input, blocks: usize) {
        let key = Key::new([7; 32]);
        let scratch = noise(scratch_len(blocks));
        for count in 0..=LANES {
            // One place more, to see that nothing is written past the last wanted one.
            let mut out = vec![[0xee; 32]; count + 1];
            hash_lanes(platform, &key, input, blocks, &scratch, &mut out[..count]);
            for (hash, lane) in out.iter().zip(scratch.chunks(blocks * BLOCK)).take(count) {
                let expected = input.hash(&key, lane);
                assert_eq!(*hash, expected, "{platform:?}, {input:?}, {blocks} blocks, {count} lanes");
            }
            assert_eq!(out[count], [0xee; 32]);
        }
    }

    #[test]
    fn every_kernel_equals_the_public_interface_at_every_length_and_count() {
        for platform in kernels() {
            for blocks in 1..=BLOCKS_MAX {
                check(platform, Input::Whole, blocks);
                check(platform, Input::Chunk(0), blocks);
                check(platform, Input::Chunk(15), blocks);
            }
            check(platform, Input::Parent, 1);
            check(platform, Input::Root, 1);
        }
    }

    #[test]
    fn lone_block_equals_keyed_hash_on_every_kernel() {
        let key = Key::new([9; 32]);
        for platform in kernels() {
            for block in noise(BLOCK * 50).as_chunks::<BLOCK>().0 {
                let expected = blake3::keyed_hash(&key.bytes, block);
                assert_eq!(&lone_block(platform, &key, block), expected.as_bytes(), "{platform:?}");
            }
        }
    }

    #[test]
    fn padding_fills_whole_kernels_and_never_exceeds_the_lanes() {
        for degree in [1, 4, 8, 16] {
            for count in 1..=LANES {
                let padded = padded(degree, count);
                assert!((count..=LANES).contains(&padded), "{degree} {count} {padded}");
            }
        }
        assert_eq!((padded(16, 15), padded(16, 3), padded(8, 9), padded(8, 13), padded(1, 7)), (16, 4, 9, 16, 7));
    }
}
