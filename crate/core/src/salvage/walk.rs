//! Walking the source: which batches are sound, and what lies between them.
//!
//! A frame is copied when its header's check, checksum, columns and seal hold and it lies at or behind what is accounted
//! for; where everything before it is known, its head must recompute too. A batch is copied when all its frames are, one
//! right after another.

use std::path::{Path, PathBuf};

use super::account::Account;
use super::copy::{Batch, Copier};
use crate::disk::{Access, Disk};
use crate::error::{Damage, Error, Result};
use crate::format::{self, FRAME_ALIGN, FRAMES_START, FrameHeader, PAGE_LEN, SegmentHeader};
use crate::frame::{self, FrameDamage, Rehasher, Replay};
use crate::hash::Keys;
use crate::record::Columns;
use crate::scan::{self, Step, Window};
use crate::segment::{self, Opened, Segment};
use crate::verify::Progress;
use crate::verify::survey::Listed;

/// Bytes between two looks at `progress`.
const TELL_BYTES: u64 = 1 << 20;

/// The id that a log without any sound header claims to have.
pub fn claimed_id(disk: &dyn Disk, dir: &Path, listed: &[Listed]) -> Result<[u8; 32]> {
    for segment in listed {
        if let Some((id, _)) = claims(disk, &segment::path_of(dir, segment.number))? {
            return Ok(id);
        }
    }
    let path = segment::path_of(dir, listed.first().map_or(1, |first| first.number));
    Err(Error::corrupt(Damage::new("no segment has a header that can be read", &path).at(0)))
}

fn claims(disk: &dyn Disk, path: &Path) -> Result<Option<([u8; 32], [u8; 16])>> {
    let file = disk.open(path, Access::Read).map_err(|error| Error::io("open", path, error))?;
    let mut page = [0; PAGE_LEN as usize];
    let got = crate::disk::read_full_at(&*file, &mut page, 0).map_err(|error| Error::io("read", path, error))?;
    Ok(SegmentHeader::claims(&page[..got]).filter(|(id, _)| *id != [0; 32]))
}

/// The walk and what came of it.
pub struct Walk<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    keys: &'a Keys,
    progress: &'a Progress<'a>,
    /// The new log.
    pub copier: Copier,
    /// What was copied and what was not.
    pub account: Account,
    /// Peaks, while everything up to the next frame is known.
    replay: Option<Replay>,
    rehasher: Rehasher,
    last_time: u64,
    /// The batch that has begun.
    batch: Option<Batch>,
    scratch: Vec<u8>,
    columns: Columns,
}

/// One segment's file, as far as it can be told from garbage.
struct Part {
    name: String,
    path: PathBuf,
    segment: Option<Segment>,
    file: Option<Box<dyn crate::disk::DiskFile>>,
    key: [u8; 32],
    /// Where its frames end.
    end: u64,
    /// Something states that end.
    stated: bool,
}

impl<'a> Walk<'a> {
    /// A walk over the log in `dir`.
    pub fn new(disk: &'a dyn Disk, dir: &'a Path, keys: &'a Keys, copier: Copier, progress: &'a Progress<'a>) -> Self {
        Self {
            disk,
            dir,
            keys,
            progress,
            copier,
            account: Account::default(),
            replay: None,
            rehasher: Rehasher::default(),
            last_time: 0,
            batch: None,
            scratch: Vec::new(),
            columns: Columns::default(),
        }
    }

    /// Copies from all segments; `stated` is the size that the live mark names.
    pub fn run(&mut self, segments: &[Listed], stated: Option<u64>) -> Result<()> {
        let progress = self.progress;
        let total = segments.iter().map(|listed| listed.len).sum();
        let mut done = 0;
        let newest = segments.iter().rev().find_map(|listed| listed.header.as_ref());
        self.account.begin(newest.filter(|header| header.id == *self.keys.id()).map_or(0, |header| header.kept_from));
        let mut next_nonce = None;
        let mut number = segments.first().map_or(1, |first| first.number);
        for (at, listed) in segments.iter().enumerate() {
            if listed.number != number {
                self.account.blame(&format::segment_name(number), 0, "a segment file is missing");
                next_nonce = None;
            }
            let next = segments.get(at + 1).filter(|next| next.number == listed.number + 1);
            let part = self.open(listed, next, next_nonce.take())?;
            if let Some(part) = part {
                next_nonce = part.segment.as_ref().map(|segment| segment.header.next_nonce);
                self.anchor(&part)?;
                let last = at + 1 == segments.len();
                self.frames(&part, last, &|position| report_to(progress, done + position, total))?;
            }
            self.drop_batch(&format::segment_name(listed.number), listed.len, "the batch does not end in its segment");
            done += listed.len;
            number = listed.number + 1;
        }
        self.account.knows(stated.unwrap_or(0));
        self.account.end();
        Ok(())
    }

    /// Opens a segment; `None` when no frame of it could be told from garbage.
    fn open(&mut self, listed: &Listed, next: Option<&Listed>, nonce: Option<[u8; 16]>) -> Result<Option<Part>> {
        let name = format::segment_name(listed.number);
        let path = segment::path_of(self.dir, listed.number);
        let next = next.and_then(|next| next.header.as_ref()).filter(|header| header.id == *self.keys.id());
        self.account.knows(next.map_or(0, |header| header.first_offset));
        let mut part = Part { name, path, segment: None, file: None, key: [0; 32], end: listed.len, stated: false };
        let nonce = match segment::open(self.disk, self.dir, listed.number, Access::Read)? {
            Opened::Segment(segment) if segment.header.id == *self.keys.id() => {
                part.key = self.keys.frame_key(&segment.header.nonce);
                part.segment = Some(*segment);
                None
            }
            Opened::Segment(_) => {
                self.account.blame(&part.name, 0, "the segment belongs to another log");
                return Ok(None);
            }
            Opened::Blank(blank) => {
                self.account.blame(&part.name, 0, "the segment header is missing (zeros)");
                part.file = Some(blank.file);
                nonce
            }
            Opened::Damaged(blank, what) => {
                self.account.blame(&part.name, 0, what);
                part.file = Some(blank.file);
                nonce.or(claims(self.disk, &part.path)?.map(|(_, nonce)| nonce))
            }
        };
        match (&part.segment, nonce) {
            (Some(_), _) => {}
            (None, Some(nonce)) => part.key = self.keys.frame_key(&nonce),
            (None, None) => return Ok(None),
        }
        let footer = match &mut part.segment {
            Some(segment) => {
                segment.frame_key = part.key;
                // One whose seal does not recompute says nothing.
                match segment.footer(self.keys) {
                    Ok(footer) => footer,
                    Err(Error::Corrupt(_)) => None,
                    Err(error) => return Err(error),
                }
            }
            None => None,
        };
        if let Some(segment) = &part.segment {
            let mark = segment.slot_mark()?;
            self.account.knows(mark.map_or(0, |mark| mark.size));
        }
        self.account.knows(footer.as_ref().map_or(0, |footer| footer.end_offset));
        let stated = footer.map(|footer| footer.frames_end).or(next.map(|header| header.predecessor_end));
        part.stated = stated.is_some();
        if stated.is_some_and(|end| end > listed.len) {
            self.account.blame(&part.name, listed.len, "the segment is cut short");
        }
        part.end = stated.unwrap_or(listed.len).min(listed.len);
        Ok(Some(part))
    }

    /// A sound header states the log's state again where it was lost.
    fn anchor(&mut self, part: &Part) -> Result<()> {
        let Some(segment) = &part.segment else { return Ok(()) };
        self.account.knows(segment.header.first_offset);
        if self.replay.as_ref().is_some_and(|replay| replay.peaks.size() == segment.header.first_offset) {
            return Ok(());
        }
        let peaks = match segment.peaks() {
            Ok(peaks) => peaks,
            Err(Error::Corrupt(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let header = &segment.header;
        let head = peaks.head(self.keys);
        let seal = crate::hash::header_seal(
            self.keys,
            header.epoch,
            header.first_offset,
            header.kept_from,
            &head,
            &header.sealed_bytes(),
        );
        if head == header.head && crate::hash::same(&seal, &header.seal) && header.first_offset >= self.account.done() {
            self.replay = Some(Replay::new(peaks, header.last_time.max(self.last_time)));
        }
        Ok(())
    }

    fn frames(&mut self, part: &Part, last: bool, tell: &dyn Fn(u64) -> Result<()>) -> Result<()> {
        let Some(file) = part.segment.as_ref().map(|segment| &segment.file).or(part.file.as_ref()) else {
            return Ok(());
        };
        let mut window = Window::new(&**file, &part.path, part.end);
        let (mut at, mut tell_at) = (FRAMES_START, 0);
        loop {
            if at >= tell_at {
                tell(at)?;
                tell_at = at + TELL_BYTES;
            }
            let what = match scan::step(&mut window, &part.key, at)? {
                Step::Frame(header) => {
                    let bytes = window.at(at, header.frame_len() as usize)?;
                    self.frame(part, at, &header, bytes)?;
                    at += header.frame_len();
                    continue;
                }
                Step::End => return Ok(()),
                Step::NoFrame => "no sound frame header where a frame must be",
                Step::CutShort(header) => {
                    self.account.knows(header.end_offset());
                    "the frame is cut short"
                }
            };
            let next = scan::next_frame(&mut window, &part.key, at + FRAME_ALIGN)?;
            // Zeros behind the newest frame are room for more.
            if next.is_none() && last && !part.stated && window.first_nonzero(at)?.is_none() {
                return Ok(());
            }
            self.drop_batch(&part.name, at, what);
            self.account.blame(&part.name, at, what);
            match next {
                Some((position, _)) => at = position,
                None => return Ok(()),
            }
        }
    }

    fn frame(&mut self, part: &Part, at: u64, header: &FrameHeader, bytes: &[u8]) -> Result<()> {
        self.account.knows(header.end_offset());
        let checked = frame::stored_body(header, bytes).and_then(|stored| {
            if header.flags.state() { self.state(header, stored) } else { self.records(header, stored) }
        });
        match checked {
            Ok(()) if header.flags.state() || !header.flags.last() => Ok(()),
            Ok(()) => self.commit(),
            Err(damage) if damage.newer => {
                let place = Damage::new(damage.what, &part.path).at(at).offset(header.first_offset);
                Err(Error::unsupported(place))
            }
            Err(damage) => {
                self.drop_batch(&part.name, at, &damage.what);
                self.account.blame(&part.name, at, &damage.what);
                Ok(())
            }
        }
    }

    /// A state frame states the log's state again where it was lost.
    fn state(&mut self, header: &FrameHeader, stored: &[u8]) -> Result<(), FrameDamage> {
        let state = Replay::from_state(self.keys, header, stored)?;
        let unknown = self.replay.as_ref().is_none_or(|replay| replay.peaks.size() != state.peaks.size());
        if unknown
            && self.batch.is_none()
            && state.peaks.size() >= self.account.done()
            && state.last_time >= self.last_time
        {
            self.replay = Some(state);
        }
        Ok(())
    }

    /// Checks a frame of records and adds them to the batch that has begun.
    fn records(&mut self, header: &FrameHeader, stored: &[u8]) -> Result<(), FrameDamage> {
        if self.replay.as_ref().is_some_and(|replay| replay.peaks.size() != header.first_offset) {
            self.replay = None;
        }
        let last_time = match &mut self.replay {
            Some(replay) => {
                let applied = replay.apply(self.keys, header, stored);
                let last_time = replay.last_time;
                if let Err(damage) = applied {
                    self.replay = None;
                    return Err(damage);
                }
                last_time
            }
            None => self.rehasher.frame(self.keys, header, stored)?.last_time,
        };
        if header.first_offset < self.account.done() || header.base_time < self.last_time {
            return Err(contradiction("the frame repeats offsets or goes back in time"));
        }
        match &self.batch {
            _ if header.flags.first() => {
                // Whatever had begun before did not end.
                self.batch = Some(Batch { from: header.first_offset, ..Batch::default() });
            }
            Some(batch) if batch.to == header.first_offset => {}
            _ => return Err(contradiction("the beginning of the batch is missing")),
        }
        let body = frame::decode(header, frame::raw_body(header, stored, &mut self.scratch)?, &mut self.columns)?;
        let Some(batch) = &mut self.batch else { return Ok(()) };
        for record in body.records() {
            if record.kind != 0 {
                return Err(contradiction("the frame holds records that are no data, which are not copied"));
            }
            batch.payloads.extend_from_slice(record.payload);
            batch.lengths.push(record.payload.len() as u32);
            batch.times.push(record.time);
        }
        batch.to = header.end_offset();
        self.last_time = last_time;
        Ok(())
    }

    /// The batch is whole: it is copied.
    fn commit(&mut self) -> Result<()> {
        let Some(batch) = self.batch.take() else { return Ok(()) };
        self.account.copied(batch.from, batch.to, self.copier.records);
        self.copier.batch(&batch)
    }

    /// The batch that has begun will not end.
    fn drop_batch(&mut self, segment: &str, position: u64, why: &str) {
        if self.batch.take().is_some() {
            self.account.blame(segment, position, why);
        }
    }
}

fn report_to(progress: &Progress<'_>, done: u64, total: u64) -> Result<()> {
    if progress(done, total) { Ok(()) } else { Err(Error::Aborted) }
}

fn contradiction(what: &str) -> FrameDamage {
    FrameDamage::contradiction(what, "", "")
}
