//! What can be wrong with a frame, in words and with what was expected and found.
//!
//! Invariant: `torn` is said only of what an interrupted write explains, because recovery may cut that.

use crate::compress::CodecError;
use crate::record::BodyError;

/// What is wrong with a frame whose header check holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameDamage {
    /// In words.
    pub what: String,
    /// True when bytes were damaged (a torn write can do that); false when intact bytes contradict the chain.
    pub torn: bool,
    /// True when a newer version wrote it.
    pub newer: bool,
    /// Expected and found, where both are short.
    pub versus: Option<(String, String)>,
}

impl FrameDamage {
    /// The file ends inside the frame.
    pub fn cut_short(expected: u64, found: u64) -> Self {
        Self::torn("the frame is cut short", expected, found)
    }

    /// Bytes that are not those that were written.
    pub(super) fn torn(what: &str, expected: impl ToString, found: impl ToString) -> Self {
        Self { what: what.into(), torn: true, newer: false, versus: Some((expected.to_string(), found.to_string())) }
    }

    /// Intact bytes that contradict others.
    pub fn contradiction(what: &str, expected: impl ToString, found: impl ToString) -> Self {
        Self { torn: false, ..Self::torn(what, expected, found) }
    }

    /// An intact body that its codec refuses.
    pub(super) fn undecompressable(error: &CodecError) -> Self {
        Self { what: format!("the frame's body does not decompress: {error}"), torn: false, newer: false, versus: None }
    }

    /// An intact body whose columns are refused.
    pub(super) fn undecodable(error: &BodyError) -> Self {
        let newer = matches!(error, BodyError::Unsupported { .. });
        // The checksum held, so these are the bytes that were written.
        Self { what: format!("the frame's body does not decode: {error}"), torn: false, newer, versus: None }
    }
}
