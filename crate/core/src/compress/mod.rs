//! Codecs for frame bodies: what each frame names by its codec byte.
//!
//! A codec is pure: bytes in, bytes out. The length of what comes out stands in the frame's checked header, and no
//! codec writes more than that or allocates more than the stored bytes can justify.

mod lz4;
mod none;
mod start;
pub mod team;

pub use lz4::Lz4;
pub use none::Uncompressed;
pub use start::Start;

use crate::lender::Lendable;
use crate::options::Compression;

/// One way to store a body.
pub trait Codec: Send + Sync {
    /// The codec byte of frames that use it.
    fn id(&self) -> u8;

    /// Its name, as `inspect` shows it.
    fn name(&self) -> &'static str;

    /// Appends the compressed form of `raw` to `out`. False, with `out` unchanged, when that would not be smaller.
    fn compress(&self, raw: &[u8], out: &mut Vec<u8>, scratch: &mut Scratch) -> bool;

    /// Refuses a length that `stored` cannot have, before anything is allocated.
    fn check_len(&self, stored: &[u8], raw_len: usize) -> Result<(), CodecError>;

    /// Fills `out` with what `stored` decompresses to; after an error it holds anything.
    fn decompress_into(&self, stored: &[u8], out: &mut [u8]) -> Result<(), CodecError>;

    /// Appends exactly `raw_len` bytes to `out`, or leaves it unchanged and says what is wrong with `stored`.
    fn decompress(&self, stored: &[u8], raw_len: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
        self.check_len(stored, raw_len)?;
        let start = out.len();
        out.resize(start + raw_len, 0);
        let done = self.decompress_into(stored, &mut out[start..]);
        if done.is_err() {
            out.truncate(start);
        }
        done
    }

    /// A way to decompress no more than the start of `stored`, where the codec has one. `out` is only a place to do it in:
    /// what it holds before and after has no meaning.
    fn start<'a>(
        &self,
        _stored: &'a [u8],
        _raw_len: usize,
        _out: &'a mut Vec<u8>,
    ) -> Result<Option<Start<'a>>, CodecError> {
        Ok(None)
    }
}

/// Memory that compressing needs and that is worth keeping from frame to frame; one per thread that compresses.
#[derive(Default)]
pub struct Scratch {
    lz4: lz4::Tables,
}

impl Lendable for Scratch {
    fn bytes(&self) -> usize {
        self.lz4.bytes()
    }
}

/// Why stored bytes do not decompress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// They are not what the codec writes, or want to grow beyond the stated length.
    #[error("the {codec} data is malformed")]
    Malformed {
        /// The codec's name.
        codec: &'static str,
    },
    /// They give another length than the header states.
    #[error("the {codec} data gives {found} bytes instead of {expected}")]
    Length {
        /// The codec's name.
        codec: &'static str,
        /// Length in the frame's header, bytes.
        expected: usize,
        /// Length they give, bytes.
        found: usize,
    },
}

static CODECS: [&dyn Codec; 2] = [&Uncompressed, &Lz4];

/// The codec that frames with this byte use; none where a newer version wrote it.
pub fn by_id(id: u8) -> Option<&'static dyn Codec> {
    CODECS.into_iter().find(|codec| codec.id() == id)
}

/// The codec for new frames.
pub fn for_option(compression: Compression) -> &'static dyn Codec {
    match compression {
        Compression::None => &Uncompressed,
        Compression::Lz4 => &Lz4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_the_format() {
        let names: Vec<_> = (0..=255).filter_map(by_id).map(|codec| (codec.id(), codec.name())).collect();
        assert_eq!(names, [(0, "none"), (1, "lz4")]);
        assert_eq!(for_option(Compression::None).id(), 0);
        assert_eq!(for_option(Compression::default()).id(), 1);
    }
}
