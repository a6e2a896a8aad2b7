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
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::super::{read_full_at, write_all_at};
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn open(path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        FileDisk.open(path, access)
    }

    fn open_error(path: &Path, access: Access) -> io::Error {
        open(path, access).err().unwrap()
    }

    #[test]
    fn written_bytes_are_read_back_past_a_hole_of_zeros() {
        let dir = folder();
        let file = open(&dir.path().join("a"), Access::CreateNew).unwrap();
        write_all_at(&*file, b"varve", 10).unwrap();
        let mut buffer = [1; 20];
        assert_eq!(read_full_at(&*file, &mut buffer, 0).unwrap(), 15);
        assert_eq!(&buffer[..15], b"\0\0\0\0\0\0\0\0\0\0varve");
        assert_eq!(file.len().unwrap(), 15);
        assert_eq!(file.read_at(&mut buffer, 15).unwrap(), 0);
        file.sync_data().unwrap();
        file.sync_all().unwrap();
    }

    #[test]
    fn access_decides_what_must_exist() {
        let dir = folder();
        let path = dir.path().join("a");
        assert_eq!(open_error(&path, Access::Read).kind(), io::ErrorKind::NotFound);
        assert_eq!(open_error(&path, Access::Write).kind(), io::ErrorKind::NotFound);
        write_all_at(&*open(&path, Access::OpenOrCreate).unwrap(), b"kept", 0).unwrap();
        assert_eq!(open_error(&path, Access::CreateNew).kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(open(&path, Access::OpenOrCreate).unwrap().len().unwrap(), 4);
        assert_eq!(open(&path, Access::Write).unwrap().len().unwrap(), 4);
        let reader = open(&path, Access::Read).unwrap();
        assert!(reader.write_at(b"x", 0).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn direct_writes_take_turns_with_others_and_every_descriptor_sees_them() {
        use super::super::{DIRECT_ALIGN, write_all_direct_at};
        // Beside the test itself: a temporary folder may be in memory, where there are none.
        let here = std::env::current_exe().unwrap();
        let dir = tempfile::tempdir_in(here.parent().unwrap()).unwrap();
        let path = dir.path().join("a");
        let (file, reader) = (open(&path, Access::CreateNew).unwrap(), open(&path, Access::Read).unwrap());
        if !file.takes_direct() {
            return; // neither ext4 nor XFS
        }
        let memory = vec![7; 3 * DIRECT_ALIGN];
        let at = memory.as_ptr().align_offset(DIRECT_ALIGN);
        let mut buffer = [0; 5];
        for round in 0..20u64 {
            let block = 4096 * (round + 1);
            write_all_at(&*file, b"varve", block + 10).unwrap();
            assert_eq!(read_full_at(&*reader, &mut buffer, block + 10).unwrap(), 5);
            assert_eq!(&buffer, b"varve");
            write_all_direct_at(&*file, &memory[at..at + DIRECT_ALIGN], block).unwrap();
            assert_eq!(read_full_at(&*reader, &mut buffer, block + 10).unwrap(), 5);
            assert_eq!(buffer, [7; 5]);
            assert_eq!(read_full_at(&*file, &mut buffer, block + 10).unwrap(), 5);
            assert_eq!(buffer, [7; 5]);
        }
        let refused = write_all_direct_at(&*file, &memory[at..at + DIRECT_ALIGN], 64).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        file.sync_data().unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn errors_keep_the_systems_number() {
        let dir = folder();
        let error = open_error(&dir.path().join("missing"), Access::Read);
        assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::NOENT.raw_os_error()));
        let error = FileDisk.create_dir(&dir.path().join("missing/inner")).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::NOENT.raw_os_error()));
    }

    #[cfg(unix)]
    #[test]
    fn new_files_are_private_to_their_owner() {
        use std::os::unix::fs::PermissionsExt;
        let dir = folder();
        for (name, access) in [("a", Access::CreateNew), ("b", Access::OpenOrCreate)] {
            let path = dir.path().join(name);
            open(&path, access).unwrap();
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn set_len_cuts_and_extends_with_zeros() {
        let dir = folder();
        let file = open(&dir.path().join("a"), Access::CreateNew).unwrap();
        write_all_at(&*file, b"abcdef", 0).unwrap();
        file.set_len(3).unwrap();
        file.set_len(5).unwrap();
        let mut buffer = [1; 8];
        assert_eq!(read_full_at(&*file, &mut buffer, 0).unwrap(), 5);
        assert_eq!(&buffer[..5], b"abc\0\0");
    }

    #[test]
    fn a_lock_excludes_other_descriptors_until_its_own_is_dropped() {
        let dir = folder();
        let path = dir.path().join("lock");
        let first = open(&path, Access::OpenOrCreate).unwrap();
        let second = open(&path, Access::OpenOrCreate).unwrap();
        assert!(first.try_lock().unwrap());
        assert!(!second.try_lock().unwrap());
        drop(first);
        assert!(second.try_lock().unwrap());
    }

    #[test]
    fn listing_names_files_folders_and_links() {
        let dir = folder();
        write_all_at(&*open(&dir.path().join("a.seg"), Access::CreateNew).unwrap(), b"12345", 0).unwrap();
        FileDisk.create_dir(&dir.path().join("inner")).unwrap();
        assert_eq!(FileDisk.create_dir(&dir.path().join("inner")).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let mut entries = FileDisk.list(dir.path()).unwrap();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let found: Vec<_> = entries.iter().map(|entry| (entry.name.as_str(), entry.kind)).collect();
        assert_eq!(found, [("a.seg", EntryKind::File), ("inner", EntryKind::Dir)]);
        assert_eq!(entries[0].len, 5);
        assert_eq!(FileDisk.kind(&dir.path().join("inner")).unwrap(), EntryKind::Dir);
        assert_eq!(FileDisk.kind(&dir.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_a_link_to_nowhere_is_other() {
        let dir = folder();
        write_all_at(&*open(&dir.path().join("a"), Access::CreateNew).unwrap(), b"12345", 0).unwrap();
        std::os::unix::fs::symlink(dir.path().join("a"), dir.path().join("b")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("gone"), dir.path().join("c")).unwrap();
        let mut entries = FileDisk.list(dir.path()).unwrap();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let found: Vec<_> = entries.iter().map(|entry| (entry.kind, entry.len)).collect();
        assert_eq!(found, [(EntryKind::File, 5), (EntryKind::File, 5), (EntryKind::Other, 0)]);
    }

    #[test]
    fn rename_keeps_identity_and_remove_takes_the_name() {
        let dir = folder();
        let (from, to) = (dir.path().join("a"), dir.path().join("b"));
        let file = open(&from, Access::CreateNew).unwrap();
        let other = open(&dir.path().join("c"), Access::CreateNew).unwrap();
        FileDisk.rename(&from, &to).unwrap();
        FileDisk.sync_dir(dir.path()).unwrap();
        assert_eq!(open_error(&from, Access::Read).kind(), io::ErrorKind::NotFound);
        assert_eq!(open(&to, Access::Read).unwrap().identity().unwrap(), file.identity().unwrap());
        #[cfg(unix)]
        assert_ne!(other.identity().unwrap(), file.identity().unwrap());
        drop(other);
        FileDisk.remove(&to).unwrap();
        assert_eq!(FileDisk.remove(&to).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn the_volume_of_a_folder_has_free_space() {
        let dir = folder();
        let volume = FileDisk.volume(dir.path()).unwrap();
        assert!(volume.free > 0);
        assert!(FileDisk.volume(&dir.path().join("none")).is_err());
    }
}
