//! Frames that were read lately, decoded, so that random reads of neighbours cost no I/O.
//!
//! Invariant: nothing in it is ever out of date, because a durable frame never changes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::format::{FRAME_ALIGN, FRAME_BODY_TARGET, FrameHeader};
use crate::frame::FrameDamage;
use crate::hash::RecordRef;
use crate::record::Columns;

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

    /// The frame's record `index`, if it has one.
    pub fn record(&self, index: usize) -> Option<RecordRef<'_>> {
        self.columns.record(&self.raw, index)
    }
}

/// Segment number and position.
pub type Key = (u32, u64);

#[derive(Clone)]
struct Bytes;

impl Weighter<Key, Arc<Frame>> for Bytes {
    fn weight(&self, _: &Key, frame: &Arc<Frame>) -> u64 {
        (frame.raw.len() + frame.columns.memory() + size_of::<Frame>()) as u64
    }
}

/// The cache of one log. Nothing is allocated until the first read.
///
/// A frame is kept when it is asked for the second time. Where gets jump about in a log larger than the cache, most
/// frames would be thrown out before anybody asks again, and one record of a frame costs less than the whole frame
/// ([`crate::frame::with_record`]).
pub struct FrameCache {
    bytes_max: u64,
    kept: OnceLock<Kept>,
}

struct Kept {
    frames: Cache<Key, Arc<Frame>, Bytes>,
    /// Frames that were asked for lately, each in the place that its key hashes to.
    asked: Box<[AtomicU64]>,
}

impl FrameCache {
    /// A cache of at most `bytes_max` bytes; 0 keeps nothing.
    pub fn new(bytes_max: u64) -> Self {
        Self { bytes_max, kept: OnceLock::new() }
    }

    fn kept(&self) -> Option<&Kept> {
        let make = || {
            let about = (self.bytes_max / FRAME_BODY_TARGET as u64) as usize;
            // Twice as many as the cache holds frames: what comes back later than that, it would not hold so long.
            let places = (2 * about).next_power_of_two().clamp(64, 1 << 16);
            Kept {
                frames: Cache::with_weighter(about.clamp(16, 4096), self.bytes_max, Bytes),
                asked: (0..places).map(|_| AtomicU64::new(u64::MAX)).collect(),
            }
        };
        (self.bytes_max > 0).then(|| self.kept.get_or_init(make))
    }

    /// The frame at a position, if it is kept.
    pub fn get(&self, key: Key) -> Option<Arc<Frame>> {
        self.kept()?.frames.get(&key)
    }

    /// Whether the frame should be kept now that it is asked for.
    pub fn wants(&self, key: Key) -> bool {
        let Some(Kept { asked, .. }) = self.kept() else { return false };
        // Two frames that look the same here only make one of them kept earlier.
        let frame = (u64::from(key.0) << 32) ^ (key.1 / FRAME_ALIGN);
        let place = frame.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - asked.len().ilog2());
        asked.get(place as usize).is_some_and(|place| place.swap(frame, Ordering::Relaxed) == frame)
    }

    /// Keeps it.
    pub fn keep(&self, key: Key, frame: Arc<Frame>) {
        if let Some(kept) = self.kept() {
            kept.frames.insert(key, frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_wanted_when_it_is_asked_for_again_before_many_others() {
        let cache = FrameCache::new(8 << 20);
        let key = |frame: u64| (3, 4096 + 64 * frame);
        assert!(!cache.wants(key(0)));
        assert!(cache.wants(key(0)));
        let again = (1..200).filter(|&frame| cache.wants(key(frame))).count();
        assert_eq!(again, 0, "others are other frames");
        let others = (0..100_000).filter(|&frame| cache.wants((4, 64 * frame))).count();
        assert_eq!(others, 0);
        assert!(!cache.wants(key(0)), "that was long ago");
    }

    #[test]
    fn a_cache_of_no_bytes_wants_nothing() {
        let cache = FrameCache::new(0);
        assert!(!cache.wants((1, 4096)) && !cache.wants((1, 4096)));
        assert!(cache.get((1, 4096)).is_none());
    }
}
