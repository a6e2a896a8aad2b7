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
use rustix::thread::{CpuSet, Pid, gettid, sched_getaffinity, sched_getcpu, sched_setaffinity};

/// Where a thread may run. All of this is a matter of speed: what the system refuses is left as it is.
pub struct Place {
    #[cfg(target_os = "linux")]
    thread: Pid,
    /// Where it may run in general, while it may not.
    #[cfg(target_os = "linux")]
    allowed: Mutex<Option<CpuSet>>,
}

#[cfg(target_os = "linux")]
impl Place {
    /// Of the calling thread.
    pub fn of_this_thread() -> Self {
        Self { thread: gettid(), allowed: Mutex::new(None) }
    }

    /// Before waking it: it shall not run on the caller's processor, if there is another one.
    pub fn keep_off(&self) {
        let Ok(allowed) = sched_getaffinity(Some(self.thread)) else { return };
        let mut others = allowed;
        others.unset(sched_getcpu());
        if others.count() > 0 && others != allowed && sched_setaffinity(Some(self.thread), &others).is_ok() {
            self.allowed.lock().get_or_insert(allowed);
        }
    }

    /// When it is awake, called by the thread itself: it stays where it is now, and the kernel may move it again.
    pub fn settle(&self) {
        if let Some(allowed) = self.allowed.lock().take() {
            let _ = sched_setaffinity(None, &allowed);
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

    /// Nothing was changed.
    pub fn settle(&self) {}
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

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
        // Another processor is left, or it was not kept off any.
        assert!(kept.count() > 0 && kept.count() >= before.count() - 2);
    }
}
