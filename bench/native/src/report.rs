//! What a round says: one object of numbers.

use std::fmt;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Numbers by name, in order.
pub struct Report(Vec<(&'static str, f64)>);

impl Report {
    /// `value` in the workload's unit, how many records that was for, and what one cost the processor.
    pub fn new(value: f64, records: u64, cpu: Duration) -> Self {
        let micros = cpu.as_secs_f64() * 1e6 / records as f64;
        Self(vec![("value", value), ("records", records as f64), ("cpuMicros", micros)])
    }

    /// One more number.
    pub fn with(mut self, name: &'static str, value: f64) -> Self {
        self.0.push((name, value));
        self
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // All that this process used, so that the bench can tell it from what others used.
        let own = ("ownMicros", cpu_time().as_secs_f64() * 1e6);
        let pairs: Vec<_> = self.0.iter().chain([&own]).map(|(name, value)| format!("\"{name}\":{value}")).collect();
        write!(f, "{{{}}}", pairs.join(","))
    }
}

/// Runs `work`; gives how long it took, and the processor time of all threads meanwhile.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration, Duration) {
    let cpu = cpu_time();
    let started = Instant::now();
    let result = work();
    (result, started.elapsed(), cpu_time().saturating_sub(cpu))
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
