//! Codec 0: bodies as they are.

use super::{Codec, CodecError, Scratch};

/// Stores bodies as they are.
pub struct Uncompressed;

impl Codec for Uncompressed {
    fn id(&self) -> u8 {
        0
    }

    fn name(&self) -> &'static str {
        "none"
    }

    fn compress(&self, _raw: &[u8], _out: &mut Vec<u8>, _scratch: &mut Scratch) -> bool {
        false
    }

    fn check_len(&self, stored: &[u8], raw_len: usize) -> Result<(), CodecError> {
        let found = stored.len();
        if found == raw_len { Ok(()) } else { Err(CodecError::Length { codec: self.name(), expected: raw_len, found }) }
    }

    fn decompress_into(&self, stored: &[u8], out: &mut [u8]) -> Result<(), CodecError> {
        self.check_len(stored, out.len())?;
        out.copy_from_slice(stored);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_bytes_come_back_and_another_length_is_refused() {
        let mut out = vec![1];
        assert!(!Uncompressed.compress(b"abc", &mut out, &mut Scratch::default()));
        assert_eq!(Uncompressed.decompress(b"abc", 3, &mut out), Ok(()));
        assert_eq!(out, [1, b'a', b'b', b'c']);
        let refused = Uncompressed.decompress(b"abc", 4, &mut out);
        assert_eq!(refused, Err(CodecError::Length { codec: "none", expected: 4, found: 3 }));
        assert_eq!(out.len(), 4);
    }
}
