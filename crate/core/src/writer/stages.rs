//! Which engine thread runs which stage, and what happens between them: handing over, publishing, failing, finishing.
//!
//! Invariants: one thread at a time runs a stage of a log; whoever ends a stage sees to it that what waits is taken up
//! or that the log finishes; waiters are answered exactly once.

use std::sync::Arc;

use crate::error::Error;
use crate::host::Class;
use crate::log::Shared;
use crate::planted::{Bug, planted};

use super::flush::{Flushed, Flusher};
use super::queue::{GROUP_BYTES_MAX, State, Waiter};
use super::{Head, Writer, background};

/// Runs `stage` on an engine thread.
pub fn spawn(log: &Arc<Shared>, stage: fn(&Arc<Shared>)) {
    start_stage(log, stage, false);
}

/// The same; `beside` on another processor than the caller's.
pub fn start_stage(log: &Arc<Shared>, stage: fn(&Arc<Shared>), beside: bool) {
    let class = Class::Pipeline { device: log.device };
    let executor = log.host.executor.clone();
    let log = Arc::clone(log);
    let run = Box::new(move || {
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
    });
    if beside { executor.spawn_beside(class, run) } else { executor.spawn(class, run) }
}

/// What a panic said.
pub fn panic_words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic".to_owned())
}

/// Stage 1: prepares until there is no input or no room, and sees to it that stage 2 runs.
pub fn run_stage_1(log: &Arc<Shared>) {
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
pub fn run_stage_2(log: &Arc<Shared>) {
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
pub fn fail(log: &Arc<Shared>, error: Error) {
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
pub fn finish_if_idle(log: &Arc<Shared>) {
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
