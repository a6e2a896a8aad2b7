//! What `verify` says of the files as a crash, an error or a close left them, before anybody repairs them: no fault of
//! this suite damages anything that was durable, so it must find no problem, and the size that opening then gives.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use varve_core::disk::{Access, Disk, DiskFile, Entry, EntryKind, Volume};
use varve_core::error::Error;
use varve_core::host::{Class, Executor, Host, Job, SystemClock, SystemEntropy};
use varve_core::verify::{Report, VerifyOptions, verify_dir};

/// Every file with its identity, apart from the simulated disk: looking at them meets no fault and moves no clock.
pub struct Snapshot(pub BTreeMap<PathBuf, (Arc<Vec<u8>>, u64)>);

struct Still(Arc<Vec<u8>>, u64);

fn refused<T>() -> io::Result<T> {
    Err(io::Error::other("verify wants to change something"))
}

impl Disk for Snapshot {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        if access != Access::Read {
            return refused();
        }
        let (bytes, identity) = self.0.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Still(Arc::clone(bytes), *identity)))
    }
    fn kind(&self, path: &Path) -> io::Result<EntryKind> {
        self.0.get(path).map(|_| EntryKind::File).ok_or(io::ErrorKind::NotFound.into())
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let files = self.0.iter().filter(|(path, _)| path.parent() == Some(dir));
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        Ok(files
            .map(|(path, (bytes, _))| Entry { name: name(path), kind: EntryKind::File, len: bytes.len() as u64 })
            .collect())
    }
    fn create_dir(&self, _: &Path) -> io::Result<()> {
        refused()
    }
    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        refused()
    }
    fn remove(&self, _: &Path) -> io::Result<()> {
        refused()
    }
    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        refused()
    }
    fn volume(&self, _: &Path) -> io::Result<Volume> {
        refused()
    }
}

impl DiskFile for Still {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let rest = self.0.get(position as usize..).unwrap_or_default();
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }
    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        refused()
    }
    fn sync_data(&self) -> io::Result<()> {
        refused()
    }
    fn sync_all(&self) -> io::Result<()> {
        refused()
    }
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }
    fn set_len(&self, _: u64) -> io::Result<()> {
        refused()
    }
    fn identity(&self) -> io::Result<u64> {
        Ok(self.1)
    }
    fn try_lock(&self) -> io::Result<bool> {
        refused()
    }
}

/// No helper ever comes: the calling thread does all the work.
struct Nobody;
impl Executor for Nobody {
    fn spawn(&self, _: Class, _: Job) {}
    fn spawn_after(&self, _: Duration, _: Class, _: Job) {}
}

/// What `verify` says of the log in these files; none where there is no log.
pub fn report(files: Snapshot, dir: &Path, secret: Option<Vec<u8>>) -> Result<Option<Report>, String> {
    let host = Host {
        disk: Arc::new(files),
        executor: Arc::new(Nobody),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    };
    let options = VerifyOptions { secret, ..VerifyOptions::default() };
    match verify_dir(&host, dir, &options, &|_, _| true) {
        Ok(report) => Ok(Some(report)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(format!("verify failed: {error}")),
    }
}

/// The size of the log in these files; none where there is no log yet. Any problem is a violation.
pub fn size_of(files: Snapshot, dir: &Path, secret: Option<Vec<u8>>) -> Result<Option<u64>, String> {
    match report(files, dir, secret)? {
        Some(report) if report.ok => Ok(Some(report.head.size)),
        Some(report) => Err(format!("verify finds problems in sound files: {:#?}", report.problems)),
        None => Ok(None),
    }
}
