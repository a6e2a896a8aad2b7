//! Crashes: which images of the disk are legal, one chosen at random or exactly.
//!
//! Invariant: every synced byte and every synced name survives. Of the rest anything may: sectors, lengths and names
//! are chosen independently, except that a name's edits persist in their order.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::super::tree::{Edit, Names, Node, ROOT, Tree};
use super::rng::SimRng;
use super::world::World;

/// What becomes of an unsynced sector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SectorFate {
    /// The bytes of the last sync; zeros if there are none.
    Old,
    /// One of its unsynced versions, 0 is the oldest.
    Version(usize),
    /// The newest version.
    New,
    /// Zeros; [`SectorFate::Old`] where the sector holds synced bytes.
    Zeros,
    /// Random bytes of this seed; [`SectorFate::Old`] where the sector holds synced bytes.
    Garbage(u64),
}

/// What becomes of an unsynced length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LengthFate {
    /// The length of the last sync.
    Old,
    /// One of the unsynced lengths, 0 is the oldest.
    Version(usize),
    /// The newest.
    New,
}

/// A sector with unsynced writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsyncedSector {
    /// The file's number (its identity).
    pub file: u64,
    /// The file's present name.
    pub path: PathBuf,
    /// Number of the sector in its file: position / 512.
    pub sector: u64,
    /// How many unsynced versions there are.
    pub versions: usize,
    /// Whether it holds synced bytes: then it can only be old or new.
    pub holds_synced: bool,
}

/// A file whose length is not durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsyncedLength {
    /// The file's number (its identity).
    pub file: u64,
    /// The file's present name.
    pub path: PathBuf,
    /// The durable length, bytes.
    pub durable: u64,
    /// The lengths since, oldest first.
    pub versions: Vec<u64>,
}

/// A creation, rename or removal that is not durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsyncedName {
    /// The number of the call that made it.
    pub call: u64,
    /// In words: `create a`, `rename a b`, `remove a`.
    pub edit: String,
}

/// A crash chosen exactly. What is not listed takes the default of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrashChoice {
    /// By file and sector.
    pub sectors: BTreeMap<(u64, u64), SectorFate>,
    /// For the other sectors.
    pub sector_default: SectorFate,
    /// By file.
    pub lengths: BTreeMap<u64, LengthFate>,
    /// For the other files.
    pub length_default: LengthFate,
    /// By call: whether the edit persists. It cannot if an earlier edit of the same name does not.
    pub names: BTreeMap<u64, bool>,
    /// For the other edits.
    pub name_default: bool,
}

impl CrashChoice {
    /// Nothing unsynced survives.
    pub fn lose_all() -> Self {
        Self::with_defaults(SectorFate::Old, LengthFate::Old, false)
    }

    /// Everything survives, as if all had been synced in time.
    pub fn keep_all() -> Self {
        Self::with_defaults(SectorFate::New, LengthFate::New, true)
    }

    fn with_defaults(sector_default: SectorFate, length_default: LengthFate, name_default: bool) -> Self {
        Self {
            sectors: BTreeMap::new(),
            sector_default,
            lengths: BTreeMap::new(),
            length_default,
            names: BTreeMap::new(),
            name_default,
        }
    }

    /// Any legal crash: all lost, all kept, a prefix of the calls, or scattered.
    pub(super) fn random(world: &World, rng: &mut SimRng) -> Self {
        match rng.below(8) {
            0 => Self::lose_all(),
            1 => Self::keep_all(),
            2 | 3 => Self::prefix(world, rng.below(world.calls + 2)),
            _ => Self::scattered(world, rng),
        }
    }

    /// Everything up to a call survives, nothing after it.
    fn prefix(world: &World, last: u64) -> Self {
        let mut choice = Self::lose_all();
        for (file, image) in &world.files {
            for (sector, versions) in image.versions() {
                let kept = versions.iter().filter(|(call, _)| *call <= last).count();
                if kept > 0 {
                    choice.sectors.insert((*file, sector), SectorFate::Version(kept - 1));
                }
            }
            let kept = image.lengths().1.iter().filter(|(call, _)| *call <= last).count();
            if kept > 0 {
                choice.lengths.insert(*file, LengthFate::Version(kept - 1));
            }
        }
        choice.names = world.unsynced_edits().map(|(_, call, _)| (call, call <= last)).collect();
        choice
    }

    /// Each file and folder its own way.
    fn scattered(world: &World, rng: &mut SimRng) -> Self {
        let mut choice = Self::lose_all();
        for (file, image) in &world.files {
            let versions = image.versions();
            let style = rng.below(6);
            let cut = rng.index(versions.len() + 1);
            for (index, (sector, versions)) in versions.iter().enumerate() {
                let fate = match style {
                    0 => SectorFate::New,
                    1 if index < cut => SectorFate::New,
                    2 if index >= cut => SectorFate::New,
                    1 | 2 => SectorFate::Old,
                    _ => match rng.below(10) {
                        0..4 => SectorFate::New,
                        4..6 => SectorFate::Old,
                        6 | 7 => SectorFate::Version(rng.index(versions.len())),
                        8 => SectorFate::Zeros,
                        _ => SectorFate::Garbage(rng.next_u64()),
                    },
                };
                choice.sectors.insert((*file, *sector), fate);
            }
            let lengths = image.lengths().1.len();
            let fate = match rng.below(4) {
                0 => LengthFate::Old,
                1 => LengthFate::Version(rng.index(lengths)),
                _ => LengthFate::New,
            };
            choice.lengths.insert(*file, fate);
        }
        let style = rng.below(3);
        choice.name_default = style == 0;
        if style == 2 {
            choice.names = world.unsynced_edits().map(|(_, call, _)| (call, rng.chance(1, 2))).collect();
        }
        choice
    }
}

impl World {
    pub(super) fn unsynced_sectors(&self) -> Vec<UnsyncedSector> {
        let of_file = |(file, image): (&u64, &super::image::Image)| {
            let sector = |(sector, versions): (u64, super::image::Versions<'_>)| UnsyncedSector {
                file: *file,
                path: image.path.clone(),
                sector,
                versions: versions.len(),
                holds_synced: image.holds_synced(sector),
            };
            image.versions().into_iter().map(sector).collect::<Vec<_>>()
        };
        self.files.iter().flat_map(of_file).collect()
    }

    pub(super) fn unsynced_lengths(&self) -> Vec<UnsyncedLength> {
        let of_file = |(file, image): (&u64, &super::image::Image)| {
            let (durable, versions) = image.lengths();
            let versions: Vec<u64> = versions.iter().map(|(_, len)| *len).collect();
            let path = image.path.clone();
            (!versions.is_empty()).then_some(UnsyncedLength { file: *file, path, durable, versions })
        };
        self.files.iter().filter_map(of_file).collect()
    }

    pub(super) fn unsynced_names(&self) -> Vec<UnsyncedName> {
        let in_words = |edit: &Edit<u64>| match edit {
            Edit::Link { name, .. } => format!("create {name}"),
            Edit::Unlink { name } => format!("remove {name}"),
            Edit::Rename { from, to } => format!("rename {from} {to}"),
        };
        let mut names: Vec<_> =
            self.unsynced_edits().map(|(_, call, edit)| UnsyncedName { call, edit: in_words(edit) }).collect();
        names.sort_by_key(|name| name.call);
        names
    }

    /// The world that `choice` leaves: everything in it is durable, nobody has it open, no faults are set.
    pub(super) fn after_crash(&self, choice: &CrashChoice) -> Self {
        let mut names: BTreeMap<u64, Names<u64>> = self.durable_names().clone();
        let mut lost: BTreeSet<(u64, &str)> = BTreeSet::new();
        for (dir, call, edit) in self.unsynced_edits() {
            let touches = edit.touches().map(|name| (dir, name));
            let persists = *choice.names.get(&call).unwrap_or(&choice.name_default);
            if persists && !touches.iter().any(|name| lost.contains(name)) {
                edit.apply(names.entry(dir).or_default());
            } else {
                lost.extend(touches);
            }
        }
        let mut after = Self::new(self.prefill_pays, self.capacity);
        let mut reached = BTreeMap::new();
        let mut ways = vec![(ROOT, PathBuf::from("/"))];
        while let Some((dir, path)) = ways.pop() {
            let names = names.remove(&dir).unwrap_or_default();
            for (name, node) in &names {
                match node {
                    Node::Dir(inner) => ways.push((*inner, path.join(name))),
                    Node::File(file) => after.take_over(self, *file, path.join(name), choice),
                }
            }
            reached.insert(dir, names);
        }
        after.adopt(Tree::from_dirs(reached));
        after.file_next = self.file_next;
        after
    }

    fn take_over(&mut self, before: &Self, file: u64, path: PathBuf, choice: &CrashChoice) {
        let Some(image) = before.files.get(&file) else { return };
        let length = *choice.lengths.get(&file).unwrap_or(&choice.length_default);
        let fate = |sector| *choice.sectors.get(&(file, sector)).unwrap_or(&choice.sector_default);
        let mut image = image.after_crash(length, fate);
        image.path = path;
        self.files.insert(file, image);
    }
}

/// The last component, as traces show it.
pub(super) fn short_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
