//! Sealing a segment: index and footer behind its frames, then the file is cut to length.
//!
//! Invariant: sealing again, after a crash at any point of it, gives the same bytes.

use std::path::Path;

use crate::disk::{self, DiskFile, read_full_at};
use crate::error::{Error, Result};
use crate::format::{EPOCH, FRAME_HEADER_LEN, FRAMES_START, Footer, FrameHeader, IndexEntry};
use crate::hash::{self, Hash, Keys};

/// What a footer states besides the index.
pub struct Summary {
    /// Segment number.
    pub segment: u32,
    /// Where the frames end.
    pub frames_end: u64,
    /// Offset of the first record.
    pub first_offset: u64,
    /// Offset after the last record.
    pub end_offset: u64,
    /// Time of the last record.
    pub last_time: u64,
    /// Head at `end_offset`.
    pub head: Hash,
}

/// Seals the segment in `file`. Its frames are durable and its successor exists. Doing it again, or after a crash in
/// the middle, gives the same bytes. Returns the file's length.
pub fn seal(
    file: &dyn DiskFile,
    path: &Path,
    keys: &Keys,
    frame_key: &[u8; 32],
    summary: &Summary,
    index: &[IndexEntry],
) -> Result<u64> {
    let mut first_header = [0; FRAME_HEADER_LEN];
    let got = read_full_at(file, &mut first_header, FRAMES_START).map_err(|error| Error::io("read", path, error))?;
    let first = FrameHeader::parse(&first_header[..got], frame_key, FRAMES_START);
    let mut bytes = IndexEntry::encode_all(index);
    let footer = Footer {
        segment: summary.segment,
        index_count: index.len() as u32,
        frames_end: summary.frames_end,
        first_offset: summary.first_offset,
        end_offset: summary.end_offset,
        first_time: first.map_or(summary.last_time, |header| header.base_time),
        last_time: summary.last_time,
        head: summary.head,
        epoch: EPOCH,
        index_crc: crc32c::crc32c(&bytes),
        seal: hash::footer_seal(keys, EPOCH, summary.first_offset, summary.end_offset, &summary.head),
    };
    bytes.extend(footer.encode(frame_key));
    disk::write_all_at(file, &bytes, summary.frames_end).map_err(|error| Error::io("write", path, error))?;
    // The footer is durable before the cut: a crash between leaves a segment that recovery can seal again.
    file.sync_all().map_err(|error| Error::io("fsync", path, error))?;
    file.set_len(footer.file_len()).map_err(|error| Error::io("ftruncate", path, error))?;
    file.sync_all().map_err(|error| Error::io("fsync", path, error))?;
    Ok(footer.file_len())
}
