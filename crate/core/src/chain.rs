//! Rehashing a segment's frames in order: how far is it sound, and where does the last whole batch end?
//!
//! Invariant: what is counted as sound was recomputed, from peaks that a header or a state frame states under a seal.

use crate::error::{Damage, Error, Result, hex};
use crate::format::{FRAMES_START, FrameHeader, IndexEntry, Mark};
use crate::frame::{self, FrameDamage, Replay};
use crate::hash::Keys;
use crate::planted::{Bug, planted};
use crate::scan::{self, Step, Window};
use crate::segment::Segment;

/// What stands where the chain ends.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// The given end, exactly.
    End,
    /// No frame: zeros, or anything else.
    NoFrame,
    /// A frame with damaged bytes, or cut short.
    Torn(FrameDamage),
}

/// A walk over the frames of a segment.
pub struct Chain {
    /// The log's state after the last whole batch.
    pub replay: Replay,
    /// Position after the last whole batch.
    pub position: u64,
    /// Position of the frame that could not be taken, at or after `position`.
    pub stopped_at: u64,
    /// Why it could not.
    pub stop: Stop,
    /// Entries of the frames walked.
    pub index: Vec<IndexEntry>,
    /// Where the walk began; frames before it are not in `index`.
    pub walked_from: u64,
    /// Position of the last state frame; 0 if none is known.
    pub state_position: u64,
}

/// Walks `segment` from the newest usable state frame that a mark names (else from its start) to `end` at most.
/// Intact bytes that contradict the chain are `Corrupt` at once: no crash makes those.
pub fn walk(segment: &Segment, keys: &Keys, marks: &[Mark], end: u64) -> Result<Chain> {
    let mut start = begin(segment, keys, marks, end)?;
    let chain = walk_from(segment, keys, marks, start, end)?;
    if chain.stopped_at == chain.position {
        return Ok(chain);
    }
    // The walk ended inside a batch: walk again up to the last whole one, so that the state is the one there.
    start = begin(segment, keys, marks, end)?;
    let whole = walk_from(segment, keys, marks, start, chain.position)?;
    Ok(Chain { stopped_at: chain.stopped_at, stop: chain.stop, ..whole })
}

/// The log's state at the frame that starts at `position`, which may lie inside a batch; everything before is rehashed.
pub fn walk_whole(segment: &Segment, keys: &Keys, position: u64) -> Result<Replay> {
    let chain = walk_from(segment, keys, &[], begin(segment, keys, &[], position)?, position)?;
    if chain.stopped_at == position {
        return Ok(chain.replay);
    }
    let damage = Damage::new("no sound frame where one must be", &segment.path).at(chain.stopped_at);
    Err(Error::corrupt(damage.offset(chain.replay.peaks.size())))
}

fn begin(segment: &Segment, keys: &Keys, marks: &[Mark], end: u64) -> Result<(Replay, u64)> {
    let mut states: Vec<u64> = marks.iter().map(|m| m.state_position).filter(|&p| p >= FRAMES_START).collect();
    states.sort_unstable();
    for &position in states.iter().rev() {
        let mut window = Window::new(&*segment.file, &segment.path, end);
        if let Step::Frame(header) = scan::step(&mut window, &segment.frame_key, position)?
            && header.flags.state()
        {
            let bytes = window.at(position, header.frame_len() as usize)?;
            if let Ok(stored) = frame::stored_body(&header, bytes) {
                let replay = Replay::from_state(keys, &header, stored);
                let replay = replay.map_err(|damage| contradiction(segment, position, &header, damage))?;
                return Ok((replay, position));
            }
        }
    }
    Ok((Replay::new(segment.peaks()?, segment.header.last_time), FRAMES_START))
}

fn walk_from(segment: &Segment, keys: &Keys, marks: &[Mark], start: (Replay, u64), end: u64) -> Result<Chain> {
    let mut window = Window::new(&*segment.file, &segment.path, end);
    let (replay, walked_from) = start;
    let mut chain = Chain {
        replay,
        position: walked_from,
        stopped_at: walked_from,
        stop: Stop::End,
        index: Vec::new(),
        walked_from,
        state_position: 0,
    };
    let mut whole_frames = 0;
    let mut at = walked_from;
    let mut inside_batch = false;
    chain.stop = loop {
        let header = match scan::step(&mut window, &segment.frame_key, at)? {
            Step::Frame(header) => header,
            Step::End => break Stop::End,
            Step::NoFrame if planted(Bug::ZerosReadAsRecords) && window.at(at, 64)?.iter().all(|&b| b == 0) => {
                chain.replay.peaks.extend(keys, &[[0; 32]], &mut Vec::new());
                at += 64;
                chain.position = at;
                continue;
            }
            Step::NoFrame => break Stop::NoFrame,
            Step::CutShort(header) => {
                break Stop::Torn(FrameDamage::cut_short(header.frame_len(), end - at));
            }
        };
        let bytes = window.at(at, header.frame_len() as usize)?;
        let stored = match frame::stored_body(&header, bytes) {
            Ok(stored) => stored,
            Err(damage) => break Stop::Torn(damage),
        };
        if header.flags.first() == inside_batch && !planted(Bug::BatchEndNotChecked) {
            let damage = Damage::new("batches overlap", &segment.path).at(at).offset(header.first_offset);
            return Err(Error::corrupt(
                damage.versus(format!("FIRST {}", !inside_batch), format!("FIRST {inside_batch}")),
            ));
        }
        chain.replay.apply(keys, &header, stored).map_err(|damage| contradiction(segment, at, &header, damage))?;
        chain.index.extend(segment.index_entry(&header, at));
        if header.flags.state() {
            chain.state_position = at;
        }
        at += header.frame_len();
        inside_batch = !header.flags.last() && !planted(Bug::BatchEndNotChecked);
        if !inside_batch {
            chain.position = at;
            whole_frames = chain.index.len();
        }
        check_marks(segment, marks, at, &header)?;
    };
    chain.stopped_at = at;
    chain.index.truncate(whole_frames);
    Ok(chain)
}

/// A mark that ends where this frame ends must state the same head.
fn check_marks(segment: &Segment, marks: &[Mark], end: u64, header: &FrameHeader) -> Result<()> {
    for mark in marks.iter().filter(|m| m.position == end) {
        if mark.size != header.end_offset() || mark.head != header.head {
            let damage = Damage::new("a mark states another head than the frame before it", &segment.path).at(end);
            let show = |size: u64, head: &[u8]| format!("{size}:{}", hex(head));
            let damage = damage.versus(show(mark.size, &mark.head), show(header.end_offset(), &header.head));
            return Err(Error::corrupt(damage.offset(header.end_offset())));
        }
    }
    Ok(())
}

/// Frame damage with its place.
pub fn contradiction(segment: &Segment, position: u64, header: &FrameHeader, damage: FrameDamage) -> Error {
    let mut place = Damage::new(damage.what, &segment.path).at(position).offset(header.first_offset);
    if let Some((expected, found)) = damage.versus {
        place = place.versus(expected, found);
    }
    if damage.newer { Error::unsupported(place) } else { Error::corrupt(place) }
}
