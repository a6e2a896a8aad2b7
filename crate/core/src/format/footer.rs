//! What a sealed segment ends with: the index, then the footer as the file's last bytes.

use super::bytes::{self, Put, Reader};
use super::{FRAME_ALIGN, FRAMES_START};

const MAGIC: [u8; 8] = *b"varveEND";
/// Length of a footer.
pub const FOOTER_LEN: usize = 120;
const CHECK_AT: usize = FOOTER_LEN - 8;
/// Length of an index entry.
pub const INDEX_ENTRY_LEN: usize = 8;

/// Summary of a sealed segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footer {
    /// Segment number.
    pub segment: u32,
    /// Entries of the index.
    pub index_count: u32,
    /// Where the frames end and the index starts.
    pub frames_end: u64,
    /// Offset of the first record.
    pub first_offset: u64,
    /// Offset after the last record.
    pub end_offset: u64,
    /// Time of the first record (of the last one before, in a segment without records).
    pub first_time: u64,
    /// Time of the last record.
    pub last_time: u64,
    /// Head at `end_offset`.
    pub head: [u8; 32],
    /// Epoch of the keys.
    pub epoch: u32,
    /// CRC32C of the index: its own check, since a damaged index can be rebuilt.
    pub index_crc: u32,
    /// Seal over the summary.
    pub seal: [u8; 16],
}

impl Footer {
    /// Where the footer starts: right behind the index.
    pub fn position(&self) -> u64 {
        self.frames_end + u64::from(self.index_count) * INDEX_ENTRY_LEN as u64
    }

    /// Length of the sealed file.
    pub fn file_len(&self) -> u64 {
        self.position() + FOOTER_LEN as u64
    }

    /// The footer's bytes.
    pub fn encode(&self, frame_key: &[u8; 32]) -> Vec<u8> {
        let mut out = Vec::with_capacity(FOOTER_LEN);
        out.put(&MAGIC).put_u32(self.segment).put_u32(self.index_count).put_u64(self.frames_end);
        out.put_u64(self.first_offset).put_u64(self.end_offset).put_u64(self.first_time).put_u64(self.last_time);
        out.put(&self.head).put_u32(self.epoch).put_u32(self.index_crc).put(&self.seal);
        debug_assert_eq!(out.len(), CHECK_AT);
        let check = bytes::check(frame_key, &out, self.position());
        out.put(&check);
        out
    }

    /// Reads the footer that ends a file of `file_len` bytes; `None` when those bytes are not this segment's footer.
    pub fn parse(bytes: &[u8], frame_key: &[u8; 32], file_len: u64) -> Option<Self> {
        let bytes = bytes.get(..FOOTER_LEN)?;
        let mut r = Reader::new(bytes);
        let position = file_len.checked_sub(FOOTER_LEN as u64)?;
        if r.array()? != MAGIC || bytes::check(frame_key, &bytes[..CHECK_AT], position) != bytes[CHECK_AT..] {
            return None;
        }
        let footer = Self {
            segment: r.u32()?,
            index_count: r.u32()?,
            frames_end: r.u64()?,
            first_offset: r.u64()?,
            end_offset: r.u64()?,
            first_time: r.u64()?,
            last_time: r.u64()?,
            head: r.array()?,
            epoch: r.u32()?,
            index_crc: r.u32()?,
            seal: r.array()?,
        };
        let frames_end = FRAMES_START..file_len;
        let fits = frames_end.contains(&footer.frames_end) && footer.position() == position;
        (fits && footer.first_offset <= footer.end_offset).then_some(footer)
    }
}

/// Where a frame is: one entry a frame, state frames included (they share the offset of the frame behind them).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexEntry {
    /// The frame's first offset, counted from the segment's first.
    pub relative_offset: u32,
    /// The frame's position, in units of 64 bytes.
    pub slot: u32,
}

impl IndexEntry {
    /// An entry; `None` where the numbers do not fit (segments are cut before they grow that large).
    pub fn new(relative_offset: u64, position: u64) -> Option<Self> {
        Some(Self {
            relative_offset: u32::try_from(relative_offset).ok()?,
            slot: u32::try_from(position / FRAME_ALIGN).ok()?,
        })
    }

    /// The frame's byte position.
    pub fn position(self) -> u64 {
        u64::from(self.slot) * FRAME_ALIGN
    }

    /// The index as it is stored.
    pub fn encode_all(entries: &[Self]) -> Vec<u8> {
        let mut out = Vec::with_capacity(entries.len() * INDEX_ENTRY_LEN);
        for entry in entries {
            out.put_u32(entry.relative_offset).put_u32(entry.slot);
        }
        out
    }

    /// Entries as they stand, in whatever order.
    pub fn parse_each(bytes: &[u8]) -> impl Iterator<Item = Self> + '_ {
        bytes.as_chunks::<INDEX_ENTRY_LEN>().0.iter().map(|c| Self {
            relative_offset: u32::from_le_bytes([c[0], c[1], c[2], c[3]]),
            slot: u32::from_le_bytes([c[4], c[5], c[6], c[7]]),
        })
    }

    /// A stored index whose checksum the caller has compared; `None` when it is not in order.
    pub fn parse_all(bytes: &[u8]) -> Option<Vec<Self>> {
        let rest = bytes.len() % INDEX_ENTRY_LEN;
        let entries: Vec<Self> = Self::parse_each(bytes).collect();
        let ordered = entries.is_sorted_by(|a, b| a.slot < b.slot && a.relative_offset <= b.relative_offset);
        (rest == 0 && ordered).then_some(entries)
    }
}
