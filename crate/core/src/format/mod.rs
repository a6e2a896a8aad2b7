//! The bytes on disk: pure functions from structs to bytes and back, no I/O. docs/FORMAT.md is the one description.
//!
//! Every parser checks before it trusts: first the check value, then the fields, and sizes are capped before anybody
//! allocates by them. Positions derive from one another, so that a change in one place moves all.

mod bytes;
pub mod footer;
pub mod frame_header;
pub mod mark;
pub mod segment_header;
#[cfg(test)]
mod tests;

pub use footer::{FOOTER_LEN, Footer, INDEX_ENTRY_LEN, IndexEntry};
pub use frame_header::{FRAME_HEADER_LEN, FrameFlags, FrameHeader, Position};
pub use mark::{MARK_LEN, Mark};
pub use segment_header::{HeaderError, SegmentHeader};

/// The only version so far.
pub const FORMAT_VERSION: u16 = 1;
/// The only hash suite so far: BLAKE3, RFC 6962 shape.
pub const SUITE: u8 = 1;
/// Epoch of keys; key changes come later.
pub const EPOCH: u32 = 0;

/// Page 0 of a segment: header and mark slots.
pub const PAGE_LEN: u64 = 4096;
/// What a disk writes atomically (docs/DURABILITY.md, "Assumed").
pub const SECTOR_LEN: u64 = 512;
/// Mark slots, the last two sectors of page 0.
pub const SLOTS: [u64; 2] = [PAGE_LEN - 2 * SECTOR_LEN, PAGE_LEN - SECTOR_LEN];
/// Most bytes that a segment header can take.
pub const SEGMENT_HEADER_MAX: usize = SLOTS[0] as usize;
/// Position of the first frame.
pub const FRAMES_START: u64 = PAGE_LEN;
/// Frames start on multiples of this.
pub const FRAME_ALIGN: u64 = 64;
/// The live mark's position in the lock file: a sector of its own.
pub const LIVE_MARK_POSITION: u64 = SECTOR_LEN;

/// Uncompressed body bytes at which a frame is closed.
pub const FRAME_BODY_TARGET: usize = 16 * 1024;
/// Longest body of one frame, raw or stored: one record of the largest size and its columns.
pub const FRAME_BODY_MAX: u32 = crate::options::RECORD_BYTES_MAX + 64;

/// Rounds up to the next frame position.
pub const fn align_frame(position: u64) -> u64 {
    position.next_multiple_of(FRAME_ALIGN)
}

/// Name of a segment's file.
pub fn segment_name(number: u32) -> String {
    format!("{number:010}.seg")
}

/// The number in a segment's file name; `None` for every other name. The largest number is no segment's, so that every
/// segment can have a successor.
pub fn segment_number(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".seg")?;
    if digits.len() != 10 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|&number| number > 0 && number < u32::MAX)
}
