//! One seeded history: openings of one log, each with random calls, faults and an end; between them the oracle.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use varve_core::disk::sim::{Call, Chaos, Fault, Rule, SimRng};
use varve_core::disk::{Access, Disk};
use varve_core::error::{Error, HeadClaim};
use varve_core::format::SegmentHeader;
use varve_core::host::{Class, Executor, Host};
use varve_core::log::Log;
use varve_core::options::{Compression, Durability, Options, Tuning};
use varve_core::simulation::SimWorld;
use varve_core::verify::Report;

use crate::interleave::{Weaver, WovenDisk, WovenEntropy};
use crate::model::{Ear, Model};
use crate::user::{User, survives};
use crate::verified::{self, Snapshot};

/// More jobs than any history needs: behind it lies an endless loop.
const STEPS_MAX: u32 = 50_000;

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
    power_lost: bool,
    /// The cache and the disk may differ for good.
    doubtful: bool,
    /// A sync may have failed since the log was last open: what it did not write is in memory, and taken for clean.
    unsynced: bool,
    /// A failed write-back waits to be reported.
    pending_error: bool,
    /// Size of the log according to `verify`, before the next opening.
    verified: Option<u64>,
    /// Opened to read before the next writer opens, and follows it.
    reader: Option<Log>,
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

    fn begin_trace(&self) {
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
    fn verify_files(&mut self) -> Result<(), String> {
        let secret = self.plan.options.secret.clone();
        self.verified = verified::size_of(self.snapshot(), &self.dir, secret)?;
        Ok(())
    }

    /// Opens the log to read it where no writer is: it must show what the next one will find, and what no power loss
    /// takes away.
    fn open_reader(&mut self) -> Result<(), String> {
        if self.model.lock().id.is_none() || self.world.disk.halted() || !self.rng.chance(1, 3) {
            return Ok(());
        }
        let options = Options { read_only: true, ..self.options(None) };
        let reader = match Log::open(self.world.host(), &self.dir, options, Arc::new(Ear(Arc::default()))) {
            Ok(reader) => reader,
            Err(Error::Io { .. }) if self.pending_error => return Ok(()),
            Err(error) => return Err(format!("a reader failed without a writer: {error}")),
        };
        let (size, least) = (reader.head().size, self.least());
        self.note(|| format!("a reader sees {size} records"));
        ensure!(size >= least, "a reader without a writer sees {size} records of {least}");
        if !self.doubtful && !self.pending_error && !self.unsynced {
            self.facts.count("readers whose records survive");
            survives(&self.world, &reader)?;
        }
        self.facts.count("readers without a writer");
        self.reader = Some(reader);
        Ok(())
    }

    /// The reader that was there before the writer sees what the writer has, `exactly` so much or what was made durable.
    fn follow(&mut self, exactly: Option<u64>) -> Result<(), String> {
        let Some(reader) = self.reader.clone().filter(|_| !self.may_fail() && !self.doubtful) else { return Ok(()) };
        let least = self.model.lock().synced;
        let size = match reader.refresh() {
            Ok(head) => head.size,
            Err(Error::Io { .. }) if self.may_fail() => return Ok(()),
            Err(error) => return Err(format!("a reader does not follow: {error}")),
        };
        ensure!(size >= least, "a reader that follows sees {size} records of {least}");
        ensure!(exactly.is_none_or(|exactly| exactly == size), "a reader sees {size} records, the writer {exactly:?}");
        self.facts.count("looks of readers that follow");
        self.read_all(&reader)
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

    /// Sets the faults of this opening.
    fn arm(&mut self) {
        self.world.entropy.set_fails(false);
        let seed = self.rng.next_u64();
        let chaos = match self.rng.below(20) {
            0 | 1 => Chaos::harmless(),
            2 => Chaos { sync_io: 300, ..Chaos::harmless() },
            3 => Chaos { write_io: 200, zero_write: 100, ..Chaos::harmless() },
            4 => Chaos { names_io: 1500, ..Chaos::default() },
            5 => Chaos { no_space: 300, ..Chaos::default() },
            6 => Chaos { read_io: 150, ..Chaos::harmless() },
            7 => {
                let skip = self.rng.below(12);
                self.world
                    .disk
                    .add_rule(Rule::new(Fault::Io).on(&[Call::SyncData, Call::SyncAll, Call::SyncDir]).skip(skip));
                self.set_faulty(true);
                self.facts.count("openings with one failing sync");
                self.note(|| format!("sync {skip} fails"));
                return;
            }
            8 => {
                let free = self.rng.below(40_000);
                self.world.disk.set_free(Some(free));
                self.set_faulty(true);
                self.facts.count("openings on a full disk");
                self.note(|| format!("{free} bytes are free"));
                return;
            }
            _ => return,
        };
        let faulty = chaos != Chaos::harmless() || self.pending_error;
        self.set_faulty(faulty);
        self.facts.count(if faulty { "openings with random errors" } else { "openings with short transfers" });
        self.note(|| format!("{chaos:?}"));
        self.world.disk.set_chaos(chaos, seed);
    }

    fn set_faulty(&mut self, faulty: bool) {
        self.model.lock().faulty = faulty;
    }

    fn disarm(&mut self) {
        self.world.disk.clear_faults();
        self.world.disk.set_free(None);
        self.world.entropy.set_fails(false);
        self.set_faulty(self.pending_error);
    }

    /// True when an I/O error is no surprise.
    pub fn may_fail(&self) -> bool {
        self.model.lock().faulty || self.pending_error || self.world.disk.halted()
    }

    /// The least size that the log must have now.
    fn least(&self) -> u64 {
        let model = self.model.lock();
        if model.disk || !(self.power_lost || self.doubtful) { model.acknowledged } else { model.synced }
    }

    /// Opens the log and judges the outcome.
    pub fn open(&mut self) -> Result<Option<Log>, String> {
        let verified = self.verified.take();
        let before = self.files();
        let (expected, must_fit) = self.expectation();
        let options = self.options(expected);
        self.note(|| format!("open, expecting {:?}", expected.map(|claim| claim.size)));
        let host = self.host();
        let opened = Log::open(host, &self.dir, options, Arc::new(Ear(Arc::clone(&self.model))));
        match opened {
            Ok(log) => {
                self.note(|| format!("opened: {} records, cut {:?}", log.head().size, log.cut()));
                if let Some(verified) = verified {
                    ensure!(verified == log.head().size, "{verified} records verified, {} opened", log.head().size);
                    self.facts.count("openings foretold by verify");
                }
                ensure!(must_fit != Some(false), "a head that the log never had was accepted");
                self.judge(&log, &before)?;
                if let Some(expected) = expected {
                    self.facts.count("heads expected and found");
                    ensure!(expected.size <= log.head().size, "an expected head is not there");
                }
                Ok(Some(log))
            }
            Err(error) => {
                self.note(|| format!("refused: {error}"));
                self.refusal(&error, expected, must_fit, &before)?;
                Ok(None)
            }
        }
    }

    /// A head to expect, and whether it must be there (`None`: it may).
    fn expectation(&mut self) -> (Option<HeadClaim>, Option<bool>) {
        let least = self.least();
        let mut model = self.model.lock();
        if model.id.is_none() {
            return (None, None);
        }
        match self.rng.below(10) {
            0..4 if !model.held.is_empty() => {
                let (size, hash) = model.held[self.rng.index(model.held.len())];
                (Some(model.claim(size, hash)), (size <= least).then_some(true))
            }
            4 => {
                let size = self.rng.below(model.size() + 3);
                let stated = size.min(model.size());
                let mut hash = model.head(stated);
                hash[self.rng.index(32)] ^= 1;
                (Some(model.claim(size, hash)), Some(false))
            }
            5 => {
                // Any size, also inside of batches and frames; it may be lost only if it was never acknowledged.
                let size = self.rng.below(model.size() + 1);
                let hash = model.head(size);
                (Some(model.claim(size, hash)), (size <= least).then_some(true))
            }
            6 => {
                let hash = model.head(0);
                (Some(HeadClaim { id: [7; 32], size: 0, hash }), Some(false))
            }
            _ => (None, None),
        }
    }

    fn refusal(
        &mut self,
        error: &Error,
        expected: Option<HeadClaim>,
        must_fit: Option<bool>,
        before: &Files,
    ) -> Result<(), String> {
        match error {
            Error::Io { .. } if self.may_fail() => {
                self.facts.count("opens that met an error");
                Ok(())
            }
            Error::HeadMismatch { .. } if expected.is_some() && must_fit != Some(true) => {
                self.facts.count("heads refused");
                self.ensure_unchanged(before, error)
            }
            _ => Err(format!("open failed: {error} ({})", error.code())),
        }
    }

    pub fn ensure_unchanged(&self, before: &Files, error: &Error) -> Result<(), String> {
        let after = self.files();
        let mut names = before.keys().chain(after.keys());
        let changed = names.find(|name| {
            // An empty lock file may have been created: it holds no statement.
            let is = |files: &Files| files.get(*name).filter(|bytes| !bytes.is_empty()).cloned();
            is(before) != is(&after)
        });
        match changed {
            Some(name) => Err(format!("{} was changed by an open that was refused: {error}", name.display())),
            None => Ok(()),
        }
    }

    pub fn files(&self) -> Files {
        let disk = &self.world.disk;
        disk.paths().into_iter().map(|path| (path.clone(), disk.read_file(&path).unwrap_or_default())).collect()
    }

    /// An open log against the model: nothing acknowledged is missing, batches are whole, every byte is right.
    fn judge(&mut self, log: &Log, before: &Files) -> Result<(), String> {
        let size = log.head().size;
        let least = self.least();
        {
            let model = self.model.lock();
            ensure!(model.id.is_none_or(|id| id == *log.id()), "the log was replaced by a new one");
            ensure!(size >= least, "{} acknowledged records are lost: {size} left of {least}", least - size);
            ensure!(size <= model.size(), "the log has {size} records, only {} were submitted", model.size());
            ensure!(size == 0 || model.batch_ends.contains(&size), "a part of a batch: {size} records");
        }
        if size < self.model.lock().size() {
            self.facts.count("unacknowledged records gone");
        } else if size > least {
            self.facts.count("unacknowledged records kept");
        }
        let expected = {
            let mut model = self.model.lock();
            model.opened(*log.id(), size);
            model.head(size)
        };
        ensure!(log.head().hash == expected, "the head at {size} is not that of the records");
        if let Some(cut) = log.cut() {
            self.facts.count("tails cut");
            let was = &before[&self.dir.join(&cut.segment)];
            let was = &was[cut.position as usize..(cut.position + cut.bytes) as usize];
            let saved = self.world.disk.read_file(&self.dir.join(&cut.saved_as)).map_err(|e| e.to_string())?;
            ensure!(saved == was, "the side file {} does not hold what was cut", cut.saved_as);
        }
        (self.power_lost, self.doubtful, self.unsynced) = (false, false, false);
        self.read_all(log)
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

    fn user(&mut self, log: &Log) -> User {
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

    fn step(&mut self) -> bool {
        let mut fork = self.rng.fork();
        self.world.executor.step(&mut fork)
    }

    /// What happens to the machine while the log is open.
    fn trouble(&mut self) {
        match self.rng.below(60) {
            // With durability 'os' records that no sync covered may be lost before anyone's eyes.
            0 if self.model.lock().disk => self.evict(),
            1 => {
                let segments: Vec<PathBuf> =
                    self.world.disk.paths().into_iter().filter(|p| p.extension().is_some_and(|e| e == "seg")).collect();
                if !segments.is_empty() {
                    let path = pick(&mut self.rng, &segments).clone();
                    self.note(|| format!("write-back fails: {}", path.display()));
                    let _ = self.world.disk.fail_write_back(&path);
                    (self.doubtful, self.pending_error) = (true, true);
                    self.set_faulty(true);
                    self.facts.count("failed write-backs");
                }
            }
            2..5 => self.world.clock.advance_ms(self.rng.below(5000)),
            5 => self.world.clock.set_ms(1_767_225_600_000 + self.rng.below(10_000)),
            6 => {
                self.world.entropy.set_fails(true);
                self.set_faulty(true);
            }
            _ => {}
        }
    }

    fn evict(&mut self) {
        self.note(|| "evict".into());
        self.world.disk.evict();
        self.doubtful = true;
    }

    /// Runs jobs until none is left.
    pub fn drain(&mut self) -> Result<(), String> {
        for _ in 0..STEPS_MAX {
            if !self.step() {
                return self.violations();
            }
        }
        Err("jobs without end".into())
    }

    /// After [`History::drain`]: everyone was answered, once.
    fn ensure_answered(&mut self) -> Result<(), String> {
        let model = self.model.lock();
        for waiter in &model.waiters {
            ensure!(waiter.answers == 1, "a {} was answered {} times", waiter.what, waiter.answers);
        }
        let stopped = model.failed.is_some() || self.world.disk.halted();
        let (acknowledged, size) = (model.acknowledged, model.size());
        ensure!(stopped || acknowledged == size, "idle, but {acknowledged} of {size} are acknowledged");
        Ok(())
    }

    /// How an opening ends.
    fn end_opening(&mut self, log: Option<Log>, halts: bool) -> Result<(), String> {
        let halted = self.world.disk.halted();
        if halted || self.rng.chance(2, 3) {
            self.drain()?;
            if log.is_some() {
                self.ensure_answered()?;
            }
        } else {
            for _ in 0..self.rng.below(10) {
                self.step();
            }
        }
        self.violations()?;
        if let Some(code) = self.model.lock().failed {
            self.facts.count(if code == "VARVE_IO" { "logs that failed" } else { "logs that failed otherwise" });
        }
        drop(log);
        let dies = if halted || halts { self.rng.chance(2, 3) } else { self.rng.chance(1, 2) };
        if dies {
            self.note(|| "== power loss".into());
            self.facts.count("power losses");
            self.note_rotations();
            let mut rng = self.rng.fork();
            self.world = self.world.crash(&mut rng);
            self.begin_trace();
            (self.power_lost, self.pending_error, self.unsynced) = (true, false, false);
        } else {
            self.note(|| "== the process ends".into());
            self.facts.count("processes ended");
            self.unsynced |= self.model.lock().faulty;
            self.world.executor.clear();
            self.world.disk.halt_at(u64::MAX);
            if self.rng.chance(1, 6) {
                self.evict();
            }
        }
        self.disarm();
        Ok(())
    }

    /// Also with durability 'os' a rotation syncs everything before it, and that before a record behind it is acknowledged.
    fn note_rotations(&mut self) {
        let files = self.files();
        let mut model = self.model.lock();
        for path in segments(&files, &self.dir) {
            if let Ok(header) = SegmentHeader::parse(&files[&path])
                && header.first_offset < model.acknowledged
            {
                model.synced = model.synced.max(header.first_offset);
            }
        }
    }

    /// Somebody else syncs the files, and is told what write-back failed: the log will not be.
    pub fn report_pending_errors(&mut self) {
        for path in self.world.disk.paths() {
            let file = varve_core::disk::Disk::open(&self.world.disk, &path, varve_core::disk::Access::Read);
            let _ = file.map(|file| file.sync_all());
        }
        self.pending_error = false;
        self.set_faulty(false);
    }

    /// Opens while nothing goes wrong.
    pub fn open_calmly(&mut self) -> Result<Log, String> {
        loop {
            // A head may be refused: once more.
            if let Some(log) = self.open()? {
                return Ok(log);
            }
        }
    }

    /// Opens, appends, closes and reads while nothing goes wrong.
    pub fn close_calmly(&mut self) -> Result<(), String> {
        let log = self.open_calmly()?;
        let mut user = self.user(&log);
        user.append();
        user.close();
        self.drain()?;
        self.ensure_answered()?;
        ensure!(self.model.lock().failed.is_none(), "the log failed though nothing went wrong");
        self.read_all(&log)?;
        drop((log, user));
        self.world.executor.clear();
        Ok(())
    }

    /// At the end nothing goes wrong any more: all is there, and the log goes on.
    fn calm_end(&mut self) -> Result<(), String> {
        self.note(|| "== the calm end".into());
        self.verify_files()?;
        if self.pending_error {
            self.report_pending_errors();
        }
        for _ in 0..2 {
            self.close_calmly()?;
        }
        self.facts.count("histories");
        Ok(())
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
