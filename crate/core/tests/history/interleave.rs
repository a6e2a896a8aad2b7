//! A disk that lets other jobs run before and after any of its calls: on one thread, in an order that the seed
//! decides, the engine's stages, its background work and the user's calls meet at every point where they do I/O.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use varve_core::disk::sim::{SimDisk, SimRng};
use varve_core::disk::{Access, Disk, DiskFile, Entry, EntryKind, Volume};
use varve_core::host::Entropy;
use varve_core::simulation::{SimEntropy, SimExecutor};

/// Jobs run inside of I/O calls nest no deeper.
const DEPTH_MAX: u64 = 3;

/// Decides when other jobs run.
pub struct Weaver {
    executor: Arc<SimExecutor>,
    rng: Mutex<SimRng>,
    /// Per cent of the moments around calls at which a job runs.
    percent: u64,
    depth: AtomicU64,
}

impl Weaver {
    pub fn new(executor: &Arc<SimExecutor>, seed: u64, percent: u64) -> Arc<Self> {
        Arc::new(Self {
            executor: Arc::clone(executor),
            rng: Mutex::new(SimRng::new(seed)),
            percent,
            depth: AtomicU64::new(0),
        })
    }

    fn moment(&self) {
        if self.percent == 0 || self.depth.load(Ordering::Relaxed) >= DEPTH_MAX {
            return;
        }
        let mut rng = self.rng.lock();
        if !rng.chance(self.percent, 100) {
            return;
        }
        let mut fork = rng.fork();
        drop(rng);
        self.depth.fetch_add(1, Ordering::Relaxed);
        self.executor.step(&mut fork);
        self.depth.fetch_sub(1, Ordering::Relaxed);
    }

    fn around<T>(&self, call: impl FnOnce() -> T) -> T {
        self.moment();
        let result = call();
        self.moment();
        result
    }
}

/// The simulated disk, woven.
pub struct WovenDisk {
    pub disk: SimDisk,
    pub weaver: Arc<Weaver>,
}

struct WovenFile {
    file: Box<dyn DiskFile>,
    weaver: Arc<Weaver>,
}

impl Disk for WovenDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let file = self.weaver.around(|| self.disk.open(path, access))?;
        Ok(Box::new(WovenFile { file, weaver: Arc::clone(&self.weaver) }))
    }
    fn kind(&self, path: &Path) -> io::Result<EntryKind> {
        self.weaver.around(|| self.disk.kind(path))
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        self.weaver.around(|| self.disk.list(dir))
    }
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.weaver.around(|| self.disk.create_dir(dir))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.weaver.around(|| self.disk.rename(from, to))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.weaver.around(|| self.disk.remove(path))
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.weaver.around(|| self.disk.sync_dir(dir))
    }
    fn volume(&self, dir: &Path) -> io::Result<Volume> {
        self.weaver.around(|| self.disk.volume(dir))
    }
}

impl DiskFile for WovenFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.weaver.around(|| self.file.read_at(buffer, position))
    }
    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
        self.weaver.around(|| self.file.write_at(bytes, position))
    }
    fn takes_direct(&self) -> bool {
        self.file.takes_direct()
    }
    fn write_direct_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
        self.weaver.around(|| self.file.write_direct_at(bytes, position))
    }
    fn sync_data(&self) -> io::Result<()> {
        self.weaver.around(|| self.file.sync_data())
    }
    fn sync_all(&self) -> io::Result<()> {
        self.weaver.around(|| self.file.sync_all())
    }
    fn len(&self) -> io::Result<u64> {
        self.weaver.around(|| self.file.len())
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.weaver.around(|| self.file.set_len(len))
    }
    fn identity(&self) -> io::Result<u64> {
        self.weaver.around(|| self.file.identity())
    }
    fn try_lock(&self) -> io::Result<bool> {
        self.file.try_lock()
    }
    fn is_locked_by(&self, pid: u32) -> io::Result<Option<bool>> {
        self.file.is_locked_by(pid)
    }
}

/// Randomness, woven: stage 1 asks for it, and does no other call.
pub struct WovenEntropy {
    pub entropy: Arc<SimEntropy>,
    pub weaver: Arc<Weaver>,
}

impl Entropy for WovenEntropy {
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
        self.weaver.around(|| self.entropy.fill(bytes))
    }
}
