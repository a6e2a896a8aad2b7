//! What a log needs from its surroundings, injected so that tests can drive it: disk, threads, clock, entropy.

use std::sync::Arc;
use std::time::Duration;

use crate::disk::Disk;

/// A piece of work for an engine thread.
pub type Job = Box<dyn FnOnce() + Send>;

/// What a job mostly does; the pool keeps threads free for the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Stage 1 or 2 of a log's pipeline, or a rotation's work: short CPU work, writing, syncing. A slow device never
    /// gets all threads.
    Pipeline {
        /// The device that the job may wait for ([`crate::disk::Volume::device`]).
        device: u64,
    },
    /// Reading and verifying for a caller.
    Read,
    /// Opening, closing, timers.
    Background,
}

/// Runs jobs, in no promised order.
pub trait Executor: Send + Sync {
    /// Runs `job` soon.
    fn spawn(&self, class: Class, job: Job);
    /// Runs `job` soon, on another processor than the caller's where that is possible: the caller goes on meanwhile.
    fn spawn_beside(&self, class: Class, job: Job) {
        self.spawn(class, job);
    }
    /// Runs `job` after about `delay`. The simulated executor may run it at any later moment.
    fn spawn_after(&self, delay: Duration, class: Class, job: Job);
}

/// Wall clock, milliseconds since the Unix epoch.
pub trait Clock: Send + Sync {
    /// Now; may jump back: the log clamps.
    fn now_ms(&self) -> u64;
}

/// Source of random ids and nonces.
pub trait Entropy: Send + Sync {
    /// Fills `bytes` with unpredictable data.
    fn fill(&self, bytes: &mut [u8]) -> std::io::Result<()>;
}

/// Everything a log needs from outside.
#[derive(Clone)]
pub struct Host {
    /// Files.
    pub disk: Arc<dyn Disk>,
    /// Threads.
    pub executor: Arc<dyn Executor>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// The system's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The operating system's random number generator.
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> std::io::Result<()> {
        getrandom::fill(bytes).map_err(|error| std::io::Error::other(error.to_string()))
    }
}
