//! How fast one processor writes into memory that another one has read, which is what a batch does on its way to an
//! engine thread. On a virtual machine it changes with where the host places the processors: near each other they share a
//! cache. Runs are to be compared only where this is alike.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Outcome;
use crate::report::{Report, timed};

const BYTES: usize = 1 << 20;
const TURNS: usize = 40;

/// GB a second, of the fastest half of the turns, from the first to the last processor that this process may use.
pub fn run() -> Outcome<Report> {
    let allowed = sched_getaffinity(None)?;
    let own: Vec<_> = (0..CpuSet::MAX_CPU).filter(|&at| allowed.is_set(at)).collect();
    let [first, .., last] = own[..] else { return Err("processors: there is only one".into()) };
    let memory: Vec<AtomicU64> = (0..BYTES / 8).map(|_| AtomicU64::new(0)).collect();
    let written = AtomicBool::new(false);
    let (mut times, _, cpu) = timed(|| {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                stay_on(first);
                (0..TURNS).for_each(|_| read_once(&memory, &written));
            });
            stay_on(last);
            (0..TURNS).map(|turn| write_once(&memory, &written, turn as u64)).collect::<Vec<_>>()
        })
    });
    times.sort();
    let total: Duration = times[..TURNS / 2].iter().sum();
    let gigabytes = (TURNS / 2 * BYTES) as f64 / total.as_secs_f64() / 1e9;
    Ok(Report::new(gigabytes, TURNS as u64, cpu))
}

fn stay_on(processor: usize) {
    let mut only = CpuSet::new();
    only.set(processor);
    // Where it is refused the threads share a processor at worst, and the figure is far too good.
    let _ = sched_setaffinity(None, &only);
}

/// Waits awake: a thread that sleeps gives its processor time to rest, and the next turn pays for that.
fn await_turn(written: &AtomicBool, mine: bool) {
    while written.load(Ordering::Acquire) != mine {
        std::hint::spin_loop();
    }
}

fn write_once(memory: &[AtomicU64], written: &AtomicBool, value: u64) -> Duration {
    await_turn(written, false);
    let started = Instant::now();
    memory.iter().for_each(|word| word.store(value, Ordering::Relaxed));
    let time = started.elapsed();
    written.store(true, Ordering::Release);
    time
}

fn read_once(memory: &[AtomicU64], written: &AtomicBool) {
    await_turn(written, true);
    std::hint::black_box(memory.iter().map(|word| word.load(Ordering::Relaxed)).fold(0, u64::wrapping_add));
    written.store(false, Ordering::Release);
}
