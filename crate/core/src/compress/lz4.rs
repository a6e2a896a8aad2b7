//! Codec 1: the LZ4 block format, through lz4_flex's safe and checked code.
//!
//! Never its size-prepended helpers: they allocate from a length in the data. The length comes from the frame's
//! checked header, and one that LZ4 cannot reach is refused before anything is allocated.

use lz4_flex::block::{CompressTable, compress_into_with_table, decompress_into, get_maximum_output_size};

use super::{Codec, CodecError, Scratch, Start};

/// The LZ4 block format.
pub struct Lz4;

/// Inputs below this use the small table: its positions are 16 bits wide.
const SMALL_MAX: usize = u16::MAX as usize;
/// No byte of a block stands for more than this many bytes of output.
const EXPANSION_MAX: usize = 255;

/// Match tables and a place to compress into, kept because allocating and zeroing them costs as much as a frame.
#[derive(Default)]
pub(super) struct Tables {
    small: Option<CompressTable>,
    large: Option<CompressTable>,
    staged: Vec<u8>,
}

impl Tables {
    /// What grows with the bodies; the tables themselves have one size.
    pub(super) fn bytes(&self) -> usize {
        self.staged.capacity()
    }
}

impl Codec for Lz4 {
    fn id(&self) -> u8 {
        1
    }

    fn name(&self) -> &'static str {
        "lz4"
    }

    fn compress(&self, raw: &[u8], out: &mut Vec<u8>, scratch: &mut Scratch) -> bool {
        let Tables { small, large, staged } = &mut scratch.lz4;
        let bound = get_maximum_output_size(raw.len());
        if raw.len() < SMALL_MAX {
            // The usual frame: into staging that was zeroed once, so that only the result is written to `out`.
            if staged.len() < bound {
                staged.resize(bound, 0);
            }
            let table = small.get_or_insert_with(CompressTable::small);
            let Some(len) = shrunk(raw, staged, table) else { return false };
            out.extend_from_slice(&staged[..len]);
            return true;
        }
        let start = out.len();
        out.resize(start + bound, 0);
        let table = large.get_or_insert_with(CompressTable::large);
        let len = shrunk(raw, &mut out[start..], table);
        out.truncate(start + len.unwrap_or(0));
        len.is_some()
    }

    fn check_len(&self, stored: &[u8], raw_len: usize) -> Result<(), CodecError> {
        let possible = raw_len <= stored.len().saturating_mul(EXPANSION_MAX);
        if possible { Ok(()) } else { Err(CodecError::Malformed { codec: self.name() }) }
    }

    fn decompress_into(&self, stored: &[u8], out: &mut [u8]) -> Result<(), CodecError> {
        match decompress_into(stored, out) {
            Ok(found) if found == out.len() => Ok(()),
            Ok(found) => Err(CodecError::Length { codec: self.name(), expected: out.len(), found }),
            Err(_) => Err(CodecError::Malformed { codec: self.name() }),
        }
    }

    fn start<'a>(
        &self,
        stored: &'a [u8],
        raw_len: usize,
        out: &'a mut Vec<u8>,
    ) -> Result<Option<Start<'a>>, CodecError> {
        self.check_len(stored, raw_len)?;
        if out.len() < raw_len {
            out.resize(raw_len, 0);
        }
        Ok(Some(Start::new(stored, &mut out[..raw_len])))
    }
}

/// Compresses into the start of `place`; none where that does not make it smaller.
fn shrunk(raw: &[u8], place: &mut [u8], table: &mut CompressTable) -> Option<usize> {
    compress_into_with_table(raw, place, table).ok().filter(|&len| len < raw.len())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn compress(raw: &[u8]) -> Option<Vec<u8>> {
        let mut out = b"kept".to_vec();
        let done = Lz4.compress(raw, &mut out, &mut Scratch::default());
        assert_eq!(&out[..4], b"kept");
        assert!(done || out.len() == 4);
        done.then(|| out.split_off(4))
    }

    fn decompress(stored: &[u8], raw_len: usize) -> Result<Vec<u8>, CodecError> {
        let mut out = b"kept".to_vec();
        let result = Lz4.decompress(stored, raw_len, &mut out);
        assert_eq!(&out[..4], b"kept");
        assert_eq!(out.len(), 4 + if result.is_ok() { raw_len } else { 0 });
        result.map(|()| out.split_off(4))
    }

    fn noise(len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        blake3::Hasher::new().finalize_xof().fill(&mut bytes);
        bytes
    }

    #[test]
    fn incompressible_bytes_are_refused() {
        for len in [0, 1, 13, 1000, 16 << 10, SMALL_MAX - 1, SMALL_MAX, 1 << 20] {
            assert_eq!(compress(&noise(len)), None, "{len}");
        }
    }

    #[test]
    fn one_scratch_serves_frames_of_all_sizes_in_turn() {
        let mut scratch = Scratch::default();
        for len in [16 << 10, 1 << 20, SMALL_MAX, 100, SMALL_MAX - 1, 300_000, 50] {
            let raw: Vec<u8> = (0..len).map(|i| (i / 40 % 7) as u8).collect();
            let mut out = Vec::new();
            assert!(Lz4.compress(&raw, &mut out, &mut scratch));
            assert_eq!(Some(&out), compress(&raw).as_ref(), "earlier frames leave no trace");
            assert_eq!(decompress(&out, len).unwrap(), raw);
        }
    }

    #[test]
    fn every_truncation_is_an_error() {
        let raw: Vec<u8> = (0..3000u32).flat_map(|i| (i / 9).to_le_bytes()).collect();
        let stored = compress(&raw).unwrap();
        for len in 0..stored.len() {
            assert!(decompress(&stored[..len], raw.len()).is_err(), "{len} of {}", stored.len());
        }
    }

    #[test]
    fn another_stated_length_is_an_error() {
        let raw = vec![7; 5000];
        let stored = compress(&raw).unwrap();
        for stated in [0, 1, 4999, 5001, 6000, usize::MAX] {
            assert!(decompress(&stored, stated).is_err(), "{stated}");
        }
    }

    #[test]
    fn a_length_that_lz4_cannot_reach_allocates_nothing() {
        let mut out = Vec::new();
        assert!(Lz4.decompress(&[0x1f; 100], 1 << 40, &mut out).is_err());
        assert_eq!(out.capacity(), 0);
    }

    #[test]
    fn the_densest_block_stays_below_the_bound() {
        let raw = vec![0; 16 << 20];
        let stored = compress(&raw).unwrap();
        assert!(raw.len() <= stored.len() * EXPANSION_MAX);
        assert_eq!(decompress(&stored, raw.len()).unwrap(), raw);
    }

    proptest! {
        #[test]
        fn compressed_bytes_come_back(words in proptest::collection::vec(0u8..12, 0..9000), step in 1usize..30) {
            let raw: Vec<u8> = words.iter().flat_map(|&word| std::iter::repeat_n(word, step)).collect();
            if let Some(stored) = compress(&raw) {
                prop_assert!(stored.len() < raw.len());
                prop_assert_eq!(decompress(&stored, raw.len()).unwrap(), raw);
            }
        }

        #[test]
        fn garbage_never_panics(stored in proptest::collection::vec(any::<u8>(), 0..400), raw_len in 0usize..5000) {
            let _ = decompress(&stored, raw_len);
        }

        #[test]
        fn flipped_bytes_never_panic(at in 0usize..10_000, with in 1u8..) {
            let raw: Vec<u8> = (0..2000u32).flat_map(|i| (i % 50 * i).to_le_bytes()).collect();
            let mut stored = compress(&raw).unwrap();
            let at = at % stored.len();
            stored[at] ^= with;
            let _ = decompress(&stored, raw.len());
        }
    }
}
