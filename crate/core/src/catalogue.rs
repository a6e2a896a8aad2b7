//! Where records are: the segments of an open log, found by offset, with their indexes.
//!
//! Headers and indexes of sealed segments are read when first needed, so opening costs the same for a log of any
//! size. The active segment's index grows with every group; what was written before the last state frame is walked
//! only when somebody reads it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::chain::Chain;
use crate::disk::{self, Access, Disk};
use crate::error::{Damage, Error, Result};
use crate::format::{FRAMES_START, IndexEntry, PAGE_LEN, SegmentHeader};
use crate::hash::Keys;
use crate::segment::{self, Segment};

/// Sealed segments kept open for reading.
const OPEN_MAX: usize = 64;

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
    fn new(segment: Segment, entries: Vec<IndexEntry>, from: u64, end: u64) -> Arc<Self> {
        Arc::new(Self { segment, index: RwLock::new(Index { entries, from, end }) })
    }

    fn first_offset(&self) -> u64 {
        self.segment.header.first_offset
    }

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

    fn extend(&self, entries: &[IndexEntry], end: u64) {
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

struct Slot {
    number: u32,
    view: Option<Arc<View>>,
    /// Known once the header was read.
    first_offset: Option<u64>,
    used: u64,
}

struct Slots {
    /// Ascending, without gaps; the last one is active.
    slots: Vec<Slot>,
    clock: u64,
}

/// The segments of an open log.
pub struct Catalogue {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    keys: Arc<Keys>,
    slots: Mutex<Slots>,
}

impl Catalogue {
    /// The segments `numbers`; the last is active, and of its frames those that recovery walked are indexed.
    pub fn new(
        disk: &Arc<dyn Disk>,
        dir: &Path,
        keys: &Arc<Keys>,
        numbers: &[u32],
        active: &Segment,
        chain: &Chain,
    ) -> Result<Self> {
        let mut slots: Vec<Slot> =
            numbers.iter().map(|&number| Slot { number, view: None, first_offset: None, used: 0 }).collect();
        if let Some(last) = slots.last_mut() {
            let segment = reading_copy(&**disk, active)?;
            last.first_offset = Some(active.header.first_offset);
            last.view = Some(View::new(segment, chain.index.clone(), chain.walked_from, chain.position));
        }
        let slots = Mutex::new(Slots { slots, clock: 0 });
        Ok(Self { disk: Arc::clone(disk), dir: dir.to_owned(), keys: Arc::clone(keys), slots })
    }

    /// Number of the newest segment with frames.
    pub fn newest(&self) -> u32 {
        self.slots.lock().slots.last().map_or(0, |slot| slot.number)
    }

    /// A new active segment, whose header is given since it is perhaps not on the device yet.
    pub fn add_active(&self, number: u32, header: SegmentHeader, frame_key: [u8; 32]) -> Result<()> {
        let path = segment::path_of(&self.dir, number);
        let file = self.disk.open(&path, Access::Read).map_err(|error| Error::io("open", &path, error))?;
        let first_offset = Some(header.first_offset);
        let segment = Segment { number, path, file, len: PAGE_LEN, header, frame_key };
        let view = Some(View::new(segment, Vec::new(), FRAMES_START, FRAMES_START));
        let mut slots = self.slots.lock();
        slots.slots.push(Slot { number, view, first_offset, used: 0 });
        // A log that only rotates must not keep every segment that it left open.
        slots.evict();
        Ok(())
    }

    /// A segment was sealed: its index, which a growing log would pile up, stands in the file from now on. Whoever reads
    /// there at this moment keeps what they have.
    pub fn sealed(&self, number: u32) {
        let mut slots = self.slots.lock();
        let view = slots.slots.iter_mut().find(|slot| slot.number == number).and_then(|slot| slot.view.take());
        drop(slots);
        drop(view); // outside the lock: it may close a file
    }

    /// More frames in the active segment.
    pub fn extend_active(&self, entries: &[IndexEntry], end: u64) {
        if let Some(view) = self.slots.lock().slots.last().and_then(|slot| slot.view.clone()) {
            view.extend(entries, end);
        }
    }

    /// The active segment.
    pub fn active(&self) -> Result<Arc<View>> {
        let last = self.slots.lock().slots.len().saturating_sub(1);
        self.view_at(last)
    }

    /// The segment that holds record `offset`, which is below the durable size, and the offset after its last record
    /// (`None` in the active one).
    pub fn holding(&self, offset: u64) -> Result<(Arc<View>, Option<u64>)> {
        let count = self.slots.lock().slots.len();
        let (mut low, mut high) = (0, count);
        while high - low > 1 {
            let middle = usize::midpoint(low, high);
            if self.first_offset(middle)? <= offset { low = middle } else { high = middle }
        }
        let end = if low + 1 < count { Some(self.first_offset(low + 1)?) } else { None };
        Ok((self.view_at(low)?, end))
    }

    /// The first segment whose successor starts after time `ms`, with the end of its records.
    pub fn holding_time(&self, ms: u64) -> Result<(Arc<View>, Option<u64>)> {
        let count = self.slots.lock().slots.len();
        let (mut low, mut high) = (0, count);
        // A header tells the time of the last record before its segment.
        while high - low > 1 {
            let middle = usize::midpoint(low, high);
            if self.view_at(middle)?.segment.header.last_time < ms { low = middle } else { high = middle }
        }
        let end = if low + 1 < count { Some(self.first_offset(low + 1)?) } else { None };
        Ok((self.view_at(low)?, end))
    }

    /// Every index entry of a segment.
    pub fn whole_index(&self, number: u32) -> Result<Vec<IndexEntry>> {
        let at = self.slots.lock().slots.iter().position(|slot| slot.number == number);
        self.view_at(at.unwrap_or(usize::MAX))?.whole_index()
    }

    fn first_offset(&self, at: usize) -> Result<u64> {
        if let Some(first_offset) = self.slots.lock().slots.get(at).and_then(|slot| slot.first_offset) {
            return Ok(first_offset);
        }
        Ok(self.view_at(at)?.first_offset())
    }

    fn view_at(&self, at: usize) -> Result<Arc<View>> {
        let (number, last) = {
            let mut slots = self.slots.lock();
            slots.clock += 1;
            let clock = slots.clock;
            let last = at + 1 == slots.slots.len();
            let Some(slot) = slots.slots.get_mut(at) else {
                return Err(Error::Internal(format!("segment {at} of the catalogue does not exist")));
            };
            slot.used = clock;
            if let Some(view) = &slot.view {
                return Ok(Arc::clone(view));
            }
            (slot.number, last)
        };
        // Opened outside the lock: a slow disk must not hold up those who append.
        let view = self.open(number, last)?;
        let mut slots = self.slots.lock();
        if let Some(slot) = slots.slots.iter_mut().find(|slot| slot.number == number) {
            slot.first_offset = Some(view.first_offset());
            slot.view = Some(Arc::clone(&view));
        }
        slots.evict();
        Ok(view)
    }

    fn open(&self, number: u32, active: bool) -> Result<Arc<View>> {
        let segment = segment::open_checked(&*self.disk, &self.dir, number, Access::Read, &self.keys)?;
        if let Some(footer) = segment.footer(&self.keys)? {
            let index = match segment.stored_index(&footer)? {
                Some(index) => index,
                // Damaged, which `verify` reports; the frames themselves tell the same.
                None => segment.walk_index(FRAMES_START, footer.frames_end)?,
            };
            return Ok(View::new(segment, index, FRAMES_START, footer.frames_end));
        }
        if active {
            return Err(Error::Internal("the active segment is not open".to_owned()));
        }
        // A writer elsewhere is about to seal it; its successor says where it ends.
        let next = segment::open_checked(&*self.disk, &self.dir, number + 1, Access::Read, &self.keys)?;
        let end = next.header.predecessor_end;
        if end > PAGE_LEN && segment.len >= end {
            let index = segment.walk_index(FRAMES_START, end)?;
            return Ok(View::new(segment, index, FRAMES_START, end));
        }
        let damage = Damage::new("a sealed segment has no sound footer", &segment.path).at(segment.len);
        Err(Error::corrupt(damage))
    }
}

impl Slots {
    fn evict(&mut self) {
        let open = self.slots.iter().filter(|slot| slot.view.is_some()).count();
        let sealed = self.slots.len().saturating_sub(2);
        if open <= OPEN_MAX {
            return;
        }
        let oldest = self.slots[..sealed].iter_mut().filter(|slot| slot.view.is_some()).min_by_key(|slot| slot.used);
        if let Some(slot) = oldest {
            slot.view = None;
        }
    }
}

/// The active segment through a descriptor of its own: the writer's does all syncs and is used by one thread.
fn reading_copy(disk: &dyn Disk, active: &Segment) -> Result<Segment> {
    let file = disk.open(&active.path, Access::Read).map_err(|error| Error::io("open", &active.path, error))?;
    Ok(Segment {
        number: active.number,
        path: active.path.clone(),
        file,
        len: active.len,
        header: active.header.clone(),
        frame_key: active.frame_key,
    })
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
