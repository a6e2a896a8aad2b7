//! varve's own pipeline called from Rust: on a real folder, or on a disk that takes every byte and keeps none, which
//! leaves stage 1 alone (hashing, framing, compressing, and handing over).

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::{Condvar, Mutex};
use varve_core::disk::Disk;
use varve_core::disk::file::FileDisk;
use varve_core::error::Error;
use varve_core::host::{Host, SystemClock, SystemEntropy};
use varve_core::log::{Listener, Log};
use varve_core::options::{Compression, Options, SEGMENT_BYTES_MAX};
use varve_core::pool::Pool;
use varve_core::writer::Head;

use crate::Outcome;
use crate::arguments::{Arguments, EVENT_BYTES};
use crate::report::{Report, timed};

mod void;

/// `dir`, `events`, `disk` (`file`, `none`), `compression` (`lz4`, `none`), `size` of a batch, `batches`, `inFlight`:
/// records a second.
pub fn run(arguments: &Arguments) -> Outcome<Report> {
    let events = arguments.events()?;
    let size: usize = arguments.number("size")?;
    let batches: u64 = arguments.number("batches")?;
    let in_flight: u64 = arguments.number("inFlight")?;
    let nothing = arguments.text("disk")? == "none";
    let disk: Arc<dyn Disk> = if nothing { Arc::new(void::VoidDisk::default()) } else { Arc::new(FileDisk) };
    let watcher = Arc::new(Watcher::default());
    let log = open(arguments, disk, Arc::clone(&watcher))?;

    let lengths = vec![EVENT_BYTES as u32; size];
    let bytes = size * EVENT_BYTES;
    let doubled = events.repeat(1 + bytes.div_ceil(events.len()));
    let append = |from: u64, batches: u64| -> Outcome<()> {
        for batch in from..from + batches {
            watcher.wait((batch + 1).saturating_sub(in_flight) * size as u64)?;
            let start = (batch as usize * bytes) % events.len();
            log.submit(&doubled[start..start + bytes], &lengths, &[size as u32])?;
        }
        watcher.wait((from + batches) * size as u64)
    };
    let warm_up = batches.div_ceil(8);
    append(0, warm_up)?;
    let (outcome, time, cpu) = timed(|| append(warm_up, batches));
    outcome?;
    let records = batches * size as u64;
    let stats = log.stats();
    let group = stats.stored_bytes as f64 / stats.groups() as f64;
    Ok(Report::new(records as f64 / time.as_secs_f64(), records, cpu).with("groupBytes", group))
}

fn open(arguments: &Arguments, disk: Arc<dyn Disk>, watcher: Arc<Watcher>) -> Outcome<Log> {
    let compression = if arguments.text("compression")? == "lz4" { Compression::Lz4 } else { Compression::None };
    // No segment is sealed: the disk that keeps nothing could not give it back.
    let options = Options { compression, segment_bytes: SEGMENT_BYTES_MAX, ..Options::default() };
    let clock = Arc::new(SystemClock);
    let host = Host { disk, executor: Pool::global(), clock, entropy: Arc::new(SystemEntropy) };
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let dir = Path::new(arguments.text("dir")?).join(format!("log-{}", since.as_nanos()));
    Ok(Log::open(host, &dir, options, watcher)?)
}

/// The durable size, to wait for.
#[derive(Default)]
struct Watcher {
    state: Mutex<(u64, Option<Error>)>,
    changed: Condvar,
}

impl Watcher {
    fn wait(&self, size: u64) -> Outcome<()> {
        let mut state = self.state.lock();
        while state.0 < size && state.1.is_none() {
            self.changed.wait(&mut state);
        }
        state.1.clone().map_or(Ok(()), |error| Err(error.into()))
    }
}

impl Listener for Watcher {
    fn durable(&self, head: Head) {
        self.state.lock().0 = head.size;
        self.changed.notify_all();
    }

    fn failed(&self, error: &Error) {
        self.state.lock().1 = Some(error.clone());
        self.changed.notify_all();
    }
}
