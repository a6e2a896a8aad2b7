//! Copying what is sound of a log, also of one that `open` refuses, into a new one.
//!
//! The source is only read: no lock, no repair, no write. Whole batches whose every frame checks out (place, checksum,
//! seal, and the chain where it is known) are appended to the new log with their times; everything else is reported. The new
//! log has an id of its own, so heads and receipts of the source say nothing of it, and offsets close up where
//! records are missing. It gets its name once it is complete and durable.

mod account;
mod copy;
mod walk;

use std::path::{Path, PathBuf};

use crate::error::{Error, HeadClaim, Result};
use crate::hash::Keys;
use crate::host::Host;
use crate::lock::LockFile;
use crate::options::check_secret;
use crate::verify::Progress;
use crate::verify::report::Problems;
use crate::verify::survey::{self, Survey};

use account::Account;
use copy::Copier;
use walk::Walk;

/// Most entries of each list in a report; the counts are complete.
pub const LISTED_MAX: usize = 10_000;

/// Records that were copied together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Offset of the first one in the source.
    pub from: u64,
    /// Offset after the last one in the source.
    pub to: u64,
    /// Offset of the first one in the new log.
    pub at: u64,
}

/// What was not copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Offset of the first record.
    pub from: u64,
    /// Offset after the last record; none where nothing tells how many there were.
    pub to: Option<u64>,
    /// File name of the segment with the damage, where one is known.
    pub segment: Option<String>,
    /// Byte position in it.
    pub position: Option<u64>,
    /// What is wrong there.
    pub why: String,
}

/// What [`salvage`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The new log's head.
    pub head: HeadClaim,
    /// Id of the source.
    pub source_id: [u8; 32],
    /// Name of the encoding.
    pub encoding: String,
    /// Records copied.
    pub records: u64,
    /// Bytes of their payloads.
    pub payload_bytes: u64,
    /// Records that are known to have been there and were not copied.
    pub records_left_out: u64,
    /// Where the copied records are, ascending; [`LISTED_MAX`] at most.
    pub runs: Vec<Run>,
    /// What was left out, ascending; [`LISTED_MAX`] at most.
    pub left_out: Vec<LeftOut>,
}

/// Copies what is sound of the log in `from` into a new log in `to`, which must not exist. Blocks.
///
/// Errors: [`Error::Invalid`] where `to` exists or lies in `from`, [`Error::NotFound`], [`Error::Locked`] while a writer
/// has the source, [`Error::WrongSecret`], [`Error::Corrupt`] where nothing can be copied, [`Error::Unsupported`],
/// [`Error::Io`], [`Error::Aborted`] when `progress` said so. After an error `to` does not exist; its beginnings may be left
/// in a folder of the same name with `.partial` behind it.
pub fn salvage(
    host: &Host,
    from: &Path,
    to: &Path,
    secret: Option<Vec<u8>>,
    progress: &Progress<'_>,
) -> Result<Report> {
    check_secret(secret.as_deref())?;
    let disk = &*host.disk;
    let absolute = |dir: &Path| disk.absolute(dir).map_err(|error| Error::io("getcwd", dir, error));
    let (from, to) = (absolute(from)?, absolute(to)?);
    let partial = place_for(host, &from, &to)?;
    if let Some(holder) = LockFile::look(disk, &from)?.map(|lock| lock.held_by()).transpose()?.flatten() {
        return Err(Error::Locked { path: from, holder: Some(holder), advice: "" });
    }
    let mut problems = Problems::default(); // `verify` tells them
    let mark = survey::mark_bytes(disk, &from)?;
    let listed = survey::list(disk, &from, &mut problems)?;
    if listed.is_empty() {
        return Err(Error::not_found(&from));
    }
    let id = match survey::id_of(&listed) {
        Some(id) => id,
        None => walk::claimed_id(disk, &from, &listed)?,
    };
    let keys = Keys::new(&id, secret.as_deref());
    survey::check_secret(&from, &listed, &keys)?;
    let encoding = listed.iter().rev().filter_map(|l| l.header.as_ref()).find(|h| h.id == id);
    let encoding = encoding.map_or_else(|| crate::options::ENCODING_BUFFER.to_owned(), |h| h.encoding.clone());
    let Survey { segments, mark, .. } = survey::survey(disk, &from, &keys, listed, mark, None, &mut problems)?;
    let copier = Copier::new(host, &partial, encoding.clone(), secret);
    let mut walk = Walk::new(disk, &from, &keys, copier, progress);
    walk.run(&segments, mark.map(|live| live.mark.size))?;
    let Walk { copier, account: Account { runs, left_out, records_left_out, .. }, .. } = walk;
    let (records, payload_bytes) = (copier.records, copier.payload_bytes);
    let head = copier.finish(&from)?;
    disk.rename(&partial, &to).map_err(|error| Error::io("rename", &to, error))?;
    let parent = to.parent().unwrap_or(&to);
    disk.sync_dir(parent).map_err(|error| Error::io("fsync", parent, error))?;
    Ok(Report { head, source_id: id, encoding, records, payload_bytes, records_left_out, runs, left_out })
}

/// Where the new log grows until it is complete. Nothing that exists is ever written to.
fn place_for(host: &Host, from: &Path, to: &Path) -> Result<PathBuf> {
    if to.starts_with(from) {
        let message =
            format!("{} lies in {}, which must not be changed: choose another folder", to.display(), from.display());
        return Err(Error::Invalid(message));
    }
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = to.with_file_name(name);
    for path in [to, &partial] {
        match host.disk.kind(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("stat", path, error)),
            Ok(_) => {
                let message = format!(
                    "{} exists; a copy goes into a new folder only, so choose another name or remove it",
                    path.display()
                );
                return Err(Error::Invalid(message));
            }
        }
    }
    Ok(partial)
}
