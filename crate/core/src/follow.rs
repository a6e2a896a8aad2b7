//! Reading a log that another process writes: no lock, no repair, and nothing that is not durable.
//!
//! With a writer at work the log ends at the live mark. Without one the mark is evidence only: it is not synced, so
//! after a power loss it may be older than the log. Then the log ends where recovery would let it end, and what nothing
//! attests (its writer was killed before the sync) is synced before it is shown.

use std::path::Path;

use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::format::{LIVE_MARK_POSITION, Mark};
use crate::lock::LockFile;
use crate::log::Shared;
use crate::options::Options;
use crate::planted::{Bug, planted};
use crate::recovery::{self, LiveMark, Recovered};
use crate::segment::{self, Segment};
use crate::writer::Head;

/// How often opening and following start again when the writer rotates under them.
const TRIES: usize = 100;

/// Where a reader stands.
pub struct Follower {
    lock: Option<LockFile>,
    seen: Option<LiveMark>,
}

/// What tells that a writer is at work, or has been meanwhile.
#[derive(PartialEq, Eq)]
struct Seen {
    /// `None` where it cannot be told.
    held: Option<bool>,
    mark: Option<LiveMark>,
}

impl Seen {
    fn look(lock: Option<&LockFile>) -> Result<Self> {
        let Some(lock) = lock else { return Ok(Self { held: Some(false), mark: None }) };
        // In this order: a writer that is seen at work has written its mark.
        let held = lock.is_held()?;
        Ok(Self { held, mark: lock.mark_bytes()? })
    }
}

/// Recovers without writing. A writer may be at work or come meanwhile: what was seen is then looked at again, unless
/// it ends at the mark of that writer.
pub fn open(disk: &dyn Disk, dir: &Path, options: &Options) -> Result<(Recovered, Follower)> {
    let (mut tries, mut syncs) = (0, true);
    loop {
        tries += 1;
        let lock = LockFile::look(disk, dir)?;
        let before = Seen::look(lock.as_ref())?;
        // Where it cannot be told whether there is a writer, a sync makes true what is shown; without one, the mark.
        let at_work = before.held == Some(true) || (before.held.is_none() && !syncs) || planted(Bug::StaleMarkBelieved);
        let observed = recovery::observe(disk, dir, options, before.mark.as_ref().filter(|_| at_work));
        // One who opens the folder's first lock file is seen as well.
        let changed = || Ok::<_, Error>(Seen::look(LockFile::look(disk, dir)?.as_ref())? != before);
        let last = tries >= TRIES;
        match observed {
            Err(Error::Corrupt(_)) if !last && changed()? => {}
            Err(Error::HeadMismatch { .. }) if !at_work && !last && changed()? => {}
            Err(error) => return Err(error),
            Ok((recovered, true)) => return Ok((recovered, Follower { lock, seen: before.mark })),
            // Not beside a writer: the system may tell of a failed write-back only once, and that is for the writer.
            Ok(_) if !last && changed()? => {}
            Ok((recovered, false)) => {
                syncs = sync(&recovered.active)?;
                let shown = syncs || at_work || before.held.is_some();
                if shown && (last || !changed()?) {
                    return Ok((recovered, Follower { lock, seen: before.mark }));
                }
            }
        }
    }
}

/// Makes durable what was found in a file, through the reader's own descriptor; false where the mount takes no syncs.
fn sync(active: &Segment) -> Result<bool> {
    use std::io::ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    if planted(Bug::ShownUnsynced) {
        return Ok(true);
    }
    match active.file.sync_data() {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.kind(), InvalidInput | PermissionDenied | ReadOnlyFilesystem | Unsupported) => {
            Ok(false)
        }
        Err(error) => Err(Error::io("fdatasync", &active.path, error)),
    }
}

impl Follower {
    /// Takes in what has become durable since.
    pub fn refresh(&mut self, log: &Shared) -> Result<()> {
        if self.lock.is_none() {
            // A folder that was copied without its lock file; a writer that opens it makes one.
            self.lock = LockFile::look(&*log.host.disk, &log.dir)?;
        }
        let Some(lock) = &self.lock else { return Ok(()) };
        for _ in 0..TRIES {
            let bytes = lock.mark_bytes()?;
            if bytes == self.seen {
                return Ok(());
            }
            let Some(bytes) = bytes else { return Ok(()) };
            let active = log.catalogue.active()?;
            let Some(number) = Mark::peek_segment(&bytes) else { return Ok(()) };
            if number > active.segment.number {
                self.next_segment(log)?;
                continue;
            }
            // Torn while it is being written, or of another log that was put in this one's place.
            let Some(mark) = Mark::parse(&bytes, &active.segment.frame_key, LIVE_MARK_POSITION) else { continue };
            if mark.position > active.end() {
                let entries = active.segment.walk_index(active.end(), mark.position)?;
                log.catalogue.extend_active(&entries, mark.position);
            }
            if mark.size >= log.head().size {
                log.advance(Head { size: mark.size, hash: mark.head }, mark.last_time);
            }
            self.seen = Some(bytes);
        }
        Ok(())
    }

    /// The writer has rotated: finishes the active segment and goes on to its successor.
    fn next_segment(&self, log: &Shared) -> Result<()> {
        let active = log.catalogue.active()?;
        let number = active.segment.number + 1;
        let next = segment::open_checked(&*log.host.disk, &log.dir, number, crate::disk::Access::Read, &log.keys)?;
        if next.header.nonce != active.segment.header.next_nonce {
            let damage = crate::error::Damage::new("the next segment is not the one that was prepared", &next.path);
            return Err(Error::corrupt(damage.at(0)));
        }
        let end = next.header.predecessor_end;
        let entries = active.segment.walk_index(active.end(), end)?;
        log.catalogue.extend_active(&entries, end);
        log.catalogue.add_active(number, next.header.clone(), next.frame_key)
    }
}
