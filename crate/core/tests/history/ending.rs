//! How an opening ends, and the history: everyone is answered once, and at the end all is there and the log goes on.

use varve_core::format::SegmentHeader;
use varve_core::log::Log;

use crate::run::{History, ensure, segments};

/// More jobs than any history needs: behind it lies an endless loop.
const STEPS_MAX: u32 = 50_000;

impl History {
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
    pub fn ensure_answered(&mut self) -> Result<(), String> {
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
    pub fn end_opening(&mut self, log: Option<Log>, halts: bool) -> Result<(), String> {
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
    pub fn calm_end(&mut self) -> Result<(), String> {
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
