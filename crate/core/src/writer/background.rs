//! Work beside the pipeline: sealing, making the spare, and the mark after a quiet moment. One such job a log at a
//! time; a rotation waits for it, so at most two segments with frames lack a footer.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::host::Class;
use crate::log::Shared;

use super::QUIET;
use super::queue::{Queue, State};
use super::rotation::{Sealable, Spare};
use super::stages::{fail, finish_if_idle, panic_words, run_stage_2, spawn};

/// Takes the background place; false when something is at work there.
pub fn claim(queue: &mut Queue) -> bool {
    !std::mem::replace(&mut queue.background, true)
}

/// Seals the segment before the active one. The caller has claimed the background.
pub fn spawn_seal(log: &Arc<Shared>, sealable: Sealable) {
    spawn_claimed(log, move |log| sealable.seal(log).map(|()| None));
}

/// Makes the next spare. The caller has claimed the background.
pub fn spawn_make_spare(log: &Arc<Shared>) {
    spawn_claimed(log, |log| {
        let number = log.catalogue.newest() + 1;
        Spare::create(&*log.host.disk, &log.dir, number).map(Some)
    });
}

fn spawn_claimed(log: &Arc<Shared>, work: impl FnOnce(&Arc<Shared>) -> Result<Option<Spare>> + Send + 'static) {
    let log = Arc::clone(log);
    let executor = log.host.executor.clone();
    executor.spawn(
        // Not background work for the pool: appends may come to wait for it.
        Class::Pipeline { device: log.device },
        Box::new(move || {
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&log)));
            let outcome = caught.unwrap_or_else(|panic| Err(Error::Internal(panic_words(&*panic))));
            finish(&log, outcome);
        }),
    );
}

/// Gives the background place back, and goes on with what waited for it.
fn finish(log: &Arc<Shared>, outcome: Result<Option<Spare>>) {
    let Some(writer) = log.writer() else { return };
    let made = outcome.unwrap_or_else(|error| {
        fail(log, error);
        None
    });
    let mut queue = writer.queue.lock();
    queue.background = false;
    // Together with the place: whoever takes the spare finds the place free for the sealing that follows.
    if made.is_some() {
        queue.spare = made;
    }
    let failed = log.failure().is_some();
    let make_spare = !failed && queue.wants_spare && queue.spare.is_none() && claim(&mut queue);
    let mut start_stage_2 = false;
    if queue.spare.is_some() && std::mem::take(&mut queue.wants_spare) {
        start_stage_2 = !std::mem::replace(&mut queue.flushing, true);
    }
    drop(queue);
    if make_spare {
        spawn_make_spare(log);
    }
    if start_stage_2 {
        spawn(log, run_stage_2);
    }
    finish_if_idle(log);
}

/// Looks again after [`QUIET`]; `groups` is how many there were when the timer was set.
pub fn arm_quiet_timer(log: &Arc<Shared>, groups: u64) {
    // Weak: a log that nobody uses any more is not kept open by its timer.
    let weak = Arc::downgrade(log);
    let look = move || {
        if let Some(log) = weak.upgrade() {
            quiet(&log, groups);
        }
    };
    log.host.executor.spawn_after(QUIET, Class::Background, Box::new(look));
}

fn quiet(log: &Arc<Shared>, groups: u64) {
    let Some(writer) = log.writer() else { return };
    let mut queue = writer.queue.lock();
    if queue.state != State::Open || log.failure().is_some() {
        queue.quiet_timer = false;
        return;
    }
    // What waits for a thread counts too: 1,000 busy logs share a few threads, each flushes a group in 100 ms or so, and
    // a mark between any two would double their syncs.
    if !queue.idle() || queue.groups != groups {
        let groups = queue.groups;
        drop(queue);
        return arm_quiet_timer(log, groups);
    }
    queue.quiet_timer = false;
    queue.flushing = true;
    drop(queue);
    let mut flusher = writer.flusher.lock();
    flusher.rest();
    let marked = flusher.mark_slot();
    drop(flusher);
    if let Err(error) = marked {
        fail(log, error);
    }
    // Whatever was prepared meanwhile is flushed by this thread; it also gives the stage back.
    run_stage_2(log);
}
