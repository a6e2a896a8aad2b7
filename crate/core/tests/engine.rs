//! The engine on real files, driven as the addon drives it.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::{Arc, mpsc};

use varve_core::disk::file::FileDisk;
use varve_core::error::Error;
use varve_core::host::{Host, SystemClock, SystemEntropy};
use varve_core::log::{Listener, Log};
use varve_core::options::Options;
use varve_core::pool::Pool;
use varve_core::reader::ReadRequest;
use varve_core::writer::Head;

struct Quiet;
impl Listener for Quiet {
    fn durable(&self, _: Head) {}
    fn failed(&self, error: &Error) {
        panic!("{error}");
    }
}

fn host() -> Host {
    Host {
        disk: Arc::new(FileDisk),
        executor: Pool::global(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    }
}

fn open(dir: &std::path::Path, options: Options) -> Log {
    Log::open(host(), dir, options, Arc::new(Quiet)).unwrap()
}

fn flush(log: &Log) -> Head {
    let (sender, receiver) = mpsc::channel();
    log.flush(Box::new(move |head| sender.send(head).unwrap()));
    receiver.recv().unwrap().unwrap()
}

fn close(log: &Log) {
    let (sender, receiver) = mpsc::channel();
    log.close(Box::new(move |outcome| sender.send(outcome).unwrap()));
    receiver.recv().unwrap().unwrap();
}

fn all(log: &Log, verify: bool) -> Vec<Vec<u8>> {
    let mut request =
        ReadRequest { from: 0, to: u64::MAX, max_bytes: 1 << 16, max_records: u64::MAX, reverse: false, verify };
    let mut payloads = Vec::new();
    loop {
        let records = log.read(&request).unwrap();
        if records.is_empty() {
            return payloads;
        }
        payloads.extend((0..records.len()).map(|at| records.payload(at).unwrap().to_vec()));
        request.from = records.from;
    }
}

#[test]
fn records_survive_rotations_and_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a log with ü");
    let options = Options { segment_bytes: 64 << 10, ..Options::default() };
    let mut expected = Vec::new();
    for round in 0..5u32 {
        let log = open(&path, options.clone());
        assert_eq!(log.head().size, expected.len() as u64);
        for batch in 0..40u32 {
            let payloads: Vec<Vec<u8>> = (0..batch)
                .map(|i| format!("{round} {batch} {i} {}", "x".repeat((i * 37 % 900) as usize)).into_bytes())
                .collect();
            let lengths: Vec<u32> = payloads.iter().map(|p| p.len() as u32).collect();
            let batches = if batch == 0 { vec![] } else { vec![batch] };
            log.submit(&payloads.concat(), &lengths, &batches).unwrap();
            expected.extend(payloads);
            if batch % 7 == 0 {
                assert_eq!(flush(&log).size, expected.len() as u64);
            }
        }
        close(&log);
        assert_eq!(all(&log, true).len(), expected.len());
    }
    let log = open(&path, options);
    assert!(all(&log, false) == expected);
    assert!(log.cut().is_none());
}
