//! What a log open for reading shows, no power loss takes away; and what was acknowledged it shows, whatever the live
//! mark has become. With a writer at work, killed, or coming back while the reader looks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use support::{Deaf, append_filler as append, read_from};
use varve_core::disk::sim::{Call, CrashChoice, Fault, Rule, SectorFate};
use varve_core::disk::{Access, Disk, DiskFile, Entry, EntryKind, Volume};
use varve_core::error::{Error, HeadClaim, Result};
use varve_core::host::Host;
use varve_core::log::Log;
use varve_core::options::{Compression, Options};
use varve_core::simulation::SimWorld;

const DIR: &str = "/log";

fn options(read_only: bool) -> Options {
    Options { read_only, segment_bytes: 64 << 10, compression: Compression::None, ..Options::default() }
}

fn open_with(host: Host, options: Options) -> Result<Log> {
    Log::open(host, Path::new(DIR), options, Arc::new(Deaf))
}

fn write(world: &SimWorld) -> Log {
    open_with(world.host(), options(false)).unwrap()
}

fn read(world: &SimWorld) -> Log {
    open_with(world.host(), options(true)).unwrap()
}

/// A batch that is written and never synced: the process is killed before the sync returns.
fn append_and_be_killed(world: &SimWorld, log: Log, count: u32) {
    world.disk.add_rule(Rule::new(Fault::Phantom).on(&[Call::SyncData]));
    let lock = Path::new(DIR).join("lock");
    let mark = world.disk.read_file(&lock).unwrap();
    append(world, &log, count);
    world.executor.clear();
    drop(log);
    world.host().disk.open(&lock, Access::Write).unwrap().write_at(&mark, 0).unwrap();
    world.disk.clear_faults();
}

/// The size of the log if the power went now and took everything that was not synced.
fn size_after_power_loss(world: &SimWorld) -> u64 {
    let after = SimWorld { disk: world.disk.crash_with(&CrashChoice::lose_all()), ..SimWorld::new(0) };
    write(&after).head().size
}

/// A disk on which something else happens before one kind of call, which may be that it fails.
#[derive(Clone)]
struct Hooked {
    disk: Arc<dyn Disk>,
    call: Call,
    before: Arc<Mutex<dyn FnMut() -> io::Result<()> + Send>>,
}

impl Hooked {
    fn meet(&self, call: Call) -> io::Result<()> {
        if call == self.call { (self.before.lock())() } else { Ok(()) }
    }
}

fn hooked(world: &SimWorld, call: Call, before: impl FnMut() -> io::Result<()> + Send + 'static) -> Host {
    let host = world.host();
    Host { disk: Arc::new(Hooked { disk: host.disk, call, before: Arc::new(Mutex::new(before)) }), ..host }
}

struct HookedFile(Box<dyn DiskFile>, Hooked);

impl Disk for Hooked {
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(HookedFile(self.disk.open(path, access)?, self.clone())))
    }
    fn kind(&self, path: &Path) -> io::Result<EntryKind> {
        self.disk.kind(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        self.meet(Call::List)?;
        self.disk.list(dir)
    }
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.create_dir(dir)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.sync_dir(dir)
    }
    fn volume(&self, dir: &Path) -> io::Result<Volume> {
        self.disk.volume(dir)
    }
}

impl DiskFile for HookedFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.0.read_at(buffer, position)
    }
    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
        self.0.write_at(bytes, position)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.1.meet(Call::SyncData)?;
        self.0.sync_data()
    }
    fn sync_all(&self) -> io::Result<()> {
        self.0.sync_all()
    }
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn identity(&self) -> io::Result<u64> {
        self.0.identity()
    }
    fn try_lock(&self) -> io::Result<bool> {
        self.0.try_lock()
    }
    fn is_locked_by(&self, pid: u32) -> io::Result<Option<bool>> {
        self.0.is_locked_by(pid)
    }
}

/// A group that is written, and whose sync fails: it stops the log.
fn append_unsynced(world: &SimWorld, writer: &Log, records: u32, segment: &str) {
    world.disk.add_rule(Rule::new(Fault::Io).on(&[Call::SyncData]).path(segment));
    append(world, writer, records);
    assert!(writer.failure().is_some(), "the group did not meet the fault");
}

/// A log of 40 records in segment 1, and 20 in the first group of segment 2, whose sync failed.
fn rotation_whose_sync_fails() -> (SimWorld, Log) {
    let world = SimWorld::new(1);
    let writer = write(&world);
    for _ in 0..2 {
        append(&world, &writer, 20);
    }
    append_unsynced(&world, &writer, 20, "0000000002.seg");
    (world, writer)
}

#[test]
fn the_first_group_of_a_segment_is_not_shown_before_its_sync_has_returned() {
    let (world, writer) = rotation_whose_sync_fails();
    let reader = read(&world);
    assert_eq!(reader.head(), writer.head());
    assert_eq!((writer.shared().catalogue.newest(), reader.head().size), (2, 40));
    assert_eq!(size_after_power_loss(&world), 40);

    // The next writer keeps the group; the reader goes on without a gap.
    drop(writer);
    world.executor.clear();
    let writer = write(&world);
    append(&world, &writer, 1);
    assert_eq!(reader.refresh().unwrap(), writer.head());
    assert_eq!(writer.head().size, 61);
    assert_eq!(read_from(&reader, 0, true).unwrap().len(), 61);
}

#[test]
fn a_reader_goes_on_right_where_the_first_group_of_a_segment_was_lost_and_written_anew() {
    let (world, writer) = rotation_whose_sync_fails();
    let reader = read(&world);
    // The pages of the failed sync are clean and nowhere but in memory; now they are gone.
    drop(writer);
    world.executor.clear();
    world.disk.evict();
    let writer = write(&world);
    assert_eq!(writer.head().size, 40);
    append(&world, &writer, 2);
    append(&world, &writer, 20);
    append(&world, &writer, 1);
    assert_eq!(writer.shared().catalogue.newest(), 2);
    assert_eq!(reader.refresh().unwrap(), writer.head());
    assert_eq!(read_from(&reader, 0, true).unwrap().len(), 63);
}

#[test]
fn a_live_mark_older_than_the_log_hides_nothing_without_a_writer() {
    let world = SimWorld::new(2);
    let writer = write(&world);
    for _ in 0..3 {
        append(&world, &writer, 1);
    }
    let head = writer.head();
    // The power goes: the segment was synced, and of the marks in `lock` an older one is on the disk.
    let lock = PathBuf::from(DIR).join("lock");
    let sector = world.disk.unsynced_sectors().into_iter().find(|s| s.path == lock && s.sector == 1).unwrap();
    assert!(sector.versions > 2);
    let mut choice = CrashChoice::keep_all();
    choice.sectors.insert((sector.file, 1), SectorFate::Version(1));
    let world = world.crash_with(&choice);

    assert_eq!(read(&world).head(), head);
    let expected = HeadClaim { id: *writer.id(), size: head.size, hash: head.hash };
    let options = Options { expect_head: Some(expected), ..options(true) };
    assert!(open_with(world.host(), options).is_ok());
}

/// A writer acknowledged a record, and was killed when it had written another one and not synced it.
fn killed_before_its_sync(seed: u64) -> SimWorld {
    let world = SimWorld::new(seed);
    let writer = write(&world);
    append(&world, &writer, 1);
    append_and_be_killed(&world, writer, 1);
    world
}

#[test]
fn what_a_killed_writer_had_written_and_not_synced_is_made_durable_before_it_is_shown() {
    let world = killed_before_its_sync(3);
    assert_eq!(size_after_power_loss(&world), 1, "nothing is to be shown");

    let reader = read(&world);
    assert_eq!(reader.head().size, 2);
    assert_eq!(size_after_power_loss(&world), 2);
    let writer = write(&world);
    append(&world, &writer, 1);
    assert_eq!(reader.refresh().unwrap(), writer.head());
    assert_eq!(read_from(&reader, 0, true).unwrap().len(), 3);
}

#[test]
fn without_a_lock_file_it_is_the_same() {
    let world = killed_before_its_sync(4);
    world.disk.remove_file(&Path::new(DIR).join("lock")).unwrap();
    assert_eq!(read(&world).head().size, 2);
    assert_eq!(size_after_power_loss(&world), 2);
}

#[test]
fn a_log_whose_end_is_attested_is_shown_without_a_sync() {
    let world = SimWorld::new(5);
    let writer = write(&world);
    append(&world, &writer, 1);
    drop(writer);
    world.executor.clear();
    let host = hooked(&world, Call::SyncData, || panic!("synced for nothing"));
    assert_eq!(open_with(host, options(true)).unwrap().head().size, 1);
}

#[test]
fn a_reader_whose_sync_fails_shows_nothing() {
    let world = killed_before_its_sync(6);
    world.disk.add_rule(Rule::new(Fault::Io).on(&[Call::SyncData, Call::SyncAll]));
    let outcome = open_with(world.host(), options(true));
    assert!(matches!(outcome.err(), Some(Error::Io { .. })));
}

#[test]
fn a_mount_that_takes_no_syncs_is_no_obstacle() {
    let world = killed_before_its_sync(7);
    for kind in [io::ErrorKind::ReadOnlyFilesystem, io::ErrorKind::InvalidInput, io::ErrorKind::PermissionDenied] {
        let host = hooked(&world, Call::SyncData, move || Err(kind.into()));
        assert_eq!(open_with(host, options(true)).unwrap().head().size, 2);
    }
}

#[test]
fn a_writer_that_opens_while_a_reader_looks_is_followed() {
    let world = killed_before_its_sync(8);
    // It comes between the look and the sync, appends, and its next group is written but not durable.
    let comes = Arc::new(Mutex::new(None));
    let (there, inner) = (Arc::clone(&comes), world.clone());
    let host = hooked(&world, Call::SyncData, move || {
        there.lock().get_or_insert_with(|| {
            let writer = write(&inner);
            append(&inner, &writer, 1);
            append_unsynced(&inner, &writer, 1, "0000000001.seg");
            writer
        });
        Ok(())
    });
    let reader = open_with(host, options(true)).unwrap();
    let writer = comes.lock().take().expect("it came");
    assert_eq!(writer.head().size, 3);
    assert_eq!(reader.head(), writer.head());
}

#[test]
fn a_live_mark_read_while_it_is_written_is_read_again() {
    let world = SimWorld::new(9);
    let writer = write(&world);
    append(&world, &writer, 1);
    append_unsynced(&world, &writer, 1, "0000000001.seg");
    // A half of it is that of the next one.
    let lock = Path::new(DIR).join("lock");
    let sound = world.disk.read_file(&lock).unwrap();
    world.disk.corrupt(&lock, 512 + 20, |byte| *byte ^= 1).unwrap();
    let inner = world.clone();
    let host = hooked(&world, Call::List, move || inner.disk.write_file(&lock, &sound));
    let reader = open_with(host, options(true)).unwrap();
    assert_eq!(reader.head(), writer.head());
}
