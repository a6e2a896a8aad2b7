//! Recovery: from whatever a crash left to a log that goes on, or a refusal that changes nothing.
//!
//! It reads like the table in docs/DURABILITY.md: [`recover`] looks at everything ([`survey`], then [`evidence`]), refuses
//! by the first row that fits, and only then writes ([`repair`]).

mod evidence;
mod plan;
mod predecessor;
mod survey;

use std::path::Path;

use crate::chain::{self, Chain};
use crate::disk::{Access, Disk};
use crate::error::{Error, Result};
use crate::format::{FRAMES_START, Mark, PAGE_LEN, Position, SLOTS};
use crate::hash::Keys;
use crate::lock::LockFile;
use crate::options::Options;
use crate::planted::{Bug, planted};
use crate::repair::{self, Cut};
use crate::segment::Segment;
use crate::stated;

use evidence::Tail;
use predecessor::Before;
use survey::Survey;

pub use evidence::footer_behind;
pub use plan::{Plan, plan};
pub use survey::LiveMark;

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

/// Everything that decides, and what was decided.
struct Looked {
    survey: Survey,
    chain: Chain,
    attested: Position,
    tail: Tail,
}

/// Recovers the log in `dir`, of which `lock` is the writer's, and repairs it.
pub fn recover(disk: &dyn Disk, dir: &Path, options: &Options, lock: &LockFile) -> Result<Recovered> {
    let looked = look(disk, dir, options, Access::Write, None)?;
    let cut = repair(disk, dir, &looked, lock)?;
    Ok(recovered(looked, cut))
}

/// Recovers the log in `dir` for a reader: writes nothing. `end` is the live mark of a writer at work, where the log ends
/// for all others; without one it ends where recovery would let it end. Also tells whether all of that is attested: what
/// is not may live in memory only.
pub fn observe(disk: &dyn Disk, dir: &Path, options: &Options, end: Option<&LiveMark>) -> Result<(Recovered, bool)> {
    let looked = look(disk, dir, options, Access::Read, end)?;
    let durable = looked.attested >= looked.survey.active.place(looked.chain.position);
    Ok((recovered(looked, None), durable))
}

fn recovered(looked: Looked, cut: Option<Cut>) -> Recovered {
    let Looked { survey: Survey { numbers, active, keys, spare, torn, .. }, chain, .. } = looked;
    Recovered {
        encoding: active.header.encoding.clone(),
        first_offset: active.header.kept_from,
        numbers,
        spare: spare.or(torn).map(|blank| blank.number),
        keys,
        chain,
        active,
        cut,
    }
}

/// Looks at everything and refuses by the first row that fits; writes nothing. Where `end` is sound the log ends there.
fn look(disk: &dyn Disk, dir: &Path, options: &Options, access: Access, end: Option<&LiveMark>) -> Result<Looked> {
    let survey = survey::survey(disk, dir, options, access, end)?;
    let (attested, marks) = evidence::attested(&survey)?;
    let live = survey.live_mark.as_ref().filter(|mark| end.is_some() && mark.segment == survey.active.number);
    // A writer may be at work behind the mark: a reader looks no further, unless a slot states more.
    let end = match live {
        Some(_) if attested.segment == survey.active.number => attested.position,
        Some(mark) => mark.position,
        None => survey.active.len,
    };
    let chain = chain::walk(&survey.active, &survey.keys, &marks, end)?;
    let (attested, tail) = match live {
        Some(_) => (attested, Tail::Clean),
        None => evidence::look_behind(&survey, &chain, attested)?,
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
        return Err(evidence::lost(&survey, &chain, attested));
    }
    Ok(Looked { survey, chain, attested, tail })
}

fn repair(disk: &dyn Disk, dir: &Path, looked: &Looked, lock: &LockFile) -> Result<Option<Cut>> {
    let &Looked { ref survey, ref chain, attested, tail } = looked;
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
    // The slots again with the same bytes: one that an earlier recovery mended may live in memory only, its sync failed.
    repair::rewrite(&*active.file, &active.path, SLOTS[0], PAGE_LEN.min(active.len))?;
    let end = active.place(chain.position);
    // Before a segment is sealed its successor's slot is marked anew: a mark that is found may live in memory only.
    if attested < end || tail == Tail::Torn || before.as_ref().is_some_and(Before::is_unsealed) {
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
    // A sealed segment promises a successor, so this comes after the active segment was made durable. A spare is made
    // only after the sealing before it is durable; without one, the footer may live in memory only.
    if let Some(before) = before {
        before.seal(keys, spare.is_some() || torn.is_some())?;
    }
    let identity = active.file.identity().map_err(|error| Error::io("fstat", &active.path, error))?;
    lock.write_mark(&mark_at(survey, chain, identity), &active.frame_key)?;
    Ok(cut)
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
