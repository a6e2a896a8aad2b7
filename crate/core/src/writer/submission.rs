//! Records on their way to stage 1, as they were handed in.

use crate::buffers::Buffer;
use crate::error::{Error, Result};

/// Records as they were handed in.
pub struct Submission {
    /// The payloads, one after another.
    pub payloads: Buffer,
    /// Length of each.
    pub lengths: Vec<u32>,
    /// Records of each batch.
    pub batches: Vec<u32>,
    /// When it was accepted, milliseconds.
    pub time: u64,
    /// What was taken already.
    pub done: Cursor,
}

/// A place in a submission, between two batches.
#[derive(Default, Clone, Copy)]
pub struct Cursor {
    pub bytes: usize,
    pub records: usize,
    pub batches: usize,
}

impl Submission {
    /// Copies a submission after checking that its numbers add up.
    pub fn new(payloads: &[u8], lengths: &[u32], batches: &[u32], max_record_bytes: u32) -> Result<Self> {
        let bytes: u64 = lengths.iter().map(|&len| u64::from(len)).sum();
        let records: u64 = batches.iter().map(|&count| u64::from(count)).sum();
        if bytes != payloads.len() as u64 || records != lengths.len() as u64 || batches.contains(&0) {
            return Err(Error::Invalid(format!(
                "a submission does not add up: {} payload bytes against lengths of {bytes}, {} lengths against batches of {records}",
                payloads.len(),
                lengths.len()
            )));
        }
        if let Some(len) = lengths.iter().find(|&&len| len > max_record_bytes) {
            return Err(Error::Invalid(format!("a payload has {len} bytes; maxRecordBytes is {max_record_bytes}")));
        }
        let (payloads, lengths, batches) = (Buffer::from(payloads), lengths.to_vec(), batches.to_vec());
        Ok(Self { payloads, lengths, batches, time: 0, done: Cursor::default() })
    }
    /// Stamps the time of acceptance.
    pub fn at(self, time: u64) -> Self {
        Self { time, ..self }
    }
    /// Number of records.
    pub fn records(&self) -> u64 {
        self.lengths.len() as u64
    }
    /// True when it holds no record.
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }
    /// True when all of it was taken.
    pub fn is_done(&self) -> bool {
        self.done.batches == self.batches.len()
    }
}
