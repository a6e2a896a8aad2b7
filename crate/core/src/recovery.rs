//! Recovery: from whatever a crash left to a log that goes on, or a refusal that changes nothing.
//!
//! It reads like the table in docs/DURABILITY.md: [`recover`] looks at everything ([`survey`], [`evidence`],
//! [`look_behind`]), refuses by the first row that fits, and only then writes ([`repair`]).

use std::path::Path;

use crate::chain::{self, Chain, Stop};
use crate::disk::{Access, Disk};
use crate::error::{Damage, Error, Result, hex};
use crate::format::{
    self, FOOTER_LEN, FRAME_ALIGN, FRAMES_START, Footer, LIVE_MARK_POSITION, Mark, PAGE_LEN, Position, SLOTS,
};
use crate::frame::FrameDamage;
use crate::hash::{self, Keys};
use crate::lock::LockFile;
use crate::options::{ENCODING_BUFFER, Options};
use crate::planted::{Bug, planted};
use crate::repair::{self, Cut};
use crate::scan::{self, Window};
use crate::sealing::{self, Summary};
use crate::segment::{self, Blank, Opened, Segment};
use crate::stated;

/// A log as recovery leaves it.
pub struct Recovered {
    /// Keys of the log.
    pub keys: Keys,
    /// Name of the encoding in the headers.
    pub encoding: String,
    /// First offset that was not pruned.
    pub first_offset: u64,
    /// Numbers of the segments with frames, ascending; the last is `active`.
    pub numbers: Vec<u32>,
    /// The segment that takes appends.
    pub active: Segment,
    /// Its chain, up to the last whole batch.
    pub chain: Chain,
    /// The file that becomes the next segment, if there is one already.
    pub spare: Option<u32>,
    /// What was cut.
    pub cut: Option<Cut>,
}

/// What the folder holds, before anything is decided.
struct Survey {
    numbers: Vec<u32>,
    active: Segment,
    keys: Keys,
    /// The newest file when it holds no segment yet.
    spare: Option<Blank>,
    /// The newest file when its first group was torn.
    torn: Option<Blank>,
    /// The segment before `active`.
    before: Option<Before>,
    live_mark: Option<Mark>,
}

/// Recovers the log in `dir`. With `lock` (the writer's) it may repair; without, nothing is ever written.
pub fn recover(disk: &dyn Disk, dir: &Path, options: &Options, lock: Option<&LockFile>) -> Result<Recovered> {
    let access = if lock.is_some() { Access::Write } else { Access::Read };
    let survey = survey(disk, dir, options, access)?;
    let (attested, marks) = evidence(&survey)?;
    let live = survey.live_mark.as_ref().filter(|mark| lock.is_none() && mark.segment == survey.active.number);
    // A writer may be at work behind the mark: a reader looks no further, and everything before it is durable.
    let end = live.map_or(survey.active.len, |mark| mark.position);
    let chain = chain::walk(&survey.active, &survey.keys, &marks, end)?;
    let (attested, tail) = match live {
        Some(_) => (attested, Tail::Clean),
        None => look_behind(&survey, &chain, attested)?,
    };
    if let Some(expected) = &options.expect_head {
        let stated = stated::Log {
            disk,
            dir,
            keys: &survey.keys,
            numbers: &survey.numbers,
            active: &survey.active,
            chain: &chain,
        };
        stated.check(expected)?;
    }
    if attested > survey.active.place(chain.position) {
        return Err(lost(&survey, &chain, attested));
    }
    let cut = match lock {
        Some(lock) => repair(disk, dir, &survey, &chain, attested, tail, lock)?,
        None => None,
    };
    let Survey { numbers, active, keys, spare, torn, .. } = survey;
    Ok(Recovered {
        encoding: active.header.encoding.clone(),
        first_offset: active.header.kept_from,
        numbers,
        spare: spare.or(torn).map(|blank| blank.number),
        keys,
        chain,
        active,
        cut,
    })
}

/// The segment before the active one, found in order.
enum Before {
    /// It has a footer, at whose start the frames end.
    Sealed(Segment, u64),
    /// It has none; all its frames are sound.
    Unsealed(Segment, Box<Chain>),
}

fn survey(disk: &dyn Disk, dir: &Path, options: &Options, access: Access) -> Result<Survey> {
    let listing = segment::list(disk, dir)?;
    let mut numbers: Vec<u32> = listing.iter().map(|&(number, _)| number).collect();
    let Some(&newest) = numbers.last() else {
        return Err(Error::NotFound { path: dir.to_owned() });
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
    if active.number == 1 && active.len < PAGE_LEN {
        // Its page 0 was durable before the file had its name; the marks that would tell are in it.
        let damage = Damage::new("the segment is cut short", &active.path).at(active.len);
        return Err(Error::corrupt(damage.versus(format!("at least {PAGE_LEN} bytes"), active.len)));
    }
    if options.encoding != ENCODING_BUFFER && options.encoding != active.header.encoding {
        let (stored, given) = (active.header.encoding.clone(), options.encoding.clone());
        return Err(Error::EncodingMismatch { path: dir.to_owned(), stored, given });
    }
    check_lowest(disk, dir, &numbers, &active, &keys)?;
    let before = check_predecessor(disk, dir, &numbers, &active, &keys, access)?;
    let live_mark = live_mark(disk, dir, &active, torn.as_ref(), &keys)?;
    Ok(Survey { numbers, active, keys, spare, torn, before, live_mark })
}

fn missing(dir: &Path, number: u32) -> Error {
    let damage = Damage::new("a segment file is missing", &segment::path_of(dir, number));
    Error::corrupt(damage)
}

fn no_header(blank: &Blank, what: &str) -> Error {
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

/// The segment before the active one: sealed and in agreement with it, or still to be sealed and sound to its end.
fn check_predecessor(
    disk: &dyn Disk,
    dir: &Path,
    numbers: &[u32],
    active: &Segment,
    keys: &Keys,
    access: Access,
) -> Result<Option<Before>> {
    let [.., number, _] = *numbers else { return Ok(None) };
    let before = segment::open_checked(disk, dir, number, access, keys)?;
    let end = active.header.predecessor_end;
    let disagree = |what: &str, expected: String, found: String| {
        Err(Error::corrupt(
            Damage::new(what, &before.path).at(end).offset(active.header.first_offset).versus(expected, found),
        ))
    };
    if active.header.nonce != before.header.next_nonce {
        return disagree(
            "the next segment is not the one that was prepared",
            hex(&before.header.next_nonce),
            hex(&active.header.nonce),
        );
    }
    if let Some(footer) = before.footer(keys)? {
        if footer.frames_end != end
            || footer.end_offset != active.header.first_offset
            || footer.head != active.header.head
        {
            let expected = format!("{}:{} to {end}", active.header.first_offset, hex(&active.header.head));
            let found = format!("{}:{} to {}", footer.end_offset, hex(&footer.head), footer.frames_end);
            return disagree("the footer disagrees with the next segment", expected, found);
        }
        return Ok(Some(Before::Sealed(before, end)));
    }
    if before.len < end {
        return disagree("the segment is cut short", end.to_string(), before.len.to_string());
    }
    let marks: Vec<Mark> = before.slot_mark()?.into_iter().collect();
    let chain = chain::walk(&before, keys, &marks, end)?;
    // Its successor's header attests everything in it, so any damage is loss of what was durable.
    if chain.position != end || chain.stop != Stop::End {
        let offset = chain.replay.peaks.size();
        let damage =
            Damage::new(format!("the segment is damaged before its end: {}", stop_words(&chain.stop)), &before.path);
        return Err(Error::corrupt(damage.at(chain.stopped_at).offset(offset)));
    }
    if chain.replay.peaks.size() != active.header.first_offset || chain.replay.peaks.head(keys) != active.header.head {
        let found = format!("{}:{}", chain.replay.peaks.size(), hex(&chain.replay.peaks.head(keys)));
        let expected = format!("{}:{}", active.header.first_offset, hex(&active.header.head));
        return disagree("the segment's head is not the one that the next segment starts from", expected, found);
    }
    Ok(Some(Before::Unsealed(before, Box::new(chain))))
}

fn stop_words(stop: &Stop) -> String {
    match stop {
        Stop::End => "it ends inside a batch".to_owned(),
        Stop::NoFrame => "no frame where one must be".to_owned(),
        Stop::Torn(damage) => damage.what.clone(),
    }
}

/// The live mark, when it speaks of a file that is still the same one. It may name the active segment, the torn
/// newest file, or a file that is gone.
fn live_mark(disk: &dyn Disk, dir: &Path, active: &Segment, torn: Option<&Blank>, keys: &Keys) -> Result<Option<Mark>> {
    let Some(lock) = LockFile::look(disk, dir)? else { return Ok(None) };
    let Some(bytes) = lock.mark_bytes()? else { return Ok(None) };
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

/// A: the highest position that something on disk states to be durable, and the marks in the active segment.
fn evidence(survey: &Survey) -> Result<(Position, Vec<Mark>)> {
    let active = &survey.active;
    // The header of segment 1 was durable before the file had its name; a later one comes with its first group.
    let mut attested = active.place(if active.number == 1 { FRAMES_START } else { 0 });
    if planted(Bug::MarksIgnored) {
        return Ok((attested, Vec::new()));
    }
    let mut marks: Vec<Mark> = active.slot_mark()?.into_iter().collect();
    if let Some(mark) = &survey.live_mark {
        attested = attested.max(Position { segment: mark.segment, position: mark.position });
        if mark.segment == active.number {
            marks.push(mark.clone());
        }
    }
    attested = marks.iter().map(|m| active.place(m.position)).fold(attested, Position::max);
    if marks.is_empty() && matches!(survey.before, Some(Before::Sealed(..))) {
        // The segment before was sealed after this one's first group was durable, or after recovery marked a slot here.
        attested = attested.max(active.place(FRAMES_START + FRAME_ALIGN));
    }
    if let Some(torn) = &survey.torn {
        let key = survey.keys.frame_key(&active.header.next_nonce);
        let mut window = Window::new(&*torn.file, &torn.path, torn.len);
        attested = attested.max(scan::later_evidence(&mut window, &key, FRAMES_START)?);
        for slot in SLOTS {
            let mark = Mark::parse(window.at(slot, format::MARK_LEN)?, &key, slot);
            attested = mark.map_or(attested, |m| attested.max(Position { segment: m.segment, position: m.position }));
        }
    }
    Ok((attested, marks))
}

/// What to do with the bytes behind the last whole batch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tail {
    Clean,
    Torn,
}

/// Evidence in the bytes behind the last whole batch: of later frames, or of a successor that must be there.
fn look_behind(survey: &Survey, chain: &Chain, mut attested: Position) -> Result<(Position, Tail)> {
    let active = &survey.active;
    let mut window = Window::new(&*active.file, &active.path, active.len);
    let tail = if window.first_nonzero(chain.position)?.is_none() { Tail::Clean } else { Tail::Torn };
    if tail == Tail::Torn {
        // A footer is written only when the successor is durable.
        if footer_behind(&mut window, &active.frame_key, chain.position)? {
            return Err(lost_successor(survey, active.number + 1, "the segment before it is sealed"));
        }
        if !planted(Bug::LaterFramesIgnored) {
            attested = attested.max(scan::later_evidence(&mut window, &active.frame_key, chain.position)?);
        }
    }
    if attested.segment > active.number {
        return Err(lost_successor(survey, attested.segment, "its records were durable"));
    }
    Ok((attested, tail))
}

/// The segment after the active one must be there, and is not.
fn lost_successor(survey: &Survey, number: u32, evidence: &str) -> Error {
    match &survey.torn {
        Some(torn) => no_header(torn, &format!("the segment header is damaged, and {evidence}")),
        None => {
            let dir = survey.active.path.parent().unwrap_or(&survey.active.path);
            let what = format!("the segment is missing or empty, and {evidence}");
            Error::corrupt(Damage::new(what, &segment::path_of(dir, number)))
        }
    }
}

/// What was durable is not there.
fn lost(survey: &Survey, chain: &Chain, attested: Position) -> Error {
    let what = match &chain.stop {
        Stop::Torn(damage) => damage.what.clone(),
        Stop::End => "the segment is cut short".to_owned(),
        Stop::NoFrame => "no frame where one was durable (a lost or overwritten page)".to_owned(),
    };
    let damage = Damage::new(what, &survey.active.path).at(chain.stopped_at).offset(chain.replay.peaks.size());
    Error::corrupt(match &chain.stop {
        Stop::Torn(FrameDamage { versus: Some((expected, found)), .. }) => damage.versus(expected, found),
        _ => damage.versus(format!("durable records up to position {}", attested.position), chain.stopped_at),
    })
}

/// Looks behind the frames for a footer of a segment that was sealed but not yet cut to length.
pub fn footer_behind(window: &mut Window<'_>, frame_key: &[u8; 32], position: u64) -> Result<bool> {
    let mut found = false;
    scan::each_step(window, position, format::INDEX_ENTRY_LEN, FOOTER_LEN, |bytes, at| {
        found |= Footer::parse(bytes, frame_key, at + FOOTER_LEN as u64).is_some();
    })?;
    Ok(found)
}

fn repair(
    disk: &dyn Disk,
    dir: &Path,
    survey: &Survey,
    chain: &Chain,
    attested: Position,
    tail: Tail,
    lock: &LockFile,
) -> Result<Option<Cut>> {
    let Survey { active, keys, spare, torn, before, .. } = survey;
    // The names may live in memory only: whoever made them was killed before this sync, or was told that it failed.
    disk.sync_dir(dir).map_err(|error| Error::io("fsync", dir, error))?;
    let mut cut = None;
    if let Some(torn) = torn {
        cut = Some(repair::save_tail(disk, dir, torn.number, &*torn.file, &torn.path, 0)?);
    }
    if tail == Tail::Torn {
        cut = Some(repair::save_tail(disk, dir, active.number, &*active.file, &active.path, chain.position)?);
    }
    // Also a spare that looks empty: the cut that emptied it may live in memory only, and what it cut would come back
    // behind the next segment's first records.
    if let Some(blank) = torn.as_ref().or(spare.as_ref()) {
        repair::cut(&*blank.file, &blank.path, 0)?;
    }
    let end = active.place(chain.position);
    // Before a segment is sealed its successor's slot is marked anew: a mark that is found may live in memory only.
    if attested < end || tail == Tail::Torn || matches!(before, Some(Before::Unsealed(..))) {
        if attested.segment < active.number || attested.position < FRAMES_START {
            repair::rewrite_page_0(&*active.file, &active.path, &active.header)?;
        }
        let from = if attested.segment == active.number { attested.position.max(FRAMES_START) } else { FRAMES_START };
        repair::rewrite(&*active.file, &active.path, from, chain.position)?;
        if tail == Tail::Torn && !planted(Bug::StaleBytesKept) {
            repair::cut(&*active.file, &active.path, chain.position)?;
        } else {
            active.file.sync_all().map_err(|error| Error::io("fsync", &active.path, error))?;
        }
        write_slot(active, &mark_at(survey, chain, 0))?;
    } else {
        // All records are durable, but an earlier recovery may have cut a tail and not have seen its sync return.
        active.file.sync_all().map_err(|error| Error::io("fsync", &active.path, error))?;
    }
    // The write that failed half-way is the last thing that happened to a segment: mended here, what `verify` finds
    // damaged in a later one is rot.
    for _ in 0..SLOTS.len() {
        if active.has_damaged_slot()? {
            write_slot(active, &mark_at(survey, chain, 0))?;
        }
    }
    // A sealed segment promises a successor, so this comes after the active segment was made durable.
    match before {
        Some(Before::Unsealed(before, chain)) => seal(before, chain, keys)?,
        // A spare is made only after the sealing before it is durable. Without one, the footer may live in memory only.
        Some(Before::Sealed(before, frames_end)) if spare.is_none() && torn.is_none() => {
            repair::rewrite(&*before.file, &before.path, *frames_end, before.len)?;
            before.file.sync_all().map_err(|error| Error::io("fsync", &before.path, error))?;
        }
        _ => {}
    }
    let identity = active.file.identity().map_err(|error| Error::io("fstat", &active.path, error))?;
    lock.write_mark(&mark_at(survey, chain, identity), &active.frame_key)?;
    Ok(cut)
}

fn seal(before: &Segment, chain: &Chain, keys: &Keys) -> Result<()> {
    let index = if chain.walked_from == FRAMES_START {
        chain.index.clone()
    } else {
        before.walk_index(FRAMES_START, chain.position)?
    };
    let summary = Summary {
        segment: before.number,
        frames_end: chain.position,
        first_offset: before.header.first_offset,
        end_offset: chain.replay.peaks.size(),
        last_time: chain.replay.last_time,
        head: chain.replay.peaks.head(keys),
    };
    // Its frames are durable: the successor's header, which states where they end, was written after their sync.
    sealing::seal(&*before.file, &before.path, keys, &before.frame_key, &summary, &index)?;
    Ok(())
}

fn mark_at(survey: &Survey, chain: &Chain, identity: u64) -> Mark {
    Mark {
        segment: survey.active.number,
        identity,
        position: chain.position,
        size: chain.replay.peaks.size(),
        last_time: chain.replay.last_time,
        state_position: chain.state_position,
        head: chain.replay.peaks.head(&survey.keys),
    }
}

/// Writes a mark into the slot that does not hold the higher one, durably.
fn write_slot(active: &Segment, mark: &Mark) -> Result<()> {
    active.write_slot(mark)?;
    active.file.sync_data().map_err(|error| Error::io("fdatasync", &active.path, error))
}
