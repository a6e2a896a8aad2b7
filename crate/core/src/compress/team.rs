//! Compressing many bodies on more than one engine thread.
//!
//! LZ4 takes more than half of stage 1's time (perf, 256 B JSON events: 0.38 of 0.55 µs a record), and bodies do not
//! depend on each other. The calling thread takes bodies one by one and so does a helper from the pool, if the pool
//! has one: the caller never waits for a helper that has not started.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Condvar, Mutex};

use super::{Codec, Scratch};
use crate::buffers::Buffer;
use crate::burst::Burst;
use crate::host::{Class, Executor};
use crate::lender::Lender;

/// Bytes below which a helper costs more than it does. (Not bodies: four of 256 KiB are compressed 1.39 times as fast.)
const BYTES_MIN: usize = 128 << 10;
/// Bodies of this size need memory that the allocator would take from the system, and give back.
const LARGE: usize = 64 << 10;
/// The helper waits for no disk: a device number that none has.
const NO_DEVICE: u64 = u64::MAX;

static SCRATCHES: Lender<Scratch> = Lender::new();

/// A body as it is stored: compressed, or `None` where that is not smaller.
pub type Stored = Option<Buffer>;

struct Work {
    codec: &'static dyn Codec,
    raw: Buffer,
    bodies: Vec<Range<usize>>,
    next: AtomicUsize,
    progress: Mutex<Progress>,
    finished: Condvar,
}

#[derive(Default)]
struct Progress {
    /// What the helper compressed: index and result.
    done: Vec<(usize, Stored)>,
    helping: bool,
}

/// The raw bodies after compressing.
pub enum Raw {
    /// Nobody else has them.
    Own(Buffer),
    /// A helper that was called and has not come yet still holds them.
    Lent(Lent),
}

/// See [`Raw::Lent`].
pub struct Lent(Arc<Work>);

impl Raw {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Own(raw) => raw,
            Self::Lent(lent) => &lent.0.raw,
        }
    }
}

/// Compresses each of `bodies`, which are ranges of `raw`. Runs `meanwhile` once, on this thread: a helper, which is
/// tens of microseconds away, compresses while it runs.
pub fn compress(
    codec: &'static dyn Codec,
    raw: Buffer,
    bodies: Vec<Range<usize>>,
    executor: &dyn Executor,
    meanwhile: impl FnOnce(),
) -> (Raw, Vec<Stored>) {
    SCRATCHES.lend(|scratch| compress_with(codec, raw, bodies, executor, scratch, meanwhile))
}

fn compress_with(
    codec: &'static dyn Codec,
    raw: Buffer,
    bodies: Vec<Range<usize>>,
    executor: &dyn Executor,
    scratch: &mut Scratch,
    meanwhile: impl FnOnce(),
) -> (Raw, Vec<Stored>) {
    if bodies.len() < 2 || raw.len() < BYTES_MIN {
        meanwhile();
        let stored = bodies.iter().map(|body| compress_one(codec, &raw[body.clone()], scratch)).collect();
        return (Raw::Own(raw), stored);
    }
    let count = bodies.len();
    let (next, progress) = (AtomicUsize::new(0), Mutex::new(Progress::default()));
    let work = Arc::new(Work { codec, raw, bodies, next, progress, finished: Condvar::new() });
    let helper = Arc::clone(&work);
    executor.spawn_beside(Class::Pipeline { device: NO_DEVICE }, Box::new(move || help(&helper)));

    meanwhile();
    let mut stored: Vec<Option<Stored>> = (0..count).map(|_| None).collect();
    let mut burst = Burst::default();
    while let Some((at, body)) = work.take() {
        stored[at] = Some(compress_one(codec, body, scratch));
        burst.did(body.len());
    }
    let mut progress = work.progress.lock();
    while progress.helping {
        work.finished.wait(&mut progress);
    }
    for (at, body) in progress.done.drain(..) {
        stored[at] = Some(body);
    }
    drop(progress);
    // What a helper took and did not bring back (it panicked) is done here.
    let whole = stored.into_iter().zip(&work.bodies);
    let whole = whole
        .map(|(body, range)| body.unwrap_or_else(|| compress_one(codec, &work.raw[range.clone()], scratch)))
        .collect();
    let raw = Arc::try_unwrap(work).map_or_else(|work| Raw::Lent(Lent(work)), |work| Raw::Own(work.raw));
    (raw, whole)
}

impl Work {
    fn take(&self) -> Option<(usize, &[u8])> {
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        Some((at, &self.raw[self.bodies.get(at)?.clone()]))
    }
}

/// A helper's work, burst by burst. In between it has nothing that the caller would wait for, and lets others run.
fn help(work: &Work) {
    while SCRATCHES.lend(|scratch| help_for_a_burst(work, scratch)) {
        std::thread::yield_now();
    }
}

/// False: there was nothing left to do. It says when it begins and when it has ended, also by a panic.
fn help_for_a_burst(work: &Work, scratch: &mut Scratch) -> bool {
    struct Helping<'a>(&'a Work);
    impl Drop for Helping<'_> {
        fn drop(&mut self) {
            self.0.progress.lock().helping = false;
            self.0.finished.notify_one();
        }
    }
    let mut progress = work.progress.lock();
    // Under the lock: the caller either sees the helper at work, or it has taken everything already.
    if work.next.load(Ordering::Relaxed) >= work.bodies.len() {
        return false;
    }
    progress.helping = true;
    drop(progress);
    let _helping = Helping(work);
    let mut burst = Burst::default();
    while let Some((at, body)) = work.take() {
        let stored = compress_one(work.codec, body, scratch);
        work.progress.lock().done.push((at, stored));
        if burst.ends_with(body.len()) {
            return true;
        }
    }
    false
}

fn compress_one(codec: &dyn Codec, body: &[u8], scratch: &mut Scratch) -> Stored {
    // A large one is compressed in its place; of a usual one only the result comes here.
    let mut stored =
        if body.len() < LARGE { Buffer::default() } else { Buffer::with_capacity(body.len() + body.len() / 128) };
    codec.compress(body, &mut stored, scratch).then_some(stored)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::Lz4;
    use crate::pool::Pool;
    use crate::simulation::SimExecutor;

    fn bodies(count: usize) -> (Vec<u8>, Vec<Range<usize>>) {
        let texts: Vec<String> = (0..count).map(|i| format!("{i} {}", "abc".repeat(i % 700))).collect();
        let mut raw = Vec::new();
        let ranges = texts.iter().map(|text| {
            let start = raw.len();
            raw.extend_from_slice(text.as_bytes());
            start..raw.len()
        });
        let ranges = ranges.collect();
        (raw, ranges)
    }

    #[test]
    fn with_and_without_help_the_bodies_are_the_same() {
        let never = SimExecutor::default(); // its jobs only run when a test says so
        let pool = Pool::new(4);
        let mut scratch = Scratch::default();
        for count in [1, 7, 8, 9, 500] {
            let (raw, ranges) = bodies(count);
            let alone: Vec<Stored> =
                ranges.iter().map(|range| compress_one(&Lz4, &raw[range.clone()], &mut scratch)).collect();
            for executor in [&never as &dyn Executor, &pool] {
                for _ in 0..20 {
                    let (back, stored) = compress(&Lz4, raw[..].into(), ranges.clone(), executor, || ());
                    assert!(stored == alone && back.bytes() == raw, "{count}");
                }
            }
        }
    }
}
