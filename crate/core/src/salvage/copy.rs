//! The new log: batches go in with the times they had, and little of them is in memory at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::error::{Damage, Error, HeadClaim, Result};
use crate::host::{Clock, Host};
use crate::log::{Deaf, Log};
use crate::options::{Options, RECORD_BYTES_MAX};
use crate::wait::wait;
use crate::writer::Done;

/// Bytes of one submission.
const SUBMIT_BYTES: usize = 1 << 20;
/// Bytes submitted before waiting for the disk.
const PENDING_BYTES: u64 = 16 << 20;
/// What a record takes besides its payload.
const RECORD_COST: u64 = 64;

/// The log stamps records with the time that this shows.
struct RecordedClock(AtomicU64);

impl Clock for RecordedClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Whole batches, to be copied.
#[derive(Default)]
pub struct Batch {
    /// Offset of the first record in the source.
    pub from: u64,
    /// Offset after the last one.
    pub to: u64,
    /// Payloads, one after another.
    pub payloads: Vec<u8>,
    /// Length of each.
    pub lengths: Vec<u32>,
    /// Time of each.
    pub times: Vec<u64>,
}

/// Makes the new log at the first batch.
pub struct Copier {
    host: Host,
    dir: PathBuf,
    options: Options,
    clock: Arc<RecordedClock>,
    log: Option<Log>,
    /// Records copied.
    pub records: u64,
    /// Bytes of their payloads.
    pub payload_bytes: u64,
    /// What is submitted next, all of one time.
    payloads: Vec<u8>,
    lengths: Vec<u32>,
    batches: Vec<u32>,
    time: u64,
    pending: u64,
}

impl Copier {
    /// Nothing is written before the first batch comes.
    pub fn new(host: &Host, dir: &Path, encoding: String, secret: Option<Vec<u8>>) -> Self {
        let clock = Arc::new(RecordedClock(AtomicU64::new(0)));
        let host = Host { clock: Arc::clone(&clock) as Arc<dyn Clock>, ..host.clone() };
        let options = Options {
            encoding,
            secret,
            max_record_bytes: RECORD_BYTES_MAX,
            cache_bytes: 0,
            error_if_exists: true,
            ..Options::default()
        };
        Self {
            host,
            dir: dir.to_owned(),
            options,
            clock,
            log: None,
            records: 0,
            payload_bytes: 0,
            payloads: Vec::new(),
            lengths: Vec::new(),
            batches: Vec::new(),
            time: 0,
            pending: 0,
        }
    }

    /// Copies one batch. Records of one batch have one time; should a source have others, they become several.
    pub fn batch(&mut self, batch: &Batch) -> Result<()> {
        let mut start = 0;
        let mut rest = &batch.payloads[..];
        for times in batch.times.chunk_by(|a, b| a == b) {
            let Some(&time) = times.first() else { continue };
            if time != self.time || self.payloads.len() >= SUBMIT_BYTES {
                self.submit()?;
                self.time = time;
            }
            let lengths = &batch.lengths[start..start + times.len()];
            let bytes: u64 = lengths.iter().map(|&length| u64::from(length)).sum();
            let (payloads, after) = rest.split_at(bytes as usize);
            rest = after;
            start += times.len();
            self.payloads.extend_from_slice(payloads);
            self.lengths.extend_from_slice(lengths);
            self.batches.push(times.len() as u32);
            self.records += times.len() as u64;
            self.payload_bytes += bytes;
        }
        Ok(())
    }

    fn submit(&mut self) -> Result<()> {
        if self.lengths.is_empty() {
            return Ok(());
        }
        self.clock.0.store(self.time, Ordering::Relaxed);
        let log = match &mut self.log {
            Some(log) => log,
            none => none.insert(Log::open(self.host.clone(), &self.dir, self.options.clone(), Arc::new(Deaf))?),
        };
        log.submit(&self.payloads, &self.lengths, &self.batches)?;
        self.pending += self.payloads.len() as u64 + RECORD_COST * self.lengths.len() as u64;
        if self.pending > PENDING_BYTES {
            answer(|done| log.flush(done))?;
            self.pending = 0;
        }
        self.payloads.clear();
        self.lengths.clear();
        self.batches.clear();
        Ok(())
    }

    /// Makes all of it durable and closes the new log.
    pub fn finish(mut self, source: &Path) -> Result<HeadClaim> {
        self.submit()?;
        let Some(log) = self.log else {
            return Err(Error::corrupt(Damage::new("the log holds no record that can be copied", source)));
        };
        let head = answer(|done| log.flush(done))?;
        let head = HeadClaim { id: *log.id(), size: head.size, hash: head.hash };
        answer(|done| log.close(done))?;
        Ok(head)
    }
}

/// Blocks until the log has answered.
fn answer<T: Send + 'static>(start: impl FnOnce(Done<T>)) -> Result<T> {
    wait(Duration::MAX, start).unwrap_or_else(|| Err(Error::Internal("waiting without a limit ended".into())))
}
