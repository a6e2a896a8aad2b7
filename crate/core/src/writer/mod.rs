//! The append pipeline, and the calls that feed it.
//!
//! ```text
//! submit ──► pending ──► stage 1: prepare.rs ──► prepared ──► stage 2: flush.rs ──► durable
//!                        (one thread)            (double buffer)  (one thread)
//! ```
//!
//! stages.rs has the rules for handing over; the stages themselves know nothing of threads. While stage 2 syncs one
//! group, stage 1 prepares the next on another thread. A lone append finds both stages idle: the engine thread that
//! prepares it also flushes it, so there is one hand-over. Group commit needs no timer: what queued during a sync is
//! the next group.

mod background;
mod direct;
mod flush;
mod placed;
mod plan;
mod prefill;
mod prepare;
mod queue;
mod rotation;
mod stages;
mod submission;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::chain::Chain;
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::host::{Class, Host};
use crate::lock::LockFile;
use crate::log::Shared;
use crate::options::{Durability, Options};
use crate::segment::Segment;
use crate::stats::{Counters, Stats};

use flush::Flusher;
use prepare::Preparer;
use queue::{Queue, State, Waiter};
use rotation::Spare;
use stages::{finish_if_idle, run_stage_1, run_stage_2, spawn, start_stage};
use submission::Submission;

pub use stages::panic_words;

/// Who submits so many bytes has more to do than to wait for them.
const BESIDE_BYTES: usize = 16 << 10;
/// After so long without an append, the durable point is written into page 0.
const QUIET: Duration = Duration::from_millis(100);

/// Called once with the outcome of a request.
pub type Done<T> = Box<dyn FnOnce(Result<T>) + Send>;

/// The durable end of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Records.
    pub size: u64,
    /// `head(size)`.
    pub hash: Hash,
}

/// The writing half of an open log.
pub struct Writer {
    queue: Mutex<Queue>,
    preparer: Mutex<Preparer>,
    flusher: Mutex<Flusher>,
    /// Apart from the flusher, whose lock is held over whole syncs.
    counters: Arc<Mutex<Counters>>,
}

/// Where the pipeline of a recovered log begins.
pub struct Start<'a> {
    /// The writer lock.
    pub lock: LockFile,
    /// The segment that takes appends.
    pub active: Segment,
    /// What recovery found in it.
    pub chain: &'a Chain,
    /// The log's end.
    pub head: Head,
    /// Number of the spare, if there is one already.
    pub spare: Option<u32>,
    /// Whether filling space ahead makes small appends faster on this volume.
    pub prefill_pays: bool,
}

impl Writer {
    /// The pipeline of a recovered log.
    pub fn new(host: &Host, dir: &Path, options: &Options, start: Start<'_>) -> Result<Self> {
        let Start { lock, active, chain, head, spare, prefill_pays } = start;
        let spare = spare.map(|number| Spare::reopen(&*host.disk, dir, number)).transpose()?;
        let queue = Queue {
            pending: VecDeque::new(),
            prepared: VecDeque::new(),
            prepared_bytes: 0,
            accepted: head.size,
            last_time: chain.replay.last_time,
            preparing: false,
            paused: false,
            flushing: false,
            background: false,
            wants_spare: false,
            spare,
            waiters: Vec::new(),
            quiet_timer: false,
            groups: 0,
            state: State::Open,
            close: None,
        };
        let counters = Arc::new(Mutex::new(Counters::default()));
        let preparer = Preparer::new(host, options, &active.header, chain);
        let flusher = Flusher::new(options, prefill_pays, lock, active, chain, head, Arc::clone(&counters))?;
        Ok(Self { queue: Mutex::new(queue), preparer: Mutex::new(preparer), flusher: Mutex::new(flusher), counters })
    }

    /// Takes records in. `lengths` cut `payloads` into records, `batches` count the records of each atomic batch.
    pub fn submit(&self, log: &Arc<Shared>, payloads: &[u8], lengths: &[u32], batches: &[u32]) -> Result<()> {
        let submission = Submission::new(payloads, lengths, batches, log.options.max_record_bytes)?;
        if submission.is_empty() {
            return Ok(());
        }
        let mut queue = self.queue.lock();
        self.check_open(log, &queue)?;
        let time = log.host.clock.now_ms().max(queue.last_time);
        queue.last_time = time;
        queue.accepted += submission.records();
        queue.pending.push_back(submission.at(time));
        let start = queue.claim_stage_1();
        drop(queue);
        if start {
            // Who submits that much goes on with the next, and shall keep its processor: 1.03 to 1.07 times as many
            // records a second with 1,000 writers. Who awaits a lone append has nothing else to do.
            let goes_on = payloads.len() >= BESIDE_BYTES;
            start_stage(log, run_stage_1, goes_on);
        }
        Ok(())
    }

    fn check_open(&self, log: &Shared, queue: &Queue) -> Result<()> {
        if queue.state != State::Open {
            return Err(Error::Closed { path: log.dir.clone() });
        }
        match log.failure() {
            Some(cause) => Err(Error::Failed { path: log.dir.clone(), cause }),
            None => Ok(()),
        }
    }

    /// Calls `done` when everything accepted so far is on the device.
    pub fn flush(&self, log: &Arc<Shared>, done: Done<Head>) {
        let mut queue = self.queue.lock();
        if let Err(error) = self.check_open(log, &queue) {
            drop(queue);
            return done(Err(error));
        }
        let target = queue.accepted;
        queue.waiters.push(Waiter { target, done });
        // Stage 2 answers: it alone knows what was synced.
        let start = !std::mem::replace(&mut queue.flushing, true);
        drop(queue);
        if start {
            spawn(log, run_stage_2);
        }
    }

    /// Flushes what was accepted, marks the log as closed cleanly and releases its lock.
    pub fn close(&self, log: &Arc<Shared>, done: Done<()>) {
        let mut queue = self.queue.lock();
        if queue.state != State::Open {
            drop(queue);
            return done(Err(Error::Closed { path: log.dir.clone() }));
        }
        queue.state = State::Closing;
        queue.close = Some(done);
        drop(queue);
        let log = Arc::clone(log);
        log.host.executor.clone().spawn(Class::Background, Box::new(move || finish_if_idle(&log)));
    }

    /// What the pipeline has done so far; never waits for the disk.
    pub fn stats(&self) -> Stats {
        self.counters.lock().stats()
    }
}

fn syncs_every_group(durability: Durability) -> bool {
    durability == Durability::Disk
}
