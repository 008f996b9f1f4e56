//! The order in which a task with several inputs reads them: the only thing about it that is not in its inputs already.
//!
//! Invariant: an entry is in the log before any output that it caused (it is put into the same mailbox first), so a replay
//! repeats exactly what was done, and whoever counts outputs counts the same.
use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use millrace_engine::state::InputId;
use millrace_record::{BatchBuilder, BatchHeader, Codec, Level, Offset, Records, split_bytes};
use millrace_shard::{AppendOptions, AppendReply, Partition, Upto};

use crate::run::{Input, RunError};

/// One input is read up to an offset, at a time of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which of the task's inputs, in their fixed order.
    pub input: u32,
    /// Exclusive.
    pub upto: Offset,
    pub clock_ms: i64,
}

/// A step as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub input: InputId,
    /// Exclusive.
    pub upto: Offset,
    pub clock_ms: i64,
}

/// Version 1 named inputs by their place, which moved when a topic got more partitions.
const VERSION: u8 = 2;
const ENTRY_BYTES: usize = 25;
const READ_BYTES: usize = 1 << 20;

pub struct Schedule {
    partition: Partition,
    /// The query's topics: an entry names one by its place here.
    topics: Vec<Arc<str>>,
}

impl Schedule {
    pub fn new(partition: Partition, topics: Vec<Arc<str>>) -> Schedule {
        Schedule { partition, topics }
    }

    pub fn append(&self, steps: &[Step], inputs: &[Input]) -> Result<AppendReply, RunError> {
        let mut batch = BatchBuilder::new(Codec::None, Level::Default);
        for step in steps {
            let input = inputs[step.input as usize].id.clone();
            let entry = Entry { input, upto: step.upto, clock_ms: step.clock_ms };
            batch.push(step.clock_ms, None, Some(&encode(&entry, &self.topics)?), &[]);
        }
        let batch = batch.build();
        let header = BatchHeader::parse(&batch).map_err(RunError::Batch)?;
        Ok(self.partition.append(batch, header, AppendOptions::INTERNAL))
    }

    /// Every step that is kept, in order.
    pub fn read(&self) -> Result<Vec<Entry>, RunError> {
        let mut steps = Vec::new();
        let state = self.partition.state();
        let mut from = state.start;
        while from < state.high_watermark {
            let read = self.partition.read(from, READ_BYTES, Upto::HighWatermark, true)?;
            for slice in &read.slices.slices {
                for batch in split_bytes(slice.clone()) {
                    let (_, batch) = batch.map_err(RunError::Batch)?;
                    let records = Records::open(&batch, READ_BYTES).map_err(RunError::Batch)?;
                    for record in records.iter() {
                        let record = record.map_err(RunError::Batch)?;
                        if records.header().offset_of(&record) >= from {
                            steps.push(decode(record.value.unwrap_or_default(), &self.topics)?);
                        }
                    }
                }
            }
            if read.slices.next_offset <= from {
                return Err(RunError::Schedule("it ends before its high watermark"));
            }
            from = read.slices.next_offset;
        }
        Ok(steps)
    }

    /// Steps that are kept, more or less.
    pub fn kept(&self) -> i64 {
        let state = self.partition.state();
        state.high_watermark.0 - state.start.0
    }

    pub fn end(&self) -> Offset {
        self.partition.state().high_watermark
    }

    /// Forgets the steps before `offset`: their effects are in the state.
    pub async fn trim(&self, offset: Offset) -> Result<(), RunError> {
        self.partition.trim(offset).await?;
        Ok(())
    }
}

fn encode(entry: &Entry, topics: &[Arc<str>]) -> Result<Bytes, RunError> {
    let topic = topics.iter().position(|topic| *topic == entry.input.topic);
    let topic = topic.ok_or(RunError::Schedule("a step is of a topic that the query does not read"))?;
    let mut bytes = BytesMut::with_capacity(ENTRY_BYTES);
    bytes.put_u8(VERSION);
    bytes.put_u32(topic as u32);
    bytes.put_i32(entry.input.partition);
    bytes.put_i64(entry.upto.0);
    bytes.put_i64(entry.clock_ms);
    Ok(bytes.freeze())
}

fn decode(mut bytes: &[u8], topics: &[Arc<str>]) -> Result<Entry, RunError> {
    if bytes.len() != ENTRY_BYTES || bytes.get_u8() != VERSION {
        return Err(RunError::Schedule("an entry is not of a known version"));
    }
    let topic = topics.get(bytes.get_u32() as usize);
    let topic = topic.ok_or(RunError::Schedule("an entry names a topic that the query does not read"))?;
    let input = InputId::new(topic.clone(), bytes.get_i32());
    Ok(Entry { input, upto: Offset(bytes.get_i64()), clock_ms: bytes.get_i64() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_round_trip_and_strangers_are_refused() {
        let topics: Vec<Arc<str>> = vec!["a".into(), "b".into()];
        let entry = Entry { input: InputId::new("b", 3), upto: Offset(i64::MAX), clock_ms: -1 };
        let bytes = encode(&entry, &topics).unwrap();
        assert_eq!(decode(&bytes, &topics).unwrap(), entry);
        assert!(decode(&bytes, &topics[..1]).is_err(), "a topic too many");
        assert!(encode(&entry, &topics[..1]).is_err());
        assert!(decode(b"", &topics).is_err());
        assert!(decode(&[1; ENTRY_BYTES], &topics).is_err());
    }
}
