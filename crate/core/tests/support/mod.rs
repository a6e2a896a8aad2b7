//! What the integration tests share: opening a log on real files and waiting for its answers.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, mpsc};

use varve_core::disk::file::FileDisk;
use varve_core::error::{Error, Result};
use varve_core::host::{Clock, Entropy, Host, SystemClock, SystemEntropy};
use varve_core::log::{Listener, Log};
use varve_core::options::Options;
use varve_core::pool::Pool;
use varve_core::reader::ReadRequest;
use varve_core::simulation::SimWorld;
use varve_core::writer::Head;

pub use varve_core::log::Deaf;

/// For tests in which no log may fail.
pub struct Strict;

#[allow(clippy::panic, reason = "that is how it fails the test")]
impl Listener for Strict {
    fn durable(&self, _: Head) {}
    fn failed(&self, error: &Error) {
        panic!("{error}");
    }
}

/// Always the same time.
pub struct FixedClock(pub u64);

impl Clock for FixedClock {
    fn now_ms(&self) -> u64 {
        self.0
    }
}

/// 0, 1, 2 …
#[derive(Default)]
pub struct CountingEntropy(AtomicU8);

impl Entropy for CountingEntropy {
    fn fill(&self, bytes: &mut [u8]) -> std::io::Result<()> {
        bytes.fill_with(|| self.0.fetch_add(1, Ordering::Relaxed));
        Ok(())
    }
}

/// Real files, threads, time and randomness.
pub fn real_host() -> Host {
    Host {
        disk: Arc::new(FileDisk),
        executor: Pool::global(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    }
}

/// Opens a log that must open.
pub fn open_with(host: Host, dir: &Path, options: Options) -> Log {
    Log::open(host, dir, options, Arc::new(Deaf)).expect("the log opens")
}

/// Opens a log on real files.
pub fn open(dir: &Path, options: Options) -> Result<Log> {
    Log::open(real_host(), dir, options, Arc::new(Deaf))
}

/// Waits until everything submitted is durable.
pub fn flush(log: &Log) -> Result<Head> {
    wait(|done| log.flush(done))
}

/// Closes and waits.
pub fn close(log: &Log) -> Result<()> {
    wait(|done| log.close(done))
}

fn wait<T: Send + 'static>(start: impl FnOnce(Box<dyn FnOnce(Result<T>) + Send>)) -> Result<T> {
    let (sender, receiver) = mpsc::channel();
    start(Box::new(move |outcome| sender.send(outcome).expect("the test waits")));
    receiver.recv().expect("every request is answered")
}

/// Appends one batch and waits until it is durable.
pub fn append(log: &Log, payloads: &[Vec<u8>]) -> Result<Head> {
    let lengths: Vec<u32> = payloads.iter().map(|p| p.len() as u32).collect();
    log.submit(&payloads.concat(), &lengths, &[payloads.len() as u32])?;
    flush(log)
}

/// Every payload from `from` on.
pub fn read_from(log: &Log, from: u64, verify: bool) -> Result<Vec<Vec<u8>>> {
    let mut request =
        ReadRequest { from, to: u64::MAX, max_bytes: 1 << 16, max_records: u64::MAX, reverse: false, verify };
    let mut payloads = Vec::new();
    loop {
        let records = log.read(&request)?;
        if records.is_empty() {
            return Ok(payloads);
        }
        payloads.extend((0..records.len()).filter_map(|at| records.payload(at)).map(<[u8]>::to_vec));
        request.from = records.from;
    }
}

/// On a simulated disk: appends one batch of `count` records of 1,000 bytes and runs everything but the quiet moment.
pub fn append_filler(world: &SimWorld, log: &Log, count: u32) {
    log.submit(&vec![b'x'; 1000 * count as usize], &vec![1000; count as usize], &[count]).expect("taken");
    world.executor.run_ready();
}
