//! The files around a rotation: the spare that becomes the next segment, and the sealing of the one before.

use std::path::PathBuf;

use crate::disk::{Access, Disk, DiskFile};
use crate::error::{Error, Result};
use crate::format;
use crate::log::Shared;
use crate::planted::{Bug, planted};
use crate::sealing::{self, Summary};
use crate::segment::{self, Segment};

/// A file of zeros, or an empty one, under the name of the next segment.
pub struct Spare {
    /// Segment number.
    pub number: u32,
    /// Its path.
    pub path: PathBuf,
    /// Open for writing; all syncs of the segment will go through this descriptor.
    pub file: Box<dyn DiskFile>,
}

impl Spare {
    /// Creates the spare: its name is durable before anything is written into it.
    pub fn create(disk: &dyn Disk, dir: &std::path::Path, number: u32) -> Result<Self> {
        let path = segment::path_of(dir, number);
        let temporary = dir.join(format!("{}.tmp", format::segment_name(number)));
        let file = disk.open(&temporary, Access::OpenOrCreate).map_err(|error| Error::io("open", &temporary, error))?;
        file.set_len(0).map_err(|error| Error::io("ftruncate", &temporary, error))?;
        file.sync_all().map_err(|error| Error::io("fsync", &temporary, error))?;
        // Renaming replaces: a segment must never be under that name. Cheap, and the last guard of what is durable.
        match disk.kind(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("stat", &path, error)),
            Ok(_) => return Err(Error::Internal(format!("{} exists already", path.display()))),
        }
        disk.rename(&temporary, &path).map_err(|error| Error::io("rename", &path, error))?;
        if !planted(Bug::NoFolderSync) {
            disk.sync_dir(dir).map_err(|error| Error::io("fsync", dir, error))?;
        }
        Ok(Self { number, path, file })
    }

    /// Opens the spare that recovery found.
    pub fn reopen(disk: &dyn Disk, dir: &std::path::Path, number: u32) -> Result<Self> {
        let path = segment::path_of(dir, number);
        let file = disk.open(&path, Access::Write).map_err(|error| Error::io("open", &path, error))?;
        Ok(Self { number, path, file })
    }
}

/// A segment whose successor has become durable.
pub struct Sealable {
    /// The segment, with the descriptor that wrote it.
    pub segment: Segment,
    /// What its footer will state.
    pub summary: Summary,
}

impl Sealable {
    /// Writes index and footer and cuts the file.
    pub fn seal(&self, log: &Shared) -> Result<()> {
        let Segment { file, path, frame_key, number, .. } = &self.segment;
        let index = log.catalogue.whole_index(*number)?;
        sealing::seal(&**file, path, &log.keys, frame_key, &self.summary, &index)?;
        log.catalogue.sealed(*number);
        Ok(())
    }
}
