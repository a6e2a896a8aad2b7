//! Long work takes turns: at most [`RUNNING_MAX`] of it at a time in this process, the rest waits without a thread.
//!
//! Reading and background work share a few engine threads, and a rotation waits for one of them: a handful of
//! verifications of minutes each must not hold them all, or appends would stall.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::Mutex;
use varve_core::host::{Class, Executor, Job};

/// Of at least four threads for reading and background work together.
const RUNNING_MAX: usize = 2;

struct Turns {
    running: usize,
    waiting: VecDeque<Job>,
}

static TURNS: Mutex<Turns> = Mutex::new(Turns { running: 0, waiting: VecDeque::new() });

/// Runs `job` on an engine thread when its turn comes.
pub fn take(executor: &Arc<dyn Executor>, job: Job) {
    let mut turns = TURNS.lock();
    if turns.running == RUNNING_MAX {
        return turns.waiting.push_back(job);
    }
    turns.running += 1;
    drop(turns);
    start(Arc::clone(executor), job);
}

fn start(executor: Arc<dyn Executor>, job: Job) {
    let next = Arc::clone(&executor);
    let work = move || {
        // A panic was answered and reported already; the turn must be given back all the same.
        let _ = catch_unwind(AssertUnwindSafe(job));
        pass_on(next);
    };
    executor.spawn(Class::Read, Box::new(work));
}

fn pass_on(executor: Arc<dyn Executor>) {
    let mut turns = TURNS.lock();
    let Some(job) = turns.waiting.pop_front() else {
        turns.running -= 1;
        return;
    };
    drop(turns);
    start(executor, job);
}
