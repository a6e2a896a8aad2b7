//! What a log's folder holds, told from headers, footers and marks: for `inspect` and the CLI.
//!
//! No lock is taken and nothing is written; a log that `open` refuses is described as far as it can be.

use std::path::Path;

use crate::error::{Error, HeadClaim, Holder, Result};
use crate::host::Host;

/// What `inspect` tells of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The durable end, as the files state it.
    pub head: HeadClaim,
    /// First offset that was not pruned.
    pub first_offset: u64,
    /// Name of the encoding.
    pub encoding: String,
    /// True when a secret keys the seals.
    pub keyed: bool,
    /// Who has the log open for writing now, as far as this system tells.
    pub locked_by: Option<Holder>,
    /// The segments with a name in the folder, ascending; the spare among them with no records.
    pub segments: Vec<SegmentInfo>,
}

/// One segment's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentInfo {
    /// File name.
    pub file: String,
    /// Offset of its first record.
    pub first_offset: u64,
    /// Number of its records; 0 where damage hides it.
    pub count: u64,
    /// Length of the file.
    pub bytes: u64,
    /// True when it ends with a sound footer.
    pub sealed: bool,
}

/// Describes the log in `dir`. Needs no secret. Blocks, briefly.
pub fn inspect(host: &Host, dir: &Path) -> Result<Info> {
    let _ = (host, dir);
    Err(Error::Internal("inspect is not built yet".to_owned()))
}
