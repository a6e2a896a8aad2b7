//! The engine's only way to files: one small trait, so that the same engine runs on real files and on a
//! simulated disk that tests drive.
//!
//! A [`DiskFile`] is one descriptor. All syncs of a file go through one descriptor, used by one thread at a time:
//! the kernel reports a failed write-back once per descriptor (docs/DURABILITY.md).
//! Short transfers and `EINTR` are handled once, by [`read_full_at`] and [`write_all_at`]: implementations may
//! return both.

#[cfg(target_os = "linux")]
mod direct;
pub mod file;
pub mod memory;
#[cfg(any(test, feature = "simulation"))]
pub mod sim;
mod tree;

use std::io;
use std::path::{Path, PathBuf};

use crate::planted::{Bug, planted};

/// Address, position and length of direct writes are multiples of it. No known device needs more.
pub const DIRECT_ALIGN: usize = 4096;

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Existing file, read only.
    Read,
    /// Existing file, read and write.
    Write,
    /// New file, read and write; `AlreadyExists` if there is one.
    CreateNew,
    /// Existing or new file, read and write, contents kept.
    OpenOrCreate,
}

/// What kind of directory entry was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// Anything else.
    Other,
}

/// One name in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// File name; names that are not UTF-8 are left out of listings (they cannot be ours).
    pub name: String,
    /// File, folder or other.
    pub kind: EntryKind,
    /// Length in bytes of a file.
    pub len: u64,
}

/// What the prefill policy needs to know of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Volume {
    /// Identity of the device, for fairness between disks.
    pub device: u64,
    /// Free bytes for us.
    pub free: u64,
    /// Whether overwriting zero-filled space is cheaper than extending a file (ext4, XFS: yes; copy-on-write: no).
    pub prefill_pays: bool,
}

/// A file system.
pub trait Disk: Send + Sync {
    /// Opens a file. `NotFound`, `AlreadyExists` and `PermissionDenied` are as in `std`.
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>>;
    /// What `path` is, or `NotFound`. Follows symbolic links.
    fn kind(&self, path: &Path) -> io::Result<EntryKind>;
    /// The names in a folder, in any order.
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>>;
    /// Creates one folder; its parent must exist; `AlreadyExists` if something has that name.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;
    /// Renames within one folder, replacing nothing that matters: callers see to it that `to` is free.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a name.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names of a folder durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Facts of the file system that holds `dir`.
    fn volume(&self, dir: &Path) -> io::Result<Volume>;
    /// `path` as it stays valid when the process's working folder changes.
    fn absolute(&self, path: &Path) -> io::Result<PathBuf> {
        std::path::absolute(path)
    }
}

/// One open descriptor of a file.
#[allow(clippy::len_without_is_empty, reason = "a call to the system that may fail, not a container's length")]
pub trait DiskFile: Send + Sync {
    /// Reads at a position; 0 at the end of the file; may be short.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize>;
    /// Writes at a position, extending the file as needed; may be short.
    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize>;
    /// Whether [`DiskFile::write_direct_at`] is to be had here and sound; told anew at each call.
    fn takes_direct(&self) -> bool {
        false
    }
    /// Writes past the page cache; address, position and length are multiples of [`DIRECT_ALIGN`]. May be short.
    /// `InvalidInput`: refused, and nothing was written. Like any other write it is durable after the next sync only, and
    /// seen by every read that begins after it.
    fn write_direct_at(&self, _bytes: &[u8], _position: u64) -> io::Result<usize> {
        Err(io::ErrorKind::InvalidInput.into())
    }
    /// Data and what is needed to read it back (`fdatasync`, `F_FULLFSYNC`, `FlushFileBuffers`).
    fn sync_data(&self) -> io::Result<()>;
    /// Data and all metadata (`fsync`).
    fn sync_all(&self) -> io::Result<()>;
    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Cuts or extends (with zeros).
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// A number that tells this file from every other one on its volume (inode).
    fn identity(&self) -> io::Result<u64>;
    /// Takes the exclusive advisory lock for as long as the descriptor lives; false if another descriptor has it.
    fn try_lock(&self) -> io::Result<bool>;
    /// Whether process `pid` has the lock now, told without touching the lock; `None` where the system cannot tell.
    fn is_locked_by(&self, _pid: u32) -> io::Result<Option<bool>> {
        Ok(None)
    }
}

/// Reads until `buffer` is full or the file ends; returns how many bytes were read. Retries short reads and `EINTR`.
pub fn read_full_at(file: &dyn DiskFile, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(&mut buffer[done..], position + done as u64) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Writes all of `bytes`. Retries short writes and `EINTR`; a write of nothing is an error, never a loop.
pub fn write_all_at(file: &dyn DiskFile, bytes: &[u8], position: u64) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match file.write_at(&bytes[done..], position + done as u64) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::WriteZero, "the disk took no byte of a write")),
            Ok(_) if planted(Bug::ShortWriteBelieved) => break,
            Ok(n) => done += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// [`write_all_at`] past the page cache. After a short write the rest is aligned too, or it is an error.
pub fn write_all_direct_at(file: &dyn DiskFile, bytes: &[u8], position: u64) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match file.write_direct_at(&bytes[done..], position + done as u64) {
            Ok(n) if n < DIRECT_ALIGN => {
                return Err(io::Error::new(io::ErrorKind::WriteZero, "the disk took no block of a direct write"));
            }
            // Part of a block may have been taken: it is written again.
            Ok(n) => done += n - n % DIRECT_ALIGN,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
