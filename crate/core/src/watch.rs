//! Waiting for records that another process appends: looks at the live mark again and again, and at nothing else as
//! long as it stands still.
//!
//! Polling, because it works wherever reading does (every system, every file system, in containers), and
//! because one look is one small `pread` from the page cache: at rest 30 of them a second.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::host::Class;
use crate::log::Shared;
use crate::writer::{Done, Head};

/// Pause after the first look in vain: where a record has just come, the next one is often near.
const PAUSE_MIN: Duration = Duration::from_millis(1);
/// Longest pause: with a late wake-up still below the 50 ms within which a reader elsewhere is to see a record.
const PAUSE_MAX: Duration = Duration::from_millis(32);

/// One who waits.
pub struct Watch {
    log: Arc<Shared>,
    size: u64,
    stopped: Box<dyn Fn() -> bool + Send>,
    done: Done<Head>,
    pause: Duration,
}

impl Watch {
    /// Begins to wait: see [`crate::log::Log::follow`].
    pub fn begin(log: &Arc<Shared>, size: u64, stopped: Box<dyn Fn() -> bool + Send>, done: Done<Head>) {
        let watch = Self { log: Arc::clone(log), size, stopped, done, pause: PAUSE_MIN };
        log.host.executor.spawn(Class::Read, Box::new(move || watch.look()));
    }

    fn look(mut self) {
        match self.outcome() {
            Some(outcome) => (self.done)(outcome),
            None => {
                let pause = self.pause;
                self.pause = (2 * pause).min(PAUSE_MAX);
                let executor = Arc::clone(&self.log.host.executor);
                executor.spawn_after(pause, Class::Read, Box::new(move || self.look()));
            }
        }
    }

    fn outcome(&self) -> Option<Result<Head>> {
        if (self.stopped)() {
            return Some(Err(Error::Aborted));
        }
        match self.log.refresh() {
            Ok(head) if head.size <= self.size => None,
            outcome => Some(outcome),
        }
    }
}
