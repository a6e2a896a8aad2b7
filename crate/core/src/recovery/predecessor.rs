//! The segment before the active one: sealed and in agreement with it, or still to be sealed.
//!
//! The active segment's header states where its frames end and which head they have, and was written after their sync:
//! whatever its index and footer look like, all its frames must be sound.

use std::path::Path;

use crate::chain::{self, Chain, Stop};
use crate::disk::{Access, Disk};
use crate::error::{Damage, Error, Result, hex};
use crate::format::{FRAMES_START, Mark};
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
    /// The state at the end of its frames, if it is still to be sealed. Boxed for its size.
    unsealed: Option<Box<Chain>>,
}

impl Before {
    /// True when it lacks index or footer.
    pub fn is_unsealed(&self) -> bool {
        self.unsealed.is_some()
    }

    /// Seals it, if that is still to be done. A footer that is there is written again, unless `known_durable`.
    pub fn seal(&self, keys: &Keys, known_durable: bool) -> Result<()> {
        let Segment { file, path, .. } = &self.segment;
        if let Some(chain) = &self.unsealed {
            return self.seal_behind(chain, keys);
        }
        if !known_durable {
            repair::rewrite(&**file, path, self.frames_end, self.segment.len)?;
            file.sync_all().map_err(|error| Error::io("fsync", path, error))?;
        }
        Ok(())
    }

    fn seal_behind(&self, chain: &Chain, keys: &Keys) -> Result<()> {
        let before = &self.segment;
        let index = if chain.walked_from == FRAMES_START {
            chain.index.clone()
        } else {
            before.walk_index(FRAMES_START, chain.position)?
        };
        let summary = Summary {
            segment: before.number,
            frames_end: chain.position,
            first_offset: before.header.first_offset,
            end_offset: chain.replay.peaks.size(),
            last_time: chain.replay.last_time,
            head: chain.replay.peaks.head(keys),
        };
        // Its frames are durable: the successor's header, which states where they end, was written after their sync.
        sealing::seal(&*before.file, &before.path, keys, &before.frame_key, &summary, &index)?;
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
    if chain.position != end || chain.stop != Stop::End {
        let offset = chain.replay.peaks.size();
        let damage =
            Damage::new(format!("the segment is damaged before its end: {}", stop_words(&chain.stop)), &before.path);
        return Err(Error::corrupt(damage.at(chain.stopped_at).offset(offset)));
    }
    if chain.replay.peaks.size() != active.header.first_offset || chain.replay.peaks.head(keys) != active.header.head {
        let found = format!("{}:{}", chain.replay.peaks.size(), hex(&chain.replay.peaks.head(keys)));
        let expected = format!("{}:{}", active.header.first_offset, hex(&active.header.head));
        return disagree("the segment's head is not the one that the next segment starts from", expected, found);
    }
    let has_footer = footer.is_some();
    Ok(Some(Before { segment: before, frames_end: end, has_footer, unsealed: Some(Box::new(chain)) }))
}

fn stop_words(stop: &Stop) -> String {
    match stop {
        Stop::End => "it ends inside a batch".to_owned(),
        Stop::NoFrame => "no frame where one must be".to_owned(),
        Stop::Torn(damage) => damage.what.clone(),
    }
}
