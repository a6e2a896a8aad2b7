//! Small logs that the engine wrote once: closed, killed at several moments, sealed with a secret, of another id.
//!
//! Their segments take a few KiB, since records that compress well fill a segment by what they might have taken.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use crate::disk::sim::{SimDisk, SimRng};
use crate::format::{LIVE_MARK_POSITION, MARK_LEN, Mark, SegmentHeader, segment_name};
use crate::hash::Keys;
pub(super) use crate::log::Deaf;
use crate::log::Log;
use crate::options::{Options, SEGMENT_BYTES_MIN};
use crate::simulation::SimWorld;

/// The folder of every log here.
pub(super) const DIR: &str = "/log";
/// Segments that get an identity of their own, whether they are there or not.
const SEGMENTS: u32 = 5;

/// File names and contents.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// A log that the engine wrote.
pub(super) struct Sample {
    pub id: [u8; 32],
    pub secret: Option<Vec<u8>>,
    pub files: Files,
    /// The same folder at an earlier moment.
    pub older: Files,
    /// Everything that was submitted.
    pub records: Vec<Vec<u8>>,
    /// How much of it had been acknowledged.
    pub acknowledged: usize,
}

/// All samples; the last is of another log than those before.
pub(super) static SAMPLES: LazyLock<Vec<Sample>> = LazyLock::new(|| {
    let secret = Some(vec![5; 32]);
    let mut samples = vec![make(1, None, usize::MAX, true), make(1, secret, usize::MAX, true), make(1, None, 0, true)];
    // One step does the whole group of a batch that waits alone, so these are moments around the two rotations.
    samples.extend((4..16).map(|steps| make(1, None, steps, false)));
    samples.push(make(2, None, usize::MAX, true));
    samples
});

/// Options of every log here.
pub(super) fn options(secret: Option<&[u8]>) -> Options {
    Options { segment_bytes: SEGMENT_BYTES_MIN, secret: secret.map(<[u8]>::to_vec), ..Options::default() }
}

/// What is appended, batch by batch. Large ones begin a new segment each.
fn batches() -> Vec<Vec<Vec<u8>>> {
    let text = |name: &str, len: usize| name.bytes().cycle().take(len).collect::<Vec<u8>>();
    let large = |name: &str| (0..20).map(|i| text(&format!("{name} {i} "), 3100)).collect();
    vec![
        vec![text("one", 3), Vec::new(), text("three", 40)],
        vec![vec![0; 200]],
        large("second"),
        vec![text("small", 100), text("after", 7)],
        large("third"),
        vec![Vec::new()],
        // Over two frames.
        (0..30).map(|i| text(&format!("long {i} "), 1000)).collect(),
        vec![text("last", 64)],
    ]
}

/// Appends everything, or as much as `steps` of the executor allow; then closes the log, or kills it.
fn make(seed: u64, secret: Option<Vec<u8>>, steps: usize, close: bool) -> Sample {
    let world = SimWorld::new(seed);
    world.disk.set_prefill_pays(!close);
    let dir = Path::new(DIR);
    let log = Log::open(world.host(), dir, options(secret.as_deref()), Arc::new(Deaf)).expect("a log is created");
    let (mut rng, mut left, mut records, mut older) = (SimRng::new(seed), steps, Vec::new(), Files::new());
    let mut run = |left: &mut usize| {
        while *left > 0 && world.executor.ready() > 0 {
            world.executor.step(&mut rng);
            *left -= 1;
        }
    };
    for batch in batches() {
        if left == 0 {
            break;
        }
        let lengths: Vec<u32> = batch.iter().map(|record| record.len() as u32).collect();
        log.submit(&batch.concat(), &lengths, &[batch.len() as u32]).expect("the log takes it");
        records.extend(batch);
        run(&mut left);
        if records.len() == 4 || records.len() == 26 {
            older = files_of(&world.disk);
        }
        world.clock.advance_ms(7);
    }
    let acknowledged = log.head().size as usize;
    if close {
        log.close(Box::new(|outcome| outcome.expect("it closes")));
        world.executor.run_ready();
    }
    let id = *log.id();
    world.disk.halt();
    world.executor.clear();
    drop(log);
    let mut files = files_of(&world.disk);
    let keys = Keys::new(&id, secret.as_deref());
    for files in [&mut files, &mut older] {
        identify(files, &keys);
    }
    Sample { id, secret, files, older, records, acknowledged }
}

/// All files of the log's folder.
pub(super) fn files_of(disk: &SimDisk) -> Files {
    let read = |path: &PathBuf| {
        let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
        (name, disk.read_file(path).expect("it is listed"))
    };
    disk.paths().iter().map(read).collect()
}

/// Puts the identity that [`install`] gives into the live mark.
fn identify(files: &mut Files, keys: &Keys) {
    let Some(bytes) = files.get("lock").and_then(|lock| lock.get(LIVE_MARK_POSITION as usize..)) else { return };
    let Some(number) = Mark::peek_segment(bytes) else { return };
    let Some(Ok(header)) = files.get(&segment_name(number)).map(|bytes| SegmentHeader::parse(bytes)) else { return };
    let key = keys.frame_key(&header.nonce);
    let Some(mark) = Mark::parse(bytes, &key, LIVE_MARK_POSITION) else { return };
    let mark = Mark { identity: u64::from(number) + 1, ..mark }.encode(&key, LIVE_MARK_POSITION);
    if let Some(place) = files.get_mut("lock").and_then(|lock| lock.get_mut(LIVE_MARK_POSITION as usize..)) {
        place[..MARK_LEN].copy_from_slice(&mark);
    }
}

/// A disk with these files. A segment's file has its number + 1 for an identity, whatever else is there.
pub(super) fn install(files: &Files) -> SimDisk {
    let disk = SimDisk::new();
    disk.set_prefill_pays(false);
    let dir = Path::new(DIR);
    let usual: Vec<String> = std::iter::once("lock".to_owned()).chain((1..=SEGMENTS).map(segment_name)).collect();
    for name in &usual {
        let bytes = files.get(name).map_or(&[][..], Vec::as_slice);
        disk.write_file(&dir.join(name), bytes).expect("an empty disk takes it");
    }
    for (name, bytes) in files.iter().filter(|(name, _)| !usual.contains(name)) {
        disk.write_file(&dir.join(name), bytes).expect("an empty disk takes it");
    }
    for name in usual.iter().filter(|name| !files.contains_key(*name)) {
        disk.remove_file(&dir.join(name)).expect("it was just made");
    }
    disk
}
