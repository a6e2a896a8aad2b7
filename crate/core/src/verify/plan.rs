//! Cuts a segment's frames into stretches: by its index while that leads from frame to frame, else by frame headers.
//!
//! The index is only a hint here: a stretch that does not start where the one before ends is thrown away.

use std::ops::Range;
use std::sync::Arc;

use super::index::IndexReader;
use super::stretch::{STRETCH_BYTES, Source};
use crate::error::Result;

/// Longest stretch of more than one frame.
const HINTED_MAX: u64 = 8 * STRETCH_BYTES;

/// Where the next stretch starts, and how to find its end.
pub struct Plan {
    source: Arc<Source>,
    at: u64,
    hints: Option<IndexReader>,
    /// No frame stands at `at`.
    stuck: bool,
}

impl Plan {
    /// Starts at `at`.
    pub fn new(source: &Arc<Source>, at: u64, hints: Option<IndexReader>) -> Self {
        Self { source: Arc::clone(source), at, hints, stuck: false }
    }

    /// Goes on at `at`, without the index.
    pub fn restart(&mut self, at: u64) {
        self.at = at;
        self.hints = None;
        self.stuck = false;
    }

    /// The next stretch; `None` at the end, and where no frame stands.
    pub fn next(&mut self) -> Result<Option<Range<u64>>> {
        if self.stuck || self.at >= self.source.end {
            return Ok(None);
        }
        let start = self.at;
        if let Some(hints) = &mut self.hints {
            let end = hints.position_from(&self.source, start + STRETCH_BYTES)?.unwrap_or(self.source.end);
            // An index that leaves so much out is either wrong or about large records, whose headers are few.
            let frame_len = || Ok(self.source.header_at(start)?.map_or(0, |header| header.frame_len()));
            if end <= self.source.end && (end - start <= HINTED_MAX || end - start == frame_len()?) {
                self.at = end;
            } else {
                self.hints = None;
            }
        }
        if self.hints.is_none() {
            self.walk_headers()?;
        }
        Ok((self.at > start).then_some(start..self.at))
    }

    fn walk_headers(&mut self) -> Result<()> {
        let until = (self.at + STRETCH_BYTES).min(self.source.end);
        while self.at < until {
            match self.source.header_at(self.at)? {
                Some(header) if self.at + header.frame_len() <= self.source.end => self.at += header.frame_len(),
                _ => {
                    self.stuck = true;
                    break;
                }
            }
        }
        Ok(())
    }
}
