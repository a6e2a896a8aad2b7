//! A segment as readers see it: its file, and the index that tells which frames hold which records.
//!
//! Invariant: the index names whole frames that lie one behind another. It may begin late, at the frame where recovery
//! began; what is before is walked when somebody asks for it.

use std::sync::Arc;

use parking_lot::RwLock;

use crate::disk;
use crate::error::{Damage, Error, Result};
use crate::format::{FRAMES_START, IndexEntry};
use crate::segment::Segment;

/// A segment open for reading.
pub struct View {
    /// The file; this descriptor is never written or synced through.
    pub segment: Segment,
    index: RwLock<Index>,
}

struct Index {
    entries: Vec<IndexEntry>,
    /// Frames between page 0 and here are not in `entries`.
    from: u64,
    /// End of the frames that are.
    end: u64,
}

/// A stretch of whole frames in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Position of the first frame.
    pub start: u64,
    /// Position after the last.
    pub end: u64,
    /// Offset of the first frame's first record.
    pub first_offset: u64,
    /// Offset of the first record behind, as the index says; none at the end of the index.
    pub next_offset: Option<u64>,
}

impl View {
    /// Over the frames that are indexed in `entries`: those from `from` to `end`.
    pub(super) fn new(segment: Segment, entries: Vec<IndexEntry>, from: u64, end: u64) -> Arc<Self> {
        Arc::new(Self { segment, index: RwLock::new(Index { entries, from, end }) })
    }

    /// Offset of its first record.
    pub(super) fn first_offset(&self) -> u64 {
        self.segment.header.first_offset
    }

    /// Walks what is not indexed yet.
    fn complete(&self) -> Result<()> {
        let from = self.index.read().from;
        if from <= FRAMES_START {
            return Ok(());
        }
        let mut entries = self.segment.walk_index(FRAMES_START, from)?;
        let mut index = self.index.write();
        // Somebody else may have walked the same frames meanwhile.
        if index.from == from {
            entries.append(&mut index.entries);
            index.entries = entries;
            index.from = FRAMES_START;
        }
        Ok(())
    }

    /// More frames, up to `end`.
    pub(super) fn extend(&self, entries: &[IndexEntry], end: u64) {
        let mut index = self.index.write();
        index.entries.extend_from_slice(entries);
        index.end = end;
    }

    /// The frames from the one that holds record `from` on, to the one that holds `to - 1`, but no more than
    /// `max_bytes` of them (one frame at least).
    pub fn span_from(&self, from: u64, to: u64, max_bytes: u64) -> Result<Span> {
        self.span(from, |index, base| {
            let first = index.holding(from - base)?;
            let start = index.entries[first].position();
            let mut next = first + 1;
            while index.starts_before(next, to - base) && index.position(next + 1) - start <= max_bytes {
                next += 1;
            }
            Some((first, next))
        })
    }

    /// The same from the other end: the frames up to the one that holds `to - 1`, back to the one that holds `from`.
    pub fn span_to(&self, from: u64, to: u64, max_bytes: u64) -> Result<Span> {
        self.span(from, |index, base| {
            let last = index.holding(to - 1 - base)?;
            let end = index.position(last + 1);
            let mut first = last;
            while first > 0
                && u64::from(index.entries[first].relative_offset) > from.saturating_sub(base)
                && end - index.position(first - 1) <= max_bytes
            {
                first -= 1;
            }
            Some((first, last + 1))
        })
    }

    fn span(&self, from: u64, pick: impl Fn(&Index, u64) -> Option<(usize, usize)>) -> Result<Span> {
        let base = self.first_offset();
        let known = self.index.read().entries.first().is_some_and(|e| base + u64::from(e.relative_offset) <= from);
        if !known {
            self.complete()?;
        }
        let index = self.index.read();
        let picked = pick(&index, base).map(|(first, next)| Span {
            start: index.entries[first].position(),
            end: index.position(next),
            first_offset: base + u64::from(index.entries[first].relative_offset),
            next_offset: index.entries.get(next).map(|entry| base + u64::from(entry.relative_offset)),
        });
        picked.ok_or_else(|| {
            let damage = Damage::new("the segment's index names no frame for a record", &self.segment.path);
            Error::corrupt(damage.offset(from))
        })
    }

    /// Every frame's entry.
    pub fn whole_index(&self) -> Result<Vec<IndexEntry>> {
        self.complete()?;
        Ok(self.index.read().entries.clone())
    }

    /// End of the indexed frames.
    pub fn end(&self) -> u64 {
        self.index.read().end
    }
}

impl Index {
    /// The entry of the frame that holds the record: state frames share the offset of the frame behind them, so it is
    /// the last entry that does not start after it.
    fn holding(&self, relative: u64) -> Option<usize> {
        self.entries.partition_point(|e| u64::from(e.relative_offset) <= relative).checked_sub(1)
    }
    /// Position of entry `at`, or the end of the frames.
    fn position(&self, at: usize) -> u64 {
        self.entries.get(at).map_or(self.end, |e| e.position())
    }
    fn starts_before(&self, at: usize, relative: u64) -> bool {
        self.entries.get(at).is_some_and(|e| u64::from(e.relative_offset) < relative)
    }
}

/// Reads the bytes of a span into the start of `buffer`, which grows as needed.
pub fn read_span<'a>(view: &View, span: Span, buffer: &'a mut Vec<u8>) -> Result<&'a [u8]> {
    let len = (span.end - span.start) as usize;
    if buffer.len() < len {
        buffer.resize(len, 0);
    }
    let got = disk::read_full_at(&*view.segment.file, &mut buffer[..len], span.start);
    Ok(&buffer[..got.map_err(|error| Error::io("read", &view.segment.path, error))?])
}
