//! The order in which a task with several inputs reads them: the only thing about it that is not in its inputs already.
//!
//! Invariant: an entry is in the log before any output that it caused (it is put into the same mailbox first), so a replay
//! repeats exactly what was done, and whoever counts outputs counts the same.
use bytes::{Buf, BufMut, Bytes, BytesMut};
use millrace_record::{BatchBuilder, BatchHeader, Codec, Level, Offset, Records, split_bytes};
use millrace_shard::{AppendOptions, AppendReply, Partition, Upto};

use crate::run::RunError;

/// One input is read up to an offset, at a time of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which of the task's inputs, in their fixed order.
    pub input: u32,
    /// Exclusive.
    pub upto: Offset,
    pub clock_ms: i64,
}

const VERSION: u8 = 1;
const READ_BYTES: usize = 1 << 20;

pub struct Schedule {
    partition: Partition,
}

impl Schedule {
    pub fn new(partition: Partition) -> Schedule {
        Schedule { partition }
    }

    pub fn append(&self, steps: &[Step]) -> Result<AppendReply, RunError> {
        let mut batch = BatchBuilder::new(Codec::None, Level::Default);
        for step in steps {
            batch.push(step.clock_ms, None, Some(&encode(*step)), &[]);
        }
        let batch = batch.build();
        let header = BatchHeader::parse(&batch).map_err(RunError::Batch)?;
        Ok(self.partition.append(batch, header, AppendOptions::INTERNAL))
    }

    /// Every step that is kept, in order.
    pub fn read(&self) -> Result<Vec<Step>, RunError> {
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
                            steps.push(decode(record.value.unwrap_or_default())?);
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

fn encode(step: Step) -> Bytes {
    let mut bytes = BytesMut::with_capacity(21);
    bytes.put_u8(VERSION);
    bytes.put_u32(step.input);
    bytes.put_i64(step.upto.0);
    bytes.put_i64(step.clock_ms);
    bytes.freeze()
}

fn decode(mut bytes: &[u8]) -> Result<Step, RunError> {
    if bytes.len() != 21 || bytes.get_u8() != VERSION {
        return Err(RunError::Schedule("an entry is not of a known version"));
    }
    Ok(Step { input: bytes.get_u32(), upto: Offset(bytes.get_i64()), clock_ms: bytes.get_i64() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_round_trip_and_strangers_are_refused() {
        let step = Step { input: 3, upto: Offset(i64::MAX), clock_ms: -1 };
        assert_eq!(decode(&encode(step)).unwrap(), step);
        assert!(decode(b"").is_err());
        assert!(decode(&[2; 21]).is_err());
    }
}
