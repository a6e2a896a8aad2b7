//! Stage 1, CPU only: records become frames, with every hash and every position, ready to be written.

use std::collections::VecDeque;

use crate::chain::Chain;
use crate::compress;
use crate::error::{Error, Result};
use crate::format::{EPOCH, FRAME_BODY_TARGET, FRAMES_START, FrameFlags, IndexEntry, SegmentHeader};
use crate::frame::{FrameEncoder, FrameInput};
use crate::hash::{self, Hash, Keys, Peaks, RecordRef};
use crate::host::Host;
use crate::log::Shared;
use crate::options::Options;
use crate::planted::{Bug, planted};
use crate::record::MAX_RECORDS_PER_FRAME;

use super::placed::Placed;
use super::plan::{Plan, Space};
use super::rotation::Spare;
use super::submission::Submission;

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

    fn plan(&self) -> Option<Plan> {
        let space = Space {
            room: self.segment_bytes.saturating_sub(self.position),
            segment_bytes: self.segment_bytes,
            records_before: self.peaks.size() - self.segment.first_offset,
            compresses: self.encoder.compresses(),
        };
        Plan::next(&self.input, &space)
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
