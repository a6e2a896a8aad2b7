//! Verifying: everything that the files state is recomputed from the files, and every contradiction is reported.
//!
//! Nothing is locked and nothing is written, so it also works on a log that `open` refuses and on one that is being
//! written. Damage is never an error here: it is the result.

mod report;

use std::path::Path;

use crate::error::{Error, HeadClaim, Result};
use crate::host::Host;
use crate::log::Log;

pub use report::{Established, PROBLEMS_MAX, Problem, Report};

/// What to verify, and against what.
#[derive(Clone, Default)]
pub struct VerifyOptions {
    /// Segments that lie wholly below this offset are left out. Default 0: everything.
    pub from: u64,
    /// A head that the caller kept: the log must contain it. Default none.
    pub expect_head: Option<HeadClaim>,
    /// The log's secret, 32 to 1,024 bytes. An open log uses the one that it was opened with. Default none.
    pub secret: Option<Vec<u8>>,
}

/// Told how many of how many bytes are done, now and then and from the calling thread; false stops.
pub type Progress<'a> = dyn Fn(u64, u64) -> bool + Sync + 'a;

/// Verifies the log in `dir`, which may be damaged, closed, or open in this or another process; with a writer at work,
/// up to what it had made durable when the call began. Blocks; uses all cores.
///
/// Damage is in the report. Errors are: [`Error::NotFound`] where there is no log, [`Error::Io`],
/// [`Error::WrongSecret`], [`Error::Invalid`], [`Error::Aborted`] when `progress` said so.
pub fn verify_dir(host: &Host, dir: &Path, options: &VerifyOptions, progress: &Progress<'_>) -> Result<Report> {
    let _ = (host, dir, options, progress);
    Err(Error::Internal("verify is not built yet".to_owned()))
}

impl Log {
    /// Verifies this log's files up to its durable head, and compares them with that head as it is in memory: a tail
    /// that was cut under the open log is found. Otherwise like [`verify_dir`].
    pub fn verify(&self, options: &VerifyOptions, progress: &Progress<'_>) -> Result<Report> {
        let _ = (options, progress);
        Err(Error::Internal("verify is not built yet".to_owned()))
    }
}
