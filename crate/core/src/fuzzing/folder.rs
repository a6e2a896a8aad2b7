//! `open` on arbitrary folders: a small log is damaged, or forged, as the input says, then everything that reads a
//! folder looks at it.
//!
//! Whatever the folder holds: nothing panics or goes on forever, looking changes nothing, a refused open changes
//! nothing, an open that succeeds leaves a log that opens again without a further cut. Where no check was forged, a
//! record that is read is the one that was appended there, and `verify` and `open` agree.

use std::path::Path;
use std::sync::Arc;

use super::forge::forge;
use super::input::Input;
use super::sample::{DIR, Deaf, Files, SAMPLES, Sample, files_of, install, options};
use crate::disk::sim::{SimDisk, SimRng};
use crate::error::{Error, Result};
use crate::format::segment_name;
use crate::inspect::inspect;
use crate::log::Log;
use crate::options::Options;
use crate::reader::ReadRequest;
use crate::simulation::SimWorld;
use crate::verify::{Report, VerifyOptions, verify_dir};
use crate::writer::Head;

/// Calls of the disk that no step may need: folders here have a few files of a few KiB.
const CALLS_MAX: u64 = 50_000;

/// A folder that the input describes.
struct Folder {
    files: Files,
    sample: &'static Sample,
    /// True while every check was left as the damage left it: nothing wrong can then pass for sound.
    honest: bool,
    /// True while nothing at all was changed.
    untouched: bool,
}

/// Opens, reads, verifies, inspects and repairs the folder that `data` describes.
pub fn open_folder(data: &[u8]) {
    let mut input = Input::new(data);
    let folder = Folder::from(&mut input);
    let world = SimWorld { disk: install(&folder.files), ..SimWorld::new(3) };
    let before = files_of(&world.disk);
    assert!(before == folder.files, "the folder is as it was described");

    let verified = folder.look(&world, "verify", || verify(&world, folder.sample));
    let inspected = folder.look(&world, "inspect", || inspect(&world.host(), Path::new(DIR)));
    let read_only = folder.look(&world, "readOnly", || folder.read_only(&world));
    no_defect(inspected.as_ref().err());
    no_defect(verified.as_ref().err());
    no_defect(read_only.as_ref().err());
    folder.write(&world, verified, read_only, &mut input);
}

fn no_defect(error: Option<&Error>) {
    if let Some(error @ Error::Internal(_)) = error {
        panic!("a panic was caught: {error}");
    }
}

fn verify(world: &SimWorld, sample: &Sample) -> Result<Report> {
    let options = VerifyOptions { secret: sample.secret.clone(), ..VerifyOptions::default() };
    verify_dir(&world.host(), Path::new(DIR), &options, &|_, _| true)
}

/// Runs `step`; a loop that calls the disk meets a dead one after a while.
fn bounded<T>(disk: &SimDisk, what: &str, step: impl FnOnce() -> T) -> T {
    let calls = disk.calls();
    disk.halt_at(calls + CALLS_MAX);
    let result = step();
    assert!(disk.calls() < calls + CALLS_MAX, "{what} does not end");
    disk.halt_at(u64::MAX);
    result
}

impl Folder {
    fn from(input: &mut Input<'_>) -> Self {
        let sample = &SAMPLES[input.below(SAMPLES.len())];
        let mut folder = Self { files: sample.files.clone(), sample, honest: true, untouched: true };
        for _ in 0..input.u8() % 5 {
            folder.change(input);
        }
        folder
    }

    fn change(&mut self, input: &mut Input<'_>) {
        self.untouched = false;
        let names: Vec<String> = self.files.keys().cloned().collect();
        let Some(name) = (!names.is_empty()).then(|| names[input.below(names.len())].clone()) else { return };
        let segment = |input: &mut Input<'_>| segment_name(1 + u32::from(input.u8() % 5));
        match input.u8() % 16 {
            0..6 => input.damage(self.files.get_mut(&name).expect("it is listed")),
            6..9 if self.sample.secret.is_none() => {
                self.honest = false;
                let number = u32::from(input.u8() % 4) + 1;
                forge(&mut self.files, number, input);
            }
            6..10 => {
                self.files.remove(&name);
            }
            10 => {
                let copy = self.files[&name].clone();
                self.files.insert(segment(input), copy);
            }
            11 => {
                let other = names[input.below(names.len())].clone();
                let (a, b) = (self.files[&name].clone(), self.files[&other].clone());
                self.files.extend([(name, b), (other, a)]);
            }
            // An older copy put back, of one file or of several.
            12 => {
                let older = self.sample.older.iter().filter(|_| input.chance(2));
                self.files.extend(older.map(|(name, bytes)| (name.clone(), bytes.clone())));
            }
            13 => {
                let other = &SAMPLES[SAMPLES.len() - 1 - input.below(2) * (SAMPLES.len() - 1)];
                let from = segment(input);
                if let Some(bytes) = other.files.get(&from) {
                    self.files.insert(from, bytes.clone());
                }
            }
            14 => {
                let name = if input.chance(2) { segment(input) } else { "4294967295.seg".to_owned() };
                self.files.insert(name, input.take(64).repeat(usize::from(input.u8())));
            }
            _ => {
                let strays = [".DS_Store", "0000000001.seg~", "0000000000.seg", "lock.tmp", "0000000002.seg.tmp"];
                let len = usize::from(input.u8());
                self.files.insert(strays[input.below(strays.len())].to_owned(), input.take(len).to_vec());
            }
        }
    }

    /// A step that must leave the folder as it is.
    fn look<T>(&self, world: &SimWorld, what: &str, step: impl FnOnce() -> T) -> T {
        let result = bounded(&world.disk, what, step);
        assert!(files_of(&world.disk) == self.files, "{what} changed the folder");
        world.executor.clear();
        result
    }

    fn open(&self, world: &SimWorld, read_only: bool) -> Result<Log> {
        let secret = self.sample.secret.as_deref();
        let options = Options { read_only, create_if_missing: false, ..options(secret) };
        Log::open(world.host(), Path::new(DIR), options, Arc::new(Deaf))
    }

    fn read_only(&self, world: &SimWorld) -> Result<Head> {
        let log = self.open(world, true)?;
        let head = log.refresh()?;
        self.check_reads(&log).map(|()| head)
    }

    /// Every way to read gives the records that were appended, or an error.
    fn check_reads(&self, log: &Log) -> Result<()> {
        let size = log.head().size;
        let ours = SAMPLES.iter().filter(|sample| sample.id == *log.id()).max_by_key(|sample| sample.records.len());
        let expected: &[Vec<u8>] = ours.map_or(&[], |sample| &sample.records);
        if self.honest {
            assert!(size <= expected.len() as u64, "{size} records out of {}", expected.len());
        }
        let mut first = Ok(());
        let mut keep = |outcome: Result<()>| {
            no_defect(outcome.as_ref().err());
            if let (true, Err(error)) = (first.is_ok(), outcome) {
                first = Err(error);
            }
        };
        for (reverse, verify) in [(false, false), (false, true), (true, false)] {
            keep(self.read(log, size, reverse, verify, expected));
        }
        for offset in (0..size.min(200)).chain(size.checked_sub(1)) {
            let request = ReadRequest {
                from: offset,
                to: offset.saturating_add(1),
                max_bytes: 1,
                max_records: 1,
                reverse: false,
                verify: false,
            };
            keep(log.read(&request).map(|records| {
                if self.honest {
                    assert_eq!(records.offset, offset);
                    assert!(records.payload(0) == Some(&expected[offset as usize]), "record {offset} is another");
                }
            }));
        }
        for ms in [0, 1_767_225_600_010, u64::MAX] {
            keep(log.offset_at(ms).map(|offset| assert!(!self.honest || offset <= size)));
        }
        first
    }

    fn read(&self, log: &Log, size: u64, reverse: bool, verify: bool, expected: &[Vec<u8>]) -> Result<()> {
        let mut request =
            ReadRequest { from: 0, to: u64::MAX, max_bytes: 1 << 12, max_records: u64::MAX, reverse, verify };
        let mut seen = 0;
        loop {
            let records = log.read(&request)?;
            if records.is_empty() {
                break;
            }
            assert!(records.from > request.from || records.to < request.to, "reading comes to an end");
            for at in 0..records.len() {
                let payload = records.payload(at).expect("a run has its payloads");
                if self.honest {
                    let offset = records.offset + at as u64;
                    assert!(payload == expected[offset as usize], "record {offset} is another");
                }
            }
            seen += records.len() as u64;
            (request.from, request.to) = (records.from, records.to);
        }
        assert!(!self.honest || seen == size, "{seen} of {size} records were read");
        Ok(())
    }

    /// Opens for writing, again after a kill and after a power loss, and appends.
    fn write(&self, world: &SimWorld, verified: Result<Report>, read_only: Result<Head>, input: &mut Input<'_>) {
        let opened = bounded(&world.disk, "open", || self.open(world, false));
        no_defect(opened.as_ref().err());
        let log = match opened {
            Ok(log) => log,
            Err(error) => {
                let mut after = files_of(&world.disk);
                if !self.files.contains_key("lock") && after.get("lock").is_some_and(Vec::is_empty) {
                    after.remove("lock");
                }
                assert!(after == self.files, "an open that was refused changed the folder: {error}");
                assert!(!self.untouched, "a sound folder was refused: {error}");
                assert!(verified.is_err() || verified.is_ok_and(|report| !report.ok), "verify finds nothing: {error}");
                return;
            }
        };
        let head = log.head();
        let outcome = bounded(&world.disk, "reading", || self.check_reads(&log));
        if self.honest {
            if let Ok(report) = &verified
                && report.ok
            {
                assert!(outcome.is_ok(), "verify finds nothing: {outcome:?}");
                assert_eq!(report.head.size, head.size, "verify and open see the same log");
            }
            if let Ok(seen) = &read_only {
                assert!(seen.size <= head.size, "a reader saw {seen:?}, the writer {head:?}");
            }
        }
        if self.untouched {
            assert!(outcome.is_ok() && head.size >= self.sample.acknowledged as u64);
        }
        check_lost_files(&world.disk, &log);
        // Killed: its jobs and its lock are gone, its writes are not.
        drop(log);
        world.executor.clear();
        let again = self.reopen(world, "a kill", head);
        drop(again);
        let world = world.crash(&mut SimRng::new(u64::from(input.u16())));
        world.disk.set_prefill_pays(false);
        let log = self.reopen(&world, "a power loss", head);
        self.append(&world, &log, head, outcome.is_ok());
    }

    fn reopen(&self, world: &SimWorld, after: &str, head: Head) -> Log {
        let log = bounded(&world.disk, "open", || self.open(world, false));
        let log = log.unwrap_or_else(|error| panic!("a recovered log does not open after {after}: {error}"));
        assert!(log.cut().is_none(), "recovery cuts again after {after}: {:?}", log.cut());
        assert_eq!(log.head(), head, "the head is another after {after}");
        log
    }

    /// One more record, which is there after closing.
    fn append(&self, world: &SimWorld, log: &Log, head: Head, sound: bool) {
        bounded(&world.disk, "append", || {
            if let Err(error) = log.submit(b"one more", &[8], &[1]) {
                assert!(!self.honest, "{error}");
            }
            log.flush(Box::new(|_| ()));
            world.executor.run_ready();
            log.close(Box::new(|_| ()));
            world.executor.run_ready();
        });
        if let Some(error) = log.failure() {
            no_defect(Some(&error));
            assert!(!self.honest || !sound, "the log failed: {error}");
            return;
        }
        if self.honest {
            assert_eq!(log.head().size, head.size + 1);
            let reader = self.open(world, true).expect("what was closed opens");
            assert_eq!(reader.head().size, head.size + 1);
        }
    }
}

/// What was cut stands in a file that is named after it.
fn check_lost_files(disk: &SimDisk, log: &Log) {
    let files = files_of(disk);
    if let Some(cut) = log.cut() {
        let kept = &files[&cut.saved_as];
        assert_eq!(kept.len() as u64, cut.bytes);
        assert_ne!(kept.last(), Some(&0), "trailing zeros are not kept");
        let check = crate::error::hex(&blake3::hash(kept).as_bytes()[..8]);
        let number = crate::format::segment_number(&cut.segment).expect("a segment");
        assert_eq!(cut.saved_as, format!("lost-{number:010}-{}-{check}.bin", cut.position));
    }
}
