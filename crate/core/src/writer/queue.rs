//! What waits between the stages, and who is at work: the state that [`super`]'s rules read and change.

use std::collections::VecDeque;

use super::prepare::Prepared;
use super::rotation::Spare;
use super::submission::Submission;
use super::{Done, Head};

/// Prepared bytes that may wait for stage 2; also the most that one sync covers, but for one large batch.
pub const GROUP_BYTES_MAX: usize = 4 << 20;

/// What waits where, and who is at work. Held for moments only, never across I/O or hashing.
pub struct Queue {
    pub pending: VecDeque<Submission>,
    pub prepared: VecDeque<Prepared>,
    pub prepared_bytes: usize,
    /// Offset after everything accepted.
    pub accepted: u64,
    /// Time of the last accepted record.
    pub last_time: u64,
    /// Stage 1 runs.
    pub preparing: bool,
    /// Stage 1 paused with input left because the double buffer was full.
    pub paused: bool,
    /// Stage 2 runs.
    pub flushing: bool,
    /// Sealing or making the spare runs.
    pub background: bool,
    /// Stage 2 waits for the spare (and so for the sealing before it).
    pub wants_spare: bool,
    pub spare: Option<Spare>,
    pub waiters: Vec<Waiter>,
    pub quiet_timer: bool,
    pub groups: u64,
    pub state: State,
    pub close: Option<Done<()>>,
}

pub struct Waiter {
    pub target: u64,
    pub done: Done<Head>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Open,
    Closing,
    Closed,
}

impl Queue {
    pub fn idle(&self) -> bool {
        let at_work = self.preparing || self.flushing || self.background;
        !at_work && self.pending.is_empty() && self.prepared.is_empty() && !self.paused
    }

    /// True when stage 1 has input and room; the caller then starts it.
    pub fn claim_stage_1(&mut self) -> bool {
        let wanted =
            (!self.pending.is_empty() || self.paused) && !self.preparing && self.prepared_bytes < GROUP_BYTES_MAX;
        self.preparing |= wanted;
        wanted
    }

    /// The next group: what is prepared for one segment, up to [`GROUP_BYTES_MAX`].
    pub fn take_group(&mut self) -> Vec<Prepared> {
        let mut group = Vec::new();
        let mut bytes = 0;
        while let Some(next) = self.prepared.front() {
            if !group.is_empty() && (next.rotation.is_some() || bytes + next.bytes.len() > GROUP_BYTES_MAX) {
                break;
            }
            bytes += next.bytes.len();
            group.extend(self.prepared.pop_front());
        }
        self.prepared_bytes -= bytes;
        group
    }

    /// Forgets everything that waits: the log has stopped, and its listener was told.
    pub fn abandon(&mut self) {
        self.pending.clear();
        self.prepared.clear();
        self.prepared_bytes = 0;
        self.paused = false;
        self.wants_spare = false;
    }

    pub fn put_back(&mut self, group: Vec<Prepared>) {
        self.prepared_bytes += group.iter().map(|part| part.bytes.len()).sum::<usize>();
        for part in group.into_iter().rev() {
            self.prepared.push_front(part);
        }
    }

    pub fn take_waiters(&mut self, reached: u64) -> Vec<Waiter> {
        let (ready, waiting) = std::mem::take(&mut self.waiters).into_iter().partition(|w| w.target <= reached);
        self.waiters = waiting;
        ready
    }
}
