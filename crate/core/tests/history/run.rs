//! One seeded history: openings of one log, each with random calls, faults and an end; between them the oracle.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use varve_core::disk::sim::SimRng;
use varve_core::disk::{Access, Disk};
use varve_core::error::{Error, HeadClaim};
use varve_core::host::{Class, Executor, Host};
use varve_core::log::Log;
use varve_core::options::{Compression, Durability, Options, Tuning};
use varve_core::simulation::SimWorld;
use varve_core::verify::Report;

use crate::interleave::{Weaver, WovenDisk, WovenEntropy};
use crate::model::Model;
use crate::user::User;
use crate::verified::{self, Snapshot};

/// What histories did, summed up: a suite that never rotates proves nothing about rotations.
#[derive(Debug, Default, Clone)]
pub struct Facts(pub BTreeMap<&'static str, u64>);

impl Facts {
    pub fn count(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }
    pub fn add(&mut self, other: &Self) {
        for (what, times) in &other.0 {
            *self.0.entry(what).or_default() += times;
        }
    }
}

/// All files of a disk.
pub type Files = BTreeMap<PathBuf, Vec<u8>>;

/// What the seed decides once for the whole history.
struct Plan {
    options: Options,
    openings: u64,
    weave: u64,
}

pub struct History {
    pub rng: SimRng,
    pub world: SimWorld,
    pub model: Arc<Mutex<Model>>,
    pub facts: Facts,
    pub dir: PathBuf,
    plan: Plan,
    story: Vec<String>,
    traced: bool,
    /// Power was lost since the log was last open.
    pub power_lost: bool,
    /// The cache and the disk may differ for good.
    pub doubtful: bool,
    /// A sync may have failed since the log was last open: what it did not write is in memory, and taken for clean.
    pub unsynced: bool,
    /// A failed write-back waits to be reported.
    pub pending_error: bool,
    /// Size of the log according to `verify`, before the next opening.
    pub verified: Option<u64>,
    /// Opened to read before the next writer opens, and follows it.
    pub reader: Option<Log>,
}

/// Runs the history of `seed`; on a violation says what, after the story so far.
pub fn run(seed: u64, traced: bool) -> Result<Facts, String> {
    let mut history = History::new(seed, traced);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| history.tell()));
    let outcome = outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
        Err(format!("panic: {}", text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()))
    });
    history.note_trace();
    let story: String = history.story.iter().map(|line| format!("{line}\n")).collect();
    match outcome {
        Ok(()) => {
            print!("{story}");
            Ok(history.facts)
        }
        Err(what) => Err(format!("{story}{what}")),
    }
}

macro_rules! ensure {
    ($held:expr, $($what:tt)*) => { if !$held { return Err(format!($($what)*)); } };
}

impl History {
    fn new(seed: u64, traced: bool) -> Self {
        let mut rng = SimRng::new(seed);
        let disk = !rng.chance(1, 4);
        let mut secret = vec![0; 32 + rng.index(20)];
        rng.fill(&mut secret);
        let options = Options {
            durability: if disk { Durability::Disk } else { Durability::Os },
            compression: if rng.chance(1, 2) { Compression::None } else { Compression::Lz4 },
            secret: rng.chance(1, 3).then_some(secret),
            segment_bytes: 64 << 10,
            cache_bytes: if rng.chance(1, 2) { 0 } else { 1 << 20 },
            tuning: Tuning {
                state_bytes: *pick(&mut rng, &[16 << 20, 20_000, 3000]),
                prefill_groups: *pick(&mut rng, &[64, 5, 1]),
                direct_bytes: *pick(&mut rng, &[256 << 10, 2000, 1]),
            },
            ..Options::default()
        };
        let plan = Plan { options, openings: 1 + rng.below(9), weave: *pick(&mut rng, &[0, 5, 15, 40]) };
        let world = SimWorld::new(rng.next_u64());
        let model = Model { disk, ..Model::default() };
        let dir = PathBuf::from(if rng.chance(1, 2) { "/srv/logs/a" } else { "/a" });
        let history = Self {
            rng,
            world,
            model: Arc::new(Mutex::new(model)),
            facts: Facts::default(),
            dir,
            plan,
            story: Vec::new(),
            traced,
            power_lost: false,
            doubtful: false,
            unsynced: false,
            pending_error: false,
            verified: None,
            reader: None,
        };
        history.begin_trace();
        history
    }

    pub fn note(&mut self, line: impl FnOnce() -> String) {
        if self.traced {
            self.note_trace();
            self.story.push(line());
        }
    }

    pub fn begin_trace(&self) {
        if self.traced {
            self.world.disk.start_trace();
        }
    }

    fn note_trace(&mut self) {
        if self.traced {
            let calls = self.world.disk.trace();
            self.story.extend(calls.into_iter().map(|call| format!("    {call}")));
            self.world.disk.start_trace();
        }
    }

    fn tell(&mut self) -> Result<(), String> {
        for number in 0..self.plan.openings {
            self.opening(number)?;
        }
        if self.model.lock().id.is_none() {
            return self.calm_end();
        }
        match self.rng.below(12) {
            0..4 => self.rot_end(),
            4 | 5 => self.stray_end(),
            _ => self.calm_end(),
        }
    }

    pub fn options(&self, expect_head: Option<HeadClaim>) -> Options {
        Options { expect_head, ..self.plan.options.clone() }
    }

    pub fn host(&mut self) -> Host {
        let weaver = Weaver::new(&self.world.executor, self.rng.next_u64(), self.plan.weave);
        Host {
            disk: Arc::new(WovenDisk { disk: self.world.disk.clone(), weaver: Arc::clone(&weaver) }),
            entropy: Arc::new(WovenEntropy { entropy: Arc::clone(&self.world.entropy), weaver }),
            ..self.world.host()
        }
    }

    /// One opening with everything that happens to it.
    fn opening(&mut self, number: u64) -> Result<(), String> {
        self.note(|| format!("== opening {number}"));
        self.verify_files()?;
        self.set_faulty(self.pending_error);
        self.open_reader()?;
        self.arm();
        let halts = match self.rng.below(8) {
            // Likely in the middle of recovery: how far it gets depends on what there is to do.
            0 | 1 => Some(self.rng.below(70)),
            2 | 3 => Some(60 + self.rng.below(100)),
            4 => Some(self.rng.below(600)),
            _ => None,
        };
        if let Some(after) = halts {
            let at = self.world.disk.calls() + 1 + after;
            self.note(|| format!("the machine halts at call {at}"));
            self.world.disk.halt_at(at);
        }
        let log = self.open()?;
        if let Some(log) = &log {
            self.follow(Some(log.head().size))?;
            self.use_log(log)?;
            self.follow(None)?;
        }
        self.reader = None;
        self.end_opening(log, halts.is_some())
    }

    /// Verifies what the last opening left, as it is.
    pub fn verify_files(&mut self) -> Result<(), String> {
        let secret = self.plan.options.secret.clone();
        self.verified = verified::size_of(self.snapshot(), &self.dir, secret)?;
        Ok(())
    }

    /// What `verify` says of the files as they are.
    pub fn report(&self) -> Result<Option<Report>, String> {
        verified::report(self.snapshot(), &self.dir, self.plan.options.secret.clone())
    }

    fn snapshot(&self) -> Snapshot {
        let disk = &self.world.disk;
        let identity = |path: &Path| disk.open(path, Access::Read).and_then(|file| file.identity()).unwrap_or(0);
        let files = self.files().into_iter().map(|(path, bytes)| {
            let identity = identity(&path);
            (path, (Arc::new(bytes), identity))
        });
        Snapshot(files.collect())
    }

    /// Reads the whole log and compares.
    pub fn read_all(&mut self, log: &Log) -> Result<(), String> {
        let may_fail = self.may_fail();
        let verify = self.rng.chance(1, 2);
        let mut user = self.user(log);
        match user.read_range(0, u64::MAX, verify) {
            Ok(()) => Ok(()),
            Err(Error::Io { .. }) if may_fail || self.world.disk.halted() => Ok(()),
            Err(error) => Err(format!("reading failed: {error}")),
        }?;
        self.violations()
    }

    pub fn violations(&mut self) -> Result<(), String> {
        let violations = std::mem::take(&mut self.model.lock().violations);
        if violations.is_empty() { Ok(()) } else { Err(violations.join("\n")) }
    }

    pub fn user(&mut self, log: &Log) -> User {
        User::new(log, &self.model, &self.world, self.rng.fork())
    }

    /// Random calls and random progress.
    pub fn use_log(&mut self, log: &Log) -> Result<(), String> {
        let calls = self.rng.below(*pick(&mut self.rng.clone(), &[3, 12, 40]));
        let last_act = if self.rng.chance(1, 3) { self.rng.below(calls + 1) } else { u64::MAX };
        for call in 0..calls {
            self.trouble();
            if call == last_act {
                let at = self.world.disk.calls() + 1 + self.rng.below(12);
                self.note(|| format!("the machine halts at call {at}"));
                self.world.disk.halt_at(at);
            }
            let mut user = self.user(log);
            self.note(|| format!("call: {}", user.intent()));
            if self.rng.chance(1, 3) {
                // As a job it may happen inside of another call's I/O.
                self.world.executor.spawn(Class::Read, Box::new(move || user.act()));
            } else {
                user.act();
            }
            let steps = self.rng.below(*pick(&mut self.rng.clone(), &[1, 2, 6, 30]));
            for _ in 0..steps {
                self.step();
            }
            self.violations()?;
        }
        Ok(())
    }

    pub fn step(&mut self) -> bool {
        let mut fork = self.rng.fork();
        self.world.executor.step(&mut fork)
    }
}

pub(crate) use ensure;

pub fn pick<'a, T>(rng: &mut SimRng, from: &'a [T]) -> &'a T {
    &from[rng.index(from.len())]
}

/// The segments in a folder, ascending.
pub fn segments(files: &Files, dir: &Path) -> Vec<PathBuf> {
    let segment = |path: &&PathBuf| path.parent() == Some(dir) && path.extension().is_some_and(|e| e == "seg");
    files.keys().filter(segment).cloned().collect()
}
