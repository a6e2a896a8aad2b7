//! Single records by offset, through the cache; many in one call, so that those who ask for many at a time cross the
//! boundary once.

use super::{Records, frame_at, with_buffers};
use crate::cache::Frame;
use crate::catalogue::read_span;
use crate::chain;
use crate::error::{Damage, Error, Result};
use crate::log::Shared;

/// Records that were looked up.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The payloads in the order asked for, one after another.
    pub records: Records,
    /// For each offset whether there is such a record: those of private kinds are passed over, and are empty.
    pub present: Vec<bool>,
}

/// Looks up records in the order of `offsets`, until their payloads fill `max_bytes`: perhaps not all, at least one.
pub fn lookup(log: &Shared, offsets: &[u64], max_bytes: u64) -> Result<Found> {
    let size = log.head().size;
    let mut found = Found::default();
    for &offset in offsets {
        let there = offset < size && read_one(log, offset, &mut found.records)?;
        if !there {
            found.records.push(offset, 0, &[]);
        }
        found.present.push(there);
        if found.records.memory() >= max_bytes {
            break;
        }
    }
    Ok(found)
}

/// One record through the cache; false when it is of a kind that is passed over.
pub(super) fn read_one(log: &Shared, offset: u64, records: &mut Records) -> Result<bool> {
    let (view, _) = log.catalogue.holding(offset)?;
    let span = view.span_from(offset, offset + 1, 0)?;
    let frame = log.cache.get((view.segment.number, span.start), || {
        with_buffers(|buffers| {
            let bytes = read_span(&view, span, &mut buffers.stored)?;
            let (header, stored) = frame_at(&view, span, bytes, span.start, span.first_offset)?;
            Frame::decode(header.clone(), stored)
                .map_err(|damage| chain::contradiction(&view.segment, span.start, &header, damage))
        })
    })?;
    // The index named this frame, so it holds the record; whoever forged the index gets nothing for it.
    let at = offset - frame.header.first_offset.min(offset);
    match frame.body().filter(|body| at < body.len() as u64) {
        Some(body) if body.kind(at as usize) == 0 => {
            records.push(offset, body.time(at as usize), body.payload(at as usize));
            Ok(true)
        }
        Some(_) => Ok(false),
        None => {
            let damage = Damage::new("a frame holds other records than the index says", &view.segment.path);
            Err(Error::corrupt(damage.at(span.start).offset(offset)))
        }
    }
}
