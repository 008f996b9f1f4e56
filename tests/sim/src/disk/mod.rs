//! A disk in memory that forgets like a real one. Every file has two faces: what the page cache
//! shows, and what is on the platter; a sync copies the one to the other. Names are the same:
//! creating, renaming and removing reach the platter with `sync_dir` of their folder. A crash keeps
//! of the rest what the seed says: all, nothing, or some pages, some of them torn.
//!
//! It is harsher than most file systems (an fsync of a file does not save its name, a cut-off tail
//! may come back), and as lenient as POSIX in nothing.
mod faults;
mod file;
mod names;
mod pages;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use millrace_world::{Disk, DiskLock, Entry, File, OpenMode};
use parking_lot::Mutex;

pub use faults::{Faults, Loss};
use file::Handle;
use names::Names;
use pages::Pages;

use crate::rng::Rng;

/// A simulated volume. It outlives the nodes that crash on it.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<Volume>>, Arc<AtomicU64>);

#[derive(Default)]
struct Inode {
    cached: Pages,
    durable: Pages,
    dirty: BTreeSet<u64>,
    /// The length, or a cut, that the platter does not know yet.
    len_dirty: bool,
    /// Pages that count as clean are not on the platter.
    sync_failed: bool,
    /// `allocate` took the room for so many pages.
    reserved: u64,
}

impl Inode {
    fn held(&self) -> u64 {
        self.cached.held().max(self.reserved)
    }
}

struct Volume {
    inodes: BTreeMap<u64, Inode>,
    next_inode: u64,
    names: Names,
    locks: BTreeSet<PathBuf>,
    faults: Faults,
    operations: u64,
    off: bool,
    /// Every handle of an earlier life is dead.
    life: u64,
    rng: Rng,
    syncs: u64,
}

impl SimDisk {
    pub fn new(seed: u64) -> Self {
        let volume = Volume {
            inodes: BTreeMap::new(),
            next_inode: 1,
            names: Names::default(),
            locks: BTreeSet::new(),
            faults: Faults::default(),
            operations: 0,
            off: false,
            life: 0,
            rng: Rng::new(seed),
            syncs: 0,
        };
        SimDisk(Arc::new(Mutex::new(volume)), Arc::default())
    }

    /// Changes what will go wrong.
    pub fn set_faults(&self, change: impl FnOnce(&mut Faults, u64)) {
        let mut volume = self.0.lock();
        let operations = volume.operations;
        change(&mut volume.faults, operations);
    }

    /// Operations so far.
    pub fn operations(&self) -> u64 {
        self.0.lock().operations
    }

    pub fn syncs(&self) -> u64 {
        self.0.lock().syncs
    }

    /// Bytes that are taken.
    pub fn used(&self) -> u64 {
        self.0.lock().used()
    }

    pub fn is_off(&self) -> bool {
        self.0.lock().off
    }

    /// Nanoseconds that syncs have taken since the last time; the world's clock takes them up.
    pub fn take_delay(&self) -> u64 {
        self.1.swap(0, Ordering::Relaxed)
    }

    /// The machine stops now, if it has not already, and starts again. Open files are dead.
    pub fn crash(&self, loss: Loss) {
        let mut volume = self.0.lock();
        let volume = &mut *volume;
        volume.off = false;
        volume.life += 1;
        volume.locks.clear();
        volume.faults.power_off_at = None;
        volume.faults.broken.clear();
        if loss == Loss::Nothing {
            return;
        }
        let all_lost = loss == Loss::Everything;
        let rng = &mut volume.rng;
        volume.names.crash(|| if all_lost { 0 } else { rng.next() });
        for inode in volume.inodes.values_mut() {
            if !inode.dirty.is_empty() || inode.len_dirty {
                file::crash(inode, all_lost, &mut volume.rng);
            } else if inode.sync_failed {
                inode.cached = inode.durable.clone();
            }
            inode.sync_failed = false;
        }
        volume.forget_nameless();
    }

    /// Changes bytes behind everybody's back: `change` gets the file as it is on the platter.
    pub fn damage(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut volume = self.0.lock();
        let number = volume.names.file(path).unwrap_or_else(|| panic!("{} is there to be damaged", path.display()));
        let inode = volume.inodes.get_mut(&number).expect("a name leads to an inode");
        let mut bytes = vec![0; inode.durable.len as usize];
        inode.durable.read(&mut bytes, 0);
        change(&mut bytes);
        let mut damaged = Pages::default();
        damaged.write(&bytes, 0);
        inode.durable = damaged.clone();
        inode.cached = damaged;
        inode.dirty.clear();
    }

    /// Files below `dir`, with their lengths.
    pub fn files(&self, dir: &Path) -> Vec<(PathBuf, u64)> {
        let volume = self.0.lock();
        volume.names.files_below(dir).into_iter().map(|(path, inode)| (path, volume.inodes[&inode].cached.len)).collect()
    }
}

impl Volume {
    /// Counts one operation; tells whether it may happen. The one during which the power fails
    /// happens in part: `Err` for the caller, with `power_fails` true this once.
    fn operate(&mut self, changes: bool) -> (io::Result<()>, bool) {
        if self.off {
            return (Err(power_off()), false);
        }
        self.operations += 1;
        if self.faults.power_off_at.is_some_and(|at| self.operations >= at) {
            self.off = true;
            return (Err(power_off()), true);
        }
        if changes && self.faults.broken.remove(&self.operations) {
            return (Err(io::Error::other("simulated EIO")), false);
        }
        (Ok(()), false)
    }

    fn simple(&mut self, changes: bool) -> io::Result<()> {
        self.operate(changes).0
    }

    fn used(&self) -> u64 {
        self.inodes.values().map(Inode::held).sum::<u64>() * pages::PAGE as u64
    }

    fn free(&self) -> u64 {
        self.faults.capacity.map_or(u64::MAX / 4, |capacity| capacity.saturating_sub(self.used()))
    }

    fn forget_nameless(&mut self) {
        let named = self.names.inodes();
        self.inodes.retain(|number, _| named.contains(number));
    }
}

fn power_off() -> io::Error {
    io::Error::other("simulated power failure")
}

fn not_found(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{} is not there", path.display()))
}

struct Lock {
    volume: Arc<Mutex<Volume>>,
    path: PathBuf,
    life: u64,
}

impl DiskLock for Lock {}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut volume = self.volume.lock();
        if volume.life == self.life {
            volume.locks.remove(&self.path);
        }
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut volume = self.0.lock();
        volume.simple(false)?;
        let found = volume.names.file(path);
        let inode = match (found, mode) {
            (Some(_), OpenMode::CreateNew) => return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is there")),
            (Some(inode), _) => inode,
            (None, OpenMode::Read | OpenMode::Write) => return Err(not_found(path)),
            (None, OpenMode::CreateNew | OpenMode::OpenOrCreate) => {
                if volume.free() < pages::PAGE as u64 {
                    return Err(io::Error::from(io::ErrorKind::StorageFull));
                }
                let inode = volume.next_inode;
                volume.next_inode += 1;
                volume.names.link(path, inode)?;
                volume.inodes.insert(inode, Inode::default());
                inode
            }
        };
        let life = volume.life;
        Ok(Arc::new(Handle { volume: self.0.clone(), delay: self.1.clone(), inode, life, writable: mode != OpenMode::Read }))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut volume = self.0.lock();
        volume.simple(true)?;
        volume.names.make_dirs(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut volume = self.0.lock();
        volume.simple(true)?;
        volume.names.remove_dir_all(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut volume = self.0.lock();
        volume.simple(true)?;
        volume.names.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut volume = self.0.lock();
        volume.simple(true)?;
        volume.names.unlink(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let mut volume = self.0.lock();
        volume.simple(false)?;
        Ok(volume.names.file(path).is_some() || volume.names.is_dir(path))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let mut volume = self.0.lock();
        volume.simple(false)?;
        if !volume.names.is_dir(dir) {
            return Err(not_found(dir));
        }
        let mut entries: Vec<Entry> = volume
            .names
            .children(dir)
            .into_iter()
            .map(|(name, inode)| Entry { name, is_dir: inode.is_none(), len: inode.map_or(0, |inode| volume.inodes[&inode].cached.len) })
            .collect();
        entries.sort();
        Ok(entries)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut volume = self.0.lock();
        volume.simple(true)?;
        if !volume.names.is_dir(dir) {
            return Err(not_found(dir));
        }
        volume.names.sync(dir);
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>> {
        let mut volume = self.0.lock();
        volume.simple(false)?;
        if !volume.locks.insert(path.to_path_buf()) {
            return Ok(None);
        }
        let life = volume.life;
        Ok(Some(Box::new(Lock { volume: self.0.clone(), path: path.to_path_buf(), life })))
    }

    fn space(&self, _path: &Path) -> io::Result<(u64, u64)> {
        let volume = self.0.lock();
        if volume.off {
            return Err(power_off());
        }
        let total = volume.faults.capacity.unwrap_or(u64::MAX / 4);
        Ok((total, volume.free().saturating_add(volume.faults.space_lie)))
    }
}
