//! Verifying finds every kind of damage, says where, and changes nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod damaged;
mod forge;
mod forged;
mod sound;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use forge::Forge;
use support::{Strict, append, close, real_host};
use varve_core::error::{Error, HeadClaim};
use varve_core::format::{
    FOOTER_LEN, FRAME_HEADER_LEN, FRAMES_START, Footer, FrameFlags, FrameHeader, IndexEntry, MARK_LEN, Mark, Position,
    SLOTS, SegmentHeader,
};
use varve_core::hash::{self, Keys};
use varve_core::host::Host;
use varve_core::log::Log;
use varve_core::options::{Compression, Options};
use varve_core::reader::ReadRequest;
use varve_core::verify::{Established, Problem, Report, VerifyOptions, verify_dir};
use varve_core::writer::Head;

fn open(dir: &Path, options: &Options) -> Log {
    Log::open(real_host(), dir, options.clone(), Arc::new(Strict)).unwrap()
}

fn payload(number: u64) -> Vec<u8> {
    let filler: String = (0..number * 37 % 600).map(|i| char::from(b'a' + ((number * 7 + i * i) % 26) as u8)).collect();
    format!("{{\"event\":{number},\"text\":\"{filler}\"}}").into_bytes()
}

/// Appends batches of 1 to 40 records until the log has `size` of them.
fn fill(log: &Log, size: u64) {
    let mut next = log.head().size;
    while next < size {
        let count = (next % 40 + 1).min(size - next);
        let payloads: Vec<_> = (next..next + count).map(payload).collect();
        append(log, &payloads).unwrap();
        next += count;
    }
}

fn options() -> Options {
    Options { segment_bytes: 64 << 10, compression: Compression::None, ..Options::default() }
}

/// A closed log of five segments in a folder of its own.
fn sample(options: &Options) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    for size in [150, 500, 800] {
        let log = open(&path, options);
        fill(&log, size);
        close(&log).unwrap();
    }
    (dir, path)
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    entries.map(|e| (e.file_name().into_string().unwrap(), std::fs::read(e.path()).unwrap())).collect()
}

fn restore(dir: &Path, files: &BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    for (name, bytes) in files {
        std::fs::write(dir.join(name), bytes).unwrap();
    }
}

fn verify_with(dir: &Path, options: &VerifyOptions) -> Report {
    let before = files(dir);
    let report = verify_open(dir, options);
    assert!(files(dir) == before, "verifying changed the folder");
    report
}

/// Of a log that is open: its writer marks a quiet moment in the files when one comes.
fn verify_open(dir: &Path, options: &VerifyOptions) -> Report {
    verify_dir(&real_host(), dir, options, &|_, _| true).unwrap()
}

fn verify(dir: &Path) -> Report {
    verify_with(dir, &VerifyOptions::default())
}

fn name(number: u32) -> String {
    format!("{number:010}.seg")
}

fn first(report: &Report) -> &Problem {
    assert!(!report.ok && !report.problems.is_empty(), "{report:?}");
    &report.problems[0]
}

fn has(report: &Report, segment: u32, position: u64, words: &str) {
    let segment = name(segment);
    let found = report
        .problems
        .iter()
        .any(|p| p.segment.as_ref() == Some(&segment) && p.position == Some(position) && p.message.contains(words));
    assert!(found && !report.ok, "{words} in {segment} at {position}: {:#?}", report.problems);
}
