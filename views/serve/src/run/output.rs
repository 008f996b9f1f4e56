//! The sink topic: every output of a task exactly once, whatever crashes.
//!
//! Outputs to a partition are counted; a batch carries the task's producer id and the count of its first record as its
//! sequence, as idempotent producers do. The state remembers, with its cut, how many had been written then and where the
//! partition ended. After a crash the replay makes the same outputs again; the ones that the partition already has are
//! known by the last sequence found in it beyond that end, and are skipped.
//!
//! Invariant: a batch is sent to a partition only when the one before it is there. A log that refused one (its disk was full) and
//! took the next would say that it has both.
use std::collections::VecDeque;

use bytes::BytesMut;
use millrace_engine::OutputRecord;
use millrace_engine::state::{Stored, TableId};
use millrace_record::{BatchBuilder, BatchHeader, Codec, Level, Offset, ProducerId, add_sequence, partition_of_key, split_bytes};
use millrace_shard::{AppendError, AppendOptions, AppendReply, Partition, Upto};
use millrace_sql::value::Value;

use crate::run::RunError;

/// The task's own table for how far its sinks have come.
pub const PROGRESS: TableId = TableId(u32::MAX - 1);
/// Below every default of `max.message.bytes`.
const BATCH_BYTES: usize = 512 << 10;
const READ_BYTES: usize = 4 << 20;

struct SinkPartition {
    partition: Partition,
    /// Outputs made so far by the state's count.
    made: u64,
    /// Outputs that the log already has.
    written: u64,
    /// One past the last record known to be in the log.
    end: Offset,
    batch: Option<BatchBuilder>,
    /// Batches that wait to be sent.
    sealed: VecDeque<BytesMut>,
    /// The answer to the last append, still to come.
    pending: Option<AppendReply>,
}

impl SinkPartition {
    fn new(partition: Partition, made: u64, written: u64, end: Offset) -> SinkPartition {
        SinkPartition { partition, made, written, end, batch: None, sealed: VecDeque::new(), pending: None }
    }

    fn seal(&mut self) {
        if let Some(batch) = self.batch.take() {
            self.sealed.push_back(batch.build());
            self.written = self.made;
        }
    }

    async fn send_next(&mut self) -> Result<(), RunError> {
        if self.sealed.is_empty() {
            return Ok(());
        }
        self.settle().await?;
        if let Some(batch) = self.sealed.pop_front() {
            let header = BatchHeader::parse(&batch).map_err(RunError::Batch)?;
            self.pending = Some(self.partition.append(batch, header, AppendOptions::INTERNAL));
        }
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), AppendError> {
        if let Some(reply) = self.pending.take() {
            let appended = reply.await?;
            self.end = self.end.max(Offset(appended.last_offset.0 + 1));
        }
        Ok(())
    }
}

pub struct Output {
    producer: ProducerId,
    partitions: Vec<SinkPartition>,
    /// Partitions that the topic got since the state was written. A replay must send each output where it went the first
    /// time, so they are used only when there is nothing left to repeat.
    more: Vec<Partition>,
}

impl Output {
    /// `progress` is what the state remembers of a partition, `known` the last sequence of the task that a partition's log
    /// remembers. A state that was `lost` has to find its outputs again from the start of each log.
    pub fn open(
        producer: ProducerId,
        partitions: Vec<Partition>,
        known: &[Option<i32>],
        lost: bool,
        progress: impl Fn(i32) -> Result<Option<Stored>, RunError>,
    ) -> Result<Output, RunError> {
        let mut opened = Vec::with_capacity(partitions.len());
        let (mut fresh, mut more) = (false, Vec::new());
        for (number, partition) in partitions.into_iter().enumerate() {
            let remembered = progress(number as i32)?;
            let last = known.get(number).copied().flatten();
            fresh |= number == 0 && remembered.is_none();
            if !fresh && remembered.is_none() {
                more.push(partition);
                continue;
            }
            let (made, end) = match remembered.as_ref().map(|stored| &*stored.row) {
                Some([Value::BigInt(made), Value::BigInt(end)]) => (made.unsigned_abs(), Offset(*end)),
                Some(_) => return Err(RunError::State("the progress of a sink is not a count and an offset")),
                None if lost || last.is_some() => (0, partition.state().start),
                None => (0, partition.state().end),
            };
            let written = match (written_since(&partition, producer, made, end)?, last) {
                (Some(more), _) => made + more,
                // The records went, and the log still knows that they were there.
                (None, Some(last)) if remembered.is_none() => add_sequence(last, 1) as u64,
                (None, None) if remembered.is_none() && lost && partition.state().start > Offset(0) => return Err(RunError::OutputsUnknown(number as i32)),
                (None, _) => made,
            };
            opened.push(SinkPartition::new(partition, made, written, end));
        }
        Ok(Output { producer, partitions: opened, more })
    }

    /// Takes new partitions into use, once nothing is left to repeat; whether there were any. The state must be written
    /// before the next output.
    pub fn grow(&mut self) -> bool {
        if self.more.is_empty() || self.repeats() {
            return false;
        }
        for partition in std::mem::take(&mut self.more) {
            let end = partition.state().end;
            self.partitions.push(SinkPartition::new(partition, 0, 0, end));
        }
        true
    }

    /// Whether outputs are still to come that a partition has already.
    pub fn repeats(&self) -> bool {
        self.partitions.iter().any(|sink| sink.made < sink.written)
    }

    /// Whether partitions wait to be taken into use.
    pub fn may_grow(&self) -> bool {
        !self.more.is_empty() && !self.repeats()
    }

    /// One past the last record known to be in each partition.
    pub fn ends(&self) -> Vec<Offset> {
        self.partitions.iter().map(|sink| sink.end).collect()
    }

    pub fn add(&mut self, record: &OutputRecord, input_partition: i32) -> Result<(), RunError> {
        let count = self.partitions.len() as i32;
        let number = match &record.key {
            // All windows of a key stay together.
            Some(key) => partition_of_key(&key[..key.len().saturating_sub(record.window_bytes)], count),
            // Records without a key stay together as they came.
            None => input_partition.rem_euclid(count.max(1)),
        };
        let sink = &mut self.partitions[number as usize];
        sink.made += 1;
        if sink.made <= sink.written {
            return Ok(());
        }
        let sequence = sequence_of(sink.made - 1);
        let batch = sink.batch.get_or_insert_with(|| BatchBuilder::new(Codec::None, Level::Default).producer(self.producer, 0, sequence));
        let headers: Vec<(&[u8], Option<&[u8]>)> =
            record.headers.iter().map(|header| (header.key.as_bytes(), header.value.as_deref())).collect();
        // A negative time would be refused by any broker; Kafka Streams drops such records, we keep them at the epoch.
        batch.push(record.timestamp.max(0), record.key.as_deref(), record.value.as_deref(), &headers);
        if batch.body_len() >= BATCH_BYTES {
            sink.seal();
        }
        Ok(())
    }

    /// Whether more has been collected than one batch takes.
    pub fn has_full_batches(&self) -> bool {
        self.partitions.iter().any(|sink| !sink.sealed.is_empty())
    }

    /// Sends what has been collected, each batch when the one before it is in the log.
    pub async fn flush(&mut self) -> Result<(), RunError> {
        self.partitions.iter_mut().for_each(SinkPartition::seal);
        while self.partitions.iter().any(|sink| !sink.sealed.is_empty()) {
            for sink in &mut self.partitions {
                sink.send_next().await?;
            }
        }
        Ok(())
    }

    /// Waits until everything sent is durable.
    pub async fn settle(&mut self) -> Result<(), AppendError> {
        for sink in &mut self.partitions {
            sink.settle().await?;
        }
        Ok(())
    }

    /// Waits for every answer, whatever it is.
    pub async fn drain(&mut self) {
        for sink in &mut self.partitions {
            let _ = sink.settle().await;
        }
    }

    /// Goes on as if everything sent were durable.
    pub fn forget_answers(&mut self) {
        self.partitions.iter_mut().for_each(|sink| sink.pending = None);
    }

    /// What the state must remember beside its cut; only true when settled.
    pub fn progress(&self) -> impl Iterator<Item = (Vec<u8>, Stored)> + '_ {
        assert!(self.partitions.iter().all(|sink| sink.pending.is_none()), "progress is remembered only when all of it is durable");
        self.partitions.iter().enumerate().map(|(number, sink)| {
            let row = vec![Value::BigInt(sink.made as i64), Value::BigInt(sink.end.0)];
            (progress_key(number as i32), Stored { row: row.into(), timestamp: 0 })
        })
    }
}

pub fn progress_key(partition: i32) -> Vec<u8> {
    partition.to_be_bytes().to_vec()
}

fn sequence_of(count: u64) -> i32 {
    (count % (1 << 31)) as i32
}

/// How many outputs beyond the first `made` are in the partition at or after `end`; nothing where none of the task's is.
fn written_since(partition: &Partition, producer: ProducerId, made: u64, end: Offset) -> Result<Option<u64>, RunError> {
    let state = partition.state();
    let mut from = end.max(state.start);
    let mut next = None;
    while from < state.high_watermark {
        let read = partition.read(from, READ_BYTES, Upto::HighWatermark, true)?;
        for slice in &read.slices.slices {
            for batch in split_bytes(slice.clone()) {
                let (header, _) = batch.map_err(RunError::Batch)?;
                if header.producer_id == producer {
                    next = Some(add_sequence(header.base_sequence, header.last_offset_delta + 1));
                }
            }
        }
        if read.slices.next_offset <= from {
            break;
        }
        from = read.slices.next_offset;
    }
    Ok(next.map(|next| u64::from((next.wrapping_sub(sequence_of(made)) as u32) & 0x7fff_ffff)))
}

