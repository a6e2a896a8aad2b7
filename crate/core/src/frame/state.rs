//! The body of a state frame: peaks and the time of the last record, both ways.
//!
//! Invariant: only a body of the very length that its offset demands is read.

use super::FrameDamage;
use crate::format::FrameHeader;
use crate::hash::Peaks;

/// Appends the body.
pub(super) fn put(peaks: &Peaks, last_time: u64, out: &mut Vec<u8>) {
    for peak in peaks.hashes() {
        out.extend_from_slice(peak);
    }
    out.extend_from_slice(&last_time.to_le_bytes());
}

/// Reads it back. Whether it is true is for [`super::Replay`] to say.
pub(super) fn parse(header: &FrameHeader, stored: &[u8]) -> Result<(Peaks, u64), FrameDamage> {
    let wrong = || {
        FrameDamage::contradiction(
            "the state frame's length does not fit its offset",
            header.first_offset.count_ones() * 32 + 8,
            stored.len(),
        )
    };
    let (hashes, rest) = stored.as_chunks::<32>();
    let time: [u8; 8] = rest.try_into().map_err(|_| wrong())?;
    let peaks = Peaks::from_parts(header.first_offset, hashes.to_vec()).ok_or_else(wrong)?;
    Ok((peaks, u64::from_le_bytes(time)))
}
