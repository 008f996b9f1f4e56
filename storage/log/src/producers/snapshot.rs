//! The producers' state as bytes, so that opening a log need not read all of it.
//!
//! ```text
//! "MRPS" | version u16 | crc of what follows u32 | applied to i64 | epoch of the record before that i32 (-1: none)
//!   | producers u32, each:
//!   id i64 | epoch i16 | coordinator epoch i32 | last timestamp i64 | transaction start i64 (-1: none) | batches u8, each:
//!     base sequence i32 | last sequence i32 | base offset i64 | last offset i64 | timestamp i64
//! ```
//! The epoch tells a snapshot of this history from one of a history that was truncated: two logs with the
//! same epoch at an offset are the same up to there.
use bytes::{Buf, BufMut};
use millrace_record::{Epoch, Offset, ProducerId};

use super::{BATCHES_MAX, Batch, Producer, Producers};

const MAGIC: &[u8; 4] = b"MRPS";
const VERSION: u16 = 1;
const HEAD_LEN: usize = 10;
const PRODUCER_LEN: usize = 31;
const BATCH_LEN: usize = 32;

impl Producers {
    pub(crate) fn encode(&self, last_epoch: Epoch) -> Vec<u8> {
        let mut body = Vec::with_capacity(16 + self.by_id.len() * (PRODUCER_LEN + BATCH_LEN));
        body.put_i64(self.applied_to.0);
        body.put_i32(last_epoch.0);
        body.put_u32(self.by_id.len() as u32);
        for (id, producer) in &self.by_id {
            body.put_i64(id.0);
            body.put_i16(producer.epoch);
            body.put_i32(producer.coordinator_epoch);
            body.put_i64(producer.last_timestamp);
            body.put_i64(producer.current_txn_start.map_or(-1, |offset| offset.0));
            body.put_u8(producer.batches.len() as u8);
            for batch in &producer.batches {
                body.put_i32(batch.base_sequence);
                body.put_i32(batch.last_sequence);
                body.put_i64(batch.base_offset.0);
                body.put_i64(batch.last_offset.0);
                body.put_i64(batch.timestamp);
            }
        }
        let mut out = Vec::with_capacity(HEAD_LEN + body.len());
        out.put_slice(MAGIC);
        out.put_u16(VERSION);
        out.put_u32(crc32fast::hash(&body));
        out.extend_from_slice(&body);
        out
    }

    /// `None` if the bytes are not a whole, undamaged snapshot.
    pub(crate) fn decode(mut bytes: &[u8]) -> Option<(Producers, Epoch)> {
        if bytes.len() < HEAD_LEN || &bytes[..4] != MAGIC {
            return None;
        }
        bytes.advance(4);
        if bytes.get_u16() != VERSION || bytes.get_u32() != crc32fast::hash(bytes) {
            return None;
        }
        let mut producers = Producers { applied_to: Offset(bytes.try_get_i64().ok()?), ..Producers::default() };
        let last_epoch = Epoch(bytes.try_get_i32().ok()?);
        for _ in 0..bytes.try_get_u32().ok()? {
            let id = ProducerId(bytes.try_get_i64().ok()?);
            let mut producer = Producer {
                epoch: bytes.try_get_i16().ok()?,
                coordinator_epoch: bytes.try_get_i32().ok()?,
                last_timestamp: bytes.try_get_i64().ok()?,
                current_txn_start: Some(Offset(bytes.try_get_i64().ok()?)).filter(|offset| offset.0 >= 0),
                batches: Vec::new(),
            };
            let count = bytes.try_get_u8().ok()? as usize;
            if count > BATCHES_MAX {
                return None;
            }
            for _ in 0..count {
                producer.batches.push(Batch {
                    base_sequence: bytes.try_get_i32().ok()?,
                    last_sequence: bytes.try_get_i32().ok()?,
                    base_offset: Offset(bytes.try_get_i64().ok()?),
                    last_offset: Offset(bytes.try_get_i64().ok()?),
                    timestamp: bytes.try_get_i64().ok()?,
                });
            }
            producers.by_id.insert(id, producer);
        }
        bytes.is_empty().then_some((producers, last_epoch))
    }
}
