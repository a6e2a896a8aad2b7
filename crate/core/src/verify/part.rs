//! One segment as the walk sees it: what its first page, its end and its neighbours say before any frame is read.

use std::path::PathBuf;
use std::sync::Arc;

use super::index::{IndexCheck, IndexReader};
use super::page;
use super::report::{Problem, Problems};
use super::sealed;
use super::stretch::Source;
use super::survey;
use super::walk::Walk;
use crate::disk::Access;
use crate::error::{Damage, Result, hex};
use crate::format::{FRAMES_START, Footer, Mark, PAGE_LEN, Position, SegmentHeader};
use crate::hash::{Hash, Peaks};
use crate::segment::{self, Opened};

/// A segment under verification.
pub struct Part {
    /// The file.
    pub source: Arc<Source>,
    /// Its length when it was opened.
    pub len: u64,
    /// The header, where it can be used.
    pub header: Option<SegmentHeader>,
    /// The footer, where its check holds.
    pub footer: Option<Footer>,
    /// True in the newest segment.
    pub last: bool,
    /// True when something states where the frames end.
    pub bounded: bool,
    /// Marks in page 0 with their slots, and the live mark with no slot.
    pub marks: Vec<(Option<u64>, Mark)>,
    /// Slots that hold neither a mark nor zeros.
    pub damaged_slots: Vec<(u64, Vec<u8>)>,
    /// True when the last frame is one that `close` wrote.
    pub closed: bool,
    /// Where marks were compared.
    pub matched: Vec<u64>,
    /// The stored index, while it is compared.
    pub index: Option<IndexCheck>,
    /// Offset of the first record, where known.
    pub base: Option<u64>,
    /// False once something was lost.
    pub clean: bool,
    /// Frames seen.
    pub frames: u32,
    /// Base time of the first frame.
    pub first_time: Option<u64>,
    /// Positions of the state frames.
    pub states: Vec<u64>,
    /// Highest place that any frame attests.
    pub attested: Position,
    /// Evidence behind a place, found once by a scan to the end.
    pub scanned: Option<Position>,
    /// A place where a frame was read anew.
    pub retried: Option<u64>,
    /// Where the frames were found to end.
    pub end: u64,
}

impl Part {
    /// A place in this segment.
    pub fn place(&self, position: u64) -> Position {
        Position { segment: self.source.number, position }
    }

    /// Damage in this segment.
    pub fn damage(&self, what: impl Into<String>, position: u64) -> Damage {
        Damage::new(what, &self.source.path).at(position)
    }

    /// The newest segment, not sealed: what nothing attests may end torn.
    pub fn is_open(&self) -> bool {
        self.last && !self.bounded
    }

    /// What the index says, for cutting the frames into stretches.
    pub fn hints(&self) -> Option<IndexReader> {
        self.footer.as_ref().map(IndexReader::new)
    }
}

/// A file whose header was looked at.
struct Opening {
    number: u32,
    path: PathBuf,
    file: Box<dyn crate::disk::DiskFile>,
    len: u64,
    header: Option<SegmentHeader>,
}

impl Walk<'_> {
    /// Opens a segment and checks all but its frames. `None` when no frame of it can be told from garbage.
    pub fn open_part(&mut self, at: usize) -> Result<Option<Part>> {
        let Some(listed) = self.segments.get(at) else { return Ok(None) };
        let (number, listed_len) = (listed.number, listed.len);
        let path = segment::path_of(self.dir, number);
        let mut found = Problems::default();
        let opening = match segment::open(self.disk, self.dir, number, Access::Read) {
            Ok(Opened::Segment(s)) => Opening { number, path, file: s.file, len: s.len, header: Some(s.header) },
            Ok(Opened::Blank(blank)) => {
                found.corrupt(Damage::new("the segment header is missing (zeros)", &path).at(0));
                Opening { number, path, file: blank.file, len: blank.len, header: None }
            }
            Ok(Opened::Damaged(blank, what)) => {
                found.corrupt(Damage::new(what, &path).at(0));
                Opening { number, path, file: blank.file, len: blank.len, header: None }
            }
            Err(error) => {
                found.add(Problem::from_error(error)?);
                self.admit(found)?;
                self.skip(number, listed_len);
                return Ok(None);
            }
        };
        let Some(frame_key) = self.check_opening(&opening, &mut found) else {
            self.admit(found)?;
            self.skip(number, opening.len);
            return Ok(None);
        };
        let Opening { file, len, header, path, .. } = opening;
        let part = self.find_end(at, header, Source { number, path, file, frame_key, end: len }, len, &mut found)?;
        self.admit(found)?;
        Ok(Some(part))
    }

    /// Checks the header and takes over what it states; gives the key of the segment's frames.
    fn check_opening(&mut self, opening: &Opening, found: &mut Problems) -> Option<[u8; 32]> {
        let Some(header) = &opening.header else {
            // The segment before tells the nonce of this one.
            return self.before.next_nonce.map(|nonce| self.keys.frame_key(&nonce));
        };
        if header.id != *self.keys.id() {
            let damage = Damage::new("the segment belongs to another log", &opening.path).at(0);
            found.corrupt(damage.versus(hex(self.keys.id()), hex(&header.id)));
            return None;
        }
        for problem in survey::check_header(header, opening.number, &self.keys, &opening.path) {
            found.add(problem);
        }
        if let Some(encoding) = self.encoding.as_ref().filter(|encoding| **encoding != header.encoding) {
            let damage = Damage::new("the segment names another encoding than those before", &opening.path).at(0);
            found.corrupt(damage.versus(encoding, &header.encoding));
        }
        self.encoding.get_or_insert_with(|| header.encoding.clone());
        page::neighbours(header, &self.before, &self.fold, &opening.path, found);
        let peaks = Peaks::from_parts(header.first_offset, header.peaks.clone());
        if let Some(peaks) = peaks.filter(|peaks| peaks.head(&self.keys) == header.head)
            && self.fold.peaks.as_ref() != Some(&peaks)
        {
            self.fold.anchor(peaks, header.head, header.last_time);
        }
        Some(self.keys.frame_key(&header.nonce))
    }

    /// Nothing of this segment can be used.
    fn skip(&mut self, number: u32, len: u64) {
        self.fold.lose();
        self.before = page::Before { number, kept_from: self.before.kept_from, ..page::Before::default() };
        self.bytes += len;
    }

    fn find_end(
        &mut self,
        at: usize,
        header: Option<SegmentHeader>,
        mut source: Source,
        len: u64,
        found: &mut Problems,
    ) -> Result<Part> {
        let number = source.number;
        let last = at + 1 == self.segments.len();
        let footer = sealed::read_footer(&source, len)?;
        let next = self.segments.get(at + 1).filter(|next| next.number == number + 1);
        let next = next.and_then(|next| next.header.as_ref()).filter(|next| {
            next.id == *self.keys.id() && header.as_ref().is_none_or(|header| header.next_nonce == next.nonce)
        });
        let stated = match (&footer, next) {
            (Some(footer), _) => Some(footer.frames_end),
            (None, Some(next)) => Some(next.predecessor_end).filter(|&end| end >= FRAMES_START),
            (None, None) => None,
        };
        source.end = stated.unwrap_or(len).min(len);
        let mut index = None;
        if let Some(footer) = &footer {
            sealed::check_by_itself(&source, footer, &self.keys, found);
            index = Some(IndexCheck::new(footer));
            if let Some(damage) = sealed::index_damage(&source, footer)? {
                if self.may_be_unsealed(number) {
                    // A crash while it was sealed left the footer, and not all of the index before it.
                    index = None;
                    self.unsealed = Some(damage);
                } else {
                    found.corrupt(damage);
                }
            }
        }
        let mut marks: Vec<(Option<u64>, Mark)> = Vec::new();
        let slots = page::slots(&*source.file, &source.path, number, &source.frame_key)?;
        marks.extend(slots.marks.into_iter().map(|(slot, mark)| (Some(slot), mark)));
        marks.extend(self.mark.iter().filter(|live| live.mark.segment == number).map(|live| (None, live.mark.clone())));
        if let Some(end) = stated.filter(|&end| end > len) {
            let damage = Damage::new("the segment is cut short", &source.path).at(len);
            found.corrupt(damage.versus(end, len));
        }
        if last && len < PAGE_LEN && (number == 1 || !marks.is_empty()) {
            // As `open` has it: page 0 was durable before segment 1 had its name, and before a mark in any.
            let damage = Damage::new("the segment is cut short", &source.path).at(len);
            found.corrupt(damage.versus(format!("at least {PAGE_LEN} bytes"), len));
        }
        let base = header.as_ref().map(|header| header.first_offset).or(self.fold.next);
        Ok(Part {
            source: Arc::new(source),
            len,
            header,
            footer,
            last,
            bounded: stated.is_some(),
            marks,
            damaged_slots: slots.damaged,
            matched: Vec::new(),
            closed: false,
            index,
            base,
            clean: stated.is_none_or(|end| end <= len),
            frames: 0,
            first_time: None,
            states: Vec::new(),
            attested: if last { self.unused_attests } else { Position::default() },
            scanned: None,
            retried: None,
            end: FRAMES_START,
        })
    }

    /// Compares marks that end at `end` with the log there; `head` is what the frame or header before it states.
    pub fn check_marks(&mut self, part: &Part, end: u64, size: u64, head: &Hash, found: &mut Problems) {
        for (slot, mark) in part.marks.iter().filter(|(_, mark)| mark.position == end) {
            let (what, place) = match slot {
                Some(slot) => ("a mark", *slot),
                None => ("the live mark", end),
            };
            let show = |size: u64, head: &Hash| format!("{size}:{}", hex(head));
            if mark.size != size || mark.head != *head {
                let damage = part.damage(format!("{what} states another head than the frame before it"), place);
                found.corrupt(damage.offset(size).versus(show(size, head), show(mark.size, &mark.head)));
            } else if self.fold.time_known && mark.last_time != self.fold.last_time {
                let damage = part.damage(format!("{what} states another time than the record before it"), place);
                found.corrupt(damage.offset(size).versus(self.fold.last_time, mark.last_time));
            } else if part.clean && mark.state_position != 0 && !part.states.contains(&mark.state_position) {
                let damage = part.damage(format!("{what} names a state frame where there is none"), place);
                let states = part.states.last().map_or("none".to_owned(), u64::to_string);
                found.corrupt(damage.versus(states, mark.state_position));
            }
        }
    }
}
