//! What a body may be: malformed and newer ones are refused, and every body is the only one of its records.
#![allow(clippy::unwrap_used)]

use super::super::{MAX_RECORDS_PER_FRAME, encode};
use super::*;
use proptest::prelude::*;

fn refused(count: u32, body: &[u8]) -> BodyError {
    let mut columns = Columns::default();
    let error = decode(1000, count, body, &mut columns).unwrap_err();
    assert!(columns.end(0).is_none());
    error
}

#[test]
fn malformed_bodies_are_refused() {
    let cases: [(u32, &[u8]); 21] = [
        (1, b""),
        (0, b"\x02\x00"),
        (MAX_RECORDS_PER_FRAME as u32 + 1, b"\x02\x00"),
        (u32::MAX, b"\x00\x00"),
        (u32::MAX, b"\x02\x00"),
        (2, b"\x02\x01a"),
        (2, b"\x02\x01abc"),
        (1, b"\x02\x81\x00a"),
        (1, b"\x02\xff\xff\xff\xff\x7f"),
        (2, b"\x02"),
        (2, b"\x00\x01\x01ab"),
        (1, b"\x00\x01a"),
        (2, b"\x00\x01\x02ab"),
        (2, b"\x00\x01"),
        (2, b"\x00\xff\xff\xff\xff\x0f\x03ab"),
        (2, b"\x03\x00\x00\x01ab"),
        (2, b"\x03\x01\x00\x01ab"),
        (2, b"\x03\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01ab"),
        (2, b"\x06\x01\x00\x00ab"),
        (2, b"\x06\x01\x80"),
        (2, b"\x0a\x01\x00\x00ab"),
    ];
    for (count, body) in cases {
        let error = refused(count, body);
        assert!(matches!(error, Malformed(_)), "{count} {body:x?}: {error}");
    }
}

#[test]
fn what_a_newer_version_may_write_is_named() {
    let cases: [(&[u8], &str, u8); 5] = [
        (b"\x22\x01ab", "column", 0x20),
        (b"\x06\x01\x00\x01ab", "record kind", 1),
        (b"\x06\x01\x80\x3fab", "record kind", 63),
        (b"\x0a\x01\x00\x01ab", "record flag", 1),
        (b"\x12\x01\x01\x00ab", "record attribute", 1),
    ];
    for (body, what, value) in cases {
        assert_eq!(refused(2, body), Unsupported { what, value });
    }
    let mut columns = Columns::default();
    let body = decode(0, 2, b"\x06\x01\x40\xffab", &mut columns).unwrap();
    assert_eq!((body.kind(0), body.kind(1)), (64, 255));
}

#[test]
fn a_huge_count_of_nothing_needs_two_bytes_and_no_memory() {
    let mut columns = Columns::default();
    let body = decode(7, MAX_RECORDS_PER_FRAME as u32, b"\x02\x00", &mut columns).unwrap();
    assert!(body.records().all(|record| record == RecordRef { payload: b"", time: 7, kind: 0, flags: 0 }));
    assert_eq!(columns.memory(), 0);
}

#[test]
fn an_impossible_count_allocates_nothing() {
    let mut columns = Columns::default();
    assert!(decode(7, MAX_RECORDS_PER_FRAME as u32, &[0; 1000], &mut columns).is_err());
    assert!(decode(7, MAX_RECORDS_PER_FRAME as u32, &[1; 1000], &mut columns).is_err());
    assert_eq!(columns.memory(), 0);
}

#[test]
fn columns_serve_bodies_of_all_shapes_in_turn() {
    let mut columns = Columns::default();
    let bodies: [&[u8]; 4] = [b"\x01\x00\x05\x01\x02abb", b"\x02\x01ab", b"\x06\x01\x00\x80ab", b"\x00\x02\x00ab"];
    for bytes in bodies.iter().chain(&bodies) {
        let body = decode(3, 2, bytes, &mut columns).unwrap();
        let records: Vec<_> = body.records().collect();
        let mut again = Vec::new();
        encode(3, &records, &mut again).unwrap();
        assert_eq!(&again, bytes);
        assert!(columns.record(&bytes[..bytes.len() - 1], 1).is_none());
        let from_columns: Vec<_> = (0..2).map(|index| columns.record(bytes, index).unwrap()).collect();
        let mut again_from_columns = Vec::new();
        encode(3, &from_columns, &mut again_from_columns).unwrap();
        assert_eq!(again_from_columns, again);
    }
}

fn any_records() -> impl Strategy<Value = Vec<(Vec<u8>, u64, u8)>> {
    let payload = prop_oneof![Just(vec![1, 2, 3]), proptest::collection::vec(any::<u8>(), 0..200)];
    let delta = prop_oneof![4 => Just(0), 2 => 0..500u64, 1 => 0..u64::MAX >> 9];
    let kind = prop_oneof![9 => Just(0), 1 => 64..=255u8];
    proptest::collection::vec((payload, delta, kind), 1..100)
}

proptest! {
    #[test]
    fn records_come_back(base_time in 0..u64::MAX >> 2, parts in any_records(), same_kind: bool) {
        let mut time = base_time;
        let records: Vec<_> = parts.iter().enumerate().map(|(index, (payload, delta, kind))| {
            time += if index == 0 { 0 } else { *delta };
            RecordRef { payload, time, kind: if same_kind { 0 } else { *kind }, flags: 0 }
        }).collect();
        let mut bytes = Vec::new();
        encode(base_time, &records, &mut bytes).unwrap();
        let bound: usize = records.iter().map(|record| record.payload.len() + super::super::COLUMN_BYTES_MAX).sum();
        prop_assert!(bytes.len() <= 1 + bound);
        let mut columns = Columns::default();
        let body = decode(base_time, records.len() as u32, &bytes, &mut columns).unwrap();
        prop_assert_eq!(body.len(), records.len());
        prop_assert!(body.records().eq(records.iter().copied()));
        for (index, record) in records.iter().enumerate() {
            let mut columns = Columns::default();
            let head = &bytes[..bytes.len().min(columns_len_max(records.len() as u32))];
            decode_start(base_time, records.len() as u32, head, bytes.len(), &mut columns).unwrap();
            let end = columns.end(index).unwrap();
            prop_assert_eq!(columns.record(&bytes[..end], index), Some(*record));
            prop_assert_eq!(columns.record(&bytes[..end - 1], index), None);
        }
        for cut in 0..bytes.len() {
            prop_assert!(decode(base_time, records.len() as u32, &bytes[..cut], &mut columns).is_err());
        }
    }

    #[test]
    fn garbage_is_refused_or_is_the_one_body_of_its_records(
        base_time: u64, count in 0u32..20, mask in 0u8..8, bytes in proptest::collection::vec(0u8..5, 0..60),
    ) {
        let bytes = [&[mask], &bytes[..]].concat();
        let mut columns = Columns::default();
        if let Ok(body) = decode(base_time, count, &bytes, &mut columns) {
            let records: Vec<_> = body.records().collect();
            let mut again = Vec::new();
            encode(base_time, &records, &mut again).unwrap();
            prop_assert_eq!(again, bytes);
        }
    }
}
