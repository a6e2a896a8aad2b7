//! The lock file: who may write the log, and the live mark that tells other processes how far it is durable.
//!
//! Sector 0 names the last holder, sector 1 holds the live mark. The file is never unlinked: a second process could
//! lock the old inode while a third one locks a new file of the same name.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use parking_lot::Mutex;

use crate::disk::{self, Access, Disk, DiskFile};
use crate::error::{Error, Holder, Result};
use crate::format::{LIVE_MARK_POSITION, MARK_LEN, Mark, SECTOR_LEN};
use crate::host::{Clock, SystemClock};

const NAME: &str = "lock";

/// When this process first looked: together with pid and host it tells processes apart whose pids were reused.
static PROCESS_STARTED_MS: LazyLock<u64> = LazyLock::new(|| SystemClock.now_ms());

static HOST_NAME: LazyLock<String> = LazyLock::new(host_name);

#[cfg(unix)]
fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "localhost".to_owned())
}

fn this_process() -> Holder {
    Holder { pid: std::process::id(), host: HOST_NAME.clone(), this_process: true }
}

/// The lock files that this process holds, by identity: another open here can say so even before the holder is written.
static HELD_HERE: Mutex<Vec<u64>> = Mutex::new(Vec::new());

/// A descriptor of the lock file.
pub struct LockFile {
    path: PathBuf,
    file: Box<dyn DiskFile>,
    /// Set while this descriptor holds the lock.
    held: Option<u64>,
}

impl Drop for LockFile {
    fn drop(&mut self) {
        let mut held = HELD_HERE.lock();
        if let Some(at) = self.held.and_then(|identity| held.iter().position(|&other| other == identity)) {
            held.swap_remove(at);
        }
    }
}

impl LockFile {
    /// Takes the writer lock of the log in `dir`, which exists, or says who has it.
    pub fn acquire(disk: &dyn Disk, dir: &Path) -> Result<Self> {
        let path = dir.join(NAME);
        let file = disk.open(&path, Access::OpenOrCreate).map_err(|error| Error::io("open", &path, error))?;
        let identity = file.identity().map_err(|error| Error::io("fstat", &path, error))?;
        let mut held = HELD_HERE.lock();
        let taken = file.try_lock().map_err(|error| Error::io("flock", &path, error))?;
        let held_here = held.contains(&identity);
        if taken {
            held.push(identity);
        }
        drop(held);
        let lock = Self { path, file, held: taken.then_some(identity) };
        if !taken {
            let holder = if held_here { Some(this_process()) } else { lock.holder()? };
            let advice = ", wait with lockTimeout, or open with readOnly";
            return Err(Error::Locked { path: dir.to_owned(), holder, advice });
        }
        Ok(lock)
    }

    /// Opens the lock file for looking only; `None` when there is none.
    pub fn look(disk: &dyn Disk, dir: &Path) -> Result<Option<Self>> {
        let path = dir.join(NAME);
        match disk.open(&path, Access::Read) {
            Ok(file) => Ok(Some(Self { path, file, held: None })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("open", &path, error)),
        }
    }

    /// Names this process as the holder. Done once the log is open: a refused open changes nothing.
    pub fn write_holder(&self) -> Result<()> {
        let text = format!("pid={}\nstarted={}\nhost={}\n", std::process::id(), *PROCESS_STARTED_MS, *HOST_NAME);
        let mut sector = text.into_bytes();
        sector.resize(SECTOR_LEN as usize, 0);
        disk::write_all_at(&*self.file, &sector, 0).map_err(|error| Error::io("write", &self.path, error))
    }

    /// The last holder that the file names.
    pub fn holder(&self) -> Result<Option<Holder>> {
        let mut sector = [0; SECTOR_LEN as usize];
        let got = disk::read_full_at(&*self.file, &mut sector, 0);
        let got = got.map_err(|error| Error::io("read", &self.path, error))?;
        let text = String::from_utf8_lossy(&sector[..got]);
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        let (Some(pid), Some(host)) = (field("pid").and_then(|v| v.parse().ok()), field("host")) else {
            return Ok(None);
        };
        let this_process = pid == std::process::id()
            && host == *HOST_NAME
            && field("started").and_then(|v| v.parse().ok()) == Some(*PROCESS_STARTED_MS);
        Ok(Some(Holder { pid, host: host.to_owned(), this_process }))
    }

    /// The holder that the file names, if it has the lock at this moment. Found without trying the lock: a try that
    /// succeeds, even for an instant, would refuse a writer that opens the log just then. What cannot be told (another
    /// host, another container) is nobody.
    pub fn held_by(&self) -> Result<Option<Holder>> {
        let Some(holder) = self.holder()?.filter(|holder| holder.host == *HOST_NAME) else { return Ok(None) };
        Ok((self.is_held_by(&holder)? == Some(true)).then_some(holder))
    }

    /// Whether a writer is at work; `None` where that cannot be told. One that still recovers is not named yet and counts
    /// for nobody: what it will keep is in the files already.
    pub fn is_held(&self) -> Result<Option<bool>> {
        match self.holder()? {
            None => Ok(Some(false)),
            Some(holder) if holder.host != *HOST_NAME => Ok(None),
            Some(holder) => self.is_held_by(&holder),
        }
    }

    fn is_held_by(&self, holder: &Holder) -> Result<Option<bool>> {
        self.file.is_locked_by(holder.pid).map_err(|error| Error::io("read", &self.path, error))
    }

    /// The live mark's bytes; who has the segment's key can parse them.
    pub fn mark_bytes(&self) -> Result<Option<[u8; MARK_LEN]>> {
        let mut bytes = [0; MARK_LEN];
        let got = disk::read_full_at(&*self.file, &mut bytes, LIVE_MARK_POSITION);
        let got = got.map_err(|error| Error::io("read", &self.path, error))?;
        Ok((got == MARK_LEN).then_some(bytes))
    }

    /// Writes the live mark. Not synced: it tells living processes, and recovery after a kill, what was durable.
    pub fn write_mark(&self, mark: &Mark, frame_key: &[u8; 32]) -> Result<()> {
        let bytes = mark.encode(frame_key, LIVE_MARK_POSITION);
        disk::write_all_at(&*self.file, &bytes, LIVE_MARK_POSITION)
            .map_err(|error| Error::io("write", &self.path, error))
    }
}
