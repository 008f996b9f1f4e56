//! An input partition as records.
use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use millrace_engine::state::{InputId, Stored, TableId};
use millrace_engine::{Header, InputRecord, LogEvent, LogKind, Task};
use millrace_record::{Codec, Offset, Records, partition_of_key, split_bytes};
use millrace_shard::{Partition, Upto};
use millrace_sql::value::Value;

use crate::run::{RunError, SharedStore};

/// The task's own table for which partitions its cut speaks of: the number of each one's group, which no other partition
/// ever gets, not even one of a topic that is deleted and made again under its name.
pub const INPUTS: TableId = TableId(u32::MAX - 3);

/// The task's own table for how its rows are laid out; absent where they are as they always were.
pub const LAYOUT: TableId = TableId(u32::MAX - 6);

pub fn input_key(id: &InputId) -> Vec<u8> {
    let mut key = id.partition.to_be_bytes().to_vec();
    key.extend_from_slice(id.topic.as_bytes());
    key
}

/// Remembers that the state reads this partition, from here.
pub fn note_input(task: &mut Task<SharedStore>, input: &Input) {
    let group = Value::BigInt(input.partition.id().0 as i64);
    task.put(INPUTS, input_key(&input.id), Some(Stored { row: vec![group].into(), timestamp: 0 }));
    task.skip_to(&input.id, input.next.0);
}

/// What a batch may decompress to.
const BATCH_BYTES_MAX: usize = 128 << 20;

pub struct Input {
    pub id: InputId,
    pub partition: Partition,
    /// Of the next record to read.
    pub next: Offset,
    /// Whether the query takes the records for a table's rows.
    pub is_table: bool,
    keys_only: bool,
    /// Rows that moved are to meet its records: how many partitions its topic has. Absent once a key was found astray.
    meets_in: Option<i32>,
    ahead: Option<Ahead>,
}

/// Records that were read to see their times, and are still to be taken.
struct Ahead {
    from: Offset,
    records: VecDeque<InputRecord>,
    next: Offset,
    missed: i64,
}

/// Records of one read, and where it ended: beyond the last record there may be offsets without records.
pub struct Taken {
    pub records: Vec<InputRecord>,
    pub next: Offset,
    /// Records that retention removed before they were read.
    pub missed: i64,
}

impl Input {
    pub fn new(id: InputId, partition: Partition, next: Offset, is_table: bool) -> Input {
        Input { id, partition, next, is_table, keys_only: false, meets_in: None, ahead: None }
    }

    /// Without the records that have no key, as ksqlDB's scalable push queries leave them out.
    pub fn with_keys_only(self) -> Input {
        Input { keys_only: true, ..self }
    }

    /// Rows that moved are to meet its records, in the one of so many partitions that we would put their keys in.
    pub fn meeting_in(self, partitions: Option<i32>) -> Input {
        Input { meets_in: partitions, ..self }
    }

    /// The first record whose key whoever wrote it put elsewhere than we would: rows that moved to that key are not here. Once.
    pub fn astray(&mut self, records: &[InputRecord]) -> Option<LogEvent> {
        let count = self.meets_in?;
        let belongs = |record: &InputRecord| record.key.as_ref().map_or(self.id.partition, |key| partition_of_key(key, count));
        let record = records.iter().find(|record| belongs(record) != self.id.partition)?;
        let message = format!(
            "{}-{} has a record (offset {}) whose key belongs in partition {} by Kafka's usual partitioner (murmur2): rows that a join moves to such \
             keys will not find it. Write the topic with that partitioner (of librdkafka: partitioner=murmur2_random), or create the query after \
             SET 'views.query.tasks'='single'",
            self.id.topic, self.id.partition, record.offset, belongs(record)
        );
        self.meets_in = None;
        Some(LogEvent { step: "Source", what: LogKind::Processing { message } })
    }

    /// Reads ahead if nothing is: the offsets and times of what `take` will answer next, and where that ends.
    pub fn peek(&mut self, upto: Offset, bytes_max: usize) -> Result<(impl Iterator<Item = (Offset, i64)> + '_, Offset), RunError> {
        let ahead = match self.ahead.take() {
            Some(ahead) if ahead.from == self.next => ahead,
            _ => {
                let taken = self.read(upto, bytes_max)?;
                Ahead { from: self.next, records: taken.records.into(), next: taken.next, missed: taken.missed }
            }
        };
        let ahead = self.ahead.insert(ahead);
        Ok((ahead.records.iter().map(|record| (Offset(record.offset), record.timestamp)), ahead.next))
    }

    /// Records from `next` on, below `upto`, at most about `bytes_max` bytes of batches; does not move `next`.
    pub fn take(&mut self, upto: Offset, bytes_max: usize) -> Result<Taken, RunError> {
        let Some(mut ahead) = self.ahead.take().filter(|ahead| ahead.from == self.next) else {
            return self.read(upto, bytes_max);
        };
        let count = ahead.records.partition_point(|record| record.offset < upto.0);
        let records: Vec<InputRecord> = ahead.records.drain(..count).collect();
        let next = ahead.next.min(upto);
        let taken = Taken { records, next, missed: std::mem::take(&mut ahead.missed) };
        if next < ahead.next {
            self.ahead = Some(Ahead { from: next, ..ahead });
        }
        Ok(taken)
    }

    /// How far there is something to read now.
    pub fn available(&self) -> Offset {
        self.partition.limit(Upto::LastStable)
    }

    fn read(&self, upto: Offset, bytes_max: usize) -> Result<Taken, RunError> {
        let start = self.partition.state().start;
        let from = self.next.max(start);
        let missed = from.0 - self.next.0;
        let mut taken = Taken { records: Vec::new(), next: from, missed };
        if from >= upto {
            return Ok(taken);
        }
        let read = self.partition.read(from, bytes_max, Upto::LastStable, true)?;
        taken.next = read.slices.next_offset.min(upto).max(from);
        for slice in &read.slices.slices {
            for batch in split_bytes(slice.clone()) {
                let (_, batch) = batch.map_err(RunError::Batch)?;
                self.records(&batch, from, upto, &mut taken.records)?;
            }
        }
        Ok(taken)
    }

    fn records(&self, batch: &Bytes, from: Offset, upto: Offset, out: &mut Vec<InputRecord>) -> Result<(), RunError> {
        let records = Records::open(batch, BATCH_BYTES_MAX).map_err(RunError::Batch)?;
        let header = records.header();
        if header.attributes.is_control() {
            return Ok(());
        }
        let plain = matches!(header.attributes.codec().map_err(RunError::Batch)?, Codec::None);
        // Records of an uncompressed batch stay where they are.
        let own = |bytes: &[u8]| if plain { batch.slice_ref(bytes) } else { Bytes::copy_from_slice(bytes) };
        let no_headers: Arc<[Header]> = Arc::from([]);
        for record in records.iter() {
            let record = record.map_err(RunError::Batch)?;
            let offset = header.offset_of(&record);
            if offset < from || offset >= upto || (self.keys_only && record.key.is_none()) {
                continue;
            }
            let mut headers = record
                .headers
                .iter()
                .map(|(key, value)| Header { key: Arc::from(String::from_utf8_lossy(key)), value: value.map(own) })
                .peekable();
            let headers = if headers.peek().is_some() { headers.collect() } else { no_headers.clone() };
            out.push(InputRecord {
                topic: Arc::clone(&self.id.topic),
                partition: self.id.partition,
                offset: offset.0,
                timestamp: header.timestamp_of(&record),
                key: record.key.map(own),
                value: record.value.map(own),
                headers,
            });
        }
        Ok(())
    }
}
