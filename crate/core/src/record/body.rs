//! Reading a body back: every column is checked before any record is handed out, and nothing is allocated that the
//! body's length does not justify.

use std::ops::Range;

use super::{ATTRIBUTES, BodyError, COLUMN_BYTES_MAX, EQUAL_LENGTHS, FLAGS, KINDS, KNOWN, TIMES, varint};
use crate::hash::RecordRef;
use BodyError::{Malformed, Unsupported};

/// Reads a body of `count` records into `columns` and checks all of it. After an error the columns are empty.
///
/// Columns are meant to be reused from frame to frame; `count` and `base_time` come from the frame's checked header.
pub fn decode<'a>(base_time: u64, count: u32, body: &'a [u8], columns: &'a mut Columns) -> Result<Body<'a>, BodyError> {
    columns.read(base_time, count as usize, body, body.len())?;
    Ok(Body { columns, bytes: body })
}

/// The same from the start of a body of `len` bytes, for [`Columns::record`]. It has all columns where it is
/// [`columns_len_max`] bytes long, or the whole body.
pub fn decode_start(
    base_time: u64,
    count: u32,
    start: &[u8],
    len: usize,
    columns: &mut Columns,
) -> Result<(), BodyError> {
    columns.read(base_time, count as usize, start, len)
}

/// Most bytes that the columns of `count` records take, with the mask before them.
pub fn columns_len_max(count: u32) -> usize {
    1 + count as usize * COLUMN_BYTES_MAX
}

/// What [`decode`] learned of a body, without the body's bytes; keep both to see the records again.
#[derive(Debug, Clone, Default)]
pub struct Columns {
    layout: Layout,
    /// The time of each record; empty where all have the base time.
    times: Vec<u64>,
    /// Where each payload ends, counted from the first one's start; empty where all lengths are equal.
    ends: Vec<u32>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Layout {
    count: usize,
    base_time: u64,
    /// The length of every payload, where all are equal.
    equal: usize,
    /// Where the kinds start in the body; 0, the mask's place, where there are none.
    kinds: usize,
    /// Where the payloads start in the body.
    payloads: usize,
}

impl Columns {
    /// `start` is the whole body of `len` bytes, or its start.
    fn read(&mut self, base_time: u64, count: usize, start: &[u8], len: usize) -> Result<(), BodyError> {
        // Columns of no record, until all is checked.
        self.layout = Layout::default();
        super::check_count(count)?;
        let Some((&mask, mut rest)) = start.split_first() else { return Err(Malformed("the body is empty")) };
        if mask & !KNOWN != 0 {
            return Err(Unsupported { what: "column", value: mask & !KNOWN });
        }
        self.times.clear();
        if mask & TIMES != 0 {
            self.read_times(base_time, count, &mut rest)?;
        }
        self.ends.clear();
        let mut equal = 0;
        let payload_bytes = if mask & EQUAL_LENGTHS != 0 {
            equal = length(&mut rest)?;
            equal as u64 * count as u64
        } else {
            self.read_ends(count, &mut rest)?
        };
        let mut kinds = 0;
        if mask & KINDS != 0 {
            kinds = start.len() - rest.len();
            read_bytes(count, &mut rest, super::check_kind)?;
        }
        if mask & FLAGS != 0 {
            read_bytes(count, &mut rest, super::check_flags)?;
        }
        if mask & ATTRIBUTES != 0 {
            read_bytes(count, &mut rest, super::check_attributes)?;
        }
        let payloads = start.len() - rest.len();
        let found = len.saturating_sub(payloads);
        if found as u64 != payload_bytes {
            return Err(Malformed("the payloads do not fill the body exactly"));
        }
        super::check_payload_bytes(found)?;
        self.layout = Layout { count, base_time, equal, kinds, payloads };
        Ok(())
    }

    fn read_times(&mut self, base_time: u64, count: usize, rest: &mut &[u8]) -> Result<(), BodyError> {
        at_least(count, rest)?;
        self.times.resize(count, 0);
        let mut time = base_time;
        for (index, place) in self.times.iter_mut().enumerate() {
            let delta = varint::take(rest).ok_or(Malformed("a time is not a varint"))?;
            if index == 0 && delta != 0 {
                return Err(Malformed("the first record's time is not the base time"));
            }
            time = time.checked_add(delta).ok_or(Malformed("a time is past 64 bits"))?;
            *place = time;
        }
        if time == base_time { Err(Malformed("a column of zeros is not left out")) } else { Ok(()) }
    }

    /// Reads the lengths and returns their sum.
    fn read_ends(&mut self, count: usize, rest: &mut &[u8]) -> Result<u64, BodyError> {
        at_least(count, rest)?;
        self.ends.resize(count, 0);
        let mut end = 0;
        let mut first = None;
        let mut differ = 0;
        for place in &mut self.ends {
            let length = length(rest)?;
            differ |= length ^ *first.get_or_insert(length);
            // At most 2^16 lengths below 2^32: the sum fits. A sum past 2^32 is refused when it is compared with the
            // bytes that are there, before anyone uses the ends.
            end += length as u64;
            *place = end as u32;
        }
        if differ == 0 { Err(Malformed("equal lengths are not marked as such")) } else { Ok(end) }
    }

    /// Where record `index` ends in the body; none where there is no such record.
    pub fn end(&self, index: usize) -> Option<usize> {
        let Layout { count, equal, payloads, .. } = self.layout;
        let end = || self.ends.get(index).map_or((index + 1) * equal, |&end| end as usize);
        (index < count).then(|| payloads + end())
    }

    /// Record `index`, from a start of the body; none where that does not reach to the record's end.
    pub fn record<'a>(&'a self, start: &'a [u8], index: usize) -> Option<RecordRef<'a>> {
        self.end(index).filter(|&end| end <= start.len())?;
        Some(Body { columns: self, bytes: start }.record(index))
    }

    /// Memory held besides the body, bytes: for a cache's account.
    pub fn memory(&self) -> usize {
        self.times.capacity() * size_of::<u64>() + self.ends.capacity() * size_of::<u32>()
    }
}

/// Every record has a byte or more in a column of varints: no allocation for a count that cannot be true.
fn at_least(count: usize, rest: &[u8]) -> Result<(), BodyError> {
    if rest.len() < count { Err(Malformed("the body ends inside a column")) } else { Ok(()) }
}

#[inline]
fn length(rest: &mut &[u8]) -> Result<usize, BodyError> {
    match varint::take(rest) {
        Some(length) if length <= u64::from(u32::MAX) => Ok(length as usize),
        _ => Err(Malformed("a length is not a varint of 32 bits")),
    }
}

/// Takes a column of bytes, each of which `check` must pass, not all zero.
fn read_bytes(count: usize, rest: &mut &[u8], check: fn(u8) -> Result<(), BodyError>) -> Result<(), BodyError> {
    let Some((column, after)) = rest.split_at_checked(count) else {
        return Err(Malformed("the body ends inside a column"));
    };
    *rest = after;
    if column.iter().all(|&byte| byte == 0) {
        return Err(Malformed("a column of zeros is not left out"));
    }
    column.iter().try_for_each(|&byte| check(byte))
}

/// The records of one checked body. Like a slice, it panics on an index that is not below [`Body::len`].
#[derive(Debug, Clone, Copy)]
pub struct Body<'a> {
    columns: &'a Columns,
    bytes: &'a [u8],
}

#[allow(clippy::len_without_is_empty, reason = "a body has at least one record")]
impl<'a> Body<'a> {
    /// Number of records.
    pub fn len(&self) -> usize {
        self.columns.layout.count
    }

    /// The bytes of record `index`.
    #[inline]
    pub fn payload(&self, index: usize) -> &'a [u8] {
        let layout = &self.columns.layout;
        assert!(index < layout.count, "record {index} of {}", layout.count);
        let payloads = &self.bytes[layout.payloads..];
        if self.columns.ends.is_empty() {
            return &payloads[index * layout.equal..][..layout.equal];
        }
        let start = if index == 0 { 0 } else { self.columns.ends[index - 1] };
        &payloads[start as usize..self.columns.ends[index] as usize]
    }

    /// True when every record is data (kind 0).
    pub fn is_all_data(&self) -> bool {
        self.columns.layout.kinds == 0
    }

    /// Where the payloads of the records `range` stand among the payloads.
    fn stretch(&self, range: &Range<usize>) -> Range<usize> {
        let layout = &self.columns.layout;
        assert!(range.start <= range.end && range.end <= layout.count, "records {range:?} of {}", layout.count);
        let start_of = |index: usize| match index.checked_sub(1) {
            None => 0,
            Some(before) => self.columns.ends.get(before).map_or(index * layout.equal, |&end| end as usize),
        };
        start_of(range.start)..start_of(range.end)
    }

    /// The payloads of the records `range`, which stand one after another.
    pub fn payloads(&self, range: Range<usize>) -> &'a [u8] {
        &self.bytes[self.columns.layout.payloads..][self.stretch(&range)]
    }

    /// Appends where the payload of each record of `range` ends, when the first one starts at `base`.
    pub fn copy_ends(&self, range: Range<usize>, base: u32, out: &mut Vec<u32>) {
        let start = self.stretch(&range).start as u32;
        if self.columns.ends.is_empty() {
            let equal = self.columns.layout.equal as u32;
            out.extend((1..=range.len() as u32).map(|nth| base.wrapping_add(nth * equal)));
        } else {
            out.extend(self.columns.ends[range].iter().map(|&end| base.wrapping_add(end - start)));
        }
    }

    /// Appends the times of the records `range`.
    pub fn copy_times(&self, range: Range<usize>, out: &mut Vec<u64>) {
        if self.columns.times.is_empty() {
            out.resize(out.len() + range.len(), self.columns.layout.base_time);
        } else {
            out.extend_from_slice(&self.columns.times[range]);
        }
    }

    /// The time of record `index`, milliseconds since the Unix epoch.
    #[inline]
    pub fn time(&self, index: usize) -> u64 {
        if self.columns.times.is_empty() { self.columns.layout.base_time } else { self.columns.times[index] }
    }

    /// The kind of record `index`: 0 or 64 to 255.
    #[inline]
    pub fn kind(&self, index: usize) -> u8 {
        if self.columns.layout.kinds == 0 { 0 } else { self.bytes[self.columns.layout.kinds..][index] }
    }

    /// The leaf flags of record `index`: 0, for none is defined yet.
    #[inline]
    pub fn flags(&self, _index: usize) -> u8 {
        0
    }

    /// Record `index` as a whole.
    #[inline]
    pub fn record(&self, index: usize) -> RecordRef<'a> {
        RecordRef {
            payload: self.payload(index),
            time: self.time(index),
            kind: self.kind(index),
            flags: self.flags(index),
        }
    }

    /// All records in their order.
    pub fn records(self) -> impl ExactSizeIterator<Item = RecordRef<'a>> + 'a {
        (0..self.len()).map(move |index| self.record(index))
    }
}

#[cfg(test)]
mod tests;
