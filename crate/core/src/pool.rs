//! The engine's threads: few, process-wide, shared by every open log.
//!
//! Invariant: reading and background work together never occupy the last two threads, so that a sync always finds
//! one. A lone job costs one wake-up: the spawner takes one sleeping worker off a stack and signals it alone, nobody
//! spins. There is no timer thread: of the idle workers one, the *keeper*, sleeps until the nearest deadline.

use std::collections::{BinaryHeap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::host::{Class, Executor, Job};

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
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    pipeline: VecDeque<Job>,
    read: VecDeque<Job>,
    background: VecDeque<Job>,
    delayed: BinaryHeap<Delayed>,
    /// Breaks ties between equal deadlines: first come, first served.
    delayed_count: u64,
    running_read: usize,
    running_background: usize,
    /// Threads that exist or are being created.
    workers: usize,
    workers_named: u64,
    /// Signalled or being created, has not looked for work yet.
    waking: usize,
    /// Sleeping workers, newest last: the last one is woken first, because its caches are warm and because so the
    /// others stay unused long enough to leave.
    idle: Vec<Arc<Condvar>>,
    /// The idle worker that sleeps until the nearest deadline; not in `idle`.
    keeper: Option<Arc<Condvar>>,
    closed: bool,
}

struct Delayed {
    at: Instant,
    order: u64,
    class: Class,
    job: Job,
}

impl Pool {
    /// The pool of this process: cores + 4 threads at most, none before the first job.
    pub fn global() -> Arc<Self> {
        static GLOBAL: OnceLock<Arc<Pool>> = OnceLock::new();
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Arc::clone(GLOBAL.get_or_init(|| Arc::new(Self::new(cores() + 4))))
    }

    /// A pool of its own with at most `threads` threads, at least 4.
    pub fn new(threads: usize) -> Self {
        let shared = Shared { threads_max: threads.max(THREADS_MIN), state: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }
}

impl Executor for Pool {
    fn spawn(&self, class: Class, job: Job) {
        let mut state = self.shared.state.lock();
        state.queue(class).push_back(job);
        self.shared.call_workers(state);
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
            keeper.notify_one();
        }
        self.shared.call_workers(state);
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
            worker.notify_one();
        }
        drop(state);
        // Outside the lock: what the jobs captured may itself use a pool when it is dropped.
        drop(delayed);
    }
}

impl State {
    fn queue(&mut self, class: Class) -> &mut VecDeque<Job> {
        match class {
            Class::Pipeline => &mut self.pipeline,
            Class::Read => &mut self.read,
            Class::Background => &mut self.background,
        }
    }

    /// How many more jobs of (both limited classes together, Background) may start.
    fn allowance(&self, threads_max: usize) -> (usize, usize) {
        let both = (threads_max - 2).saturating_sub(self.running_read + self.running_background);
        let background = (threads_max - 3).saturating_sub(self.running_background);
        (both, background.min(both))
    }

    /// Workers that would find something to do now: jobs that may start, and the alarm if nobody keeps it.
    fn demand(&self, threads_max: usize) -> usize {
        let (both, background) = self.allowance(threads_max);
        let limited = (self.read.len() + self.background.len().min(background)).min(both);
        let alarm = usize::from(!self.delayed.is_empty() && self.keeper.is_none());
        self.pipeline.len() + limited + alarm
    }

    fn queue_due(&mut self) {
        if self.delayed.is_empty() {
            return;
        }
        let now = Instant::now();
        while self.delayed.peek().is_some_and(|next| next.at <= now) {
            if let Some(due) = self.delayed.pop() {
                self.queue(due.class).push_back(due.job);
            }
        }
    }

    fn next_job(&mut self, threads_max: usize) -> Option<(Class, Job)> {
        self.queue_due();
        if let Some(job) = self.pipeline.pop_front() {
            return Some((Class::Pipeline, job));
        }
        let (both, background) = self.allowance(threads_max);
        if both > 0
            && let Some(job) = self.read.pop_front()
        {
            self.running_read += 1;
            return Some((Class::Read, job));
        }
        if background > 0
            && let Some(job) = self.background.pop_front()
        {
            self.running_background += 1;
            return Some((Class::Background, job));
        }
        None
    }

    fn finished(&mut self, class: Class) {
        match class {
            Class::Pipeline => {}
            Class::Read => self.running_read -= 1,
            Class::Background => self.running_background -= 1,
        }
    }
}

impl Shared {
    /// Wakes or creates as many workers as have something to do and are not on their way already.
    fn call_workers(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        let mut woken = None;
        let mut created = 0;
        while state.demand(self.threads_max) > state.waking {
            if let Some(worker) = state.idle.pop().or_else(|| state.keeper.take()) {
                state.waking += 1;
                // The usual, lone one is signalled after the lock is free, so that it does not wake up to wait.
                if let Some(earlier) = woken.replace(worker) {
                    earlier.notify_one();
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
            worker.notify_one();
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
        let signal = Arc::new(Condvar::new());
        let mut state = self.state.lock();
        state.waking -= 1;
        loop {
            if let Some((class, job)) = state.next_job(self.threads_max) {
                self.call_workers(state);
                if let Err(panic) = catch_unwind(AssertUnwindSafe(job)) {
                    // The hook has reported it. Dropping a payload may panic again: forget it.
                    std::mem::forget(panic);
                }
                state = self.state.lock();
                state.finished(class);
            } else if state.closed || !self.sleep(&mut state, &signal) {
                state.workers -= 1;
                return;
            }
        }
    }

    /// Waits to be called, or as the keeper for the nearest deadline. False: waited in vain, leave.
    fn sleep(&self, state: &mut MutexGuard<'_, State>, signal: &Arc<Condvar>) -> bool {
        if state.keeper.is_none() && !state.delayed.is_empty() {
            state.keeper = Some(Arc::clone(signal));
            // The alarm is read anew after each wake-up: an earlier one may have been set.
            while let Some(at) = state.delayed.peek().map(|next| next.at) {
                let timed_out = signal.wait_until(state, at).timed_out();
                if !state.keeper.as_ref().is_some_and(|keeper| Arc::ptr_eq(keeper, signal)) {
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
        state.idle.push(Arc::clone(signal));
        let until = Instant::now() + IDLE_MAX;
        loop {
            let timed_out = if stays {
                signal.wait(state);
                false
            } else {
                signal.wait_until(state, until).timed_out()
            };
            let Some(place) = state.idle.iter().rposition(|worker| Arc::ptr_eq(worker, signal)) else {
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

impl PartialEq for Delayed {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Delayed {}

impl PartialOrd for Delayed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Delayed {
    /// Reversed: the heap's greatest is the nearest deadline.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::sync::{Barrier, atomic::AtomicUsize, atomic::Ordering};

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    /// A job that reports its start and then waits until its `release` is dropped.
    fn held(pool: &Pool, class: Class, started: &Sender<&'static str>, name: &'static str) -> Sender<()> {
        let (release, held) = channel::<()>();
        let started = started.clone();
        pool.spawn(
            class,
            Box::new(move || {
                started.send(name).unwrap();
                let _ = held.recv();
            }),
        );
        release
    }

    fn next(events: &Receiver<&'static str>) -> &'static str {
        events.recv_timeout(SOON).unwrap()
    }

    /// Two jobs that wait for each other run at the same time, so work that could start before them has started.
    fn pipeline_round_trip(pool: &Pool) {
        let (done, finished) = channel();
        pool.spawn(Class::Pipeline, Box::new(move || done.send(()).unwrap()));
        finished.recv_timeout(SOON).unwrap();
    }

    #[test]
    fn jobs_run_on_named_threads() {
        let pool = Pool::new(4);
        let (done, finished) = channel();
        pool.spawn(
            Class::Pipeline,
            Box::new(move || done.send(std::thread::current().name().unwrap().to_owned()).unwrap()),
        );
        assert!(finished.recv_timeout(SOON).unwrap().starts_with("varve-"));
    }

    #[test]
    fn reading_and_background_leave_two_threads_to_the_pipeline() {
        let pool = Pool::new(6);
        let (started, events) = channel();
        let reads: Vec<_> = (0..10).map(|_| held(&pool, Class::Read, &started, "read")).collect();
        let others: Vec<_> = (0..10).map(|_| held(&pool, Class::Background, &started, "background")).collect();
        for _ in 0..4 {
            assert_eq!(next(&events), "read");
        }
        let barrier = Arc::new(Barrier::new(3));
        for _ in 0..2 {
            let barrier = Arc::clone(&barrier);
            pool.spawn(
                Class::Pipeline,
                Box::new(move || {
                    barrier.wait();
                }),
            );
        }
        barrier.wait();
        pipeline_round_trip(&pool);
        assert!(events.try_recv().is_err(), "a fifth limited job started");
        drop((reads, others));
        let rest: Vec<_> = (0..16).map(|_| next(&events)).collect();
        assert_eq!(rest.iter().filter(|name| **name == "background").count(), 10);
    }

    #[test]
    fn background_leaves_a_thread_to_reading() {
        let pool = Pool::new(6);
        let (started, events) = channel();
        let others: Vec<_> = (0..10).map(|_| held(&pool, Class::Background, &started, "background")).collect();
        for _ in 0..3 {
            assert_eq!(next(&events), "background");
        }
        let read = held(&pool, Class::Read, &started, "read");
        assert_eq!(next(&events), "read");
        pipeline_round_trip(&pool);
        assert!(events.try_recv().is_err(), "a fourth background job started");
        drop((read, others));
    }

    #[test]
    fn the_pipeline_takes_every_thread_and_comes_first() {
        let pool = Pool::new(4);
        let (started, events) = channel();
        let mut held_jobs: VecDeque<_> = (0..4).map(|_| held(&pool, Class::Pipeline, &started, "first")).collect();
        for _ in 0..4 {
            assert_eq!(next(&events), "first");
        }
        let background = held(&pool, Class::Background, &started, "background");
        let read = held(&pool, Class::Read, &started, "read");
        let late = held(&pool, Class::Pipeline, &started, "late");
        drop(held_jobs.pop_front());
        assert_eq!(next(&events), "late");
        drop(late);
        assert_eq!(next(&events), "read");
        drop(read);
        assert_eq!(next(&events), "background");
        drop((background, held_jobs));
    }

    #[test]
    fn a_queue_is_first_in_first_out() {
        let pool = Pool::new(4);
        let (started, events) = channel();
        // Background has one place of four, so its jobs cannot overtake each other.
        let gate = held(&pool, Class::Background, &started, "gate");
        let (order, ordered) = channel();
        for i in 0..100 {
            let order = order.clone();
            pool.spawn(Class::Background, Box::new(move || order.send(i).unwrap()));
        }
        assert_eq!(next(&events), "gate");
        drop(gate);
        for i in 0..100 {
            assert_eq!(ordered.recv_timeout(SOON).unwrap(), i);
        }
    }

    #[test]
    fn a_panic_harms_neither_worker_nor_limits() {
        let pool = Pool::new(4);
        let (done, finished) = channel();
        for i in 0..50 {
            let done = done.clone();
            let classes = [Class::Pipeline, Class::Read, Class::Background];
            pool.spawn(
                classes[i % 3],
                Box::new(move || {
                    done.send(()).unwrap();
                    std::panic::resume_unwind(Box::new("planted"));
                }),
            );
        }
        for _ in 0..50 {
            finished.recv_timeout(SOON).unwrap();
        }
        let (started, events) = channel();
        let held_jobs = [Class::Read, Class::Background].map(|class| held(&pool, class, &started, "after"));
        assert_eq!([next(&events), next(&events)], ["after", "after"]);
        drop(held_jobs);
    }

    #[test]
    fn delayed_jobs_run_in_order_of_their_deadlines_and_not_before() {
        let pool = Pool::new(4);
        let (order, ordered) = channel();
        let begin = Instant::now();
        for ms in [60_u64, 20, 40, 5] {
            let order = order.clone();
            let delay = Duration::from_millis(ms);
            pool.spawn_after(delay, Class::Background, Box::new(move || order.send((ms, begin.elapsed())).unwrap()));
        }
        for ms in [5, 20, 40, 60] {
            let (which, elapsed) = ordered.recv_timeout(SOON).unwrap();
            assert_eq!(which, ms);
            assert!(elapsed >= Duration::from_millis(ms));
        }
    }

    #[test]
    fn a_deadline_is_kept_while_every_earlier_worker_is_busy() {
        let pool = Pool::new(4);
        let (started, events) = channel();
        let (done, finished) = channel();
        pool.spawn_after(Duration::from_millis(20), Class::Pipeline, Box::new(move || done.send(()).unwrap()));
        // The only worker so far is the keeper; this job takes it.
        let busy = held(&pool, Class::Pipeline, &started, "busy");
        assert_eq!(next(&events), "busy");
        finished.recv_timeout(SOON).unwrap();
        drop(busy);
    }

    #[test]
    fn a_far_deadline_does_not_hold_up_a_near_one() {
        let pool = Pool::new(4);
        let (done, finished) = channel();
        pool.spawn_after(Duration::MAX, Class::Pipeline, Box::new(|| panic!("ran a job of the far future")));
        pool.spawn_after(Duration::ZERO, Class::Pipeline, Box::new(move || done.send(()).unwrap()));
        finished.recv_timeout(SOON).unwrap();
    }

    #[test]
    fn dropping_the_pool_finishes_what_is_queued() {
        let pool = Pool::new(4);
        let (started, events) = channel();
        let gate = held(&pool, Class::Background, &started, "gate");
        let count = Arc::new(AtomicUsize::new(0));
        let (done, finished) = channel::<()>();
        for _ in 0..20 {
            let (count, done) = (Arc::clone(&count), done.clone());
            pool.spawn(
                Class::Background,
                Box::new(move || {
                    count.fetch_add(1, Ordering::Relaxed);
                    drop(done);
                }),
            );
        }
        drop(done);
        assert_eq!(next(&events), "gate");
        drop(pool);
        drop(gate);
        assert!(finished.recv_timeout(SOON).is_err(), "ends when every job has dropped its sender");
        assert_eq!(count.load(Ordering::Relaxed), 20);
    }

    #[test]
    fn ten_thousand_jobs_from_many_threads_all_run() {
        let pool = Pool::new(6);
        let (done, finished) = channel();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (pool, done) = (&pool, done.clone());
                scope.spawn(move || {
                    for i in 0..2_500 {
                        let done = done.clone();
                        let class = [Class::Pipeline, Class::Read, Class::Background][i % 3];
                        let job: Job = Box::new(move || done.send(()).unwrap());
                        if (i + thread) % 5 == 0 {
                            pool.spawn_after(Duration::from_micros(i as u64), class, job);
                        } else {
                            pool.spawn(class, job);
                        }
                    }
                });
            }
        });
        drop(done);
        let mut count = 0;
        while finished.recv_timeout(SOON).is_ok() {
            count += 1;
        }
        assert_eq!(count, 10_000);
        let state = pool.shared.state.lock();
        assert!(state.workers <= 6);
    }

    /// `cargo test --release -p varve-core hand_over -- --ignored --nocapture`
    #[test]
    #[ignore = "a measurement"]
    fn hand_over_time() {
        let pool = Pool::new(6);
        // With an alarm set, as an idle log has one.
        pool.spawn_after(Duration::from_secs(3600), Class::Background, Box::new(|| {}));
        let (done, finished) = channel();
        let mut times: Vec<_> = (0..20_000)
            .map(|_| {
                let done = done.clone();
                let begin = Instant::now();
                pool.spawn(Class::Pipeline, Box::new(move || done.send(Instant::now()).unwrap()));
                let there = finished.recv().unwrap();
                (there - begin, begin.elapsed())
            })
            .collect();
        times.sort();
        println!("hand-over p50 {:?}, p99 {:?}", times[10_000].0, times[19_800].0);
        times.sort_by_key(|time| time.1);
        println!("there and back p50 {:?}, p99 {:?}", times[10_000].1, times[19_800].1);
    }
}
