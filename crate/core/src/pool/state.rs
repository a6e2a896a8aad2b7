//! What waits, what runs and who sleeps, and which job is next: the rules of the pool's classes. It knows no threads.

use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Condvar;

use super::crowd::Crowd;
use super::spin::Gap;
use crate::host::{Class, Job};
use crate::place::Place;

/// What the pool's lock guards.
#[derive(Default)]
pub struct State {
    /// One for each device with pipeline work, the longest waiting first.
    pub lanes: VecDeque<Lane>,
    pub read: VecDeque<Job>,
    pub background: VecDeque<Job>,
    pub delayed: BinaryHeap<Delayed>,
    /// Breaks ties between equal deadlines: first come, first served.
    pub delayed_count: u64,
    pub running: usize,
    pub running_read: usize,
    pub running_background: usize,
    /// Threads that exist or are being created.
    pub workers: usize,
    pub workers_named: u64,
    /// Signalled or being created, has not looked for work yet.
    pub waking: usize,
    /// Sleeping workers, newest last: the last one is woken first, because its caches are warm and because so the
    /// others stay unused long enough to leave.
    pub idle: Vec<Arc<Worker>>,
    /// The idle worker that sleeps until the nearest deadline; not in `idle`.
    pub keeper: Option<Arc<Worker>>,
    /// A worker waits awake; it is counted in `waking`.
    pub spinning: bool,
    pub gap: Gap,
    pub crowd: Crowd,
    pub closed: bool,
}

/// How a sleeping worker is reached.
pub struct Worker {
    pub signal: Condvar,
    pub place: Place,
}

/// Pipeline work for one device.
pub struct Lane {
    pub device: u64,
    pub queue: VecDeque<Job>,
    pub running: usize,
}

/// A job with an alarm.
pub struct Delayed {
    pub at: Instant,
    pub order: u64,
    pub class: Class,
    pub job: Job,
}

impl State {
    /// Queues a job.
    pub fn enqueue(&mut self, class: Class, job: Job) {
        match class {
            Class::Pipeline { device } => self.lane(device).queue.push_back(job),
            Class::Read => self.read.push_back(job),
            Class::Background => self.background.push_back(job),
        }
    }

    fn lane(&mut self, device: u64) -> &mut Lane {
        let at = self.lanes.iter().position(|lane| lane.device == device).unwrap_or_else(|| {
            self.lanes.push_back(Lane { device, queue: VecDeque::new(), running: 0 });
            self.lanes.len() - 1
        });
        &mut self.lanes[at]
    }

    /// How many more jobs of (both limited classes together, Background) may start.
    fn allowance(&self, threads_max: usize) -> (usize, usize) {
        let both = (threads_max - 2).saturating_sub(self.running_read + self.running_background);
        let background = (threads_max - 3).saturating_sub(self.running_background);
        (both, background.min(both))
    }

    /// Workers that would find something to do now: jobs that may start, and the alarm if nobody keeps it.
    pub fn demand(&self, threads_max: usize) -> usize {
        let (both, background) = self.allowance(threads_max);
        let limited = (self.read.len() + self.background.len().min(background)).min(both);
        let alarm = usize::from(!self.delayed.is_empty() && self.keeper.is_none());
        let pipeline: usize = self.lanes.iter().map(|lane| lane.queue.len().min(lane.allowance(threads_max))).sum();
        pipeline + limited + alarm
    }

    fn queue_due(&mut self) {
        if self.delayed.is_empty() {
            return;
        }
        let now = Instant::now();
        while self.delayed.peek().is_some_and(|next| next.at <= now) {
            if let Some(due) = self.delayed.pop() {
                self.enqueue(due.class, due.job);
            }
        }
    }

    /// The job that starts now, if one may.
    pub fn next_job(&mut self, threads_max: usize) -> Option<(Class, Job)> {
        let next = self.choose(threads_max);
        self.running += usize::from(next.is_some());
        next
    }

    fn choose(&mut self, threads_max: usize) -> Option<(Class, Job)> {
        self.queue_due();
        // Devices take turns.
        if let Some(at) = self.lanes.iter().position(|lane| !lane.queue.is_empty() && lane.allowance(threads_max) > 0)
            && let Some(mut lane) = self.lanes.remove(at)
        {
            let (device, job) = (lane.device, lane.queue.pop_front());
            lane.running += 1;
            self.lanes.push_back(lane);
            return job.map(|job| (Class::Pipeline { device }, job));
        }
        let (both, background) = self.allowance(threads_max);
        if both > 0
            && let Some(job) = self.read.pop_front()
        {
            self.running_read += 1;
            return Some((Class::Read, job));
        }
        if background > 0
            && let Some(job) = self.background.pop_front()
        {
            self.running_background += 1;
            return Some((Class::Background, job));
        }
        None
    }

    /// One of the jobs has ended.
    pub fn finished(&mut self, class: Class) {
        self.running -= 1;
        match class {
            Class::Pipeline { device } => {
                let lane = self.lane(device);
                lane.running -= 1;
                if lane.running == 0 && lane.queue.is_empty() {
                    self.lanes.retain(|lane| lane.device != device);
                }
            }
            Class::Read => self.running_read -= 1,
            Class::Background => self.running_background -= 1,
        }
    }
}

impl Lane {
    /// How many more of its jobs may start.
    fn allowance(&self, threads_max: usize) -> usize {
        (threads_max - 1).saturating_sub(self.running)
    }
}

impl PartialEq for Delayed {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Delayed {}

impl PartialOrd for Delayed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Delayed {
    /// Reversed: the heap's greatest is the nearest deadline.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}
