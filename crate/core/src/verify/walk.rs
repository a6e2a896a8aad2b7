//! The walk over a log, segment after segment: what the report says is decided here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Progress;
use super::board::Board;
use super::claim::Claim;
use super::fold::Fold;
use super::page::{self, Before};
use super::part::Part;
use super::report::{Established, Problems, Report};
use super::sealed::{self, Walked};
use super::survey::{self, Listed, LiveMark};
use crate::disk::Disk;
use crate::error::{Damage, Error, HeadClaim, Result};
use crate::format::{FOOTER_LEN, FRAME_ALIGN, FRAMES_START, Mark, Position};
use crate::hash::Keys;
use crate::recovery;
use crate::scan::Window;
use crate::segment;

/// State of a walk.
pub struct Walk<'a> {
    /// Files.
    pub disk: &'a dyn Disk,
    /// The log's folder.
    pub dir: &'a Path,
    /// Keys.
    pub keys: Arc<Keys>,
    /// Who is told, and may stop it.
    pub progress: &'a Progress<'a>,
    /// Threads.
    pub board: Board,
    /// The segments, ascending.
    pub segments: Vec<Listed>,
    /// The newest file, when it is no segment yet.
    pub unused: Option<Listed>,
    /// What the newest file attests, when it is no segment yet.
    pub unused_attests: Position,
    /// The live mark at the start.
    pub mark: Option<LiveMark>,
    /// In an open log: the size to verify up to, and no further.
    pub bound: Option<u64>,
    /// Heads to look for.
    pub claims: Vec<Claim>,
    /// The log so far.
    pub fold: Fold,
    /// The segment before.
    pub before: Before,
    /// The encoding that the headers name.
    pub encoding: Option<String>,
    /// What was found.
    pub problems: Problems,
    /// Bytes checked in the segments that are done.
    pub bytes: u64,
    /// Bytes of all segments at the start.
    pub total: u64,
    /// True when there is nothing more to look at.
    pub ended: bool,
    /// What the segment before the newest lacks, footer or index: a problem if a close came after.
    pub unsealed: Option<Damage>,
    /// True when a problem says already that durable records are missing at the end.
    pub lost_end: bool,
    /// Path of the last segment walked, and where its frames end.
    pub reached: Option<(PathBuf, u64)>,
}

impl Walk<'_> {
    /// Walks the segments from number `start` of the list on.
    pub fn run(&mut self, start: usize) -> Result<()> {
        self.before.end = Some(0);
        for at in start..self.segments.len() {
            let number = self.segments[at].number;
            if number != self.before.number + 1 {
                self.fold.lose();
                let kept_from = self.before.kept_from;
                self.before = Before { number: number - 1, kept_from, ..Before::default() };
            }
            self.tell(0)?;
            self.segment(at)?;
            if self.ended || self.problems.is_full() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn segment(&mut self, at: usize) -> Result<()> {
        let Some(mut part) = self.open_part(at)? else { return Ok(()) };
        self.fold.begin_segment(FRAMES_START);
        self.reached = Some((part.source.path.clone(), FRAMES_START));
        if let (Some(size), Some(head)) = (self.fold.next, self.fold.head()) {
            self.claims.iter_mut().for_each(|claim| claim.at_start(size, head));
            let mut found = Problems::default();
            self.check_marks(&part, FRAMES_START, size, &head, &mut found);
            part.matched.push(FRAMES_START);
            self.admit(found)?;
        }
        self.stop_at(&part, FRAMES_START)?;
        if !self.ended {
            self.frames(&mut part)?;
        }
        self.reached = Some((part.source.path.clone(), part.end.min(self.fold.whole.position)));
        if self.ended || self.problems.is_full() {
            self.bytes += part.end;
            return Ok(());
        }
        let mut found = Problems::default();
        if part.is_open() {
            self.open_end(&part, &mut found)?;
        } else {
            self.sealed_end(&part, &mut found)?;
        }
        self.unmatched_marks(&part, &mut found);
        self.damaged_slots(&part, &mut found);
        self.admit(found)?;
        self.before = Before {
            number: part.source.number,
            end: part.clean.then_some(part.end),
            next_nonce: part.header.as_ref().map(|header| header.next_nonce),
            kept_from: part.header.as_ref().map_or(self.before.kept_from, |header| header.kept_from),
            sealed: part.footer.is_some(),
        };
        self.bytes += part.len;
        Ok(())
    }

    /// The end of a segment that has a successor, or a footer.
    fn sealed_end(&mut self, part: &Part, found: &mut Problems) -> Result<()> {
        if self.fold.inside_batch() {
            let offset = self.fold.whole.size;
            found.corrupt(part.damage("the segment ends inside a batch", self.fold.whole.position).offset(offset));
        }
        match &part.footer {
            Some(footer) if part.clean => {
                if let (Some(first_offset), Some(end_offset), Some(head)) =
                    (part.base, self.fold.next, self.fold.head())
                {
                    let last_time = self.fold.last_time;
                    let first_time = part.first_time.unwrap_or(last_time);
                    let (frames, end) = (part.frames, part.end);
                    let walked = Walked { frames, end, first_offset, end_offset, first_time, last_time, head };
                    sealed::check_against(&part.source, footer, &walked, found);
                }
            }
            Some(_) => {}
            None => self.no_footer(part, found)?,
        }
        if part.last { self.no_successor(part, found) } else { Ok(()) }
    }

    /// Only the segment before the newest may lack footer or index, and only until the spare is made or its log is closed:
    /// sealing comes first.
    pub fn may_be_unsealed(&self, number: u32) -> bool {
        let before_last = self.segments.iter().rev().nth(1);
        self.unused.is_none() && before_last.is_some_and(|listed| listed.number == number)
    }

    /// A segment that has a successor ends without a footer.
    fn no_footer(&mut self, part: &Part, found: &mut Problems) -> Result<()> {
        let len = part.source.file.len().map_err(|error| Error::io("fstat", &part.source.path, error))?;
        if sealed::read_footer(&part.source, len)?.is_some() {
            // Sealed since it was opened: its writer is at work.
            return Ok(());
        }
        let position = len.saturating_sub(FOOTER_LEN as u64).max(part.end.min(len));
        let damage = part.damage("a sealed segment has no sound footer", position);
        if self.may_be_unsealed(part.source.number) {
            self.unsealed = Some(damage);
        } else {
            found.corrupt(damage);
        }
        Ok(())
    }

    /// A footer is written only when the next segment is durable.
    fn no_successor(&self, part: &Part, found: &mut Problems) -> Result<()> {
        let next = part.source.number + 1;
        let path = segment::path_of(self.dir, next);
        if let Some(unused) = &self.unused {
            let what =
                if unused.blank { "the segment header is missing (zeros)" } else { "the segment header is damaged" };
            found.corrupt(Damage::new(what, &path).at(0));
            return Ok(());
        }
        match self.disk.kind(&path) {
            // Made since the folder was listed.
            Ok(_) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                found.corrupt(survey::missing(self.dir, next, next));
                Ok(())
            }
            Err(error) => Err(Error::io("stat", &path, error)),
        }
    }

    /// The end of the newest segment. A tail that nothing attests is what `open` would cut: no problem.
    fn open_end(&mut self, part: &Part, found: &mut Problems) -> Result<()> {
        let whole = self.fold.whole;
        let marked = part.marks.iter().map(|(_, mark)| mark.position).max().unwrap_or(0);
        let mut attested = marked;
        if part.attested.segment == part.source.number {
            attested = attested.max(part.attested.position);
        }
        if part.marks.is_empty() && self.before.sealed {
            // As `open` has it: the first group was durable before the segment before got its footer.
            attested = attested.max(FRAMES_START + FRAME_ALIGN);
        }
        if attested > whole.position && !self.lost_end {
            let damage = part.damage("durable records are missing at the end", whole.position).offset(whole.size);
            found.corrupt(damage.versus(format!("durable records up to position {attested}"), whole.position));
            self.lost_end = true;
        }
        let len = part.source.file.len().map_err(|error| Error::io("fstat", &part.source.path, error))?;
        let mut window = Window::new(&*part.source.file, &part.source.path, len);
        if window.first_nonzero(part.end)?.is_some()
            && recovery::footer_behind(&mut window, &part.source.frame_key, part.end)?
        {
            self.no_successor(part, found)?;
        }
        Ok(())
    }

    /// Slots that hold neither a mark nor zeros. In the newest segment the last write may have left one.
    fn damaged_slots(&self, part: &Part, found: &mut Problems) {
        for (slot, sector) in &part.damaged_slots {
            let whole = self.fold.whole;
            let written = Mark {
                segment: part.source.number,
                identity: 0,
                position: part.end,
                size: whole.size,
                last_time: self.fold.last_time,
                state_position: part.states.last().copied().unwrap_or(0),
                head: whole.head,
            };
            let marked = part.marks.iter().any(|(slot, mark)| slot.is_some() && mark.position == part.end);
            let unfinished =
                !part.closed || (!marked && page::is_torn(*slot, sector, &written, &part.source.frame_key));
            if !(part.is_open() && unfinished) {
                found.corrupt(part.damage("a mark is damaged", *slot));
            }
        }
    }

    /// Marks that name no end of a frame, where all frames were seen.
    fn unmatched_marks(&self, part: &Part, found: &mut Problems) {
        if !part.clean {
            return;
        }
        for (slot, mark) in &part.marks {
            let beyond = mark.position > part.end && part.is_open();
            // Those that end where a frame ends were compared when the walk came by.
            if !beyond && !part.matched.contains(&mark.position) {
                let damage = part.damage("a mark names no end of a frame", slot.unwrap_or(mark.position));
                found.corrupt(damage.versus(format!("a frame that ends at {}", mark.position), "none"));
            }
        }
    }

    /// Ends the walk where an open log's head lies, or where a living writer had come to when the walk began.
    pub fn stop_at(&mut self, part: &Part, end: u64) -> Result<()> {
        if self.fold.inside_batch() {
            return Ok(());
        }
        if let Some(bound) = self.bound {
            self.ended |= self.fold.next.is_some_and(|next| next >= bound);
        } else if let Some(live) = &self.mark
            && live.mark.segment == part.source.number
            && live.mark.position == end
        {
            self.ended |= live.moved(self.disk, self.dir)?;
        }
        Ok(())
    }

    /// Takes problems into the report, unless they lie behind the live mark and its writer has come by since.
    pub fn admit(&mut self, found: Problems) -> Result<()> {
        if found.len() == 0 || self.ended {
            return Ok(());
        }
        if let Some(live) = &self.mark
            && self.bound.is_none()
            && self.fold.whole.size >= live.mark.size
            && live.moved(self.disk, self.dir)?
        {
            self.ended = true;
            return Ok(());
        }
        for problem in found.into_list() {
            self.problems.add(problem);
        }
        Ok(())
    }

    /// Tells how far the walk has come.
    pub fn tell(&self, position: u64) -> Result<()> {
        let done = self.bytes + position;
        if (self.progress)(done, self.total.max(done)) { Ok(()) } else { Err(Error::Aborted) }
    }

    /// The result, once the walk is over.
    pub fn into_report(mut self) -> Report {
        let whole = self.fold.whole;
        let head = HeadClaim { id: *self.keys.id(), size: whole.size, hash: whole.head };
        let file = self.reached.as_ref().map(|(path, end)| (path.as_path(), *end));
        // A walk that was cut off by the number of problems says nothing of what lies behind.
        if !self.problems.is_full() {
            for claim in &self.claims {
                if let Some(problem) = claim.problem(&head, self.dir, file, self.lost_end) {
                    self.problems.add(problem);
                }
            }
        }
        let established = if self.claims.iter().any(|claim| claim.proves(self.keys.id())) {
            Established::Receipt
        } else if self.keys.is_secret() {
            Established::Secret
        } else {
            Established::Internal
        };
        let problems = self.problems.into_list();
        let (ok, records, bytes) = (problems.is_empty(), whole.records, self.bytes);
        Report { ok, records, bytes, established, head, problems }
    }
}
