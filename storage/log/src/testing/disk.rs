//! A disk in memory that can lose what was not synced and stop at any operation.
use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use millrace_world::{Disk, DiskLock, Entry, File, Map, OpenMode};
use parking_lot::Mutex;

/// What a crash leaves of what was not synced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loss {
    /// A killed process: everything written is there.
    Nothing,
    /// A power failure: bytes and names since the last sync are gone.
    Unsynced,
    /// A power failure that let half of each file's unsynced tail through, and all names.
    Half,
}

#[derive(Default)]
struct Contents {
    now: Vec<u8>,
    durable: Vec<u8>,
}

struct MemFile {
    contents: Arc<Mutex<Contents>>,
    gate: Arc<Gate>,
    writable: bool,
}

/// Counts operations that change something, and refuses them from a certain one on.
#[derive(Default)]
struct Gate {
    done: AtomicU64,
    limit: AtomicU64,
    read_bytes: AtomicU64,
    fail_sync: std::sync::atomic::AtomicBool,
    full: std::sync::atomic::AtomicBool,
}

impl Gate {
    fn pass(&self) -> io::Result<()> {
        let limit = self.limit.load(Ordering::Relaxed);
        if limit != 0 && self.done.load(Ordering::Relaxed) >= limit {
            return Err(io::Error::other("the machine is down"));
        }
        self.done.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

type Names = BTreeMap<PathBuf, Arc<Mutex<Contents>>>;

#[derive(Default)]
pub struct MemDisk {
    names: Mutex<Names>,
    durable_names: Mutex<Names>,
    gate: Arc<Gate>,
}

impl MemDisk {
    pub fn new() -> Arc<MemDisk> {
        Arc::new(MemDisk::default())
    }

    /// Lets `count` more changes happen; 0: no limit.
    pub fn stop_after(&self, count: u64) {
        let done = self.gate.done.load(Ordering::Relaxed);
        self.gate.limit.store(if count == 0 { 0 } else { done + count }, Ordering::Relaxed);
    }

    pub fn changes(&self) -> u64 {
        self.gate.done.load(Ordering::Relaxed)
    }

    /// Bytes read since the disk was made.
    pub fn bytes_read(&self) -> u64 {
        self.gate.read_bytes.load(Ordering::Relaxed)
    }

    pub fn fail_syncs(&self, on: bool) {
        self.gate.fail_sync.store(on, Ordering::Relaxed);
    }

    pub fn set_full(&self, on: bool) {
        self.gate.full.store(on, Ordering::Relaxed);
    }

    /// The disk as the next start finds it.
    pub fn after_crash(&self, loss: Loss) -> Arc<MemDisk> {
        let names = match loss {
            Loss::Nothing | Loss::Half => self.names.lock().clone(),
            Loss::Unsynced => self.durable_names.lock().clone(),
        };
        let survive = |contents: &Arc<Mutex<Contents>>| {
            let contents = contents.lock();
            let bytes = match loss {
                Loss::Nothing => contents.now.clone(),
                Loss::Unsynced => contents.durable.clone(),
                Loss::Half => {
                    let same = contents.now.iter().zip(&contents.durable).take_while(|(now, then)| now == then).count();
                    let mut bytes = contents.now.clone();
                    bytes.truncate(same + (bytes.len() - same) / 2);
                    bytes
                }
            };
            Arc::new(Mutex::new(Contents { now: bytes.clone(), durable: bytes }))
        };
        let names: Names = names.iter().map(|(path, contents)| (path.clone(), survive(contents))).collect();
        Arc::new(MemDisk { durable_names: Mutex::new(names.clone()), names: Mutex::new(names), gate: Arc::default() })
    }

    pub fn bytes(&self, path: &Path) -> Vec<u8> {
        self.names.lock()[path].lock().now.clone()
    }

    pub fn set_bytes(&self, path: &Path, bytes: Vec<u8>) {
        let mut contents = Contents { now: bytes.clone(), durable: bytes };
        let names = self.names.lock();
        std::mem::swap(&mut *names[path].lock(), &mut contents);
    }

    pub fn paths(&self) -> Vec<PathBuf> {
        self.names.lock().keys().cloned().collect()
    }
}

impl Disk for MemDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut names = self.names.lock();
        let contents = match (names.get(path), mode) {
            (Some(_), OpenMode::CreateNew) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Some(contents), _) => contents.clone(),
            (None, OpenMode::Read | OpenMode::Write) => return Err(io::ErrorKind::NotFound.into()),
            (None, _) => {
                self.gate.pass()?;
                names.entry(path.to_path_buf()).or_default().clone()
            }
        };
        Ok(Arc::new(MemFile { contents, gate: self.gate.clone(), writable: mode != OpenMode::Read }))
    }

    fn create_dir_all(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.gate.pass()?;
        self.names.lock().retain(|name, _| !name.starts_with(path));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut names = self.names.lock();
        self.gate.pass()?;
        let contents = names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        names.insert(to.to_path_buf(), contents);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut names = self.names.lock();
        if !names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.gate.pass()?;
        names.remove(path);
        Ok(())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.names.lock().contains_key(path))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let names = self.names.lock();
        let inside = names.iter().filter(|(path, _)| path.parent() == Some(dir));
        Ok(inside
            .map(|(path, contents)| Entry {
                name: path.file_name().unwrap().to_string_lossy().into_owned(),
                is_dir: false,
                len: contents.lock().now.len() as u64,
            })
            .collect())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.gate.pass()?;
        let names = self.names.lock();
        let mut durable = self.durable_names.lock();
        durable.retain(|path, _| path.parent() != Some(dir));
        let inside = names.iter().filter(|(path, _)| path.parent() == Some(dir));
        durable.extend(inside.map(|(path, contents)| (path.clone(), contents.clone())));
        Ok(())
    }

    fn lock(&self, _path: &Path) -> io::Result<Option<Box<dyn DiskLock>>> {
        Ok(None)
    }

    fn space(&self, _path: &Path) -> io::Result<(u64, u64)> {
        Ok((1 << 40, 1 << 39))
    }
}

impl File for MemFile {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let contents = self.contents.lock();
        let rest = contents.now.get(position as usize..).unwrap_or_default();
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        self.gate.read_bytes.fetch_add(len as u64, Ordering::Relaxed);
        Ok(len)
    }

    fn write_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<()> {
        assert!(self.writable);
        let mut contents = self.contents.lock();
        let bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        if self.gate.full.load(Ordering::Relaxed) {
            // Some of it still fits.
            let fits = &bytes[..bytes.len() / 2];
            contents.now.resize(position as usize, 0);
            contents.now.extend_from_slice(fits);
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.gate.pass()?;
        let end = position as usize + bytes.len();
        if contents.now.len() < end {
            contents.now.resize(end, 0);
        }
        contents.now[position as usize..end].copy_from_slice(&bytes);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.gate.fail_sync.load(Ordering::Relaxed) {
            return Err(io::Error::other("input/output error"));
        }
        self.gate.pass()?;
        let mut contents = self.contents.lock();
        contents.durable = contents.now.clone();
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.contents.lock().now.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        assert!(self.writable);
        self.gate.pass()?;
        self.contents.lock().now.resize(len as usize, 0);
        Ok(())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn start_writeback(&self, _position: u64, _len: u64) {}

    fn map(&self) -> io::Result<Map> {
        Ok(Box::new(self.contents.lock().now.clone()))
    }
}
