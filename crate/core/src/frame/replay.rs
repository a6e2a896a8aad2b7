//! Frames hashed again, and the chain that they grow: leaves, nodes, heads and seals as bytes give them.
//!
//! Invariant: what a frame states is believed once it was recomputed and is the same.

use super::{FrameDamage, decode, raw_body, state};
use crate::error::hex;
use crate::format::FrameHeader;
use crate::hash::{self, Hash, Keys, LeafHasher, Peaks, RecordRef};
use crate::planted::{Bug, planted};
use crate::record::Columns;

/// The hashes of one frame, recomputed from its body alone: frames can be done in any order and on any thread.
pub struct FrameHashes {
    /// `nodes[a, b)` of the frame's records.
    pub nodes: Vec<Hash>,
    /// Time of the last record.
    pub last_time: u64,
}

/// Buffers for recomputing frames.
#[derive(Default)]
pub struct Rehasher {
    hasher: LeafHasher,
    raw: Vec<u8>,
    columns: Columns,
    leaves: Vec<Hash>,
}

impl Rehasher {
    /// Decodes a data frame, recomputes leaves and nodes, and compares the seal.
    pub fn frame(&mut self, keys: &Keys, header: &FrameHeader, stored: &[u8]) -> Result<FrameHashes, FrameDamage> {
        let raw = raw_body(header, stored, &mut self.raw)?;
        let body = decode(header, raw, &mut self.columns)?;
        let records: Vec<RecordRef<'_>> = body.records().collect();
        self.leaves.clear();
        self.hasher.leaves(keys, header.first_offset, &records, &mut self.leaves);
        let mut nodes = Vec::new();
        hash::range_nodes(keys, header.first_offset, &self.leaves, &mut nodes);
        let end = header.end_offset();
        let expected =
            hash::frame_seal(keys, header.flags.0, header.epoch, header.first_offset, end, &header.head, &nodes);
        check_seal(&expected, &header.seal)?;
        Ok(FrameHashes { nodes, last_time: records.last().map_or(header.base_time, |r| r.time) })
    }
}

/// The leaves of the first `count` records of a data frame.
pub fn first_leaves(keys: &Keys, header: &FrameHeader, stored: &[u8], count: usize) -> Result<Vec<Hash>, FrameDamage> {
    let mut scratch = Vec::new();
    let mut columns = Columns::default();
    let body = decode(header, raw_body(header, stored, &mut scratch)?, &mut columns)?;
    let records: Vec<RecordRef<'_>> = body.records().take(count).collect();
    let mut leaves = Vec::new();
    LeafHasher::new().leaves(keys, header.first_offset, &records, &mut leaves);
    Ok(leaves)
}

/// Compares a frame's seal with the one that was recomputed.
pub fn check_seal(expected: &[u8; 16], found: &[u8; 16]) -> Result<(), FrameDamage> {
    if hash::same(expected, found) || planted(Bug::SealIgnored) {
        return Ok(());
    }
    // Of an expected seal nothing is shown: with a secret, that would help to forge one.
    Err(FrameDamage::contradiction("the frame's seal does not recompute", "the seal of its records", hex(found)))
}

/// The chain as it grows frame by frame: recovery and `verify` feed it every frame in order.
pub struct Replay {
    /// Peaks after the last frame.
    pub peaks: Peaks,
    /// Time of the last record.
    pub last_time: u64,
    rehasher: Rehasher,
}

impl Replay {
    /// Starts from known peaks.
    pub fn new(peaks: Peaks, last_time: u64) -> Self {
        Self { peaks, last_time, rehasher: Rehasher::default() }
    }

    /// Starts from a state frame, after comparing its head and seal.
    pub fn from_state(keys: &Keys, header: &FrameHeader, stored: &[u8]) -> Result<Self, FrameDamage> {
        let (peaks, last_time) = state::parse(header, stored)?;
        let replay = Self::new(peaks, last_time);
        replay.check_state(keys, header)?;
        Ok(replay)
    }

    /// Takes the next frame in: everything it states is recomputed and compared.
    pub fn apply(&mut self, keys: &Keys, header: &FrameHeader, stored: &[u8]) -> Result<(), FrameDamage> {
        self.check_place(header)?;
        if header.flags.state() {
            let (peaks, last_time) = state::parse(header, stored)?;
            if peaks.hashes() != self.peaks.hashes() || last_time != self.last_time {
                return Err(FrameDamage::contradiction(
                    "a state frame disagrees with the records before it",
                    "their peaks",
                    "others",
                ));
            }
            return self.check_state(keys, header);
        }
        let hashes = self.rehasher.frame(keys, header, stored)?;
        self.fold(keys, header, &hashes)
    }

    /// Takes in a frame whose own hashes were recomputed elsewhere.
    pub fn fold(&mut self, keys: &Keys, header: &FrameHeader, hashes: &FrameHashes) -> Result<(), FrameDamage> {
        self.check_place(header)?;
        self.peaks.join(keys, u64::from(header.count), &hashes.nodes);
        self.last_time = hashes.last_time;
        self.check_head(keys, header)
    }

    fn check_place(&self, header: &FrameHeader) -> Result<(), FrameDamage> {
        if header.first_offset != self.peaks.size() {
            return Err(FrameDamage::contradiction(
                "the frame does not continue the log",
                self.peaks.size(),
                header.first_offset,
            ));
        }
        if header.base_time < self.last_time {
            return Err(FrameDamage::contradiction("time runs backwards", self.last_time, header.base_time));
        }
        Ok(())
    }

    fn check_head(&self, keys: &Keys, header: &FrameHeader) -> Result<(), FrameDamage> {
        let head = self.peaks.head(keys);
        if head == header.head || planted(Bug::StoredHeadExtended) {
            return Ok(());
        }
        Err(FrameDamage::contradiction("the frame's head does not recompute", hex(&head), hex(&header.head)))
    }

    fn check_state(&self, keys: &Keys, header: &FrameHeader) -> Result<(), FrameDamage> {
        self.check_head(keys, header)?;
        let size = self.peaks.size();
        let hashes = self.peaks.hashes();
        let closing = header.flags.close();
        let expected = hash::state_seal(keys, closing, header.epoch, size, &header.head, hashes, self.last_time);
        check_seal(&expected, &header.seal)
    }
}
