//! The frames of one segment: stretches are handed out, their results are folded in order, and after damage the walk
//! goes on with the next frame that can be told from garbage. Every round ends further on in the file.

use std::collections::VecDeque;
use std::ops::Range;

use super::board::Ticket;
use super::part::Part;
use super::plan::Plan;
use super::report::{Problem, Problems};
use super::stretch::{Fact, Stretch};
use super::walk::Walk;
use crate::error::{Damage, Result};
use crate::format::{FRAME_ALIGN, FRAMES_START};
use crate::frame::FrameDamage;
use crate::scan::{self, Step, Window};

/// Where the walk over a segment goes on.
enum Next {
    /// With the frame at this position.
    At(u64),
    /// Nowhere: the frames end.
    End,
}

impl Walk<'_> {
    /// Walks all frames of a segment, and sets where they end.
    pub fn frames(&mut self, part: &mut Part) -> Result<()> {
        let mut plan = Plan::new(&part.source, FRAMES_START, part.hints());
        let mut ahead: VecDeque<(Range<u64>, Ticket)> = VecDeque::new();
        while part.end < part.source.end {
            while ahead.len() < self.board.depth()
                && let Some(span) = plan.next()?
            {
                let ticket = self.board.submit(&part.source, span.clone());
                ahead.push_back((span, ticket));
            }
            let mut stuck = true;
            if let Some((span, ticket)) = ahead.pop_front() {
                if span.start != part.end {
                    // The index does not lead from frame to frame.
                    self.call_off(&mut ahead, &mut plan, part.end);
                    continue;
                }
                let stretch = self.board.take(ticket)?;
                if self.fold_stretch(part, &stretch)? {
                    self.call_off(&mut ahead, &mut plan, part.end);
                    return Ok(());
                }
                stuck = stretch.stuck;
                self.tell(part.end)?;
            }
            if stuck {
                match self.gap(part)? {
                    Next::At(position) => {
                        part.end = position;
                        self.call_off(&mut ahead, &mut plan, position);
                    }
                    Next::End => break,
                }
            }
            if self.ended || self.problems.is_full() {
                break;
            }
        }
        self.board.call_off();
        Ok(())
    }

    fn call_off(&self, ahead: &mut VecDeque<(Range<u64>, Ticket)>, plan: &mut Plan, position: u64) {
        self.board.call_off();
        ahead.clear();
        plan.restart(position);
    }

    /// Takes in the frames of a stretch; true when the walk over this segment is over.
    fn fold_stretch(&mut self, part: &mut Part, stretch: &Stretch) -> Result<bool> {
        for fact in &stretch.facts {
            if part.is_open()
                && fact.damage.as_ref().is_some_and(|damage| damage.torn)
                && !self.is_attested(part, fact.position)?
            {
                return Ok(true);
            }
            self.fold_frame(part, fact, stretch)?;
            if self.ended || self.problems.is_full() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn fold_frame(&mut self, part: &mut Part, fact: &Fact, stretch: &Stretch) -> Result<()> {
        let header = &fact.header;
        let inside = self.claims.iter().any(|claim| claim.is_inside(header));
        let peaks_before = if inside { self.fold.peaks.clone() } else { None };
        let damages = self.fold.frame(part.source.number, fact, stretch.nodes(fact));
        for claim in &mut self.claims {
            if claim.is_inside(header) {
                claim.inside(&self.keys, &part.source, fact, peaks_before.clone())?;
            }
            claim.after(header, &self.fold);
        }
        let end = fact.position + header.frame_len();
        let mut found = Problems::default();
        for damage in damages {
            found.add(problem_of(part, fact, damage));
        }
        let base = *part.base.get_or_insert(header.first_offset);
        if let Some(index) = &mut part.index {
            let relative = header.first_offset.wrapping_sub(base);
            let wrong = index.frame(&part.source, relative, fact.position, header.first_offset)?;
            wrong.into_iter().for_each(|damage| found.corrupt(damage));
        }
        part.frames += 1;
        part.first_time.get_or_insert(header.base_time);
        part.attested = part.attested.max(header.durable_to);
        if header.flags.state() {
            part.states.push(fact.position);
        }
        part.closed = header.flags.close();
        if part.last && part.closed {
            self.unsealed.take().into_iter().for_each(|damage| found.corrupt(damage));
        }
        part.end = end;
        if part.marks.iter().any(|(_, mark)| mark.position == end) {
            self.check_marks(part, end, header.end_offset(), &header.head, &mut found);
            part.matched.push(end);
        }
        self.admit(found)?;
        self.stop_at(part, end)
    }

    /// No frame stands at the part's end. Is that where the frames end, and if not, where do they go on?
    fn gap(&mut self, part: &mut Part) -> Result<Next> {
        let at = part.end;
        let source = std::sync::Arc::clone(&part.source);
        let mut window = Window::new(&*source.file, &source.path, source.end);
        let mut damage = match scan::step(&mut window, &source.frame_key, at)? {
            // It was being written a moment ago. Once: a frame that two looks see differently is damage.
            Step::Frame(_) if part.retried != Some(at) => {
                part.retried = Some(at);
                return Ok(Next::At(at));
            }
            Step::CutShort(header) => {
                part.damage("the frame is cut short", at).versus(header.frame_len(), source.end - at)
            }
            Step::Frame(_) | Step::End | Step::NoFrame => part.damage(no_frame_words(window.at(at, 64)?), at),
        };
        if part.is_open() && !self.is_attested(part, at)? {
            return Ok(Next::End);
        }
        let next = scan::next_frame(&mut window, &source.frame_key, at + FRAME_ALIGN)?;
        if next.is_none() && !part.bounded && !part.last {
            // Nothing states where the frames of this segment end, and none follows.
            return Ok(Next::End);
        }
        if let Some(offset) = self.fold.next {
            damage = damage.offset(offset);
        }
        damage = lost_words(damage, self.fold.next, next.as_ref().map(|(_, header)| header.first_offset));
        self.lost_end |= next.is_none() && part.last;
        part.clean = false;
        let mut found = Problems::default();
        found.corrupt(damage);
        self.admit(found)?;
        self.fold.lose();
        let Some((position, _)) = next else { return Ok(Next::End) };
        if let Some(index) = &mut part.index {
            index.skip_to(&source, position)?;
        }
        Ok(Next::At(position))
    }

    /// Does anything state that what stands at `position` of the newest segment was durable?
    fn is_attested(&self, part: &mut Part, position: u64) -> Result<bool> {
        let here = part.place(position);
        if self.bound.is_some_and(|bound| self.fold.next.is_none_or(|next| next < bound))
            || part.marks.iter().any(|(_, mark)| mark.position > position)
            || part.attested > here
        {
            return Ok(true);
        }
        // Evidence found behind an earlier place may lie before this one, but then it attests nothing behind this.
        let evidence = match part.scanned {
            Some(evidence) => evidence,
            None => {
                let source = &part.source;
                let mut window = Window::new(&*source.file, &source.path, source.end);
                scan::later_evidence(&mut window, &source.frame_key, position)?
            }
        };
        part.scanned = Some(evidence);
        Ok(evidence > here)
    }
}

fn problem_of(part: &Part, fact: &Fact, damage: FrameDamage) -> Problem {
    let mut place = part.damage(damage.what, fact.position).offset(fact.header.first_offset);
    if let Some((expected, found)) = damage.versus {
        place = place.versus(expected, found);
    }
    Problem::new(if damage.newer { "VARVE_UNSUPPORTED" } else { "VARVE_CORRUPT" }, place)
}

fn no_frame_words(bytes: &[u8]) -> &'static str {
    if bytes.is_empty() {
        "the file ends where a frame must be"
    } else if bytes.iter().all(|&b| b == 0) {
        "zeros where a frame must be"
    } else {
        "no sound frame header where a frame must be"
    }
}

/// Says which records cannot be read.
fn lost_words(mut damage: Damage, from: Option<u64>, to: Option<u64>) -> Damage {
    match (from, to) {
        (Some(from), Some(to)) if to > from => {
            damage.what = format!("{}; records {from} to {} cannot be read", damage.what, to - 1);
        }
        (_, None) => damage.what = format!("{}; no frame follows", damage.what),
        _ => {}
    }
    damage
}
