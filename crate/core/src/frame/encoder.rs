//! Records into frames, unstamped: bodies, hashes and headers.
//!
//! Invariant: the bytes do not depend on which thread compressed a body, nor on what lent memory held before.

use super::state;
use crate::buffers::Buffer;
use crate::burst::Burst;
use crate::compress::{Codec, Uncompressed, team};
use crate::error::{Error, Result};
use crate::format::{self, EPOCH, FRAME_HEADER_LEN, FrameFlags, FrameHeader, Position};
use crate::hash::{self, Hash, Keys, LeafHasher, Peaks, RecordRef, Subtrees};
use crate::host::Executor;
use crate::lender::{Lendable, Lender};
use crate::record;

/// What a frame will hold.
pub struct FrameInput<'a> {
    /// FIRST and LAST.
    pub flags: FrameFlags,
    /// 1 to [`record::MAX_RECORDS_PER_FRAME`] records.
    pub records: &'a [RecordRef<'a>],
}

/// Copying a byte, or its checksum, costs a fraction of what hashing it does: so seldom is an offer due.
const CHEAP: usize = 4;

/// Builds frames.
pub struct FrameEncoder {
    codec: &'static dyn Codec,
}

impl FrameEncoder {
    /// An encoder that tries `codec` on every body.
    pub fn new(codec: &'static dyn Codec) -> Self {
        Self { codec }
    }

    /// Whether bodies are compressed.
    pub fn compresses(&self) -> bool {
        self.codec.id() != Uncompressed.id()
    }

    /// Appends `frames` to `out`, unstamped, and extends `peaks` by their records, which are `records`. Returns where
    /// each frame starts. `executor` lends a thread for compressing when there are many; this one hashes meanwhile.
    pub fn encode(
        &self,
        keys: &Keys,
        peaks: &mut Peaks,
        records: &[RecordRef<'_>],
        frames: &[FrameInput<'_>],
        executor: &dyn Executor,
        out: &mut Vec<u8>,
    ) -> Result<Vec<usize>> {
        if !self.compresses() {
            let places = put_bodies(frames, out)?;
            HASHINGS.lend(|hashing| {
                hashing.build(keys, peaks.size(), records);
                let mut burst = Burst::default();
                for (frame, &(start, body_len)) in frames.iter().zip(&places) {
                    let header = FrameHeader { raw_len: body_len as u32, ..hashing.header(keys, peaks, frame) };
                    put_header(header, start, body_len, out);
                    burst.did(body_len / CHEAP);
                }
            });
            return Ok(places.into_iter().map(|(start, _)| start).collect());
        }
        // A little more than the payloads, so that it seldom grows.
        let payload_bytes: usize = records.iter().map(|record| record.payload.len()).sum();
        let mut raw = Buffer::with_capacity(payload_bytes + 4 * records.len() + frames.len());
        let mut bodies = Vec::with_capacity(frames.len());
        for frame in frames {
            let start = raw.len();
            put_body(frame, &mut raw)?;
            bodies.push(start..raw.len());
        }
        let mut headers = Vec::with_capacity(frames.len());
        let (raw, stored) = HASHINGS.lend(|hashing| {
            let hash = || {
                hashing.build(keys, peaks.size(), records);
                headers.extend(frames.iter().map(|frame| hashing.header(keys, peaks, frame)));
            };
            team::compress(self.codec, raw, bodies.clone(), executor, hash)
        });
        let mut starts = Vec::with_capacity(frames.len());
        for ((mut header, range), stored) in headers.into_iter().zip(bodies).zip(stored) {
            starts.push(out.len());
            header.raw_len = range.len() as u32;
            match stored {
                Some(stored) => put_frame(FrameHeader { codec: self.codec.id(), ..header }, &stored, out),
                None => put_frame(header, &raw.bytes()[range], out),
            }
        }
        Ok(starts)
    }

    /// Appends a state frame to `out`, unstamped.
    pub fn encode_state(&self, keys: &Keys, peaks: &Peaks, last_time: u64, closing: bool, out: &mut Vec<u8>) {
        let head = peaks.head(keys);
        let mut raw = Vec::new();
        state::put(peaks, last_time, &mut raw);
        let flags =
            FrameFlags::FIRST | FrameFlags::LAST | FrameFlags::STATE | if closing { FrameFlags::CLOSE } else { 0 };
        let header = FrameHeader {
            codec: Uncompressed.id(),
            flags: FrameFlags(flags),
            first_offset: peaks.size(),
            base_time: last_time,
            count: 0,
            stored_len: 0,
            raw_len: raw.len() as u32,
            body_crc: 0,
            epoch: EPOCH,
            durable_to: Position::default(),
            head,
            seal: hash::state_seal(keys, closing, EPOCH, peaks.size(), &head, peaks.hashes(), last_time),
        };
        put_frame(header, &raw, out);
    }
}

/// Lent, like what compressing needs, so that open logs which nobody writes to have neither: 26 KiB each.
static HASHINGS: Lender<Hashing> = Lender::new();

/// The hashes of the frames that are being built.
struct Hashing {
    hasher: LeafHasher,
    leaves: Vec<Hash>,
    subtrees: Subtrees,
    nodes: Vec<Hash>,
}

impl Default for Hashing {
    fn default() -> Self {
        let hasher = LeafHasher::offering();
        Self { hasher, leaves: Vec::new(), subtrees: Subtrees::default(), nodes: Vec::new() }
    }
}

impl Lendable for Hashing {
    fn bytes(&self) -> usize {
        size_of::<Hash>() * (self.leaves.capacity() + self.nodes.capacity())
            + self.subtrees.bytes()
            + self.hasher.bytes()
    }
}

impl Hashing {
    /// Hashes the records of all frames to come: many at once keep the hash kernels full.
    fn build(&mut self, keys: &Keys, first_offset: u64, records: &[RecordRef<'_>]) {
        self.leaves.clear();
        self.hasher.leaves(keys, first_offset, records, &mut self.leaves);
        self.subtrees.build(keys, first_offset, &self.leaves);
    }

    /// What a frame states, but for its body; its records are the next of those given to [`Hashing::build`].
    fn header(&mut self, keys: &Keys, peaks: &mut Peaks, frame: &FrameInput<'_>) -> FrameHeader {
        let first_offset = peaks.size();
        self.nodes.clear();
        peaks.advance(keys, &self.subtrees, frame.records.len() as u64, &mut self.nodes);
        let head = peaks.head(keys);
        FrameHeader {
            codec: Uncompressed.id(),
            flags: frame.flags,
            first_offset,
            base_time: frame.records.first().map_or(0, |record| record.time),
            count: frame.records.len() as u32,
            stored_len: 0,
            raw_len: 0,
            body_crc: 0,
            epoch: EPOCH,
            durable_to: Position::default(),
            head,
            seal: hash::frame_seal(keys, frame.flags.0, EPOCH, first_offset, peaks.size(), &head, &self.nodes),
        }
    }
}

/// Bodies that are stored as they are go straight to their place, behind gaps for their headers. Returns each frame's
/// start and its body's length.
fn put_bodies(frames: &[FrameInput<'_>], out: &mut Vec<u8>) -> Result<Vec<(usize, usize)>> {
    let mut places = Vec::with_capacity(frames.len());
    let mut burst = Burst::default();
    for frame in frames {
        let start = out.len();
        out.extend_from_slice(&[0; FRAME_HEADER_LEN]);
        put_body(frame, out)?;
        burst.did((out.len() - start) / CHEAP);
        places.push((start, out.len() - start - FRAME_HEADER_LEN));
        pad(start, out);
    }
    Ok(places)
}

fn put_body(frame: &FrameInput<'_>, out: &mut Vec<u8>) -> Result<()> {
    let base_time = frame.records.first().map_or(0, |record| record.time);
    record::encode(base_time, frame.records, out).map_err(|error| Error::Invalid(error.to_string()))
}

/// Appends a frame.
fn put_frame(header: FrameHeader, body: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME_HEADER_LEN]);
    out.extend_from_slice(body);
    pad(start, out);
    put_header(header, start, body.len(), out);
}

/// Fills the frame that begins at `start` up with zeros.
fn pad(start: usize, out: &mut Vec<u8>) {
    let len = format::align_frame((out.len() - start) as u64) as usize;
    out.resize(start + len, 0);
}

/// Writes the header into its gap; stored length and checksum come from the padded body behind it.
fn put_header(mut header: FrameHeader, start: usize, body_len: usize, out: &mut [u8]) {
    header.stored_len = body_len as u32;
    let frame = &mut out[start..start + header.frame_len() as usize];
    header.body_crc = crc32c::crc32c(&frame[FRAME_HEADER_LEN..]);
    let mut bytes = Vec::with_capacity(FRAME_HEADER_LEN);
    header.encode_unstamped(&mut bytes);
    frame[..FRAME_HEADER_LEN].copy_from_slice(&bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hashes_of_a_huge_batch_count_as_what_they_hold() {
        let record = RecordRef { payload: &[], time: 0, kind: 0, flags: 0 };
        let mut hashing = Hashing::default();
        hashing.build(&Keys::new(&[0; 32], None), 0, &vec![record; 100_000]);
        // A leaf each, and in the rows of the subtrees as many hashes again and almost as many above them.
        assert!(hashing.bytes() > 3 * 99_990 * size_of::<Hash>());
    }
}
