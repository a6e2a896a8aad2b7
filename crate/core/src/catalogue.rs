//! Where records are: the segments of an open log, found by offset, with their indexes.
//!
//! Headers and indexes of sealed segments are read when first needed, so opening costs the same for a log of any
//! size. The active segment's index grows with every group.

mod view;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::chain::Chain;
use crate::disk::{Access, Disk};
use crate::error::{Damage, Error, Result};
use crate::format::{FRAMES_START, IndexEntry, PAGE_LEN, SegmentHeader};
use crate::hash::Keys;
use crate::segment::{self, Segment};

pub use view::{Span, View, read_span};

/// Sealed segments kept open for reading.
const OPEN_MAX: usize = 64;

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
