//! Frames that were read lately, decoded, so that random reads of neighbours cost no I/O.

use std::sync::{Arc, OnceLock};

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::format::FrameHeader;
use crate::frame::FrameDamage;
use crate::record::{Body, Columns};

/// A decoded frame that owns its memory.
pub struct Frame {
    /// Its header.
    pub header: FrameHeader,
    raw: Box<[u8]>,
    columns: Columns,
}

impl Frame {
    /// Decodes the stored body of a data frame.
    pub fn decode(header: FrameHeader, stored: &[u8]) -> Result<Self, FrameDamage> {
        let (mut scratch, mut columns) = (Vec::new(), Columns::default());
        let raw = crate::frame::raw_body(&header, stored, &mut scratch)?;
        crate::frame::decode(&header, raw, &mut columns)?;
        // What was decompressed into memory of its own stays there.
        let stored = if scratch.is_empty() { stored.into() } else { Box::default() };
        let raw = if scratch.is_empty() { stored } else { scratch.into_boxed_slice() };
        Ok(Self { header, raw, columns })
    }

    /// The frame's records.
    pub fn body(&self) -> Option<Body<'_>> {
        self.columns.body(&self.raw)
    }
}

/// Segment number and position.
type Key = (u32, u64);

#[derive(Clone)]
struct Bytes;

impl Weighter<Key, Arc<Frame>> for Bytes {
    fn weight(&self, _: &Key, frame: &Arc<Frame>) -> u64 {
        (frame.raw.len() + frame.columns.memory() + size_of::<Frame>()) as u64
    }
}

/// The cache of one log. Nothing is allocated until the first read.
pub struct FrameCache {
    bytes_max: u64,
    frames: OnceLock<Cache<Key, Arc<Frame>, Bytes>>,
}

impl FrameCache {
    /// A cache of at most `bytes_max` bytes; 0 keeps nothing.
    pub fn new(bytes_max: u64) -> Self {
        Self { bytes_max, frames: OnceLock::new() }
    }

    /// The frame at a position, from memory or from `load`.
    pub fn get<E>(&self, key: Key, load: impl FnOnce() -> Result<Frame, E>) -> Result<Arc<Frame>, E> {
        if self.bytes_max == 0 {
            return load().map(Arc::new);
        }
        let frames = self.frames.get_or_init(|| {
            let about = self.bytes_max / crate::format::FRAME_BODY_TARGET as u64;
            Cache::with_weighter(about.clamp(16, 4096) as usize, self.bytes_max, Bytes)
        });
        if let Some(frame) = frames.get(&key) {
            return Ok(frame);
        }
        let frame = Arc::new(load()?);
        frames.insert(key, Arc::clone(&frame));
        Ok(frame)
    }
}
