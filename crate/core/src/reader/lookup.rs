//! Single records by offset, through the cache; many in one call, so that those who ask for many at a time cross the
//! boundary once.

use std::sync::Arc;

use super::{BUFFERS, Buffers, Records, frame_at};
use crate::cache::Frame;
use crate::catalogue::read_span;
use crate::chain;
use crate::error::{Damage, Error, Result};
use crate::format::FrameHeader;
use crate::frame;
use crate::hash::RecordRef;
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
    let key = (view.segment.number, span.start);
    let mut give = |record: Option<RecordRef<'_>>| match record {
        Some(record) if record.kind == 0 => {
            records.push(offset, record.time, record.payload);
            Ok(true)
        }
        Some(_) => Ok(false),
        None => {
            let damage = Damage::new("a frame holds other records than the index says", &view.segment.path);
            Err(Error::corrupt(damage.at(span.start).offset(offset)))
        }
    };
    // The index named this frame, so it holds the record; whoever forged the index gets nothing for it.
    let index = |header: &FrameHeader| (offset - header.first_offset.min(offset)) as usize;
    if let Some(frame) = log.cache.get(key) {
        return give(frame.record(index(&frame.header)));
    }
    BUFFERS.lend(|Buffers { stored, raw, columns }| {
        let bytes = read_span(&view, span, stored)?;
        let (header, stored) = frame_at(&view, span, bytes, span.start, span.first_offset)?;
        let damaged = |damage| chain::contradiction(&view.segment, span.start, &header, damage);
        if log.cache.wants(key) {
            let frame = Arc::new(Frame::decode(header.clone(), stored).map_err(damaged)?);
            log.cache.keep(key, Arc::clone(&frame));
            return give(frame.record(index(&header)));
        }
        frame::with_record(&header, stored, index(&header), (raw, columns), give).map_err(damaged)?
    })
}
