//! Options of a log, with their defaults and limits. The facade checks them too and names the option; these checks
//! guard the engine against any other caller.

use std::time::Duration;

use crate::error::{Error, HeadClaim, Result};

/// Least `segment_bytes`: 64 KiB.
pub const SEGMENT_BYTES_MIN: u64 = 64 * 1024;
/// Largest `segment_bytes`: 64 GiB, so that index entries fit (docs/FORMAT.md, "Index").
pub const SEGMENT_BYTES_MAX: u64 = 64 << 30;
/// Default `segment_bytes`: 256 MiB.
pub const SEGMENT_BYTES_DEFAULT: u64 = 256 << 20;
/// Largest `max_record_bytes`: 1 GiB.
pub const RECORD_BYTES_MAX: u32 = 1 << 30;
/// Default `max_record_bytes`: 16 MiB.
pub const RECORD_BYTES_DEFAULT: u32 = 16 << 20;
/// Default `cache_bytes`: 8 MiB.
pub const CACHE_BYTES_DEFAULT: u64 = 8 << 20;
/// Least and largest length of a secret, bytes.
pub const SECRET_BYTES: std::ops::RangeInclusive<usize> = 32..=1024;
/// Longest encoding name, bytes of UTF-8.
pub const ENCODING_NAME_MAX: usize = 255;
/// The encoding that opens every log.
pub const ENCODING_BUFFER: &str = "buffer";

/// Codec for new frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Frames are stored as they are.
    None,
    /// LZ4 block format, kept only where it shrinks a frame.
    #[default]
    Lz4,
}

/// When an append resolves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// After the sync that covers it.
    #[default]
    Disk,
    /// After the write; synced at rotation, `flush` and `close`.
    Os,
}

/// How to open a log.
#[derive(Clone)]
pub struct Options {
    /// Name of the encoding; stored in a new log. Default "buffer", which opens any log.
    pub encoding: String,
    /// Codec for new frames. Default LZ4.
    pub compression: Compression,
    /// When an append resolves. Default after the sync.
    pub durability: Durability,
    /// Size at which a segment is sealed, bytes. Default 256 MiB, least 64 KiB.
    pub segment_bytes: u64,
    /// Largest payload, bytes. Default 16 MiB.
    pub max_record_bytes: u32,
    /// Memory for recently read frames, bytes. Default 8 MiB.
    pub cache_bytes: u64,
    /// 32 to 1,024 bytes that key the seals. Default none.
    pub secret: Option<Vec<u8>>,
    /// Refuse unless the log contains this head. Default none.
    pub expect_head: Option<HeadClaim>,
    /// How long to wait for another writer. Default zero.
    pub lock_timeout: Duration,
    /// Create a log where there is none. Default true.
    pub create_if_missing: bool,
    /// Refuse where there is one. Default false.
    pub error_if_exists: bool,
    /// No lock, no repair, no writes. Default false.
    pub read_only: bool,
    /// Thresholds that users do not set.
    pub tuning: Tuning,
}

/// Thresholds that were found by measuring. No option of the published API: tests lower them, so that a small log meets
/// what takes megabytes in a large one.
#[derive(Debug, Clone, Copy)]
pub struct Tuning {
    /// Bytes of frames after which a state frame is written. Default 16 MiB.
    pub state_bytes: u64,
    /// So many small groups in a row show that more will come: then space is filled ahead. Default 64.
    pub prefill_groups: u32,
    /// Groups of so many bytes go past the page cache, where that can be. Default 256 KiB.
    pub direct_bytes: u64,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { state_bytes: 16 << 20, prefill_groups: 64, direct_bytes: 256 << 10 }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            encoding: ENCODING_BUFFER.to_owned(),
            compression: Compression::default(),
            durability: Durability::default(),
            segment_bytes: SEGMENT_BYTES_DEFAULT,
            max_record_bytes: RECORD_BYTES_DEFAULT,
            cache_bytes: CACHE_BYTES_DEFAULT,
            secret: None,
            expect_head: None,
            lock_timeout: Duration::ZERO,
            create_if_missing: true,
            error_if_exists: false,
            read_only: false,
            tuning: Tuning::default(),
        }
    }
}

impl Options {
    /// Refuses what no log can have.
    pub fn check(&self) -> Result<()> {
        let invalid = |message: String| Err(Error::Invalid(message));
        if !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&self.segment_bytes) {
            return invalid(format!(
                "segmentBytes must be {SEGMENT_BYTES_MIN} to {SEGMENT_BYTES_MAX}, got {}",
                self.segment_bytes
            ));
        }
        if self.max_record_bytes > RECORD_BYTES_MAX {
            return invalid(format!(
                "maxRecordBytes must be at most {RECORD_BYTES_MAX}, got {}",
                self.max_record_bytes
            ));
        }
        check_secret(self.secret.as_deref())?;
        if self.encoding.is_empty() || self.encoding.len() > ENCODING_NAME_MAX {
            return invalid(format!(
                "the encoding's name must be 1 to {ENCODING_NAME_MAX} bytes of UTF-8, got {}",
                self.encoding.len()
            ));
        }
        Ok(())
    }
}

/// Refuses a secret that is shorter or longer than [`SECRET_BYTES`]; none is fine.
pub fn check_secret(secret: Option<&[u8]>) -> Result<()> {
    match secret.map(<[u8]>::len) {
        Some(len) if !SECRET_BYTES.contains(&len) => {
            let (least, most) = (SECRET_BYTES.start(), SECRET_BYTES.end());
            Err(Error::Invalid(format!("secret must be {least} to {most} bytes, got {len}")))
        }
        _ => Ok(()),
    }
}
