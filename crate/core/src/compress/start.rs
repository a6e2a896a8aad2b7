//! The start of an LZ4 block, as far as somebody asks for it: a `get` wants one record, and what stands behind it in its
//! frame need not be decompressed. lz4_flex decompresses whole blocks only.
//!
//! Invariant: where lz4_flex decompresses a block, these are its first bytes. The tests compare the two on sound, cut
//! and edited blocks. Nothing is written but into `out`: a mistake would be an error or wrong bytes, never a stray write.

use super::{Codec, CodecError, Lz4};
use crate::planted::{Bug, planted};

/// A length of so much goes on in the bytes that follow.
const LITERALS_LONG: usize = 15;
const MATCH_LONG: usize = 19;
const MATCH_MIN: usize = 4;
/// Copied at once, of short ones and of long ones.
const STEP: usize = 16;
const LONG_STEP: usize = 32;

/// A block that is being decompressed.
pub struct Start<'a> {
    stored: &'a [u8],
    /// The next token.
    at: usize,
    /// As long as the block when it is decompressed.
    out: &'a mut [u8],
    /// Bytes of the block that stand in `out`; what stands behind them has no meaning.
    len: usize,
}

impl<'a> Start<'a> {
    /// Nothing of it yet.
    pub(super) fn new(stored: &'a [u8], out: &'a mut [u8]) -> Self {
        Self { stored, at: 0, out, len: 0 }
    }

    /// The first `want` bytes of the block, which is decompressed so far and hardly further.
    pub fn reach(&mut self, want: usize) -> Result<&[u8], CodecError> {
        let malformed = CodecError::Malformed { codec: Lz4.name() };
        let until = if planted(Bug::StartTooShort) { want / 2 } else { want };
        (self.at, self.len) = advance(self.stored, self.out, (self.at, self.len), until).ok_or(malformed)?;
        self.out.get(..want).ok_or(malformed)
    }
}

/// Goes on from the token at `at`, with `len` bytes done, until `want` are done; `None` where the block is malformed or ends
/// before that. (A function of plain values: as a method that keeps them in `self` it takes 1.15 times as long.)
///
/// Most literals and matches are short, so they are copied as 16 or 18 bytes whatever their length is, where there is
/// room: that takes neither a call nor a loop, and as long as lz4_flex takes.
fn advance(stored: &[u8], out: &mut [u8], (mut at, mut len): (usize, usize), want: usize) -> Option<(usize, usize)> {
    while len < want {
        // Literals, then a match; only the last literals have none.
        let token = usize::from(*stored.get(at)?);
        at += 1;
        let mut literals = token >> 4;
        if literals < LITERALS_LONG
            && let Some(from) = chunk::<STEP>(stored, at)
            && let Some(to) = chunk_mut::<STEP>(out, len)
        {
            *to = *from;
        } else {
            if literals == LITERALS_LONG {
                literals += long(stored, &mut at)?;
            }
            let from = stored.get(at..at + literals)?;
            out.get_mut(len..len + literals)?.copy_from_slice(from);
        }
        at += literals;
        len += literals;
        if at == stored.len() {
            break;
        }
        let distance = usize::from(u16::from_le_bytes(*chunk(stored, at)?));
        at += 2;
        let mut length = (token & 15) + MATCH_MIN;
        if length < MATCH_LONG && distance >= STEP && len + STEP + 2 <= out.len() {
            let from = len.checked_sub(distance)?;
            copy::<STEP>(out, from, len)?;
            copy::<2>(out, from + STEP, len + STEP)?;
            len += length;
            continue;
        }
        if length == MATCH_LONG {
            length += long(stored, &mut at)?;
        }
        let from = len.checked_sub(distance).filter(|_| distance > 0)?;
        if distance >= LONG_STEP && len + length + LONG_STEP <= out.len() {
            let mut done = 0;
            while done < length {
                copy::<LONG_STEP>(out, from + done, len + done)?;
                done += LONG_STEP;
            }
        } else {
            repeat(out, from, len, length)?;
        }
        len += length;
    }
    (len >= want).then_some((at, len))
}

#[inline(always)]
fn copy<const N: usize>(out: &mut [u8], from: usize, to: usize) -> Option<()> {
    let bytes = *chunk::<N>(out, from)?;
    *chunk_mut(out, to)? = bytes;
    Some(())
}

#[inline(always)]
fn chunk<const N: usize>(bytes: &[u8], at: usize) -> Option<&[u8; N]> {
    bytes.get(at..)?.first_chunk()
}

#[inline(always)]
fn chunk_mut<const N: usize>(bytes: &mut [u8], at: usize) -> Option<&mut [u8; N]> {
    bytes.get_mut(at..)?.first_chunk_mut()
}

/// The rest of a length: bytes up to the first that is not 255.
#[inline(always)]
fn long(stored: &[u8], at: &mut usize) -> Option<usize> {
    let mut sum = 0;
    loop {
        let byte = *stored.get(*at)?;
        *at += 1;
        sum += usize::from(byte);
        if byte != u8::MAX {
            return Some(sum);
        }
    }
}

/// Copies `length` bytes from `from` to `to`, close behind it: what was copied is copied again, each time twice as much.
fn repeat(out: &mut [u8], from: usize, to: usize, length: usize) -> Option<()> {
    let out = out.get_mut(..to + length)?;
    let mut at = to;
    while at < out.len() {
        let some = (at - from).min(out.len() - at);
        out.copy_within(from..from + some, at);
        at += some;
    }
    Some(())
}

#[cfg(test)]
mod tests;
