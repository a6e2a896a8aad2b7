//! A deterministic world for tests: jobs run one at a time in an order that a seed decides, on a simulated disk, with
//! a clock and randomness that the test holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::disk::Disk;
use crate::disk::sim::{CrashChoice, SimDisk, SimRng};
use crate::host::{Class, Clock, Entropy, Executor, Host, Job};

/// Keeps jobs until the test runs them, on the test's thread.
#[derive(Default)]
pub struct SimExecutor {
    jobs: Mutex<Vec<Waiting>>,
}

struct Waiting {
    delayed: bool,
    job: Job,
}

impl SimExecutor {
    /// Runs one job, any of those waiting, delayed ones included; false if there is none.
    pub fn step(&self, rng: &mut SimRng) -> bool {
        let mut jobs = self.jobs.lock();
        if jobs.is_empty() {
            return false;
        }
        let chosen = rng.index(jobs.len());
        let chosen = jobs.swap_remove(chosen);
        drop(jobs);
        (chosen.job)();
        true
    }

    /// Runs jobs in the order of their coming until none is left but delayed ones.
    pub fn run_ready(&self) {
        while self.run_first(|waiting| !waiting.delayed) {}
    }

    /// Runs jobs in the order of their coming, delayed ones only when no other is left, until none is left at all.
    /// Does not return if a delayed job always leaves another.
    pub fn run_all(&self) {
        loop {
            self.run_ready();
            if !self.run_first(|_| true) {
                return;
            }
        }
    }

    /// How many jobs wait, delayed ones included.
    pub fn pending(&self) -> usize {
        self.jobs.lock().len()
    }

    /// How many jobs wait that are not delayed.
    pub fn ready(&self) -> usize {
        self.jobs.lock().iter().filter(|waiting| !waiting.delayed).count()
    }

    /// Forgets all jobs, as a killed process does.
    pub fn clear(&self) {
        // Dropped outside the lock: what jobs captured may spawn again.
        let jobs = std::mem::take(&mut *self.jobs.lock());
        drop(jobs);
    }

    fn run_first(&self, wanted: impl Fn(&Waiting) -> bool) -> bool {
        let mut jobs = self.jobs.lock();
        let Some(first) = jobs.iter().position(wanted) else { return false };
        let chosen = jobs.remove(first);
        drop(jobs);
        (chosen.job)();
        true
    }

    fn add(&self, delayed: bool, job: Job) {
        self.jobs.lock().push(Waiting { delayed, job });
    }
}

impl Executor for SimExecutor {
    fn spawn(&self, _class: Class, job: Job) {
        self.add(false, job);
    }

    fn spawn_after(&self, _delay: Duration, _class: Class, job: Job) {
        self.add(true, job);
    }
}

/// A clock that stands still until it is set.
#[derive(Default)]
pub struct SimClock(AtomicU64);

impl SimClock {
    /// Sets the time, milliseconds since the Unix epoch; it may jump back.
    pub fn set_ms(&self, ms: u64) {
        self.0.store(ms, Ordering::SeqCst);
    }

    /// Lets time pass.
    pub fn advance_ms(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for SimClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Randomness of a seed.
pub struct SimEntropy {
    rng: Mutex<SimRng>,
    fails: AtomicBool,
}

impl SimEntropy {
    /// The randomness of this seed.
    pub fn new(seed: u64) -> Self {
        Self { rng: Mutex::new(SimRng::new(seed)), fails: AtomicBool::new(false) }
    }

    /// Whether the source fails from now on.
    pub fn set_fails(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }
}

impl Entropy for SimEntropy {
    fn fill(&self, bytes: &mut [u8]) -> std::io::Result<()> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(std::io::Error::other("the simulated source of randomness fails"));
        }
        self.rng.lock().fill(bytes);
        Ok(())
    }
}

/// Everything a log needs, simulated.
#[derive(Clone)]
pub struct SimWorld {
    /// Files.
    pub disk: SimDisk,
    /// Threads.
    pub executor: Arc<SimExecutor>,
    /// Time; begins in 2026.
    pub clock: Arc<SimClock>,
    /// Randomness.
    pub entropy: Arc<SimEntropy>,
}

impl SimWorld {
    /// An empty world.
    pub fn new(seed: u64) -> Self {
        let clock = SimClock::default();
        clock.set_ms(1_767_225_600_000);
        Self {
            disk: SimDisk::new(),
            executor: Arc::default(),
            clock: Arc::new(clock),
            entropy: Arc::new(SimEntropy::new(seed)),
        }
    }

    /// The world as a log takes it.
    pub fn host(&self) -> Host {
        Host {
            disk: Arc::new(self.disk.clone()) as Arc<dyn Disk>,
            executor: Arc::clone(&self.executor) as Arc<dyn Executor>,
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            entropy: Arc::clone(&self.entropy) as Arc<dyn Entropy>,
        }
    }

    /// The world after a power loss: a new disk and no jobs; clock and randomness go on. What still lives of the old
    /// world meets a dead machine.
    #[must_use]
    pub fn crash(&self, rng: &mut SimRng) -> Self {
        self.with_disk_after(self.disk.crash(rng))
    }

    /// The world after exactly this power loss; see [`SimWorld::crash`].
    #[must_use]
    pub fn crash_with(&self, choice: &CrashChoice) -> Self {
        self.with_disk_after(self.disk.crash_with(choice))
    }

    fn with_disk_after(&self, disk: SimDisk) -> Self {
        self.disk.halt();
        self.executor.clear();
        Self { disk, executor: Arc::default(), clock: Arc::clone(&self.clock), entropy: Arc::clone(&self.entropy) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::disk::Access;

    fn order(seed: u64) -> Vec<u32> {
        let executor = SimExecutor::default();
        let ran = Arc::new(Mutex::new(Vec::new()));
        for i in 0..20 {
            let ran = Arc::clone(&ran);
            let job: Job = Box::new(move || ran.lock().push(i));
            if i % 4 == 0 {
                executor.spawn_after(Duration::from_secs(60), Class::Background, job);
            } else {
                executor.spawn(Class::Pipeline { device: 0 }, job);
            }
        }
        assert_eq!((executor.pending(), executor.ready()), (20, 15));
        let mut rng = SimRng::new(seed);
        while executor.step(&mut rng) {}
        drop(executor);
        Arc::into_inner(ran).unwrap().into_inner()
    }

    #[test]
    fn the_seed_alone_decides_the_order_of_jobs() {
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
        let mut all = order(3);
        all.sort_unstable();
        assert_eq!(all, (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn jobs_may_spawn_jobs_and_delayed_ones_wait_for_run_all() {
        let executor = Arc::new(SimExecutor::default());
        let ran = Arc::new(Mutex::new(Vec::new()));
        let (inner_executor, inner_ran) = (Arc::clone(&executor), Arc::clone(&ran));
        let late = Arc::clone(&ran);
        executor.spawn_after(Duration::ZERO, Class::Read, Box::new(move || late.lock().push("late")));
        executor.spawn(
            Class::Read,
            Box::new(move || {
                inner_ran.lock().push("outer");
                let ran = Arc::clone(&inner_ran);
                inner_executor.spawn(Class::Read, Box::new(move || ran.lock().push("inner")));
            }),
        );
        executor.run_ready();
        assert_eq!(*ran.lock(), ["outer", "inner"]);
        assert_eq!(executor.pending(), 1);
        executor.run_all();
        assert_eq!(*ran.lock(), ["outer", "inner", "late"]);
    }

    #[test]
    fn a_crash_ends_jobs_and_stops_what_lives_of_the_old_world() {
        let world = SimWorld::new(7);
        let host = world.host();
        host.executor.spawn(Class::Pipeline { device: 0 }, Box::new(|| unreachable!()));
        let file = host.disk.open(Path::new("a"), Access::CreateNew).unwrap();
        host.disk.sync_dir(Path::new("/")).unwrap();
        let after = world.crash(&mut SimRng::new(1));
        assert_eq!((world.executor.pending(), after.executor.pending()), (0, 0));
        assert!(file.write_at(b"x", 0).is_err());
        assert!(after.host().disk.open(Path::new("a"), Access::Write).unwrap().try_lock().unwrap());
    }

    #[test]
    fn clock_and_randomness_obey_the_test() {
        let world = SimWorld::new(7);
        world.clock.set_ms(1000);
        world.clock.advance_ms(5);
        assert_eq!(world.host().clock.now_ms(), 1005);
        world.clock.set_ms(10);
        assert_eq!(world.host().clock.now_ms(), 10);
        let random = |world: &SimWorld| {
            let mut bytes = [0; 20];
            world.entropy.fill(&mut bytes).unwrap();
            bytes
        };
        assert_eq!(random(&SimWorld::new(1)), random(&SimWorld::new(1)));
        assert_ne!(random(&SimWorld::new(1)), random(&SimWorld::new(2)));
        world.entropy.set_fails(true);
        assert!(world.entropy.fill(&mut [0]).is_err());
    }
}
