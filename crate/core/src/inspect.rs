//! What a log's folder holds, told from headers, footers and marks: for `inspect` and the CLI.
//!
//! No lock is taken and nothing is written; a log that `open` refuses is described as far as it can be.

use std::path::Path;

use crate::disk::{self, Access, Disk};
use crate::error::{Damage, Error, HeadClaim, Holder, Result};
use crate::format::{self, FOOTER_LEN, FRAMES_START, Footer, LIVE_MARK_POSITION, MARK_LEN, Mark, SLOTS, SegmentHeader};
use crate::frame;
use crate::hash::Keys;
use crate::host::Host;
use crate::lock::LockFile;
use crate::scan::{self, Step, Window};
use crate::segment::{self, Opened, Segment};

/// What `inspect` tells of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The durable end, as the files state it.
    pub head: HeadClaim,
    /// First offset that was not pruned.
    pub first_offset: u64,
    /// Name of the encoding.
    pub encoding: String,
    /// True when a secret keys the seals.
    pub keyed: bool,
    /// Who has the log open for writing now, as far as this system tells.
    pub locked_by: Option<Holder>,
    /// The segments with a name in the folder, ascending; the spare among them with no records.
    pub segments: Vec<SegmentInfo>,
}

/// One segment's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentInfo {
    /// File name.
    pub file: String,
    /// Offset of its first record.
    pub first_offset: u64,
    /// Number of its records; 0 where damage hides it.
    pub count: u64,
    /// Length of the file; of the newest one, more than is used.
    pub bytes: u64,
    /// Bytes of its frames; 0 where damage hides where they end.
    pub frame_bytes: u64,
    /// True when it ends with a sound footer.
    pub sealed: bool,
}

/// Describes the log in `dir`. Needs no secret, so seals are not checked. Blocks, briefly: it reads page 0 and the
/// footer of every segment, and of the newest one what no mark tells.
///
/// Where damage hides a segment's records its count is what its neighbours leave for it, else 0; `verify` tells why.
pub fn inspect(host: &Host, dir: &Path) -> Result<Info> {
    let dir = host.disk.absolute(dir).map_err(|error| Error::io("getcwd", dir, error))?;
    let disk = &*host.disk;
    // The mark comes before the listing, so that what it names is listed.
    let lock = LockFile::look(disk, &dir)?;
    let mark = lock.as_ref().map(LockFile::mark_bytes).transpose()?.flatten();
    let locked_by = lock.as_ref().map(LockFile::held_by).transpose()?.flatten();
    let mut seen = Vec::new();
    for (number, len) in segment::list(disk, &dir)? {
        seen.push(look(disk, &dir, number, len)?);
    }
    let Some(last) = seen.iter().rposition(|seen| seen.header.is_some()) else {
        return Err(no_header(&dir, seen.first().map(|seen| seen.number)));
    };
    let mut end = HeadClaim { id: [0; 32], size: 0, hash: [0; 32] };
    let (mut encoding, mut keyed, mut first_offset) = (String::new(), false, 0);
    if let Some(header) = &seen[last].header {
        (encoding, keyed, first_offset) = (header.encoding.clone(), header.secret, header.kept_from);
        end = HeadClaim { id: header.id, size: header.first_offset, hash: header.head };
    }
    match (&seen[last].footer, open(disk, &dir, seen[last].number, &end.id)?) {
        (Some(footer), _) => (end.size, end.hash) = (footer.end_offset, footer.head),
        (None, Some(segment)) => (end, seen[last].frames_end) = open_end(&segment, mark, locked_by.is_some(), end)?,
        (None, None) => {}
    }
    let segments = (0..seen.len()).map(|at| describe(&seen, at, end.size)).collect();
    Ok(Info { head: end, first_offset, encoding, keyed, locked_by, segments })
}

/// A segment's file, looked at from both ends.
struct Seen {
    number: u32,
    len: u64,
    header: Option<SegmentHeader>,
    footer: Option<Footer>,
    /// Where the frames of the newest segment end.
    frames_end: u64,
}

fn look(disk: &dyn Disk, dir: &Path, number: u32, len: u64) -> Result<Seen> {
    let unknown = Seen { number, len, header: None, footer: None, frames_end: 0 };
    match segment::open(disk, dir, number, Access::Read) {
        Ok(Opened::Segment(segment)) => {
            let footer = footer(&segment)?;
            Ok(Seen { number, len: segment.len, header: Some(segment.header), footer, frames_end: 0 })
        }
        Ok(Opened::Blank(_) | Opened::Damaged(..)) | Err(Error::Unsupported(_)) => Ok(unknown),
        Err(error) => Err(error),
    }
}

fn footer(segment: &Segment) -> Result<Option<Footer>> {
    let Some(position) = segment.len.checked_sub(FOOTER_LEN as u64) else { return Ok(None) };
    let mut bytes = [0; FOOTER_LEN];
    let got = disk::read_full_at(&*segment.file, &mut bytes, position);
    let got = got.map_err(|error| Error::io("read", &segment.path, error))?;
    let key = Keys::new(&segment.header.id, None).frame_key(&segment.header.nonce);
    Ok(Footer::parse(&bytes[..got], &key, segment.len))
}

/// The newest segment, for walking it. The key of its frames depends on no secret.
fn open(disk: &dyn Disk, dir: &Path, number: u32, id: &[u8; 32]) -> Result<Option<Segment>> {
    match segment::open(disk, dir, number, Access::Read) {
        Ok(Opened::Segment(mut segment)) => {
            segment.frame_key = Keys::new(id, None).frame_key(&segment.header.nonce);
            Ok(Some(*segment))
        }
        Ok(_) | Err(Error::Unsupported(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The end of the newest segment: the highest mark, and the whole batches behind it unless a writer is at work there.
/// With the position where its frames end.
fn open_end(
    segment: &Segment,
    live: Option<[u8; MARK_LEN]>,
    writing: bool,
    start: HeadClaim,
) -> Result<(HeadClaim, u64)> {
    let live = live.and_then(|bytes| Mark::parse(&bytes, &segment.frame_key, LIVE_MARK_POSITION));
    let identity = segment.file.identity().map_err(|error| Error::io("fstat", &segment.path, error))?;
    let live = live.filter(|mark| mark.identity == identity && mark.segment == segment.number);
    let mut window = Window::new(&*segment.file, &segment.path, segment.len);
    let (mut end, mut at) = (start, FRAMES_START);
    let mut take = |mark: Mark| {
        if mark.position >= at {
            end = HeadClaim { size: mark.size, hash: mark.head, ..end };
            at = mark.position;
        }
    };
    for slot in SLOTS {
        let mark = Mark::parse(window.at(slot, MARK_LEN)?, &segment.frame_key, slot);
        mark.filter(|mark| mark.segment == segment.number).into_iter().for_each(&mut take);
    }
    if let Some(mark) = live {
        take(mark);
        if writing {
            return Ok((end, at));
        }
    }
    let mut whole = at;
    while let Step::Frame(header) = scan::step(&mut window, &segment.frame_key, at)? {
        if frame::stored_body(&header, window.at(at, header.frame_len() as usize)?).is_err() {
            break;
        }
        at += header.frame_len();
        if header.flags.last() {
            end = HeadClaim { size: header.end_offset(), hash: header.head, ..end };
            whole = at;
        }
    }
    Ok((end, whole))
}

fn describe(seen: &[Seen], at: usize, size: u64) -> SegmentInfo {
    let this = &seen[at];
    let next_starts = || {
        let next = seen.get(at + 1).filter(|next| next.number == this.number + 1)?;
        next.header.as_ref().map(|header| header.first_offset)
    };
    let before_ends = || seen[..at].last().and_then(|before| before.footer.as_ref()).map(|footer| footer.end_offset);
    let first_offset = match &this.header {
        Some(header) => header.first_offset,
        None => before_ends().or_else(next_starts).unwrap_or(size),
    };
    let newer = seen[at + 1..].iter().any(|seen| seen.header.is_some());
    let end = match &this.footer {
        Some(footer) => Some(footer.end_offset),
        None if newer => next_starts(),
        None => this.header.as_ref().map(|_| size),
    };
    let next_says = || {
        let next = seen.get(at + 1).filter(|next| next.number == this.number + 1)?;
        next.header.as_ref().map(|header| header.predecessor_end)
    };
    let frames_end = this.footer.as_ref().map(|footer| footer.frames_end).or_else(next_says);
    SegmentInfo {
        file: format::segment_name(this.number),
        first_offset,
        count: end.map_or(0, |end| end.saturating_sub(first_offset)),
        bytes: this.len,
        frame_bytes: frames_end.unwrap_or(this.frames_end).saturating_sub(FRAMES_START),
        sealed: this.footer.is_some(),
    }
}

fn no_header(dir: &Path, first: Option<u32>) -> Error {
    match first {
        None => Error::not_found(dir),
        Some(number) => {
            let path = segment::path_of(dir, number);
            Error::corrupt(Damage::new("no segment has a header that can be read", &path).at(0))
        }
    }
}
