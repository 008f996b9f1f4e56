//! The database behind a view's rows, as RocksDB is one: a log of atomic writes that nobody synced.
//!
//! A crash keeps some prefix of the writes, never half of one. Opening it makes what was found durable, as RocksDB's recovery does; a
//! write that failed closes it to writers until it is opened again. Everything goes through the simulated disk, so full disks, failed
//! syncs, torn pages and slow syncs are its lot too.
use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::ops::{Bound, ControlFlow};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use millrace_engine::state::{Cut, Rows, StoreError, Stored, TableId, decode_cut, decode_row, encode_cut, encode_row};
use millrace_store::{Database, Databases, Visit};
use millrace_world::{Disk, DiskLock, File, OpenMode};
use parking_lot::Mutex;

use crate::disk::SimDisk;
use crate::rng::Rng;

/// Bugs of a database to order, so that the checks can prove that they would find them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Tear {
    #[default]
    Nothing,
    /// The cut is a write of its own, before the rows.
    CutApart,
}

pub struct SimDatabases {
    disk: SimDisk,
    chance: Mutex<Rng>,
    tear: Tear,
    /// Some states cannot be opened any more: their files are not what was written.
    damages: Option<Mutex<Rng>>,
}

impl SimDatabases {
    pub fn new(disk: SimDisk, seed: u64, tear: Tear, damages: bool) -> Arc<SimDatabases> {
        let damages = damages.then(|| Mutex::new(Rng::new(!seed)));
        Arc::new(SimDatabases { disk, chance: Mutex::new(Rng::new(seed)), tear, damages })
    }

    /// What a crash left in a folder, without opening it.
    pub fn peek(&self, dir: &Path) -> io::Result<(BTreeMap<(TableId, Vec<u8>), Stored>, Cut)> {
        let contents = newest(&self.disk, dir)?.map(|(_, contents)| contents).unwrap_or_default();
        Ok((contents.rows, contents.cut))
    }
}

impl Databases for SimDatabases {
    fn open(&self, dir: &Path, _files: &[String]) -> Result<Arc<dyn Database>, StoreError> {
        let lock = self.disk.lock(&dir.join("LOCK"))?.ok_or_else(|| io::Error::other("the database is open already"))?;
        let found = newest(&self.disk, dir)?;
        if let Some(chance) = self.damages.as_ref().filter(|_| found.is_some())
            && chance.lock().percent(5)
        {
            return Err(StoreError::Damaged("as the seed has it".into()));
        }
        let number = found.as_ref().map_or(1, |(number, _)| number + 1);
        let contents = found.map(|(_, contents)| contents).unwrap_or_default();
        let path = dir.join(format!("{number:08}.log"));
        let file = self.disk.open(&path, OpenMode::CreateNew)?;
        let mut log = Log { file, end: 0, closed: false, chance: self.chance.lock().fork() };
        log.append(&contents.as_one_write())?;
        log.file.sync_data()?;
        self.disk.sync_dir(dir)?;
        for entry in self.disk.list(dir)?.iter().filter(|entry| number_of(&entry.name).is_some_and(|other| other < number)) {
            self.disk.remove_file(&dir.join(&entry.name))?;
        }
        Ok(Arc::new(SimDatabase { inner: Mutex::new((contents, log)), tear: self.tear, _lock: lock }))
    }
}

fn number_of(name: &str) -> Option<u64> {
    name.strip_suffix(".log")?.parse().ok()
}

/// The newest log with at least its first write, and what its writes come to.
fn newest(disk: &SimDisk, dir: &Path) -> io::Result<Option<(u64, Contents)>> {
    if !disk.exists(dir)? {
        return Ok(None);
    }
    let mut numbers: Vec<u64> = disk.list(dir)?.iter().filter_map(|entry| number_of(&entry.name)).collect();
    numbers.sort_unstable();
    let highest = numbers.last().copied();
    for number in numbers.into_iter().rev() {
        let bytes = read_all(disk, &dir.join(format!("{number:08}.log")))?;
        let mut contents = Contents::default();
        let mut rest = bytes.as_slice();
        let mut writes = 0;
        while let Some((payload, behind)) = split_write(rest) {
            contents.apply(payload).map_err(io::Error::other)?;
            (rest, writes) = (behind, writes + 1);
        }
        if writes > 0 {
            return Ok(Some((highest.unwrap_or(number), contents)));
        }
    }
    Ok(highest.map(|number| (number, Contents::default())))
}

fn read_all(disk: &SimDisk, path: &PathBuf) -> io::Result<Vec<u8>> {
    let file = disk.open(path, OpenMode::Read)?;
    let mut bytes = vec![0; file.len()? as usize];
    let read = file.read_at(&mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// The next whole write: length, checksum, payload.
fn split_write(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<12>()?;
    let len = u32::from_be_bytes(head[..4].try_into().ok()?) as usize;
    let payload = rest.get(..len)?;
    (len > 0 && checksum(payload).to_be_bytes() == head[4..]).then_some((payload, &rest[len..]))
}

/// FNV-1a.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[derive(Default)]
struct Contents {
    rows: BTreeMap<(TableId, Vec<u8>), Stored>,
    cut: Cut,
}

impl Contents {
    fn as_one_write(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        for ((table, key), stored) in &self.rows {
            put_row(&mut payload, *table, key, Some(stored));
        }
        put_cut(&mut payload, &self.cut);
        payload
    }

    fn apply(&mut self, mut payload: &[u8]) -> Result<(), StoreError> {
        while let Some((kind, rest)) = payload.split_first() {
            let (body, rest) = take(rest);
            payload = rest;
            match kind {
                b'c' => self.cut = decode_cut(body)?,
                _ => {
                    let (table, key) = body.split_at(4);
                    let key = (TableId(u32::from_be_bytes([table[0], table[1], table[2], table[3]])), key.to_vec());
                    let (row, rest) = take(payload);
                    payload = rest;
                    if *kind == b'p' {
                        self.rows.insert(key, decode_row(row)?);
                    } else {
                        self.rows.remove(&key);
                    }
                }
            }
        }
        Ok(())
    }
}

/// The payload's checksum held, so its lengths do too.
fn take(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (len, rest) = bytes.split_at(4);
    rest.split_at(u32::from_be_bytes([len[0], len[1], len[2], len[3]]) as usize)
}

fn put(payload: &mut Vec<u8>, part: &[u8]) {
    payload.extend_from_slice(&(part.len() as u32).to_be_bytes());
    payload.extend_from_slice(part);
}

fn put_row(payload: &mut Vec<u8>, table: TableId, key: &[u8], row: Option<&Stored>) {
    payload.push(if row.is_some() { b'p' } else { b'd' });
    put(payload, &[&table.0.to_be_bytes(), key].concat());
    put(payload, &row.map(encode_row).unwrap_or_default());
}

fn put_cut(payload: &mut Vec<u8>, cut: &Cut) {
    payload.push(b'c');
    put(payload, &encode_cut(cut));
}

struct Log {
    file: Arc<dyn File>,
    end: u64,
    closed: bool,
    chance: Rng,
}

impl Log {
    fn append(&mut self, payload: &[u8]) -> io::Result<()> {
        if self.closed {
            return Err(io::Error::other("an earlier write failed"));
        }
        let head = [&(payload.len() as u32).to_be_bytes()[..], &checksum(payload).to_be_bytes()[..]].concat();
        if let Err(error) = self.file.write_at(&[IoSlice::new(&head), IoSlice::new(payload)], self.end) {
            self.closed = true;
            return Err(error);
        }
        self.end += (head.len() + payload.len()) as u64;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let synced = if self.closed { Err(io::Error::other("an earlier write failed")) } else { self.file.sync_data() };
        self.closed |= synced.is_err();
        synced
    }
}

struct SimDatabase {
    inner: Mutex<(Contents, Log)>,
    tear: Tear,
    _lock: Box<dyn DiskLock>,
}

impl Database for SimDatabase {
    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Stored>, StoreError> {
        Ok(self.inner.lock().0.rows.get(&(table, key.to_vec())).cloned())
    }

    fn is_empty(&self) -> Result<bool, StoreError> {
        let inner = self.inner.lock();
        Ok(inner.0.rows.is_empty() && inner.0.cut == Cut::default())
    }

    fn cut(&self) -> Result<Cut, StoreError> {
        Ok(self.inner.lock().0.cut.clone())
    }

    fn write(&self, rows: &Rows, cut: &Cut) -> Result<(), StoreError> {
        let (contents, log) = &mut *self.inner.lock();
        let mut payload = Vec::new();
        if self.tear == Tear::CutApart {
            put_cut(&mut payload, cut);
            log.append(&payload)?;
            payload.clear();
        }
        for (table, rows) in rows.iter() {
            rows.iter().for_each(|(key, row)| put_row(&mut payload, table, key, row.as_ref()));
        }
        put_cut(&mut payload, cut);
        log.append(&payload)?;
        contents.apply(&payload)?;
        // Memory fills up now and then, and what it held becomes a file.
        if log.chance.percent(10) {
            log.sync()?;
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        Ok(self.inner.lock().1.sync()?)
    }

    fn scan(&self, table: TableId, from: &[u8], to: Option<&[u8]>, visit: Visit<'_>) -> Result<(), StoreError> {
        let inner = self.inner.lock();
        let end = match to {
            Some(to) => Bound::Excluded((table, to.to_vec())),
            None => Bound::Excluded((TableId(table.0 + 1), Vec::new())),
        };
        for ((_, key), stored) in inner.0.rows.range((Bound::Included((table, from.to_vec())), end)) {
            if visit(key, stored) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    fn disk_bytes(&self) -> u64 {
        self.inner.lock().1.end
    }
}
