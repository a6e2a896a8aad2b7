//! Which head does the log state at some earlier size? For `expectHead`, before anything is changed.
//!
//! Every frame states the head after it, so for a receipt's head one header is read. Sizes inside a frame are
//! recomputed from the segment's start. That the stated heads recompute from the records is what `verify` checks.

use std::path::Path;

use crate::chain::{self, Chain};
use crate::disk::{self, Access, Disk};
use crate::error::{Damage, Error, HeadClaim, Result};
use crate::format::{FRAME_HEADER_LEN, FRAMES_START, FrameHeader, IndexEntry};
use crate::frame;
use crate::hash::{Hash, Keys};
use crate::planted::{Bug, planted};
use crate::segment::{self, Segment};

/// A log under recovery.
pub struct Log<'a> {
    /// Files.
    pub disk: &'a dyn Disk,
    /// Folder.
    pub dir: &'a Path,
    /// Keys.
    pub keys: &'a Keys,
    /// Segments, ascending; the last is the active one.
    pub numbers: &'a [u32],
    /// Active segment.
    pub active: &'a Segment,
    /// Its chain.
    pub chain: &'a Chain,
}

impl Log<'_> {
    /// Refuses unless the log contains `expected`, whose id the caller has compared.
    pub fn check(&self, expected: &HeadClaim) -> Result<()> {
        let size = self.chain.replay.peaks.size();
        let (what, size, hash) = if expected.size > size {
            ("the log is shorter", size, self.chain.replay.peaks.head(self.keys))
        } else {
            ("it has another hash at that size", expected.size, self.head_at(expected.size)?)
        };
        if size == expected.size && (hash == expected.hash || planted(Bug::KeptHeadNotCompared)) {
            return Ok(());
        }
        let found = HeadClaim { id: *self.keys.id(), size, hash };
        let (path, expected) = (self.dir.to_owned(), Box::new(*expected));
        Err(Error::HeadMismatch { path, what, expected, found: found.to_string() })
    }

    fn head_at(&self, size: u64) -> Result<Hash> {
        if size == self.chain.replay.peaks.size() {
            return Ok(self.chain.replay.peaks.head(self.keys));
        }
        if size >= self.active.header.first_offset {
            let mut index = Vec::new();
            if self.chain.walked_from > FRAMES_START {
                index = self.active.walk_index(FRAMES_START, self.chain.walked_from)?;
            }
            index.extend_from_slice(&self.chain.index);
            return self.head_in(self.active, &index, size);
        }
        let segment = self.segment_of(size)?;
        let footer = segment.footer(self.keys)?;
        let stored = footer.as_ref().map(|footer| segment.stored_index(footer)).transpose()?.flatten();
        let index = match (stored, footer) {
            (Some(index), _) => index,
            (None, Some(footer)) => segment.walk_index(FRAMES_START, footer.frames_end)?,
            // Only the segment before the active one may still lack its footer.
            (None, None) => segment.walk_index(FRAMES_START, self.active.header.predecessor_end)?,
        };
        self.head_in(&segment, &index, size)
    }

    fn segment_of(&self, offset: u64) -> Result<Segment> {
        let open = |number| segment::open_checked(self.disk, self.dir, number, Access::Read, self.keys);
        let (mut low, mut high) = (0, self.numbers.len());
        while high - low > 1 {
            let middle = usize::midpoint(low, high);
            if open(self.numbers[middle])?.header.first_offset <= offset { low = middle } else { high = middle }
        }
        open(self.numbers[low])
    }

    fn head_in(&self, segment: &Segment, index: &[IndexEntry], size: u64) -> Result<Hash> {
        if size == segment.header.first_offset {
            return Ok(segment.header.head);
        }
        let relative = size - segment.header.first_offset;
        let at = index.partition_point(|entry| u64::from(entry.relative_offset) < relative);
        let no_frame = |position| {
            Error::corrupt(Damage::new("no frame where the index names one", &segment.path).at(position).offset(size))
        };
        let position = index.get(at.wrapping_sub(1)).ok_or_else(|| no_frame(FRAMES_START))?.position();
        let read = |len: u64| {
            let mut bytes = vec![0; len as usize];
            let got = disk::read_full_at(&*segment.file, &mut bytes, position);
            bytes.truncate(got.map_err(|error| Error::io("read", &segment.path, error))?);
            Ok::<_, Error>(bytes)
        };
        let header = FrameHeader::parse(&read(FRAME_HEADER_LEN as u64)?, &segment.frame_key, position);
        let header =
            header.filter(|h| h.first_offset < size && size <= h.end_offset()).ok_or_else(|| no_frame(position))?;
        if header.end_offset() == size {
            return Ok(header.head);
        }
        let mut chain = chain::walk_whole(segment, self.keys, position)?;
        let bytes = read(header.frame_len())?;
        let damaged = |damage| chain::contradiction(segment, position, &header, damage);
        let stored = frame::stored_body(&header, &bytes).map_err(damaged)?;
        let count = (size - header.first_offset) as usize;
        let leaves = frame::first_leaves(self.keys, &header, stored, count).map_err(damaged)?;
        chain.peaks.extend(self.keys, &leaves, &mut Vec::new());
        Ok(chain.peaks.head(self.keys))
    }
}
