//! What a correct log must hold: every record submitted, and how much of it was acknowledged.

use std::sync::Arc;

use parking_lot::Mutex;
use varve_core::error::{Error, HeadClaim};
use varve_core::log::Listener;
use varve_core::writer::Head;

use crate::reference::{Hash, Reference};

/// One record.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    pub payload: Vec<u8>,
    pub time: u64,
}

/// The model of one log, over all its openings.
#[derive(Default)]
pub struct Model {
    pub id: Option<[u8; 32]>,
    pub reference: Option<Reference>,
    pub records: Vec<Record>,
    pub leaves: Vec<Hash>,
    /// Offsets after each batch submitted.
    pub batch_ends: Vec<u64>,
    /// Everything below was acknowledged.
    pub acknowledged: u64,
    /// Everything below was covered by a sync that the caller knows of; `acknowledged` unless durability is 'os'.
    pub synced: u64,
    /// Attested on disk: the size acknowledged before the last acknowledgement, or everything at a clean close.
    pub attested: u64,
    /// Durability is the disk's: an acknowledgement is a sync.
    pub disk: bool,
    /// Heads that the caller keeps.
    pub held: Vec<(u64, Hash)>,
    /// The failure that stopped the log, in this opening.
    pub failed: Option<&'static str>,
    /// Faults are armed in this opening.
    pub faulty: bool,
    /// A transfer went astray in this opening: durable records may be refused as damaged.
    pub stray: bool,
    /// What went against the oracle.
    pub violations: Vec<String>,
    /// Flushes and closes: (answers, outcome).
    pub waiters: Vec<Waiter>,
}

/// One request that must be answered exactly once.
pub struct Waiter {
    pub what: &'static str,
    pub answers: u32,
}

impl Model {
    pub fn violate(&mut self, what: String) {
        self.violations.push(what);
    }

    pub fn size(&self) -> u64 {
        self.records.len() as u64
    }

    /// The head of the first `size` records.
    pub fn head(&mut self, size: u64) -> Hash {
        let reference = self.reference.as_ref().expect("the log was opened");
        for at in self.leaves.len()..self.records.len() {
            let record = &self.records[at];
            self.leaves.push(reference.leaf(&record.payload, at as u64, record.time));
        }
        reference.head(&self.leaves[..size as usize])
    }

    /// The log was opened with `size` records: those before are kept, all others never were.
    pub fn opened(&mut self, id: [u8; 32], size: u64) {
        if self.id != Some(id) {
            self.id = Some(id);
            self.reference = Some(Reference::new(&id));
            self.leaves.clear();
        }
        self.records.truncate(size as usize);
        self.leaves.truncate(size as usize);
        self.batch_ends.retain(|&end| end <= size);
        (self.acknowledged, self.synced) = (size, size);
        self.attested = self.attested.min(size);
        self.held.retain(|&(held, _)| held <= size);
        self.failed = None;
        self.waiters.clear();
    }

    pub fn append(&mut self, batches: &[Vec<Vec<u8>>], now: u64) {
        let time = self.records.last().map_or(0, |record| record.time).max(now);
        for batch in batches {
            self.records.extend(batch.iter().map(|payload| Record { payload: payload.clone(), time }));
            self.batch_ends.push(self.size());
        }
    }

    fn durable(&mut self, head: Head) {
        if self.failed.is_some() {
            self.violate(format!("{} was acknowledged after the log had failed", head.size));
        }
        if head.size < self.acknowledged || head.size > self.size() {
            let (from, to) = (self.acknowledged, self.size());
            return self.violate(format!("acknowledged {} outside of {from} to {to}", head.size));
        }
        if head.size > 0 && !self.batch_ends.contains(&head.size) {
            self.violate(format!("acknowledged {} inside a batch", head.size));
        }
        let expected = self.head(head.size);
        if head.hash != expected {
            self.violate(format!("the head acknowledged at {} is not that of the records", head.size));
        }
        if head.size > self.acknowledged {
            self.attested = self.acknowledged;
        }
        self.acknowledged = head.size;
        if self.disk {
            self.synced = head.size;
            self.held.push((head.size, head.hash));
        }
    }

    /// Everything up to `size` was flushed.
    pub fn flushed(&mut self, head: Head) {
        let expected = self.head(head.size.min(self.size()));
        if head.hash != expected {
            self.violate(format!("the head flushed at {} is not that of the records", head.size));
        }
        self.synced = self.synced.max(head.size);
        self.held.push((head.size, head.hash));
    }

    pub fn claim(&self, size: u64, hash: Hash) -> HeadClaim {
        HeadClaim { id: self.id.expect("the log was opened"), size, hash }
    }
}

/// Listens for one opening.
pub struct Ear(pub Arc<Mutex<Model>>);

impl Listener for Ear {
    fn durable(&self, head: Head) {
        self.0.lock().durable(head);
    }
    fn failed(&self, error: &Error) {
        let mut model = self.0.lock();
        if model.failed.is_some() {
            model.violate("the failure was told twice".into());
        }
        if matches!(error, Error::Internal(_)) {
            model.violate(format!("{error}"));
        }
        model.failed = Some(error.code());
    }
}
