//! Frames into records: checksum, codec, columns.
//!
//! Invariant: nothing is decompressed before the checksum of what is stored was compared, and no memory is taken that
//! the checked header does not justify.

use super::FrameDamage;
use crate::compress::{self, Codec, Uncompressed};
use crate::format::{EPOCH, FRAME_HEADER_LEN, FrameHeader};
use crate::hash::RecordRef;
use crate::planted::{Bug, planted};
use crate::record::{self, Body, Columns};

/// Splits a frame into header and stored body (without padding) after comparing the checksum.
/// `bytes` is the frame as [`FrameHeader::frame_len`] tells.
pub fn stored_body<'a>(header: &FrameHeader, bytes: &'a [u8]) -> Result<&'a [u8], FrameDamage> {
    let padded = bytes.get(FRAME_HEADER_LEN..header.frame_len() as usize);
    let padded = padded.ok_or_else(|| FrameDamage::cut_short(header.frame_len(), bytes.len() as u64))?;
    let crc = crc32c::crc32c(padded);
    if crc != header.body_crc && !planted(Bug::CrcIgnored) {
        let show = |crc: u32| format!("{crc:08x}");
        return Err(FrameDamage::torn(
            "the checksum of the frame's body does not hold",
            show(header.body_crc),
            show(crc),
        ));
    }
    Ok(&padded[..header.stored_len as usize])
}

/// The uncompressed body of a frame, at the start of `out` when it was compressed.
pub fn raw_body<'a>(header: &FrameHeader, stored: &'a [u8], out: &'a mut Vec<u8>) -> Result<&'a [u8], FrameDamage> {
    if header.codec == Uncompressed.id() {
        if header.raw_len != header.stored_len {
            return Err(FrameDamage::contradiction(
                "an uncompressed frame states two lengths",
                header.raw_len,
                header.stored_len,
            ));
        }
        return Ok(stored);
    }
    let (codec, len) = (codec_of(header)?, header.raw_len as usize);
    // Where there is room from earlier frames it is not zeroed once more: that takes 4 % as long as LZ4.
    let done = if let Some(place) = out.get_mut(..len) {
        codec.decompress_into(stored, place)
    } else {
        out.clear();
        codec.decompress(stored, len, out)
    };
    done.map_err(|error| FrameDamage::undecompressable(&error))?;
    Ok(&out[..len])
}

fn codec_of(header: &FrameHeader) -> Result<&'static dyn Codec, FrameDamage> {
    compress::by_id(header.codec).ok_or_else(|| FrameDamage {
        what: format!("the frame uses codec {}, which this version does not know", header.codec),
        torn: false,
        newer: true,
        versus: None,
    })
}

/// The records of a frame.
pub fn decode<'a>(header: &FrameHeader, raw: &'a [u8], columns: &'a mut Columns) -> Result<Body<'a>, FrameDamage> {
    check_epoch(header)?;
    record::decode(header.base_time, header.count, raw, columns).map_err(|error| FrameDamage::undecodable(&error))
}

fn check_epoch(header: &FrameHeader) -> Result<(), FrameDamage> {
    if header.epoch == EPOCH {
        return Ok(());
    }
    let damage = FrameDamage::contradiction("the frame's key epoch is unknown", EPOCH, header.epoch);
    Err(FrameDamage { newer: true, ..damage })
}

/// Calls `found` with record `index` of a frame, if it has one. Nothing behind the record is decompressed, which on
/// average is half of the frame: the checksum, which was compared, covers what is stored.
pub fn with_record<T>(
    header: &FrameHeader,
    stored: &[u8],
    index: usize,
    (raw, columns): (&mut Vec<u8>, &mut Columns),
    found: impl FnOnce(Option<RecordRef<'_>>) -> T,
) -> Result<T, FrameDamage> {
    check_epoch(header)?;
    let len = header.raw_len as usize;
    let undecompressable = |error| FrameDamage::undecompressable(&error);
    let start = codec_of(header)?.start(stored, len, raw).map_err(undecompressable)?;
    let Some(mut start) = start else {
        let body = raw_body(header, stored, raw)?;
        decode(header, body, columns)?;
        return Ok(found(columns.record(body, index)));
    };
    let head = start.reach(record::columns_len_max(header.count).min(len)).map_err(undecompressable)?;
    let decoded = record::decode_start(header.base_time, header.count, head, len, columns);
    decoded.map_err(|error| FrameDamage::undecodable(&error))?;
    let Some(end) = columns.end(index) else { return Ok(found(None)) };
    let body = start.reach(end).map_err(undecompressable)?;
    Ok(found(columns.record(body, index)))
}
