//! The append pipeline: who runs when.
//!
//! ```text
//! submit ──► pending ──► stage 1: prepare.rs ──► prepared ──► stage 2: flush.rs ──► durable
//!                        (one thread)            (double buffer)  (one thread)
//! ```
//!
//! This file holds the queue between the stages and the rules for handing over; the stages know nothing of threads.
//! While stage 2 syncs one group, stage 1 prepares the next on another thread. A lone append finds both stages idle:
//! the engine thread that prepares it also flushes it, so there is one hand-over. Group commit needs no timer: what
//! queued during a sync is the next group.

mod background;
mod direct;
mod flush;
mod placed;
mod prefill;
mod prepare;
mod queue;
mod rotation;
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
use crate::planted::{Bug, planted};
use crate::segment::Segment;
use crate::stats::{Counters, Stats};

use flush::{Flushed, Flusher};
use prepare::Preparer;
use queue::{GROUP_BYTES_MAX, Queue, State, Waiter};
use rotation::Spare;
use submission::Submission;

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
            spawn(log, run_stage_1);
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

fn spawn(log: &Arc<Shared>, stage: fn(&Arc<Shared>)) {
    let log = Arc::clone(log);
    log.host.executor.clone().spawn(
        Class::Pipeline { device: log.device },
        Box::new(move || {
            // A defect in the engine must not kill the host, and nobody may wait for ever: it stops this log.
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| stage(&log)));
            if let Err(panic) = caught {
                fail(&log, Error::Internal(panic_words(&*panic)));
                if let Some(writer) = log.writer() {
                    let mut queue = writer.queue.lock();
                    (queue.preparing, queue.flushing) = (false, false);
                }
                finish_if_idle(&log);
            }
        }),
    );
}

/// What a panic said.
pub fn panic_words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic".to_owned())
}

/// Stage 1: prepares until there is no input or no room, and sees to it that stage 2 runs.
fn run_stage_1(log: &Arc<Shared>) {
    let Some(writer) = log.writer() else { return };
    let mut preparer = writer.preparer.lock();
    loop {
        if log.failure().is_some() {
            preparer.abandon();
            let mut queue = writer.queue.lock();
            queue.abandon();
            queue.preparing = false;
            break;
        }
        preparer.take_in(&mut writer.queue.lock().pending);
        let part = match preparer.next_part(log) {
            Ok(part) => part,
            Err(error) => {
                fail(log, error);
                continue;
            }
        };
        let mut queue = writer.queue.lock();
        let Some(part) = part else {
            // Checked under the queue's lock: a submission is either seen here or finds `preparing` false.
            if queue.pending.is_empty() {
                queue.preparing = false;
                queue.paused = false;
                break;
            }
            continue;
        };
        queue.prepared_bytes += part.bytes.len();
        queue.prepared.push_back(part);
        let more = !preparer.is_empty() || !queue.pending.is_empty();
        let full = queue.prepared_bytes >= GROUP_BYTES_MAX;
        let start_flush = !std::mem::replace(&mut queue.flushing, true);
        if more && !full && !start_flush {
            continue;
        }
        queue.preparing = false;
        queue.paused = !preparer.is_empty();
        drop(queue);
        drop(preparer);
        if start_flush {
            // The device comes first: this thread goes on with it at once, and another one with what is left to prepare.
            run_stage_2(log);
        }
        return finish_if_idle(log);
    }
    drop(preparer);
    finish_if_idle(log);
}

/// Stage 2: flushes group after group until nothing is prepared.
fn run_stage_2(log: &Arc<Shared>) {
    let Some(writer) = log.writer() else { return };
    let mut flusher = writer.flusher.lock();
    loop {
        let mut queue = writer.queue.lock();
        if log.failure().is_some() {
            queue.abandon();
            queue.flushing = false;
            break;
        }
        let mut group = queue.take_group();
        if group.is_empty() {
            let durable = flusher.synced_size();
            let ready = queue.take_waiters(durable);
            let unsynced = queue.waiters.iter().any(|w| w.target <= flusher.written_size());
            if ready.is_empty() && !unsynced {
                queue.flushing = false;
                break;
            }
            drop(queue);
            answer(ready, flusher.synced_head());
            if unsynced && let Err(error) = flusher.sync(log) {
                fail(log, error);
            }
            continue;
        }
        if group[0].rotation.is_some() {
            if let Some(spare) = queue.spare.take() {
                group[0].spare = Some(spare);
                // Else the job that made it, not yet finished, would make another one under the same name.
                queue.wants_spare = false;
            } else {
                queue.put_back(group);
                queue.wants_spare = true;
                queue.flushing = false;
                let start = background::claim(&mut queue);
                drop(queue);
                if start {
                    background::spawn_make_spare(log);
                }
                break;
            }
        }
        let start_stage_1 = queue.claim_stage_1();
        drop(queue);
        if start_stage_1 {
            spawn(log, run_stage_1);
        }
        match flusher.flush(log, group) {
            Ok(flushed) => {
                publish(log, writer, &flusher, flushed);
                if let Err(error) = flusher.prefill(log) {
                    fail(log, error);
                }
            }
            Err(error) => fail(log, error),
        }
    }
    drop(flusher);
    finish_if_idle(log);
}

/// Makes a flushed group visible: readers first, then those who wait.
fn publish(log: &Arc<Shared>, writer: &Writer, flusher: &Flusher, flushed: Flushed) {
    let Flushed { head, last_time, sealable } = flushed;
    // Before the waiters are taken: should the listener panic, they are still there to be told.
    if !log.advance(head, last_time) {
        return; // poisoned meanwhile by another file of this log: nothing more is acknowledged
    }
    let mut queue = writer.queue.lock();
    queue.groups += 1;
    let ready = queue.take_waiters(flusher.synced_size());
    let arm = !std::mem::replace(&mut queue.quiet_timer, true);
    let seal = sealable.is_some() && !std::mem::replace(&mut queue.background, true);
    debug_assert!(seal == sealable.is_some(), "a rotation waits for the sealing before it");
    let wants_spare = flusher.wants_spare() && queue.spare.is_none() && background::claim(&mut queue);
    let groups = queue.groups;
    drop(queue);
    // With durability 'os' more was written than synced: a flush states what the device has.
    answer(ready, flusher.synced_head());
    if arm {
        background::arm_quiet_timer(log, groups);
    }
    if let Some(sealable) = sealable {
        background::spawn_seal(log, sealable);
    } else if wants_spare {
        background::spawn_make_spare(log);
    }
}

fn answer(waiters: Vec<Waiter>, head: Head) {
    for waiter in waiters {
        (waiter.done)(Ok(head));
    }
}

/// Stops the log: the first failure is kept, everything waiting gets it, nothing more is acknowledged.
fn fail(log: &Arc<Shared>, error: Error) {
    let Some(writer) = log.writer() else { return };
    let cause = log.poison(error);
    let mut queue = writer.queue.lock();
    queue.abandon();
    let waiters = std::mem::take(&mut queue.waiters);
    drop(queue);
    for waiter in waiters {
        if !planted(Bug::WaitersLeftHanging) {
            (waiter.done)(Err((*cause).clone()));
        }
    }
}

/// Closes the log once it was asked for and nothing is at work.
fn finish_if_idle(log: &Arc<Shared>) {
    let Some(writer) = log.writer() else { return };
    let mut queue = writer.queue.lock();
    if queue.state != State::Closing || !queue.idle() {
        return;
    }
    queue.state = State::Closed;
    let spare = queue.spare.take();
    let (done, waiters) = (queue.close.take(), std::mem::take(&mut queue.waiters));
    drop(queue);
    let closing = || match log.failure() {
        Some(cause) => Err((*cause).clone()),
        None => writer.flusher.lock().close(log, &mut writer.preparer.lock(), spare),
    };
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(closing));
    let outcome = caught.unwrap_or_else(|panic| Err(Error::Internal(panic_words(&*panic))));
    writer.flusher.lock().release();
    for waiter in waiters {
        let head = log.head();
        (waiter.done)(outcome.clone().map(|()| head));
    }
    if let Some(done) = done {
        done(outcome);
    }
}

fn syncs_every_group(durability: Durability) -> bool {
    durability == Durability::Disk
}
