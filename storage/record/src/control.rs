//! Control records: the end of a transaction, in Kafka's format.
use bytes::BytesMut;

use crate::header::Attributes;
use crate::record::Record;
use crate::{BatchBuilder, BatchError, Codec, Level, ProducerId};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ControlType {
    Abort = 0,
    Commit = 1,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EndTxnMarker {
    pub kind: ControlType,
    pub coordinator_epoch: i32,
}

impl EndTxnMarker {
    /// Reads a marker; `None` when the control record is of a kind that ends no transaction.
    pub fn parse(record: &Record<'_>) -> Result<Option<EndTxnMarker>, BatchError> {
        let bad = |why| BatchError::BadRecord { index: 0, why };
        let key = record.key.filter(|key| key.len() >= 4).ok_or(bad("a control record's key is 4 bytes"))?;
        let kind = match i16::from_be_bytes([key[2], key[3]]) {
            0 => ControlType::Abort,
            1 => ControlType::Commit,
            _ => return Ok(None),
        };
        let value = record.value.filter(|value| value.len() >= 6).ok_or(bad("a marker's value is 6 bytes"))?;
        let coordinator_epoch = i32::from_be_bytes([value[2], value[3], value[4], value[5]]);
        Ok(Some(EndTxnMarker { kind, coordinator_epoch }))
    }

    /// The control batch that ends a producer's transaction in one partition.
    pub fn batch(&self, producer: ProducerId, producer_epoch: i16, now_ms: i64) -> BytesMut {
        let mut key = [0; 4];
        key[2..].copy_from_slice(&(self.kind as i16).to_be_bytes());
        let mut value = [0; 6];
        value[2..].copy_from_slice(&self.coordinator_epoch.to_be_bytes());
        let mut builder = BatchBuilder::new(Codec::None, Level::Default)
            .producer(producer, producer_epoch, -1)
            .transactional(true)
            .control(true);
        builder.push(now_ms, Some(&key), Some(&value), &[]);
        builder.build()
    }
}

/// Whether a batch's attributes say "transactional data", not a marker.
pub fn is_transactional_data(attributes: Attributes) -> bool {
    attributes.is_transactional() && !attributes.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Records;

    #[test]
    fn a_marker_reads_back() {
        for kind in [ControlType::Abort, ControlType::Commit] {
            let marker = EndTxnMarker { kind, coordinator_epoch: 12 };
            let batch = marker.batch(ProducerId(9), 3, 1000);
            let records = Records::open(&batch, 0).unwrap();
            assert!(records.header().attributes.is_control() && records.header().attributes.is_transactional());
            let record = records.iter().next().unwrap().unwrap();
            assert_eq!(EndTxnMarker::parse(&record), Ok(Some(marker)));
        }
    }
}
