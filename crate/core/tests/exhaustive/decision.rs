//! Which row of the table a recovery took, told from its outcome.

use std::collections::BTreeMap;
use std::path::PathBuf;

use varve_core::error::Error;
use varve_core::options::Options;
use varve_core::simulation::SimWorld;

use crate::small::{self, lock};

/// The rows of the table in docs/DURABILITY.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    ReadError,
    FileMissing,
    Newer,
    WrongSecret,
    BadHeader,
    Foreign,
    Spare,
    TornHeader,
    SuccessorLost,
    Disagree,
    SealNow,
    UnsealedDamaged,
    Contradiction,
    HeadMismatch,
    Lost,
    TornTail,
    NoSideFile,
    Clean,
}

impl Row {
    pub const ALL: [Self; 18] = [
        Self::ReadError,
        Self::FileMissing,
        Self::Newer,
        Self::WrongSecret,
        Self::BadHeader,
        Self::Foreign,
        Self::Spare,
        Self::TornHeader,
        Self::SuccessorLost,
        Self::Disagree,
        Self::SealNow,
        Self::UnsealedDamaged,
        Self::Contradiction,
        Self::HeadMismatch,
        Self::Lost,
        Self::TornTail,
        Self::NoSideFile,
        Self::Clean,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::ReadError => "read-error",
            Self::FileMissing => "file-missing",
            Self::Newer => "newer",
            Self::WrongSecret => "wrong-secret",
            Self::BadHeader => "bad-header",
            Self::Foreign => "foreign",
            Self::Spare => "spare",
            Self::TornHeader => "torn-header",
            Self::SuccessorLost => "successor-lost",
            Self::Disagree => "disagree",
            Self::SealNow => "seal-now",
            Self::UnsealedDamaged => "unsealed-damaged",
            Self::Contradiction => "contradiction",
            Self::HeadMismatch => "head-mismatch",
            Self::Lost => "lost",
            Self::TornTail => "torn-tail",
            Self::NoSideFile => "no-side-file",
            Self::Clean => "clean",
        }
    }
}

type Files = BTreeMap<PathBuf, Vec<u8>>;

pub fn files(world: &SimWorld) -> Files {
    world.disk.paths().into_iter().map(|path| (path.clone(), world.disk.read_file(&path).unwrap())).collect()
}

/// Opens the log, and checks what holds for every decision: a refusal changes nothing, what was cut is kept.
pub fn decide(world: &SimWorld, options: &Options) -> Row {
    let before = files(world);
    let outcome = small::open(world, options.clone());
    let after = files(world);
    match outcome {
        Err(error) => {
            let without_empty =
                |files: &Files| files.iter().filter(|f| !f.1.is_empty()).map(|f| f.0.clone()).collect::<Vec<_>>();
            assert_eq!(without_empty(&before), without_empty(&after), "{error}");
            assert!(before.iter().all(|(path, bytes)| after.get(path) == Some(bytes)), "changed in spite of {error}");
            refused(&error)
        }
        Ok(log) => {
            if let Some(cut) = log.cut() {
                let kept = &after[&PathBuf::from(small::DIR).join(&cut.saved_as)];
                let was = &before[&PathBuf::from(small::DIR).join(&cut.segment)][cut.position as usize..];
                assert!(was.starts_with(kept) && was[kept.len()..].iter().all(|&b| b == 0) && !kept.is_empty());
                return if cut.position == 0 { Row::TornHeader } else { Row::TornTail };
            }
            let segments: Vec<_> = before.iter().filter(|f| f.0.extension().is_some_and(|e| e == "seg")).collect();
            let sealed = segments.iter().rev().skip(1).any(|(path, bytes)| after[*path] != **bytes);
            let newest_is_zeros = segments.len() > 1 && segments.last().unwrap().1.iter().all(|&b| b == 0);
            // What was being made when a crash came may be made anew under its own name.
            let kept = |path: &PathBuf| after.contains_key(path) || path.extension().is_some_and(|e| e == "tmp");
            assert!(before.keys().all(kept), "opening removed a file");
            match () {
                () if newest_is_zeros => Row::Spare,
                () if sealed => Row::SealNow,
                () => Row::Clean,
            }
        }
    }
}

fn refused(error: &Error) -> Row {
    let what = match error {
        Error::Io { .. } => return Row::ReadError,
        Error::WrongSecret { .. } => return Row::WrongSecret,
        Error::HeadMismatch { .. } => return Row::HeadMismatch,
        Error::Unsupported(_) => return Row::Newer,
        Error::Corrupt(damage) => damage.what.as_str(),
        other => panic!("not a decision: {other}"),
    };
    let starts = |words: &[&str]| words.iter().any(|word| what.starts_with(word));
    if starts(&["a segment file is missing", "the lock file tells of a log"]) {
        Row::FileMissing
    } else if starts(&["the segment is missing or empty, and", "the segment header is damaged, and"]) {
        Row::SuccessorLost
    } else if starts(&[
        "the segment belongs to another log",
        "the segment's number is not",
        "the next segment is not the one",
    ]) {
        Row::Foreign
    } else if starts(&["the footer disagrees with the next segment"]) {
        Row::Disagree
    } else if starts(&["the segment is damaged before its end", "no frame where one must be"]) {
        Row::UnsealedDamaged
    } else if starts(&[
        "the frame does not continue",
        "the frame's head",
        "the frame's seal",
        "time runs",
        "batches overlap",
    ]) {
        Row::Contradiction
    } else if starts(&[
        "no frame where one was durable",
        "the segment is cut short",
        "the frame is cut short",
        "the checksum of the frame",
    ]) {
        Row::Lost
    } else if starts(&[
        "no segment header",
        "the header's",
        "the segment header is missing",
        "the version is damaged",
        "the header is cut",
    ]) {
        Row::BadHeader
    } else {
        panic!("no row for: {what}")
    }
}

/// True for the lock file.
pub fn is_lock(path: &std::path::Path) -> bool {
    path == lock()
}
