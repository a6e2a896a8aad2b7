//! The writes of recovery, after every decision was taken. Each step may be cut by a crash and is simply done again
//! by the next recovery: bytes that are cut are first kept in a side file whose name depends on the cut alone.

use std::path::Path;

use crate::disk::{self, Access, Disk, DiskFile};
use crate::error::{Error, Result};
use crate::format::{self, PAGE_LEN, SegmentHeader};
use crate::planted::{Bug, planted};
use crate::scan::Window;

/// What recovery cut, for `log.recovery`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// File name of the segment.
    pub segment: String,
    /// Where it was cut.
    pub position: u64,
    /// How many bytes, trailing zeros not counted.
    pub bytes: u64,
    /// Name of the side file that keeps them.
    pub saved_as: String,
}

/// Copies what stands from `position` to the last byte that is not zero into a side file.
pub fn save_tail(
    disk: &dyn Disk,
    dir: &Path,
    number: u32,
    file: &dyn DiskFile,
    path: &Path,
    position: u64,
) -> Result<Cut> {
    let cut = measure_tail(number, file, path, position)?;
    if !planted(Bug::CutBytesNotKept) {
        write_side_file(disk, dir, &cut, &mut Window::new(file, path, position + cut.bytes), position)?;
    }
    Ok(cut)
}

/// What [`save_tail`] would save, and under which name.
pub fn measure_tail(number: u32, file: &dyn DiskFile, path: &Path, position: u64) -> Result<Cut> {
    let len = file.len().map_err(|error| Error::io("fstat", path, error))?;
    let mut end = position;
    let mut hasher = blake3::Hasher::new();
    let mut pending_zeros = 0u64;
    // One pass finds the last byte and hashes up to it: zeros are hashed only once something follows them.
    let mut window = Window::new(file, path, len);
    let mut at = position;
    while at < len {
        let bytes = window.at(at, 64 * 1024)?;
        if bytes.is_empty() {
            break;
        }
        match bytes.iter().rposition(|&b| b != 0) {
            None => pending_zeros += bytes.len() as u64,
            Some(last) => {
                hash_zeros(&mut hasher, pending_zeros);
                hasher.update(&bytes[..=last]);
                pending_zeros = (bytes.len() - last - 1) as u64;
                end = at + last as u64 + 1;
            }
        }
        at += bytes.len() as u64;
    }
    let check = crate::error::hex(&hasher.finalize().as_bytes()[..8]);
    let saved_as = format!("lost-{number:010}-{position}-{check}.bin");
    Ok(Cut { segment: format::segment_name(number), position, bytes: end - position, saved_as })
}

fn hash_zeros(hasher: &mut blake3::Hasher, mut count: u64) {
    const ZEROS: [u8; 4096] = [0; 4096];
    while count > 0 {
        let step = count.min(ZEROS.len() as u64);
        hasher.update(&ZEROS[..step as usize]);
        count -= step;
    }
}

fn write_side_file(disk: &dyn Disk, dir: &Path, cut: &Cut, from: &mut Window<'_>, position: u64) -> Result<()> {
    let path = dir.join(&cut.saved_as);
    let temporary = dir.join(format!("{}.tmp", cut.saved_as));
    let file = disk.open(&temporary, Access::OpenOrCreate).map_err(|error| Error::io("open", &temporary, error))?;
    file.set_len(0).map_err(|error| Error::io("ftruncate", &temporary, error))?;
    let mut at = position;
    while at < from.end() {
        let bytes = from.at(at, 1 << 20)?;
        if bytes.is_empty() {
            break;
        }
        disk::write_all_at(&*file, bytes, at - position).map_err(|error| Error::io("write", &temporary, error))?;
        at += bytes.len() as u64;
    }
    file.sync_all().map_err(|error| Error::io("fsync", &temporary, error))?;
    disk.rename(&temporary, &path).map_err(|error| Error::io("rename", &path, error))?;
    disk.sync_dir(dir).map_err(|error| Error::io("fsync", dir, error))
}

/// Writes `[from, to)` again with the same bytes. After a failed sync those pages are clean and only in memory: a
/// later sync would promise what the disk never got.
pub fn rewrite(file: &dyn DiskFile, path: &Path, from: u64, to: u64) -> Result<()> {
    if planted(Bug::KeptBytesNotRewritten) {
        return Ok(());
    }
    let mut window = Window::new(file, path, to);
    let mut at = from;
    while at < to {
        let bytes = window.at(at, 1 << 20)?;
        if bytes.is_empty() {
            break;
        }
        disk::write_all_at(file, bytes, at).map_err(|error| Error::io("write", path, error))?;
        at += bytes.len() as u64;
    }
    Ok(())
}

/// Cuts everything from `position` on, durably.
pub fn cut(file: &dyn DiskFile, path: &Path, position: u64) -> Result<()> {
    file.set_len(position).map_err(|error| Error::io("ftruncate", path, error))?;
    if planted(Bug::CutNotSynced) {
        return Ok(());
    }
    file.sync_all().map_err(|error| Error::io("fsync", path, error))
}

/// Writes page 0 of a segment whose first group nothing attests again (see [`rewrite`]): its header, and zeros where the
/// crash may have left anything.
pub fn rewrite_page_0(file: &dyn DiskFile, path: &Path, header: &SegmentHeader) -> Result<()> {
    let mut page = header.encode();
    page.resize(PAGE_LEN as usize, 0);
    disk::write_all_at(file, &page, 0).map_err(|error| Error::io("write", path, error))
}
