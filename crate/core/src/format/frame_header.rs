//! The header of a frame: 112 bytes in front of a body.

use super::bytes::{self, Put, Reader};
use super::{FRAME_BODY_MAX, align_frame};
use crate::planted::{Bug, planted};
use crate::record::MAX_RECORDS_PER_FRAME;

const MAGIC: u32 = u32::from_le_bytes(*b"vfrm");
/// Length of a frame header; the body follows at once.
pub const FRAME_HEADER_LEN: usize = 112;
const CHECK_AT: usize = FRAME_HEADER_LEN - 8;
const DURABLE_TO_AT: usize = 44;

/// A place in the log's files; later segments compare greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    /// Segment number; 0 is before everything.
    pub segment: u32,
    /// Byte position in its file.
    pub position: u64,
}

/// The flag bits of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrameFlags(pub u8);

impl FrameFlags {
    /// The first record starts a batch.
    pub const FIRST: u8 = 1;
    /// The last record ends a batch: recovery may stop after this frame.
    pub const LAST: u8 = 2;
    /// A state frame: no records, the body holds the peaks.
    pub const STATE: u8 = 4;
    /// A state frame written by `close`.
    pub const CLOSE: u8 = 8;
    const KNOWN: u8 = 15;

    /// Starts a batch.
    pub fn first(self) -> bool {
        self.0 & Self::FIRST != 0
    }
    /// Ends a batch.
    pub fn last(self) -> bool {
        self.0 & Self::LAST != 0
    }
    /// Holds peaks instead of records.
    pub fn state(self) -> bool {
        self.0 & Self::STATE != 0
    }
    /// Was written by `close`.
    pub fn close(self) -> bool {
        self.0 & Self::CLOSE != 0
    }
}

/// A frame's header, except its check, which [`FrameHeader::encode`] computes and [`FrameHeader::parse`] has verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameHeader {
    /// How the body is stored ([`crate::compress`]).
    pub codec: u8,
    /// What the frame starts, ends and holds.
    pub flags: FrameFlags,
    /// Offset of the first record; of the next record in a state frame.
    pub first_offset: u64,
    /// Time of the first record; of the last record before a state frame.
    pub base_time: u64,
    /// Records in the body.
    pub count: u32,
    /// Bytes of the body as stored.
    pub stored_len: u32,
    /// Bytes of the body when decompressed.
    pub raw_len: u32,
    /// CRC32C of the stored body and its zero padding.
    pub body_crc: u32,
    /// Epoch of the keys.
    pub epoch: u32,
    /// Everything before this was durable when this frame was written.
    pub durable_to: Position,
    /// Head after this frame.
    pub head: [u8; 32],
    /// Seal over what the frame's records mean.
    pub seal: [u8; 16],
}

impl FrameHeader {
    /// Offset after the last record.
    pub fn end_offset(&self) -> u64 {
        self.first_offset + u64::from(self.count)
    }

    /// Bytes that the frame takes in the file: header, body, padding.
    pub fn frame_len(&self) -> u64 {
        align_frame(FRAME_HEADER_LEN as u64 + u64::from(self.stored_len))
    }

    /// Appends the header with `durable_to` and check still zero: stage 2 stamps them with [`stamp`].
    pub fn encode_unstamped(&self, out: &mut Vec<u8>) {
        out.put_u32(MAGIC).put_u8(self.codec).put_u8(self.flags.0).put_u16(0);
        out.put_u64(self.first_offset).put_u64(self.base_time);
        out.put_u32(self.count).put_u32(self.stored_len).put_u32(self.raw_len).put_u32(self.body_crc);
        out.put_u32(self.epoch).put_u32(0).put_u64(0);
        out.put(&self.head).put(&self.seal).put(&[0; 8]);
    }

    /// The whole header for a frame at `position`.
    pub fn encode(&self, frame_key: &[u8; 32], position: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(FRAME_HEADER_LEN);
        self.encode_unstamped(&mut out);
        stamp(&mut out, frame_key, self.durable_to, position);
        out
    }

    /// Reads and checks a header at `position`. `None` when it is not a frame of this segment at this position: no
    /// field of it may then be believed.
    pub fn parse(bytes: &[u8], frame_key: &[u8; 32], position: u64) -> Option<Self> {
        let header = bytes.get(..FRAME_HEADER_LEN)?;
        let mut r = Reader::new(header);
        // The magic is only a cheap first look: it spares a hash in the scan for later frames.
        if r.u32()? != MAGIC {
            return None;
        }
        let (covered, check) = header.split_at(CHECK_AT);
        if bytes::check(frame_key, covered, position) != check && !planted(Bug::LengthTrusted) {
            return None;
        }
        Self::fields(header)
    }

    /// The fields, believed.
    pub(crate) fn fields(header: &[u8]) -> Option<Self> {
        let mut r = Reader::new(header);
        r.u32()?;
        let codec = r.u8()?;
        let flags = FrameFlags(r.u8()?);
        let reserved = r.u16()?;
        let parsed = Self {
            codec,
            flags,
            first_offset: r.u64()?,
            base_time: r.u64()?,
            count: r.u32()?,
            stored_len: r.u32()?,
            raw_len: r.u32()?,
            body_crc: r.u32()?,
            epoch: r.u32()?,
            durable_to: Position { segment: r.u32()?, position: r.u64()? },
            head: r.array()?,
            seal: r.array()?,
        };
        let sane = reserved == 0
            && flags.0 & !FrameFlags::KNOWN == 0
            && (flags.state() || !flags.close())
            && (flags.state() == (parsed.count == 0))
            && parsed.count as usize <= MAX_RECORDS_PER_FRAME
            && parsed.stored_len <= FRAME_BODY_MAX
            && parsed.raw_len <= FRAME_BODY_MAX
            && parsed.first_offset.checked_add(u64::from(parsed.count)).is_some();
        sane.then_some(parsed)
    }
}

/// Writes `durable_to` and the check into an encoded header. Only stage 2 knows both.
pub fn stamp(header: &mut [u8], frame_key: &[u8; 32], durable_to: Position, position: u64) {
    header[DURABLE_TO_AT..DURABLE_TO_AT + 4].copy_from_slice(&durable_to.segment.to_le_bytes());
    header[DURABLE_TO_AT + 4..DURABLE_TO_AT + 12].copy_from_slice(&durable_to.position.to_le_bytes());
    let check = bytes::check(frame_key, &header[..CHECK_AT], position);
    header[CHECK_AT..FRAME_HEADER_LEN].copy_from_slice(&check);
}
