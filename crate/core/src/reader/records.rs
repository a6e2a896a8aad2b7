//! A run of records in memory: the payloads one after another, with a table of times and ends.

use std::ops::Range;

use crate::buffers::Buffer;
use crate::record::Body;

/// Most records of one text, and most bytes of one that has several: JavaScript cuts them out again, from what should
/// stay in the cache, and out of the large objects.
const TEXT_RECORDS: usize = 64;
const TEXT_BYTES: usize = 32 << 10;

/// A run of records.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// Offset of the first one.
    pub offset: u64,
    /// Time of each.
    pub times: Vec<u64>,
    /// Where each payload ends.
    pub ends: Vec<u32>,
    /// The payloads, one after another.
    pub payloads: Buffer,
    /// What is left to read.
    pub from: u64,
    /// Its end.
    pub to: u64,
}

impl Records {
    /// Number of records.
    pub fn len(&self) -> usize {
        self.times.len()
    }
    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }
    /// The payload of record `at` of this run.
    pub fn payload(&self, at: usize) -> Option<&[u8]> {
        let end = *self.ends.get(at)? as usize;
        let start = if at == 0 { 0 } else { *self.ends.get(at - 1)? as usize };
        self.payloads.get(start..end)
    }
    /// Where in the payloads texts of whole records lie, in order; `None` where a byte is not a character.
    pub fn texts(&self) -> Option<Vec<Range<usize>>> {
        if !self.payloads.is_ascii() {
            return None;
        }
        let mut texts = Vec::with_capacity(self.len() / TEXT_RECORDS + 1);
        let (mut start, mut end, mut records) = (0, 0, 0);
        for &next in &self.ends {
            let next = next as usize;
            if records == TEXT_RECORDS || (records > 0 && next - start > TEXT_BYTES) {
                texts.push(start..end);
                (start, records) = (end, 0);
            }
            (end, records) = (next, records + 1);
        }
        texts.push(start..end);
        Some(texts)
    }
    /// Adds one record.
    pub(super) fn push(&mut self, offset: u64, time: u64, payload: &[u8]) {
        if self.is_empty() {
            self.offset = offset;
        }
        self.times.push(time);
        self.payloads.extend_from_slice(payload);
        self.ends.push(self.payloads.len() as u32);
    }
    /// Adds the records `range` of a frame whose first one is `first_offset`; all must be data.
    ///
    /// Whole columns at a time: 12 ns a record of 256 B instead of 45 one by one.
    pub(super) fn extend(&mut self, first_offset: u64, body: &Body<'_>, range: Range<usize>) {
        if self.is_empty() {
            self.offset = first_offset + range.start as u64;
        }
        body.copy_times(range.clone(), &mut self.times);
        body.copy_ends(range.clone(), self.payloads.len() as u32, &mut self.ends);
        self.payloads.extend_from_slice(body.payloads(range));
    }
    /// Bytes that they take; also records without a payload take some.
    pub(super) fn memory(&self) -> u64 {
        (self.payloads.len() + self.len() * (size_of::<u64>() + size_of::<u32>())) as u64
    }
    /// Forgets the records, not their memory.
    pub(super) fn clear(&mut self) {
        self.times.clear();
        self.ends.clear();
        self.payloads.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(lens: &[usize]) -> Records {
        let mut records = Records::default();
        for &len in lens {
            records.push(0, 0, &vec![b'a'; len]);
        }
        records
    }

    #[test]
    fn texts_hold_whole_records_one_after_another() {
        const T: usize = TEXT_BYTES;
        let texts = |lens: &[usize]| {
            let texts = records(lens).texts().unwrap();
            let ends: Vec<usize> = texts.iter().map(|text| text.end).collect();
            let starts: Vec<usize> = texts.iter().map(|text| text.start).collect();
            assert_eq!(starts, [&[0], &ends[..ends.len() - 1]].concat());
            ends
        };
        assert_eq!(texts(&[]), [0]);
        assert_eq!(texts(&[0; 130]), [0, 0, 0]);
        assert_eq!(texts(&[256; 130]), [16_384, 32_768, 33_280]);
        assert_eq!(texts(&[1, T, 0, 2 * T, 0, 5, T - 5, 1]), [1, T + 1, 3 * T + 1, 4 * T + 1, 4 * T + 2]);
    }

    #[test]
    fn bytes_that_are_no_characters_have_no_texts() {
        let mut records = records(&[3, 4]);
        records.push(2, 0, "é".as_bytes());
        assert_eq!(records.texts(), None);
    }
}
