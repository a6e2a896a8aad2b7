//! Reading records: one call fetches a run of frames with one read and gives their records in one buffer.
//!
//! Every frame touched is checked (header, place, checksum); with `verify` its leaves and seal are recomputed too.

mod lookup;
mod records;

use std::ops::Range;

use crate::buffers::Buffer;
use crate::catalogue::{Span, View, read_span};
use crate::chain;
use crate::error::{Damage, Error, Result};
use crate::format::FrameHeader;
use crate::frame::{self, Rehasher};
use crate::lender::{Lendable, Lender};
use crate::log::Shared;
use crate::planted::{Bug, planted};
use crate::record::Columns;

pub use lookup::{Found, lookup};
pub use records::Records;

use lookup::read_one;

/// Most stored bytes of one run, however many are asked for: what they decode to, and LZ4 can grow them 255-fold, must fit
/// memory, and ends of 32 bits.
pub const RUN_BYTES_MAX: u64 = 8 << 20;

/// How many runs a reader is told to ask for ahead.
const BOUNDS: usize = 2;

/// Fresh memory costs as much as a checksum of it.
static BUFFERS: Lender<Buffers> = Lender::new();

/// What reading a run needs.
#[derive(Default)]
struct Buffers {
    stored: Vec<u8>,
    raw: Vec<u8>,
    columns: Columns,
}

impl Lendable for Buffers {
    fn bytes(&self) -> usize {
        self.stored.capacity() + self.raw.capacity() + self.columns.memory()
    }
}

/// What to read.
#[derive(Debug, Clone, Copy)]
pub struct ReadRequest {
    /// First offset, inclusive.
    pub from: u64,
    /// Last offset, exclusive; capped by the durable end.
    pub to: u64,
    /// Stored bytes to fetch in this call; one frame at least, [`RUN_BYTES_MAX`] at most, and no more frames once four
    /// times as much is decoded.
    pub max_bytes: u64,
    /// Most records to return.
    pub max_records: u64,
    /// Take the run that ends at `to` instead of the one that starts at `from`. The run itself ascends.
    pub reverse: bool,
    /// Recompute leaves and seals.
    pub verify: bool,
}

/// Reads one run of records.
pub fn read(log: &Shared, request: &ReadRequest) -> Result<Records> {
    let mut range = request.from..request.to.min(log.head().size);
    let mut records = Records::default();
    let max_bytes = request.max_bytes.min(RUN_BYTES_MAX);
    if request.max_records == 1 && !request.verify && !range.is_empty() {
        let offset = if request.reverse { range.end - 1 } else { range.start };
        if read_one(log, offset, &mut records)? {
            (records.from, records.to) = if request.reverse { (range.start, offset) } else { (offset + 1, range.end) };
            return Ok(records);
        }
    }
    // Records of private kinds are passed over, so a run may turn out empty though there is more.
    while records.is_empty() && !range.is_empty() && request.max_records > 0 {
        let (view, segment_end) = log.catalogue.holding(if request.reverse { range.end - 1 } else { range.start })?;
        let low = range.start.max(view.segment.header.first_offset);
        let high = range.end.min(segment_end.unwrap_or(u64::MAX));
        let (max_records, reverse) = (request.max_records, request.reverse);
        // No frame is fetched that holds none of the records asked for.
        let (low, high) = if reverse {
            (low.max(high.saturating_sub(max_records)), high)
        } else {
            (low, high.min(low.saturating_add(max_records)))
        };
        let span = if reverse { view.span_to(low, high, max_bytes)? } else { view.span_from(low, high, max_bytes)? };
        let take = Take { from: low, to: high, max_records, max_decoded: 4 * max_bytes, reverse };
        let end = read_run(log, &view, span, &take, request.verify, &mut records)?;
        let left = range.end - range.start;
        if request.reverse {
            range.end = if records.is_empty() { take.from.max(span.first_offset) } else { records.offset };
        } else {
            range.start = end;
        }
        if range.end.saturating_sub(range.start) >= left {
            // The index named frames that hold none of the records. Whoever forged it does not make this loop for ever.
            let damage = Damage::new("a frame holds other records than the index says", &view.segment.path);
            return Err(Error::corrupt(damage.at(span.start).offset(end)));
        }
    }
    (records.from, records.to) = (range.start, range.end);
    Ok(records)
}

/// Where the next runs of a range end (with `reverse`: start), nearest first, as far as the index of one segment tells.
pub fn bounds(log: &Shared, range: Range<u64>, max_bytes: u64, reverse: bool) -> Result<Vec<u64>> {
    let (mut low, mut high) = (range.start, range.end.min(log.head().size));
    let mut bounds = Vec::with_capacity(BOUNDS);
    if low >= high {
        return Ok(bounds);
    }
    let max_bytes = max_bytes.min(RUN_BYTES_MAX);
    let (view, segment_end) = log.catalogue.holding(if reverse { high - 1 } else { low })?;
    low = low.max(view.segment.header.first_offset);
    high = high.min(segment_end.unwrap_or(u64::MAX));
    while low < high && bounds.len() < BOUNDS {
        if reverse {
            high = view.span_to(low, high, max_bytes)?.first_offset.clamp(low, high - 1);
            bounds.push(high);
        } else {
            let next = view.span_from(low, high, max_bytes)?.next_offset.unwrap_or(high);
            low = next.clamp(low + 1, high);
            bounds.push(low);
        }
    }
    Ok(bounds)
}

struct Take {
    from: u64,
    to: u64,
    max_records: u64,
    max_decoded: u64,
    reverse: bool,
}

/// Decodes the frames of a span into `records`; returns the offset to go on from.
fn read_run(log: &Shared, view: &View, span: Span, take: &Take, verify: bool, records: &mut Records) -> Result<u64> {
    BUFFERS.lend(|buffers| decode_run(log, view, span, take, verify, records, buffers))
}

fn decode_run(
    log: &Shared,
    view: &View,
    span: Span,
    take: &Take,
    verify: bool,
    records: &mut Records,
    buffers: &mut Buffers,
) -> Result<u64> {
    let segment = &view.segment;
    let bytes = read_span(view, span, &mut buffers.stored)?;
    let mut rehasher = verify.then(Rehasher::default);
    let mut expected = span.first_offset;
    let mut position = span.start;
    let mut next = take.from;
    while position < span.end && expected < take.to {
        if records.memory() > take.max_decoded {
            if !take.reverse {
                return Ok(next);
            }
            // Seen from the other end, what was decoded first is what is left for the next call.
            records.clear();
        }
        let (header, stored) = frame_at(view, span, bytes, position, expected)?;
        let here = position;
        position += header.frame_len();
        expected = header.end_offset();
        if header.flags.state() {
            continue;
        }
        let damaged = |damage| chain::contradiction(segment, here, &header, damage);
        if let Some(rehasher) = &mut rehasher {
            rehasher.frame(&log.keys, &header, stored).map_err(damaged)?;
        }
        let raw = frame::raw_body(&header, stored, &mut buffers.raw).map_err(damaged)?;
        let body = frame::decode(&header, raw, &mut buffers.columns).map_err(damaged)?;
        if records.is_empty() {
            // As if all frames compress like this one, and a bit more, so that the run is not copied while it grows.
            let about = bytes.len() as u64 * u64::from(header.raw_len) / u64::from(header.stored_len.max(1));
            let about = (about + about / 16).min(take.max_decoded) as usize;
            if records.payloads.capacity() < about {
                records.payloads = Buffer::with_capacity(about);
            }
        }
        let within = |offset: u64| offset.saturating_sub(header.first_offset).min(u64::from(header.count)) as usize;
        let wanted = within(take.from)..within(take.to);
        if wanted.is_empty() {
            continue;
        }
        if body.is_all_data() {
            let left = if take.reverse { u64::MAX } else { take.max_records - records.len() as u64 };
            let end = wanted.end.min(wanted.start.saturating_add(usize::try_from(left).unwrap_or(usize::MAX)));
            records.extend(header.first_offset, &body, wanted.start..end);
            next = header.first_offset + end as u64;
        } else {
            for index in wanted {
                let offset = header.first_offset + index as u64;
                if body.kind(index) != 0 {
                    // Not data. Offsets in a run are dense, so it ends here (or starts anew, seen from the other end).
                    if take.reverse {
                        records.clear();
                    } else if !records.is_empty() {
                        return Ok(offset);
                    }
                } else {
                    records.push(offset, body.time(index), body.payload(index));
                }
                next = offset + 1;
                if !take.reverse && records.len() as u64 == take.max_records {
                    break;
                }
            }
        }
        if !take.reverse && records.len() as u64 == take.max_records {
            return Ok(next);
        }
    }
    Ok(next)
}

/// The frame at `position` of a span that was read: its header and stored body, checked.
fn frame_at<'a>(
    view: &View,
    span: Span,
    bytes: &'a [u8],
    position: u64,
    offset: u64,
) -> Result<(FrameHeader, &'a [u8])> {
    let segment = &view.segment;
    let frame_bytes = bytes.get((position - span.start) as usize..).unwrap_or_default();
    let header = FrameHeader::parse(frame_bytes, &segment.frame_key, position);
    let Some(header) = header.filter(|h| position + h.frame_len() <= span.end) else {
        let damage = Damage::new("no frame where the index names one", &segment.path).at(position);
        return Err(Error::corrupt(damage.offset(offset)));
    };
    if header.first_offset != offset && !planted(Bug::IndexBelieved) {
        let damage = Damage::new("a frame holds other records than the index says", &segment.path).at(position);
        return Err(Error::corrupt(damage.offset(offset).versus(offset, header.first_offset)));
    }
    let stored = frame::stored_body(&header, frame_bytes);
    let stored = stored.map_err(|damage| chain::contradiction(segment, position, &header, damage))?;
    Ok((header, stored))
}

/// Offset of the first record with a time of at least `ms`; the durable size if there is none.
pub fn offset_at(log: &Shared, ms: u64) -> Result<u64> {
    let size = log.head().size;
    let (view, segment_end) = log.catalogue.holding_time(ms)?;
    let end = segment_end.unwrap_or(size).min(size);
    let (mut low, mut high) = (view.segment.header.first_offset, end);
    // Times never decrease, so the times of any one frame tell on which side of it to look.
    while low < high {
        let (first_offset, times) = frame_times(&view, u64::midpoint(low, high))?;
        match times.partition_point(|&time| time < ms) {
            0 => high = first_offset,
            at if at == times.len() => low = first_offset + at as u64,
            at => return Ok((first_offset + at as u64).min(end)),
        }
    }
    Ok(low.min(end))
}

/// The times of the frame that holds record `offset`, with its first offset.
fn frame_times(view: &View, offset: u64) -> Result<(u64, Vec<u64>)> {
    let span = view.span_from(offset, offset + 1, 0)?;
    let mut buffer = Vec::new();
    let bytes = read_span(view, span, &mut buffer)?;
    let (header, stored) = frame_at(view, span, bytes, span.start, span.first_offset)?;
    let damaged = |damage| chain::contradiction(&view.segment, span.start, &header, damage);
    let (mut scratch, mut columns) = (Vec::new(), Columns::default());
    let raw = frame::raw_body(&header, stored, &mut scratch).map_err(damaged)?;
    let body = frame::decode(&header, raw, &mut columns).map_err(damaged)?;
    if !(header.first_offset..header.end_offset()).contains(&offset) {
        let damage = Damage::new("no frame holds a record that must be there", &view.segment.path);
        return Err(Error::corrupt(damage.at(span.start).offset(offset)));
    }
    Ok((header.first_offset, body.records().map(|record| record.time).collect()))
}
