//! Little-endian fields in and out of byte slices, without a panic on any input.

use crate::planted::{Bug, planted};

/// Reads fields one after another; every read past the end gives `None`.
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
    pub fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(head)
    }
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }
    pub fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[b]| b)
    }
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}

/// Appends fields one after another.
pub trait Put {
    fn put(&mut self, bytes: &[u8]) -> &mut Self;
    fn put_u8(&mut self, value: u8) -> &mut Self {
        self.put(&[value])
    }
    fn put_u16(&mut self, value: u16) -> &mut Self {
        self.put(&value.to_le_bytes())
    }
    fn put_u32(&mut self, value: u32) -> &mut Self {
        self.put(&value.to_le_bytes())
    }
    fn put_u64(&mut self, value: u64) -> &mut Self {
        self.put(&value.to_le_bytes())
    }
}

impl Put for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) -> &mut Self {
        self.extend_from_slice(bytes);
        self
    }
}

/// The 8-byte check that binds `bytes` to a segment (through `key`) and to a position in a file.
pub fn check(key: &[u8; 32], bytes: &[u8], position: u64) -> [u8; 8] {
    let position = if planted(Bug::PositionNotBound) { 0 } else { position };
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(bytes).update(&position.to_le_bytes());
    let mut out = [0; 8];
    hasher.finalize_xof().fill(&mut out);
    out
}
