//! Hands stretches to threads. The calling thread works too, and could do all of it alone: an executor that runs a
//! helper late, or never, only makes it slower.

use std::collections::VecDeque;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use super::stretch::{Source, Stretch, Worker};
use crate::error::{Error, Result};
use crate::hash::Keys;
use crate::host::{Class, Executor};
use crate::writer::panic_words;

/// Names a task.
pub type Ticket = u64;

/// The owner's end; dropping it ends the helpers' work.
pub struct Board {
    shared: Arc<Shared>,
    executor: Arc<dyn Executor>,
    helpers_max: usize,
}

struct Shared {
    keys: Arc<Keys>,
    state: Mutex<State>,
    done: Condvar,
}

#[derive(Default)]
struct State {
    next: Ticket,
    waiting: VecDeque<Task>,
    /// Results of tickets from `wanted_from` on; those before were called off. Never many, and in no order.
    results: Vec<(Ticket, Result<Stretch>)>,
    wanted_from: Ticket,
    helpers: usize,
    /// Buffers that nobody uses now.
    workers: Vec<Worker>,
}

struct Task {
    ticket: Ticket,
    source: Arc<Source>,
    span: Range<u64>,
}

impl Board {
    /// A board with as many helpers as there are cores beside the caller's.
    pub fn new(executor: &Arc<dyn Executor>, keys: &Arc<Keys>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let shared = Shared { keys: Arc::clone(keys), state: Mutex::default(), done: Condvar::new() };
        Self { shared: Arc::new(shared), executor: Arc::clone(executor), helpers_max: cores - 1 }
    }

    /// Tasks to hand in before taking the first result: enough that nobody waits for the one in order.
    pub fn depth(&self) -> usize {
        2 * self.helpers_max + 2
    }

    /// Hands in a task.
    pub fn submit(&self, source: &Arc<Source>, span: Range<u64>) -> Ticket {
        let mut state = self.shared.state.lock();
        let ticket = state.next;
        state.next += 1;
        state.waiting.push_back(Task { ticket, source: Arc::clone(source), span });
        let spawn = state.helpers < self.helpers_max;
        state.helpers += usize::from(spawn);
        drop(state);
        if spawn {
            let shared = Arc::clone(&self.shared);
            self.executor.spawn(Class::Read, Box::new(move || shared.help()));
        }
        ticket
    }

    /// The result of a task. The caller works on whatever waits until it is there.
    pub fn take(&self, ticket: Ticket) -> Result<Stretch> {
        let mut state = self.shared.state.lock();
        loop {
            if let Some(index) = state.results.iter().position(|result| result.0 == ticket) {
                return state.results.swap_remove(index).1;
            }
            if let Some(task) = state.waiting.pop_front() {
                let worker = state.workers.pop().unwrap_or_default();
                drop(state);
                state = self.shared.perform(worker, &task);
            } else {
                // Somebody else works on it at this moment, and posts a result whatever happens.
                self.shared.done.wait(&mut state);
            }
        }
    }

    /// Calls off everything handed in so far.
    pub fn call_off(&self) {
        let mut state = self.shared.state.lock();
        state.waiting.clear();
        state.results.clear();
        state.wanted_from = state.next;
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.call_off();
    }
}

impl Shared {
    fn help(&self) {
        let mut state = self.state.lock();
        while let Some(task) = state.waiting.pop_front() {
            let worker = state.workers.pop().unwrap_or_default();
            drop(state);
            state = self.perform(worker, &task);
        }
        state.helpers -= 1;
    }

    fn perform(&self, mut worker: Worker, task: &Task) -> parking_lot::MutexGuard<'_, State> {
        let rehash = || worker.rehash(&self.keys, &task.source, task.span.clone());
        let caught = catch_unwind(AssertUnwindSafe(rehash));
        let sound = caught.is_ok();
        let result = caught.unwrap_or_else(|panic| Err(Error::Internal(panic_words(&*panic))));
        let mut state = self.state.lock();
        if sound {
            state.workers.push(worker);
        }
        if task.ticket >= state.wanted_from {
            state.results.push((task.ticket, result));
            self.done.notify_all();
        }
        state
    }
}
