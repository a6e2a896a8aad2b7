//! Large byte buffers that are used again, by all logs of the process.
//!
//! The allocator gives a freed megabyte back to the system, and the next one comes in fresh pages: touching them costs
//! more than copying into them. Submissions are copied on the event loop, so that is where it was paid: a quarter of
//! its time with batches of 4,000 records of 256 B (perf: 12 % of all samples were page faults there).
//!
//! Invariant: what is kept is bounded, by [`KEPT_BYTES_MAX`] for the whole process.

use std::ops::{Deref, DerefMut};

use parking_lot::Mutex;

/// Smaller ones are the allocator's: it keeps them.
const KEPT_LEAST: usize = 64 << 10;
/// Larger ones are rare.
const KEPT_MOST: usize = 4 << 20;
/// Capacity of all that wait to be used again.
const KEPT_BYTES_MAX: usize = 16 << 20;

static KEPT: Mutex<Kept> = Mutex::new(Kept::new());

struct Kept {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

impl Kept {
    const fn new() -> Self {
        Self { buffers: Vec::new(), bytes: 0 }
    }

    /// The last one given back with this capacity.
    fn take(&mut self, capacity: usize) -> Option<Vec<u8>> {
        let place = self.buffers.iter().rposition(|buffer| buffer.capacity() == capacity)?;
        self.bytes -= capacity;
        Some(self.buffers.swap_remove(place))
    }

    fn give(&mut self, mut buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        if self.bytes + capacity <= KEPT_BYTES_MAX {
            buffer.clear();
            self.bytes += capacity;
            self.buffers.push(buffer);
        }
    }
}

/// A vector whose memory is kept when it is dropped.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Buffer(Vec<u8>);

impl Buffer {
    /// An empty one with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        if !(KEPT_LEAST..=KEPT_MOST).contains(&capacity) {
            return Self(Vec::with_capacity(capacity));
        }
        // Few sizes, so that one log's buffers fit another's needs.
        let capacity = capacity.next_power_of_two();
        let kept = KEPT.lock().take(capacity);
        Self(kept.unwrap_or_else(|| Vec::with_capacity(capacity)))
    }
}

impl From<&[u8]> for Buffer {
    fn from(bytes: &[u8]) -> Self {
        let mut buffer = Self::with_capacity(bytes.len());
        buffer.extend_from_slice(bytes);
        buffer
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;
    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let capacity = self.0.capacity();
        if !(KEPT_LEAST..=KEPT_MOST).contains(&capacity) || !capacity.is_power_of_two() {
            return;
        }
        KEPT.lock().give(std::mem::take(&mut self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_and_comes_back_empty() {
        let mut kept = Kept::new();
        kept.give(Vec::with_capacity(1 << 20));
        let mut buffer = Vec::with_capacity(1 << 17);
        buffer.extend_from_slice(b"old");
        let place = buffer.as_ptr();
        kept.give(buffer);
        let again = kept.take(1 << 17);
        assert!(again.is_some_and(|buffer| buffer.is_empty() && buffer.as_ptr() == place));
        assert!(kept.take(1 << 17).is_none());
        assert_eq!(kept.bytes, 1 << 20);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut kept = Kept::new();
        for _ in 0..40 {
            kept.give(Vec::with_capacity(1 << 20));
        }
        assert_eq!((kept.bytes, kept.buffers.len()), (KEPT_BYTES_MAX, KEPT_BYTES_MAX >> 20));
    }

    #[test]
    fn any_capacity_is_given() {
        for capacity in [0, 1, KEPT_LEAST - 1, KEPT_LEAST, 100_000, KEPT_MOST, KEPT_MOST + 1] {
            for _ in 0..3 {
                let buffer = Buffer::with_capacity(capacity);
                assert!(buffer.is_empty() && buffer.capacity() >= capacity);
            }
        }
    }
}
