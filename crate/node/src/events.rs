//! What engine threads have to tell an environment, and the queue it waits in.
//!
//! Of the watermarks of one log only the newest waits, and watermarks are taken ahead of everything else: earlier than one
//! became true it cannot be seen, since it is true already.

use std::collections::HashMap;
use std::ops::Range;

use varve_core::buffers::Buffer;
use varve_core::error::{Error, Result};
use varve_core::inspect::Info;
use varve_core::recovery::Plan;
use varve_core::salvage::Report as Salvaged;
use varve_core::verify::Report;
use varve_core::writer::Head;

/// How a request ended.
pub type Outcome = Result<Answer>;

/// Everything below `head.size` of a log is durable.
pub struct Watermark {
    pub log: u32,
    pub head: Head,
}

/// One other event, as in `NativeEvent`.
pub enum Event {
    /// The log stopped.
    Failed {
        log: u32,
        error: Error,
    },
    Progress {
        request: i64,
        bytes: u64,
        total_bytes: u64,
    },
    Done {
        request: i64,
        outcome: Outcome,
    },
}

/// The value of an answered request.
pub enum Answer {
    Nothing,
    /// Handle of a log that was opened.
    Opened(u32),
    Head(Head),
    Offset(u64),
    Chunk(Chunk),
    Report(Box<Report>),
    Info(Box<Info>),
    Plan(Box<Plan>),
    Salvaged(Box<Salvaged>),
}

/// A run of records as `NativeChunk` wants it.
pub struct Chunk {
    pub offset: u64,
    pub count: usize,
    /// Times (f64) and ends (u32), little-endian.
    pub table: Vec<u8>,
    pub payloads: Buffer,
    /// Where in them texts lie that cross instead of bytes.
    pub texts: Option<Vec<Range<usize>>>,
    pub from: u64,
    pub to: u64,
    pub bounds: Vec<u64>,
}

/// What waits, each kind in order of arrival.
#[derive(Default)]
pub struct Queue {
    watermarks: Vec<Watermark>,
    /// Where in `watermarks` that of a log stands.
    watermark_of: HashMap<u32, usize>,
    events: Vec<Event>,
}

impl Queue {
    /// A log has grown.
    pub fn durable(&mut self, log: u32, head: Head) {
        let at = *self.watermark_of.entry(log).or_insert(self.watermarks.len());
        match self.watermarks.get_mut(at) {
            Some(older) => older.head = head,
            None => self.watermarks.push(Watermark { log, head }),
        }
    }

    /// Adds another event.
    pub fn push(&mut self, event: Event) {
        match &event {
            Event::Progress { request, .. } => {
                // Only the newest is of interest. Something else in between is rare, and harmless.
                if let Some(Event::Progress { request: last, .. }) = self.events.last()
                    && last == request
                {
                    self.events.pop();
                }
            }
            Event::Failed { .. } | Event::Done { .. } => {}
        }
        self.events.push(event);
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.watermarks.is_empty() && self.events.is_empty()
    }

    /// Takes all of them.
    pub fn take(&mut self) -> (Vec<Watermark>, Vec<Event>) {
        self.watermark_of.clear();
        (std::mem::take(&mut self.watermarks), std::mem::take(&mut self.events))
    }

    /// Puts back what was taken.
    pub fn give_back(&mut self, watermarks: Vec<Watermark>, mut events: Vec<Event>) {
        let (newer, mut later) = self.take();
        for Watermark { log, head } in watermarks.into_iter().chain(newer) {
            self.durable(log, head);
        }
        events.append(&mut later);
        self.events = events;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_handed_out_waits_again_ahead_of_what_came_since() {
        let mut queue = Queue::default();
        queue.durable(1, head(10));
        queue.durable(2, head(5));
        queue.push(Event::Done { request: 7, outcome: Ok(Answer::Nothing) });
        let (watermarks, events) = queue.take();
        queue.durable(3, head(1));
        queue.durable(1, head(20));
        queue.push(Event::Done { request: 8, outcome: Ok(Answer::Nothing) });
        queue.give_back(watermarks, events);
        assert_eq!(taken(&mut queue), "d1=20 d2=5 d3=1 a7 a8");
    }

    fn head(size: u64) -> Head {
        Head { size, hash: [0; 32] }
    }

    /// Events in short: d(log)=(size), f(log), p(bytes), a(request).
    fn taken(queue: &mut Queue) -> String {
        let (watermarks, events) = queue.take();
        let watermarks = watermarks.into_iter().map(|Watermark { log, head }| format!("d{log}={}", head.size));
        let events = events.into_iter().map(|event| match event {
            Event::Failed { log, .. } => format!("f{log}"),
            Event::Progress { bytes, .. } => format!("p{bytes}"),
            Event::Done { request, .. } => format!("a{request}"),
        });
        watermarks.chain(events).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn only_the_newest_watermark_of_a_log_waits_ahead_of_its_failure_and_answers() {
        let mut queue = Queue::default();
        queue.durable(1, head(10));
        queue.durable(2, head(5));
        queue.push(Event::Done { request: 7, outcome: Ok(Answer::Nothing) });
        queue.durable(1, head(20));
        queue.push(Event::Failed { log: 1, error: Error::Aborted });
        queue.durable(2, head(6));
        assert_eq!(taken(&mut queue), "d1=20 d2=6 a7 f1");
        queue.durable(2, head(7));
        assert_eq!(taken(&mut queue), "d2=7");
        assert_eq!(taken(&mut queue), "");
    }

    #[test]
    fn only_the_newest_progress_waits() {
        let mut queue = Queue::default();
        for bytes in [1, 2, 3] {
            queue.push(Event::Progress { request: 1, bytes, total_bytes: 9 });
        }
        queue.push(Event::Done { request: 1, outcome: Ok(Answer::Nothing) });
        assert_eq!(taken(&mut queue), "p3 a1");
    }
}
