//! What the tests of this crate share: a disk in memory, settings, and batches.
mod disk;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use millrace_record::{BatchBuilder, Codec, Epoch, InternalKind, Level, Offset, ProducerId, Records, internal_frame, split};
use millrace_world::Disk;

pub use disk::{Loss, MemDisk};

use crate::{Begin, Cleanup, Log, LogConfig, LogEntry, LogError, LogReader, Opening, Recovered};

pub const DIR: &str = "/log";

pub fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 1 << 20,
        segment_ms: i64::MAX,
        segment_jitter_ms: 0,
        segment_index_bytes: 10 << 20,
        index_interval_bytes: 256,
        retention_bytes: None,
        retention_ms: None,
        cleanup: Cleanup::DELETE,
        delete_retention_ms: 1000,
        min_compaction_lag_ms: 0,
        max_compaction_lag_ms: i64::MAX,
        min_cleanable_dirty_ratio: 0.5,
        preallocate: false,
    }
}

pub fn opening() -> Opening {
    Opening { identity: 42, durable_index: 0, may_be_torn: true, begin: Begin::NEW, now_ms: 0 }
}

pub fn try_open(disk: &Arc<MemDisk>, config: &LogConfig, opening: Opening) -> Result<(Log, Recovered), LogError> {
    Log::open(disk.clone() as Arc<dyn Disk>, Path::new(DIR), config.clone(), opening)
}

pub fn open(disk: &Arc<MemDisk>, config: &LogConfig) -> Log {
    try_open(disk, config, opening()).unwrap().0
}

/// What a record of a test batch is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kv {
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
}

pub fn kv(timestamp: i64, key: &str, value: Option<&str>) -> Kv {
    Kv { timestamp, key: Some(key.into()), value: value.map(|value| value.into()) }
}

pub fn batch(offset: Offset, epoch: i32, records: &[Kv]) -> Bytes {
    batch_of(offset, epoch, Codec::None, None, records)
}

pub fn batch_of(offset: Offset, epoch: i32, codec: Codec, producer: Option<(i64, i16, i32)>, records: &[Kv]) -> Bytes {
    let mut builder = BatchBuilder::new(codec, Level::Default).base_offset(offset).epoch(Epoch(epoch));
    if let Some((id, producer_epoch, sequence)) = producer {
        builder = builder.producer(ProducerId(id), producer_epoch, sequence);
    }
    for record in records {
        let headers: &[(&[u8], Option<&[u8]>)] = &[(b"h", Some(b"1")), (b"h", None)];
        builder.push(record.timestamp, record.key.as_deref(), record.value.as_deref(), headers);
    }
    builder.build().freeze()
}

/// Appends one batch behind what is there.
pub fn append(log: &mut Log, epoch: i32, records: &[Kv]) {
    let bytes = batch(log.end_offset(), epoch, records);
    append_bytes(log, bytes).unwrap();
}

pub fn append_bytes(log: &mut Log, bytes: Bytes) -> Result<(), LogError> {
    let index = log.last_index() + 1;
    log.append(&[LogEntry { index, bytes }], 0)
}

pub fn no_op(log: &Log, epoch: i32) -> Bytes {
    internal_frame(InternalKind::NoOp, log.end_offset(), Epoch(epoch), b"").freeze()
}

/// Every record below the end, with its offset, read a little at a time.
pub fn read_all(reader: &LogReader) -> Vec<(i64, Kv)> {
    read_by(reader, 700)
}

pub fn read_by(reader: &LogReader, bytes_max: usize) -> Vec<(i64, Kv)> {
    let mut out = Vec::new();
    let mut from = reader.start_offset();
    let end = reader.end_offset();
    loop {
        let read = reader.read(from, end, bytes_max, true).unwrap();
        if read.first_offset.is_none() {
            return out;
        }
        for slice in &read.slices {
            for item in split(slice) {
                let (_, bytes) = item.unwrap();
                let records = Records::open(bytes, 1 << 20).unwrap();
                for record in records.iter() {
                    let record = record.unwrap();
                    let header = records.header();
                    let offset = header.offset_of(&record);
                    if offset < from {
                        continue;
                    }
                    let kv = Kv {
                        timestamp: header.timestamp_of(&record),
                        key: record.key.map(<[u8]>::to_vec),
                        value: record.value.map(<[u8]>::to_vec),
                    };
                    out.push((offset.0, kv));
                }
            }
        }
        assert!(read.next_offset > from);
        from = read.next_offset;
    }
}
