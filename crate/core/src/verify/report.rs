//! What verifying found.

use crate::error::{Damage, Error, HeadClaim};

/// Most problems that are reported; verifying ends there.
pub const PROBLEMS_MAX: usize = 1_000;

/// Most problems that are reported of one segment; the rest of it is walked all the same.
pub const PROBLEMS_MAX_SEGMENT: usize = 100;

/// What a result rests on besides the files themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Established {
    /// Nothing: the files agree with themselves. Whoever can write them could have rewritten all of them.
    Internal,
    /// The secret: whoever lacks it cannot have written a frame.
    Secret,
    /// A head that the caller kept: the records up to it are those of that day.
    Receipt,
}

impl Established {
    /// The word that users see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Secret => "secret",
            Self::Receipt => "receipt",
        }
    }
}

/// The result of verifying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// True when there are no problems.
    pub ok: bool,
    /// Records whose frames are sound.
    pub records: u64,
    /// Bytes of files that were checked.
    pub bytes: u64,
    /// What the result rests on.
    pub established: Established,
    /// The head after the last sound frame; recomputed where nothing before it is damaged.
    pub head: HeadClaim,
    /// What is wrong, in the order of the files; [`PROBLEMS_MAX`] at most.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `VARVE_CORRUPT`, `VARVE_UNSUPPORTED` or `VARVE_HEAD_MISMATCH`.
    pub code: &'static str,
    /// In words, with the place.
    pub message: String,
    /// File name of the segment.
    pub segment: Option<String>,
    /// Byte position in it.
    pub position: Option<u64>,
    /// Offset of the (first) record concerned.
    pub offset: Option<u64>,
    /// What should be there.
    pub expected: Option<String>,
    /// What is there.
    pub found: Option<String>,
}

impl Problem {
    /// Damage under the code of the error that `open` would give.
    pub fn new(code: &'static str, damage: Damage) -> Self {
        let message = damage.to_string();
        let Damage { segment, position, offset, expected, found, .. } = damage;
        Self { code, message, segment, position, offset, expected, found }
    }

    /// The problem that a damage error speaks of; gives back every other error.
    pub fn from_error(error: Error) -> Result<Self, Error> {
        let code = error.code();
        match error {
            Error::Corrupt(damage) | Error::Unsupported(damage) => Ok(Self::new(code, *damage)),
            other => Err(other),
        }
    }
}

/// Collects problems, with bounds: damage must not cost more memory than what it damaged.
#[derive(Default)]
pub struct Problems {
    list: Vec<Problem>,
    /// Problems of the segment that the last one is in.
    in_segment: usize,
}

impl Problems {
    /// Adds one, unless its segment has enough.
    pub fn add(&mut self, problem: Problem) {
        let same = self.list.last().is_some_and(|last| last.segment == problem.segment);
        self.in_segment = if same { self.in_segment + 1 } else { 1 };
        if self.in_segment <= PROBLEMS_MAX_SEGMENT && !self.is_full() {
            self.list.push(problem);
        }
    }

    /// Adds damage as `VARVE_CORRUPT`.
    pub fn corrupt(&mut self, damage: Damage) {
        self.add(Problem::new("VARVE_CORRUPT", damage));
    }

    /// True when nothing more would be reported.
    pub fn is_full(&self) -> bool {
        self.list.len() >= PROBLEMS_MAX
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// All of them, in order.
    pub fn into_list(self) -> Vec<Problem> {
        self.list
    }
}
