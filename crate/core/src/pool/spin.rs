//! A worker that runs out of work stays awake for a moment, where the last work came within such a moment.
//!
//! Who awaits each append sends the next one some 30 µs after the last was acknowledged. To put a worker to sleep and wake
//! it in between takes longer than to let it look: 0.81 to 0.87 of the time of a lone awaited append (2 cores, virtual
//! machine). Invariants: one worker at most looks at a time; it yields its core to whoever wants it; one moment
//! without work ends it until work comes that fast again, so steady work that is rarer costs nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The moment. Longer ones would also catch batches that take this long to encode, at the price of a core.
const SPIN_MAX: Duration = Duration::from_micros(100);
/// Looks before the core is offered to others.
const LOOKS: usize = 16;

/// Where the worker that stays awake is called.
#[derive(Default)]
pub struct Call(AtomicBool);

impl Call {
    /// Nobody has called yet. Under the pool's lock, like `call`.
    pub fn reset(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// There is work.
    pub fn call(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Returns when called, or when the moment is over.
    pub fn wait(&self) {
        let begun = Instant::now();
        while begun.elapsed() < SPIN_MAX {
            for _ in 0..LOOKS {
                if self.0.load(Ordering::Acquire) {
                    return;
                }
                std::hint::spin_loop();
            }
            std::thread::yield_now();
        }
    }
}

/// How soon work came when there was none.
#[derive(Default)]
pub struct Gap {
    since: Option<Instant>,
    short: bool,
}

impl Gap {
    /// The last running worker found no work.
    pub fn begin(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// Work came.
    pub fn end(&mut self, now: impl FnOnce() -> Instant) {
        if let Some(since) = self.since.take() {
            self.short = now().duration_since(since) < SPIN_MAX;
        }
    }

    /// Whether the last one was short, and this one may be too.
    pub fn may_be_short(&self, now: Instant) -> bool {
        self.short && self.since.is_none_or(|since| now.duration_since(since) < SPIN_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_moment_without_work_ends_the_waiting_until_work_comes_that_fast_again() {
        let begun = Instant::now();
        let at = |micros| begun + Duration::from_micros(micros);
        let mut gap = Gap::default();
        gap.begin(at(0));
        assert!(!gap.may_be_short(at(0)), "nothing is known yet");
        gap.end(|| at(40));
        gap.begin(at(200));
        assert!(gap.may_be_short(at(200)));
        gap.begin(at(250));
        assert!(!gap.may_be_short(at(300)), "the moment is counted from the first look");
        gap.end(|| at(900));
        gap.begin(at(1_000));
        assert!(!gap.may_be_short(at(1_000)), "the last gap was long");
        gap.end(|| at(1_050));
        gap.begin(at(1_200));
        assert!(gap.may_be_short(at(1_200)));
    }

    #[test]
    fn who_waits_awake_hears_a_call_made_before_or_while_it_waits() {
        let call = Call::default();
        call.call();
        call.wait();
        std::thread::scope(|scope| {
            call.reset();
            scope.spawn(|| call.call());
            while !call.0.load(Ordering::Acquire) {
                call.wait();
            }
        });
    }
}
