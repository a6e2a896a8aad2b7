//! What the folder holds: the segments, whose log they are, what the newest file is. Every check that needs no look at
//! the frames of the active segment is made here, and nothing is changed.

use std::path::Path;

use crate::disk::{Access, Disk};
use crate::error::{Damage, Error, Result, hex};
use crate::format::{LIVE_MARK_POSITION, MARK_LEN, Mark};
use crate::hash::{self, Keys};
use crate::lock::LockFile;
use crate::options::{ENCODING_BUFFER, Options};
use crate::planted::{Bug, planted};
use crate::scan::Window;
use crate::segment::{self, Blank, Opened, Segment};

use super::predecessor::{self, Before};

/// What the folder holds, before anything is decided.
pub struct Survey {
    /// Numbers of the segments with frames, ascending; the last is `active`.
    pub numbers: Vec<u32>,
    /// The newest segment with a header.
    pub active: Segment,
    /// Keys of the log.
    pub keys: Keys,
    /// The newest file when it holds no segment yet.
    pub spare: Option<Blank>,
    /// The newest file when its first group was torn.
    pub torn: Option<Blank>,
    /// The segment before `active`.
    pub before: Option<Before>,
    /// The mark in `lock`, where it speaks of these very files.
    pub live_mark: Option<Mark>,
}

/// The live mark's bytes, read before the folder is listed: what it names is then in the listing.
pub type LiveMark = [u8; MARK_LEN];

/// Lists the folder, opens what recovery needs, and refuses what no crash can have left. With `end` (see
/// [`super::observe`]) later segments than the one that it names count for nothing.
pub fn survey(
    disk: &dyn Disk,
    dir: &Path,
    options: &Options,
    access: Access,
    end: Option<&LiveMark>,
) -> Result<Survey> {
    let listing = segment::list(disk, dir)?;
    let mut numbers: Vec<u32> = listing.iter().map(|&(number, _)| number).collect();
    if let Some(end) = end.filter(|_| !planted(Bug::RotationShown))
        && let Some(end) = named(disk, dir, options, &numbers, end)?
    {
        // The writer rotates: the first group of the next segment is perhaps written and not durable.
        numbers.retain(|&number| number <= end);
    }
    let Some(&newest) = numbers.last() else {
        return Err(Error::not_found(dir));
    };
    if let Some(gap) = numbers.windows(2).find(|pair| pair[1] != pair[0] + 1) {
        return Err(missing(dir, gap[0] + 1));
    }
    let (mut spare, mut torn) = (None, None);
    let opened = match segment::open(disk, dir, newest, access)? {
        Opened::Segment(segment) => Opened::Segment(segment),
        // A first segment has its header before it has its name.
        blank if numbers.len() == 1 => blank,
        Opened::Blank(blank) => {
            let mut window = Window::new(&*blank.file, &blank.path, blank.len);
            if window.first_nonzero(0)?.is_none() {
                spare = Some(blank);
            } else {
                torn = Some(blank);
            }
            numbers.pop();
            segment::open(disk, dir, newest - 1, access)?
        }
        Opened::Damaged(blank, _) => {
            torn = Some(blank);
            numbers.pop();
            segment::open(disk, dir, newest - 1, access)?
        }
    };
    let mut active = match opened {
        Opened::Segment(segment) => *segment,
        Opened::Blank(blank) => return Err(no_header(&blank, "the segment header is missing (zeros)")),
        Opened::Damaged(blank, what) => return Err(no_header(&blank, what)),
    };
    let keys = Keys::new(&active.header.id, options.secret.as_deref());
    if let Some(expected) = options.expect_head.filter(|claim| claim.id != active.header.id) {
        let found = format!("a log with id {}", hex(&active.header.id));
        return Err(Error::HeadMismatch {
            path: dir.to_owned(),
            what: "it is another log",
            expected: Box::new(expected),
            found,
        });
    }
    check_secret(disk, dir, &numbers, &active, &keys)?;
    active.check(&keys)?;
    if options.encoding != ENCODING_BUFFER && options.encoding != active.header.encoding {
        let (stored, given) = (active.header.encoding.clone(), options.encoding.clone());
        return Err(Error::EncodingMismatch { path: dir.to_owned(), stored, given });
    }
    check_lowest(disk, dir, &numbers, &active, &keys)?;
    let before = predecessor::look(disk, dir, &numbers, &active, &keys, access)?;
    let live_mark = live_mark(disk, dir, &active, torn.as_ref(), &keys, end)?;
    Ok(Survey { numbers, active, keys, spare, torn, before, live_mark })
}

fn missing(dir: &Path, number: u32) -> Error {
    let damage = Damage::new("a segment file is missing", &segment::path_of(dir, number));
    Error::corrupt(damage)
}

pub fn no_header(blank: &Blank, what: &str) -> Error {
    Error::corrupt(Damage::new(what, &blank.path).at(0))
}

/// The key check differs in every segment: the secret is wrong. In some: those were damaged or forged.
fn check_secret(disk: &dyn Disk, dir: &Path, numbers: &[u32], active: &Segment, keys: &Keys) -> Result<()> {
    let fits = |s: &Segment| s.header.secret == keys.is_secret() && hash::same(&s.header.key_check, &keys.key_check());
    if fits(active) {
        return Ok(());
    }
    for &number in numbers.iter().rev().skip(1) {
        if let Opened::Segment(other) = segment::open(disk, dir, number, Access::Read)?
            && fits(&other)
        {
            let what = "the segment was sealed with another secret than its neighbours";
            return Err(Error::corrupt(Damage::new(what, &active.path).at(0)));
        }
    }
    let what = match (active.header.secret, keys.is_secret()) {
        (true, false) => "a secret is needed but none was given",
        (false, true) => "a secret was given, but none was set at creation,",
        _ => "the secret is wrong",
    };
    Err(Error::WrongSecret { path: dir.to_owned(), what })
}

/// The lowest segment starts where pruning stopped; otherwise files before it are missing.
fn check_lowest(disk: &dyn Disk, dir: &Path, numbers: &[u32], active: &Segment, keys: &Keys) -> Result<()> {
    let Some(&lowest) = numbers.first() else { return Ok(()) };
    let first_offset = if lowest == active.number {
        active.header.first_offset
    } else {
        segment::open_checked(disk, dir, lowest, Access::Read, keys)?.header.first_offset
    };
    if first_offset > active.header.kept_from {
        return Err(missing(dir, lowest.saturating_sub(1)));
    }
    Ok(())
}

/// The segment that a live mark names, where the mark is sound and of this very file.
fn named(disk: &dyn Disk, dir: &Path, options: &Options, numbers: &[u32], bytes: &LiveMark) -> Result<Option<u32>> {
    let Some(number) = Mark::peek_segment(bytes).filter(|number| numbers.contains(number)) else { return Ok(None) };
    let Opened::Segment(segment) = segment::open(disk, dir, number, Access::Read)? else { return Ok(None) };
    let keys = Keys::new(&segment.header.id, options.secret.as_deref());
    let mark = Mark::parse(bytes, &keys.frame_key(&segment.header.nonce), LIVE_MARK_POSITION);
    let identity = segment.file.identity().map_err(|error| Error::io("fstat", &segment.path, error))?;
    Ok(mark.filter(|mark| mark.identity == identity).map(|_| number))
}

/// The live mark, when it speaks of a file that is still the same one. It may name the active segment, the torn
/// newest file, or a file that is gone.
fn live_mark(
    disk: &dyn Disk,
    dir: &Path,
    active: &Segment,
    torn: Option<&Blank>,
    keys: &Keys,
    end: Option<&LiveMark>,
) -> Result<Option<Mark>> {
    let read = || LockFile::look(disk, dir)?.map(|lock| lock.mark_bytes()).transpose();
    let Some(bytes) = end.map_or_else(|| Ok(read()?.flatten()), |bytes| Ok(Some(*bytes)))? else { return Ok(None) };
    let number = Mark::peek_segment(&bytes).unwrap_or(0);
    let next_key = keys.frame_key(&active.header.next_nonce);
    let (key, file, path) = match torn {
        _ if number == active.number => (&active.frame_key, Some(&active.file), &active.path),
        Some(blank) if number == blank.number => (&next_key, Some(&blank.file), &blank.path),
        _ if number == active.number + 1 => (&next_key, None, &active.path),
        _ => return Ok(None),
    };
    let Some(mark) = Mark::parse(&bytes, key, LIVE_MARK_POSITION) else { return Ok(None) };
    match file {
        Some(file) => {
            let identity = file.identity().map_err(|error| Error::io("fstat", path, error))?;
            Ok((identity == mark.identity).then_some(mark))
        }
        // The next segment was durable here and its file is gone; that inodes cannot be compared is no excuse.
        None => Ok(Some(mark)),
    }
}
