//! `open` and `openMemory`: check the options, open on an engine thread, and wait for the lock without occupying one.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use napi::Env;
use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;
use parking_lot::Mutex;
use varve_core::disk::memory::MemoryDisk;
use varve_core::error::{Error, HeadClaim, Result};
use varve_core::host::{Class, Host};
use varve_core::log::{Listener, Log};
use varve_core::options::{Compression, Durability, Options};
use varve_core::writer::Head;

use crate::environment::Environment;
use crate::events::{Answer, Event};
use crate::numbers::{integer, integer_u32};
use crate::requests::{Reply, caught};

/// How often a lock that another process holds is tried.
const LOCK_INTERVAL: Duration = Duration::from_millis(20);

/// As in lib/native.ts.
#[napi(object, object_to_js = false)]
pub struct NativeHead {
    /// 64 hex digits.
    pub id: String,
    /// Number of records.
    pub size: f64,
    /// 64 hex digits.
    pub hash: String,
}

/// As in lib/native.ts.
#[napi(object, object_to_js = false)]
pub struct NativeOpenOptions {
    /// Name; 'buffer' opens any log.
    pub encoding: String,
    /// 'none' or 'lz4'.
    pub compression: String,
    /// 'disk' or 'os'.
    pub durability: String,
    /// Bytes.
    pub segment_bytes: f64,
    /// Bytes.
    pub max_record_bytes: f64,
    /// Bytes.
    pub cache_bytes: f64,
    /// 32 to 1,024 bytes.
    pub secret: Option<Uint8Array>,
    /// What the log must contain.
    pub expect_head: Option<NativeHead>,
    /// Milliseconds.
    pub lock_timeout: f64,
    /// Create a log where there is none.
    pub create_if_missing: bool,
    /// Refuse where there is one.
    pub error_if_exists: bool,
    /// No lock, no repair, no writes.
    pub read_only: bool,
}

/// Opens a log; answered with `NativeOpened`.
#[napi(catch_unwind)]
pub fn open(env: Env, request: i64, dir: String, options: NativeOpenOptions) -> napi::Result<()> {
    let environment = Environment::of(&env)?;
    begin(&environment, request, environment.host.clone(), PathBuf::from(dir), options);
    Ok(())
}

/// Memory logs of this process so far, whichever environment has them.
static MEMORY_LOGS: AtomicU64 = AtomicU64::new(0);

/// Opens a new log in memory; answered with `NativeOpened`. It has a disk of its own, which is freed when it is closed.
#[napi(catch_unwind)]
pub fn open_memory(env: Env, request: i64, options: NativeOpenOptions) -> napi::Result<()> {
    let environment = Environment::of(&env)?;
    let name = format!("memory:{}", MEMORY_LOGS.fetch_add(1, Ordering::Relaxed) + 1);
    let host = Host { disk: Arc::new(MemoryDisk::new()), ..environment.host.clone() };
    begin(&environment, request, host, PathBuf::from(name), options);
    Ok(())
}

fn begin(environment: &Arc<Environment>, request: i64, host: Host, dir: PathBuf, options: NativeOpenOptions) {
    let reply = Reply::begin(environment, request);
    let options = match parse(options) {
        Ok(options) => options,
        Err(error) => return reply.send(Err(error)),
    };
    let deadline = Instant::now() + options.lock_timeout;
    let handle = environment.logs.reserve();
    let opening = Opening { reply, host, dir, options, handle, deadline };
    environment.host.executor.spawn(Class::Background, Box::new(|| opening.attempt()));
}

struct Opening {
    reply: Reply,
    host: Host,
    dir: PathBuf,
    options: Options,
    handle: u32,
    deadline: Instant,
}

impl Opening {
    /// Opens, or comes back later if somebody else has the lock.
    fn attempt(self) {
        match caught(|| self.open_once()) {
            Err(Error::Locked { .. }) if Instant::now() < self.deadline => {
                let executor = Arc::clone(&self.reply.environment().host.executor);
                executor.spawn_after(LOCK_INTERVAL, Class::Background, Box::new(|| self.attempt()));
            }
            outcome => self.reply.send(outcome),
        }
    }

    fn open_once(&self) -> Result<Answer> {
        self.reply.cancel().check()?;
        let environment = self.reply.environment();
        let watcher = Watcher { environment: Arc::clone(environment), log: self.handle, failed: Mutex::new(false) };
        let log = Log::open(self.host.clone(), &self.dir, self.options.clone(), Arc::new(watcher))?;
        environment.logs.add(self.handle, log);
        Ok(Answer::Opened(self.handle))
    }
}

/// Passes on what becomes durable.
struct Watcher {
    environment: Arc<Environment>,
    log: u32,
    /// Held while pushing, so that no 'durable' slips behind 'failed'.
    failed: Mutex<bool>,
}

impl Listener for Watcher {
    fn durable(&self, head: Head) {
        // What comes after 'failed' counts as not acknowledged.
        let failed = self.failed.lock();
        if !*failed {
            self.environment.durable(self.log, head);
        }
    }

    fn failed(&self, error: &Error) {
        let mut failed = self.failed.lock();
        *failed = true;
        self.environment.push(Event::Failed { log: self.log, error: error.clone() });
    }
}

fn parse(given: NativeOpenOptions) -> Result<Options> {
    let compression = match given.compression.as_str() {
        "none" => Compression::None,
        "lz4" => Compression::Lz4,
        other => return Err(Error::Invalid(format!("compression must be 'none' or 'lz4', got '{other}'"))),
    };
    let durability = match given.durability.as_str() {
        "disk" => Durability::Disk,
        "os" => Durability::Os,
        other => return Err(Error::Invalid(format!("durability must be 'disk' or 'os', got '{other}'"))),
    };
    Ok(Options {
        encoding: given.encoding,
        compression,
        durability,
        segment_bytes: integer("segmentBytes", given.segment_bytes)?,
        max_record_bytes: integer_u32("maxRecordBytes", given.max_record_bytes)?,
        cache_bytes: integer("cacheBytes", given.cache_bytes)?,
        secret: given.secret.map(|secret| secret.to_vec()),
        expect_head: given.expect_head.map(head_claim).transpose()?,
        lock_timeout: Duration::from_millis(integer_u32("lockTimeout", given.lock_timeout)?.into()),
        create_if_missing: given.create_if_missing,
        error_if_exists: given.error_if_exists,
        read_only: given.read_only,
        ..Options::default()
    })
}

/// A head as the engine has it.
pub fn head_claim(head: NativeHead) -> Result<HeadClaim> {
    Ok(HeadClaim {
        id: unhex("expectHead.id", &head.id)?,
        size: integer("expectHead.size", head.size)?,
        hash: unhex("expectHead.hash", &head.hash)?,
    })
}

fn unhex(name: &str, text: &str) -> Result<[u8; 32]> {
    let digits = text.as_bytes().chunks_exact(2);
    let bytes = digits.map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?));
    let bytes: Option<Vec<u8>> = bytes.collect();
    let bytes = bytes.filter(|_| text.len() == 64).and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| Error::Invalid(format!("{name} must be 64 hex digits, got \"{text}\"")))
}

fn digit(character: u8) -> Option<u8> {
    char::from(character).to_digit(16).map(|value| value as u8)
}
