//! A stretch of frames, rehashed from its bytes: all work that needs no other stretch, on whatever thread.
//!
//! What depends on the records before (peaks, heads, times across frames) is left to [`super::fold`], in order.

use std::ops::Range;
use std::path::PathBuf;

use crate::disk::{self, DiskFile};
use crate::error::{Error, Result};
use crate::format::{EPOCH, FRAME_HEADER_LEN, FrameHeader};
use crate::frame::{self, FrameDamage, Replay};
use crate::hash::{self, Hash, Keys, LeafHasher, Peaks, RecordRef, Subtrees};
use crate::record::Columns;

/// Bytes of frames that one task takes: they stay in a core's cache from reading to hashing.
pub const STRETCH_BYTES: u64 = 512 << 10;
/// Leaves that wait for their subtrees. Frames of empty records are small, so bytes do not bound them.
const LEAVES_MAX: usize = 32 << 10;
/// Buffers that grew beyond this for a large record are given back.
const KEPT_BYTES: usize = 4 << 20;

/// A segment's file, as far as stretches need it.
pub struct Source {
    /// Segment number.
    pub number: u32,
    /// Path of the file.
    pub path: PathBuf,
    /// Open for reading.
    pub file: Box<dyn DiskFile>,
    /// Key of its frame headers.
    pub frame_key: [u8; 32],
    /// No frame reaches beyond this.
    pub end: u64,
}

impl Source {
    /// The frame header at `position`, if there is one.
    pub fn header_at(&self, position: u64) -> Result<Option<FrameHeader>> {
        let mut bytes = [0; FRAME_HEADER_LEN];
        let got = self.read(&mut bytes, position)?;
        Ok(FrameHeader::parse(&bytes[..got], &self.frame_key, position))
    }

    /// Reads until `buffer` is full or the file ends.
    pub fn read(&self, buffer: &mut [u8], position: u64) -> Result<usize> {
        disk::read_full_at(&*self.file, buffer, position).map_err(|error| Error::io("read", &self.path, error))
    }
}

/// What was found in a stretch.
pub struct Stretch {
    /// Position after the last whole frame.
    pub end: u64,
    /// True when no frame stands at `end`, or one that the file cuts short.
    pub stuck: bool,
    /// The frames.
    pub facts: Vec<Fact>,
    nodes: Vec<Hash>,
}

/// One frame, looked at by itself.
pub struct Fact {
    /// Its position.
    pub position: u64,
    /// Its header, whose check holds.
    pub header: FrameHeader,
    /// What it holds.
    pub content: Content,
    /// What is wrong with it.
    pub damage: Option<FrameDamage>,
}

/// What a frame turned out to hold.
pub enum Content {
    /// Records: the time of the last one, and where in [`Stretch::nodes`] their nodes are.
    Records(u64, Range<usize>),
    /// The log's state.
    State(Peaks, u64),
    /// Nothing that can be used.
    Unknown,
}

impl Stretch {
    /// The nodes over a frame's records.
    pub fn nodes(&self, fact: &Fact) -> &[Hash] {
        match &fact.content {
            Content::Records(_, range) => &self.nodes[range.clone()],
            _ => &[],
        }
    }
}

/// Buffers for stretches, kept from one to the next.
#[derive(Default)]
pub struct Worker {
    buffer: Buffer,
    raw: Vec<u8>,
    columns: Columns,
    hasher: LeafHasher,
    run: Run,
}

#[derive(Default)]
struct Buffer {
    /// Longer than what was read last: it is not zeroed before each read. (With the bodies of frames, which are not
    /// either, `verify` of 16 KiB payloads went from 2.75 to 3.0 GB/s on two cores.)
    bytes: Vec<u8>,
    len: usize,
    start: u64,
}

impl Buffer {
    /// `len` bytes at `position`, or what the file has of them; reads on to `until` at once.
    fn at(&mut self, source: &Source, position: u64, len: u64, until: u64) -> Result<&[u8]> {
        if position < self.start || position + len > self.start + self.len as u64 {
            let ahead = until.saturating_sub(position).min(STRETCH_BYTES);
            let want = ahead.max(len).min(source.end.saturating_sub(position));
            self.len = 0;
            if self.bytes.len() < want as usize {
                self.bytes.resize(want as usize, 0);
            }
            self.len = source.read(&mut self.bytes[..want as usize], position)?;
            self.start = position;
        }
        let from = (position - self.start) as usize;
        let to = (from + len as usize).min(self.len);
        Ok(&self.bytes[from.min(to)..to])
    }
}

/// Data frames whose records follow one another: their nodes are hashed together, which fills the kernels.
#[derive(Default)]
struct Run {
    first: u64,
    leaves: Vec<Hash>,
    /// Places in [`Stretch::facts`].
    facts: Vec<usize>,
    subtrees: Subtrees,
}

impl Run {
    fn end(&self) -> u64 {
        self.first + self.leaves.len() as u64
    }

    /// Hashes the nodes and compares the seals of the frames in the run.
    fn finish(&mut self, keys: &Keys, out: &mut Stretch) {
        self.subtrees.build(keys, self.first, &self.leaves);
        for &at in &self.facts {
            let Some(fact) = out.facts.get_mut(at) else { continue };
            let header = &fact.header;
            let start = out.nodes.len();
            self.subtrees.nodes(header.first_offset, header.end_offset(), &mut out.nodes);
            let nodes = &out.nodes[start..];
            let (a, b) = (header.first_offset, header.end_offset());
            let seal = hash::frame_seal(keys, header.flags.0, header.epoch, a, b, &header.head, nodes);
            fact.damage = frame::check_seal(&seal, &header.seal).err();
            if let Content::Records(_, range) = &mut fact.content {
                *range = start..out.nodes.len();
            }
        }
        self.leaves.clear();
        self.facts.clear();
    }
}

impl Worker {
    /// Rehashes the frames that start in `span`. The first must start at `span.start`; the last may end behind it.
    pub fn rehash(&mut self, keys: &Keys, source: &Source, span: Range<u64>) -> Result<Stretch> {
        let mut out = Stretch { end: span.start, stuck: false, facts: Vec::new(), nodes: Vec::new() };
        self.buffer.len = 0;
        while out.end < span.end {
            let position = out.end;
            let bytes = self.buffer.at(source, position, FRAME_HEADER_LEN as u64, span.end)?;
            let header = FrameHeader::parse(bytes, &source.frame_key, position);
            let Some(header) = header.filter(|h| position + h.frame_len() <= source.end) else {
                out.stuck = true;
                break;
            };
            let len = header.frame_len();
            let bytes = self.buffer.at(source, position, len, span.end)?;
            if (bytes.len() as u64) < len {
                out.stuck = true;
                break;
            }
            let part = Part { raw: &mut self.raw, columns: &mut self.columns, hasher: &mut self.hasher };
            let content = part.frame(keys, &header, bytes, &mut self.run, &mut out);
            let (content, damage) = match content {
                Ok(content) => (content, None),
                Err(damage) => (Content::Unknown, Some(damage)),
            };
            if matches!(content, Content::Records(..)) {
                self.run.facts.push(out.facts.len());
            }
            out.facts.push(Fact { position, header, content, damage });
            out.end += len;
        }
        self.run.finish(keys, &mut out);
        self.give_back();
        Ok(out)
    }

    fn give_back(&mut self) {
        for buffer in [&mut self.buffer.bytes, &mut self.raw] {
            if buffer.capacity() > KEPT_BYTES {
                *buffer = Vec::new();
            }
        }
    }
}

/// What looking into one frame needs of a worker.
struct Part<'a> {
    raw: &'a mut Vec<u8>,
    columns: &'a mut Columns,
    hasher: &'a mut LeafHasher,
}

impl Part<'_> {
    fn frame(
        self,
        keys: &Keys,
        header: &FrameHeader,
        bytes: &[u8],
        run: &mut Run,
        out: &mut Stretch,
    ) -> Result<Content, FrameDamage> {
        let stored = frame::stored_body(header, bytes)?;
        if header.flags.state() {
            if header.epoch != EPOCH {
                let damage = FrameDamage::contradiction("the frame's key epoch is unknown", EPOCH, header.epoch);
                return Err(FrameDamage { newer: true, ..damage });
            }
            let state = Replay::from_state(keys, header, stored)?;
            return Ok(Content::State(state.peaks, state.last_time));
        }
        let raw = frame::raw_body(header, stored, self.raw)?;
        let body = frame::decode(header, raw, self.columns)?;
        let records: Vec<RecordRef<'_>> = body.records().collect();
        if header.first_offset != run.end() || run.leaves.len() >= LEAVES_MAX || run.leaves.is_empty() {
            run.finish(keys, out);
            run.first = header.first_offset;
        }
        self.hasher.leaves(keys, header.first_offset, &records, &mut run.leaves);
        Ok(Content::Records(records.last().map_or(header.base_time, |record| record.time), 0..0))
    }
}
