//! Encoder of LZ4 blocks below 64 KiB, which is every frame but that of one large record.
//!
//! lz4_flex finds matches by a hash of four bytes, which in JSON mostly finds short ones: a match of four saves one
//! byte, costs a mispredicted branch or two, and hides the longer one that begins a byte later. Here the hash takes
//! [`HASHED`] bytes. Measured on the bench's events in bodies of 16 KiB, in one run: 306 ns a record of 256 B against
//! lz4_flex's 343, to 0.398 of their size against 0.427. Hashing five bytes takes 6 % longer and gives 0.409; two
//! tables, of which the longer match wins, give 0.380 and take 40 % longer. What it costs: numbers in binary that
//! share four or five bytes with their neighbours (0.82 instead of 0.75 for records of 24 bytes).
//!
//! Decoding is lz4_flex's, and so the tests have two opinions.
//!
//! A block is a row of sequences: token (lengths of both parts, 15 = more follows), literals, distance back, match.
//! The last five bytes are literals, and no match starts in the last twelve.

use std::ops::Range;

/// Inputs must be shorter: positions and distances have 16 bits.
pub(super) const INPUT_MAX: usize = u16::MAX as usize;
/// Bytes of a table entry's hash.
const HASHED: u32 = 6;
/// Positions that a table remembers, as a power of two: 16 KiB stay in the first cache.
const TABLE_BITS: u32 = 13;
/// Shortest match of the format.
const MATCH_MIN: usize = 4;
/// Bytes at the end in which no match starts.
const START_MARGIN: usize = 12;
/// Bytes at the end that are literals.
const END_MARGIN: usize = 5;
/// After this many misses in a row the search takes longer steps, as a power of two: noise is passed over quickly.
const PATIENCE: u32 = 5;
/// Literals are copied in steps of so many bytes.
const STRIDE: usize = 16;

/// Where bytes with some hash stood last. Kept from block to block for its memory only.
pub(super) struct Table(Box<[u16; 1 << TABLE_BITS]>);

impl Default for Table {
    fn default() -> Self {
        Self(Box::new([0; 1 << TABLE_BITS]))
    }
}

impl Table {
    fn place(&mut self, word: u64) -> &mut u16 {
        let hash = (word << (64 - 8 * HASHED)).wrapping_mul(0x9e37_79b1_85eb_ca87) >> (64 - TABLE_BITS);
        &mut self.0[hash as usize]
    }
}

/// Writes the block of `raw`, shorter than [`INPUT_MAX`], to the start of `out`, which has room for the worst case;
/// returns its length. The same input gives the same block, whatever the table held.
pub(super) fn encode(raw: &[u8], out: &mut [u8], table: &mut Table) -> usize {
    debug_assert!(raw.len() < INPUT_MAX, "{} bytes", raw.len());
    table.0.fill(0);
    let (mut len, mut literals) = (0, 0); // written so far; where the bytes start that no sequence holds yet
    let starts_end = raw.len().saturating_sub(START_MARGIN);
    let matches_end = raw.len().saturating_sub(END_MARGIN);
    let mut at = 1;
    let mut misses = 1 << PATIENCE;
    while at < starts_end {
        let word = word_at(raw, at);
        let place = table.place(word);
        let mut from = usize::from(std::mem::replace(place, at as u16));
        // An empty place says 0, which is as good a position as any.
        if word_at(raw, from) as u32 != word as u32 {
            at += misses >> PATIENCE;
            misses += 1;
            continue;
        }
        let mut same = MATCH_MIN + common(raw, from + MATCH_MIN, at + MATCH_MIN, matches_end);
        while at > literals && from > 0 && raw[at - 1] == raw[from - 1] {
            (at, from, same) = (at - 1, from - 1, same + 1);
        }
        len = put_literals(raw, literals..at, (same - MATCH_MIN).min(15) as u8, out, len);
        out[len..len + 2].copy_from_slice(&((at - from) as u16).to_le_bytes());
        len = put_rest(same - MATCH_MIN, out, len + 2);
        at += same;
        literals = at;
        misses = 1 << PATIENCE;
        if at < starts_end {
            *table.place(word_at(raw, at - 2)) = (at - 2) as u16;
        }
    }
    put_literals(raw, literals..raw.len(), 0, out, len)
}

/// The eight bytes at `at`, of which all are there wherever this is called.
#[inline(always)]
fn word_at(raw: &[u8], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&raw[at..at + 8]);
    u64::from_le_bytes(bytes)
}

/// How many bytes at `from` and at `at`, further on, are the same; none at `end` or after it counts.
#[inline(always)]
fn common(raw: &[u8], from: usize, at: usize, end: usize) -> usize {
    let mut len = 0;
    while at + len + 8 <= end {
        let differ = word_at(raw, from + len) ^ word_at(raw, at + len);
        if differ != 0 {
            return len + (differ.trailing_zeros() / 8) as usize;
        }
        len += 8;
    }
    while at + len < end && raw[from + len] == raw[at + len] {
        len += 1;
    }
    len
}

/// Writes the first half of a sequence behind the `len` bytes that are there: the token, whose lower half says what
/// follows the literals, and the literals. Returns the new length.
#[inline(always)]
fn put_literals(raw: &[u8], literals: Range<usize>, lower: u8, out: &mut [u8], len: usize) -> usize {
    let count = literals.len();
    out[len] = (count.min(15) as u8) << 4 | lower;
    let len = put_rest(count, out, len + 1);
    // Most are few, and a copy of a fixed length is two instructions: what it writes too much is overwritten.
    if count <= STRIDE && literals.start + STRIDE <= raw.len() && len + STRIDE <= out.len() {
        out[len..len + STRIDE].copy_from_slice(&raw[literals.start..literals.start + STRIDE]);
    } else {
        out[len..len + count].copy_from_slice(&raw[literals]);
    }
    len + count
}

/// Writes what half a token could not say of a length.
#[inline(always)]
fn put_rest(length: usize, out: &mut [u8], mut len: usize) -> usize {
    if length < 15 {
        return len;
    }
    let mut rest = length - 15;
    while rest >= 255 {
        out[len] = 255;
        len += 1;
        rest -= 255;
    }
    out[len] = rest as u8;
    len + 1
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use lz4_flex::block::{decompress_into, get_maximum_output_size};
    use proptest::prelude::*;

    /// Encodes, lets lz4_flex decode, and walks the sequences by the format's rules.
    fn check(raw: &[u8], table: &mut Table) -> usize {
        let mut out = vec![0xee; get_maximum_output_size(raw.len())];
        let len = encode(raw, &mut out, table);
        let mut back = vec![0; raw.len()];
        assert_eq!(decompress_into(&out[..len], &mut back).unwrap(), raw.len());
        assert!(back == raw);

        let mut rest = &out[..len];
        let (mut at, mut last_match_start) = (0, None);
        loop {
            let token = take(&mut rest);
            let literals = length(token >> 4, &mut rest);
            rest = &rest[literals..];
            at += literals;
            if rest.is_empty() {
                assert_eq!(at, raw.len());
                assert!(last_match_start.is_none_or(|start| literals >= END_MARGIN && start + START_MARGIN <= at));
                return len;
            }
            let distance = usize::from(u16::from_le_bytes([take(&mut rest), take(&mut rest)]));
            assert!((1..=at).contains(&distance), "{distance} back from {at}");
            last_match_start = Some(at);
            at += MATCH_MIN + length(token & 15, &mut rest);
        }
    }

    fn take(rest: &mut &[u8]) -> u8 {
        let (&first, others) = rest.split_first().unwrap();
        *rest = others;
        first
    }

    fn length(nibble: u8, rest: &mut &[u8]) -> usize {
        let mut sum = usize::from(nibble);
        let mut more = if nibble == 15 { 255 } else { 0 };
        while more == 255 {
            more = take(rest);
            sum += usize::from(more);
        }
        sum
    }

    #[test]
    fn every_short_length_follows_the_format() {
        let mut table = Table::default();
        for len in 0..400 {
            check(&vec![7; len], &mut table);
            check(&(0..len).map(|i| (i * i / 3) as u8).collect::<Vec<_>>(), &mut table);
            check(&(0..len).map(|i| (i % 9) as u8).collect::<Vec<_>>(), &mut table);
        }
    }

    #[test]
    fn longest_input_uses_the_farthest_distances() {
        let mut table = Table::default();
        let mut raw = vec![0; INPUT_MAX - 1];
        blake3::Hasher::new().finalize_xof().fill(&mut raw);
        let end = raw.len() - 100;
        raw.copy_within(1..60, end);
        assert!(check(&raw, &mut table) <= get_maximum_output_size(raw.len()));
        assert!(check(&vec![0; INPUT_MAX - 1], &mut table) < 400);
    }

    proptest! {
        #[test]
        fn any_mix_of_noise_and_repeats_follows_the_format(
            pieces in proptest::collection::vec((any::<u8>(), 0usize..400, any::<bool>()), 0..120),
        ) {
            let mut raw: Vec<u8> = Vec::new();
            for (seed, len, repeat) in pieces {
                let start = raw.len() * usize::from(seed) / 256;
                if repeat && start + len <= raw.len() {
                    raw.extend_from_within(start..start + len);
                } else {
                    let mut noise = vec![0; len];
                    blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut noise);
                    raw.append(&mut noise);
                }
            }
            raw.truncate(INPUT_MAX - 1);
            let (mut fresh, mut used) = (Table::default(), Table::default());
            check(&raw[raw.len() / 3..], &mut used);
            prop_assert_eq!(check(&raw, &mut fresh), check(&raw, &mut used));
        }
    }
}
