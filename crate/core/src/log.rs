//! An open log: what its writer, its readers and its owner share.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use crate::cache::FrameCache;
use crate::catalogue::Catalogue;
use crate::create;
use crate::disk::EntryKind;
use crate::error::{Error, Result};
use crate::hash::Keys;
use crate::host::Host;
use crate::lock::LockFile;
use crate::options::Options;
use crate::reader::{self, ReadRequest, Records};
use crate::recovery::{self, Recovered};
use crate::repair::Cut;
use crate::stats::Stats;
use crate::watch::Watch;
use crate::writer::{Done, Head, Start, Writer};

/// Learns what becomes durable. Called on engine threads, one call at a time for each log; nothing comes after
/// `failed`. Must be quick, and must not call back into the log.
pub trait Listener: Send + Sync {
    /// Everything below `head.size` is durable.
    fn durable(&self, head: Head);
    /// The log stopped: what was not yet durable never will be acknowledged. Called once.
    fn failed(&self, error: &Error);
}

/// For those who ask the log itself: failures come back from its calls too.
pub struct Deaf;

impl Listener for Deaf {
    fn durable(&self, _: Head) {}
    fn failed(&self, _: &Error) {}
}

/// What the halves of an open log share.
pub struct Shared {
    /// Surroundings.
    pub host: Host,
    /// Absolute path of the folder.
    pub dir: PathBuf,
    /// Options as given.
    pub options: Options,
    /// Keys.
    pub keys: Arc<Keys>,
    /// The device that holds the folder.
    pub device: u64,
    /// Where records are.
    pub catalogue: Catalogue,
    /// Frames read lately.
    pub cache: FrameCache,
    /// Who is told.
    pub listener: Arc<dyn Listener>,
    end: Mutex<End>,
    /// Set under the lock of `end`; read without it, because each submission asks.
    failure: OnceLock<Arc<Error>>,
    writer: Option<Writer>,
    follower: Option<Mutex<crate::follow::Follower>>,
}

/// The end that readers see.
struct End {
    head: Head,
    last_time: u64,
}

impl Shared {
    /// The durable end.
    pub fn head(&self) -> Head {
        self.end.lock().head
    }

    /// Time of the last durable record, milliseconds.
    pub fn last_time(&self) -> u64 {
        self.end.lock().last_time
    }

    /// What stopped the log.
    pub fn failure(&self) -> Option<Arc<Error>> {
        self.failure.get().cloned()
    }

    /// The pipeline; none in a log that is open for reading only.
    pub fn writer(&self) -> Option<&Writer> {
        self.writer.as_ref()
    }

    /// In a log open for reading: looks how far its writer has got. Blocks.
    pub fn refresh(&self) -> Result<Head> {
        if let Some(follower) = &self.follower {
            follower.lock().refresh(self)?;
        }
        Ok(self.head())
    }

    /// Moves the durable end; false when the log was stopped before.
    pub fn advance(&self, head: Head, last_time: u64) -> bool {
        let mut end = self.end.lock();
        if self.failure.get().is_some() {
            return false;
        }
        end.head = head;
        end.last_time = last_time;
        // Under the lock: no watermark can slip behind a failure.
        if self.writer.is_some() {
            self.listener.durable(head);
        }
        true
    }

    /// Stops the log; gives the failure that stopped it first.
    pub fn poison(&self, error: Error) -> Arc<Error> {
        let _end = self.end.lock();
        if let Some(first) = self.failure.get() {
            return Arc::clone(first);
        }
        let first = Arc::clone(self.failure.get_or_init(|| Arc::new(error)));
        self.listener.failed(&first);
        first
    }
}

/// A handle to an open log; clones are the same log.
#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
    encoding: Arc<str>,
    first_offset: u64,
    cut: Option<Arc<Cut>>,
}

impl Log {
    /// Opens, or creates, the log in `dir`. Blocks for as long as recovery takes; does not wait for the lock.
    pub fn open(host: Host, dir: &Path, options: Options, listener: Arc<dyn Listener>) -> Result<Self> {
        options.check()?;
        let dir = host.disk.absolute(dir).map_err(|error| Error::io("getcwd", dir, error))?;
        let disk = &*host.disk;
        let exists = exists(&host, &dir)?;
        if !exists && (!options.create_if_missing || options.read_only || options.expect_head.is_some()) {
            return Err(no_log(&dir, &options));
        }
        if options.read_only {
            let (recovered, follower) = crate::follow::open(&*host.disk, &dir, &options)?;
            return Self::assemble(host, dir, options, listener, recovered, None, Some(follower));
        }
        if !exists {
            create::folders(disk, &dir)?;
        }
        let lock = LockFile::acquire(disk, &dir)?;
        // Looked at again under the lock: another process may have created the log meanwhile.
        let created = !create::has_log(disk, &dir)?;
        if created {
            create::log(&host, &dir, &options, &lock)?;
        } else if options.error_if_exists {
            return Err(Error::Exists { path: dir });
        }
        let recovered = recovery::recover(disk, &dir, &options, &lock)?;
        lock.write_holder()?;
        Self::assemble(host, dir, options, listener, recovered, Some(lock), None)
    }

    fn assemble(
        host: Host,
        dir: PathBuf,
        options: Options,
        listener: Arc<dyn Listener>,
        recovered: Recovered,
        lock: Option<LockFile>,
        follower: Option<crate::follow::Follower>,
    ) -> Result<Self> {
        let Recovered { keys, encoding, first_offset, numbers, active, chain, spare, cut } = recovered;
        let keys = Arc::new(keys);
        let head = Head { size: chain.replay.peaks.size(), hash: chain.replay.peaks.head(&keys) };
        let end = End { head, last_time: chain.replay.last_time };
        let volume = host.disk.volume(&dir).map_err(|error| Error::io("statfs", &dir, error))?;
        let catalogue = Catalogue::new(&host.disk, &dir, &keys, &numbers, &active, &chain)?;
        let writer = match lock {
            Some(lock) => {
                let start = Start { lock, active, chain: &chain, head, spare, prefill_pays: volume.prefill_pays };
                Some(Writer::new(&host, &dir, &options, start)?)
            }
            None => None,
        };
        let follower = follower.map(Mutex::new);
        let cache = FrameCache::new(options.cache_bytes);
        let shared = Shared {
            host,
            dir,
            options,
            keys,
            device: volume.device,
            catalogue,
            cache,
            listener,
            end: Mutex::new(end),
            failure: OnceLock::new(),
            writer,
            follower,
        };
        Ok(Self { shared: Arc::new(shared), encoding: encoding.into(), first_offset, cut: cut.map(Arc::new) })
    }

    /// Absolute path of the log's folder.
    pub fn location(&self) -> &Path {
        &self.shared.dir
    }

    /// The log's random id.
    pub fn id(&self) -> &[u8; 32] {
        self.shared.keys.id()
    }

    /// Name of the encoding that the log was created with.
    pub fn encoding(&self) -> &str {
        &self.encoding
    }

    /// First offset still there.
    pub fn first_offset(&self) -> u64 {
        self.first_offset
    }

    /// What opening had to cut.
    pub fn cut(&self) -> Option<&Cut> {
        self.cut.as_deref()
    }

    /// The durable end.
    pub fn head(&self) -> Head {
        self.shared.head()
    }

    /// What stopped the log.
    pub fn failure(&self) -> Option<Arc<Error>> {
        self.shared.failure()
    }

    /// Takes records in and returns at once; the listener tells when they are durable. `lengths` cut `payloads` into
    /// records, `batches` count the records of each atomic batch. On an error nothing was taken.
    pub fn submit(&self, payloads: &[u8], lengths: &[u32], batches: &[u32]) -> Result<()> {
        self.writing()?.submit(&self.shared, payloads, lengths, batches)
    }

    /// Calls `done` when everything submitted so far is on the device.
    pub fn flush(&self, done: Done<Head>) {
        match self.writing() {
            Ok(writer) => writer.flush(&self.shared, done),
            Err(error) => done(Err(error)),
        }
    }

    /// Flushes, marks the log as closed cleanly and releases its lock. A log open for reading has nothing to do.
    pub fn close(&self, done: Done<()>) {
        match self.shared.writer() {
            Some(writer) => writer.close(&self.shared, done),
            None => done(Ok(())),
        }
    }

    /// Reads a run of records; blocks.
    pub fn read(&self, request: &ReadRequest) -> Result<Records> {
        reader::read(&self.shared, request)
    }

    /// Looks up records in the order of `offsets`, until their payloads fill `max_bytes`.
    pub fn lookup(&self, offsets: &[u64], max_bytes: u64) -> Result<reader::Found> {
        reader::lookup(&self.shared, offsets, max_bytes)
    }

    /// Where the next runs of a range end, with `reverse` where they start: for asking for several at a time. Only a
    /// hint, and perhaps none.
    pub fn run_bounds(&self, range: std::ops::Range<u64>, max_bytes: u64, reverse: bool) -> Vec<u64> {
        // Whatever is wrong with an index, whoever reads there is told.
        reader::bounds(&self.shared, range, max_bytes, reverse).unwrap_or_default()
    }

    /// Offset of the first record with a time of at least `ms`; the durable size if there is none. Blocks.
    pub fn offset_at(&self, ms: u64) -> Result<u64> {
        reader::offset_at(&self.shared, ms)
    }

    /// In a log open for reading: looks how far its writer has got. Blocks.
    pub fn refresh(&self) -> Result<Head> {
        self.shared.refresh()
    }

    /// In a log open for reading: calls `done` with the head once it holds more than `size` records, some 30 ms
    /// after they became durable at the latest. Ends with `Aborted` soon after `stopped` says so, and with the first error.
    pub fn follow(&self, size: u64, stopped: Box<dyn Fn() -> bool + Send>, done: Done<Head>) {
        Watch::begin(&self.shared, size, stopped, done);
    }

    /// Counters since the log was opened.
    pub fn stats(&self) -> Stats {
        self.shared.writer().map(Writer::stats).unwrap_or_default()
    }

    /// What the halves share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn writing(&self) -> Result<&Writer> {
        self.shared.writer().ok_or_else(|| Error::ReadOnly { path: self.shared.dir.clone() })
    }
}

fn exists(host: &Host, dir: &Path) -> Result<bool> {
    match host.disk.kind(dir) {
        Ok(EntryKind::Dir) => create::has_log(&*host.disk, dir),
        Ok(_) => Err(Error::io("opendir", dir, std::io::Error::from(std::io::ErrorKind::NotADirectory))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("stat", dir, error)),
    }
}

fn no_log(dir: &Path, options: &Options) -> Error {
    let path = dir.to_owned();
    match options.expect_head {
        Some(expected) => {
            let (what, found) = ("there is no log", "no log".to_owned());
            Error::HeadMismatch { path, what, expected: Box::new(expected), found }
        }
        None => {
            let advice = match options.read_only {
                true => ", or open it without readOnly to create one",
                false => ", or open it without createIfMissing: false to create one",
            };
            Error::NotFound { path, advice }
        }
    }
}
