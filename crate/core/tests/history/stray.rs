//! Writes and reads that go astray at the end of a history: the disk says that it has written and has not (a phantom
//! write), or has written elsewhere; or it reads from elsewhere. No engine can undo that; it must refuse, or lose nothing
//! but the last group, and never return a wrong byte.

use std::sync::Arc;

use varve_core::disk::sim::{Call, CrashChoice, Fault, Rule};
use varve_core::log::Log;

use crate::model::Ear;
use crate::run::{History, pick, segments};

impl History {
    /// Uses the log while one of its transfers goes astray, and judges what opening makes of it afterwards.
    pub fn stray_end(&mut self) -> Result<(), String> {
        self.note(|| "== a transfer goes astray".into());
        self.report_pending_errors();
        if self.rng.chance(1, 4) {
            return self.stray_read();
        }
        let log = self.open_calmly()?;
        let files = segments(&self.files(), &self.dir);
        let file = pick(&mut self.rng, &files).clone();
        let phantom = self.rng.chance(1, 2);
        let position = self.rng.below(1 + self.files()[&file].len() as u64 / 64) * 64;
        let fault = if phantom { Fault::Phantom } else { Fault::Misdirected { path: file, position } };
        // Those of the segments only: a stray mark in `lock` states nothing, and a phantom one is as if none was written.
        for number in 0..2 {
            let path = self.dir.join(format!("{:010}.seg", files.len() + number));
            let skip = self.rng.below(10);
            self.note(|| format!("write {skip} of {} goes astray: {fault:?}", path.display()));
            self.world
                .disk
                .add_rule(Rule::new(fault.clone()).on(&[Call::Write, Call::WriteDirect]).path(path).skip(skip));
        }
        self.model.lock().stray = true;
        self.use_log(&log)?;
        self.drain()?;
        self.violations()?;
        drop(log);
        self.world = self.world.crash_with(&CrashChoice::keep_all());
        let least = {
            let model = self.model.lock();
            // What lands elsewhere may hit what attests as well as what is attested.
            if model.disk && phantom { model.attested } else { 0 }
        };
        self.facts.count(if phantom { "phantom writes" } else { "misdirected writes" });
        self.open_damaged("a stray write", least)?;
        Ok(())
    }

    /// Reads from elsewhere, once, while a closed log is read.
    fn stray_read(&mut self) -> Result<(), String> {
        self.close_calmly()?;
        let options = self.options(None);
        let host = self.host();
        let log = Log::open(host, &self.dir, options, Arc::new(Ear(Arc::default())));
        let log = log.map_err(|error| format!("open failed before anything went astray: {error}"))?;
        let files = segments(&self.files(), &self.dir);
        let path = pick(&mut self.rng, &files).clone();
        let position = self.rng.below(1 + self.files()[&path].len() as u64 / 64) * 64;
        let skip = self.rng.below(8);
        self.note(|| format!("read {skip} comes from {} {position}", path.display()));
        self.world.disk.add_rule(Rule::new(Fault::Misdirected { path, position }).on(&[Call::Read]).skip(skip));
        self.facts.count("misdirected reads");
        self.read_despite_damage(&log)?;
        Ok(())
    }
}
