//! What recovery would do, told without doing it: the same look at the same files, and no writes.

use std::path::Path;

use super::evidence::Tail;
use super::predecessor::Before;
use super::{Looked, look};
use crate::disk::Access;
use crate::error::{Error, HeadClaim, Result};
use crate::format;
use crate::host::Host;
use crate::lock::LockFile;
use crate::options::Options;
use crate::repair::{self, Cut};

/// What opening a log for writing would do to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The log's head afterwards.
    pub head: HeadClaim,
    /// What would be cut, and kept in a side file.
    pub cuts: Vec<Cut>,
    /// The segment whose sealing a crash interrupted and that would be sealed.
    pub seals: Option<String>,
}

/// Tells what opening the log in `dir` for writing would repair, or refuses as opening would. Takes no lock and writes
/// nothing; while a writer has the log there is nothing to recover, and it is [`Error::Locked`].
pub fn plan(host: &Host, dir: &Path, options: &Options) -> Result<Plan> {
    options.check()?;
    let dir = host.disk.absolute(dir).map_err(|error| Error::io("getcwd", dir, error))?;
    let disk = &*host.disk;
    let not_held = || match LockFile::look(disk, &dir)?.map(|lock| lock.held_by()).transpose()?.flatten() {
        Some(holder) => Err(Error::Locked { path: dir.clone(), holder: Some(holder), advice: "" }),
        None => Ok(()),
    };
    not_held()?;
    let looked = look(disk, &dir, options, Access::Read, None);
    // A writer that came meanwhile explains whatever was seen.
    not_held()?;
    let Looked { survey, chain, tail, .. } = looked?;
    let mut cuts = Vec::new();
    if let Some(torn) = &survey.torn {
        cuts.push(repair::measure_tail(torn.number, &*torn.file, &torn.path, 0)?);
    }
    if tail == Tail::Torn {
        let active = &survey.active;
        cuts.push(repair::measure_tail(active.number, &*active.file, &active.path, chain.position)?);
    }
    let unsealed = survey.before.as_ref().is_some_and(Before::is_unsealed);
    let seals = unsealed.then(|| format::segment_name(survey.active.number - 1));
    let peaks = &chain.replay.peaks;
    let head = HeadClaim { id: *survey.keys.id(), size: peaks.size(), hash: peaks.head(&survey.keys) };
    Ok(Plan { head, cuts, seals })
}
