//! One descriptor on the simulated disk.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use super::super::memory::{check_writable, read_bytes};
use super::super::{DIRECT_ALIGN, DiskFile};
use super::faults::{Call, Fault, eio, enospc};
use super::rng::SimRng;
use super::world::{About, World};

pub(super) struct SimFile {
    world: Arc<Mutex<World>>,
    file: u64,
    descriptor: u64,
    writable: bool,
}

impl SimFile {
    pub fn new(shared: &Arc<Mutex<World>>, world: &mut World, file: u64, writable: bool) -> Self {
        world.descriptor_next += 1;
        Self { world: Arc::clone(shared), file, descriptor: world.descriptor_next, writable }
    }

    fn begin(&self, world: &mut World, call: Call, about: &About<'_>) -> io::Result<Option<Fault>> {
        let path = world.image(self.file)?.path.clone();
        world.begin(call, &path, about)
    }

    fn sync(&self, all: bool) -> io::Result<()> {
        let mut world = self.world.lock();
        let fault = self.begin(&mut world, if all { Call::SyncAll } else { Call::SyncData }, &About::Nothing)?;
        let image = world.image(self.file)?;
        if std::mem::take(&mut image.error_pending) {
            // What was dirtied since the failed write-back goes to the disk, what failed does not.
            image.sync(all);
            return Err(eio());
        }
        match fault {
            Some(Fault::Io) => {
                image.fail_write_back(None);
                Err(eio())
            }
            Some(Fault::IoPartly(seed)) => {
                image.fail_write_back(Some(SimRng::new(seed)));
                Err(eio())
            }
            Some(Fault::NoSpace) => {
                image.fail_write_back(None);
                Err(enospc())
            }
            Some(Fault::Phantom) => Ok(()),
            _ => {
                image.sync(all);
                Ok(())
            }
        }
    }

    /// A write of whole multiples of `unit`, but for a fault that fails half-way.
    fn write(&self, call: Call, bytes: &[u8], position: u64, unit: usize) -> io::Result<usize> {
        check_writable(self.writable)?;
        let mut world = self.world.lock();
        let fault = self.begin(&mut world, call, &About::Span { position, len: bytes.len() as u64 })?;
        let call = world.calls;
        let mut bytes = bytes;
        if world.capacity.is_some() {
            let grows = position.saturating_add(bytes.len() as u64).saturating_sub(world.image(self.file)?.charged);
            let missing = usize::try_from(grows.saturating_sub(world.free())).unwrap_or(usize::MAX);
            if missing >= bytes.len() && missing > 0 {
                return Err(enospc());
            }
            bytes = &bytes[..(bytes.len() - missing) / unit * unit];
            if bytes.is_empty() && missing > 0 {
                return Err(enospc());
            }
        }
        let image = world.image(self.file)?;
        match fault {
            Some(Fault::Io) => Err(eio()),
            Some(Fault::IoPartly(seed)) => {
                let part = SimRng::new(seed).index(bytes.len() + 1);
                image.write(call, position, &bytes[..part], true)?;
                Err(eio())
            }
            Some(Fault::Short(max)) => {
                let part = bytes.len().min(max.next_multiple_of(unit));
                image.write(call, position, &bytes[..part], true)?;
                Ok(part)
            }
            Some(Fault::Phantom) => {
                image.write(call, position, bytes, false)?;
                Ok(bytes.len())
            }
            Some(Fault::Misdirected { path, position: landed }) => {
                image.write(call, position, bytes, false)?;
                world.image_at(&path)?.strike(landed, bytes);
                Ok(bytes.len())
            }
            _ => {
                image.write(call, position, bytes, true)?;
                Ok(bytes.len())
            }
        }
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let mut world = self.world.lock();
        let about = About::Span { position, len: buffer.len() as u64 };
        match self.begin(&mut world, Call::Read, &about)? {
            Some(Fault::Io | Fault::IoPartly(_)) => Err(eio()),
            Some(Fault::Short(max)) => {
                let len = buffer.len().min(max.max(1));
                Ok(read_bytes(&world.image(self.file)?.view, &mut buffer[..len], position))
            }
            Some(Fault::Misdirected { path, position }) => {
                Ok(read_bytes(&world.image_at(&path)?.view, buffer, position))
            }
            _ => Ok(read_bytes(&world.image(self.file)?.view, buffer, position)),
        }
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
        self.write(Call::Write, bytes, position, 1)
    }

    fn takes_direct(&self) -> bool {
        true
    }

    fn write_direct_at(&self, bytes: &[u8], position: u64) -> io::Result<usize> {
        // The engine's defect, not a refusal: that would be passed over.
        assert!(bytes.as_ptr().align_offset(DIRECT_ALIGN) == 0, "the memory of a direct write is not aligned");
        assert!(position.is_multiple_of(DIRECT_ALIGN as u64), "a direct write begins inside of a block");
        assert!(bytes.len().is_multiple_of(DIRECT_ALIGN), "a direct write ends inside of a block");
        self.write(Call::WriteDirect, bytes, position, DIRECT_ALIGN)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync(false)
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync(true)
    }

    fn len(&self) -> io::Result<u64> {
        let mut world = self.world.lock();
        self.begin(&mut world, Call::Len, &About::Nothing)?;
        Ok(world.image(self.file)?.view.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        check_writable(self.writable)?;
        let mut world = self.world.lock();
        self.begin(&mut world, Call::SetLen, &About::Length(len))?;
        let call = world.calls;
        world.image(self.file)?.set_len(call, len)
    }

    fn identity(&self) -> io::Result<u64> {
        let mut world = self.world.lock();
        self.begin(&mut world, Call::Identity, &About::Nothing)?;
        Ok(self.file)
    }

    fn try_lock(&self) -> io::Result<bool> {
        let mut world = self.world.lock();
        self.begin(&mut world, Call::TryLock, &About::Nothing)?;
        let holder = &mut world.image(self.file)?.lock;
        Ok(*holder.get_or_insert(self.descriptor) == self.descriptor)
    }

    /// Whoever has it is this process. Not a call, as little as reading `/proc/locks` is one to the disk.
    fn is_locked_by(&self, _pid: u32) -> io::Result<Option<bool>> {
        Ok(Some(self.world.lock().image(self.file)?.lock.is_some()))
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut world = self.world.lock();
        if let Ok(image) = world.image(self.file)
            && image.lock == Some(self.descriptor)
        {
            image.lock = None;
        }
    }
}
