//! The engine's threads: few, process-wide, shared by every open log.
//!
//! Invariant: reading and background work together never occupy the last two threads, so that a sync always finds
//! one, and the pipeline work for one device never occupies the last one, so that one slow disk cannot take all. (With one
//! more left free, a thousand logs with an append in flight each took in 0.88 of the records: their threads wait for syncs.)
//! A lone job costs one wake-up: the spawner takes one sleeping worker off a stack and signals it alone; none, where a
//! worker still waits awake (spin.rs). There is no timer thread: of the idle workers one, the *keeper*, sleeps until the
//! nearest deadline.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::host::{Class, Executor, Job};
use crate::place::Place;

use crowd::Crowd;
use spin::Call;
use state::{Delayed, State, Worker};

mod crowd;
mod spin;
mod state;
#[cfg(test)]
mod tests;

/// Idle workers that stay for good; others leave after [`IDLE_MAX`].
const IDLE_KEPT: usize = 2;
/// How long a worker beyond [`IDLE_KEPT`] waits for work.
const IDLE_MAX: Duration = Duration::from_secs(10);
/// Below this the limits of the classes would leave no thread to some of them.
const THREADS_MIN: usize = 4;

/// A bounded pool of threads named `varve-N`, created as needed.
///
/// Dropping it lets queued jobs finish and discards delayed ones.
pub struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    threads_max: usize,
    /// Workers may wait awake: they do not take the only core by it.
    may_spin: bool,
    /// For the one that does.
    call: Call,
    state: Mutex<State>,
}

impl Pool {
    /// The pool of this process: cores + 4 threads at most, none before the first job.
    pub fn global() -> Arc<Self> {
        static GLOBAL: OnceLock<Arc<Pool>> = OnceLock::new();
        Arc::clone(GLOBAL.get_or_init(|| Arc::new(Self::new(cores() + 4))))
    }

    /// A pool of its own with at most `threads` threads, at least 4.
    pub fn new(threads: usize) -> Self {
        let shared = Shared {
            threads_max: threads.max(THREADS_MIN),
            may_spin: cores() > 1,
            call: Call::default(),
            state: Mutex::new(State { crowd: Crowd::new(cores()), ..State::default() }),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Whether a thread that waits awake leaves a core to the others.
    pub fn may_spin(&self) -> bool {
        self.shared.may_spin
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

impl Executor for Pool {
    fn spawn(&self, class: Class, job: Job) {
        self.shared.enqueue(class, job, false);
    }

    fn spawn_beside(&self, class: Class, job: Job) {
        self.shared.enqueue(class, job, true);
    }

    fn spawn_after(&self, delay: Duration, class: Class, job: Job) {
        // A deadline beyond what the clock can express is never reached: a year does as well.
        let now = Instant::now();
        let at = now.checked_add(delay).unwrap_or(now + Duration::from_secs(365 * 24 * 3600));
        let mut state = self.shared.state.lock();
        let order = state.delayed_count;
        state.delayed_count += 1;
        let nearest = state.delayed.peek().is_none_or(|next| at < next.at);
        state.delayed.push(Delayed { at, order, class, job });
        if nearest && let Some(keeper) = &state.keeper {
            // Stays the keeper, but has to set its alarm earlier.
            keeper.signal.notify_one();
        }
        self.shared.call_workers(state, false);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.closed = true;
        let delayed = std::mem::take(&mut state.delayed);
        let sleeping: Vec<_> = state.idle.drain(..).collect();
        let keeper = state.keeper.take();
        for worker in sleeping.iter().chain(&keeper) {
            state.waking += 1;
            worker.signal.notify_one();
        }
        drop(state);
        // Outside the lock: what the jobs captured may itself use a pool when it is dropped.
        drop(delayed);
    }
}

impl Shared {
    fn enqueue(self: &Arc<Self>, class: Class, job: Job, beside: bool) {
        let mut state = self.state.lock();
        state.enqueue(class, job);
        state.gap.end(Instant::now);
        if state.spinning {
            self.call.call();
        }
        self.call_workers(state, beside);
    }

    /// Wakes or creates as many workers as have something to do and are not on their way already; `beside` the caller,
    /// which goes on.
    fn call_workers(self: &Arc<Self>, mut state: MutexGuard<'_, State>, beside: bool) {
        let mut woken = None;
        let mut created = 0;
        while state.demand(self.threads_max) > state.waking {
            if let Some(worker) = state.idle.pop().or_else(|| state.keeper.take()) {
                state.waking += 1;
                // The usual, lone one is signalled after the lock is free, so that it does not wake up to wait.
                if let Some(earlier) = woken.replace(worker) {
                    earlier.signal.notify_one();
                }
            } else if state.workers < self.threads_max {
                state.workers += 1;
                state.waking += 1;
                created += 1;
            } else {
                break;
            }
        }
        let first_name = state.workers_named;
        state.workers_named += created;
        drop(state);
        if let Some(worker) = woken {
            if beside {
                worker.place.keep_off();
            }
            worker.signal.notify_one();
        }
        for name in first_name..first_name + created {
            let shared = Arc::clone(self);
            let thread = std::thread::Builder::new().name(format!("varve-{name}"));
            if thread.spawn(move || shared.work()).is_err() {
                // The system refuses more threads. The job stays queued: a worker that finishes takes it, and if
                // there is none the next spawn tries again. Running it here would block the caller's event loop.
                let mut state = self.state.lock();
                state.workers -= 1;
                state.waking -= 1;
            }
        }
    }

    /// A worker's life. It enters, and comes back from every sleep, counted in `waking`.
    fn work(self: &Arc<Self>) {
        let worker = Arc::new(Worker { signal: Condvar::new(), place: Place::of_this_thread() });
        let mut state = self.state.lock();
        state.waking -= 1;
        // The processor that it is kept off, in a crowd.
        let mut kept_off = None;
        loop {
            if let Some((class, job)) = state.next_job(self.threads_max) {
                let crowded = state.crowd.is(state.running);
                let joins = crowded && kept_off.is_none();
                if joins {
                    kept_off = Some(state.crowd.join());
                } else if !crowded && let Some(at) = kept_off.take() {
                    state.crowd.leave(at);
                }
                self.call_workers(state, false);
                match kept_off {
                    Some(at) if joins => worker.place.keep_off_number(at),
                    Some(_) => {}
                    None => worker.place.settle(),
                }
                if let Err(panic) = catch_unwind(AssertUnwindSafe(job)) {
                    // The hook has reported it. Dropping a payload may panic again: forget it.
                    std::mem::forget(panic);
                }
                state = self.state.lock();
                state.finished(class);
            } else if let Some(at) = kept_off.take() {
                state.crowd.leave(at);
                // Before it sleeps: what wakes it may be a lone job.
                MutexGuard::unlocked(&mut state, || worker.place.settle());
            } else if self.spin(&mut state) {
                // Looks again.
            } else if state.closed || !self.sleep(&mut state, &worker) {
                state.workers -= 1;
                return;
            }
        }
    }

    /// Waits awake for work, where that may be worth it. False: it is not.
    fn spin(&self, state: &mut MutexGuard<'_, State>) -> bool {
        if state.running > 0 {
            return false;
        }
        let now = Instant::now();
        state.gap.begin(now);
        if !self.may_spin || state.spinning || state.closed || !state.gap.may_be_short(now) {
            return false;
        }
        state.spinning = true;
        state.waking += 1;
        self.call.reset();
        MutexGuard::unlocked(state, || self.call.wait());
        state.waking -= 1;
        state.spinning = false;
        true
    }

    /// Waits to be called, or as the keeper for the nearest deadline. False: waited in vain, leave.
    fn sleep(&self, state: &mut MutexGuard<'_, State>, worker: &Arc<Worker>) -> bool {
        if state.keeper.is_none() && !state.delayed.is_empty() {
            state.keeper = Some(Arc::clone(worker));
            // The alarm is read anew after each wake-up: an earlier one may have been set.
            while let Some(at) = state.delayed.peek().map(|next| next.at) {
                let timed_out = worker.signal.wait_until(state, at).timed_out();
                if !state.keeper.as_ref().is_some_and(|keeper| Arc::ptr_eq(keeper, worker)) {
                    state.waking -= 1;
                    return true;
                }
                if timed_out && at <= Instant::now() {
                    break;
                }
            }
            state.keeper = None;
            return true;
        }
        // Workers leave from the top of the stack only, so one that starts below `IDLE_KEPT` stays there.
        let stays = state.idle.len() < IDLE_KEPT;
        state.idle.push(Arc::clone(worker));
        let until = Instant::now() + IDLE_MAX;
        loop {
            let timed_out = if stays {
                worker.signal.wait(state);
                false
            } else {
                worker.signal.wait_until(state, until).timed_out()
            };
            let Some(place) = state.idle.iter().rposition(|idle| Arc::ptr_eq(idle, worker)) else {
                state.waking -= 1;
                return true;
            };
            if timed_out {
                state.idle.remove(place);
                return false;
            }
        }
    }
}
