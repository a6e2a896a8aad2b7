//! The caller of a log: random calls, each compared with the model.

mod reading;

pub use reading::survives;

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use varve_core::disk::sim::SimRng;
use varve_core::error::Error;
use varve_core::log::Log;
use varve_core::simulation::SimWorld;

use crate::model::{Model, Waiter};
use crate::run::pick;

/// What a user is about to do.
#[derive(Debug, Clone, Copy)]
enum Intent {
    Append,
    Flush,
    Read,
    Backwards,
    ByTime,
    Follow,
    Verify,
    Close,
}

/// One call to come.
pub struct User {
    log: Log,
    model: Arc<Mutex<Model>>,
    world: SimWorld,
    rng: SimRng,
    intent: Intent,
}

impl User {
    pub fn new(log: &Log, model: &Arc<Mutex<Model>>, world: &SimWorld, mut rng: SimRng) -> Self {
        let intent = match rng.below(100) {
            0..53 => Intent::Append,
            53..55 => Intent::Verify,
            55..70 => Intent::Flush,
            70..80 => Intent::Read,
            80..88 => Intent::Backwards,
            88..92 => Intent::ByTime,
            92..97 => Intent::Follow,
            _ => Intent::Close,
        };
        Self { log: log.clone(), model: Arc::clone(model), world: world.clone(), rng, intent }
    }

    pub fn intent(&self) -> String {
        format!("{:?}", self.intent)
    }

    pub fn act(&mut self) {
        let outcome = match self.intent {
            Intent::Append => return self.append(),
            Intent::Flush => return self.flush(),
            Intent::Close => return self.close(),
            Intent::Follow => return self.follow(),
            Intent::Verify => self.verify(),
            Intent::Read => {
                let size = self.log.head().size;
                let from = self.rng.below(size + 1);
                let to = from + self.rng.below(size + 2);
                let verify = self.rng.chance(1, 2);
                self.read_range(from, to, verify)
            }
            Intent::Backwards => self.read_backwards(),
            Intent::ByTime => self.by_time(),
        };
        match outcome {
            Ok(()) => {}
            Err(Error::Io { .. }) if self.may_fail() => {}
            Err(Error::Corrupt(_)) if self.stray() => {}
            Err(error) => self.model.lock().violate(format!("{:?} failed: {error}", self.intent)),
        }
    }

    /// True when an I/O error is no surprise.
    fn may_fail(&self) -> bool {
        self.model.lock().faulty || self.world.disk.halted()
    }

    fn stray(&self) -> bool {
        self.model.lock().stray
    }

    fn closing(&self) -> bool {
        self.model.lock().waiters.iter().any(|waiter| waiter.what == "close")
    }

    /// Submits some batches.
    pub fn append(&mut self) {
        let batches = self.batches();
        let payloads: Vec<u8> = batches.iter().flatten().flatten().copied().collect();
        let lengths: Vec<u32> = batches.iter().flatten().map(|payload| payload.len() as u32).collect();
        let counts: Vec<u32> = batches.iter().map(|batch| batch.len() as u32).collect();
        let closing = self.closing();
        let now = varve_core::host::Clock::now_ms(&*self.world.clock);
        let mut model = self.model.lock();
        match self.log.submit(&payloads, &lengths, &counts) {
            Ok(()) if model.failed.is_some() => model.violate("an append was taken after the failure".into()),
            Ok(()) => model.append(&batches, now),
            Err(Error::Failed { .. }) if model.failed.is_some() => {}
            Err(Error::Closed { .. }) if closing => {}
            Err(error) => model.violate(format!("append failed: {error}")),
        }
    }

    fn batches(&mut self) -> Vec<Vec<Vec<u8>>> {
        let rng = &mut self.rng;
        let style = rng.below(20);
        let (batches, records, bytes): (u64, u64, u64) = match style {
            0..8 => (1, 1, 300),
            8..12 => (1 + rng.below(5), 1 + rng.below(4), 200),
            12..15 => (1, 1 + rng.below(60), 120),
            // Over several frames.
            15..17 => (1 + rng.below(2), 20 + rng.below(60), 1200),
            // One record of several frames' size.
            17 => (1, 1 + rng.below(2), 40_000),
            // Larger than a segment.
            18 => (1, 80 + rng.below(40), 2000),
            _ => (20 + rng.below(30), 1, 40),
        };
        let batch = |rng: &mut SimRng| (0..records).map(|_| payload(rng, bytes, &self.world)).collect();
        (0..batches).map(|_| batch(rng)).collect()
    }

    pub fn flush(&mut self) {
        let closing = self.closing();
        let (at, target) = self.wait("flush");
        let model = Arc::clone(&self.model);
        self.log.flush(Box::new(move |outcome| {
            let mut model = model.lock();
            model.waiters[at].answers += 1;
            match outcome {
                Ok(head) if head.size < target => model.violate(format!("flushed {} of {target}", head.size)),
                Ok(_) if model.failed.is_some() => model.violate("a flush succeeded after the failure".into()),
                Ok(head) => model.flushed(head),
                Err(Error::Closed { .. }) if closing => {}
                Err(_) if model.failed.is_some() => {}
                // Closing itself failed: see `close`.
                Err(Error::Io { .. }) if model.waiters.iter().any(|waiter| waiter.what == "close") => {}
                Err(error) => model.violate(format!("flush failed: {error}")),
            }
        }));
    }

    pub fn close(&mut self) {
        let closing = self.closing();
        let (at, _) = self.wait("close");
        let (model, world) = (Arc::clone(&self.model), self.world.clone());
        self.log.close(Box::new(move |outcome| {
            let mut model = model.lock();
            model.waiters[at].answers += 1;
            match outcome {
                Ok(()) if model.failed.is_some() => model.violate("close succeeded after the failure".into()),
                Ok(()) if model.acknowledged != model.size() => {
                    let text = format!("closed, but only {} of {} are acknowledged", model.acknowledged, model.size());
                    model.violate(text);
                }
                Ok(()) => (model.synced, model.attested) = (model.size(), model.size()),
                Err(Error::Closed { .. }) if closing => {}
                Err(_) if model.failed.is_some() || model.faulty || world.disk.halted() => {}
                Err(error) => model.violate(format!("close failed: {error}")),
            }
        }));
    }

    fn wait(&self, what: &'static str) -> (usize, u64) {
        let mut model = self.model.lock();
        let target = model.size();
        model.waiters.push(Waiter { what, answers: 0 });
        (model.waiters.len() - 1, target)
    }
}

fn payload(rng: &mut SimRng, bytes: u64, world: &SimWorld) -> Vec<u8> {
    let len = rng.below(bytes + 1) as usize;
    let mut payload = vec![0; len];
    match rng.below(8) {
        0 => {}
        1 => payload.fill(0x5A),
        2 => {
            // What the log itself wrote: whole frames, headers and marks.
            let mut paths = world.disk.paths();
            paths.retain(|path| path.file_name().is_some_and(|name| name != "lock")); // it names this process
            if !paths.is_empty() {
                let file = world.disk.read_file(pick::<PathBuf>(rng, &paths)).unwrap_or_default();
                let start = rng.index(file.len() / 64 + 1) * 64;
                let imitated = &file[start.min(file.len())..(start + len).min(file.len())];
                payload[..imitated.len()].copy_from_slice(imitated);
            }
        }
        3 | 4 => {
            for (at, byte) in payload.iter_mut().enumerate() {
                *byte = b"{\"event\":\"user.login\",\"ok\":true}"[at % 32];
            }
        }
        _ => rng.fill(&mut payload),
    }
    payload
}
