//! A: what is stated to be durable, by marks, by frames behind damage, and by neighbours.

use crate::chain::{Chain, Stop};
use crate::error::{Damage, Error, Result};
use crate::format::{self, FOOTER_LEN, FRAME_ALIGN, FRAMES_START, Footer, Mark, PAGE_LEN, Position, SLOTS};
use crate::frame::FrameDamage;
use crate::planted::{Bug, planted};
use crate::scan::{self, Window};
use crate::segment;

use super::survey::{Survey, no_header};

/// A: the highest position that something on disk states to be durable, and the marks in the active segment.
pub fn attested(survey: &Survey) -> Result<(Position, Vec<Mark>)> {
    let active = &survey.active;
    // The header of segment 1 was durable before the file had its name; a later one comes with its first group.
    let mut attested = active.place(if active.number == 1 { FRAMES_START } else { 0 });
    if planted(Bug::MarksIgnored) {
        return Ok((attested, Vec::new()));
    }
    let mut marks: Vec<Mark> = active.slot_mark()?.into_iter().collect();
    if let Some(mark) = &survey.live_mark {
        attested = attested.max(Position { segment: mark.segment, position: mark.position });
        if mark.segment == active.number {
            marks.push(mark.clone());
        }
    }
    if active.len < PAGE_LEN && (active.number == 1 || !marks.is_empty()) {
        // Page 0 was durable before segment 1 had its name, and before a mark was made in any. The mark that would
        // tell of records may be in what is gone.
        let damage = Damage::new("the segment is cut short", &active.path).at(active.len);
        return Err(Error::corrupt(damage.versus(format!("at least {PAGE_LEN} bytes"), active.len)));
    }
    attested = marks.iter().map(|m| active.place(m.position)).fold(attested, Position::max);
    if marks.is_empty() && survey.before.as_ref().is_some_and(|before| before.has_footer) {
        // The segment before was sealed after this one's first group was durable, or after recovery marked a slot here.
        attested = attested.max(active.place(FRAMES_START + FRAME_ALIGN));
    }
    if let Some(torn) = &survey.torn {
        let key = survey.keys.frame_key(&active.header.next_nonce);
        let mut window = Window::new(&*torn.file, &torn.path, torn.len);
        attested = attested.max(scan::later_evidence(&mut window, &key, FRAMES_START)?);
        for slot in SLOTS {
            let mark = Mark::parse(window.at(slot, format::MARK_LEN)?, &key, slot);
            attested = mark.map_or(attested, |m| attested.max(Position { segment: m.segment, position: m.position }));
        }
    }
    Ok((attested, marks))
}

/// What to do with the bytes behind the last whole batch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    Clean,
    Torn,
}

/// Evidence in the bytes behind the last whole batch: of later frames, or of a successor that must be there.
pub fn look_behind(survey: &Survey, chain: &Chain, mut attested: Position) -> Result<(Position, Tail)> {
    let active = &survey.active;
    let mut window = Window::new(&*active.file, &active.path, active.len);
    let tail = if window.first_nonzero(chain.position)?.is_none() { Tail::Clean } else { Tail::Torn };
    if tail == Tail::Torn {
        // A footer is written only when the successor is durable.
        if footer_behind(&mut window, &active.frame_key, chain.position)? {
            return Err(lost_successor(survey, active.number + 1, "the segment before it is sealed"));
        }
        if !planted(Bug::LaterFramesIgnored) {
            attested = attested.max(scan::later_evidence(&mut window, &active.frame_key, chain.position)?);
        }
    }
    if attested.segment > active.number {
        return Err(lost_successor(survey, attested.segment, "its records were durable"));
    }
    Ok((attested, tail))
}

/// The segment after the active one must be there, and is not.
fn lost_successor(survey: &Survey, number: u32, evidence: &str) -> Error {
    match &survey.torn {
        Some(torn) => no_header(torn, &format!("the segment header is damaged, and {evidence}")),
        None => {
            let dir = survey.active.path.parent().unwrap_or(&survey.active.path);
            let what = format!("the segment is missing or empty, and {evidence}");
            Error::corrupt(Damage::new(what, &segment::path_of(dir, number)))
        }
    }
}

/// What was durable is not there.
pub fn lost(survey: &Survey, chain: &Chain, attested: Position) -> Error {
    let what = match &chain.stop {
        Stop::Torn(damage) => damage.what.clone(),
        Stop::End => "the segment is cut short".to_owned(),
        Stop::NoFrame => "no frame where one was durable (a lost or overwritten page)".to_owned(),
    };
    let damage = Damage::new(what, &survey.active.path).at(chain.stopped_at).offset(chain.replay.peaks.size());
    Error::corrupt(match &chain.stop {
        Stop::Torn(FrameDamage { versus: Some((expected, found)), .. }) => damage.versus(expected, found),
        _ => damage.versus(format!("durable records up to position {}", attested.position), chain.stopped_at),
    })
}

/// Looks behind the frames for a footer of a segment that was sealed but not yet cut to length.
pub fn footer_behind(window: &mut Window<'_>, frame_key: &[u8; 32], position: u64) -> Result<bool> {
    let mut found = false;
    scan::each_step(window, position, format::INDEX_ENTRY_LEN, FOOTER_LEN, |bytes, at| {
        found |= Footer::parse(bytes, frame_key, at + FOOTER_LEN as u64).is_some();
    })?;
    Ok(found)
}
