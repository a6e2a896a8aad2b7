//! The first look at a folder: which segments there are, whose log it is, whether files are missing, and where the
//! walk starts and ends.

use std::path::Path;

use super::report::{Problem, Problems};
use crate::disk::{Access, Disk};
use crate::error::{Damage, Error, Result, hex};
use crate::format::{self, FRAMES_START, LIVE_MARK_POSITION, MARK_LEN, Mark, Position, SLOTS, SegmentHeader};
use crate::hash::{self, Keys};
use crate::lock::LockFile;
use crate::planted::{Bug, planted};
use crate::scan::{self, Window};
use crate::segment::{self, Blank, Opened};

/// A segment's file at first sight.
pub struct Listed {
    /// Number in the file's name.
    pub number: u32,
    /// Length when it was listed.
    pub len: u64,
    /// The header, where its checksum holds.
    pub header: Option<SegmentHeader>,
    /// True when page 0 is all zeros.
    pub blank: bool,
}

/// The folder at first sight.
pub struct Survey {
    /// Segments that hold frames, or should; ascending.
    pub segments: Vec<Listed>,
    /// The newest file, when it is no segment yet: the spare, or one whose first group was torn.
    pub unused: Option<Listed>,
    /// What that file attests.
    pub unused_attests: Position,
    /// The live mark, when it is of this log.
    pub mark: Option<LiveMark>,
}

/// What the lock file stated before anything else was looked at.
pub struct LiveMark {
    /// The mark.
    pub mark: Mark,
    bytes: [u8; MARK_LEN],
}

impl LiveMark {
    /// True when a writer has moved it meanwhile.
    pub fn moved(&self, disk: &dyn Disk, dir: &Path) -> Result<bool> {
        Ok(mark_bytes(disk, dir)? != Some(self.bytes))
    }
}

/// The live mark's bytes. Read before the folder is listed: what it names is then in the listing.
pub fn mark_bytes(disk: &dyn Disk, dir: &Path) -> Result<Option<[u8; MARK_LEN]>> {
    Ok(LockFile::look(disk, dir)?.map(|lock| lock.mark_bytes()).transpose()?.flatten())
}

/// Lists the folder and reads every header.
pub fn list(disk: &dyn Disk, dir: &Path, problems: &mut Problems) -> Result<Vec<Listed>> {
    let mut listed = Vec::new();
    for (number, len) in segment::list(disk, dir)? {
        let (mut header, mut blank) = (None, false);
        match segment::open(disk, dir, number, Access::Read) {
            Ok(Opened::Segment(segment)) => header = Some(segment.header),
            Ok(Opened::Blank(_)) => blank = true,
            Ok(Opened::Damaged(..)) => {}
            // Reported when the segment's turn comes.
            Err(Error::Unsupported(_)) => {}
            Err(error) => return Err(error),
        }
        listed.push(Listed { number, len, header, blank });
    }
    missing_between(dir, &listed, problems);
    Ok(listed)
}

fn missing_between(dir: &Path, listed: &[Listed], problems: &mut Problems) {
    for pair in listed.windows(2) {
        if pair[1].number > pair[0].number + 1 {
            problems.corrupt(missing(dir, pair[0].number + 1, pair[1].number - 1));
        }
    }
}

/// The segments `first` to `last` are not there.
pub fn missing(dir: &Path, first: u32, last: u32) -> Damage {
    let what = match last - first {
        0 => "a segment file is missing".to_owned(),
        more => format!("{} segment files are missing, from this one on", more + 1),
    };
    Damage::new(what, &segment::path_of(dir, first))
}

/// The log's id: the one that most headers state, else the newest's.
pub fn id_of(listed: &[Listed]) -> Option<[u8; 32]> {
    let mut votes: Vec<([u8; 32], usize)> = Vec::new();
    for header in listed.iter().rev().filter_map(|l| l.header.as_ref()) {
        match votes.iter_mut().find(|(id, _)| *id == header.id) {
            Some((_, count)) => *count += 1,
            None => votes.push((header.id, 1)),
        }
    }
    // Of equals the first wins, which is the newest.
    votes.iter().rev().max_by_key(|(_, count)| *count).map(|(id, _)| *id)
}

/// The key check differs in every segment: the secret is wrong. In some: the walk reports those.
pub fn check_secret(dir: &Path, listed: &[Listed], keys: &Keys) -> Result<()> {
    let mut ours = listed.iter().filter_map(|l| l.header.as_ref()).filter(|h| h.id == *keys.id()).peekable();
    let Some(newest) = ours.peek().copied() else { return Ok(()) };
    let keyed = newest.secret;
    if ours.any(|h| h.secret == keys.is_secret() && hash::same(&h.key_check, &keys.key_check())) {
        return Ok(());
    }
    let what = match (keyed, keys.is_secret()) {
        (true, false) => "a secret is needed but none was given",
        (false, true) => "a secret was given, but none was set at creation,",
        _ => "the secret is wrong",
    };
    Err(Error::WrongSecret { path: dir.to_owned(), what })
}

/// Looks at both ends of the folder: what is missing before and behind, and what the newest file is. `used` is the
/// newest segment that an open log knows to hold frames.
pub fn survey(
    disk: &dyn Disk,
    dir: &Path,
    keys: &Keys,
    mut listed: Vec<Listed>,
    mark: Option<[u8; MARK_LEN]>,
    used: Option<u32>,
    problems: &mut Problems,
) -> Result<Survey> {
    missing_before(dir, &listed, problems);
    let mark = live_mark(disk, dir, keys, &listed, mark)?;
    let (mut unused, mut unused_attests) = (None, Position::default());
    let many = listed.len() > 1;
    if let Some(last) = listed.pop_if(|last| many && last.header.is_none()) {
        let next_key = next_key(keys, &listed, last.number);
        let evidence = attested_by(disk, dir, last.number, next_key)?;
        let holds_records = used.is_some_and(|used| used >= last.number)
            || mark.as_ref().is_some_and(|live| live.mark.segment == last.number)
            || evidence.is_none_or(|place| place.segment >= last.number);
        if holds_records {
            listed.push(last);
        } else {
            unused_attests = evidence.unwrap_or_default();
            unused = Some(last);
        }
    }
    // A mark of a segment that is gone; a newer one, made since the listing, is another matter.
    let newest = listed.last().map_or(0, |last| last.number);
    let known = unused.as_ref().map_or(newest, |unused| unused.number);
    if let Some(mark) = &mark
        && mark.mark.segment > known
        && !mark.moved(disk, dir)?
    {
        problems.corrupt(missing(dir, mark.mark.segment, mark.mark.segment));
    }
    Ok(Survey { segments: listed, unused, unused_attests, mark })
}

/// The lowest segment starts where pruning stopped; otherwise files before it are missing.
fn missing_before(dir: &Path, listed: &[Listed], problems: &mut Problems) {
    let Some(lowest) = listed.first() else { return };
    let kept_from = listed.iter().rev().find_map(|l| l.header.as_ref()).map_or(0, |header| header.kept_from);
    let complete = match &lowest.header {
        Some(header) => header.first_offset <= kept_from,
        None => lowest.number == 1 || kept_from > 0,
    };
    if !complete && lowest.number > 1 {
        let first = if kept_from == 0 { 1 } else { lowest.number - 1 };
        problems.corrupt(missing(dir, first, lowest.number - 1));
    }
}

/// The key of segment `number`, as the header before it states it.
pub fn next_key(keys: &Keys, listed: &[Listed], number: u32) -> Option<[u8; 32]> {
    let before = listed.iter().rev().find(|l| l.number + 1 == number)?;
    before.header.as_ref().filter(|h| h.id == *keys.id()).map(|header| keys.frame_key(&header.next_nonce))
}

fn live_mark(
    disk: &dyn Disk,
    dir: &Path,
    keys: &Keys,
    listed: &[Listed],
    bytes: Option<[u8; MARK_LEN]>,
) -> Result<Option<LiveMark>> {
    let Some(bytes) = bytes else { return Ok(None) };
    let number = Mark::peek_segment(&bytes).unwrap_or(0);
    let named = listed.iter().find(|l| l.number == number);
    let own = named.and_then(|l| l.header.as_ref()).filter(|h| h.id == *keys.id() && h.segment == number);
    let key = own.map(|header| keys.frame_key(&header.nonce)).or_else(|| next_key(keys, listed, number));
    let Some(mark) = key.and_then(|key| Mark::parse(&bytes, &key, LIVE_MARK_POSITION)) else { return Ok(None) };
    if named.is_some() {
        let path = segment::path_of(dir, number);
        let file = disk.open(&path, Access::Read).map_err(|error| Error::io("open", &path, error))?;
        // Another file of that name: the folder was copied, and the mark speaks of the original.
        if file.identity().map_err(|error| Error::io("fstat", &path, error))? != mark.identity {
            return Ok(None);
        }
    }
    Ok(Some(LiveMark { mark, bytes }))
}

/// What marks and frames behind a damaged first page state to be durable. Where they name no record of this segment,
/// `open` takes it for a first group that was torn, and cuts it. `None`: a newer version wrote the file.
fn attested_by(disk: &dyn Disk, dir: &Path, number: u32, key: Option<[u8; 32]>) -> Result<Option<Position>> {
    let Blank { path, file, len, .. } = match segment::open(disk, dir, number, Access::Read) {
        Ok(Opened::Blank(file) | Opened::Damaged(file, _)) => file,
        Ok(Opened::Segment(_)) => return Ok(None),
        Err(Error::Unsupported(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(key) = key else { return Ok(Some(Position::default())) };
    let mut window = Window::new(&*file, &path, len);
    let mut evidence = Position::default();
    for slot in SLOTS {
        let mark = Mark::parse(window.at(slot, MARK_LEN)?, &key, slot);
        evidence = mark.map_or(evidence, |m| evidence.max(Position { segment: m.segment, position: m.position }));
    }
    Ok(Some(scan::later_evidence(&mut window, &key, FRAMES_START)?.max(evidence)))
}

/// The segment to start with: the last that starts at `from` or before.
pub fn start(segments: &[Listed], from: u64) -> usize {
    let starts_before = |l: &Listed| l.header.as_ref().is_some_and(|header| header.first_offset <= from);
    segments.iter().rposition(starts_before).unwrap_or(0)
}

/// Compares what every header of a log repeats with the log's keys and the newest header.
pub fn check_header(header: &SegmentHeader, number: u32, keys: &Keys, path: &Path) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut corrupt = |what: &str, expected: String, found: String| {
        problems.push(Problem::new("VARVE_CORRUPT", Damage::new(what, path).at(0).versus(expected, found)));
    };
    if header.segment != number {
        let (expected, found) = (number.to_string(), header.segment.to_string());
        corrupt("the segment's number is not that of its file name", expected, found);
    }
    let same = |a: &[u8; 16], b: &[u8; 16]| hash::same(a, b) || planted(Bug::SecretNotVerified);
    if header.secret != keys.is_secret() || !same(&header.key_check, &keys.key_check()) {
        let expected = if keys.is_secret() { "the given secret's check" } else { "the plain check" };
        let what = "the segment was sealed with another secret than its neighbours";
        corrupt(what, expected.to_owned(), hex(&header.key_check));
    }
    let peaks = hash::Peaks::from_parts(header.first_offset, header.peaks.clone());
    let head = peaks.map(|peaks| peaks.head(keys)).unwrap_or_default();
    if head != header.head {
        corrupt("the header's head does not recompute from its peaks", hex(&head), hex(&header.head));
    }
    let (first, kept) = (header.first_offset, header.kept_from);
    let seal = hash::header_seal(keys, header.epoch, first, kept, &header.head, &header.sealed_bytes());
    if !same(&seal, &header.seal) {
        corrupt("the header's seal does not recompute", "the seal of its fields".to_owned(), hex(&header.seal));
    }
    if header.epoch != format::EPOCH {
        let damage = Damage::new("the segment's key epoch is unknown", path).at(0);
        problems.push(Problem::new("VARVE_UNSUPPORTED", damage.versus(format::EPOCH, header.epoch)));
    }
    problems
}
