//! Stage 1, CPU only: records become frames, with every hash and every position, ready to be written.

use std::collections::VecDeque;

use crate::chain::Chain;
use crate::compress;
use crate::error::{Error, Result};
use crate::format::{EPOCH, FRAME_BODY_TARGET, FRAME_HEADER_LEN, FRAMES_START, FrameFlags, IndexEntry, SegmentHeader};
use crate::frame::{FrameEncoder, FrameInput};
use crate::hash::{self, Hash, Keys, Peaks, RecordRef};
use crate::host::Host;
use crate::log::Shared;
use crate::options::Options;
use crate::planted::{Bug, planted};
use crate::record::{COLUMN_BYTES_MAX, MAX_RECORDS_PER_FRAME};

use super::placed::Placed;
use super::rotation::Spare;
use super::submission::Submission;

/// Payload bytes at which a part is closed: small enough that stage 2 starts early, large enough to amortize.
const PART_BYTES: u64 = 1 << 20;
/// The same where records are as large as [`LARGE_RECORD_BYTES`] and are compressed: each is a body of its own, which one
/// thread compresses, and few of them leave one of two threads without work at the end. Measured (LZ4, four batches of
/// 1 MiB in flight): with payloads of 1 MiB 1.33 times as fast, of 256 KiB 1.1 times.
const LARGE_PART_BYTES: u64 = 2 << 20;
const LARGE_RECORD_BYTES: u64 = 64 << 10;
/// A segment is left before its index entries would not fit 32 bits.
const SEGMENT_RECORDS_MAX: u64 = 1 << 31;

/// A run of whole batches, encoded: what stage 1 hands to stage 2.
pub struct Prepared {
    /// Frames one after another, headers unstamped.
    pub bytes: Placed,
    /// Where each frame starts in `bytes`.
    pub frames: Vec<usize>,
    /// An index entry for each frame.
    pub index: Vec<IndexEntry>,
    /// Position of `bytes` in the segment.
    pub position: u64,
    /// Size after it.
    pub size: u64,
    /// Head after it.
    pub head: Hash,
    /// Time of its last record.
    pub last_time: u64,
    /// Records in it.
    pub records: u64,
    /// Payload bytes in it.
    pub payload_bytes: u64,
    /// Position of the last state frame in it.
    pub state_position: Option<u64>,
    /// Set when it starts a new segment.
    pub rotation: Option<Box<SegmentHeader>>,
    /// The file of that segment; stage 2 puts it here.
    pub spare: Option<Spare>,
}

/// The state of stage 1: always the log as it will be after everything prepared.
pub struct Preparer {
    host: Host,
    input: VecDeque<Submission>,
    encoder: FrameEncoder,
    peaks: Peaks,
    last_time: u64,
    segment_bytes: u64,
    state_bytes: u64,
    /// Parts with as many payload bytes may be written directly.
    direct_bytes: u64,
    segment: SegmentHeader,
    position: u64,
    /// End of the last state frame in this segment (or of its page 0).
    state_end: u64,
}

impl Preparer {
    pub fn new(host: &Host, options: &Options, active: &SegmentHeader, chain: &Chain) -> Self {
        let walked = chain.index.last().map(|entry| entry.position());
        let closed = chain.state_position != 0 && walked == Some(chain.state_position);
        let state_end = if closed {
            chain.position
        } else {
            // Not the exact end of the state frame, and need not be: the next one comes a little earlier.
            chain.state_position.max(FRAMES_START)
        };
        let mut peaks = chain.replay.peaks.clone();
        if planted(Bug::HeadNotContinued) {
            peaks = Peaks::from_parts(peaks.size(), vec![[0; 32]; peaks.hashes().len()]).unwrap_or(peaks);
        }
        Self {
            host: host.clone(),
            input: VecDeque::new(),
            encoder: FrameEncoder::new(compress::for_option(options.compression)),
            peaks,
            last_time: chain.replay.last_time,
            segment_bytes: options.segment_bytes,
            state_bytes: options.tuning.state_bytes,
            direct_bytes: options.tuning.direct_bytes,
            segment: active.clone(),
            position: chain.position,
            state_end,
        }
    }

    /// True when nothing is left to prepare.
    pub fn is_empty(&self) -> bool {
        self.input.is_empty()
    }

    /// Forgets the input: the log has stopped.
    pub fn abandon(&mut self) {
        self.input.clear();
    }

    /// Takes everything that waits.
    pub fn take_in(&mut self, pending: &mut VecDeque<Submission>) {
        if self.input.is_empty() {
            std::mem::swap(&mut self.input, pending);
        } else {
            self.input.append(pending);
        }
    }

    /// Prepares the next part; `None` when there is no input.
    pub fn next_part(&mut self, log: &Shared) -> Result<Option<Prepared>> {
        let Some(plan) = self.plan() else { return Ok(None) };
        let rotation = if plan.rotate { Some(Box::new(self.rotate(&log.keys)?)) } else { None };
        let start = self.position;
        let mut part = self.new_part(rotation, plan.bytes as usize);
        let input = std::mem::take(&mut self.input);
        let encoded = self.encode_batches(&log.keys, &input, &plan, &mut part);
        self.input = input;
        encoded?;
        self.drop_taken(&plan);
        if start + part.bytes.len() as u64 - self.state_end >= self.state_bytes {
            self.put_state(&log.keys, false, &mut part);
        }
        Ok(Some(self.finish(&log.keys, part)))
    }

    /// The state frame that `close` writes; `None` when nothing came after the last one.
    pub fn closing_part(&mut self, keys: &Keys) -> Option<Prepared> {
        if self.position == self.state_end {
            return None;
        }
        let mut part = self.new_part(None, 0);
        self.put_state(keys, true, &mut part);
        Some(self.finish(keys, part))
    }

    fn new_part(&self, rotation: Option<Box<SegmentHeader>>, payload_bytes: usize) -> Prepared {
        let capacity = payload_bytes + payload_bytes / 32 + 4096;
        let placed = payload_bytes as u64 >= self.direct_bytes;
        Prepared {
            bytes: if placed { Placed::at(self.position, capacity) } else { Placed::anywhere(capacity) },
            frames: Vec::new(),
            index: Vec::new(),
            position: self.position,
            size: 0,
            head: [0; 32],
            last_time: 0,
            records: 0,
            payload_bytes: payload_bytes as u64,
            state_position: None,
            rotation,
            spare: None,
        }
    }

    fn finish(&mut self, keys: &Keys, part: Prepared) -> Prepared {
        self.position += part.bytes.len() as u64;
        if let Some(state) = part.state_position
            && part.frames.last().map(|&at| part.position + at as u64) == Some(state)
        {
            self.state_end = self.position;
        }
        Prepared { size: self.peaks.size(), head: self.peaks.head(keys), last_time: self.last_time, ..part }
    }

    /// Chooses whole batches for the next part: about [`PART_BYTES`], and no more than the segment has room for.
    fn plan(&self) -> Option<Plan> {
        let mut plan = Plan::default();
        let mut most = 0; // bytes that the frames can take at most
        let room = self.segment_bytes.saturating_sub(self.position);
        let records_before = self.peaks.size() - self.segment.first_offset;
        for submission in &self.input {
            let mut at = submission.done;
            while let Some(&count) = submission.batches.get(at.batches) {
                let lengths = &submission.lengths[at.records..at.records + count as usize];
                let bytes: u64 = lengths.iter().map(|&len| u64::from(len)).sum();
                let with_this = most + frames_bytes_max(bytes, u64::from(count));
                let crowded = records_before + plan.records + u64::from(count) > SEGMENT_RECORDS_MAX;
                if plan.records == 0 {
                    // A batch lies in one segment. One that is larger than a segment gets a larger one.
                    plan.rotate = (with_this > room || crowded) && records_before > 0;
                } else if self.is_full(&plan, bytes) || plan.crowds(with_this, room, self.segment_bytes) || crowded {
                    return Some(plan);
                }
                most = with_this;
                plan.batches += 1;
                plan.records += u64::from(count);
                plan.bytes += bytes;
                at.batches += 1;
                at.records += count as usize;
            }
        }
        (plan.records > 0).then_some(plan)
    }

    /// Is a part closed before a batch of `bytes`?
    fn is_full(&self, plan: &Plan, bytes: u64) -> bool {
        let large = plan.bytes >= plan.records * LARGE_RECORD_BYTES && self.encoder.compresses();
        plan.bytes + bytes > if large { LARGE_PART_BYTES } else { PART_BYTES }
    }

    fn encode_batches(
        &mut self,
        keys: &Keys,
        input: &VecDeque<Submission>,
        plan: &Plan,
        part: &mut Prepared,
    ) -> Result<()> {
        let mut records: Vec<RecordRef<'_>> = Vec::with_capacity(plan.records as usize);
        // One bit of news per record: does a batch end after it?
        let mut ends_batch = vec![false; plan.records as usize];
        let mut batches = plan.batches;
        for submission in input {
            let mut at = submission.done;
            while batches > 0 && at.batches < submission.batches.len() {
                for &len in &submission.lengths[at.records..at.records + submission.batches[at.batches] as usize] {
                    let payload = &submission.payloads[at.bytes..at.bytes + len as usize];
                    records.push(RecordRef { payload, time: submission.time, kind: 0, flags: 0 });
                    at.bytes += len as usize;
                }
                at.records += submission.batches[at.batches] as usize;
                at.batches += 1;
                batches -= 1;
                ends_batch[records.len() - 1] = true;
            }
        }
        part.records = plan.records;
        let mut frames = Vec::new();
        let mut from = 0;
        while from < records.len() {
            let to = frame_end(&records, from);
            let first = if from == 0 || ends_batch[from - 1] { FrameFlags::FIRST } else { 0 };
            let last = if ends_batch[to - 1] { FrameFlags::LAST } else { 0 };
            frames.push(FrameInput { flags: FrameFlags(first | last), records: &records[from..to] });
            from = to;
        }
        let mut first_offset = self.peaks.size();
        let starts =
            self.encoder.encode(keys, &mut self.peaks, &records, &frames, &*self.host.executor, part.bytes.out())?;
        for (start, frame) in starts.into_iter().zip(&frames) {
            self.note_frame(part, start - part.bytes.start(), first_offset);
            first_offset += frame.records.len() as u64;
        }
        self.last_time = records.last().map_or(self.last_time, |record| record.time);
        Ok(())
    }

    fn put_state(&mut self, keys: &Keys, closing: bool, part: &mut Prepared) {
        part.state_position = Some(part.position + part.bytes.len() as u64);
        self.note_frame(part, part.bytes.len(), self.peaks.size());
        self.encoder.encode_state(keys, &self.peaks, self.last_time, closing, part.bytes.out());
    }

    /// Enters the frame that starts at `start` of the part.
    fn note_frame(&self, part: &mut Prepared, start: usize, first_offset: u64) {
        part.frames.push(start);
        let position = part.position + start as u64;
        part.index.extend(IndexEntry::new(first_offset - self.segment.first_offset, position));
    }

    fn drop_taken(&mut self, plan: &Plan) {
        let mut batches = plan.batches;
        while batches > 0
            && let Some(submission) = self.input.front_mut()
        {
            let take = batches.min(submission.batches.len() - submission.done.batches);
            let taken = &submission.batches[submission.done.batches..submission.done.batches + take];
            let records: usize = taken.iter().map(|&count| count as usize).sum();
            let lengths = &submission.lengths[submission.done.records..submission.done.records + records];
            submission.done.bytes += lengths.iter().map(|&len| len as usize).sum::<usize>();
            submission.done.records += records;
            submission.done.batches += take;
            batches -= take;
            if submission.is_done() {
                self.input.pop_front();
            }
        }
    }

    /// Goes on in the next segment: its header states where this one ends.
    fn rotate(&mut self, keys: &Keys) -> Result<SegmentHeader> {
        let mut next_nonce = [0; 16];
        let filled = self.host.entropy.fill(&mut next_nonce);
        filled.map_err(|error| Error::io("getrandom", std::path::Path::new("entropy"), error))?;
        let head = self.peaks.head(keys);
        let mut header = SegmentHeader {
            segment: self.segment.segment + 1,
            nonce: self.segment.next_nonce,
            next_nonce,
            first_offset: self.peaks.size(),
            last_time: self.last_time,
            predecessor_end: self.position,
            head,
            peaks: self.peaks.hashes().to_vec(),
            seal: [0; 16],
            ..self.segment.clone()
        };
        header.seal =
            hash::header_seal(keys, EPOCH, header.first_offset, header.kept_from, &head, &header.sealed_bytes());
        self.segment = header.clone();
        self.position = FRAMES_START;
        self.state_end = FRAMES_START;
        Ok(header)
    }
}

#[derive(Default)]
struct Plan {
    rotate: bool,
    batches: usize,
    records: u64,
    bytes: u64,
}

impl Plan {
    /// Would the segment that this part goes to grow beyond its size?
    fn crowds(&self, frames_bytes: u64, room: u64, segment_bytes: u64) -> bool {
        frames_bytes > if self.rotate { segment_bytes - FRAMES_START } else { room }
    }
}

/// Most bytes that the frames of `records` with `bytes` of payload can take.
fn frames_bytes_max(bytes: u64, records: u64) -> u64 {
    let bodies = bytes + records * COLUMN_BYTES_MAX as u64;
    // Two frames in a row hold more than one full body, and each pads to 64 bytes.
    let frames = 2 + 2 * bodies / FRAME_BODY_TARGET as u64;
    bodies + frames * (FRAME_HEADER_LEN as u64 + 64)
}

/// Where the frame that starts with record `from` ends.
fn frame_end(records: &[RecordRef<'_>], from: usize) -> usize {
    let mut body = 0;
    let mut to = from;
    while let Some(record) = records.get(to) {
        // The length's varint takes two bytes for payloads of 128 bytes to 16 KiB.
        body += record.payload.len() + 2;
        if to > from && (body > FRAME_BODY_TARGET || to - from >= MAX_RECORDS_PER_FRAME) {
            break;
        }
        to += 1;
    }
    to
}
