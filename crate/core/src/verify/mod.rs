//! Verifying: everything that the files state is recomputed from the files, and every contradiction is reported.
//!
//! Nothing is locked and nothing is written, so it also works on a log that `open` refuses and on one that is being
//! written. Damage is never an error here: it is the result.

mod board;
mod claim;
mod fold;
mod frames;
mod index;
mod page;
mod part;
mod plan;
pub(crate) mod report;
mod sealed;
mod stretch;
pub(crate) mod survey;
mod walk;

use std::path::Path;
use std::sync::Arc;

use crate::create;
use crate::error::{Error, HeadClaim, Result};
use crate::hash::Keys;
use crate::host::Host;
use crate::log::Log;
use crate::options::check_secret;
use crate::planted::{Bug, planted};

use board::Board;
use claim::{Claim, Holds};
use fold::Fold;
use page::Before;
use report::Problems;
use survey::Survey;
use walk::Walk;

pub use report::{Established, PROBLEMS_MAX, PROBLEMS_MAX_SEGMENT, Problem, Report};

/// What to verify, and against what.
#[derive(Clone, Default)]
pub struct VerifyOptions {
    /// Segments that lie wholly below this offset are left out. Default 0: everything.
    pub from: u64,
    /// A head that the caller kept: the log must contain it. Default none.
    pub expect_head: Option<HeadClaim>,
    /// The log's secret, 32 to 1,024 bytes. An open log uses the one that it was opened with. Default none.
    pub secret: Option<Vec<u8>>,
}

/// Told how many of how many bytes are done, now and then and from the calling thread; false stops.
pub type Progress<'a> = dyn Fn(u64, u64) -> bool + Sync + 'a;

/// Verifies the log in `dir`, which may be damaged, closed, or open in this or another process; with a writer at work,
/// at least up to what it had made durable when the call began. Blocks; uses all cores.
///
/// Damage is in the report. Errors are: [`Error::NotFound`] where there is no log, [`Error::Io`],
/// [`Error::WrongSecret`], [`Error::Invalid`], [`Error::Aborted`] when `progress` said so.
pub fn verify_dir(host: &Host, dir: &Path, options: &VerifyOptions, progress: &Progress<'_>) -> Result<Report> {
    check_secret(options.secret.as_deref())?;
    let dir = host.disk.absolute(dir).map_err(|error| Error::io("getcwd", dir, error))?;
    verify(host, &dir, options, None, progress)
}

impl Log {
    /// Verifies this log's files up to its durable head, and compares them with that head as it is in memory: a tail
    /// that was cut under the open log is found. Otherwise like [`verify_dir`].
    pub fn verify(&self, options: &VerifyOptions, progress: &Progress<'_>) -> Result<Report> {
        let shared = self.shared();
        // In this order: the head's records lie in segments that the catalogue knows by then.
        let head = shared.head();
        let newest = shared.catalogue.newest();
        let head = HeadClaim { id: *shared.keys.id(), size: head.size, hash: head.hash };
        let open = Open { keys: Arc::clone(&shared.keys), head, newest };
        verify(&shared.host, &shared.dir, options, Some(&open), progress)
    }
}

/// What an open log knows of itself.
struct Open {
    keys: Arc<Keys>,
    head: HeadClaim,
    newest: u32,
}

fn verify(
    host: &Host,
    dir: &Path,
    options: &VerifyOptions,
    open: Option<&Open>,
    progress: &Progress<'_>,
) -> Result<Report> {
    let disk = &*host.disk;
    let mut problems = Problems::default();
    let live = !planted(Bug::CutTailNotVerified);
    let mark = survey::mark_bytes(disk, dir)?.filter(|_| live);
    let listed = survey::list(disk, dir, &mut problems)?;
    if listed.is_empty() && open.is_none() {
        match create::has_log(disk, dir) {
            Err(error) => problems.add(Problem::from_error(error)?),
            Ok(_) => return Err(Error::not_found(dir)),
        }
    }
    let keys = match (open, survey::id_of(&listed)) {
        (Some(open), _) => Arc::clone(&open.keys),
        (None, id) => Arc::new(Keys::new(&id.unwrap_or_default(), options.secret.as_deref())),
    };
    if open.is_none() {
        survey::check_secret(dir, &listed, &keys)?;
    }
    let used = open.map(|open| open.newest);
    let survey = survey::survey(disk, dir, &keys, listed, mark, used, &mut problems)?;
    let mut claims = Vec::new();
    let memory = open.filter(|_| live);
    claims.extend(memory.map(|open| Claim::new(Holds::Memory, open.head)));
    claims.extend(options.expect_head.map(|head| Claim::new(Holds::Caller, head)));
    let Survey { segments, unused, unused_attests, mark } = survey;
    let from = claims.iter().map(Claim::size).fold(options.from, u64::min);
    let start = survey::start(&segments, from);
    let mut walk = Walk {
        disk,
        dir,
        progress,
        board: Board::new(&host.executor, &keys),
        total: segments.iter().skip(start).map(|listed| listed.len).sum(),
        segments,
        unused,
        unused_attests,
        mark,
        bound: memory.map(|open| open.head.size),
        claims,
        fold: Fold::new(&keys),
        before: Before::default(),
        encoding: None,
        problems,
        bytes: 0,
        ended: false,
        unsealed: None,
        lost_end: false,
        reached: None,
        keys,
    };
    walk.run(start)?;
    Ok(walk.into_report())
}
