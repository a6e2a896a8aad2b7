//! Which processor a woken thread runs on: a helper must not take that of the thread that it is to help.
//!
//! On virtual machines an idle processor can look taken to the kernel, because its host has put it to sleep. A thread
//! that is woken then goes where it ran last, and if that is where its waker runs, it takes the waker's place or waits
//! for it: both share one processor while another idles, until the kernel's next balancing, milliseconds later.
//! Measured (two cores, KVM, Linux 6.18; `sched_switch` events while `npm run bench -- --only batch` ran): up to half
//! of the batches met that, and it cost each of them 0.35 of 0.9 ms. With this, batches of 1,000 records one at a time
//! are 1.09 to 1.12 times as fast, and batches of 4,000 with four in flight 1.08 times.

#[cfg(target_os = "linux")]
use parking_lot::Mutex;
#[cfg(target_os = "linux")]
use rustix::process::getpid;
#[cfg(target_os = "linux")]
use rustix::thread::{CpuSet, Pid, gettid, sched_getaffinity, sched_getcpu, sched_setaffinity};

/// Where a thread may run. All of this is a matter of speed: what the system refuses is left as it is.
pub struct Place {
    #[cfg(target_os = "linux")]
    thread: Pid,
    /// Where it may run in general, while it may not.
    #[cfg(target_os = "linux")]
    general: Mutex<Option<CpuSet>>,
}

#[cfg(target_os = "linux")]
impl Place {
    /// Of the calling thread, which is new. A thread begins where its maker may run, and if that is one of these, it may be
    /// kept off a processor just then; the process's first thread is none of them.
    pub fn of_this_thread() -> Self {
        if let (Ok(inherited), Ok(general)) = (sched_getaffinity(None), sched_getaffinity(Some(getpid())))
            && inherited != general
        {
            let _ = sched_setaffinity(None, &general);
        }
        Self { thread: gettid(), general: Mutex::new(None) }
    }

    /// Before waking it: it shall not run on the caller's processor, if there is another one.
    pub fn keep_off(&self) {
        self.narrow(|_| Some(sched_getcpu()));
    }

    /// Called by the thread itself: it shall not run on one of the processors that it may use, which are counted from 0,
    /// until it settles.
    ///
    /// For crowds of threads that wait for a disk: the kernel wakes most of them where the disk's interrupts come, and
    /// there they wait for each other. (A thousand logs with an append in flight each, same machine: each append waited
    /// 160 µs in all for a processor, with the threads spread 90 µs; 1.13 to 1.19 times as many a second.)
    pub fn keep_off_number(&self, number: usize) {
        self.narrow(|general| (0..CpuSet::MAX_CPU).filter(|&at| general.is_set(at)).nth(number));
    }

    /// Takes one processor away from those where it may run in general, not where it may run now: who was woken in vain
    /// has not settled since it was kept off another.
    fn narrow(&self, which: impl FnOnce(&CpuSet) -> Option<usize>) {
        let mut before = self.general.lock();
        let Ok(general) = before.map_or_else(|| sched_getaffinity(Some(self.thread)), Ok) else { return };
        let mut others = general;
        if let Some(processor) = which(&general) {
            others.unset(processor);
        }
        if others.count() > 0 && sched_setaffinity(Some(self.thread), &others).is_ok() {
            *before = Some(general);
        }
    }

    /// When it is awake, called by the thread itself: it stays where it is now, and the kernel may move it again.
    pub fn settle(&self) {
        if let Some(general) = self.general.lock().take() {
            let _ = sched_setaffinity(None, &general);
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Place {
    /// Of the calling thread.
    pub fn of_this_thread() -> Self {
        Self {}
    }

    /// No such call here.
    pub fn keep_off(&self) {}

    /// No such call here.
    pub fn keep_off_number(&self, _number: usize) {}

    /// Nothing was changed.
    pub fn settle(&self) {}
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_thread_keeps_off_one_processor_at_a_time_until_it_settles() {
        std::thread::spawn(|| {
            let place = Place::of_this_thread();
            let before = sched_getaffinity(None).unwrap();
            let processors: Vec<_> = (0..CpuSet::MAX_CPU).filter(|&at| before.is_set(at)).collect();
            for (number, &processor) in processors.iter().enumerate() {
                place.keep_off_number(number);
                let now = sched_getaffinity(None).unwrap();
                assert_eq!(now.is_set(processor), processors.len() == 1);
                assert_eq!(now.count() as usize, processors.len().saturating_sub(1).max(1));
            }
            place.keep_off_number(processors.len());
            place.settle();
            assert_eq!(sched_getaffinity(None).unwrap(), before);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_thread_kept_off_may_run_anywhere_again_once_it_has_settled() {
        let (tell, told) = channel();
        let (wake, woken) = channel();
        let thread = std::thread::spawn(move || {
            let place = std::sync::Arc::new(Place::of_this_thread());
            tell.send((place.clone(), sched_getaffinity(None).unwrap())).unwrap();
            woken.recv().unwrap();
            let kept = sched_getaffinity(None).unwrap();
            place.settle();
            (kept, sched_getaffinity(None).unwrap())
        });
        let (place, before) = told.recv().unwrap();
        place.keep_off();
        place.keep_off();
        wake.send(()).unwrap();
        let (kept, after) = thread.join().unwrap();
        assert_eq!(before, after);
        // Another processor is left, or it was not kept off any. The test may have moved between its two calls: only the
        // last one counts.
        assert_eq!(kept.count(), before.count().saturating_sub(1).max(1));
    }

    #[test]
    fn a_thread_woken_in_vain_is_kept_off_its_next_waker_only() {
        let place = Place::of_this_thread();
        let before = sched_getaffinity(None).unwrap();
        let processors: Vec<_> = (0..CpuSet::MAX_CPU).filter(|&at| before.is_set(at)).collect();
        let expected = |processor: &usize| {
            let mut others = before;
            others.unset(*processor);
            if others.count() > 0 { others } else { before }
        };
        for processor in &processors {
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let mut here = CpuSet::new();
                    here.set(*processor);
                    sched_setaffinity(None, &here).unwrap();
                    place.keep_off();
                });
            });
            assert_eq!(sched_getaffinity(None).unwrap(), expected(processor));
        }
        place.settle();
        assert_eq!(sched_getaffinity(None).unwrap(), before);
    }
}
