//! A frame's body: the records of one frame as columns, then their payloads, as docs/FORMAT.md ("Body") has them.
//!
//! Invariant: records have one body and no other, since a column of zeros is left out, EQUAL_LENGTHS is set whenever it
//! can be, and varints are as short as they go. [`encode`] refuses what [`decode`] would, so that nothing is written that
//! cannot be read back.

mod body;
mod varint;

pub use body::{Body, Columns, columns_len_max, decode, decode_start};

use crate::hash::RecordRef;

/// Most records of one frame.
pub const MAX_RECORDS_PER_FRAME: usize = 65_536;
/// Most bytes that a record adds to a body besides its payload: time 10, length 5, kind, flags and attributes 1 each.
pub const COLUMN_BYTES_MAX: usize = 18;

const TIMES: u8 = 1 << 0;
const EQUAL_LENGTHS: u8 = 1 << 1;
const KINDS: u8 = 1 << 2;
const FLAGS: u8 = 1 << 3;
const ATTRIBUTES: u8 = 1 << 4;
const KNOWN: u8 = TIMES | EQUAL_LENGTHS | KINDS | FLAGS | ATTRIBUTES;

/// Kinds that mean something that this version does not know; above them are those that it may pass over.
const KINDS_REFUSED: std::ops::RangeInclusive<u8> = 1..=63;

/// Why a body cannot be read, or records cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// No version writes this.
    #[error("{0}")]
    Malformed(&'static str),
    /// A newer version wrote it.
    #[error("{what} {value:#04x} is unknown")]
    Unsupported {
        /// Which part of the format.
        what: &'static str,
        /// What stands there.
        value: u8,
    },
}

/// Appends the body of one frame to `out`: 1 to [`MAX_RECORDS_PER_FRAME`] records, whose times never decrease and
/// start with `base_time`, the first one's. On error `out` is as it was.
pub fn encode(base_time: u64, records: &[RecordRef<'_>], out: &mut Vec<u8>) -> Result<(), BodyError> {
    check_count(records.len())?;
    let mask = mask(base_time, records)?;
    out.push(mask);
    if mask & TIMES != 0 {
        let mut previous = base_time;
        for record in records {
            varint::push(record.time - previous, out);
            previous = record.time;
        }
    }
    let lengths = if mask & EQUAL_LENGTHS != 0 { &records[..1] } else { records };
    for record in lengths {
        varint::push(record.payload.len() as u64, out);
    }
    if mask & KINDS != 0 {
        out.extend(records.iter().map(|record| record.kind));
    }
    // No leaf flag and no attribute is defined yet: both columns would be all zero, and are left out.
    for record in records {
        out.extend_from_slice(record.payload);
    }
    Ok(())
}

/// Checks the records and finds the columns that they need.
fn mask(base_time: u64, records: &[RecordRef<'_>]) -> Result<u8, BodyError> {
    let first = &records[0];
    if first.time != base_time {
        return Err(BodyError::Malformed("the base time is not the first record's"));
    }
    let (mut previous, mut payload_bytes) = (base_time, 0);
    let mut mask = EQUAL_LENGTHS;
    for record in records {
        if record.time < previous {
            return Err(BodyError::Malformed("the times decrease"));
        }
        check_kind(record.kind)?;
        check_flags(record.flags)?;
        if record.time != base_time {
            mask |= TIMES;
        }
        if record.kind != 0 {
            mask |= KINDS;
        }
        if record.payload.len() != first.payload.len() {
            mask &= !EQUAL_LENGTHS;
        }
        previous = record.time;
        payload_bytes += record.payload.len();
    }
    check_payload_bytes(payload_bytes)?;
    Ok(mask)
}

fn check_count(count: usize) -> Result<(), BodyError> {
    match count {
        1..=MAX_RECORDS_PER_FRAME => Ok(()),
        0 => Err(BodyError::Malformed("a frame has at least one record")),
        _ => Err(BodyError::Malformed("too many records in a frame")),
    }
}

fn check_payload_bytes(bytes: usize) -> Result<(), BodyError> {
    match u32::try_from(bytes) {
        Ok(_) => Ok(()),
        Err(_) => Err(BodyError::Malformed("the payloads of a frame are 4 GiB or more")),
    }
}

fn check_kind(value: u8) -> Result<(), BodyError> {
    if KINDS_REFUSED.contains(&value) { Err(BodyError::Unsupported { what: "record kind", value }) } else { Ok(()) }
}

fn check_flags(value: u8) -> Result<(), BodyError> {
    if value == 0 { Ok(()) } else { Err(BodyError::Unsupported { what: "record flag", value }) }
}

fn check_attributes(value: u8) -> Result<(), BodyError> {
    if value == 0 { Ok(()) } else { Err(BodyError::Unsupported { what: "record attribute", value }) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn record(payload: &[u8], time: u64) -> RecordRef<'_> {
        RecordRef { payload, time, kind: 0, flags: 0 }
    }

    fn encoded(records: &[RecordRef<'_>]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(records[0].time, records, &mut out).unwrap();
        out
    }

    #[test]
    fn plain_records_cost_one_byte_and_their_lengths() {
        assert_eq!(encoded(&[record(b"ab", 5), record(b"cd", 5)]), b"\x02\x02abcd");
        assert_eq!(encoded(&[record(b"ab", 5), record(b"c", 5)]), b"\x00\x02\x01abc");
        assert_eq!(encoded(&[record(b"", 5)]), b"\x02\x00");
    }

    #[test]
    fn times_and_kinds_are_columns() {
        let mut records = [record(b"a", 5), record(b"b", 5), record(b"c", 205)];
        assert_eq!(encoded(&records), b"\x03\x00\x00\xc8\x01\x01abc");
        records[1].kind = 128;
        assert_eq!(encoded(&records), b"\x07\x00\x00\xc8\x01\x01\x00\x80\x00abc");
    }

    #[test]
    fn what_could_not_be_read_is_not_written() {
        let good = record(b"a", 5);
        let refused = |base_time, records: &[RecordRef<'_>]| {
            let mut out = vec![1];
            assert!(encode(base_time, records, &mut out).is_err(), "{records:?}");
            assert_eq!(out, [1]);
        };
        refused(5, &[]);
        refused(4, &[good]);
        refused(6, &[good]);
        refused(5, &[good, record(b"a", 4)]);
        refused(5, &[good, RecordRef { kind: 1, ..good }]);
        refused(5, &[good, RecordRef { kind: 63, ..good }]);
        refused(5, &[good, RecordRef { flags: 1, ..good }]);
        refused(5, &vec![good; MAX_RECORDS_PER_FRAME + 1]);
        assert_eq!(encoded(&vec![good; MAX_RECORDS_PER_FRAME]).len(), 2 + MAX_RECORDS_PER_FRAME);
    }
}
