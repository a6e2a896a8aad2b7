//! The log's state as the walk goes on, frame after frame: peaks, offsets, times, batches.
//!
//! After damage the peaks are unknown until something states them again under a seal: a state frame or the next
//! segment's header. Until then every frame is still checked by itself, and that offsets and times go on.

use std::sync::Arc;

use super::stretch::{Content, Fact};
use crate::format::{FrameHeader, Position};
use crate::frame::FrameDamage;
use crate::hash::{Hash, Keys, Peaks};
use crate::planted::{Bug, planted};

/// Where a whole batch ended.
#[derive(Debug, Clone, Copy, Default)]
pub struct Whole {
    /// Records of the log up to there.
    pub size: u64,
    /// Head at that size.
    pub head: Hash,
    /// Records found sound on the way there.
    pub records: u64,
    /// Position in the segment.
    pub position: u64,
}

/// The state after the frames seen so far.
pub struct Fold {
    keys: Arc<Keys>,
    /// Peaks, while they are known.
    pub peaks: Option<Peaks>,
    /// The next record's offset, while it is known.
    pub next: Option<u64>,
    /// Time of the last record seen.
    pub last_time: u64,
    /// True when `last_time` is the time of the record before the next one.
    pub time_known: bool,
    /// Head that the last frame or header states.
    pub stated: Hash,
    /// After the last whole batch.
    pub whole: Whole,
    /// Records in sound frames.
    pub records: u64,
    inside_batch: Option<bool>,
    /// The head before this frame did not recompute either.
    missed: bool,
}

impl Fold {
    /// Before everything: an empty log.
    pub fn new(keys: &Arc<Keys>) -> Self {
        let peaks = Peaks::new();
        let head = peaks.head(keys);
        Self {
            keys: Arc::clone(keys),
            whole: Whole { head, ..Whole::default() },
            stated: head,
            peaks: Some(peaks),
            next: Some(0),
            last_time: 0,
            time_known: true,
            records: 0,
            inside_batch: Some(false),
            missed: false,
        }
    }

    /// Head of the known peaks.
    pub fn head(&self) -> Option<Hash> {
        self.peaks.as_ref().map(|peaks| peaks.head(&self.keys))
    }

    /// Something was lost here.
    pub fn lose(&mut self) {
        self.peaks = None;
        self.next = None;
        self.time_known = false;
        self.inside_batch = None;
    }

    /// Starts again from what a segment header states.
    pub fn anchor(&mut self, peaks: Peaks, head: Hash, last_time: u64) {
        self.next = Some(peaks.size());
        self.whole.records = self.records;
        self.whole.size = peaks.size();
        self.whole.head = head;
        self.stated = head;
        self.peaks = Some(peaks);
        self.last_time = last_time;
        self.time_known = true;
        self.missed = false;
    }

    /// A segment begins. Batches lie within one.
    pub fn begin_segment(&mut self, position: u64) {
        self.inside_batch = Some(false);
        self.whole.position = position;
    }

    /// True between the first and the last frame of a batch.
    pub fn inside_batch(&self) -> bool {
        self.inside_batch == Some(true)
    }

    /// Takes in the next frame, which stands in segment `number`; gives everything that contradicts what came before.
    pub fn frame(&mut self, number: u32, fact: &Fact, nodes: &[Hash]) -> Vec<FrameDamage> {
        let header = &fact.header;
        let mut damages: Vec<FrameDamage> = fact.damage.iter().cloned().collect();
        self.place(number, fact, &mut damages);
        match &fact.content {
            Content::Records(last_time, _) => {
                self.next = Some(header.end_offset());
                self.last_time = *last_time;
                self.time_known = true;
                if let Some(peaks) = &mut self.peaks {
                    peaks.join(&self.keys, u64::from(header.count), nodes);
                }
            }
            Content::State(peaks, last_time) => self.state(header, peaks, *last_time, &mut damages),
            Content::Unknown => {
                self.next = Some(header.end_offset());
                self.last_time = self.last_time.max(header.base_time);
                self.time_known = false;
                if header.count > 0 {
                    self.peaks = None;
                }
            }
        }
        self.compare_head(header, &mut damages);
        if damages.is_empty() {
            self.records += u64::from(header.count);
        }
        self.stated = header.head;
        self.inside_batch = Some(!header.flags.last());
        if header.flags.last() {
            let position = fact.position + header.frame_len();
            self.whole = Whole { size: header.end_offset(), head: header.head, records: self.records, position };
        }
        damages
    }

    fn place(&mut self, number: u32, fact: &Fact, damages: &mut Vec<FrameDamage>) {
        let header = &fact.header;
        if let Some(next) = self.next.filter(|&next| next != header.first_offset) {
            damages.push(FrameDamage::contradiction("the frame does not continue the log", next, header.first_offset));
            self.peaks = None;
        }
        if header.base_time < self.last_time {
            damages.push(FrameDamage::contradiction("time runs backwards", self.last_time, header.base_time));
        }
        if let Some(inside) = self.inside_batch.filter(|&inside| inside == header.flags.first()) {
            let (expected, found) = if inside { ("no FIRST", "FIRST") } else { ("FIRST", "no FIRST") };
            damages.push(FrameDamage::contradiction("batches overlap", expected, found));
        }
        let here = Position { segment: number, position: fact.position };
        if header.durable_to > here {
            let show = |place: Position| format!("segment {} position {}", place.segment, place.position);
            let (expected, found) = (format!("at most {}", show(here)), show(header.durable_to));
            damages.push(FrameDamage::contradiction("the frame attests what comes after it", expected, found));
        }
    }

    fn state(&mut self, header: &FrameHeader, peaks: &Peaks, last_time: u64, damages: &mut Vec<FrameDamage>) {
        if self.peaks.as_ref().is_some_and(|known| known != peaks) {
            let what = "a state frame disagrees with the records before it";
            damages.push(FrameDamage::contradiction(what, "their peaks", "others"));
        } else {
            self.peaks = Some(peaks.clone());
        }
        if header.base_time != last_time || (self.time_known && self.last_time != last_time) {
            let expected = if self.time_known { self.last_time } else { header.base_time };
            let what = "a state frame states another time than the record before it";
            damages.push(FrameDamage::contradiction(what, expected, last_time));
        }
        self.next = Some(header.first_offset);
        self.last_time = self.last_time.max(last_time);
        self.time_known = true;
    }

    fn compare_head(&mut self, header: &FrameHeader, damages: &mut Vec<FrameDamage>) {
        let Some(head) = self.head() else { return };
        if head == header.head || planted(Bug::HeadNotVerified) {
            self.missed = false;
            return;
        }
        let hex = crate::error::hex;
        damages.push(FrameDamage::contradiction("the frame's head does not recompute", hex(&head), hex(&header.head)));
        // One head may be wrong by itself. Two in a row: it is the records before that differ, and every head behind
        // would say so again.
        if std::mem::replace(&mut self.missed, true) {
            self.peaks = None;
        }
    }
}
