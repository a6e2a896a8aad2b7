//! One segment's file: opening it, checking what page 0 and the footer state, reading its index.

use std::path::{Path, PathBuf};

use crate::disk::{self, Access, Disk, DiskFile};
use crate::error::{Damage, Error, Result, hex};
use crate::format::{
    self, EPOCH, FOOTER_LEN, FRAMES_START, Footer, HeaderError, INDEX_ENTRY_LEN, IndexEntry, MARK_LEN, Mark, PAGE_LEN,
    Position, SLOTS, SegmentHeader,
};
use crate::hash::{self, Keys, Peaks};
use crate::planted::{Bug, planted};
use crate::scan::{self, Step, Window};

/// The numbers of the segments in a folder, ascending, with their lengths. Every other name is not ours.
pub fn list(disk: &dyn Disk, dir: &Path) -> Result<Vec<(u32, u64)>> {
    let mut segments = list_once(disk, dir)?;
    // A listing is no snapshot: while a writer makes files, an older name may be missed though a newer one is seen. A
    // gap counts once the folder looks the same twice.
    while segments.windows(2).any(|pair| pair[1].0 != pair[0].0 + 1) {
        let again = list_once(disk, dir)?;
        if again == segments {
            break;
        }
        segments = again;
    }
    Ok(segments)
}

fn list_once(disk: &dyn Disk, dir: &Path) -> Result<Vec<(u32, u64)>> {
    let entries = disk.list(dir).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::not_found(dir),
        _ => Error::io("readdir", dir, error),
    })?;
    let files = entries.iter().filter(|e| e.kind == disk::EntryKind::File);
    let mut segments: Vec<_> = files.filter_map(|e| Some((format::segment_number(&e.name)?, e.len))).collect();
    segments.sort_unstable();
    Ok(segments)
}

/// The path of segment `number`.
pub fn path_of(dir: &Path, number: u32) -> PathBuf {
    dir.join(format::segment_name(number))
}

/// What page 0 of a file turned out to be.
pub enum Opened {
    /// A header whose checksum holds; nothing else about it is checked yet.
    Segment(Box<Segment>),
    /// Page 0 is all zeros (or the file is empty).
    Blank(Blank),
    /// Not a header.
    Damaged(Blank, &'static str),
}

/// A file without a usable header.
pub struct Blank {
    /// Number in the file's name.
    pub number: u32,
    /// Its path.
    pub path: PathBuf,
    /// Open descriptor.
    pub file: Box<dyn DiskFile>,
    /// Length of the file.
    pub len: u64,
}

/// A segment with a readable header.
pub struct Segment {
    /// Number in the file's name.
    pub number: u32,
    /// Its path.
    pub path: PathBuf,
    /// Open descriptor.
    pub file: Box<dyn DiskFile>,
    /// Length of the file when it was opened.
    pub len: u64,
    /// The header.
    pub header: SegmentHeader,
    /// Checks of frames, marks and footer in this segment are keyed with it. Zero until [`Segment::check`].
    pub frame_key: [u8; 32],
}

/// Opens segment `number` and looks at page 0.
pub fn open(disk: &dyn Disk, dir: &Path, number: u32, access: Access) -> Result<Opened> {
    let path = path_of(dir, number);
    let file = disk.open(&path, access).map_err(|error| Error::io("open", &path, error))?;
    let len = file.len().map_err(|error| Error::io("fstat", &path, error))?;
    let mut page = vec![0; PAGE_LEN.min(len) as usize];
    let got = disk::read_full_at(&*file, &mut page, 0).map_err(|error| Error::io("read", &path, error))?;
    page.truncate(got);
    if page.iter().all(|&b| b == 0) {
        return Ok(Opened::Blank(Blank { number, path, file, len }));
    }
    match SegmentHeader::parse(&page) {
        Ok(header) => Ok(Opened::Segment(Box::new(Segment { number, path, file, len, header, frame_key: [0; 32] }))),
        Err(HeaderError::Damaged(what)) => Ok(Opened::Damaged(Blank { number, path, file, len }, what)),
        Err(HeaderError::Newer(what)) => {
            Err(Error::unsupported(Damage::new(format!("the segment has {what}"), &path).at(0)))
        }
    }
}

/// Opens segment `number`, which must have a sound header of this log.
pub fn open_checked(disk: &dyn Disk, dir: &Path, number: u32, access: Access, keys: &Keys) -> Result<Segment> {
    match open(disk, dir, number, access)? {
        Opened::Segment(mut segment) => {
            segment.check(keys)?;
            Ok(*segment)
        }
        Opened::Blank(blank) => {
            Err(Error::corrupt(Damage::new("the segment header is missing (zeros)", &blank.path).at(0)))
        }
        Opened::Damaged(blank, what) => Err(Error::corrupt(Damage::new(what, &blank.path).at(0))),
    }
}

impl Segment {
    /// Compares everything the header states with the log's keys, and derives the segment's frame key.
    pub fn check(&mut self, keys: &Keys) -> Result<()> {
        let header = &self.header;
        let damage = |what: &str| Damage::new(what, &self.path).at(0);
        if header.id != *keys.id() {
            return Err(Error::corrupt(
                damage("the segment belongs to another log").versus(hex(keys.id()), hex(&header.id)),
            ));
        }
        if header.segment != self.number {
            let damage = damage("the segment's number is not that of its file name");
            return Err(Error::corrupt(damage.versus(self.number, header.segment)));
        }
        if header.epoch != EPOCH {
            return Err(Error::unsupported(damage("the segment's key epoch is unknown").versus(EPOCH, header.epoch)));
        }
        let same = |a: &[u8; 16], b: &[u8; 16]| hash::same(a, b) || planted(Bug::WrongSecretAccepted);
        if header.secret != keys.is_secret() || !same(&header.key_check, &keys.key_check()) {
            return Err(Error::corrupt(damage("the segment was sealed with another secret than its neighbours")));
        }
        let peaks = self.peaks()?;
        let head = peaks.head(keys);
        if head != header.head {
            let damage = damage("the header's head does not recompute from its peaks");
            return Err(Error::corrupt(damage.versus(hex(&head), hex(&header.head))));
        }
        let expected =
            hash::header_seal(keys, header.epoch, header.first_offset, header.kept_from, &head, &header.sealed_bytes());
        if !same(&expected, &header.seal) {
            return Err(Error::corrupt(damage("the header's seal does not recompute")));
        }
        self.frame_key = keys.frame_key(&header.nonce);
        Ok(())
    }

    /// Peaks at the segment's start.
    pub fn peaks(&self) -> Result<Peaks> {
        Peaks::from_parts(self.header.first_offset, self.header.peaks.clone()).ok_or_else(|| {
            Error::corrupt(Damage::new("the header's peaks do not fit its first offset", &self.path).at(0))
        })
    }

    /// The higher of the two slot marks, if any holds.
    pub fn slot_mark(&self) -> Result<Option<Mark>> {
        Ok(self.slots()?.into_iter().flatten().max_by_key(|mark| mark.position))
    }

    /// Writes a mark into the slot that does not hold the higher one. The caller syncs.
    pub fn write_slot(&self, mark: &Mark) -> Result<()> {
        let [a, b] = self.slots()?.map(|mark| mark.map_or(0, |m| m.position));
        let slot = SLOTS[usize::from(a > b)];
        let bytes = Mark { identity: 0, ..mark.clone() }.encode(&self.frame_key, slot);
        disk::write_all_at(&*self.file, &bytes, slot).map_err(|error| Error::io("write", &self.path, error))
    }

    /// True when a slot holds what is neither a mark nor zeros: its last write failed half-way. [`Segment::write_slot`]
    /// chooses such a slot first.
    pub fn has_damaged_slot(&self) -> Result<bool> {
        for slot in SLOTS {
            let bytes = self.slot_bytes(slot)?;
            if bytes.iter().any(|&b| b != 0) && Mark::parse(&bytes, &self.frame_key, slot).is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn slots(&self) -> Result<[Option<Mark>; 2]> {
        let mut marks = [None, None];
        for (slot, mark) in SLOTS.into_iter().zip(&mut marks) {
            let bytes = self.slot_bytes(slot)?;
            *mark = Mark::parse(&bytes, &self.frame_key, slot).filter(|m| m.segment == self.number);
        }
        Ok(marks)
    }

    fn slot_bytes(&self, slot: u64) -> Result<Vec<u8>> {
        let mut bytes = vec![0; MARK_LEN];
        let got = disk::read_full_at(&*self.file, &mut bytes, slot);
        bytes.truncate(got.map_err(|error| Error::io("read", &self.path, error))?);
        Ok(bytes)
    }

    /// The footer, when the file ends with a sound one of this segment.
    pub fn footer(&self, keys: &Keys) -> Result<Option<Footer>> {
        let Some(position) = self.len.checked_sub(FOOTER_LEN as u64).filter(|&p| p >= FRAMES_START) else {
            return Ok(None);
        };
        let mut bytes = [0; FOOTER_LEN];
        let got = disk::read_full_at(&*self.file, &mut bytes, position);
        let got = got.map_err(|error| Error::io("read", &self.path, error))?;
        let Some(footer) = Footer::parse(&bytes[..got], &self.frame_key, self.len) else {
            return Ok(None);
        };
        let damage = |what: &str| Damage::new(what, &self.path).at(position);
        let expected = hash::footer_seal(keys, footer.epoch, footer.first_offset, footer.end_offset, &footer.head);
        if !hash::same(&expected, &footer.seal) {
            return Err(Error::corrupt(damage("the footer's seal does not recompute")));
        }
        if footer.segment != self.number || footer.first_offset != self.header.first_offset {
            let damage = damage("the footer disagrees with the header");
            return Err(Error::corrupt(damage.versus(self.header.first_offset, footer.first_offset)));
        }
        Ok(Some(footer))
    }

    /// The stored index, or `None` when it is damaged or leads out of the frames (it can be rebuilt by [`Segment::walk_index`]).
    pub fn stored_index(&self, footer: &Footer) -> Result<Option<Vec<IndexEntry>>> {
        let mut bytes = vec![0; footer.index_count as usize * INDEX_ENTRY_LEN];
        let got = disk::read_full_at(&*self.file, &mut bytes, footer.frames_end);
        let got = got.map_err(|error| Error::io("read", &self.path, error))?;
        if got < bytes.len() || crc32c::crc32c(&bytes) != footer.index_crc {
            return Ok(None);
        }
        let entries = IndexEntry::parse_all(&bytes);
        // They ascend, so the first and the last tell that all lie between page 0 and the end of the frames.
        let frames = FRAMES_START..footer.frames_end;
        let inside = |entry: Option<&IndexEntry>| entry.is_none_or(|entry| frames.contains(&entry.position()));
        Ok(entries.filter(|entries| inside(entries.first()) && inside(entries.last())))
    }

    /// Index entries from the frame headers between `from` (a frame's position) and `end`.
    pub fn walk_index(&self, from: u64, end: u64) -> Result<Vec<IndexEntry>> {
        let mut window = Window::new(&*self.file, &self.path, end);
        let mut entries = Vec::new();
        let mut position = from;
        loop {
            match scan::step(&mut window, &self.frame_key, position)? {
                Step::Frame(header) => {
                    entries.extend(self.index_entry(&header, position));
                    position += header.frame_len();
                }
                Step::End => return Ok(entries),
                Step::NoFrame | Step::CutShort(_) => {
                    let damage = Damage::new("no frame where one must be", &self.path).at(position);
                    return Err(Error::corrupt(damage));
                }
            }
        }
    }

    /// The index entry of a frame of this segment.
    pub fn index_entry(&self, header: &format::FrameHeader, position: u64) -> Option<IndexEntry> {
        IndexEntry::new(header.first_offset.checked_sub(self.header.first_offset)?, position)
    }

    /// `position` in this segment.
    pub fn place(&self, position: u64) -> Position {
        Position { segment: self.number, position }
    }
}
