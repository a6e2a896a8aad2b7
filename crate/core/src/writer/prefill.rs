//! Zero-filling a little ahead of small appends: overwriting filled space needs no metadata in the sync.
//!
//! Measured here (ext4 without a journal, 384-byte appends, p50): 134 to 145 µs at the end of the file, 87 to 123 µs in
//! filled space. The thread that owns the file fills it, after it has acknowledged a group, so no append can ever be
//! overwritten by a filler. Steps grow from 64 KiB to 512 KiB while small groups keep coming; an idle or new log fills
//! nothing, large groups fill nothing, and at most one step is unused at any time.
//!
//! Where nothing is filled, a group takes the rest of its last block along as zeros, in the same write: the block is
//! allocated anyway, and the next groups in it need no new length. Measured (384-byte appends to 200 files in turn, mean):
//! 215 instead of 437 µs on ext4 with a journal, 224 instead of 433 µs on XFS. On ext4 without a journal it is a gain
//! for one busy log only, since there a sync also writes every change of the file's time.

use crate::disk::{self, Disk};
use crate::error::{Error, Result};
use crate::segment::Segment;

/// Groups from this size on gain nothing.
const GROUP_BYTES_MAX: u64 = 256 << 10;
const STEP_FIRST: u64 = 64 << 10;
/// A batch that comes meanwhile waits for the step. Batches of 1,000 records one at a time are 1.03 to 1.1 times as fast as
/// with 1 MiB, groups that straddle the filled end included ([`Prefill::group`]).
const STEP_MAX: u64 = 512 << 10;
/// A step takes at most this share of the free space: 5 %.
const FREE_SHARE: u64 = 20;
/// Left space below which the next step comes in any case.
const LOW: u64 = 4 << 10;
/// What file systems allocate at least.
const BLOCK: u64 = 4 << 10;

/// Written at once. Made for each step: as a constant they would be 64 KiB of every installed addon.
const WRITE_BYTES: u64 = 64 << 10;

/// The filled space of the active segment.
pub struct Prefill {
    /// End of the zeros that were written ahead.
    filled: u64,
    small_groups: u32,
    /// So many of them in a row show that more will come.
    groups_before: u32,
    step: u64,
    /// What the last group took: one that fits only in part into the filled space gains nothing.
    group: u64,
    /// False where it does not pay or has failed.
    pays: bool,
}

impl Prefill {
    /// Nothing filled.
    pub fn new(groups_before: u32, pays: bool) -> Self {
        Self { filled: 0, small_groups: 0, groups_before, step: STEP_FIRST, group: 0, pays }
    }

    /// How many zeros a group that ends at `end` takes along: to the end of its block, if the file may end there.
    pub fn rest_of_block(&self, end: u64) -> u64 {
        if self.pays && end > self.filled { end.next_multiple_of(BLOCK) - end } else { 0 }
    }

    /// Zeros were written up to `end`.
    pub fn wrote_to(&mut self, end: u64) {
        self.filled = self.filled.max(end);
    }

    /// Takes note of a written group.
    pub fn note_group(&mut self, bytes: u64) {
        self.group = bytes;
        if bytes < GROUP_BYTES_MAX {
            self.small_groups = self.small_groups.saturating_add(1);
        } else {
            *self = Self::new(self.groups_before, self.pays);
        }
    }

    /// The writer went on to another file.
    pub fn rotated(&mut self) {
        self.filled = 0;
    }

    /// Fills the next step when the last one is used up. That it fails is no error, except for its sync: a sync
    /// reports what happened to the whole file.
    pub fn fill(&mut self, disk: &dyn Disk, active: &Segment, position: u64, segment_bytes: u64) -> Result<()> {
        let used_up = position + self.group.max(LOW) > self.filled;
        if self.small_groups < self.groups_before || !used_up || !self.pays {
            return Ok(());
        }
        let end = (position + self.step).next_multiple_of(crate::format::PAGE_LEN).min(segment_bytes);
        let start = self.filled.max(position);
        if end <= start {
            return Ok(());
        }
        let dir = active.path.parent().unwrap_or(&active.path);
        let room = disk.volume(dir).is_ok_and(|volume| volume.free / FREE_SHARE > end - start);
        self.pays = room && write_zeros(active, start, end);
        if self.pays {
            active.file.sync_data().map_err(|error| Error::io("fdatasync", &active.path, error))?;
            self.filled = end;
            self.step = (self.step * 2).min(STEP_MAX);
        }
        Ok(())
    }
}

fn write_zeros(active: &Segment, start: u64, end: u64) -> bool {
    let zeros = vec![0; (end - start).min(WRITE_BYTES) as usize];
    let mut at = start;
    while at < end {
        let len = (end - at).min(WRITE_BYTES) as usize;
        if disk::write_all_at(&*active.file, &zeros[..len], at).is_err() {
            return false;
        }
        at += len as u64;
    }
    true
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::BLOCK;
    use crate::log::{Deaf, Log};
    use crate::options::{Durability, Options};
    use crate::simulation::SimWorld;

    /// Length of the file after each of 50 groups of one record, and of 40 KiB in the end.
    fn lengths(pays: bool, durability: Durability) -> Vec<u64> {
        let world = SimWorld::new(1);
        world.disk.set_prefill_pays(pays);
        let options = Options { durability, ..Options::default() };
        let log = Log::open(world.host(), Path::new("/a"), options, Arc::new(Deaf)).unwrap();
        std::iter::repeat_n(100, 50)
            .chain([40 << 10])
            .map(|len| {
                log.submit(&vec![7; len as usize], &[len], &[1]).unwrap();
                world.executor.run_ready();
                world.disk.read_file(Path::new("/a/0000000001.seg")).unwrap().len() as u64
            })
            .collect()
    }

    #[test]
    fn a_group_ends_its_file_at_a_block_only_where_that_pays_and_everything_is_synced() {
        let frames = lengths(false, Durability::Disk);
        assert!(frames.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(lengths(true, Durability::Os), frames);
        let whole: Vec<u64> = frames.iter().map(|len| len.next_multiple_of(BLOCK)).collect();
        assert_eq!(lengths(true, Durability::Disk), whole);
    }
}
