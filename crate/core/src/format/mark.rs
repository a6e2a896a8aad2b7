//! Marks: small statements "everything before this position is durable", in page 0 and in the lock file.

use super::bytes::{self, Put, Reader};

const MAGIC: u32 = u32::from_le_bytes(*b"vmrk");
/// Length of a mark; it lies within one sector, so it is never torn.
pub const MARK_LEN: usize = 88;
const CHECK_AT: usize = MARK_LEN - 8;

/// What was durable when the mark was written. A mark is always true: it is written after the sync has returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Segment number.
    pub segment: u32,
    /// The segment file's inode in the live mark (a copied folder has another one); 0 in a slot of page 0.
    pub identity: u64,
    /// End of the last durable frame.
    pub position: u64,
    /// Records before that position.
    pub size: u64,
    /// Time of the last of them.
    pub last_time: u64,
    /// Position of the last durable state frame in this segment; 0 if there is none.
    pub state_position: u64,
    /// Head at `size`.
    pub head: [u8; 32],
}

impl Mark {
    /// The mark's bytes for the place `at` (a slot's position, or that of the live mark).
    pub fn encode(&self, frame_key: &[u8; 32], at: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(MARK_LEN);
        out.put_u32(MAGIC).put_u32(self.segment).put_u64(self.identity).put_u64(self.position);
        out.put_u64(self.size).put_u64(self.last_time).put_u64(self.state_position).put(&self.head);
        debug_assert_eq!(out.len(), CHECK_AT);
        let check = bytes::check(frame_key, &out, at);
        out.put(&check);
        out
    }

    /// The segment that a mark speaks of, unchecked: whose key is needed to check the rest.
    pub fn peek_segment(bytes: &[u8]) -> Option<u32> {
        let mut r = Reader::new(bytes.get(..MARK_LEN)?);
        (r.u32()? == MAGIC).then(|| r.u32()).flatten()
    }

    /// Reads a mark; `None` when it is none, or not one of this segment at this place.
    pub fn parse(bytes: &[u8], frame_key: &[u8; 32], at: u64) -> Option<Self> {
        let bytes = bytes.get(..MARK_LEN)?;
        let mut r = Reader::new(bytes);
        if r.u32()? != MAGIC || bytes::check(frame_key, &bytes[..CHECK_AT], at) != bytes[CHECK_AT..] {
            return None;
        }
        Some(Self {
            segment: r.u32()?,
            identity: r.u64()?,
            position: r.u64()?,
            size: r.u64()?,
            last_time: r.u64()?,
            state_position: r.u64()?,
            head: r.array()?,
        })
    }
}
