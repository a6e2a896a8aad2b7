//! One file of the simulated disk: what reads return, what the medium holds, and the unsynced steps between them.
//!
//! Unsynced writes are kept in order as whole 512-byte sectors as the page cache held them after the write, because
//! that is what would be written back: a later write into a sector carries its other bytes along. Lengths are kept
//! apart, so that either can survive a crash without the other.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use super::super::memory::{resize, write_bytes};
use super::crash::{LengthFate, SectorFate};
use super::rng::SimRng;

/// What a power loss leaves old or new as a whole, bytes.
pub const SECTOR: usize = 512;

/// Longest file: a stray position must fail the test, not exhaust memory.
const FILE_LEN_MAX: u64 = 1 << 30;

/// A file: view, medium and what lies between.
#[derive(Debug, Default, Clone)]
pub(super) struct Image {
    /// Its present name, for rules and traces.
    pub path: PathBuf,
    /// What reads return: the page cache.
    pub view: Vec<u8>,
    /// What the medium holds; past its end zeros. May be longer than `disk_len`: data without the length.
    disk: Vec<u8>,
    /// The durable length.
    disk_len: u64,
    /// Unsynced writes, oldest first.
    writes: Vec<Write>,
    /// Unsynced lengths, oldest first: (call number, length).
    lengths: Vec<(u64, u64)>,
    /// The descriptor that holds the lock.
    pub lock: Option<u64>,
    /// Write-back failed in the background; the next sync reports it.
    pub error_pending: bool,
    /// Space used: everything up to the furthest byte written.
    pub charged: u64,
}

/// One unsynced write of whole sectors.
#[derive(Debug, Clone)]
struct Write {
    call: u64,
    first: u64,
    bytes: Vec<u8>,
}

impl Write {
    fn sectors(&self) -> impl Iterator<Item = (u64, &[u8])> {
        (self.first..).zip(self.bytes.chunks(SECTOR))
    }
}

/// The unsynced versions of one sector, oldest first: (call number, bytes).
pub(super) type Versions<'a> = Vec<(u64, &'a [u8])>;

impl Image {
    /// A file whose bytes are all durable.
    pub fn durable(path: PathBuf, bytes: Vec<u8>) -> Self {
        let len = bytes.len() as u64;
        Self { path, view: bytes.clone(), disk: bytes, disk_len: len, charged: len, ..Self::default() }
    }

    /// A write; with `reaches` false the page cache takes it and the medium never will.
    pub fn write(&mut self, call: u64, position: u64, bytes: &[u8], reaches: bool) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let end = position.checked_add(bytes.len() as u64).filter(|end| *end <= FILE_LEN_MAX);
        let end = end.ok_or(io::ErrorKind::FileTooLarge)?;
        let len = self.view.len() as u64;
        write_bytes(&mut self.view, bytes, position)?;
        if end > len {
            self.lengths.push((call, end));
        }
        if reaches {
            self.remember(call, position, end);
        }
        self.charged = self.charged.max(end);
        Ok(())
    }

    /// Cuts or extends. The cut bytes are zeros from then on, sector by sector, until the cut itself is durable.
    pub fn set_len(&mut self, call: u64, len: u64) -> io::Result<()> {
        let before = self.view.len() as u64;
        if len == before {
            return Ok(());
        }
        if len > FILE_LEN_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        resize(&mut self.view, len)?;
        self.lengths.push((call, len));
        if len < before {
            self.remember(call, len, before);
            self.charged = self.charged.min(len);
        }
        Ok(())
    }

    fn remember(&mut self, call: u64, start: u64, end: u64) {
        let (first, last) = (start / SECTOR as u64, end.div_ceil(SECTOR as u64));
        let bytes = (first..last).flat_map(|sector| sector_of(&self.view, sector)).collect();
        self.writes.push(Write { call, first, bytes });
    }

    /// A sync that succeeds. Data only: the length becomes durable if it is needed to read the data back; a cut may
    /// come undone.
    pub fn sync(&mut self, all: bool) {
        let len = self.view.len() as u64;
        let cut_waits = !all && len < self.disk_len;
        let end = len.div_ceil(SECTOR as u64);
        for mut write in std::mem::take(&mut self.writes) {
            for (sector, bytes) in write.sectors() {
                if !cut_waits || sector < end {
                    put_sector(&mut self.disk, sector, bytes);
                }
            }
            if cut_waits && write.first + (write.bytes.len() / SECTOR) as u64 > end {
                let known = usize::try_from(end.saturating_sub(write.first)).unwrap_or(0);
                write.bytes.drain(..known * SECTOR);
                write.first = write.first.max(end);
                self.writes.push(write);
            }
        }
        if cut_waits {
            self.lengths.drain(..self.lengths.len().saturating_sub(1));
        } else {
            self.lengths.clear();
            self.disk_len = len;
            self.disk.truncate(self.view.len());
        }
    }

    /// A write-back that fails: the pages are clean now and the medium has the old bytes, apart from the sectors that
    /// `reached` lets through. The length is metadata and still waits for its sync.
    pub fn fail_write_back(&mut self, mut reached: Option<SimRng>) {
        let writes = std::mem::take(&mut self.writes);
        for (sector, bytes) in writes.iter().flat_map(Write::sectors) {
            if reached.as_mut().is_some_and(|rng| rng.chance(1, 2)) {
                put_sector(&mut self.disk, sector, bytes);
            }
        }
    }

    /// Drops clean pages from the cache: their next read comes from the medium.
    pub fn evict(&mut self) {
        let len = self.view.len();
        let mut fresh = self.disk.clone();
        fresh.resize(len, 0);
        for sector in self.versions().into_keys() {
            put_sector(&mut fresh, sector, &sector_of(&self.view, sector));
        }
        fresh.truncate(len);
        self.view = fresh;
    }

    /// Changes view and medium alike, as rot at rest does; false past the end.
    pub fn edit(&mut self, position: u64, edit: impl FnOnce(&mut u8)) -> bool {
        let Some(index) = usize::try_from(position).ok().filter(|index| *index < self.view.len()) else { return false };
        edit(&mut self.view[index]);
        let byte = self.view[index];
        self.strike(position, &[byte]);
        true
    }

    /// Bytes that land on the medium behind the cache's back; the length stays.
    pub fn strike(&mut self, position: u64, bytes: &[u8]) {
        let room = usize::try_from(self.disk_len.saturating_sub(position)).unwrap_or(0).min(bytes.len());
        // Within the durable length, which is below FILE_LEN_MAX: cannot fail for its size.
        let _ = write_bytes(&mut self.disk, &bytes[..room], position);
    }

    /// What the medium holds, as far as the durable length shows it.
    pub fn durable_bytes(&self) -> Vec<u8> {
        let mut bytes = self.disk.clone();
        bytes.resize(usize::try_from(self.disk_len).unwrap_or(0), 0);
        bytes
    }

    /// Sectors with unsynced writes.
    pub fn versions(&self) -> BTreeMap<u64, Versions<'_>> {
        let mut found: BTreeMap<u64, Versions<'_>> = BTreeMap::new();
        for write in &self.writes {
            for (sector, bytes) in write.sectors() {
                found.entry(sector).or_default().push((write.call, bytes));
            }
        }
        found
    }

    /// The durable length and the unsynced ones: (call number, length).
    pub fn lengths(&self) -> (u64, &[(u64, u64)]) {
        (self.disk_len, &self.lengths)
    }

    /// Whether a sector holds synced bytes: then it survives old or new and nothing else.
    pub fn holds_synced(&self, sector: u64) -> bool {
        sector.saturating_mul(SECTOR as u64) < self.disk_len
    }

    /// The file as a crash leaves it.
    pub fn after_crash(&self, length: LengthFate, mut fate: impl FnMut(u64) -> SectorFate) -> Self {
        let mut bytes = self.disk.clone();
        for (sector, versions) in self.versions() {
            let kept = match fate(sector) {
                SectorFate::New => versions.last(),
                SectorFate::Version(index) => versions.get(index),
                SectorFate::Zeros if !self.holds_synced(sector) => Some(&(0, [0; SECTOR].as_slice())),
                SectorFate::Garbage(seed) if !self.holds_synced(sector) => {
                    let mut garbage = [0; SECTOR];
                    SimRng::new(seed).fill(&mut garbage);
                    put_sector(&mut bytes, sector, &garbage);
                    None
                }
                SectorFate::Old | SectorFate::Zeros | SectorFate::Garbage(_) => None,
            };
            if let Some((_, kept)) = kept {
                put_sector(&mut bytes, sector, kept);
            }
        }
        let len = match length {
            LengthFate::Old => None,
            LengthFate::New => self.lengths.last(),
            LengthFate::Version(index) => self.lengths.get(index),
        };
        let len = len.map_or(self.disk_len, |(_, len)| *len);
        bytes.resize(usize::try_from(len).unwrap_or(0), 0);
        Self::durable(self.path.clone(), bytes)
    }
}

/// One sector of `content`, with zeros past its end.
fn sector_of(content: &[u8], sector: u64) -> [u8; SECTOR] {
    let mut bytes = [0; SECTOR];
    super::super::memory::read_bytes(content, &mut bytes, sector * SECTOR as u64);
    bytes
}

fn put_sector(content: &mut Vec<u8>, sector: u64, bytes: &[u8]) {
    // Positions are below FILE_LEN_MAX, so this cannot fail for its size.
    let _ = write_bytes(content, bytes, sector * SECTOR as u64);
}
