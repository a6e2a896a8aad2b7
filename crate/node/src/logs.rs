//! The open logs of one environment, by handle.
//!
//! A log stays in the table until its closing is done, so that the end of the environment waits also for those that
//! were being closed already; to every other call its handle is dead from `close` on.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use varve_core::error::{Error, Result};
use varve_core::log::Log;

/// Handles and their logs.
#[derive(Default)]
pub struct Logs {
    table: Mutex<Table>,
    removed: Condvar,
}

#[derive(Default)]
struct Table {
    entries: HashMap<u32, Entry>,
    last_handle: u32,
    /// The environment ends: nothing is added any more.
    ended: bool,
}

struct Entry {
    log: Arc<Log>,
    closing: bool,
}

impl Logs {
    /// A fresh handle, for a log that is being opened.
    pub fn reserve(&self) -> u32 {
        let mut table = self.table.lock();
        table.last_handle += 1;
        table.last_handle
    }

    /// Adds an opened log; if the environment has ended meanwhile it is closed.
    pub fn add(&self, handle: u32, log: Log) {
        let mut table = self.table.lock();
        if table.ended {
            drop(table);
            return log.close(Box::new(|_| {}));
        }
        table.entries.insert(handle, Entry { log: Arc::new(log), closing: false });
    }

    /// The log of a handle.
    pub fn get(&self, handle: u32) -> Result<Arc<Log>> {
        match self.table.lock().entries.get(&handle) {
            Some(Entry { log, closing: false }) => Ok(Arc::clone(log)),
            Some(Entry { log, closing: true }) => Err(Error::Closed { path: log.location().to_owned() }),
            None => Err(gone()),
        }
    }

    /// Closes a log and forgets it, then calls `done`.
    pub fn close(self: &Arc<Self>, handle: u32, done: impl FnOnce(Result<()>) + Send + 'static) {
        let mut table = self.table.lock();
        let log = match table.entries.get_mut(&handle) {
            Some(entry) if !entry.closing => {
                entry.closing = true;
                Arc::clone(&entry.log)
            }
            _ => {
                drop(table);
                return done(Err(gone()));
            }
        };
        drop(table);
        let closing = Closing { logs: Arc::clone(self), handle };
        log.close(Box::new(move |outcome| {
            drop(closing);
            done(outcome);
        }));
    }

    /// Closes all logs and waits until they are closed, at most `timeout`.
    pub fn close_all(self: &Arc<Self>, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        let handles: Vec<u32> = self.table.lock().entries.keys().copied().collect();
        for handle in handles {
            self.close(handle, |_| {});
        }
        let mut table = self.table.lock();
        while !table.entries.is_empty() && !self.removed.wait_until(&mut table, deadline).timed_out() {}
    }

    /// The same, and takes no more logs.
    pub fn end(self: &Arc<Self>, timeout: Duration) {
        self.table.lock().ended = true;
        self.close_all(timeout);
    }
}

/// Removes its log from the table when dropped: also when the engine, by a defect, never calls back.
struct Closing {
    logs: Arc<Logs>,
    handle: u32,
}

impl Drop for Closing {
    fn drop(&mut self) {
        let entry = self.logs.table.lock().entries.remove(&self.handle);
        self.logs.removed.notify_all();
        drop(entry); // outside the lock: it may close files
    }
}

fn gone() -> Error {
    Error::Closed { path: Path::new("").to_owned() }
}
