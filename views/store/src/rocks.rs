//! RocksDB as this crate uses it: one column family, keys `table (u32 BE) ++ key`, and one row for the cut.
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use millrace_engine::state::{Cut, Rows, StoreError, Stored, TableId, decode_cut, decode_row, encode_cut, put_row};
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, DB, DBCompressionType, DBRecoveryMode, Direction, ErrorKind, IteratorMode, Options, ReadOptions,
    WriteBatch, WriteBufferManager,
};

use crate::database::{Database, Databases, Visit};

/// After every table.
const CUT_KEY: &[u8] = &[0xff; 5];

/// Shared by all databases of a node, so that a hundred views cost no more memory than one.
#[derive(Clone)]
pub struct Caches {
    blocks: Cache,
    buffers: WriteBufferManager,
}

impl Caches {
    /// `bytes`: for blocks and write buffers together.
    pub fn new(bytes: usize) -> Caches {
        let blocks = Cache::new_lru_cache(bytes);
        let buffers = WriteBufferManager::new_write_buffer_manager_with_cache(bytes / 2, false, blocks.clone());
        Caches { blocks, buffers }
    }
}

impl Databases for Caches {
    fn open(&self, dir: &Path, files: &[String]) -> Result<Arc<dyn Database>, StoreError> {
        // RocksDB would make a new database and read the logs of the old one into it: rows of no cut that ever was.
        if !files.iter().any(|name| name == "CURRENT") && files.iter().any(|name| name.ends_with(".log") || name.ends_with(".sst")) {
            return Err(StoreError::Damaged(format!("{} holds files of a database and no CURRENT", dir.display())));
        }
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(&self.blocks);
        // In small parts: the index and filter of a whole file would not fit a shard of a small cache, and be read for every row.
        table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
        table.set_partition_filters(true);
        table.set_cache_index_and_filter_blocks(true);
        table.set_pin_top_level_index_and_filter(true);
        table.set_bloom_filter(10.0, false);
        table.set_format_version(5);
        let mut options = Options::default();
        options.create_if_missing(true);
        options.set_block_based_table_factory(&table);
        options.set_write_buffer_manager(&self.buffers);
        options.set_compression_type(DBCompressionType::Lz4);
        options.set_bottommost_compression_type(DBCompressionType::Zstd);
        options.set_level_compaction_dynamic_level_bytes(true);
        options.set_max_background_jobs(2);
        options.set_max_open_files(256);
        // More than one are threads of their own, and one that cannot be made ends the process.
        options.set_max_file_opening_threads(1);
        options.set_keep_log_file_num(2);
        options.set_max_log_file_size(1 << 20);
        // Any prefix of the writes is right, because the cut is one of them; a torn tail must not stop the start.
        options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
        options.set_max_total_wal_size(64 << 20);
        room_for_a_database()?;
        Ok(Arc::new(Rocks(DB::open(&options, dir).map_err(opening)?)))
    }
}

/// RocksDB makes its own threads when a database is opened (one to flush, one to compact, one for its timer) and maps memory,
/// and what it cannot get ends the process. Whether there is room is found out first, with as much of both.
fn room_for_a_database() -> Result<(), StoreError> {
    const THREADS: usize = 3;
    const STACK_BYTES: usize = 8 << 20;
    const SPACE_BYTES: usize = 96 << 20;
    // None of them ends before all are there.
    let gate = Mutex::new(());
    let made: io::Result<()> = thread::scope(|scope| {
        let _closed = gate.lock();
        (0..THREADS).try_for_each(|_| thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, || drop(gate.lock())).map(drop))
    });
    made.map_err(|error| StoreError::Io(io::Error::new(error.kind(), format!("a database needs {THREADS} threads, and the system gives no more: {error}"))))?;
    // Asked for and given back untouched: it takes address space and no memory.
    let space = Vec::<u8>::new().try_reserve_exact(SPACE_BYTES);
    space.map_err(|_| StoreError::Io(io::Error::new(io::ErrorKind::OutOfMemory, format!("a database needs {} MiB of address space, and the system gives no more", SPACE_BYTES >> 20))))
}

/// Reads every row of a database that nobody has open, without changing it, so that each checksum is compared; answers with
/// the number of rows.
pub fn examine(dir: &Path) -> Result<u64, StoreError> {
    let mut options = Options::default();
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options.set_max_open_files(256);
    options.set_max_file_opening_threads(1);
    let database = Rocks(DB::open_for_read_only(&options, dir, false).map_err(trouble)?);
    database.cut()?;
    let mut rows = 0;
    for row in database.0.iterator(IteratorMode::Start) {
        let (key, value) = row.map_err(trouble)?;
        if *key != *CUT_KEY {
            decode_row(&value)?;
            rows += 1;
        }
    }
    Ok(rows)
}

struct Rocks(DB);

impl Database for Rocks {
    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Stored>, StoreError> {
        let found = self.0.get_pinned(full_key(table, key)).map_err(trouble)?;
        Ok(found.map(|bytes| decode_row(&bytes)).transpose()?)
    }

    fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.0.iterator(IteratorMode::Start).next().transpose().map_err(trouble)?.is_none())
    }

    fn cut(&self) -> Result<Cut, StoreError> {
        let found = self.0.get_pinned(CUT_KEY).map_err(trouble)?;
        Ok(found.map(|bytes| decode_cut(&bytes)).transpose()?.unwrap_or_default())
    }

    fn write(&self, rows: &Rows, cut: &Cut) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        let (mut full, mut bytes) = (Vec::new(), Vec::new());
        for (table, rows) in rows.iter() {
            // In the order of keys each row's place in the memtable is found beside the one before.
            for (key, row) in rows.sorted() {
                full.clear();
                put_full_key(&mut full, table, key);
                match row {
                    Some(stored) => {
                        bytes.clear();
                        put_row(&mut bytes, stored);
                        batch.put(&full, &bytes);
                    }
                    None => batch.delete(&full),
                }
            }
        }
        batch.put(CUT_KEY, encode_cut(cut));
        self.0.write(batch).map_err(trouble)
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.0.flush_wal(true).map_err(trouble)
    }

    fn scan(&self, table: TableId, from: &[u8], to: Option<&[u8]>, visit: Visit<'_>) -> Result<(), StoreError> {
        visit_range(self.0.iterator_opt(start(table, from).mode(), bounded(table, to)), visit)
    }

    fn disk_bytes(&self) -> u64 {
        self.0.property_int_value("rocksdb.total-sst-files-size").ok().flatten().unwrap_or(0)
    }
}

struct Start(Vec<u8>);

impl Start {
    fn mode(&self) -> IteratorMode<'_> {
        IteratorMode::From(&self.0, Direction::Forward)
    }
}

fn start(table: TableId, from: &[u8]) -> Start {
    Start(full_key(table, from))
}

fn bounded(table: TableId, to: Option<&[u8]>) -> ReadOptions {
    let mut options = ReadOptions::default();
    options.set_iterate_upper_bound(match to {
        Some(to) => full_key(table, to),
        None => full_key(TableId(table.0 + 1), &[]),
    });
    options
}

fn visit_range(rows: rocksdb::DBIterator<'_>, visit: Visit<'_>) -> Result<(), StoreError> {
    for row in rows {
        let (key, value) = row.map_err(trouble)?;
        if visit(&key[4..], &decode_row(&value)?).is_break() {
            break;
        }
    }
    Ok(())
}

fn full_key(table: TableId, key: &[u8]) -> Vec<u8> {
    let mut full = Vec::with_capacity(4 + key.len());
    put_full_key(&mut full, table, key);
    full
}

fn put_full_key(full: &mut Vec<u8>, table: TableId, key: &[u8]) {
    full.extend_from_slice(&table.0.to_be_bytes());
    full.extend_from_slice(key);
}

fn trouble(error: rocksdb::Error) -> StoreError {
    match error.kind() {
        ErrorKind::Corruption => StoreError::Damaged(error.into_string()),
        _ => StoreError::Io(io::Error::other(error)),
    }
}

/// A file that is not there is damage too when a database is opened: each names the next.
fn opening(error: rocksdb::Error) -> StoreError {
    let is_missing = error.kind() == ErrorKind::IOError && error.as_ref().contains("No such file");
    if is_missing { StoreError::Damaged(error.into_string()) } else { trouble(error) }
}
