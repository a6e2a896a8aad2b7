//! Opening the log and judging the outcome: nothing acknowledged is missing, batches are whole, a refusal changes nothing.
//! Readers that are there before the writer see what it will have.

use std::sync::Arc;

use varve_core::error::{Error, HeadClaim};
use varve_core::log::Log;
use varve_core::options::Options;

use crate::model::Ear;
use crate::run::{Files, History, ensure};
use crate::user::survives;

impl History {
    /// Opens the log to read it where no writer is: it must show what the next one will find, and what no power loss
    /// takes away.
    pub fn open_reader(&mut self) -> Result<(), String> {
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
    pub fn follow(&mut self, exactly: Option<u64>) -> Result<(), String> {
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
}
