//! A simulated disk for deterministic tests: it keeps apart what was written and what was synced, crashes into any
//! legal image, and shows every fault of the engine's fault model when told to.
//!
//! What it assumes of a disk is what docs/DURABILITY.md assumes: a 512-byte sector is old or new after power loss, one
//! that was not written stays as it was, a rename is not torn. Everything else may happen. It is adversarial where
//! systems differ: a file's sync says nothing of its name, and `sync_data` may leave a cut undone.

mod crash;
mod faults;
mod file;
mod image;
mod rng;
#[cfg(test)]
mod tests;
mod world;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

pub use crash::{CrashChoice, LengthFate, SectorFate, UnsyncedLength, UnsyncedName, UnsyncedSector};
pub use faults::{Call, Chaos, Fault, Rule};
pub use image::SECTOR;
pub use rng::SimRng;

use super::tree::Edit;
use super::{Access, Disk, DiskFile, Entry, EntryKind, Volume};
use file::SimFile;
use image::Image;
use world::{About, World};

/// A simulated disk. Clones share it; a crash gives a new one and leaves this one as it is.
#[derive(Clone)]
pub struct SimDisk {
    world: Arc<Mutex<World>>,
}

impl Default for SimDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl SimDisk {
    /// An empty disk without faults; only `/` exists. Prefill pays, and files take direct writes.
    pub fn new() -> Self {
        Self::of(World::new(true, None))
    }

    fn of(world: World) -> Self {
        Self { world: Arc::new(Mutex::new(world)) }
    }

    /// A disk as a crash at this moment may leave it: all synced bytes and names, and of the rest what `rng` says.
    /// The new disk has no descriptors, locks, faults or trace, and counts calls from 1. Files keep their identity.
    #[must_use]
    pub fn crash(&self, rng: &mut SimRng) -> Self {
        let world = self.world.lock();
        let choice = CrashChoice::random(&world, rng);
        Self::of(world.after_crash(&choice))
    }

    /// A disk as exactly this crash leaves it; see [`SimDisk::crash`].
    #[must_use]
    pub fn crash_with(&self, choice: &CrashChoice) -> Self {
        Self::of(self.world.lock().after_crash(choice))
    }

    /// What [`SimDisk::crash`] would choose, to be shown, changed or tried again.
    pub fn crash_choice(&self, rng: &mut SimRng) -> CrashChoice {
        CrashChoice::random(&self.world.lock(), rng)
    }

    /// Sectors with unsynced writes, by file and sector.
    pub fn unsynced_sectors(&self) -> Vec<UnsyncedSector> {
        self.world.lock().unsynced_sectors()
    }

    /// Files whose length is not durable.
    pub fn unsynced_lengths(&self) -> Vec<UnsyncedLength> {
        self.world.lock().unsynced_lengths()
    }

    /// Creations, renames and removals that are not durable, oldest first.
    pub fn unsynced_names(&self) -> Vec<UnsyncedName> {
        self.world.lock().unsynced_names()
    }

    /// How many trait calls there were; the next has this number + 1.
    pub fn calls(&self) -> u64 {
        self.world.lock().calls
    }

    /// From call `number` on every call fails and changes nothing: the machine died just before it.
    pub fn halt_at(&self, number: u64) {
        self.world.lock().halt_at(Some(number));
    }

    /// Every call from now on fails and changes nothing.
    pub fn halt(&self) {
        self.world.lock().halt_at(Some(0));
    }

    /// Whether the next call meets a dead machine.
    pub fn halted(&self) -> bool {
        self.world.lock().halted()
    }

    /// Begins (or begins anew) to record calls.
    pub fn start_trace(&self) {
        self.world.lock().trace = Some(Vec::new());
    }

    /// The calls since [`SimDisk::start_trace`], such as `#17 write 0000000001.seg 4096+384`; a fault follows `!`.
    pub fn trace(&self) -> Vec<String> {
        self.world.lock().trace.clone().unwrap_or_default()
    }

    /// Adds a scripted fault; the first rule that matches a call strikes.
    pub fn add_rule(&self, rule: Rule) {
        self.world.lock().faults.rules.push(rule);
    }

    /// Sets seeded faults in place of earlier ones.
    pub fn set_chaos(&self, chaos: Chaos, seed: u64) {
        self.world.lock().faults.chaos = Some((chaos, SimRng::new(seed)));
    }

    /// Ends all faults, scripted and seeded; the space stays limited.
    pub fn clear_faults(&self) {
        self.world.lock().faults = faults::Faults::default();
    }

    /// Limits the space to so many bytes more (`None`: no limit). Files pay up to the furthest byte written;
    /// lengthening without writing is free, as on a real disk, and overwriting too.
    pub fn set_free(&self, bytes: Option<u64>) {
        let mut world = self.world.lock();
        world.capacity = bytes.map(|bytes| world.used().saturating_add(bytes));
    }

    /// What [`Volume::prefill_pays`] says; true at first.
    pub fn set_prefill_pays(&self, pays: bool) {
        self.world.lock().prefill_pays = pays;
    }

    /// Drops clean pages from the cache: what a failed or phantom write left there is gone, the disk's bytes show.
    pub fn evict(&self) {
        self.world.lock().files.values_mut().for_each(Image::evict);
    }

    /// Write-back of a file's dirty pages fails in the background: they are clean and not on disk. The first sync
    /// after it, on whichever descriptor, reports EIO; later ones succeed.
    pub fn fail_write_back(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world.lock();
        let image = world.image_at(path)?;
        image.fail_write_back(None);
        image.error_pending = true;
        Ok(())
    }

    /// Changes one byte at rest, in the cache and on disk; an error past the end.
    pub fn corrupt(&self, path: &Path, position: u64, edit: impl FnOnce(&mut u8)) -> io::Result<()> {
        let found = self.world.lock().image_at(path)?.edit(position, edit);
        if found { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Flips one bit at rest: bit 0 is the lowest of the first byte.
    pub fn flip_bit(&self, path: &Path, bit: u64) -> io::Result<()> {
        self.corrupt(path, bit / 8, |byte| *byte ^= 1 << (bit % 8))
    }

    /// Zeroes the 4 KiB page that holds `position`, as far as the file goes.
    pub fn zero_page(&self, path: &Path, position: u64) -> io::Result<()> {
        const PAGE: u64 = 4096;
        let start = position - position % PAGE;
        let mut world = self.world.lock();
        let image = world.image_at(path)?;
        let zeroed = (start..start + PAGE).take_while(|position| image.edit(*position, |byte| *byte = 0)).count();
        if zeroed > 0 { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// What reads of the whole file return. Not a call: it is neither numbered nor subject to faults.
    pub fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        Ok(self.world.lock().image_at(path)?.view.clone())
    }

    /// What the medium holds of a file: its bytes after a crash that loses everything unsynced.
    pub fn read_durable(&self, path: &Path) -> io::Result<Vec<u8>> {
        Ok(self.world.lock().image_at(path)?.durable_bytes())
    }

    /// Puts a durable file there, in place of an earlier one (which keeps its identity), and makes durable all names
    /// on the way to it.
    pub fn write_file(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut world = self.world.lock();
        let mut way: Vec<_> = path.ancestors().filter(|step| step.file_name().is_some()).collect();
        way.reverse();
        for step in &way {
            if *step != path && world.tree.node(step).is_err() {
                let change = world.tree.create_dir(step)?;
                world.log(change, step);
            }
        }
        let file = world.open(path, Access::OpenOrCreate)?;
        let image = world.image(file)?;
        let lock = image.lock;
        *image = Image::durable(path.to_owned(), bytes.to_vec());
        image.lock = lock;
        for step in way {
            let dir = world.tree.dir(step.parent().unwrap_or(step))?;
            let name = step.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            let node = world.tree.node(step)?;
            world.settle(dir, &Edit::Link { name, node });
        }
        Ok(())
    }

    /// Removes a file durably, as an administrator does.
    pub fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world.lock();
        let change = world.tree.remove(path)?;
        world.settle(change.dir, &change.edit);
        Ok(())
    }

    /// All files, sorted.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.world.lock().paths()
    }
}

impl World {
    /// Finds or creates a file.
    fn open(&mut self, path: &Path, access: Access) -> io::Result<u64> {
        let created = self.file_next + 1;
        let (file, change) = self.tree.open(path, access, || created)?;
        if let Some(change) = change {
            self.file_next = created;
            self.files.insert(created, Image::default());
            self.log(change, path);
        }
        Ok(file)
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let mut world = self.world.lock();
        world.begin(Call::Open, path, &About::Nothing)?;
        let file = world.open(path, access)?;
        Ok(Box::new(SimFile::new(&self.world, &mut world, file, access != Access::Read)))
    }

    fn kind(&self, path: &Path) -> io::Result<EntryKind> {
        let mut world = self.world.lock();
        world.begin(Call::Kind, path, &About::Nothing)?;
        world.tree.kind(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let mut world = self.world.lock();
        world.begin(Call::List, dir, &About::Nothing)?;
        world.tree.list(dir, |file| world.files.get(file).map_or(0, |image| image.view.len() as u64))
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let mut world = self.world.lock();
        world.begin(Call::CreateDir, dir, &About::Nothing)?;
        let change = world.tree.create_dir(dir)?;
        world.log(change, dir);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.world.lock();
        world.begin(Call::Rename, from, &About::To(to))?;
        let change = world.tree.rename(from, to)?;
        world.log(change, to);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world.lock();
        world.begin(Call::Remove, path, &About::Nothing)?;
        let change = world.tree.remove(path)?;
        world.log(change, path);
        Ok(())
    }

    /// After a failure the names stay unsynced; a later sync makes them durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut world = self.world.lock();
        let fault = world.begin(Call::SyncDir, dir, &About::Nothing)?;
        let dir = world.tree.dir(dir)?;
        if fault != Some(Fault::Phantom) {
            world.sync_names(dir);
        }
        Ok(())
    }

    fn volume(&self, dir: &Path) -> io::Result<Volume> {
        let mut world = self.world.lock();
        world.begin(Call::Volume, dir, &About::Nothing)?;
        world.tree.dir(dir)?;
        Ok(Volume { device: 1, free: world.free(), prefill_pays: world.prefill_pays })
    }
}
