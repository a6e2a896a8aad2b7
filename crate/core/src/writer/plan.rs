//! What the next part of stage 1 will hold: which batches, and whether a new segment begins with it.
//!
//! Invariants: a part holds whole batches, one at least; a batch lies in one segment, and one that is larger than a
//! segment gets a larger one.

use std::collections::VecDeque;

use crate::format::{FRAME_BODY_TARGET, FRAME_HEADER_LEN, FRAMES_START};
use crate::record::COLUMN_BYTES_MAX;

use super::submission::Submission;

/// Payload bytes at which a part is closed: small enough that stage 2 starts early, large enough to amortize.
const PART_BYTES: u64 = 1 << 20;
/// The same where records are as large as [`LARGE_RECORD_BYTES`] and are compressed: each is a body of its own, which one
/// thread compresses, and few of them leave one of two threads without work at the end. Measured (LZ4, four batches of
/// 1 MiB in flight): with payloads of 1 MiB 1.33 times as fast, of 256 KiB 1.1 times.
const LARGE_PART_BYTES: u64 = 2 << 20;
const LARGE_RECORD_BYTES: u64 = 64 << 10;
/// A segment is left before its index entries would not fit 32 bits.
const SEGMENT_RECORDS_MAX: u64 = 1 << 31;

/// The next batches of the input.
#[derive(Default)]
pub struct Plan {
    /// They begin a segment.
    pub rotate: bool,
    pub batches: usize,
    pub records: u64,
    /// Of payload.
    pub bytes: u64,
}

/// Where they will go.
pub struct Space {
    /// Bytes that the segment has left.
    pub room: u64,
    /// Its size, and that of the next one.
    pub segment_bytes: u64,
    /// Records that it holds.
    pub records_before: u64,
    /// Bodies are compressed.
    pub compresses: bool,
}

impl Plan {
    /// Chooses whole batches: about [`PART_BYTES`], and no more than the segment has room for. `None` without input.
    pub fn next(input: &VecDeque<Submission>, space: &Space) -> Option<Self> {
        let mut plan = Self::default();
        let mut most = 0; // bytes that the frames can take at most
        for submission in input {
            let mut at = submission.done;
            while let Some(&count) = submission.batches.get(at.batches) {
                let lengths = &submission.lengths[at.records..at.records + count as usize];
                let bytes: u64 = lengths.iter().map(|&len| u64::from(len)).sum();
                let with_this = most + frames_bytes_max(bytes, u64::from(count));
                let crowded = space.records_before + plan.records + u64::from(count) > SEGMENT_RECORDS_MAX;
                if plan.records == 0 {
                    plan.rotate = (with_this > space.room || crowded) && space.records_before > 0;
                } else if plan.is_full(bytes, space) || plan.crowds(with_this, space) || crowded {
                    return Some(plan);
                }
                most = with_this;
                plan.batches += 1;
                plan.records += u64::from(count);
                plan.bytes += bytes;
                at.batches += 1;
                at.records += count as usize;
            }
        }
        (plan.records > 0).then_some(plan)
    }

    /// Is the part closed before a batch of `bytes`?
    fn is_full(&self, bytes: u64, space: &Space) -> bool {
        let large = self.bytes >= self.records * LARGE_RECORD_BYTES && space.compresses;
        self.bytes + bytes > if large { LARGE_PART_BYTES } else { PART_BYTES }
    }

    /// Would the segment that this part goes to grow beyond its size?
    fn crowds(&self, frames_bytes: u64, space: &Space) -> bool {
        frames_bytes > if self.rotate { space.segment_bytes - FRAMES_START } else { space.room }
    }
}

/// Most bytes that the frames of `records` with `bytes` of payload can take.
fn frames_bytes_max(bytes: u64, records: u64) -> u64 {
    let bodies = bytes + records * COLUMN_BYTES_MAX as u64;
    // Two frames in a row hold more than one full body, and each pads to 64 bytes.
    let frames = 2 + 2 * bodies / FRAME_BODY_TARGET as u64;
    bodies + frames * (FRAME_HEADER_LEN as u64 + 64)
}
