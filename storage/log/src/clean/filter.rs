//! What stays of one batch. The rules are Kafka's:
//!
//! * Of a key only the record with the latest offset stays; records without a key go. Offsets never change.
//! * A record without a value (a tombstone) stays until the batch's delete horizon, which the first
//!   cleaning that meets it sets to so much later.
//! * A batch whose records all went stays, empty, if it is a producer's last one (its sequence is still
//!   needed) or the last one of the round.
//! * The data of aborted transactions goes. A transaction's end marker stays as long as data of it is
//!   there, and then until its own delete horizon.
use std::collections::{BTreeMap, BTreeSet};

use bytes::BytesMut;
use millrace_record::{BatchBuilder, BatchError, BatchHeader, Level, Offset, ProducerId, Record, Records, TimestampType, empty_batch};

use super::keys::KeyMap;
use crate::DECOMPRESSED_BYTES_MAX;
use crate::producers::LastBatch;

/// An aborted transaction in one partition: a producer's data from its first offset to its marker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AbortedTxn {
    pub producer_id: ProducerId,
    pub first_offset: Offset,
    pub last_offset: Offset,
}

/// Whether a batch is data of one of these transactions.
pub(super) fn is_aborted(aborted: &[AbortedTxn], header: &BatchHeader) -> bool {
    header.attributes.is_transactional()
        && aborted.iter().any(|txn| {
            txn.producer_id == header.producer_id
                && txn.first_offset <= header.base_offset
                && header.last_offset() <= txn.last_offset
        })
}

#[derive(PartialEq, Eq, Debug)]
pub(super) enum Kept {
    AsItIs,
    Rewritten(BytesMut),
    Gone,
}

/// One pass over the log, oldest batch first.
pub(super) struct Filter<'a> {
    pub keys: &'a KeyMap,
    /// The keys of records below are in the map.
    pub covered_to: Offset,
    pub now_ms: i64,
    pub delete_retention_ms: i64,
    pub last_batches: &'a BTreeMap<ProducerId, LastBatch>,
    pub aborted: &'a [AbortedTxn],
    /// Producers with data in the transaction that is under way in the pass.
    pub with_data: BTreeSet<ProducerId>,
    pub records_removed: u64,
    scratch: Vec<u8>,
}

impl<'a> Filter<'a> {
    pub fn new(keys: &'a KeyMap, covered_to: Offset, last_batches: &'a BTreeMap<ProducerId, LastBatch>, aborted: &'a [AbortedTxn]) -> Filter<'a> {
        Filter {
            keys,
            covered_to,
            now_ms: 0,
            delete_retention_ms: 0,
            last_batches,
            aborted,
            with_data: BTreeSet::new(),
            records_removed: 0,
            scratch: Vec::new(),
        }
    }

    pub fn batch(&mut self, header: &BatchHeader, bytes: &[u8]) -> Result<Kept, BatchError> {
        let is_control = header.attributes.is_control();
        let horizon = header.delete_horizon_ms();
        let discardable = self.discardable(header);
        let discard = discardable && (!is_control || horizon.is_some_and(|horizon| horizon <= self.now_ms));
        let keep_empty = self.is_producers_last(header) || header.next_offset() == self.covered_to;
        if discard {
            self.records_removed += header.count.max(0) as u64;
            return Ok(if keep_empty { Kept::Rewritten(empty_batch(header)) } else { Kept::Gone });
        }
        let scratch = std::mem::take(&mut self.scratch);
        let records = Records::open_with(bytes, DECOMPRESSED_BYTES_MAX, scratch)?;
        let kept = self.records(header, &records, is_control && discardable, keep_empty);
        self.scratch = records.into_scratch();
        kept
    }

    fn records(&mut self, header: &BatchHeader, records: &Records<'_>, marks_nothing: bool, keep_empty: bool) -> Result<Kept, BatchError> {
        let (mut kept, mut tombstones) = (0, false);
        for record in records.iter() {
            let record = record?;
            if self.stays(header, &record) {
                kept += 1;
                tombstones |= record.value.is_none() && !header.attributes.is_control();
            }
        }
        let removed = header.count - kept;
        self.records_removed += removed as u64;
        if kept == 0 {
            return Ok(if keep_empty { Kept::Rewritten(empty_batch(header)) } else { Kept::Gone });
        }
        let sets_horizon = (tombstones || marks_nothing) && header.delete_horizon_ms().is_none();
        if removed == 0 && !sets_horizon {
            return Ok(Kept::AsItIs);
        }
        let codec = header.attributes.codec()?;
        let mut builder = BatchBuilder::like(header, codec, Level::Default);
        if sets_horizon {
            builder = builder.delete_horizon(self.now_ms.saturating_add(self.delete_retention_ms));
        }
        for record in records.iter() {
            let record = record?;
            if self.stays(header, &record) {
                let timestamp = header.base_timestamp.wrapping_add(record.timestamp_delta);
                builder.push_at(record.offset_delta, timestamp, record.key, record.value, record.headers);
            }
        }
        if header.attributes.timestamp_type() == TimestampType::LogAppend {
            builder = builder.max_timestamp(header.max_timestamp);
        }
        Ok(Kept::Rewritten(builder.build()))
    }

    fn stays(&self, header: &BatchHeader, record: &Record<'_>) -> bool {
        let offset = header.offset_of(record);
        if header.attributes.is_control() || offset >= self.covered_to {
            return true;
        }
        let Some(key) = record.key else { return false };
        let is_latest = self.keys.get(key).is_none_or(|latest| offset >= latest);
        let may_delete = header.delete_horizon_ms().is_some_and(|horizon| horizon <= self.now_ms);
        is_latest && (record.value.is_some() || !may_delete)
    }

    /// Data of an aborted transaction, or the marker of a transaction whose data is all gone.
    fn discardable(&mut self, header: &BatchHeader) -> bool {
        if !header.attributes.is_transactional() || !header.producer_id.is_some() {
            return false;
        }
        if header.attributes.is_control() {
            return !self.with_data.remove(&header.producer_id);
        }
        self.with_data.insert(header.producer_id);
        is_aborted(self.aborted, header)
    }

    /// Whether the producer's state hangs on this batch.
    fn is_producers_last(&self, header: &BatchHeader) -> bool {
        let Some(last) = self.last_batches.get(&header.producer_id) else { return false };
        match last.last_offset {
            Some(offset) => offset == header.last_offset(),
            None => header.attributes.is_control() && header.producer_epoch == last.epoch,
        }
    }
}
