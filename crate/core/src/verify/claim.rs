//! Heads that the log must contain: the caller's, and that of an open log in memory. Recomputed at any size, also
//! inside a frame.

use std::path::Path;

use super::fold::Fold;
use super::report::Problem;
use super::stretch::{Content, Fact, Source};
use crate::error::{Damage, HeadClaim, Result, hex};
use crate::format::FrameHeader;
use crate::frame;
use crate::hash::{Hash, Keys, Peaks};

/// Who holds the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// The caller, from a receipt.
    Caller,
    /// The open log.
    Memory,
}

/// A head to look for.
pub struct Claim {
    holds: Holds,
    head: HeadClaim,
    found: Option<Found>,
}

struct Found {
    hash: Hash,
    /// Recomputed from the records, not only stated by a frame.
    recomputed: bool,
}

impl Claim {
    /// A head that `holds` knows.
    pub fn new(holds: Holds, head: HeadClaim) -> Self {
        Self { holds, head, found: None }
    }

    /// Size of the head.
    pub fn size(&self) -> u64 {
        self.head.size
    }

    fn settle(&mut self, hash: Hash, recomputed: bool) {
        if self.found.as_ref().is_none_or(|found| recomputed && !found.recomputed) {
            self.found = Some(Found { hash, recomputed });
        }
    }

    /// A segment starts here, or the log.
    pub fn at_start(&mut self, size: u64, head: Hash) {
        if size == self.head.size {
            self.settle(head, true);
        }
    }

    /// True when the head lies inside this frame, so that [`Claim::inside`] needs the peaks before it.
    pub fn is_inside(&self, header: &FrameHeader) -> bool {
        header.first_offset < self.head.size && self.head.size < header.end_offset()
    }

    /// Recomputes the head from the first records of a frame and the peaks before it.
    pub fn inside(&mut self, keys: &Keys, source: &Source, fact: &Fact, peaks: Option<Peaks>) -> Result<()> {
        let (Some(mut peaks), Content::Records(..)) = (peaks, &fact.content) else { return Ok(()) };
        let mut bytes = vec![0; fact.header.frame_len() as usize];
        let got = source.read(&mut bytes, fact.position)?;
        let count = (self.head.size - fact.header.first_offset) as usize;
        let stored = frame::stored_body(&fact.header, &bytes[..got]);
        // Damage was reported with the frame.
        if let Ok(leaves) = stored.and_then(|stored| frame::first_leaves(keys, &fact.header, stored, count))
            && peaks.size() == fact.header.first_offset
        {
            peaks.extend(keys, &leaves, &mut Vec::new());
            self.settle(peaks.head(keys), true);
        }
        Ok(())
    }

    /// A frame has been taken in.
    pub fn after(&mut self, header: &FrameHeader, fold: &Fold) {
        if header.end_offset() == self.head.size {
            let recomputed = fold.head();
            self.settle(recomputed.unwrap_or(header.head), recomputed.is_some());
        }
    }

    /// True when this is a head that the caller kept, and the records give it.
    pub fn proves(&self, id: &[u8; 32]) -> bool {
        let found = self.found.as_ref().is_some_and(|found| found.recomputed && found.hash == self.head.hash);
        found && self.head.id == *id && self.holds == Holds::Caller
    }

    /// What is wrong at the end of the walk: the log ended with `end`, at `place` in a file. `lost` tells that a
    /// problem says already where records are missing.
    pub fn problem(&self, end: &HeadClaim, dir: &Path, place: Option<(&Path, u64)>, lost: bool) -> Option<Problem> {
        let place = |what: &str| match (self.holds, place) {
            (Holds::Memory, Some((file, position))) => Damage::new(what, file).at(position).offset(end.size),
            _ => Damage { what: what.to_owned(), path: dir.to_owned(), ..Damage::default() },
        };
        let damage = if self.head.id != end.id {
            place("this is another log than the expected head's").versus(hex(&self.head.id), hex(&end.id))
        } else if self.head.size > end.size {
            if self.holds == Holds::Memory && lost {
                return None;
            }
            let what = match self.holds {
                Holds::Caller => "the log is shorter than the expected head",
                Holds::Memory => "records that were durable are missing at the end",
            };
            place(what).versus(self.head, end)
        } else {
            let found = self.found.as_ref().filter(|found| found.hash != self.head.hash)?;
            let what = match self.holds {
                Holds::Caller => "the log has another hash at the expected head's size",
                Holds::Memory => "the files hold other records than the open log wrote",
            };
            place(what).versus(self.head, HeadClaim { hash: found.hash, ..self.head })
        };
        let code = match self.holds {
            Holds::Caller => "VARVE_HEAD_MISMATCH",
            Holds::Memory => "VARVE_CORRUPT",
        };
        Some(Problem::new(code, damage))
    }
}
