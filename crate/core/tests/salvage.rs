//! What `salvage` copies of damaged logs, and that it changes nothing of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use support::{Deaf, append, close, read_from};
use varve_core::disk::memory::MemoryDisk;
use varve_core::disk::{Access, Disk, read_full_at, write_all_at};
use varve_core::error::Error;
use varve_core::host::{Clock, Host, SystemEntropy};
use varve_core::log::Log;
use varve_core::options::{Compression, Options};
use varve_core::pool::Pool;
use varve_core::reader::ReadRequest;
use varve_core::salvage::{Report, salvage};

/// Moves on by itself, so that batches have times of their own.
struct Ticking(AtomicU64);

impl Clock for Ticking {
    fn now_ms(&self) -> u64 {
        self.0.fetch_add(7, Ordering::Relaxed)
    }
}

const DIR: &str = "/log";
const TO: &str = "/copy";
const RECORDS_IN_BATCH: usize = 3;

fn host() -> Host {
    Host {
        disk: Arc::new(MemoryDisk::new()),
        executor: Pool::global(),
        clock: Arc::new(Ticking(AtomicU64::new(1_700_000_000_000))),
        entropy: Arc::new(SystemEntropy),
    }
}

fn options() -> Options {
    Options { segment_bytes: 64 << 10, compression: Compression::None, encoding: "json".into(), ..Options::default() }
}

fn payload(offset: usize) -> Vec<u8> {
    format!("{{\"record\":{offset},\"text\":\"{}\"}}", "x".repeat(offset * 37 % 300)).into_bytes()
}

/// A closed log of `batches` batches.
fn fill(host: &Host, dir: &str, options: Options, batches: usize) {
    let log = Log::open(host.clone(), Path::new(dir), options, Arc::new(Deaf)).unwrap();
    for batch in 0..batches {
        let payloads: Vec<_> = (0..RECORDS_IN_BATCH).map(|at| payload(batch * RECORDS_IN_BATCH + at)).collect();
        append(&log, &payloads).unwrap();
    }
    close(&log).unwrap();
}

fn files(disk: &dyn Disk, dir: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = disk.list(Path::new(dir)).unwrap();
    let content = |name: &str| bytes_of(disk, &Path::new(dir).join(name));
    entries.into_iter().map(|entry| (entry.name.clone(), content(&entry.name))).collect()
}

fn bytes_of(disk: &dyn Disk, path: &Path) -> Vec<u8> {
    let file = disk.open(path, Access::Read).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    read_full_at(&*file, &mut bytes, 0).unwrap();
    bytes
}

fn write(disk: &dyn Disk, path: &Path, bytes: &[u8]) {
    let file = disk.open(path, Access::OpenOrCreate).unwrap();
    file.set_len(0).unwrap();
    write_all_at(&*file, bytes, 0).unwrap();
}

/// A disk of its own with these files in the log's folder.
fn disk_of(files: &BTreeMap<String, Vec<u8>>) -> Host {
    let host = host();
    host.disk.create_dir(Path::new(DIR)).unwrap();
    for (name, bytes) in files {
        write(&*host.disk, &Path::new(DIR).join(name), bytes);
    }
    host
}

fn segment(number: u32) -> String {
    format!("{number:010}.seg")
}

/// Times and payloads of a log.
fn contents(host: &Host, dir: &str, secret: Option<Vec<u8>>) -> Vec<(u64, Vec<u8>)> {
    let options = Options { read_only: true, secret, ..Options::default() };
    let log = Log::open(host.clone(), Path::new(dir), options, Arc::new(Deaf)).unwrap();
    let mut request =
        ReadRequest { from: 0, to: u64::MAX, max_bytes: 1 << 16, max_records: u64::MAX, reverse: false, verify: true };
    let mut all = Vec::new();
    loop {
        let records = log.read(&request).unwrap();
        if records.is_empty() {
            return all;
        }
        all.extend((0..records.len()).map(|at| (records.times[at], records.payload(at).unwrap().to_vec())));
        request.from = records.from;
    }
}

fn run(host: &Host) -> Result<Report, Error> {
    let before = files(&*host.disk, DIR);
    let outcome = salvage(host, Path::new(DIR), Path::new(TO), None, &|_, _| true);
    assert!(files(&*host.disk, DIR) == before, "the source was changed");
    assert_eq!(host.disk.kind(Path::new(TO)).is_ok(), outcome.is_ok(), "the name stands for a complete copy");
    outcome
}

/// What was copied is what was there, and what was not copied is reported: nothing is told twice and nothing untold.
fn adds_up(host: &Host, report: &Report, original: &[(u64, Vec<u8>)]) {
    let copy = contents(host, TO, None);
    assert_eq!((copy.len() as u64, report.head.size), (report.records, report.records));
    let mut next = 0;
    for run in &report.runs {
        assert_eq!(run.at, next);
        for offset in run.from..run.to {
            assert!(copy[next as usize] == original[offset as usize], "record {offset} differs");
            next += 1;
        }
    }
    assert_eq!(next, report.records);
    let mut spans: Vec<(u64, u64)> = report.runs.iter().map(|run| (run.from, run.to)).collect();
    spans.extend(report.left_out.iter().filter_map(|left| Some((left.from, left.to?))));
    spans.sort_unstable();
    let mut end = 0;
    for (from, to) in spans {
        assert_eq!(from, end, "{report:#?}");
        end = to;
    }
    assert_eq!(report.records + report.records_left_out, end);
}

struct Sample {
    files: BTreeMap<String, Vec<u8>>,
    original: Vec<(u64, Vec<u8>)>,
}

fn sample(batches: usize) -> Sample {
    let host = host();
    fill(&host, DIR, options(), batches);
    Sample { files: files(&*host.disk, DIR), original: contents(&host, DIR, None) }
}

impl Sample {
    fn used(&self, number: u32) -> Vec<u8> {
        self.files[&segment(number)].clone()
    }
    fn with(&self, number: u32, bytes: Vec<u8>) -> Host {
        let mut files = self.files.clone();
        files.insert(segment(number), bytes);
        disk_of(&files)
    }
}

#[test]
fn a_sound_log_is_copied_whole_with_its_times_under_another_id() {
    let sample = sample(200);
    let host = disk_of(&sample.files);
    let report = run(&host).unwrap();
    adds_up(&host, &report, &sample.original);
    assert_eq!((report.records, report.records_left_out, report.left_out.len()), (600, 0, 0));
    assert_eq!((report.encoding.as_str(), report.runs.len()), ("json", 1));
    assert_ne!(report.head.id, report.source_id);
    let verified = varve_core::verify::verify_dir(&host, Path::new(TO), &Default::default(), &|_, _| true).unwrap();
    assert!(verified.ok, "{verified:#?}");
}

#[test]
fn a_flipped_byte_costs_at_most_one_batch_and_no_other_record_changes() {
    let sample = sample(400);
    let segments: Vec<u32> = (1..=4).filter(|&number| sample.files.contains_key(&segment(number))).collect();
    assert!(segments.len() >= 3);
    for &number in &segments {
        let bytes = sample.used(number);
        let used = bytes.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1);
        if used == 0 {
            continue; // the spare
        }
        let header = (0..400).step_by(11);
        let rest = (4096..used).step_by(509);
        let end = used - 130..used;
        for at in header.chain(rest).chain(end) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            let host = sample.with(number, damaged);
            // In a log whose first header lost its nonce, nothing tells that segment's frames from garbage.
            let nonce_lost = number == 1 && (24..72).contains(&at);
            let report = match run(&host) {
                Ok(report) => report,
                Err(error) => {
                    assert!(matches!(error, Error::Unsupported(_)) && at < 24, "byte {at} of {number}: {error}");
                    continue;
                }
            };
            adds_up(&host, &report, &sample.original);
            if !nonce_lost {
                let lost = report.records_left_out;
                assert!(lost <= RECORDS_IN_BATCH as u64, "byte {at} of segment {number}: {report:#?}");
                assert_eq!(report.records + lost, sample.original.len() as u64, "byte {at} of segment {number}");
            }
        }
    }
}

#[test]
fn a_missing_segment_is_left_out_and_what_follows_is_copied() {
    let sample = sample(600);
    let mut files = sample.files.clone();
    files.remove(&segment(2));
    let host = disk_of(&files);
    let report = run(&host).unwrap();
    adds_up(&host, &report, &sample.original);
    assert_eq!(report.left_out.len(), 1, "{report:#?}");
    let left = &report.left_out[0];
    assert_eq!((left.segment.as_deref(), left.why.as_str()), (Some("0000000002.seg"), "a segment file is missing"));
    assert_eq!(report.records + report.records_left_out, 1_800);
    assert_eq!(report.runs.len(), 2);
}

#[test]
fn frames_behind_a_header_of_zeros_are_found_by_the_nonce_in_the_segment_before() {
    let sample = sample(600);
    let mut bytes = sample.used(2);
    bytes[..4096].fill(0);
    let host = sample.with(2, bytes);
    let report = run(&host).unwrap();
    adds_up(&host, &report, &sample.original);
    assert_eq!(report.records, 1_800, "{report:#?}");
}

#[test]
fn zeroed_pages_cost_what_they_held() {
    let sample = sample(600);
    for (number, from) in [(1, 8192), (1, 4096), (2, 20_480)] {
        let mut bytes = sample.used(number);
        bytes[from..from + 4096].fill(0);
        let host = sample.with(number, bytes);
        let report = run(&host).unwrap();
        adds_up(&host, &report, &sample.original);
        assert!((3..60).contains(&report.records_left_out), "{report:#?}");
        assert_eq!(report.records + report.records_left_out, 1_800);
        assert_eq!(report.left_out[0].segment, Some(segment(number)));
    }
}

#[test]
fn a_file_cut_short_keeps_the_batches_before_the_cut() {
    let sample = sample(600);
    let mut bytes = sample.used(1);
    bytes.truncate(30_000);
    let host = sample.with(1, bytes);
    let report = run(&host).unwrap();
    adds_up(&host, &report, &sample.original);
    assert_eq!(report.records + report.records_left_out, 1_800);
    assert!(report.records_left_out > 10, "{report:#?}");
}

#[test]
fn a_batch_of_many_frames_is_left_out_whole() {
    let host = host();
    let wide = Options { segment_bytes: 1 << 20, ..options() };
    let log = Log::open(host.clone(), Path::new(DIR), wide, Arc::new(Deaf)).unwrap();
    append(&log, &[b"first".to_vec()]).unwrap();
    append(&log, &(0..20).map(|at| vec![at; 4_000]).collect::<Vec<_>>()).unwrap();
    append(&log, &[b"last".to_vec()]).unwrap();
    close(&log).unwrap();
    let original = contents(&host, DIR, None);
    let path = Path::new(DIR).join(segment(1));
    let mut bytes = bytes_of(&*host.disk, &path);
    bytes[4096 + 40_000] ^= 1;
    write(&*host.disk, &path, &bytes);
    let report = run(&host).unwrap();
    adds_up(&host, &report, &original);
    assert_eq!((report.records, report.records_left_out), (2, 20), "{report:#?}");
}

#[test]
fn a_secret_is_needed_and_kept() {
    let host = host();
    let secret = Some(vec![9; 40]);
    fill(&host, DIR, Options { secret: secret.clone(), ..options() }, 50);
    let without = salvage(&host, Path::new(DIR), Path::new(TO), None, &|_, _| true).unwrap_err();
    assert!(matches!(without, Error::WrongSecret { .. }), "{without}");
    let report = salvage(&host, Path::new(DIR), Path::new(TO), secret.clone(), &|_, _| true).unwrap();
    assert_eq!(report.records, 150);
    assert_eq!(contents(&host, TO, secret.clone()), contents(&host, DIR, secret));
}

#[test]
fn nothing_that_exists_is_written_to() {
    let sample = sample(5);
    let host = disk_of(&sample.files);
    let refused = |to: &str| salvage(&host, Path::new(DIR), Path::new(to), None, &|_, _| true).unwrap_err();
    for to in ["/log", "/log/copy"] {
        assert!(matches!(refused(to), Error::Invalid(_)));
    }
    host.disk.create_dir(Path::new("/there")).unwrap();
    host.disk.create_dir(Path::new("/half.partial")).unwrap();
    assert!(matches!(refused("/there"), Error::Invalid(_)));
    assert!(matches!(refused("/half"), Error::Invalid(_)));
    assert!(host.disk.list(Path::new("/there")).unwrap().is_empty());
    assert!(files(&*host.disk, DIR) == sample.files);
    assert!(matches!(
        salvage(&host, Path::new("/none"), Path::new(TO), None, &|_, _| true),
        Err(Error::NotFound { .. })
    ));
}

#[test]
fn what_is_stopped_or_empty_gets_no_name() {
    let sample = sample(600);
    let host = disk_of(&sample.files);
    let stopped = salvage(&host, Path::new(DIR), Path::new(TO), None, &|_, _| false);
    assert!(matches!(stopped, Err(Error::Aborted)), "{stopped:?}");
    assert!(host.disk.kind(Path::new(TO)).is_err());
    let empty = self::host();
    fill(&empty, DIR, options(), 0);
    assert!(matches!(run(&empty), Err(Error::Corrupt(_))));
}

#[test]
fn the_copy_of_a_real_folder_opens_and_takes_appends() {
    let parent = tempfile::tempdir().unwrap();
    let (from, to): (PathBuf, PathBuf) = (parent.path().join("log"), parent.path().join("deep/copy"));
    let host = support::real_host();
    let log = support::open(&from, options()).unwrap();
    for at in 0..500 {
        append(&log, &[payload(at)]).unwrap();
    }
    close(&log).unwrap();
    drop(log);
    let report = salvage(&host, &from, &to, None, &|_, _| true).unwrap();
    assert_eq!(report.records, 500);
    let copy = support::open(&to, options()).unwrap();
    assert!(copy.cut().is_none());
    append(&copy, &[b"more".to_vec()]).unwrap();
    assert_eq!(read_from(&copy, 0, true).unwrap().len(), 501);
    close(&copy).unwrap();
}
