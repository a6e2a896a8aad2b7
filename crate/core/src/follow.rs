//! Reading a log that another process writes: no lock, no repair, and nothing beyond the live mark.

use std::path::Path;

use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::format::{LIVE_MARK_POSITION, MARK_LEN, Mark};
use crate::lock::LockFile;
use crate::log::Shared;
use crate::options::Options;
use crate::recovery::{self, Recovered};
use crate::segment;
use crate::writer::Head;

/// How often opening and following start again when the writer rotates under them.
const TRIES: usize = 100;

/// Where a reader stands.
pub struct Follower {
    lock: Option<LockFile>,
    seen: Option<[u8; MARK_LEN]>,
}

/// Recovers without writing. A writer may be at work: what looks like damage is looked at again when the live mark
/// has moved meanwhile.
pub fn open(disk: &dyn Disk, dir: &Path, options: &Options) -> Result<(Recovered, Follower)> {
    let mut tries = 0;
    loop {
        let lock = LockFile::look(disk, dir)?;
        let before = lock.as_ref().map(LockFile::mark_bytes).transpose()?.flatten();
        let recovered = recovery::recover(disk, dir, options, None);
        let after = lock.as_ref().map(LockFile::mark_bytes).transpose()?.flatten();
        tries += 1;
        match recovered {
            Ok(recovered) => return Ok((recovered, Follower { lock, seen: before })),
            Err(Error::Corrupt(_)) if before != after && tries < TRIES => {}
            Err(error) => return Err(error),
        }
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
