//! Stage 2, I/O: stamp, write, sync, mark. Nothing of a group is written before the sync of the group before it has
//! returned, so every frame can state what was durable when it was written.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::chain::Chain;
use crate::disk;
use crate::error::{Error, Result};
use crate::format::{Mark, PAGE_LEN, Position, frame_header};
use crate::lock::LockFile;
use crate::log::Shared;
use crate::options::{Durability, Options};
use crate::planted::{Bug, planted};
use crate::sealing::Summary;
use crate::segment::Segment;
use crate::stats::Counters;

use super::direct::DirectWriter;
use super::prefill::Prefill;
use super::prepare::{Prepared, Preparer};
use super::rotation::{Sealable, Spare};
use super::{Head, syncs_every_group};

/// What a flushed group changed.
pub struct Flushed {
    /// The end that may be acknowledged.
    pub head: Head,
    /// Time of the last record.
    pub last_time: u64,
    /// The segment that this group's rotation left behind.
    pub sealable: Option<Sealable>,
}

/// A point in the log: what a mark states.
#[derive(Clone, Copy)]
struct Point {
    head: Head,
    place: Position,
    last_time: u64,
}

/// The state of stage 2.
pub struct Flusher {
    durability: Durability,
    segment_bytes: u64,
    active: Segment,
    identity: u64,
    lock: Option<LockFile>,
    /// After the last write.
    written: Point,
    /// After the last sync.
    synced: Point,
    /// Position of the last state frame written to the active segment; 0 without one.
    state_position: u64,
    /// What a slot of page 0 states.
    slot_position: u64,
    prefill: Prefill,
    direct: DirectWriter,
    /// Groups from this size on are written by it.
    direct_bytes: u64,
    counters: Arc<Mutex<Counters>>,
}

impl Flusher {
    pub fn new(
        options: &Options,
        prefill_pays: bool,
        lock: LockFile,
        active: Segment,
        chain: &Chain,
        head: Head,
        counters: Arc<Mutex<Counters>>,
    ) -> Result<Self> {
        let identity = active.file.identity().map_err(|error| Error::io("fstat", &active.path, error))?;
        let slot_position = active.slot_mark()?.map_or(0, |mark| mark.position);
        let point = Point { head, place: active.place(chain.position), last_time: chain.replay.last_time };
        Ok(Self {
            durability: options.durability,
            segment_bytes: options.segment_bytes,
            active,
            identity,
            lock: Some(lock),
            written: point,
            // Recovery has synced what it kept, or found it attested.
            synced: point,
            state_position: chain.state_position,
            slot_position,
            prefill: Prefill::new(options.tuning.prefill_groups, prefill_pays && syncs_every_group(options.durability)),
            direct: DirectWriter::new(options.tuning.direct_bytes),
            direct_bytes: options.tuning.direct_bytes,
            counters,
        })
    }

    /// Records that the last sync covered.
    pub fn synced_size(&self) -> u64 {
        self.synced.head.size
    }

    /// Head after them.
    pub fn synced_head(&self) -> Head {
        self.synced.head
    }

    /// Records written.
    pub fn written_size(&self) -> u64 {
        self.written.head.size
    }

    /// True when the next rotation comes near.
    pub fn wants_spare(&self) -> bool {
        self.written.place.position >= self.segment_bytes / 2
    }

    /// Writes a group and, by default, syncs it.
    pub fn flush(&mut self, log: &Shared, mut group: Vec<Prepared>) -> Result<Flushed> {
        let sealable = match group.first_mut().map(|part| (part.rotation.take(), part.spare.take())) {
            Some((Some(header), Some(spare))) => Some(self.rotate(log, *header, spare)?),
            _ => None,
        };
        for part in &mut group {
            for &at in &part.frames {
                let position = part.position + at as u64;
                let own = planted(Bug::DurableToByStage1).then(|| self.active.place(position));
                let durable_to = own.unwrap_or(self.synced.place);
                frame_header::stamp(&mut part.bytes[at..], &self.active.frame_key, durable_to, position);
            }
        }
        self.write(&mut group).map_err(|error| Error::io("write", &self.active.path, error))?;
        for part in &group {
            self.count(part);
        }
        let records = group.iter().map(|part| part.records).sum();
        self.counters.lock().group_records.record(records);
        // The segment before is sealed once this returns, and a sealed segment promises a successor.
        let must_sync = sealable.is_some() && !planted(Bug::SealedBeforeSuccessor);
        if planted(Bug::AcknowledgedBeforeSync) {
            log.listener.durable(self.written.head);
        }
        if syncs_every_group(self.durability) || must_sync {
            self.sync(log)?;
        }
        self.prefill.note_group(bytes_of(&group));
        for part in &group {
            log.catalogue.extend_active(&part.index, part.position + part.bytes.len() as u64);
        }
        Ok(Flushed { head: self.written.head, last_time: self.written.last_time, sealable })
    }

    fn write(&mut self, group: &mut [Prepared]) -> std::io::Result<()> {
        let file = &*self.active.file;
        let parts = if planted(Bug::FirstPartAcknowledged) { 1.min(group.len()) } else { group.len() };
        let group = &mut group[..parts];
        // With durability 'os' the page cache is what the caller asked for.
        let large = bytes_of(group) >= self.direct_bytes && syncs_every_group(self.durability);
        if let Some(first) = group.first()
            && large
            && self.direct.is_for(file)
        {
            let position = first.position;
            return self.direct.write(file, group.iter_mut().map(|part| &mut part.bytes), position);
        }
        let Some((last, before)) = group.split_last_mut() else { return Ok(()) };
        before.iter().try_for_each(|part| disk::write_all_at(file, &part.bytes, part.position))?;
        let len = last.bytes.len();
        let end = last.position + len as u64;
        let zeros = self.prefill.rest_of_block(end);
        last.bytes.pad(zeros as usize);
        let written = disk::write_all_at(file, &last.bytes, last.position);
        last.bytes.unpad(len);
        written?;
        self.prefill.wrote_to(end + zeros);
        Ok(())
    }

    fn count(&mut self, part: &Prepared) {
        self.written = Point {
            head: Head { size: part.size, hash: part.head },
            place: self.active.place(part.position + part.bytes.len() as u64),
            last_time: part.last_time,
        };
        self.state_position = part.state_position.unwrap_or(self.state_position);
        let mut counters = self.counters.lock();
        counters.records += part.records;
        counters.payload_bytes += part.payload_bytes;
        counters.stored_bytes += part.bytes.len() as u64;
    }

    /// Makes everything written durable, then says so in the live mark.
    pub fn sync(&mut self, log: &Shared) -> Result<()> {
        let started = Instant::now();
        if planted(Bug::MarkBeforeSync) {
            self.synced = self.written;
            self.write_live_mark(log)?;
        }
        self.sync_active()?;
        self.counters.lock().sync_micros.record_micros(started.elapsed());
        self.synced = self.written;
        self.write_live_mark(log)
    }

    fn sync_active(&self) -> Result<()> {
        let Segment { file, path, .. } = &self.active;
        let mut synced = if planted(Bug::NoDataSync) { Ok(()) } else { file.sync_data() };
        if planted(Bug::FailedSyncRetried) {
            synced = synced.or_else(|_| file.sync_data());
        }
        if planted(Bug::FailedSyncIgnored) {
            synced = Ok(());
        }
        synced.map_err(|error| Error::io("fdatasync", path, error))
    }

    fn write_live_mark(&self, log: &Shared) -> Result<()> {
        // Another file of this log may have failed meanwhile: then nothing more is stated to be durable.
        if log.failure().is_none() {
            let mark = self.mark();
            if let Some(lock) = &self.lock {
                lock.write_mark(&mark, &self.active.frame_key)?;
            }
        }
        Ok(())
    }

    fn mark(&self) -> Mark {
        Mark {
            segment: self.active.number,
            identity: self.identity,
            position: self.synced.place.position,
            size: self.synced.head.size,
            last_time: self.synced.last_time,
            state_position: self.state_position,
            head: self.synced.head.hash,
        }
    }

    /// Writes the synced point into page 0, with a sync of its own. Nothing happens when it stands there already.
    pub fn mark_slot(&mut self) -> Result<()> {
        let position = self.synced.place.position;
        let behind = self.synced.place.segment != self.active.number || self.written.place != self.synced.place;
        if behind || position == self.slot_position {
            return Ok(());
        }
        self.active.write_slot(&self.mark())?;
        self.sync_active()?;
        self.slot_position = position;
        Ok(())
    }

    /// Leaves the active segment for `spare`, whose page 0 is written here and synced with its first group.
    fn rotate(&mut self, log: &Shared, header: crate::format::SegmentHeader, spare: Spare) -> Result<Sealable> {
        // The new header states where the old segment ends, so that end must be durable first.
        if self.synced.place != self.written.place {
            self.sync(log)?;
        }
        let mut page = header.encode();
        page.resize(PAGE_LEN as usize, 0);
        let Spare { number, path, file } = spare;
        disk::write_all_at(&*file, &page, 0).map_err(|error| Error::io("write", &path, error))?;
        self.identity = file.identity().map_err(|error| Error::io("fstat", &path, error))?;
        let frame_key = log.keys.frame_key(&header.nonce);
        log.catalogue.add_active(number, header.clone(), frame_key)?;
        let old = std::mem::replace(&mut self.active, Segment { number, path, file, len: PAGE_LEN, header, frame_key });
        self.state_position = 0;
        self.slot_position = 0;
        self.prefill.rotated();
        self.direct.rotated();
        let summary = Summary {
            segment: old.number,
            frames_end: self.written.place.position,
            first_offset: old.header.first_offset,
            end_offset: self.written.head.size,
            last_time: self.written.last_time,
            head: self.written.head.hash,
        };
        Ok(Sealable { segment: old, summary })
    }

    /// Fills a little space ahead, where that makes small appends faster.
    pub fn prefill(&mut self, log: &Shared) -> Result<()> {
        self.prefill.fill(&*log.host.disk, &self.active, self.written.place.position, self.segment_bytes)
    }

    /// The end of a clean close: a state frame, the mark in page 0, an empty spare.
    pub fn close(&mut self, log: &Shared, preparer: &mut Preparer, spare: Option<Spare>) -> Result<()> {
        if let Some(part) = preparer.closing_part(&log.keys) {
            self.flush(log, vec![part])?;
        }
        if self.synced.place != self.written.place {
            self.sync(log)?;
        }
        self.mark_slot()?;
        // Reopening then need not look through prefilled space.
        let Segment { file, path, .. } = &self.active;
        let end = self.synced.place.position;
        if file.len().map_err(|error| Error::io("fstat", path, error))? > end {
            crate::repair::cut(&**file, path, end)?;
        }
        if let Some(spare) = spare {
            let len = spare.file.len().map_err(|error| Error::io("fstat", &spare.path, error))?;
            if len > 0 {
                crate::repair::cut(&*spare.file, &spare.path, 0)?;
            }
        }
        Ok(())
    }

    /// Nothing came for a while: gives back memory that only large groups need.
    pub fn rest(&mut self) {
        self.direct.rest();
    }

    /// Releases the writer lock.
    pub fn release(&mut self) {
        self.lock = None;
    }
}

fn bytes_of(group: &[Prepared]) -> u64 {
    group.iter().map(|part| part.bytes.len() as u64).sum()
}
