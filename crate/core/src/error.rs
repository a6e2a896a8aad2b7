//! Every way the engine can fail, as one enum.
//!
//! Messages carry the numbers (path, position, expected, found) and say what the caller can do.
//! Errors are `Clone`: the first failure of a log is given to every waiter and kept as the cause of later refusals.

use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the engine returns everywhere.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A log's size and the hash that commits to its first `size` records, with the log's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadClaim {
    /// The log's random id.
    pub id: [u8; 32],
    /// How many records the hash commits to.
    pub size: u64,
    /// `head(size)` as in docs/FORMAT.md.
    pub hash: [u8; 32],
}

impl std::fmt::Display for HeadClaim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", hex(&self.id), self.size, hex(&self.hash))
    }
}

/// Who holds a log's writer lock, as far as the lock file tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// Host name at the time the lock was taken.
    pub host: String,
    /// True when the holder is this very process.
    pub this_process: bool,
}

/// Where something on disk is wrong, and what was expected there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Damage {
    /// What is wrong, in words.
    pub what: String,
    /// The log's folder or the damaged file.
    pub path: PathBuf,
    /// File name of the segment, where one is concerned.
    pub segment: Option<String>,
    /// Byte position in that file.
    pub position: Option<u64>,
    /// Record offset, where known.
    pub offset: Option<u64>,
    /// What should have been there.
    pub expected: Option<String>,
    /// What is there.
    pub found: Option<String>,
}

impl Damage {
    /// Damage at `path`; the other facts are added with the builder methods.
    pub fn new(what: impl Into<String>, path: &Path) -> Self {
        let segment = path.file_name().map(|name| name.to_string_lossy().into_owned());
        Self { what: what.into(), path: path.to_owned(), segment, ..Self::default() }
    }
    /// Names the byte position in the file.
    #[must_use]
    pub fn at(mut self, position: u64) -> Self {
        self.position = Some(position);
        self
    }
    /// Names the record offset.
    #[must_use]
    pub fn offset(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }
    /// Names what was expected and what was found.
    #[must_use]
    pub fn versus(mut self, expected: impl ToString, found: impl ToString) -> Self {
        self.expected = Some(expected.to_string());
        self.found = Some(found.to_string());
        self
    }
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in {}", self.what, self.path.display())?;
        if let Some(position) = self.position {
            write!(f, " at position {position}")?;
        }
        if let Some(offset) = self.offset {
            write!(f, " (record {offset})")?;
        }
        if let (Some(expected), Some(found)) = (&self.expected, &self.found) {
            write!(f, ": expected {expected}, found {found}")?;
        }
        Ok(())
    }
}

/// Every failure of the engine. [`Error::code`] is stable; messages are free to improve.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Used after `close`.
    #[error("the log in {} is closed; open it again to go on", .path.display())]
    Closed {
        /// The log's folder.
        path: PathBuf,
    },
    /// The files contradict themselves before the attested point.
    #[error("{0}; nothing was changed. `verify` lists all damage")]
    Corrupt(Box<Damage>),
    /// Another encoding than the log was created with.
    #[error("the log in {} stores encoding \"{stored}\", not \"{given}\"; open it with \"{stored}\", or with \"buffer\" for the raw bytes", .path.display())]
    EncodingMismatch {
        /// The log's folder.
        path: PathBuf,
        /// Name in the segment header.
        stored: String,
        /// Name given to open.
        given: String,
    },
    /// `errorIfExists` and there is a log.
    #[error("{} already holds a log; open it without errorIfExists or choose another folder", .path.display())]
    Exists {
        /// The log's folder.
        path: PathBuf,
    },
    /// The log stopped after an earlier failure.
    #[error("the log in {} stopped after an earlier failure and takes no appends; nothing of this call was taken. Close and open it to recover (first failure: {cause})", .path.display())]
    Failed {
        /// The log's folder.
        path: PathBuf,
        /// The failure that stopped it.
        cause: Arc<Error>,
    },
    /// The log does not contain the head that the caller holds.
    #[error("the log in {} does not contain the expected head: {what}; expected {expected}, found {found}. Nothing was changed. Either this is another log or an older copy, or records were removed or rewritten", .path.display())]
    HeadMismatch {
        /// The log's folder.
        path: PathBuf,
        /// In what respect they differ.
        what: &'static str,
        /// The caller's head.
        expected: Box<HeadClaim>,
        /// What the log states instead: `id:size:hash`, or that there is no log.
        found: String,
    },
    /// The operating system reported a failure.
    #[error("{syscall} failed on {}: {source}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Name of the operation, as in the system's manual.
        syscall: &'static str,
        /// The system's error.
        source: Arc<std::io::Error>,
    },
    /// Misuse: an argument out of its range.
    #[error("{0}")]
    Invalid(String),
    /// Another writer has the log.
    #[error("the log in {} is open for writing {}; close it there{advice}", .path.display(), holder_words(.holder.as_ref()))]
    Locked {
        /// The log's folder.
        path: PathBuf,
        /// Last holder that the lock file names.
        holder: Option<Holder>,
        /// What else the call offers, as the message goes on: `", or …"`.
        advice: &'static str,
    },
    /// No log there.
    #[error("there is no log in {}; check the path{advice}", .path.display())]
    NotFound {
        /// The folder.
        path: PathBuf,
        /// What else the call offers, as the message goes on: `", or …"`.
        advice: &'static str,
    },
    /// Written on a log opened with `readOnly`.
    #[error("the log in {} is open with readOnly; open it without to append", .path.display())]
    ReadOnly {
        /// The log's folder.
        path: PathBuf,
    },
    /// A newer format, an unknown feature or record kind.
    #[error("{0}; a newer version of varve wrote it: update varve. Nothing was changed")]
    Unsupported(Box<Damage>),
    /// The secret is wrong, missing, or given for a plain log.
    #[error("{what} for the log in {}; nothing was changed", .path.display())]
    WrongSecret {
        /// The log's folder.
        path: PathBuf,
        /// Which of the three.
        what: &'static str,
    },
    /// A defect of varve itself: a panic was caught before it could reach the host.
    #[error("internal error in varve (please report it): {0}")]
    Internal(String),
    /// The caller asked to stop.
    #[error("aborted")]
    Aborted,
}

fn holder_words(holder: Option<&Holder>) -> String {
    match holder {
        Some(h) if h.this_process => format!("in this process (pid {})", h.pid),
        Some(h) => format!("in another process (last known: pid {} on host {})", h.pid, h.host),
        None => "elsewhere (the lock file names no holder)".to_owned(),
    }
}

impl Error {
    /// A failed system call on `path`.
    pub fn io(syscall: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), syscall, source: Arc::new(source) }
    }

    /// No log in `path`, for a call that could not have made one.
    pub fn not_found(path: &Path) -> Self {
        Self::NotFound { path: path.to_owned(), advice: "" }
    }

    /// Damage as an error.
    pub fn corrupt(damage: Damage) -> Self {
        Self::Corrupt(Box::new(damage))
    }

    /// A format newer than this code as an error.
    pub fn unsupported(damage: Damage) -> Self {
        Self::Unsupported(Box::new(damage))
    }

    /// The stable code that users see: the one mapping from errors to `VARVE_*`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Closed { .. } => "VARVE_CLOSED",
            Self::Corrupt(_) => "VARVE_CORRUPT",
            Self::EncodingMismatch { .. } => "VARVE_ENCODING_MISMATCH",
            Self::Exists { .. } => "VARVE_EXISTS",
            // A panic that was caught leaves the log's memory in doubt: for the user the log has failed.
            Self::Failed { .. } | Self::Internal(_) => "VARVE_FAILED",
            Self::HeadMismatch { .. } => "VARVE_HEAD_MISMATCH",
            Self::Io { .. } => "VARVE_IO",
            Self::Invalid(_) => "VARVE_INVALID",
            Self::Locked { .. } => "VARVE_LOCKED",
            Self::NotFound { .. } => "VARVE_NOT_FOUND",
            Self::ReadOnly { .. } => "VARVE_READ_ONLY",
            Self::Unsupported(_) => "VARVE_UNSUPPORTED",
            Self::WrongSecret { .. } => "VARVE_WRONG_SECRET",
            Self::Aborted => "ABORTED",
        }
    }

    /// The damage that `Corrupt` and `Unsupported` carry.
    pub fn damage(&self) -> Option<&Damage> {
        match self {
            Self::Corrupt(damage) | Self::Unsupported(damage) => Some(damage),
            _ => None,
        }
    }

    /// The file or folder concerned, where one is.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Closed { path }
            | Self::EncodingMismatch { path, .. }
            | Self::Exists { path }
            | Self::Failed { path, .. }
            | Self::HeadMismatch { path, .. }
            | Self::Io { path, .. }
            | Self::Locked { path, .. }
            | Self::NotFound { path, .. }
            | Self::ReadOnly { path }
            | Self::WrongSecret { path, .. } => Some(path),
            Self::Corrupt(damage) | Self::Unsupported(damage) => Some(&damage.path),
            Self::Invalid(_) | Self::Internal(_) | Self::Aborted => None,
        }
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
