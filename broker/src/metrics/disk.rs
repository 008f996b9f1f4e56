//! The world with a watch on its disk: how long every fsync takes. Nothing else is changed.
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use millrace_world::{Disk, DiskLock, Entry, File, Map, Moment, OpenMode, Sleep, Task, World};

use super::Histogram;

/// A world whose disk is timed.
pub struct Metered {
    inner: Arc<dyn World>,
    disk: Arc<MeteredDisk>,
}

struct MeteredDisk {
    inner: Arc<dyn Disk>,
    world: Arc<dyn World>,
    fsync: Arc<Histogram>,
}

struct MeteredFile {
    inner: Arc<dyn File>,
    world: Arc<dyn World>,
    fsync: Arc<Histogram>,
}

impl Metered {
    pub fn new(inner: Arc<dyn World>, fsync: Arc<Histogram>) -> Metered {
        let disk = MeteredDisk { inner: inner.disk(), world: inner.clone(), fsync };
        Metered { inner, disk: Arc::new(disk) }
    }
}

impl World for Metered {
    fn now(&self) -> Moment {
        self.inner.now()
    }
    fn wall_ms(&self) -> i64 {
        self.inner.wall_ms()
    }
    fn random(&self) -> u64 {
        self.inner.random()
    }
    fn sleep_until(&self, deadline: Moment) -> Sleep {
        self.inner.sleep_until(deadline)
    }
    fn spawn(&self, task: Task) {
        self.inner.spawn(task);
    }
    fn disk(&self) -> Arc<dyn Disk> {
        self.disk.clone()
    }
}

impl Disk for MeteredDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let inner = self.inner.open(path, mode)?;
        Ok(Arc::new(MeteredFile { inner, world: self.world.clone(), fsync: self.fsync.clone() }))
    }
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.inner.create_dir_all(path)
    }
    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.inner.remove_dir_all(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.inner.remove_file(path)
    }
    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.inner.exists(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        self.inner.list(dir)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.inner.sync_dir(dir)
    }
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>> {
        self.inner.lock(path)
    }
    fn space(&self, path: &Path) -> io::Result<(u64, u64)> {
        self.inner.space(path)
    }
}

impl File for MeteredFile {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        self.inner.read_at(buf, position)
    }
    fn write_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        self.inner.write_at(parts, position)
    }
    fn sync_data(&self) -> io::Result<()> {
        let began = self.world.now();
        let synced = self.inner.sync_data();
        self.fsync.record(self.world.now() - began);
        synced
    }
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)
    }
    fn allocate(&self, len: u64) -> io::Result<()> {
        self.inner.allocate(len)
    }
    fn start_writeback(&self, position: u64, len: u64) {
        self.inner.start_writeback(position, len);
    }
    fn map(&self) -> io::Result<Map> {
        self.inner.map()
    }
}
