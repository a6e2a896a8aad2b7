//! The engine on real files, driven as the addon drives it.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use support::{close, flush, open, read_from};
use varve_core::options::Options;
use varve_core::reader::ReadRequest;

#[test]
fn records_survive_rotations_and_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a log with ü");
    let options = Options { segment_bytes: 64 << 10, ..Options::default() };
    let mut expected = Vec::new();
    for round in 0..5u32 {
        let log = open(&path, options.clone()).unwrap();
        assert_eq!(log.head().size, expected.len() as u64);
        for batch in 1..40u32 {
            let text = |i: u32| format!("{round} {batch} {i} {}", "x".repeat((i * 37 % 900) as usize));
            let payloads: Vec<Vec<u8>> = (0..batch).map(|i| text(i).into_bytes()).collect();
            let lengths: Vec<u32> = payloads.iter().map(|p| p.len() as u32).collect();
            log.submit(&payloads.concat(), &lengths, &[batch]).unwrap();
            expected.extend(payloads);
            if batch % 7 == 0 {
                assert_eq!(flush(&log).unwrap().size, expected.len() as u64);
            }
        }
        close(&log).unwrap();
        assert!(read_from(&log, 0, true).unwrap() == expected);
    }
    let log = open(&path, options).unwrap();
    assert!(read_from(&log, 0, false).unwrap() == expected);
    assert!(log.cut().is_none());
}

#[test]
fn one_read_of_many_empty_records_returns_a_bounded_number() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), Options::default()).unwrap();
    // A frame holds thousands of them in 128 bytes, so stored bytes alone bound nothing.
    let count = 300_000;
    log.submit(&[], &vec![0; count], &[count as u32]).unwrap();
    flush(&log).unwrap();
    for reverse in [false, true] {
        let mut request =
            ReadRequest { from: 0, to: u64::MAX, max_bytes: 8192, max_records: u64::MAX, reverse, verify: false };
        let mut seen = 0;
        while seen < count {
            let records = log.read(&request).unwrap();
            assert!((1..20_000).contains(&records.len()), "{} records in one read", records.len());
            assert_eq!(records.offset as usize, if reverse { count - seen - records.len() } else { seen });
            seen += records.len();
            (request.from, request.to) = (records.from, records.to);
        }
        assert_eq!(seen, count);
    }
    close(&log).unwrap();
}
