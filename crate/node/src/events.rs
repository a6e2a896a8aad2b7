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

use crate::numbers::number;

/// Where the first watermark is written; before it stands how many there are (u64).
const WATERMARKS_START: usize = 8;
/// Bytes of one: the log's handle (u32), 4 bytes of nothing, the size (f64), and the head's hash.
const WATERMARK_LEN: usize = 48;

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

    /// Writes watermarks into `out`, whose layout stands in lib/native.ts, as far as there is room. False: some are left.
    ///
    /// The last ones, for which no other moves: whoever asks asks for all, and a call costs the same however many wait.
    pub fn write_watermarks(&mut self, out: &mut [u8]) -> bool {
        let Some((count, places)) = out.split_at_mut_checked(WATERMARKS_START) else {
            return self.watermarks.is_empty();
        };
        let places = places.as_chunks_mut::<WATERMARK_LEN>().0;
        let left = self.watermarks.len().saturating_sub(places.len());
        count.copy_from_slice(&((self.watermarks.len() - left) as u64).to_le_bytes());
        for (place, Watermark { log, head: Head { size, hash } }) in
            places.iter_mut().zip(self.watermarks.drain(left..))
        {
            self.watermark_of.remove(&log);
            place[..8].copy_from_slice(&u64::from(log).to_le_bytes());
            place[8..16].copy_from_slice(&number(size).to_le_bytes());
            place[16..].copy_from_slice(&hash);
        }
        left == 0
    }

    /// Takes the other events.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Puts back what was taken, ahead of what came since.
    pub fn give_back(&mut self, taken: impl Iterator<Item = Event>) {
        self.events.splice(..0, taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_handed_out_waits_again_ahead_of_what_came_since() {
        let mut queue = Queue::default();
        queue.push(Event::Done { request: 7, outcome: Ok(Answer::Nothing) });
        let events = queue.take_events();
        queue.push(Event::Done { request: 8, outcome: Ok(Answer::Nothing) });
        queue.give_back(events.into_iter());
        assert_eq!(taken(&mut queue), "a7 a8");
    }

    #[test]
    fn watermarks_that_find_no_room_stay_and_still_give_way_to_newer_ones() {
        let mut queue = Queue::default();
        for log in 1..=3 {
            queue.durable(log, head(10));
        }
        assert_eq!(written(&mut queue, 2), "d2=10 d3=10");
        queue.durable(1, head(11));
        queue.durable(3, head(12));
        assert_eq!(written(&mut queue, 2), "d1=11 d3=12");
        assert!(queue.is_empty());
        assert_eq!(written(&mut queue, 0), "");
    }

    fn head(size: u64) -> Head {
        Head { size, hash: [0; 32] }
    }

    /// All that waits in short: d(log)=(size), f(log), p(bytes), a(request).
    fn taken(queue: &mut Queue) -> String {
        let watermarks = written(queue, 9);
        let events = queue.take_events().into_iter().map(|event| match event {
            Event::Failed { log, .. } => format!("f{log}"),
            Event::Progress { bytes, .. } => format!("p{bytes}"),
            Event::Done { request, .. } => format!("a{request}"),
        });
        let watermarks = (!watermarks.is_empty()).then_some(watermarks);
        watermarks.into_iter().chain(events).collect::<Vec<_>>().join(" ")
    }

    /// The watermarks that find room.
    fn written(queue: &mut Queue, room: usize) -> String {
        let mut out = vec![0xff; WATERMARKS_START + room * WATERMARK_LEN];
        let all = queue.write_watermarks(&mut out);
        assert_eq!(all, queue.watermarks.is_empty());
        let (count, places) = out.split_at(WATERMARKS_START);
        let count = u64::from_le_bytes(count.try_into().unwrap()) as usize;
        let words = places.chunks_exact(WATERMARK_LEN).take(count).map(|place| {
            let log = u64::from_le_bytes(place[..8].try_into().unwrap());
            format!("d{log}={}", f64::from_le_bytes(place[8..16].try_into().unwrap()))
        });
        words.collect::<Vec<_>>().join(" ")
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
