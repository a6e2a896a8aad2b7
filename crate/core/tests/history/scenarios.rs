//! Histories that chance would seldom tell, one behaviour each.

mod recovery;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use varve_core::disk::sim::{CrashChoice, SimRng};
use varve_core::error::{Error, Result};
use varve_core::log::{Listener, Log};
use varve_core::options::{Compression, Options};
use varve_core::reader::ReadRequest;
use varve_core::simulation::SimWorld;
use varve_core::writer::Head;

use crate::support::Deaf;

const DIR: &str = "/log";

fn options() -> Options {
    Options { segment_bytes: 64 << 10, compression: Compression::None, ..Options::default() }
}

fn open_with(world: &SimWorld, options: Options) -> Result<Log> {
    Log::open(world.host(), Path::new(DIR), options, Arc::new(Deaf))
}

fn open(world: &SimWorld) -> Log {
    open_with(world, options()).expect("the log opens")
}

fn submit(log: &Log, batches: &[&[Vec<u8>]]) {
    let payloads: Vec<u8> = batches.iter().flat_map(|batch| batch.concat()).collect();
    let lengths: Vec<u32> = batches.iter().flat_map(|batch| batch.iter().map(|p| p.len() as u32)).collect();
    let counts: Vec<u32> = batches.iter().map(|batch| batch.len() as u32).collect();
    log.submit(&payloads, &lengths, &counts).expect("taken");
}

/// Runs everything but the quiet moment.
fn append(world: &SimWorld, log: &Log, batch: &[Vec<u8>]) {
    submit(log, &[batch]);
    world.executor.run_ready();
}

fn close(world: &SimWorld, log: &Log) -> Result<()> {
    let outcome = Arc::new(Mutex::new(None));
    let slot = Arc::clone(&outcome);
    log.close(Box::new(move |result| *slot.lock() = Some(result)));
    world.executor.run_all();
    let outcome = outcome.lock().take();
    outcome.expect("close is answered")
}

fn read(log: &Log) -> Vec<Vec<u8>> {
    let to = log.head().size;
    let mut request =
        ReadRequest { from: 0, to, max_bytes: 1 << 20, max_records: u64::MAX, reverse: false, verify: true };
    let mut payloads = Vec::new();
    while request.from < to {
        let records = log.read(&request).expect("readable");
        payloads.extend((0..records.len()).filter_map(|at| records.payload(at)).map(<[u8]>::to_vec));
        request.from = records.from;
    }
    payloads
}

fn segment(number: u32) -> PathBuf {
    PathBuf::from(format!("{DIR}/{number:010}.seg"))
}

#[test]
fn a_panic_in_the_listener_stops_the_log_and_everyone_is_answered() {
    struct Fragile;
    impl Listener for Fragile {
        fn durable(&self, _: Head) {
            panic!("the listener breaks");
        }
        fn failed(&self, _: &Error) {}
    }
    let world = SimWorld::new(3);
    let log = Log::open(world.host(), Path::new(DIR), options(), Arc::new(Fragile)).unwrap();
    submit(&log, &[&[b"a".to_vec()]]);
    let answered = Arc::new(Mutex::new(None));
    let slot = Arc::clone(&answered);
    log.flush(Box::new(move |outcome| *slot.lock() = Some(outcome)));
    world.executor.run_all();
    assert!(answered.lock().take().expect("the flush is answered").is_err());
    assert!(matches!(log.submit(b"b", &[1], &[1]), Err(Error::Failed { .. })));
    assert!(close(&world, &log).is_err());
    drop(log);
    assert!(read(&open(&world)) == [b"a".to_vec()]);
}

#[test]
fn stray_files_are_ignored_and_untouched() {
    let world = SimWorld::new(4);
    let names = [".DS_Store", "0000000001.seg~", "1.seg", "0000000000.seg", "0000000009.seg.bak", "notes.txt"];
    let log = open(&world);
    for name in names {
        world.disk.write_file(&Path::new(DIR).join(name), b"stray").unwrap();
    }
    append(&world, &log, &[b"a".to_vec()]);
    close(&world, &log).unwrap();
    drop(log);
    let log = open(&world);
    assert!(read(&log) == [b"a".to_vec()]);
    for name in names {
        assert_eq!(world.disk.read_file(&Path::new(DIR).join(name)).unwrap(), b"stray", "{name}");
    }
}

#[test]
fn a_second_writer_is_refused_and_changes_nothing() {
    let world = SimWorld::new(5);
    let log = open(&world);
    append(&world, &log, &[b"a".to_vec()]);
    let lock = Path::new(DIR).join("lock");
    let before = world.disk.read_file(&lock).unwrap();
    assert!(matches!(open_with(&world, options()), Err(Error::Locked { .. })));
    assert!(before == world.disk.read_file(&lock).unwrap());
    append(&world, &log, &[b"b".to_vec()]);
    assert_eq!(log.head().size, 2);
}

#[test]
fn a_secret_is_needed_and_must_be_the_right_one() {
    let world = SimWorld::new(7);
    let secret = |byte: u8| Options { secret: Some(vec![byte; 32]), ..options() };
    let log = open_with(&world, secret(1)).unwrap();
    for _ in 0..3 {
        append(&world, &log, &[vec![7; 40_000]]);
    }
    close(&world, &log).unwrap();
    drop(log);
    assert!(world.host().disk.open(&segment(3), varve_core::disk::Access::Read).is_ok(), "there are three segments");
    for wrong in [secret(2), options()] {
        assert!(matches!(open_with(&world, wrong), Err(Error::WrongSecret { .. })));
    }
    // One segment of a log with another secret.
    let other = SimWorld::new(7);
    let log = open_with(&other, secret(2)).unwrap();
    for _ in 0..3 {
        append(&other, &log, &[vec![7; 40_000]]);
    }
    close(&other, &log).unwrap();
    drop(log);
    for number in 1..=3 {
        let mixed = world.crash_with(&CrashChoice::keep_all());
        mixed.disk.write_file(&segment(number), &other.disk.read_file(&segment(number)).unwrap()).unwrap();
        match open_with(&mixed, secret(1)) {
            Err(Error::Corrupt(_)) => {}
            // Opening does not look at segments in the middle; reading does.
            Ok(log) => {
                let request =
                    ReadRequest { from: 1, to: 2, max_bytes: 1, max_records: 1, reverse: false, verify: false };
                assert!(number == 2 && matches!(log.read(&request), Err(Error::Corrupt(_))), "segment {number}");
            }
            Err(error) => panic!("segment {number}: {error}"),
        }
    }
}

#[test]
fn a_log_with_an_append_waiting_has_no_quiet_moment() {
    let world = SimWorld::new(3);
    let log = open(&world);
    append(&world, &log, &[b"durable".to_vec()]);
    submit(&log, &[&[b"waiting".to_vec()]]);
    // The timer and stage 1 wait for a thread; the timer comes first.
    assert_eq!((world.executor.pending(), world.executor.ready()), (2, 1));
    let mut timer_first = (0..).map(SimRng::new).find(|rng| rng.clone().index(2) == 0).expect("one of two");
    world.disk.start_trace();
    world.executor.step(&mut timer_first);
    assert_eq!((world.executor.pending(), world.executor.ready()), (2, 1), "set again");
    assert_eq!(world.disk.trace(), [""; 0], "no mark, and no sync for it");
    world.executor.run_all();
    let marked =
        |call: &String| call.contains(" write 0000000001.seg 3072+") || call.contains(" write 0000000001.seg 3584+");
    assert_eq!(world.disk.trace().iter().filter(|call| marked(call)).count(), 1, "one when all is done");
}
