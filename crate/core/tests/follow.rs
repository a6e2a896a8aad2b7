//! A log open for reading follows the writer's live mark, and waiting for it ends when it should.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use support::{Strict, append_filler as append};
use varve_core::disk::Access;
use varve_core::disk::sim::SimRng;
use varve_core::error::{Error, Result};
use varve_core::log::Log;
use varve_core::options::{Compression, Options};
use varve_core::simulation::SimWorld;
use varve_core::writer::Head;

const DIR: &str = "/log";

fn open(world: &SimWorld, read_only: bool) -> Log {
    let options = Options { read_only, segment_bytes: 64 << 10, compression: Compression::None, ..Options::default() };
    Log::open(world.host(), Path::new(DIR), options, Arc::new(Strict)).unwrap()
}

/// Begins to wait; the answer comes from the channel once there is one.
fn follow(log: &Log, size: u64) -> (Arc<AtomicBool>, mpsc::Receiver<Result<Head>>) {
    let stopped = Arc::new(AtomicBool::new(false));
    let (sender, receiver) = mpsc::channel();
    let flag = Arc::clone(&stopped);
    let done = move |outcome| sender.send(outcome).unwrap();
    log.follow(size, Box::new(move || flag.load(Ordering::Relaxed)), Box::new(done));
    (stopped, receiver)
}

/// Some more looks.
fn look(world: &SimWorld, rng: &mut SimRng) {
    for _ in 0..20 {
        world.executor.step(rng);
    }
}

#[test]
fn waiting_ends_with_the_first_record_beyond_through_rotations() {
    let (world, mut rng) = (SimWorld::new(1), SimRng::new(1));
    let writer = open(&world, false);
    append(&world, &writer, 3);
    let reader = open(&world, true);
    let (_, answer) = follow(&reader, 2);
    world.executor.run_ready();
    assert_eq!(answer.try_recv().unwrap().unwrap(), writer.head());

    let (_, answer) = follow(&reader, 3);
    look(&world, &mut rng);
    assert!(answer.try_recv().is_err());
    for _ in 0..10 {
        append(&world, &writer, 50);
    }
    look(&world, &mut rng);
    assert_eq!(answer.recv().unwrap().unwrap(), writer.head());
    assert_eq!(writer.head().size, 503);
    assert!(writer.shared().catalogue.newest() > 5);
}

#[test]
fn waiting_stops_when_told() {
    let (world, mut rng) = (SimWorld::new(2), SimRng::new(2));
    let writer = open(&world, false);
    append(&world, &writer, 1);
    let reader = open(&world, true);
    let (stopped, answer) = follow(&reader, 1);
    look(&world, &mut rng);
    stopped.store(true, Ordering::Relaxed);
    look(&world, &mut rng);
    assert!(matches!(answer.recv().unwrap(), Err(Error::Aborted)));
    assert_eq!(world.executor.pending(), 0, "somebody still looks");
}

#[test]
fn a_folder_without_a_lock_file_is_followed_once_a_writer_makes_one() {
    let (world, mut rng) = (SimWorld::new(3), SimRng::new(3));
    let writer = open(&world, false);
    append(&world, &writer, 1);
    writer.close(Box::new(|outcome| outcome.unwrap()));
    world.executor.run_all();
    drop(writer);
    world.host().disk.remove(&Path::new(DIR).join("lock")).unwrap();

    let reader = open(&world, true);
    let (_, answer) = follow(&reader, 1);
    look(&world, &mut rng);
    assert!(answer.try_recv().is_err());
    let writer = open(&world, false);
    append(&world, &writer, 1);
    look(&world, &mut rng);
    assert_eq!(answer.recv().unwrap().unwrap(), writer.head());
}

#[test]
fn what_a_killed_writer_had_not_marked_is_shown_once_the_next_one_has_opened() {
    let (world, mut rng) = (SimWorld::new(4), SimRng::new(4));
    let lock = Path::new(DIR).join("lock");
    let writer = open(&world, false);
    append(&world, &writer, 1);
    let reader = open(&world, true);
    let before = world.disk.read_file(&lock).unwrap();
    append(&world, &writer, 1);
    // Killed between the sync and the mark.
    world.executor.clear();
    drop(writer);
    world.host().disk.open(&lock, Access::Write).unwrap().write_at(&before, 0).unwrap();

    let (_, answer) = follow(&reader, 1);
    look(&world, &mut rng);
    assert!(answer.try_recv().is_err());
    let writer = open(&world, false);
    assert_eq!(writer.head().size, 2);
    look(&world, &mut rng);
    assert_eq!(answer.try_recv().unwrap().unwrap(), writer.head());
}
