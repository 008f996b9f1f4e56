//! One open file, and what a crash does to its bytes.
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use millrace_world::{File, Map};
use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};

use super::pages::{PAGE, Pages};
use super::{Inode, Volume, power_off};
use crate::rng::Rng;

/// What a disk writes in one piece.
const SECTOR: usize = 512;

pub(super) struct Handle {
    pub volume: Arc<Mutex<Volume>>,
    pub delay: Arc<AtomicU64>,
    pub inode: u64,
    pub life: u64,
    pub writable: bool,
}

impl Handle {
    fn volume(&self) -> io::Result<MutexGuard<'_, Volume>> {
        let volume = self.volume.lock();
        if volume.life != self.life { Err(io::Error::other("opened before the crash")) } else { Ok(volume) }
    }

    fn inode(&self) -> io::Result<MappedMutexGuard<'_, Inode>> {
        let volume = self.volume()?;
        if volume.off {
            return Err(power_off());
        }
        Ok(MutexGuard::map(volume, |volume| volume.inodes.entry(self.inode).or_default()))
    }
}

impl File for Handle {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        Ok(self.inode()?.cached.read(buf, position))
    }

    fn write_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        if !self.writable {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied));
        }
        let mut bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        let mut volume = self.volume()?;
        let (allowed, power_fails) = volume.operate(true);
        if power_fails || (allowed.is_err() && !volume.off) {
            // It breaks off somewhere.
            let kept = volume.rng.below(bytes.len() + 1);
            bytes.truncate(kept);
        } else {
            allowed.as_ref().map_err(|_| power_off())?;
        }
        let free = volume.free();
        let inode = volume.inodes.entry(self.inode).or_default();
        // Room for pages that the file does not hold yet.
        let mut new_pages = 0;
        let mut fits = bytes.len();
        for number in position / PAGE as u64..(position + bytes.len() as u64).div_ceil(PAGE as u64) {
            if number >= inode.reserved && inode.cached.page(number).is_none() {
                new_pages += 1;
                if new_pages * PAGE as u64 > free {
                    fits = (number * PAGE as u64).saturating_sub(position) as usize;
                    break;
                }
            }
        }
        let full = fits < bytes.len();
        bytes.truncate(fits);
        let touched = inode.cached.write(&bytes, position);
        inode.len_dirty |= inode.cached.len != inode.durable.len;
        inode.dirty.extend(touched);
        if full { Err(io::Error::from(io::ErrorKind::StorageFull)) } else { allowed }
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut volume = self.volume()?;
        let (allowed, power_fails) = volume.operate(true);
        let volume = &mut *volume;
        volume.syncs += 1;
        if volume.faults.sync_nanos_max > 0 {
            let nanos = volume.rng.range(0, volume.faults.sync_nanos_max);
            self.delay.fetch_add(nanos, Ordering::Relaxed);
        }
        let off = volume.off;
        let inode = volume.inodes.entry(self.inode).or_default();
        if power_fails {
            // Some of it got there.
            for number in std::mem::take(&mut inode.dirty) {
                if volume.rng.percent(50) {
                    let page = inode.cached.page(number);
                    inode.durable.set_page(number, page);
                    inode.durable.len = inode.durable.len.max(((number + 1) * PAGE as u64).min(inode.cached.len));
                } else {
                    inode.dirty.insert(number);
                }
            }
            return allowed;
        }
        if allowed.is_err() && !off {
            // fsyncgate: the pages count as clean now, and are on no platter.
            inode.dirty.clear();
            inode.sync_failed = true;
            return allowed;
        }
        allowed?;
        for number in std::mem::take(&mut inode.dirty) {
            let page = inode.cached.page(number);
            inode.durable.set_page(number, page);
        }
        inode.durable.set_len(inode.cached.len);
        inode.len_dirty = false;
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.inode()?.cached.len)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.volume()?.simple(true)?;
        let mut inode = self.inode()?;
        let inode = &mut *inode;
        if len < inode.cached.len {
            inode.dirty.split_off(&len.div_ceil(PAGE as u64));
            if len % PAGE as u64 > 0 {
                inode.dirty.insert(len / PAGE as u64);
            }
            inode.reserved = inode.reserved.min(len.div_ceil(PAGE as u64));
        }
        inode.cached.set_len(len);
        inode.len_dirty = true;
        Ok(())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let mut volume = self.volume()?;
        volume.simple(true)?;
        let free = volume.free();
        let inode = volume.inodes.entry(self.inode).or_default();
        let pages = len.div_ceil(PAGE as u64);
        if pages.saturating_sub(inode.held()) * PAGE as u64 > free {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        inode.reserved = inode.reserved.max(pages);
        if len > inode.cached.len {
            inode.cached.set_len(len);
            inode.len_dirty = true;
        }
        Ok(())
    }

    fn start_writeback(&self, _position: u64, _len: u64) {}

    fn map(&self) -> io::Result<Map> {
        let inode = self.inode()?;
        let mut bytes = vec![0; inode.cached.len as usize];
        inode.cached.read(&mut bytes, 0);
        Ok(Box::new(bytes))
    }
}

/// What is left of a file's unsynced part.
pub(super) fn crash(inode: &mut Inode, all_lost: bool, rng: &mut Rng) {
    let dirty = std::mem::take(&mut inode.dirty);
    inode.len_dirty = false;
    if all_lost || rng.percent(20) {
        inode.cached = inode.durable.clone();
        return;
    }
    if rng.percent(15) {
        inode.durable = inode.cached.clone();
        return;
    }
    let mut left: Pages = inode.durable.clone();
    // The length is metadata of its own: the old one, the new one, or one on the way.
    let (old, new) = (inode.durable.len, inode.cached.len);
    let len = match rng.below(4) {
        0 => old,
        1 | 2 => new,
        _ => rng.range(old.min(new), old.max(new) + 1),
    };
    let odds = *rng.pick(&[10, 50, 90]);
    for number in dirty {
        if !rng.percent(odds) {
            continue;
        }
        let mut page = inode.cached.page(number);
        if rng.percent(20) {
            // Torn: some sectors are new, the rest is as before.
            let mut torn = inode.durable.page(number).map_or([0; PAGE], |old| *old);
            let fresh = page.as_deref().copied().unwrap_or([0; PAGE]);
            for sector in 0..PAGE / SECTOR {
                if rng.percent(50) {
                    torn[sector * SECTOR..][..SECTOR].copy_from_slice(&fresh[sector * SECTOR..][..SECTOR]);
                }
            }
            page = Some(Arc::new(torn));
        }
        left.set_page(number, page);
    }
    // What lies behind the end is nobody's, also when the file grows again.
    left.len = left.len.max(new).max(old);
    left.set_len(len);
    inode.durable = left.clone();
    inode.cached = left;
}
