//! Every start is compared with what lz4_flex makes of the same block.
#![allow(clippy::unwrap_used)]

use super::super::Scratch;
use super::*;
use proptest::prelude::*;

fn compress(raw: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    Lz4.compress(raw, &mut out, &mut Scratch::default()).then_some(out)
}

/// What lz4_flex makes of the block, asked for `want` bytes at a time, in steps of `step`.
fn check(stored: &[u8], raw_len: usize, step: usize) {
    let mut whole = Vec::new();
    let sound = Lz4.decompress(stored, raw_len, &mut whole).is_ok();
    let mut place = vec![0xee; raw_len + 7];
    let Ok(Some(mut start)) = Lz4.start(stored, raw_len, &mut place) else { return assert!(!sound) };
    for want in (0..=raw_len).step_by(step).chain([raw_len]) {
        match start.reach(want) {
            Ok(bytes) if sound => assert_eq!(bytes, &whole[..want], "{want} of {raw_len}"),
            Ok(bytes) => assert_eq!(bytes.len(), want),
            Err(_) => return assert!(!sound, "{want} of {raw_len}"),
        }
    }
    // A block may go on behind what was wanted; lz4_flex alone minds.
}

#[test]
fn runs_and_repetitions_of_every_distance_come_back() {
    for distance in 1..70 {
        for len in [distance, 64, 100, 1000, 70_000] {
            let raw: Vec<u8> = (0..len).map(|at| (at % distance * 37) as u8).collect();
            if let Some(stored) = compress(&raw) {
                check(&stored, len, 1 + len / 9);
            }
        }
    }
}

#[test]
fn every_truncation_is_an_error_or_a_start() {
    let raw: Vec<u8> = (0..3000u32).flat_map(|i| (i / 9).to_le_bytes()).collect();
    let stored = compress(&raw).unwrap();
    let mut place = Vec::new();
    for len in 0..stored.len() {
        let start = Lz4.start(&stored[..len], raw.len(), &mut place);
        let Ok(Some(mut start)) = start else { continue };
        assert!(start.reach(raw.len()).is_err(), "{len} of {}", stored.len());
    }
}

#[test]
fn more_than_the_block_holds_is_an_error() {
    let raw = vec![7; 5000];
    let stored = compress(&raw).unwrap();
    for stated in [5001, 6000, usize::MAX] {
        let mut place = Vec::new();
        let start = Lz4.start(&stored, stated, &mut place);
        assert!(start.is_err() || start.unwrap().unwrap().reach(stated).is_err(), "{stated}");
    }
    let mut place = Vec::new();
    assert!(Lz4.start(&stored, 5000, &mut place).unwrap().unwrap().reach(5001).is_err());
}

proptest! {
    #[test]
    fn the_start_is_what_lz4_flex_gives(
        words in proptest::collection::vec(0u8..12, 0..6000), repeat in 1usize..30, step in 1usize..4000,
    ) {
        let raw: Vec<u8> = words.iter().flat_map(|&word| std::iter::repeat_n(word, repeat)).collect();
        if let Some(stored) = compress(&raw) {
            check(&stored, raw.len(), step);
        }
    }

    #[test]
    fn texts_come_back(words in proptest::collection::vec("[a-z]{1,24}", 1..400), picks in proptest::collection::vec(any::<u16>(), 0..1500), step in 1usize..4000) {
        let raw: Vec<u8> = picks.iter().flat_map(|&pick| words[usize::from(pick) % words.len()].bytes()).collect();
        if let Some(stored) = compress(&raw) {
            check(&stored, raw.len(), step);
        }
    }

    #[test]
    fn garbage_never_panics_and_agrees_where_it_is_a_block(
        stored in proptest::collection::vec(prop_oneof![0u8..40, any::<u8>()], 0..400), raw_len in 0usize..3000, step in 1usize..500,
    ) {
        check(&stored, raw_len, step);
    }

    #[test]
    fn flipped_bytes_never_panic_and_agree_where_they_are_a_block(at in 0usize..10_000, with in 1u8.., step in 1usize..3000) {
        let raw: Vec<u8> = (0..2000u32).flat_map(|i| (i % 50 * i).to_le_bytes()).collect();
        let mut stored = compress(&raw).unwrap();
        let at = at % stored.len();
        stored[at] ^= with;
        check(&stored, raw.len(), step);
    }
}
