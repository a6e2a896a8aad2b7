//! Creating a log: its folders and its first segment, so that a crash leaves either no log or an empty one.

use std::path::Path;

use crate::disk::{self, Access, Disk, EntryKind};
use crate::error::{Damage, Error, Result};
use crate::format::{self, EPOCH, Mark, PAGE_LEN, SegmentHeader};
use crate::hash::{self, Keys, Peaks};
use crate::host::Host;
use crate::lock::LockFile;
use crate::options::Options;
use crate::planted::{Bug, planted};
use crate::segment;

/// Creates `dir` and the missing folders above it; each one's parent is synced.
pub fn folders(disk: &dyn Disk, dir: &Path) -> Result<()> {
    match disk.kind(dir) {
        Ok(EntryKind::Dir) => return Ok(()),
        Ok(_) => return Err(Error::io("mkdir", dir, std::io::Error::from(std::io::ErrorKind::NotADirectory))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io("stat", dir, error)),
    }
    let Some(parent) = dir.parent() else {
        return Err(Error::not_found(dir));
    };
    folders(disk, parent)?;
    match disk.create_dir(dir) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(Error::io("mkdir", dir, error)),
    }
    disk.sync_dir(parent).map_err(|error| Error::io("fsync", parent, error))
}

/// True when the folder holds segments. A live mark without any segment tells that all of them were removed.
pub fn has_log(disk: &dyn Disk, dir: &Path) -> Result<bool> {
    if !segment::list(disk, dir)?.is_empty() {
        return Ok(true);
    }
    let mark = LockFile::look(disk, dir)?.map(|lock| lock.mark_bytes()).transpose()?.flatten();
    if let Some(number) = mark.and_then(|bytes| Mark::peek_segment(&bytes)) {
        let path = segment::path_of(dir, number);
        let damage = Damage::new("the lock file tells of a log, but every segment file is missing", &path);
        return Err(Error::corrupt(damage));
    }
    Ok(false)
}

/// Creates the first segment. Its header is durable before it has its name, and the log exists once it has.
pub fn log(host: &Host, dir: &Path, options: &Options, _lock: &LockFile) -> Result<()> {
    let disk = &*host.disk;
    let mut random = [0; 64];
    host.entropy.fill(&mut random).map_err(|error| Error::io("getrandom", dir, error))?;
    let (mut id, mut nonce, mut next_nonce) = ([0; 32], [0; 16], [0; 16]);
    id.copy_from_slice(&random[..32]);
    nonce.copy_from_slice(&random[32..48]);
    next_nonce.copy_from_slice(&random[48..]);
    let keys = Keys::new(&id, options.secret.as_deref());
    let head = Peaks::new().head(&keys);
    let mut header = SegmentHeader {
        secret: keys.is_secret(),
        optional_features: 0,
        segment: 1,
        id,
        nonce,
        next_nonce,
        first_offset: 0,
        last_time: 0,
        predecessor_end: 0,
        kept_from: 0,
        epoch: EPOCH,
        key_check: keys.key_check(),
        head,
        peaks: Vec::new(),
        encoding: options.encoding.clone(),
        extensions: Vec::new(),
        seal: [0; 16],
    };
    header.seal = hash::header_seal(&keys, EPOCH, 0, 0, &head, &header.sealed_bytes());
    let mut page = header.encode();
    page.resize(PAGE_LEN as usize, 0);
    let path = segment::path_of(dir, 1);
    let temporary = dir.join(format!("{}.tmp", format::segment_name(1)));
    let file = disk.open(&temporary, Access::OpenOrCreate).map_err(|error| Error::io("open", &temporary, error))?;
    file.set_len(0).map_err(|error| Error::io("ftruncate", &temporary, error))?;
    disk::write_all_at(&*file, &page, 0).map_err(|error| Error::io("write", &temporary, error))?;
    file.sync_all().map_err(|error| Error::io("fsync", &temporary, error))?;
    if !planted(Bug::NoParentSync) {
        sync_ancestors(disk, dir)?;
    }
    disk.rename(&temporary, &path).map_err(|error| Error::io("rename", &path, error))?;
    disk.sync_dir(dir).map_err(|error| Error::io("fsync", dir, error))
}

/// Makes the folder's own name durable, and those above it: the user, or an attempt that was killed, may have made
/// them a moment ago. Before the log has its name, because later nobody would know that this is still to be done.
fn sync_ancestors(disk: &dyn Disk, dir: &Path) -> Result<()> {
    for ancestor in dir.ancestors().skip(1) {
        match disk.sync_dir(ancestor) {
            // Who may not even list a folder has made nothing in it.
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {}
            other => other.map_err(|error| Error::io("fsync", ancestor, error))?,
        }
    }
    Ok(())
}
