//! Real files: with direct.rs, which this file alone uses, the one place where `std::fs` appears.
//!
//! Nothing is retried, rounded up or hidden here: a call is one system call (where direct writes and others take turns,
//! after a change of mode), short transfers and `EINTR` are the caller's ([`super::read_full_at`],
//! [`super::write_all_at`]), and errors keep their `raw_os_error`.
//! Descriptors are close-on-exec (std's default), so that a child process never keeps a log's lock.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use super::{Access, Disk, DiskFile, Entry, EntryKind, Volume};

/// The operating system's file system.
///
/// New files get mode `0600`: logs hold audit trails, so who may read them is the operator's explicit decision, not
/// the umask's. New folders follow the umask.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileDisk;

/// One descriptor of a real file.
#[derive(Debug)]
struct RealFile {
    file: File,
    #[cfg(target_os = "linux")]
    mode: super::direct::Mode,
}

impl RealFile {
    /// The descriptor, for transfers through the page cache.
    fn cached(&self) -> io::Result<&File> {
        #[cfg(target_os = "linux")]
        self.mode.set(&self.file, false)?;
        Ok(&self.file)
    }
}

impl Disk for FileDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true);
        match access {
            Access::Read => {}
            Access::Write => {
                options.write(true);
            }
            Access::CreateNew => {
                options.write(true).create_new(true);
            }
            Access::OpenOrCreate => {
                options.write(true).create(true).truncate(false);
            }
        }
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Box::new(RealFile {
            file: options.open(path)?,
            #[cfg(target_os = "linux")]
            mode: super::direct::Mode::default(),
        }))
    }

    fn kind(&self, path: &Path) -> io::Result<EntryKind> {
        Ok(kind_of(&std::fs::metadata(path)?))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // Like `kind`, a listing follows symbolic links: a segment may have been moved to another volume.
            match std::fs::metadata(entry.path()) {
                Ok(metadata) => entries.push(Entry { name, kind: kind_of(&metadata), len: metadata.len() }),
                // Removed since it was listed (another process prunes), or a link that leads nowhere.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    if entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
                        entries.push(Entry { name, kind: EntryKind::Other, len: 0 });
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(entries)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        std::fs::create_dir(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    #[cfg(not(windows))]
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    /// Windows cannot flush a folder; NTFS journals its metadata, so that names change in order, and
    /// `FlushFileBuffers` on a file writes the journal up to that file's creation.
    #[cfg(windows)]
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        match self.kind(dir)? {
            EntryKind::Dir => Ok(()),
            _ => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    #[cfg(unix)]
    fn volume(&self, dir: &Path) -> io::Result<Volume> {
        use std::os::unix::fs::MetadataExt;
        let device = std::fs::metadata(dir)?.dev();
        let space = rustix::fs::statvfs(dir)?;
        let free = space.f_bavail.saturating_mul(space.f_frsize);
        Ok(Volume { device, free, prefill_pays: prefill_pays(dir)? })
    }

    /// Neither number is to be had without unsafe calls; as prefill never pays on NTFS, nobody asks for them there.
    #[cfg(windows)]
    fn volume(&self, dir: &Path) -> io::Result<Volume> {
        self.kind(dir)?;
        Ok(Volume { device: 0, free: u64::MAX, prefill_pays: false })
    }
}

fn kind_of(metadata: &std::fs::Metadata) -> EntryKind {
    if metadata.is_file() {
        EntryKind::File
    } else if metadata.is_dir() {
        EntryKind::Dir
    } else {
        EntryKind::Other
    }
}

/// Overwriting beats extending where a file's blocks stay in place: ext4 and XFS. Copy-on-write systems (Btrfs, ZFS)
/// allocate anew for an overwrite, and in memory (tmpfs) there is nothing to win.
#[cfg(target_os = "linux")]
fn prefill_pays(dir: &Path) -> io::Result<bool> {
    Ok(writes_in_place(rustix::fs::statfs(dir)?.f_type))
}

/// Whether this type of file system is ext4 or XFS.
#[cfg(target_os = "linux")]
pub(super) fn writes_in_place(kind: rustix::fs::FsWord) -> bool {
    const EXT4: u64 = 0xEF53;
    const XFS: u64 = 0x5846_5342;
    // The type's width and sign differ between architectures; the magic numbers fit in 32 bits.
    #[allow(clippy::unnecessary_cast, clippy::cast_sign_loss, reason = "the type depends on the target")]
    let kind = kind as u64 & 0xFFFF_FFFF;
    matches!(kind, EXT4 | XFS)
}

#[cfg(all(unix, not(target_os = "linux")))]
#[allow(clippy::unnecessary_wraps, reason = "same signature as on Linux")]
fn prefill_pays(_dir: &Path) -> io::Result<bool> {
    Ok(false)
}

impl DiskFile for RealFile {
    #[cfg(unix)]
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self.cached()?, buffer, position)
    }

    #[cfg(unix)]
    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::write_at(self.cached()?, bytes, position)
    }

    // These two move the descriptor's cursor, which nothing here uses.
    #[cfg(windows)]
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(self.cached()?, buffer, position)
    }

    #[cfg(windows)]
    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_write(self.cached()?, bytes, position)
    }

    #[cfg(target_os = "linux")]
    fn takes_direct(&self) -> bool {
        super::direct::is_sound(&self.file)
    }

    #[cfg(target_os = "linux")]
    fn write_direct_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
        self.mode.set(&self.file, true)?;
        std::os::unix::fs::FileExt::write_at(&self.file, bytes, position)
    }

    // On macOS std issues `F_FULLFSYNC` for both: plain fsync leaves data in the drive's cache there.
    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    #[cfg(unix)]
    fn identity(&self) -> io::Result<u64> {
        Ok(std::os::unix::fs::MetadataExt::ino(&self.file.metadata()?))
    }

    /// The file index needs an unsafe call; the creation time (100 ns) stands in. A copy that preserves it passes for
    /// the original.
    #[cfg(windows)]
    fn identity(&self) -> io::Result<u64> {
        Ok(std::os::windows::fs::MetadataExt::creation_time(&self.file.metadata()?))
    }

    fn try_lock(&self) -> io::Result<bool> {
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The kernel lists every `flock` of processes that we can see. The device is not compared: Btrfs and overlayfs
    /// show another one there than `stat` does, and process and inode together are telling enough.
    #[cfg(target_os = "linux")]
    fn is_locked_by(&self, pid: u32) -> io::Result<Option<bool>> {
        let inode = self.identity()?.to_string();
        let Ok(locks) = std::fs::read_to_string("/proc/locks") else { return Ok(None) };
        Ok(Some(locks.lines().any(|line| {
            // "1: FLOCK  ADVISORY  WRITE 4711 08:01:1234 0 EOF"
            let mut words = line.split_ascii_whitespace().skip(1);
            let flock = words.next() == Some("FLOCK");
            let mut words = words.skip(2);
            let holder = words.next().and_then(|word| word.parse().ok()) == Some(pid);
            let file = words.next().and_then(|word| word.rsplit(':').next()) == Some(inode.as_str());
            flock && holder && file
        })))
    }

    /// Locks are not listed here; a holder that lives is taken to hold.
    #[cfg(all(unix, not(target_os = "linux")))]
    fn is_locked_by(&self, pid: u32) -> io::Result<Option<bool>> {
        use rustix::io::Errno;
        use rustix::process::{Pid, test_kill_process};
        let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
        Ok(Some(matches!(test_kill_process(pid), Ok(()) | Err(Errno::PERM))))
    }
}

#[cfg(test)]
mod tests;
