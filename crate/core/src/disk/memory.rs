//! A disk in memory for the tests of varve's users: the same engine, nothing on disk, no faults.
//!
//! Syncs do nothing, as nothing survives the process. Memory follows what the files hold now, not their history:
//! the bytes of a removed file go with its last descriptor, and all of it with the disk and the descriptors.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use super::tree::Tree;
use super::{Access, Disk, DiskFile, Entry, EntryKind, Volume};

/// A file system in memory. Clones share it.
#[derive(Clone, Default)]
pub struct MemoryDisk {
    volume: Arc<MemoryVolume>,
}

/// One count for all disks, from where no inode is: the lock file's identity tells logs of one process apart, whichever
/// disk they are on.
static IDENTITY_NEXT: AtomicU64 = AtomicU64::new(1 << 63);

#[derive(Default)]
struct MemoryVolume {
    tree: Mutex<Tree<Arc<MemoryFile>>>,
}

struct MemoryFile {
    identity: u64,
    content: RwLock<Vec<u8>>,
    locked: AtomicBool,
}

struct Descriptor {
    file: Arc<MemoryFile>,
    writable: bool,
    holds_lock: AtomicBool,
}

impl MemoryDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let create = || {
            let identity = IDENTITY_NEXT.fetch_add(1, Ordering::Relaxed);
            Arc::new(MemoryFile { identity, content: RwLock::default(), locked: AtomicBool::new(false) })
        };
        let (file, _) = self.volume.tree.lock().open(path, access, create)?;
        Ok(Box::new(Descriptor { file, writable: access != Access::Read, holds_lock: AtomicBool::new(false) }))
    }

    fn kind(&self, path: &Path) -> io::Result<EntryKind> {
        self.volume.tree.lock().kind(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        self.volume.tree.lock().list(dir, |file| file.content.read().len() as u64)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.volume.tree.lock().create_dir(dir).map(drop)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.volume.tree.lock().rename(from, to).map(drop)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.volume.tree.lock().remove(path).map(drop)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.volume.tree.lock().dir(dir).map(drop)
    }

    fn volume(&self, dir: &Path) -> io::Result<Volume> {
        self.kind(dir)?;
        Ok(Volume { device: 0, free: u64::MAX, prefill_pays: false })
    }

    /// There is no working folder: every path starts at the root.
    fn absolute(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }
}

impl DiskFile for Descriptor {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        Ok(read_bytes(&self.file.content.read(), buffer, position))
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
        check_writable(self.writable)?;
        write_bytes(&mut self.file.content.write(), bytes, position)?;
        Ok(bytes.len())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.content.read().len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        check_writable(self.writable)?;
        resize(&mut self.file.content.write(), len)
    }

    fn identity(&self) -> io::Result<u64> {
        Ok(self.file.identity)
    }

    fn try_lock(&self) -> io::Result<bool> {
        if self.holds_lock.load(Ordering::Acquire) {
            return Ok(true);
        }
        let taken = self.file.locked.compare_exchange(false, true, Ordering::AcqRel, Ordering::Acquire).is_ok();
        self.holds_lock.store(taken, Ordering::Release);
        Ok(taken)
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        if self.holds_lock.load(Ordering::Acquire) {
            self.file.locked.store(false, Ordering::Release);
        }
    }
}

/// Refuses to change a file through a descriptor that was opened to read.
pub(super) fn check_writable(writable: bool) -> io::Result<()> {
    if writable { Ok(()) } else { Err(io::Error::new(io::ErrorKind::PermissionDenied, "opened for reading only")) }
}

/// Copies from `position` on into `buffer`; 0 at the end.
pub(super) fn read_bytes(content: &[u8], buffer: &mut [u8], position: u64) -> usize {
    let start = usize::try_from(position).unwrap_or(usize::MAX).min(content.len());
    let count = buffer.len().min(content.len() - start);
    buffer[..count].copy_from_slice(&content[start..start + count]);
    count
}

/// Puts `bytes` at `position`, with zeros before them where the content was shorter.
pub(super) fn write_bytes(content: &mut Vec<u8>, bytes: &[u8], position: u64) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let end = position.checked_add(bytes.len() as u64).ok_or(io::ErrorKind::FileTooLarge)?;
    if end > content.len() as u64 {
        resize(content, end)?;
    }
    let end = usize::try_from(end).map_err(|_| io::ErrorKind::FileTooLarge)?;
    content[end - bytes.len()..end].copy_from_slice(bytes);
    Ok(())
}

/// Cuts or extends with zeros. Memory that cannot be had is a full disk.
pub(super) fn resize(content: &mut Vec<u8>, len: u64) -> io::Result<()> {
    let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
    if len > content.len() {
        content.try_reserve(len - content.len()).map_err(|_| io::ErrorKind::StorageFull)?;
    }
    content.resize(len, 0);
    if content.capacity() / 2 > len {
        content.shrink_to_fit();
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::super::{read_full_at, write_all_at};
    use super::*;

    #[test]
    fn files_and_folders_behave_as_on_a_real_disk() {
        let disk = MemoryDisk::new();
        let path = Path::new("/logs/a.seg");
        assert_eq!(disk.open(path, Access::CreateNew).err().unwrap().kind(), io::ErrorKind::NotFound);
        disk.create_dir(Path::new("/logs")).unwrap();
        assert_eq!(disk.create_dir(Path::new("/logs")).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(disk.open(path, Access::Write).err().unwrap().kind(), io::ErrorKind::NotFound);
        let file = disk.open(path, Access::CreateNew).unwrap();
        assert_eq!(disk.open(path, Access::CreateNew).err().unwrap().kind(), io::ErrorKind::AlreadyExists);
        write_all_at(&*file, b"varve", 3).unwrap();
        let mut buffer = [1; 10];
        assert_eq!(read_full_at(&*file, &mut buffer, 0).unwrap(), 8);
        assert_eq!(&buffer[..8], b"\0\0\0varve");
        file.set_len(4).unwrap();
        file.set_len(6).unwrap();
        assert_eq!(read_full_at(&*file, &mut buffer, 3).unwrap(), 3);
        assert_eq!(&buffer[..3], b"v\0\0");
        disk.rename(path, Path::new("/logs/b.seg")).unwrap();
        let entries = disk.list(Path::new("/logs")).unwrap();
        assert_eq!(entries, [Entry { name: "b.seg".into(), kind: EntryKind::File, len: 6 }]);
        assert_eq!(disk.kind(Path::new("/logs")).unwrap(), EntryKind::Dir);
        assert!(disk.open(Path::new("/logs/b.seg"), Access::Read).unwrap().write_at(b"x", 0).is_err());
        disk.remove(Path::new("/logs/b.seg")).unwrap();
        assert_eq!(disk.kind(Path::new("/logs/b.seg")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(file.len().unwrap(), 6, "an open file outlives its name");
    }

    #[test]
    fn a_removed_file_frees_its_memory_with_its_last_descriptor() {
        let disk = MemoryDisk::new();
        let path = Path::new("a");
        let file = disk.open(path, Access::CreateNew).unwrap();
        let node = disk.volume.tree.lock().open(path, Access::Read, || unreachable!()).unwrap().0;
        let weak = Arc::downgrade(&node);
        drop(node);
        disk.remove(path).unwrap();
        assert!(weak.upgrade().is_some());
        drop(file);
        assert!(weak.upgrade().is_none());
    }

    #[test]
    fn a_lock_excludes_other_descriptors_until_its_own_is_dropped() {
        let disk = MemoryDisk::new();
        let open = || disk.open(Path::new("lock"), Access::OpenOrCreate).unwrap();
        let (first, second) = (open(), open());
        assert!(first.try_lock().unwrap() && first.try_lock().unwrap());
        assert!(!second.try_lock().unwrap());
        drop(first);
        assert!(second.try_lock().unwrap());
        assert_ne!(
            disk.open(Path::new("b"), Access::CreateNew).unwrap().identity().unwrap(),
            second.identity().unwrap()
        );
    }
}
