//! Appending, reading and opening on the machine's own disk: `cargo bench -p millrace-log`.
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use millrace_log::{Begin, Cleanup, Log, LogConfig, LogEntry, Opening};
use millrace_record::{BatchBuilder, Codec, Level, Offset, stamp};
use millrace_world::Disk;
use millrace_world::production::Files;

fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 256 << 20,
        segment_ms: i64::MAX,
        segment_jitter_ms: 0,
        segment_index_bytes: 10 << 20,
        index_interval_bytes: 4096,
        retention_bytes: None,
        retention_ms: None,
        cleanup: Cleanup::COMPACT,
        delete_retention_ms: 0,
        min_compaction_lag_ms: 0,
        max_compaction_lag_ms: i64::MAX,
        min_cleanable_dirty_ratio: 0.0,
        preallocate: false,
    }
}

fn open(dir: &Path, config: &LogConfig) -> Log {
    let disk: Arc<dyn Disk> = Arc::new(Files);
    let opening = Opening { identity: 1, durable_index: 0, may_be_torn: true, begin: Begin::NEW, now_ms: 0 };
    Log::open(disk, dir, config.clone(), opening).unwrap().0
}

/// A batch of `count` records of 100 bytes, as a producer would send it.
fn batch(count: usize, keys: usize) -> bytes::BytesMut {
    let mut builder = BatchBuilder::new(Codec::None, Level::Default);
    for n in 0..count {
        builder.push(n as i64, Some(format!("key{}", n % keys).as_bytes()), Some(&[b'v'; 100]), &[]);
    }
    builder.build()
}

/// Appends `turns` times `batches` copies of a batch.
fn fill(log: &mut Log, model: &bytes::BytesMut, turns: usize, batches: usize) {
    for _ in 0..turns {
        let (mut index, mut offset) = (log.last_index(), log.end_offset());
        let entries: Vec<LogEntry> = (0..batches)
            .map(|_| {
                let mut bytes = model.clone();
                stamp(&mut bytes, offset, millrace_record::Epoch(1));
                index += 1;
                offset = offset + millrace_record::BatchHeader::parse(&bytes).unwrap().width();
                LogEntry { index, bytes: Bytes::from(bytes) }
            })
            .collect();
        log.append(&entries, 0).unwrap();
    }
}

fn report(what: &str, began: Instant, bytes: u64, calls: usize) {
    let seconds = began.elapsed().as_secs_f64();
    println!("{what:<44} {:>8.1} MB/s {:>10.2} us a call", bytes as f64 / 1e6 / seconds, seconds * 1e6 / calls as f64);
}

fn main() {
    let root = tempfile::tempdir().unwrap();
    for (records, batches, turns) in [(1, 1, 100_000), (1, 100, 3_000), (100, 16, 1_000), (1000, 4, 500)] {
        let dir = root.path().join(format!("{records}-{batches}"));
        let mut log = open(&dir, &config());
        let model = batch(records, records);
        let began = Instant::now();
        fill(&mut log, &model, turns, batches);
        report(&format!("append {batches} x {} bytes", model.len()), began, (model.len() * batches * turns) as u64, turns);
        let began = Instant::now();
        log.close().unwrap();
        report("  sync and close", began, log.size_bytes(), 1);
        for bytes_max in [64 << 10, 1 << 20] {
            let (reader, mut from, mut calls, mut bytes) = (log.reader(), Offset(0), 0, 0);
            let began = Instant::now();
            while from < log.end_offset() {
                let read = reader.read(from, log.end_offset(), bytes_max, true).unwrap();
                (from, calls, bytes) = (read.next_offset, calls + 1, bytes + read.bytes as u64);
            }
            report(&format!("  read by {bytes_max}"), began, bytes, calls);
        }
        drop(log);
        let began = Instant::now();
        let log = open(&dir, &config());
        report("  open after a clean stop", began, 0, 1);
        drop(log);
    }
    clean(root.path());
    many(root.path());
}

fn clean(root: &Path) {
    let mut log = open(&root.join("clean"), &LogConfig { segment_bytes: 32 << 20, ..config() });
    let model = batch(1000, 1000);
    fill(&mut log, &model, 100, 10);
    log.sync().unwrap();
    let began = Instant::now();
    let upto = log.end_offset();
    let cleaned = log.prepare_clean(1, upto, 128 << 20).unwrap().run().unwrap();
    let ran = began.elapsed();
    let done = log.install_clean(cleaned).unwrap();
    report("clean 1000 keys", began, done.bytes_before, 1);
    println!("  of which on the log's own thread: {:?}; {} records removed", began.elapsed() - ran, done.records_removed);
}

fn many(root: &Path) {
    let paths: Vec<_> = (0..1000).map(|n| root.join(format!("many-{n}"))).collect();
    let model = batch(10, 10);
    let began = Instant::now();
    for path in &paths {
        let mut log = open(path, &config());
        fill(&mut log, &model, 1, 10);
        log.close().unwrap();
    }
    report("make, fill and close a log", began, 0, paths.len());
    let began = Instant::now();
    let logs: Vec<Log> = paths.iter().map(|path| open(path, &config())).collect();
    report("open 1000 logs", began, 0, logs.len());
}
