//! What became of every record: copied, or left out and why.
//!
//! The account only grows: every record below [`Account::done`] was copied or is reported as left out.

use super::{LISTED_MAX, LeftOut, Run};

/// Where something is wrong.
struct Cause {
    segment: String,
    position: u64,
    why: String,
}

/// What was copied and what was not, in the order of the source's offsets.
#[derive(Default)]
pub struct Account {
    /// What was copied.
    pub runs: Vec<Run>,
    /// What was not.
    pub left_out: Vec<LeftOut>,
    /// How many records that are known to have been there.
    pub records_left_out: u64,
    /// Everything below was copied or reported.
    done: u64,
    /// The source is known to have held so many records.
    known: u64,
    /// The first thing found wrong since the last batch that was copied.
    cause: Option<Cause>,
}

impl Account {
    /// The source's first record is `from`.
    pub fn begin(&mut self, from: u64) {
        self.done = from;
    }

    /// Offset of the first record that nothing was said of yet.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Something states that the source held `records`.
    pub fn knows(&mut self, records: u64) {
        self.known = self.known.max(records);
    }

    /// What is wrong, kept until it is known which records it cost. The first cause counts.
    pub fn blame(&mut self, segment: &str, position: u64, why: &str) {
        self.cause.get_or_insert_with(|| Cause { segment: segment.to_owned(), position, why: why.to_owned() });
    }

    /// The records `from` to `to` are copied, as record `at` of the new log and those behind it.
    pub fn copied(&mut self, from: u64, to: u64, at: u64) {
        self.leave_out_to(from);
        self.cause = None;
        if let Some(run) = self.runs.last_mut().filter(|run| run.to == from) {
            run.to = to;
        } else if self.runs.len() < LISTED_MAX {
            self.runs.push(Run { from, to, at });
        }
        self.done = to;
    }

    /// Nothing more is to be copied.
    pub fn end(&mut self) {
        self.leave_out_to(self.known);
        // What is wrong at the end may have cost records that nothing else tells of.
        if let Some(Cause { segment, position, why }) = self.cause.take() {
            self.report(LeftOut { from: self.done, to: None, segment: Some(segment), position: Some(position), why });
        }
    }

    /// Records up to `to` are not copied.
    fn leave_out_to(&mut self, to: u64) {
        if to <= self.done {
            return;
        }
        let (segment, position, why) = match self.cause.take() {
            Some(Cause { segment, position, why }) => (Some(segment), Some(position), why),
            None => (None, None, "no frame holds them".to_owned()),
        };
        self.records_left_out += to - self.done;
        self.report(LeftOut { from: self.done, to: Some(to), segment, position, why });
        self.done = to;
    }

    fn report(&mut self, left_out: LeftOut) {
        if self.left_out.len() < LISTED_MAX {
            self.left_out.push(left_out);
        }
    }
}
