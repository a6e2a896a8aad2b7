//! What is written is read back, and no damaged byte is believed.
#![allow(clippy::unwrap_used)]

use super::*;

const KEY: [u8; 32] = [7; 32];

fn segment_header() -> SegmentHeader {
    SegmentHeader {
        secret: true,
        optional_features: 0,
        segment: 3,
        id: [1; 32],
        nonce: [2; 16],
        next_nonce: [3; 16],
        first_offset: 0b1011,
        last_time: 1_700_000_000_000,
        predecessor_end: 8192,
        kept_from: 0,
        epoch: EPOCH,
        key_check: [4; 16],
        head: [5; 32],
        peaks: vec![[6; 32], [7; 32], [8; 32]],
        encoding: "json".to_owned(),
        extensions: vec![(1, vec![9; 5])],
        seal: [10; 16],
    }
}

fn frame_header() -> FrameHeader {
    FrameHeader {
        codec: 1,
        flags: FrameFlags(FrameFlags::FIRST | FrameFlags::LAST),
        first_offset: 11,
        base_time: 1_700_000_000_000,
        count: 3,
        stored_len: 100,
        raw_len: 200,
        body_crc: 0xdead_beef,
        epoch: EPOCH,
        durable_to: Position { segment: 3, position: 4096 },
        head: [5; 32],
        seal: [10; 16],
    }
}

fn mark() -> Mark {
    Mark { segment: 3, identity: 99, position: 4480, size: 14, last_time: 5, state_position: 4096, head: [5; 32] }
}

fn footer() -> Footer {
    Footer {
        segment: 3,
        index_count: 2,
        frames_end: 4480,
        first_offset: 11,
        end_offset: 14,
        first_time: 5,
        last_time: 6,
        head: [5; 32],
        epoch: EPOCH,
        index_crc: 1,
        seal: [10; 16],
    }
}

/// Flips every bit of `bytes` in turn; none of the results may be believed.
fn every_flip_is_refused<T: std::fmt::Debug>(bytes: &[u8], parse: impl Fn(&[u8]) -> Option<T>) {
    assert!(parse(bytes).is_some());
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(parse(&damaged).is_none(), "bit {bit}: {:?}", parse(&damaged));
    }
    for len in 0..bytes.len() {
        assert!(parse(&bytes[..len]).is_none(), "cut to {len}");
    }
}

#[test]
fn a_segment_header_is_read_back_and_every_flip_is_damage() {
    let bytes = segment_header().encode();
    assert_eq!(SegmentHeader::parse(&bytes), Ok(segment_header()));
    assert_eq!(bytes.len(), segment_header().encoded_len());
    // A flip is damage and never a newer version: that would tell the user to update.
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(SegmentHeader::parse(&damaged), Err(HeaderError::Damaged(_))), "bit {bit}");
    }
}

#[test]
fn newer_headers_are_not_called_damaged() {
    let newer = |change: &dyn Fn(&mut Vec<u8>)| {
        let header = segment_header();
        let mut bytes = header.encode();
        bytes.truncate(bytes.len() - 4);
        change(&mut bytes);
        let crc = crc32c::crc32c(&bytes);
        bytes.extend(crc.to_le_bytes());
        SegmentHeader::parse(&bytes)
    };
    assert!(newer(&|_| {}).is_ok());
    for (at, value) in [(8, 2), (10, 2), (11, 2), (12, 1), (15, 0x80)] {
        let parsed = newer(&|bytes| bytes[at] = value);
        assert!(matches!(parsed, Err(HeaderError::Newer(_))), "{at}: {parsed:?}");
    }
    assert!(newer(&|bytes| bytes[16] = 1).is_ok(), "an optional feature may be ignored");
    let critical = SegmentHeader { extensions: vec![(0x8001, vec![])], ..segment_header() };
    assert!(matches!(SegmentHeader::parse(&critical.encode()), Err(HeaderError::Newer(_))));
}

#[test]
fn a_frame_header_is_read_back_and_every_flip_is_refused() {
    let bytes = frame_header().encode(&KEY, 4096);
    assert_eq!(bytes.len(), FRAME_HEADER_LEN);
    assert_eq!(FrameHeader::parse(&bytes, &KEY, 4096), Some(frame_header()));
    every_flip_is_refused(&bytes, |bytes| FrameHeader::parse(bytes, &KEY, 4096));
    assert_eq!(FrameHeader::parse(&bytes, &KEY, 4160), None, "another position");
    assert_eq!(FrameHeader::parse(&bytes, &[8; 32], 4096), None, "another segment");
}

#[test]
fn frame_headers_that_make_no_sense_are_refused() {
    let refused =
        |header: FrameHeader| assert_eq!(FrameHeader::parse(&header.encode(&KEY, 64), &KEY, 64), None, "{header:?}");
    refused(FrameHeader { count: 0, ..frame_header() });
    refused(FrameHeader { flags: FrameFlags(FrameFlags::STATE), ..frame_header() });
    refused(FrameHeader { flags: FrameFlags(FrameFlags::CLOSE), ..frame_header() });
    refused(FrameHeader { flags: FrameFlags(16), ..frame_header() });
    refused(FrameHeader { count: 65_537, ..frame_header() });
    refused(FrameHeader { stored_len: FRAME_BODY_MAX + 1, ..frame_header() });
    refused(FrameHeader { raw_len: u32::MAX, ..frame_header() });
    refused(FrameHeader { first_offset: u64::MAX, ..frame_header() });
}

#[test]
fn a_mark_is_read_back_and_every_flip_is_refused() {
    for at in [SLOTS[0], SLOTS[1], LIVE_MARK_POSITION] {
        let bytes = mark().encode(&KEY, at);
        assert_eq!(bytes.len(), MARK_LEN);
        assert_eq!(Mark::parse(&bytes, &KEY, at), Some(mark()));
        every_flip_is_refused(&bytes, |bytes| Mark::parse(bytes, &KEY, at));
        assert_eq!(Mark::parse(&bytes, &KEY, at + 512), None, "another place");
    }
}

#[test]
fn a_footer_is_read_back_and_every_flip_is_refused() {
    let bytes = footer().encode(&KEY);
    assert_eq!(bytes.len(), FOOTER_LEN);
    assert_eq!(Footer::parse(&bytes, &KEY, footer().file_len()), Some(footer()));
    every_flip_is_refused(&bytes, |bytes| Footer::parse(bytes, &KEY, footer().file_len()));
    assert_eq!(Footer::parse(&bytes, &KEY, footer().file_len() + 64), None, "not at the end");
}

#[test]
fn an_index_that_is_not_in_order_is_refused() {
    let entry = |relative_offset, slot| IndexEntry { relative_offset, slot };
    let good = [entry(0, 64), entry(3, 66), entry(3, 68)];
    assert_eq!(IndexEntry::parse_all(&IndexEntry::encode_all(&good)), Some(good.to_vec()));
    assert_eq!(IndexEntry::parse_all(&IndexEntry::encode_all(&[good[1], good[0]])), None);
    assert_eq!(IndexEntry::parse_all(&IndexEntry::encode_all(&[good[0], good[0]])), None);
    assert_eq!(IndexEntry::parse_all(&[0; 7]), None);
    assert_eq!(IndexEntry::new(1 << 32, 64), None);
    assert_eq!(IndexEntry::new(0, 1 << 38), None);
    assert_eq!(IndexEntry::new(5, 4096).map(IndexEntry::position), Some(4096));
}

#[test]
fn only_segment_names_are_ours() {
    assert_eq!(segment_name(7), "0000000007.seg");
    assert_eq!(segment_number("0000000007.seg"), Some(7));
    for other in [
        "0000000000.seg",
        "7.seg",
        "0000000007.seg.tmp",
        "00000000007.seg",
        "+000000007.seg",
        "4294967295.seg",
        "9999999999.seg",
        ".DS_Store",
    ] {
        assert_eq!(segment_number(other), None, "{other}");
    }
}
