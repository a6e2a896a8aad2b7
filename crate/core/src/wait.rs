//! Blocking for the one answer of a request: for callers that have a thread to spare.
//!
//! A request that is dropped unanswered wakes its caller too. A channel of the standard library would do, but it
//! carries three kinds of queue for each type: more than 40 kB of the addon for two callers.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::error::{Error, Result};
use crate::writer::Done;

/// Where the answer arrives.
struct Slot<T> {
    /// `None` until the request is answered or gone.
    outcome: Mutex<Option<Result<T>>>,
    arrived: Condvar,
}

/// The end that answers.
struct Answer<T>(Arc<Slot<T>>);

impl<T> Answer<T> {
    fn give(&self, outcome: Result<T>) {
        self.0.outcome.lock().get_or_insert(outcome);
        self.0.arrived.notify_one();
    }
}

impl<T> Drop for Answer<T> {
    /// After an answer this changes nothing, or nobody is there any more.
    fn drop(&mut self) {
        self.give(Err(Error::Internal("a request was dropped without an answer".into())));
    }
}

/// Starts a request and blocks until it is answered; `None` if that takes longer than `limit`.
pub fn wait<T: Send + 'static>(limit: Duration, start: impl FnOnce(Done<T>)) -> Option<Result<T>> {
    let slot = Arc::new(Slot { outcome: Mutex::new(None), arrived: Condvar::new() });
    let answer = Answer(Arc::clone(&slot));
    start(Box::new(move |outcome| answer.give(outcome)));
    let mut outcome = slot.outcome.lock();
    slot.arrived.wait_while_for(&mut outcome, |outcome| outcome.is_none(), limit);
    outcome.take()
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn an_answer_arrives_from_this_thread_and_from_another() {
        assert_eq!(wait(Duration::MAX, |done| done(Ok(1))).unwrap().unwrap(), 1);
        let other = wait(Duration::MAX, |done| drop(thread::spawn(move || done(Ok(2)))));
        assert_eq!(other.unwrap().unwrap(), 2);
    }

    #[test]
    fn a_request_dropped_without_an_answer_is_an_error() {
        let outcome = wait(Duration::MAX, |done: Done<()>| drop(thread::spawn(move || drop(done))));
        assert!(matches!(outcome, Some(Err(Error::Internal(_)))));
    }

    #[test]
    fn after_the_limit_there_is_no_answer_and_a_late_one_is_dropped() {
        let mut late = None;
        assert!(wait(Duration::ZERO, |done: Done<()>| late = Some(done)).is_none());
        late.unwrap()(Ok(()));
    }
}
