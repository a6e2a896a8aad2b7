//! What the caller of a log sees of it: reading, looking up by time, verifying, and reading along as another process. Each
//! shows what the model has, and no less than was durable when it began.

use std::path::PathBuf;
use std::sync::Arc;

use varve_core::disk::sim::CrashChoice;
use varve_core::error::{Error, HeadClaim};
use varve_core::log::Log;
use varve_core::options::Options;
use varve_core::reader::ReadRequest;
use varve_core::simulation::SimWorld;
use varve_core::verify::{VerifyOptions, verify_dir};

use super::User;
use crate::model::Ear;
use crate::run::pick;

impl User {
    /// Reads `[from, to)` forward in runs and compares every record.
    pub fn read_range(&mut self, from: u64, to: u64, verify: bool) -> Result<(), Error> {
        let end = self.log.head().size.min(to);
        let max_bytes = *pick(&mut self.rng, &[1, 4096, 70_000, 1 << 20]);
        let max_records = *pick(&mut self.rng, &[1000, 7, u64::MAX, u64::MAX]);
        let mut request = ReadRequest { from, to: end, max_bytes, max_records, reverse: false, verify };
        let mut next = from;
        while next < end {
            let records = self.log.read(&request)?;
            if records.is_empty() || records.offset != next {
                self.model.lock().violate(format!("reading from {next} gave {} records", records.len()));
                return Ok(());
            }
            self.compare(&records);
            next += records.len() as u64;
            request.from = records.from;
        }
        if request.from != next.max(from) {
            self.model.lock().violate(format!("a run ended at {next}, what is left starts at {}", request.from));
        }
        Ok(())
    }

    pub(super) fn read_backwards(&mut self) -> Result<(), Error> {
        let end = self.log.head().size;
        let from = self.rng.below(end + 1);
        let max_bytes = *pick(&mut self.rng, &[1, 4096, 70_000]);
        let max_records = *pick(&mut self.rng, &[3, 50, u64::MAX]);
        let mut request = ReadRequest { from, to: end, max_bytes, max_records, reverse: true, verify: true };
        while request.to > from {
            let records = self.log.read(&request)?;
            if records.is_empty() || records.offset + records.len() as u64 != request.to {
                let text = format!("reading back from {} gave {} at {}", request.to, records.len(), records.offset);
                self.model.lock().violate(text);
                return Ok(());
            }
            self.compare(&records);
            request.to = records.offset;
        }
        Ok(())
    }

    fn compare(&self, records: &varve_core::reader::Records) {
        let mut model = self.model.lock();
        for at in 0..records.len() {
            let offset = records.offset as usize + at;
            let same = model.records.get(offset).is_some_and(|record| {
                Some(record.payload.as_slice()) == records.payload(at) && record.time == records.times[at]
            });
            if !same {
                return model.violate(format!("record {offset} is not what was appended"));
            }
        }
    }

    pub(super) fn by_time(&mut self) -> Result<(), Error> {
        let least = self.log.head().size as usize;
        let wanted = {
            let model = self.model.lock();
            if model.records.is_empty() {
                0
            } else {
                model.records[self.rng.index(model.records.len())].time + self.rng.below(2)
            }
        };
        let found = self.log.offset_at(wanted)?;
        let most = self.log.head().size as usize;
        let mut model = self.model.lock();
        let expected = |size: usize| model.records[..size].partition_point(|record| record.time < wanted) as u64;
        let (low, high) = (expected(least), expected(most));
        if !(low..=high).contains(&found) {
            model.violate(format!("time {wanted} is at {low} to {high}, not at {found}"));
        }
        Ok(())
    }

    /// The log, or another process, verifies the files while they are being written.
    pub(super) fn verify(&mut self) -> Result<(), Error> {
        let least = self.model.lock().synced;
        let options = VerifyOptions { secret: self.log.shared().options.secret.clone(), ..VerifyOptions::default() };
        let report = if self.rng.chance(1, 2) {
            self.log.verify(&options, &|_, _| true)?
        } else {
            verify_dir(&self.log.shared().host, self.log.location(), &options, &|_, _| true)?
        };
        if self.stray() {
            return Ok(());
        }
        if !report.ok {
            self.model.lock().violate(format!("verify finds in sound files: {:#?}", report.problems));
        } else if report.head.size < least {
            self.model.lock().violate(format!("{} records verified of {least}", report.head.size));
        }
        Ok(())
    }

    /// What a reader shows no power loss takes away, at this moment. Without a writer a reader may show what a failed
    /// sync left in memory: only a writer can write it again.
    fn ensure_durable(&self, shown: &Log) {
        let closing = self.closing();
        if self.world.disk.halted() || self.stray() || (closing && self.may_fail()) {
            return;
        }
        if let Err(what) = survives(&self.world, shown) {
            self.model.lock().violate(what);
        }
    }

    /// The write of a live mark failed, half-way perhaps: the log has stopped, and who follows it learns no more until the
    /// next writer comes. Who opens it sees everything.
    fn has_torn_its_mark(&self) -> bool {
        let failure = self.log.shared().failure();
        matches!(failure.as_deref(), Some(Error::Io { path, .. }) if path.ends_with("lock"))
    }

    /// Another process opens the log to read it.
    pub(super) fn follow(&mut self) {
        let least = self.model.lock().synced;
        let options = Options { read_only: true, expect_head: None, ..self.log.shared().options.clone() };
        let dir: PathBuf = self.log.location().to_owned();
        let host = self.log.shared().host.clone();
        let deaf = Arc::new(Ear(Arc::default()));
        let outcome = Log::open(host, &dir, options, deaf).and_then(|reader| {
            let size = reader.head().size;
            if size < least {
                self.model.lock().violate(format!("a reader sees {size} records of {least}"));
            }
            self.ensure_durable(&reader);
            let writer = std::mem::replace(&mut self.log, reader);
            let outcome = self.read_range(0, u64::MAX, true);
            let reader = std::mem::replace(&mut self.log, writer);
            outcome?;
            let least = self.model.lock().synced;
            if reader.refresh()?.size < least && !self.has_torn_its_mark() {
                self.model.lock().violate(format!("a reader does not see {least} records after refreshing"));
            }
            self.ensure_durable(&reader);
            let writer = std::mem::replace(&mut self.log, reader);
            let outcome = self.read_range(0, u64::MAX, false);
            self.log = writer;
            outcome
        });
        match outcome {
            Ok(()) => {}
            Err(Error::Io { .. }) if self.may_fail() => {}
            Err(Error::Corrupt(_)) if self.stray() => {}
            Err(error) => self.model.lock().violate(format!("a reader failed: {error}")),
        }
    }
}

/// Opens what a power loss leaves that takes everything not synced, and looks for the head that `shown` shows.
pub fn survives(world: &SimWorld, shown: &Log) -> Result<(), String> {
    let disk = world.disk.crash_with(&CrashChoice::lose_all());
    disk.set_free(None); // what must be there is the question, not whether there is room for a side file
    let after = SimWorld { disk, ..SimWorld::new(0) };
    let head = shown.head();
    let expect_head = Some(HeadClaim { id: *shown.id(), size: head.size, hash: head.hash });
    let options = Options { read_only: false, expect_head, ..shown.shared().options.clone() };
    match Log::open(after.host(), shown.location(), options, Arc::new(Ear(Arc::default()))) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("a reader shows {} records, and a power loss now: {error}", head.size)),
    }
}
