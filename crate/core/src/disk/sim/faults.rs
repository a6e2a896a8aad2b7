//! What goes wrong on the simulated disk, and when: scripted rules and seeded chaos.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::rng::SimRng;

/// The calls of the disk trait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as the trait's methods")]
pub enum Call {
    Open,
    Kind,
    List,
    CreateDir,
    Rename,
    Remove,
    SyncDir,
    Volume,
    Read,
    Write,
    WriteDirect,
    SyncData,
    SyncAll,
    Len,
    SetLen,
    Identity,
    TryLock,
}

impl Call {
    /// As traces write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Kind => "kind",
            Self::List => "list",
            Self::CreateDir => "create_dir",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::SyncDir => "sync_dir",
            Self::Volume => "volume",
            Self::Read => "read",
            Self::Write => "write",
            Self::WriteDirect => "write_direct",
            Self::SyncData => "sync_data",
            Self::SyncAll => "sync_all",
            Self::Len => "len",
            Self::SetLen => "set_len",
            Self::Identity => "identity",
            Self::TryLock => "try_lock",
        }
    }
}

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// EIO, and nothing took effect. A file's sync marks the dirty pages clean: until the crash or
    /// [`super::SimDisk::evict`] reads return the new bytes, afterwards the old ones, and later syncs succeed.
    Io,
    /// EIO after a part took effect: a write's first bytes, some sectors of a sync (chosen by the seed).
    IoPartly(u64),
    /// ENOSPC, and nothing took effect. From a sync (delayed allocation): as [`Fault::Io`].
    NoSpace,
    /// EINTR, and nothing took effect.
    Interrupted,
    /// A read or write transfers at most so many bytes; 0 for writes only (a read of 0 would mean the end).
    Short(usize),
    /// EINVAL, and nothing took effect: what a direct write meets where there is none.
    Refused,
    /// A write, sync or folder sync reports success, and nothing reaches the disk. A write shows in the cache until
    /// the crash or [`super::SimDisk::evict`].
    Phantom,
    /// A write shows in the cache, but lands on the disk elsewhere; a read returns what is elsewhere.
    Misdirected {
        /// The other file, or the same.
        path: PathBuf,
        /// Position there, bytes.
        position: u64,
    },
}

/// When a fault strikes. All conditions must hold; without any it strikes the next call.
#[derive(Debug, Clone)]
pub struct Rule {
    fault: Fault,
    calls: Vec<Call>,
    path: Option<PathBuf>,
    number: Option<u64>,
    range: Option<Range<u64>>,
    skip: u64,
    times: u64,
}

impl Rule {
    /// Strikes once.
    pub fn new(fault: Fault) -> Self {
        Self { fault, calls: Vec::new(), path: None, number: None, range: None, skip: 0, times: 1 }
    }

    /// Only calls of these kinds.
    #[must_use]
    pub fn on(mut self, calls: &[Call]) -> Self {
        self.calls = calls.to_vec();
        self
    }

    /// Only this file or folder; the last components suffice.
    #[must_use]
    pub fn path(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Only the call with this number.
    #[must_use]
    pub fn number(mut self, number: u64) -> Self {
        self.number = Some(number);
        self
    }

    /// Only transfers that touch these positions.
    #[must_use]
    pub fn range(mut self, range: Range<u64>) -> Self {
        self.range = Some(range);
        self
    }

    /// Lets so many calls pass that would match.
    #[must_use]
    pub fn skip(mut self, calls: u64) -> Self {
        self.skip = calls;
        self
    }

    /// Strikes so many times; default 1.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    /// Strikes every time.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(u64::MAX)
    }

    fn matches(&self, call: Call, number: u64, path: &Path, span: Option<(u64, u64)>) -> bool {
        let touches = |range: &Range<u64>| {
            span.is_some_and(|(position, len)| position < range.end && position.saturating_add(len) > range.start)
        };
        (self.calls.is_empty() || self.calls.contains(&call))
            && self.path.as_ref().is_none_or(|wanted| path.ends_with(wanted))
            && self.number.is_none_or(|wanted| wanted == number)
            && self.range.as_ref().is_none_or(touches)
    }
}

/// How often things go wrong by themselves, each per 10,000 calls of its kind. Default: never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Chaos {
    /// Reads and writes that transfer less than asked.
    pub short: u64,
    /// Reads and writes that are interrupted.
    pub interrupted: u64,
    /// Direct writes that are refused.
    pub refused: u64,
    /// Writes that take nothing.
    pub zero_write: u64,
    /// Writes that fail, some after a part.
    pub write_io: u64,
    /// Syncs of files that fail, some after a part.
    pub sync_io: u64,
    /// Reads that fail.
    pub read_io: u64,
    /// Writes, creations and length changes for which there is no space.
    pub no_space: u64,
    /// Creations, renames, removals and folder syncs that fail.
    pub names_io: u64,
}

impl Chaos {
    /// What a correct engine does not notice: short transfers, interruptions and refused direct writes.
    pub fn harmless() -> Self {
        Self { short: 1500, interrupted: 500, refused: 300, ..Self::default() }
    }

    fn pick(&self, call: Call, len: u64, rng: &mut SimRng) -> Option<Fault> {
        let half_way = |rng: &mut SimRng| if rng.chance(1, 2) { Fault::Io } else { Fault::IoPartly(rng.next_u64()) };
        let mut hit = |per_ten_thousand: u64| per_ten_thousand > 0 && rng.chance(per_ten_thousand, 10_000);
        match call {
            Call::Read | Call::Write | Call::WriteDirect if hit(self.interrupted) => Some(Fault::Interrupted),
            Call::WriteDirect if hit(self.refused) => Some(Fault::Refused),
            Call::Write | Call::WriteDirect if hit(self.zero_write) => Some(Fault::Short(0)),
            Call::Write | Call::WriteDirect if hit(self.write_io) => Some(half_way(rng)),
            Call::Read if hit(self.read_io) => Some(Fault::Io),
            Call::SyncData | Call::SyncAll if hit(self.sync_io) => Some(half_way(rng)),
            Call::Open | Call::CreateDir | Call::Write | Call::WriteDirect | Call::SetLen if hit(self.no_space) => {
                Some(Fault::NoSpace)
            }
            Call::CreateDir | Call::Rename | Call::Remove | Call::SyncDir if hit(self.names_io) => Some(Fault::Io),
            Call::Read | Call::Write | Call::WriteDirect if len > 1 && hit(self.short) => {
                Some(Fault::Short(1 + usize::try_from(rng.below(len - 1)).unwrap_or(0)))
            }
            _ => None,
        }
    }
}

/// The faults in force.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub rules: Vec<Rule>,
    pub chaos: Option<(Chaos, SimRng)>,
}

impl Faults {
    /// The fault that strikes this call: the first rule that matches, else chaos.
    pub fn pick(&mut self, call: Call, number: u64, path: &Path, span: Option<(u64, u64)>) -> Option<Fault> {
        for rule in &mut self.rules {
            if rule.times == 0 || !rule.matches(call, number, path, span) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            rule.times -= 1;
            return Some(rule.fault.clone());
        }
        let (chaos, rng) = self.chaos.as_mut()?;
        chaos.pick(call, span.map_or(0, |(_, len)| len), rng)
    }
}

/// EIO, with its number where the system has it.
pub(super) fn eio() -> io::Error {
    system_error(5, io::ErrorKind::Other)
}

/// ENOSPC.
pub(super) fn enospc() -> io::Error {
    system_error(28, io::ErrorKind::StorageFull)
}

/// EINVAL.
pub(super) fn einval() -> io::Error {
    system_error(22, io::ErrorKind::InvalidInput)
}

/// EINTR.
pub(super) fn eintr() -> io::Error {
    system_error(4, io::ErrorKind::Interrupted)
}

fn system_error(number: i32, kind: io::ErrorKind) -> io::Error {
    if cfg!(unix) { io::Error::from_raw_os_error(number) } else { kind.into() }
}
