//! The bytes of a part, which stand in memory as they will stand in the blocks of their file: a direct write, whose address
//! and position are both a block's, then takes them from where they were encoded.
//!
//! Invariant: what is told of the bytes never depends on where they stand. Memory that moved while it grew is no error,
//! only not [`Placed::blocks`].

use std::ops::{Deref, DerefMut};

use crate::buffers::Buffer;
use crate::disk::DIRECT_ALIGN;

/// A part's bytes, with room for what stands before them in their first block.
#[derive(Default)]
pub struct Placed {
    memory: Buffer,
    /// Where the bytes begin.
    start: usize,
}

impl Placed {
    /// None yet, with room for `capacity`; they are not for direct writes.
    pub fn anywhere(capacity: usize) -> Self {
        Self { memory: Buffer::with_capacity(capacity), start: 0 }
    }

    /// None yet, with room for `capacity` and what fills their first and last block; the first will stand at `position`.
    pub fn at(position: u64, capacity: usize) -> Self {
        let mut memory = Buffer::with_capacity(capacity + 3 * DIRECT_ALIGN);
        let start = memory.as_ptr().align_offset(DIRECT_ALIGN) + (position % DIRECT_ALIGN as u64) as usize;
        memory.resize(start, 0);
        Self { memory, start }
    }

    /// Where an encoder appends to them.
    pub fn out(&mut self) -> &mut Vec<u8> {
        &mut self.memory
    }

    /// Where they begin in what [`Placed::out`] gives.
    pub fn start(&self) -> usize {
        self.start
    }

    /// Adds zeros that are no part of them; [`Placed::unpad`] takes them away.
    pub fn pad(&mut self, zeros: usize) {
        let len = self.memory.len();
        self.memory.resize(len + zeros, 0);
    }

    /// Cuts them to `len`.
    pub fn unpad(&mut self, len: usize) {
        self.memory.truncate(self.start + len);
    }

    /// `before`, which stands before them in their first block, and the bytes, in memory that begins as a block does.
    /// None where it does not.
    pub fn blocks(&mut self, before: &[u8]) -> Option<&[u8]> {
        let from = self.start.checked_sub(before.len())?;
        if self.memory[from..].as_ptr().align_offset(DIRECT_ALIGN) != 0 {
            return None;
        }
        self.memory[from..self.start].copy_from_slice(before);
        Some(&self.memory[from..])
    }
}

impl Deref for Placed {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.memory[self.start..]
    }
}

impl DerefMut for Placed {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn bytes_stand_in_blocks_behind_what_is_before_them() {
        for position in [4096, 4160, 8191] {
            let mut part = Placed::at(position, 10);
            part.out().extend_from_slice(b"abc");
            let before = vec![7; position as usize % DIRECT_ALIGN];
            part.pad(2);
            let blocks = part.blocks(&before).unwrap();
            assert_eq!(blocks.as_ptr().align_offset(DIRECT_ALIGN), 0);
            assert_eq!(blocks, [&before[..], b"abc\0\0"].concat());
            part.unpad(3);
            assert_eq!(&*part, b"abc");
        }
    }

    #[test]
    fn bytes_that_stand_elsewhere_are_the_same_and_no_blocks() {
        let mut part = Placed::anywhere(10);
        part.out().extend_from_slice(b"abc");
        assert_eq!(part.blocks(&[1; 64]), None);
        assert_eq!(&*part, b"abc");
        let mut part = Placed::at(4096, 10);
        part.out().extend_from_slice(b"abc");
        assert_eq!(part.blocks(&[1; 64]), None, "they were placed for another position");
        assert_eq!(&*part, b"abc");
    }
}
