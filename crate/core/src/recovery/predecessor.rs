//! The segment before the active one: sealed and in agreement with it, or still to be sealed.
//!
//! The active segment's header states where its frames end and which head they have, and was written after their sync:
//! whatever its index and footer look like, all its frames must be sound.

use std::path::Path;

use crate::chain::{self, Stop};
use crate::disk::{Access, Disk};
use crate::error::{Damage, Error, Result, hex};
use crate::format::{FRAMES_START, IndexEntry, Mark};
use crate::hash::Keys;
use crate::planted::{Bug, planted};
use crate::repair;
use crate::sealing::{self, Summary};
use crate::segment::{self, Segment};

/// The segment before the active one, found in order.
pub struct Before {
    segment: Segment,
    /// Where its frames end.
    frames_end: u64,
    /// It has a sound footer, so its successor was durable, whatever became of the index.
    pub has_footer: bool,
    /// What index and footer will state, if they are still to be written.
    unsealed: Option<(Summary, Vec<IndexEntry>)>,
}

impl Before {
    /// True when it lacks index or footer.
    pub fn is_unsealed(&self) -> bool {
        self.unsealed.is_some()
    }

    /// Seals it, if that is still to be done. A footer that is there is written again, unless it is `known_durable`.
    pub fn seal(&self, keys: &Keys, known_durable: bool) -> Result<()> {
        let Segment { file, path, frame_key, len, .. } = &self.segment;
        if let Some((summary, index)) = &self.unsealed {
            // Its frames are durable: the successor's header, which states where they end, was written after their sync.
            sealing::seal(&**file, path, keys, frame_key, summary, index)?;
        } else if !known_durable {
            repair::rewrite(&**file, path, self.frames_end, *len)?;
            file.sync_all().map_err(|error| Error::io("fsync", path, error))?;
        }
        Ok(())
    }
}

/// Looks at the segment before the active one: it must be sealed and in agreement with it, or sound to its end.
pub fn look(
    disk: &dyn Disk,
    dir: &Path,
    numbers: &[u32],
    active: &Segment,
    keys: &Keys,
    access: Access,
) -> Result<Option<Before>> {
    let [.., number, _] = *numbers else { return Ok(None) };
    let before = segment::open_checked(disk, dir, number, access, keys)?;
    let end = active.header.predecessor_end;
    let disagree = |what: &str, expected: String, found: String| {
        Err(Error::corrupt(
            Damage::new(what, &before.path).at(end).offset(active.header.first_offset).versus(expected, found),
        ))
    };
    if active.header.nonce != before.header.next_nonce {
        return disagree(
            "the next segment is not the one that was prepared",
            hex(&before.header.next_nonce),
            hex(&active.header.nonce),
        );
    }
    let footer = before.footer(keys)?;
    if let Some(footer) = &footer {
        if footer.frames_end != end
            || footer.end_offset != active.header.first_offset
            || footer.head != active.header.head
        {
            let expected = format!("{}:{} to {end}", active.header.first_offset, hex(&active.header.head));
            let found = format!("{}:{} to {}", footer.end_offset, hex(&footer.head), footer.frames_end);
            return disagree("the footer disagrees with the next segment", expected, found);
        }
        // A crash while it was sealed may have left the footer and not the index: then both are written again.
        if before.stored_index(footer)?.is_some() || planted(Bug::FooterBelieved) {
            return Ok(Some(Before { segment: before, frames_end: end, has_footer: true, unsealed: None }));
        }
    }
    if before.len < end {
        return disagree("the segment is cut short", end.to_string(), before.len.to_string());
    }
    let marks: Vec<Mark> = before.slot_mark()?.into_iter().collect();
    let chain = chain::walk(&before, keys, &marks, end)?;
    // Its successor's header attests everything in it, so any damage is loss of what was durable.
    let damaged = |what: &str, position: u64, offset: u64| {
        let damage = Damage::new(format!("the segment is damaged before its end: {what}"), &before.path);
        Error::corrupt(damage.at(position).offset(offset))
    };
    let size = chain.replay.peaks.size();
    let head = chain.replay.peaks.head(keys);
    if chain.position != end || chain.stop != Stop::End {
        return Err(damaged(&stop_words(&chain.stop), chain.stopped_at, size));
    }
    if size != active.header.first_offset || head != active.header.head {
        let found = format!("{size}:{}", hex(&head));
        let expected = format!("{}:{}", active.header.first_offset, hex(&active.header.head));
        return disagree("the segment's head is not the one that the next segment starts from", expected, found);
    }
    let mut index = Vec::new();
    if chain.walked_from > FRAMES_START {
        // Now, not when it is written: damage is found before anything is changed.
        index = before.walk_index(FRAMES_START, chain.walked_from)?;
    }
    index.extend(chain.index);
    let summary = Summary {
        segment: number,
        frames_end: end,
        first_offset: before.header.first_offset,
        end_offset: size,
        last_time: chain.replay.last_time,
        head,
    };
    let has_footer = footer.is_some();
    Ok(Some(Before { segment: before, frames_end: end, has_footer, unsealed: Some((summary, index)) }))
}

fn stop_words(stop: &Stop) -> String {
    match stop {
        Stop::End => "it ends inside a batch".to_owned(),
        Stop::NoFrame => "no frame where one must be".to_owned(),
        Stop::Torn(damage) => damage.what.clone(),
    }
}
