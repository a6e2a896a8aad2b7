//! Direct writes (`O_DIRECT`) on Linux: data goes from the caller's memory to the device, past the page cache.
//!
//! A mode of the descriptor and not of a call, so that a file is never written through the cache and past it at the
//! same moment, and the one descriptor that reports failed syncs stays the only one. Reads elsewhere go through the cache; the
//! kernel writes back and drops the pages that a direct write covers, before it and after it, so they see it.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, OFlags, StatxFlags, fcntl_getfl, fcntl_setfl, fstatfs, statx};

use super::DIRECT_ALIGN;

/// Whether a descriptor is in direct mode now. One thread at a time uses a descriptor that writes.
#[derive(Debug, Default)]
pub struct Mode(AtomicBool);

impl Mode {
    /// Switches, if need be. `InvalidInput` where the file system has no such mode.
    pub fn set(&self, file: &File, direct: bool) -> io::Result<()> {
        if self.0.load(Ordering::Relaxed) != direct {
            let mut flags = fcntl_getfl(file)?;
            flags.set(OFlags::DIRECT, direct);
            fcntl_setfl(file, flags)?;
            self.0.store(direct, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Only where cached reads are known to agree with direct writes and the latter are a gain: ext4 and XFS. Network and
/// stacked file systems promise less, Btrfs copies such writes for its checksums, and tmpfs has no device.
pub fn is_sound(file: &File) -> bool {
    let known = fstatfs(file).is_ok_and(|volume| super::file::writes_in_place(volume.f_type));
    let Ok(about) = statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN) else { return false };
    let fits = |align: u32| align > 0 && DIRECT_ALIGN.is_multiple_of(align as usize);
    // Without the answer (before Linux 6.1) the first write finds out: what is not aligned well enough is refused.
    let told = about.stx_mask & StatxFlags::DIOALIGN.bits() != 0;
    known && (!told || (fits(about.stx_dio_mem_align) && fits(about.stx_dio_offset_align)))
}
