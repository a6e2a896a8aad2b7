//! Frames: records into bytes (stage 1) and back, with every hash that commits to them.
//!
//! [`FrameEncoder`] and [`Replay`] are mirror images: what one computes from records, the other recomputes from bytes
//! and compares. No I/O here.

use crate::buffers::Buffer;
use crate::compress::{self, Codec, CodecError, Uncompressed, team};
use crate::error::{Error, Result};
use crate::format::{self, EPOCH, FRAME_HEADER_LEN, FrameFlags, FrameHeader, Position};
use crate::hash::{self, Hash, Keys, LeafHasher, Peaks, RecordRef, Subtrees};
use crate::host::Executor;
use crate::lender::{Lendable, Lender};
use crate::planted::{Bug, planted};
use crate::record::{self, Body, BodyError, Columns};

/// What a frame will hold.
pub struct FrameInput<'a> {
    /// FIRST and LAST.
    pub flags: FrameFlags,
    /// 1 to [`record::MAX_RECORDS_PER_FRAME`] records.
    pub records: &'a [RecordRef<'a>],
}

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
                for (frame, &(start, body_len)) in frames.iter().zip(&places) {
                    let header = FrameHeader { raw_len: body_len as u32, ..hashing.header(keys, peaks, frame) };
                    put_header(header, start, body_len, out);
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
        put_state(peaks, last_time, &mut raw);
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
#[derive(Default)]
struct Hashing {
    hasher: LeafHasher,
    leaves: Vec<Hash>,
    subtrees: Subtrees,
    nodes: Vec<Hash>,
}

impl Lendable for Hashing {
    fn bytes(&self) -> usize {
        size_of::<Hash>() * (self.leaves.capacity() + self.nodes.capacity()) + self.subtrees.bytes()
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
    for frame in frames {
        let start = out.len();
        out.extend_from_slice(&[0; FRAME_HEADER_LEN]);
        put_body(frame, out)?;
        places.push((start, out.len() - start - FRAME_HEADER_LEN));
        pad(start, out);
    }
    Ok(places)
}

fn put_body(frame: &FrameInput<'_>, out: &mut Vec<u8>) -> Result<()> {
    let base_time = frame.records.first().map_or(0, |record| record.time);
    record::encode(base_time, frame.records, out).map_err(|error| Error::Invalid(error.to_string()))
}

fn put_state(peaks: &Peaks, last_time: u64, out: &mut Vec<u8>) {
    for peak in peaks.hashes() {
        out.extend_from_slice(peak);
    }
    out.extend_from_slice(&last_time.to_le_bytes());
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

/// What is wrong with a frame whose header check holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameDamage {
    /// In words.
    pub what: String,
    /// True when bytes were damaged (a torn write can do that); false when intact bytes contradict the chain.
    pub torn: bool,
    /// True when a newer version wrote it.
    pub newer: bool,
    /// Expected and found, where both are short.
    pub versus: Option<(String, String)>,
}

impl FrameDamage {
    /// The file ends inside the frame.
    pub fn cut_short(expected: u64, found: u64) -> Self {
        Self::torn("the frame is cut short", expected, found)
    }
    fn torn(what: &str, expected: impl ToString, found: impl ToString) -> Self {
        Self { what: what.into(), torn: true, newer: false, versus: Some((expected.to_string(), found.to_string())) }
    }
    /// Intact bytes that contradict others.
    pub fn contradiction(what: &str, expected: impl ToString, found: impl ToString) -> Self {
        Self { torn: false, ..Self::torn(what, expected, found) }
    }
    fn undecompressable(error: &CodecError) -> Self {
        Self { what: format!("the frame's body does not decompress: {error}"), torn: false, newer: false, versus: None }
    }
    fn undecodable(error: &BodyError) -> Self {
        let newer = matches!(error, BodyError::Unsupported { .. });
        // The checksum held, so these are the bytes that were written.
        Self { what: format!("the frame's body does not decode: {error}"), torn: false, newer, versus: None }
    }
}

/// Splits a frame into header and stored body (without padding) after comparing the checksum.
/// `bytes` is the frame as [`FrameHeader::frame_len`] tells.
pub fn stored_body<'a>(header: &FrameHeader, bytes: &'a [u8]) -> Result<&'a [u8], FrameDamage> {
    let padded = bytes.get(FRAME_HEADER_LEN..header.frame_len() as usize);
    let padded = padded.ok_or_else(|| FrameDamage::cut_short(header.frame_len(), bytes.len() as u64))?;
    let crc = crc32c::crc32c(padded);
    if crc != header.body_crc && !planted(Bug::CrcIgnored) {
        let show = |crc: u32| format!("{crc:08x}");
        return Err(FrameDamage::torn(
            "the checksum of the frame's body does not hold",
            show(header.body_crc),
            show(crc),
        ));
    }
    Ok(&padded[..header.stored_len as usize])
}

/// The uncompressed body of a frame, at the start of `out` when it was compressed.
pub fn raw_body<'a>(header: &FrameHeader, stored: &'a [u8], out: &'a mut Vec<u8>) -> Result<&'a [u8], FrameDamage> {
    if header.codec == Uncompressed.id() {
        if header.raw_len != header.stored_len {
            return Err(FrameDamage::contradiction(
                "an uncompressed frame states two lengths",
                header.raw_len,
                header.stored_len,
            ));
        }
        return Ok(stored);
    }
    let (codec, len) = (codec_of(header)?, header.raw_len as usize);
    // Where there is room from earlier frames it is not zeroed once more: that takes 4 % as long as LZ4.
    let done = if let Some(place) = out.get_mut(..len) {
        codec.decompress_into(stored, place)
    } else {
        out.clear();
        codec.decompress(stored, len, out)
    };
    done.map_err(|error| FrameDamage::undecompressable(&error))?;
    Ok(&out[..len])
}

fn codec_of(header: &FrameHeader) -> Result<&'static dyn Codec, FrameDamage> {
    compress::by_id(header.codec).ok_or_else(|| FrameDamage {
        what: format!("the frame uses codec {}, which this version does not know", header.codec),
        torn: false,
        newer: true,
        versus: None,
    })
}

/// The records of a frame.
pub fn decode<'a>(header: &FrameHeader, raw: &'a [u8], columns: &'a mut Columns) -> Result<Body<'a>, FrameDamage> {
    check_epoch(header)?;
    record::decode(header.base_time, header.count, raw, columns).map_err(|error| FrameDamage::undecodable(&error))
}

fn check_epoch(header: &FrameHeader) -> Result<(), FrameDamage> {
    if header.epoch == EPOCH {
        return Ok(());
    }
    let damage = FrameDamage::contradiction("the frame's key epoch is unknown", EPOCH, header.epoch);
    Err(FrameDamage { newer: true, ..damage })
}

/// Calls `found` with record `index` of a frame, if it has one. Nothing behind the record is decompressed, which on
/// average is half of the frame: the checksum, which was compared, covers what is stored.
pub fn with_record<T>(
    header: &FrameHeader,
    stored: &[u8],
    index: usize,
    (raw, columns): (&mut Vec<u8>, &mut Columns),
    found: impl FnOnce(Option<RecordRef<'_>>) -> T,
) -> Result<T, FrameDamage> {
    check_epoch(header)?;
    let len = header.raw_len as usize;
    let undecompressable = |error| FrameDamage::undecompressable(&error);
    let start = codec_of(header)?.start(stored, len, raw).map_err(undecompressable)?;
    let Some(mut start) = start else {
        let body = raw_body(header, stored, raw)?;
        decode(header, body, columns)?;
        return Ok(found(columns.record(body, index)));
    };
    let head = start.reach(record::columns_len_max(header.count).min(len)).map_err(undecompressable)?;
    let decoded = record::decode_start(header.base_time, header.count, head, len, columns);
    decoded.map_err(|error| FrameDamage::undecodable(&error))?;
    let Some(end) = columns.end(index) else { return Ok(found(None)) };
    let body = start.reach(end).map_err(undecompressable)?;
    Ok(found(columns.record(body, index)))
}

/// The hashes of one frame, recomputed from its body alone: frames can be done in any order and on any thread.
pub struct FrameHashes {
    /// `nodes[a, b)` of the frame's records.
    pub nodes: Vec<Hash>,
    /// Time of the last record.
    pub last_time: u64,
}

/// Buffers for recomputing frames.
#[derive(Default)]
pub struct Rehasher {
    hasher: LeafHasher,
    raw: Vec<u8>,
    columns: Columns,
    leaves: Vec<Hash>,
}

impl Rehasher {
    /// Decodes a data frame, recomputes leaves and nodes, and compares the seal.
    pub fn frame(&mut self, keys: &Keys, header: &FrameHeader, stored: &[u8]) -> Result<FrameHashes, FrameDamage> {
        let raw = raw_body(header, stored, &mut self.raw)?;
        let body = decode(header, raw, &mut self.columns)?;
        let records: Vec<RecordRef<'_>> = body.records().collect();
        self.leaves.clear();
        self.hasher.leaves(keys, header.first_offset, &records, &mut self.leaves);
        let mut nodes = Vec::new();
        hash::range_nodes(keys, header.first_offset, &self.leaves, &mut nodes);
        let end = header.end_offset();
        let expected =
            hash::frame_seal(keys, header.flags.0, header.epoch, header.first_offset, end, &header.head, &nodes);
        check_seal(&expected, &header.seal)?;
        Ok(FrameHashes { nodes, last_time: records.last().map_or(header.base_time, |r| r.time) })
    }
}

/// The leaves of the first `count` records of a data frame.
pub fn first_leaves(keys: &Keys, header: &FrameHeader, stored: &[u8], count: usize) -> Result<Vec<Hash>, FrameDamage> {
    let mut scratch = Vec::new();
    let mut columns = Columns::default();
    let body = decode(header, raw_body(header, stored, &mut scratch)?, &mut columns)?;
    let records: Vec<RecordRef<'_>> = body.records().take(count).collect();
    let mut leaves = Vec::new();
    LeafHasher::new().leaves(keys, header.first_offset, &records, &mut leaves);
    Ok(leaves)
}

/// Compares a frame's seal with the one that was recomputed.
pub fn check_seal(expected: &[u8; 16], found: &[u8; 16]) -> Result<(), FrameDamage> {
    if hash::same(expected, found) || planted(Bug::SealIgnored) {
        return Ok(());
    }
    // Of an expected seal nothing is shown: with a secret, that would help to forge one.
    Err(FrameDamage::contradiction(
        "the frame's seal does not recompute",
        "the seal of its records",
        crate::error::hex(found),
    ))
}

/// The chain as it grows frame by frame: recovery and `verify` feed it every frame in order.
pub struct Replay {
    /// Peaks after the last frame.
    pub peaks: Peaks,
    /// Time of the last record.
    pub last_time: u64,
    rehasher: Rehasher,
}

impl Replay {
    /// Starts from known peaks.
    pub fn new(peaks: Peaks, last_time: u64) -> Self {
        Self { peaks, last_time, rehasher: Rehasher::default() }
    }

    /// Starts from a state frame, after comparing its head and seal.
    pub fn from_state(keys: &Keys, header: &FrameHeader, stored: &[u8]) -> Result<Self, FrameDamage> {
        let (peaks, last_time) = parse_state(header, stored)?;
        let replay = Self::new(peaks, last_time);
        replay.check_state(keys, header)?;
        Ok(replay)
    }

    /// Takes the next frame in: everything it states is recomputed and compared.
    pub fn apply(&mut self, keys: &Keys, header: &FrameHeader, stored: &[u8]) -> Result<(), FrameDamage> {
        self.check_place(header)?;
        if header.flags.state() {
            let (peaks, last_time) = parse_state(header, stored)?;
            if peaks.hashes() != self.peaks.hashes() || last_time != self.last_time {
                return Err(FrameDamage::contradiction(
                    "a state frame disagrees with the records before it",
                    "their peaks",
                    "others",
                ));
            }
            return self.check_state(keys, header);
        }
        let hashes = self.rehasher.frame(keys, header, stored)?;
        self.fold(keys, header, &hashes)
    }

    /// Takes in a frame whose own hashes were recomputed elsewhere.
    pub fn fold(&mut self, keys: &Keys, header: &FrameHeader, hashes: &FrameHashes) -> Result<(), FrameDamage> {
        self.check_place(header)?;
        self.peaks.join(keys, u64::from(header.count), &hashes.nodes);
        self.last_time = hashes.last_time;
        self.check_head(keys, header)
    }

    fn check_place(&self, header: &FrameHeader) -> Result<(), FrameDamage> {
        if header.first_offset != self.peaks.size() {
            return Err(FrameDamage::contradiction(
                "the frame does not continue the log",
                self.peaks.size(),
                header.first_offset,
            ));
        }
        if header.base_time < self.last_time {
            return Err(FrameDamage::contradiction("time runs backwards", self.last_time, header.base_time));
        }
        Ok(())
    }

    fn check_head(&self, keys: &Keys, header: &FrameHeader) -> Result<(), FrameDamage> {
        let head = self.peaks.head(keys);
        if head == header.head || planted(Bug::StoredHeadExtended) {
            return Ok(());
        }
        let hex = crate::error::hex;
        Err(FrameDamage::contradiction("the frame's head does not recompute", hex(&head), hex(&header.head)))
    }

    fn check_state(&self, keys: &Keys, header: &FrameHeader) -> Result<(), FrameDamage> {
        self.check_head(keys, header)?;
        let size = self.peaks.size();
        let hashes = self.peaks.hashes();
        let closing = header.flags.close();
        let expected = hash::state_seal(keys, closing, header.epoch, size, &header.head, hashes, self.last_time);
        check_seal(&expected, &header.seal)
    }
}

fn parse_state(header: &FrameHeader, stored: &[u8]) -> Result<(Peaks, u64), FrameDamage> {
    let wrong = || {
        FrameDamage::contradiction(
            "the state frame's length does not fit its offset",
            header.first_offset.count_ones() * 32 + 8,
            stored.len(),
        )
    };
    let (hashes, rest) = stored.as_chunks::<32>();
    let time: [u8; 8] = rest.try_into().map_err(|_| wrong())?;
    let peaks = Peaks::from_parts(header.first_offset, hashes.to_vec()).ok_or_else(wrong)?;
    Ok((peaks, u64::from_le_bytes(time)))
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
