//! Requests: numbered by the facade, answered once, cancelled by a flag that the work looks at.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use varve_core::error::{Error, Result};
use varve_core::host::{Class, Job};
use varve_core::writer::panic_words;

use crate::environment::Environment;
use crate::events::{Answer, Event, Outcome};
use crate::turns;

/// Set when nobody waits for the answer any more.
#[derive(Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// True when the work should stop.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The same as an error.
    pub fn check(&self) -> Result<()> {
        if self.is_set() { Err(Error::Aborted) } else { Ok(()) }
    }
}

/// The requests that JS has not been answered yet.
#[derive(Default)]
pub struct Requests(Mutex<HashMap<i64, Cancel>>);

impl Requests {
    fn begin(&self, request: i64) -> Cancel {
        let cancel = Cancel::default();
        self.0.lock().insert(request, cancel.clone());
        cancel
    }

    /// The answer goes to JS now. True if the request was cancelled.
    pub fn finish(&self, request: i64) -> bool {
        self.0.lock().remove(&request).is_some_and(|cancel| cancel.is_set())
    }

    /// Asks one to stop.
    pub fn cancel(&self, request: i64) {
        if let Some(cancel) = self.0.lock().get(&request) {
            cancel.0.store(true, Ordering::Relaxed);
        }
    }

    /// Asks all to stop.
    pub fn cancel_all(&self) {
        for cancel in self.0.lock().values() {
            cancel.0.store(true, Ordering::Relaxed);
        }
    }
}

/// The duty to answer one request: whoever drops it unanswered answers with an error, so that nobody waits for ever.
pub struct Reply {
    environment: Arc<Environment>,
    request: i64,
    cancel: Cancel,
    answered: bool,
}

impl Reply {
    /// Begins a request.
    pub fn begin(environment: &Arc<Environment>, request: i64) -> Self {
        let cancel = environment.requests.begin(request);
        Self { environment: Arc::clone(environment), request, cancel, answered: false }
    }

    /// Who asked.
    pub fn environment(&self) -> &Arc<Environment> {
        &self.environment
    }

    /// Its number.
    pub fn request(&self) -> i64 {
        self.request
    }

    /// Whether to stop.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Answers.
    pub fn send(mut self, outcome: Outcome) {
        self.answered = true;
        self.environment.push(Event::Done { request: self.request, outcome });
    }

    /// Answers with what `work` returns, on an engine thread.
    pub fn work(self, class: Class, work: impl FnOnce(&Self) -> Result<Answer> + Send + 'static) {
        let executor = Arc::clone(&self.environment.host.executor);
        executor.spawn(class, self.job(work));
    }

    /// The same for work that may take minutes.
    pub fn work_in_turn(self, work: impl FnOnce(&Self) -> Result<Answer> + Send + 'static) {
        let executor = Arc::clone(&self.environment.host.executor);
        turns::take(&executor, self.job(work));
    }

    fn job(self, work: impl FnOnce(&Self) -> Result<Answer> + Send + 'static) -> Job {
        Box::new(move || {
            let outcome = caught(|| self.cancel.check().and_then(|()| work(&self)));
            self.send(outcome);
        })
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !self.answered {
            let outcome = Err(Error::Internal("a request was dropped without an answer".to_owned()));
            self.environment.push(Event::Done { request: self.request, outcome });
        }
    }
}

/// Runs `work`; a panic becomes an error.
pub fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(Error::Internal(panic_words(&*panic))))
}
