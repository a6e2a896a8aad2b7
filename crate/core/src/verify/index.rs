//! The stored index of a sealed segment, read as it is needed and compared with the walk, entry by entry.

use super::stretch::Source;
use crate::error::{Damage, Result};
use crate::format::{Footer, INDEX_ENTRY_LEN, IndexEntry};
use crate::planted::{Bug, planted};

/// Entries read at once.
const AHEAD: u64 = 8192;
/// Wrong entries that are reported of one segment: one that is missing or too many makes all behind it wrong.
const REPORTED_MAX: u32 = 8;

/// Reads entries in order, a piece at a time.
pub struct IndexReader {
    start: u64,
    count: u64,
    /// Number of the first entry in `entries`.
    first: u64,
    entries: Vec<IndexEntry>,
    next: u64,
}

impl IndexReader {
    /// The index that `footer` names.
    pub fn new(footer: &Footer) -> Self {
        let (start, count) = (footer.frames_end, u64::from(footer.index_count));
        Self { start, count, first: 0, entries: Vec::new(), next: 0 }
    }

    fn position_of(&self, entry: u64) -> u64 {
        self.start + entry * INDEX_ENTRY_LEN as u64
    }

    fn get(&mut self, source: &Source, entry: u64) -> Result<Option<IndexEntry>> {
        if entry >= self.count {
            return Ok(None);
        }
        if entry < self.first || entry >= self.first + self.entries.len() as u64 {
            let mut bytes = vec![0; (self.count - entry).min(AHEAD) as usize * INDEX_ENTRY_LEN];
            let got = source.read(&mut bytes, self.position_of(entry))?;
            self.entries = IndexEntry::parse_each(&bytes[..got]).collect();
            self.first = entry;
        }
        Ok(self.entries.get((entry - self.first) as usize).copied())
    }

    /// The position of the first entry not yet passed that is `least` or more.
    pub fn position_from(&mut self, source: &Source, least: u64) -> Result<Option<u64>> {
        while let Some(entry) = self.get(source, self.next)? {
            if entry.position() >= least {
                return Ok(Some(entry.position()));
            }
            self.next += 1;
        }
        Ok(None)
    }

    /// True when the checksum of the whole index is the footer's.
    pub fn checksum_holds(source: &Source, footer: &Footer) -> Result<bool> {
        let (mut at, end) = (footer.frames_end, footer.position());
        let mut bytes = vec![0; (end - at).min(AHEAD * INDEX_ENTRY_LEN as u64) as usize];
        let mut crc = 0;
        while at < end {
            let want = (end - at).min(bytes.len() as u64) as usize;
            let got = source.read(&mut bytes[..want], at)?;
            if got == 0 {
                return Ok(false);
            }
            crc = crc32c::crc32c_append(crc, &bytes[..got]);
            at += got as u64;
        }
        Ok(crc == footer.index_crc)
    }
}

/// Compares the index with the frames as the walk finds them.
pub struct IndexCheck {
    reader: IndexReader,
    reported: u32,
}

impl IndexCheck {
    /// From the first frame on.
    pub fn new(footer: &Footer) -> Self {
        Self { reader: IndexReader::new(footer), reported: 0 }
    }

    /// The next frame of the walk.
    pub fn frame(&mut self, source: &Source, relative: u64, position: u64, offset: u64) -> Result<Option<Damage>> {
        let number = self.reader.next;
        let found = self.reader.get(source, number)?;
        self.reader.next += 1;
        if found.is_some() && (found == IndexEntry::new(relative, position) || planted(Bug::IndexNotVerified)) {
            return Ok(None);
        }
        self.reported += 1;
        if self.reported > REPORTED_MAX {
            return Ok(None);
        }
        let found = match found {
            Some(entry) => format!("position {} for record +{}", entry.position(), entry.relative_offset),
            None => "no entry".to_owned(),
        };
        let damage = Damage::new("an index entry does not lead to its frame", &source.path);
        let damage = damage.at(self.reader.position_of(number)).offset(offset);
        Ok(Some(damage.versus(format!("position {position} for record +{relative}"), found)))
    }

    /// Frames before `position` were lost: goes on with the entry that leads there.
    pub fn skip_to(&mut self, source: &Source, position: u64) -> Result<()> {
        self.reader.position_from(source, position).map(|_| ())
    }
}
