//! Whether a broker may take a batch into its log, and the few changes it makes to one that it takes.
//!
//! The rules are Kafka's. An uncompressed batch is walked in place and nothing is allocated; a compressed
//! one is decompressed into a buffer that the thread keeps. A batch is made anew only if its topic wants
//! another codec or its records are not numbered 0, 1, 2, ...
use std::cell::Cell;

use bytes::BytesMut;
use thiserror::Error;

use crate::header::{HEADER_LEN, MAGIC_BATCH, NO_TIMESTAMP, TimestampType};
use crate::record::Record;
use crate::{BatchBuilder, BatchError, BatchHeader, Codec, Level, Records, set_max_timestamp, verify_crc};

/// What a topic, and the request, ask of a batch.
#[derive(Clone, PartialEq, Debug)]
pub struct Rules {
    pub origin: Origin,
    /// Produce from version 7 on.
    pub allow_zstd: bool,
    /// `cleanup.policy` contains compact: every record needs a key.
    pub compacted: bool,
    pub timestamp_type: TimestampType,
    /// How far behind and ahead of `now_ms` a record's own time may lie.
    pub timestamp_before_max_ms: i64,
    pub timestamp_after_max_ms: i64,
    /// Wall clock: what LogAppendTime writes.
    pub now_ms: i64,
    /// `max.message.bytes`.
    pub batch_bytes_max: usize,
    pub segment_bytes: usize,
    /// What a compressed batch may decompress to.
    pub decompressed_bytes_max: usize,
    /// `compression.type` and its level; `None` keeps the producer's.
    pub compression: Option<(Codec, Level)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    Client,
    /// A coordinator or another part of the broker: may write control batches.
    Broker,
}

/// What was found out about a batch that may be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Validated {
    pub header: BatchHeader,
    /// Of the records, or the broker's time: some clients leave the header's field unset.
    pub max_timestamp: i64,
    /// The batch cannot be taken byte for byte.
    pub rebuild: bool,
}

/// Why a batch is not taken; each kind is one error of Kafka's.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum Refused {
    /// The bytes changed on the way: worth sending again.
    #[error("the batch is corrupt: {0}")]
    Corrupt(BatchError),
    #[error("{message}")]
    InvalidRecord { message: String, records: Vec<RecordRefused> },
    #[error("{message}")]
    InvalidTimestamp { message: String, records: Vec<RecordRefused> },
    #[error("the batch has {bytes} bytes, and {max} are allowed")]
    TooLarge { bytes: usize, max: usize },
    #[error("the batch has {bytes} bytes, and a segment holds {max}")]
    LargerThanSegment { bytes: usize, max: usize },
    #[error("{0}")]
    UnsupportedCompression(String),
}

/// One record of a refused batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordRefused {
    /// Its place in the batch.
    pub index: i32,
    pub message: String,
}

/// More than anybody reads; the rest is counted.
const RECORDS_REPORTED_MAX: usize = 100;
/// A buffer that once held more is given back.
const SCRATCH_KEPT_MAX: usize = 4 << 20;

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Judges the record field of one partition in a produce request: exactly one batch.
pub fn validate(batch: &[u8], rules: &Rules) -> Result<Validated, Refused> {
    let header = check_header(batch, rules)?;
    let codec = header.attributes.codec().map_err(|error| Refused::UnsupportedCompression(error.to_string()))?;
    if codec == Codec::Zstd && !rules.allow_zstd {
        return Err(Refused::UnsupportedCompression("zstd needs Produce version 7 or later".into()));
    }
    let scratch = SCRATCH.take();
    let records = Records::open_with(batch, rules.decompressed_bytes_max, scratch).map_err(not_a_record)?;
    let walked = walk(&records, rules);
    let scratch = records.into_scratch();
    if scratch.capacity() <= SCRATCH_KEPT_MAX {
        SCRATCH.set(scratch);
    }
    let Walked { max_timestamp, in_order } = walked?;
    let other_codec = rules.compression.is_some_and(|(wanted, _)| wanted != codec);
    Ok(Validated { header, max_timestamp, rebuild: other_codec || !in_order })
}

/// Judges a batch and makes it ready to be stamped and appended.
pub fn admit(batch: BytesMut, rules: &Rules) -> Result<(BytesMut, BatchHeader), Refused> {
    let validated = validate(&batch, rules)?;
    let batch = conform(batch, &validated, rules)?;
    let header = BatchHeader::parse(&batch).map_err(Refused::Corrupt)?;
    Ok((batch, header))
}

/// Makes the changes that the topic asks for: codec, numbering, timestamps. Usually none.
pub fn conform(batch: BytesMut, validated: &Validated, rules: &Rules) -> Result<BytesMut, Refused> {
    let mut batch = if validated.rebuild { rebuild(&batch, validated, rules)? } else { batch };
    set_max_timestamp(&mut batch, rules.timestamp_type, validated.max_timestamp);
    let bytes = batch.len();
    if bytes > rules.batch_bytes_max {
        return Err(Refused::TooLarge { bytes, max: rules.batch_bytes_max });
    }
    if bytes > rules.segment_bytes {
        return Err(Refused::LargerThanSegment { bytes, max: rules.segment_bytes });
    }
    Ok(batch)
}

fn check_header(batch: &[u8], rules: &Rules) -> Result<BatchHeader, Refused> {
    if batch.is_empty() {
        return invalid("a partition needs one record batch, and there is none");
    }
    // Where every format has its magic: the old ones are told apart from damage.
    match batch.get(16).map(|&magic| magic as i8) {
        Some(MAGIC_BATCH) => {}
        Some(magic @ 0..=1) => return invalid(format!("message format {magic} is no longer written; format 2 is")),
        Some(magic) => return invalid(format!("unknown message format {magic}")),
        None => return Err(Refused::Corrupt(BatchError::TooShort { need: HEADER_LEN, have: batch.len() })),
    }
    let header = BatchHeader::parse(batch).map_err(Refused::Corrupt)?;
    let bytes = header.frame_len();
    if bytes > batch.len() {
        return Err(Refused::Corrupt(BatchError::TooShort { need: bytes, have: batch.len() }));
    }
    if bytes < batch.len() {
        return invalid("a partition takes exactly one record batch in a request");
    }
    if bytes > rules.batch_bytes_max {
        return Err(Refused::TooLarge { bytes, max: rules.batch_bytes_max });
    }
    verify_crc(batch).map_err(Refused::Corrupt)?;
    if header.last_offset_delta < 0 {
        return invalid(format!("the last offset delta is {}", header.last_offset_delta));
    }
    if header.count <= 0 {
        return invalid(format!("the batch says that it has {} records", header.count));
    }
    if header.width() != header.count as i64 {
        return invalid(format!("the batch says that it has {} records and takes up {} offsets", header.count, header.width()));
    }
    if rules.origin == Origin::Client {
        if header.base_offset.0 != 0 {
            return invalid(format!("the base offset is {}; a client's is 0", header.base_offset));
        }
        if header.attributes.is_control() {
            return invalid("clients do not write control records");
        }
        if header.producer_id.is_some() && header.base_sequence < 0 {
            return invalid(format!("sequence {} of producer {}", header.base_sequence, header.producer_id));
        }
    }
    if bytes > rules.segment_bytes {
        return Err(Refused::LargerThanSegment { bytes, max: rules.segment_bytes });
    }
    Ok(header)
}

struct Walked {
    max_timestamp: i64,
    /// The records are numbered 0, 1, 2, ...
    in_order: bool,
}

fn walk(records: &Records<'_>, rules: &Rules) -> Result<Walked, Refused> {
    let header = records.header();
    let mut walked = Walked { max_timestamp: NO_TIMESTAMP, in_order: true };
    let mut refused = Refusals::default();
    let mut iter = records.iter();
    let mut index = 0;
    for record in iter.by_ref() {
        let record = record.map_err(not_a_record)?;
        if rules.compacted && record.key.is_none() && !header.attributes.is_control() {
            refused.add(index, || "a record in a compacted topic needs a key".into());
        }
        check_time(header, &record, rules, index, &mut refused);
        walked.in_order &= record.offset_delta == index;
        walked.max_timestamp = walked.max_timestamp.max(header.base_timestamp.wrapping_add(record.timestamp_delta));
        index += 1;
    }
    if !iter.rest().is_empty() {
        return invalid(format!("bytes remain behind the {} records that the batch declares", header.count));
    }
    refused.into_result()?;
    if rules.timestamp_type == TimestampType::LogAppend {
        walked.max_timestamp = rules.now_ms;
    }
    Ok(walked)
}

fn check_time(header: &BatchHeader, record: &Record<'_>, rules: &Rules, index: i32, refused: &mut Refusals) {
    let time = header.base_timestamp.wrapping_add(record.timestamp_delta);
    if rules.timestamp_type == TimestampType::Create && time != NO_TIMESTAMP {
        let behind_ms = rules.now_ms.saturating_sub(time);
        let ahead_ms = time.saturating_sub(rules.now_ms);
        if behind_ms > rules.timestamp_before_max_ms || ahead_ms > rules.timestamp_after_max_ms {
            let from = rules.now_ms.saturating_sub(rules.timestamp_before_max_ms);
            let to = rules.now_ms.saturating_add(rules.timestamp_after_max_ms);
            refused.is_time = true;
            refused.add(index, || format!("timestamp {time} is outside {from} to {to}"));
        }
    } else if header.attributes.timestamp_type() == TimestampType::LogAppend {
        refused.is_time = true;
        refused.add(index, || "a producer does not set the timestamp type to LogAppendTime".into());
    }
}

/// Records that the topic does not take, of a batch that is whole.
#[derive(Default)]
struct Refusals {
    count: usize,
    is_time: bool,
    records: Vec<RecordRefused>,
}

impl Refusals {
    fn add(&mut self, index: i32, message: impl FnOnce() -> String) {
        self.count += 1;
        if self.records.len() < RECORDS_REPORTED_MAX {
            self.records.push(RecordRefused { index, message: message() });
        }
    }

    fn into_result(self) -> Result<(), Refused> {
        let Some(first) = self.records.first() else { return Ok(()) };
        let message = match self.count {
            1 => format!("record {}: {}", first.index, first.message),
            count => format!("{count} records are refused; record {}: {}", first.index, first.message),
        };
        let records = self.records;
        Err(if self.is_time { Refused::InvalidTimestamp { message, records } } else { Refused::InvalidRecord { message, records } })
    }
}

fn rebuild(batch: &[u8], validated: &Validated, rules: &Rules) -> Result<BytesMut, Refused> {
    let header = &validated.header;
    let own = (header.attributes.codec().map_err(Refused::Corrupt)?, Level::Default);
    let (codec, level) = rules.compression.unwrap_or(own);
    let records = Records::open(batch, rules.decompressed_bytes_max).map_err(not_a_record)?;
    let mut builder = BatchBuilder::like(header, codec, level);
    for (index, record) in records.iter().enumerate() {
        let record = record.map_err(not_a_record)?;
        let timestamp = header.base_timestamp.wrapping_add(record.timestamp_delta);
        builder.push_at(index as i32, timestamp, record.key, record.value, record.headers);
    }
    Ok(builder.build())
}

/// The checksum held, so these are the bytes that the producer made: sending them again will not help.
fn not_a_record(error: BatchError) -> Refused {
    Refused::InvalidRecord { message: error.to_string(), records: Vec::new() }
}

fn invalid<T>(message: impl Into<String>) -> Result<T, Refused> {
    Err(Refused::InvalidRecord { message: message.into(), records: Vec::new() })
}

#[cfg(test)]
mod tests;
