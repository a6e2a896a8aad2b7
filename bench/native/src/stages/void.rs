//! A disk in memory whose segments keep their first page only: writing and syncing frames costs nothing.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use varve_core::disk::memory::MemoryDisk;
use varve_core::disk::{Access, Disk, DiskFile, Entry, EntryKind, Volume};

const KEPT: u64 = 4096;

#[derive(Default)]
pub struct VoidDisk(MemoryDisk);

struct VoidFile {
    file: Box<dyn DiskFile>,
    len: AtomicU64,
    keeps_all: bool,
}

impl Disk for VoidDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let file = self.0.open(path, access)?;
        let keeps_all = path.extension().is_none_or(|extension| extension != "seg");
        let len = AtomicU64::new(file.len()?);
        Ok(Box::new(VoidFile { file, len, keeps_all }))
    }

    fn kind(&self, path: &Path) -> io::Result<EntryKind> {
        self.0.kind(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        self.0.list(dir)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.create_dir(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.sync_dir(dir)
    }

    fn volume(&self, dir: &Path) -> io::Result<Volume> {
        self.0.volume(dir)
    }

    fn absolute(&self, path: &Path) -> io::Result<PathBuf> {
        self.0.absolute(path)
    }
}

impl DiskFile for VoidFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(buffer, position)
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
        if self.keeps_all || position < KEPT {
            return self.file.write_at(bytes, position);
        }
        self.len.fetch_max(position + bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.len()?.max(self.len.load(Ordering::Relaxed)))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.len.store(len, Ordering::Relaxed);
        self.file.set_len(len.min(KEPT))
    }

    fn identity(&self) -> io::Result<u64> {
        self.file.identity()
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.file.try_lock()
    }
}
