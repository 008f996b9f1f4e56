//! What is known of the idempotent producers of one log: a fold over its batches.
//!
//! * Five batches are remembered per producer, as in Kafka: a repeat of one of them is answered with
//!   the offset it already has, anything else out of order is refused.
//! * `apply` runs once per batch, in the log's order, and cannot fail; a batch below `applied_to` is
//!   ignored, so a leader may apply what it accepted before the log has it.
//! * Judging (`check`) changes nothing.
mod snapshot;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use millrace_record::{BatchHeader, EndTxnMarker, Offset, ProducerId, add_sequence};

/// Batches remembered per producer, as many as a client keeps in flight.
const BATCHES_MAX: usize = 5;

#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Producers {
    by_id: BTreeMap<ProducerId, Producer>,
    applied_to: Offset,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Producer {
    epoch: i16,
    coordinator_epoch: i32,
    last_timestamp: i64,
    current_txn_start: Option<Offset>,
    /// Of this epoch, oldest first, at most five.
    batches: Vec<Batch>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Batch {
    base_sequence: i32,
    last_sequence: i32,
    base_offset: Offset,
    last_offset: Offset,
    timestamp: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Append,
    /// One of the producer's last five batches: answer with where that went.
    Duplicate { base_offset: Offset, last_offset: Offset, timestamp: i64 },
    /// A gap, or a new epoch that does not begin at 0.
    OutOfOrder { expected: i32, found: i32 },
    /// An older epoch than the producer's last.
    FencedEpoch { current: i16 },
}

/// One producer, as tools see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProducerView {
    pub id: ProducerId,
    pub epoch: i16,
    /// -1 if nothing is known of its batches.
    pub last_sequence: i32,
    pub last_timestamp: i64,
    /// -1 if it never ended a transaction here.
    pub coordinator_epoch: i32,
    pub current_txn_start: Option<Offset>,
}

/// Where a producer's last batch lies: compaction leaves at least an empty batch there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LastBatch {
    pub epoch: i16,
    /// `None`: its last batch was a marker.
    pub last_offset: Option<Offset>,
}

impl Producers {
    /// Judges a client's batch.
    pub fn check(&self, header: &BatchHeader) -> Verdict {
        if !header.producer_id.is_some() {
            return Verdict::Append;
        }
        let found = header.base_sequence;
        let Some(producer) = self.by_id.get(&header.producer_id) else { return Verdict::Append };
        if header.producer_epoch < producer.epoch {
            return Verdict::FencedEpoch { current: producer.epoch };
        }
        let mut expected = 0;
        if header.producer_epoch == producer.epoch {
            let same = |batch: &&Batch| (batch.base_sequence, batch.last_sequence) == (found, header.last_sequence());
            if let Some(&Batch { base_offset, last_offset, timestamp, .. }) = producer.batches.iter().find(same) {
                return Verdict::Duplicate { base_offset, last_offset, timestamp };
            }
            if let Some(last) = producer.batches.last() {
                expected = add_sequence(last.last_sequence, 1);
            }
        }
        if found == expected { Verdict::Append } else { Verdict::OutOfOrder { expected, found } }
    }

    /// Folds a batch of data that got its place in the log.
    pub fn apply(&mut self, header: &BatchHeader) {
        if !self.advance(header) || !header.producer_id.is_some() {
            return;
        }
        let producer = self.producer(header);
        producer.last_timestamp = header.max_timestamp;
        if header.attributes.is_transactional() {
            producer.current_txn_start.get_or_insert(header.base_offset);
        }
        if producer.batches.len() == BATCHES_MAX {
            producer.batches.remove(0);
        }
        producer.batches.push(Batch {
            base_sequence: header.base_sequence,
            last_sequence: header.last_sequence(),
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            timestamp: header.max_timestamp,
        });
    }

    /// Folds the end of a producer's transaction.
    pub fn apply_marker(&mut self, header: &BatchHeader, marker: EndTxnMarker) {
        if !self.advance(header) || !header.producer_id.is_some() {
            return;
        }
        let producer = self.producer(header);
        producer.last_timestamp = header.max_timestamp;
        producer.coordinator_epoch = marker.coordinator_epoch;
        producer.current_txn_start = None;
    }

    /// Passes over a batch that says nothing about producers.
    pub(crate) fn skip(&mut self, header: &BatchHeader) {
        self.advance(header);
    }

    /// All below is folded in, though the last of it left no trace.
    pub(crate) fn set_applied_to(&mut self, offset: Offset) {
        self.applied_to = offset;
    }

    /// False if the batch was applied before.
    fn advance(&mut self, header: &BatchHeader) -> bool {
        let fresh = header.base_offset >= self.applied_to;
        self.applied_to = self.applied_to.max(header.next_offset());
        fresh
    }

    /// The producer's entry, at the batch's epoch if that is newer.
    fn producer(&mut self, header: &BatchHeader) -> &mut Producer {
        let producer = self.by_id.entry(header.producer_id).or_insert_with(|| Producer {
            epoch: header.producer_epoch,
            coordinator_epoch: -1,
            last_timestamp: header.max_timestamp,
            current_txn_start: None,
            batches: Vec::new(),
        });
        if header.producer_epoch > producer.epoch {
            producer.epoch = header.producer_epoch;
            producer.batches.clear();
        }
        producer
    }

    /// Batches below were folded in.
    pub fn applied_to(&self) -> Offset {
        self.applied_to
    }

    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// All of them, by id.
    pub fn views(&self) -> Vec<ProducerView> {
        let view = |(&id, producer): (&ProducerId, &Producer)| ProducerView {
            id,
            epoch: producer.epoch,
            last_sequence: producer.batches.last().map_or(-1, |batch| batch.last_sequence),
            last_timestamp: producer.last_timestamp,
            coordinator_epoch: producer.coordinator_epoch,
            current_txn_start: producer.current_txn_start,
        };
        self.by_id.iter().map(view).collect()
    }

    /// Forgets producers whose last batch is older than `expiration_ms`, unless a transaction is open.
    pub fn expire(&mut self, now_ms: i64, expiration_ms: i64) {
        self.by_id.retain(|_, producer| {
            producer.current_txn_start.is_some() || now_ms.saturating_sub(producer.last_timestamp) < expiration_ms
        });
    }

    /// The first offset of the earliest open transaction.
    pub fn first_open_txn(&self) -> Option<Offset> {
        self.by_id.values().filter_map(|producer| producer.current_txn_start).min()
    }

    pub(crate) fn last_batches(&self) -> BTreeMap<ProducerId, LastBatch> {
        let last = |producer: &Producer| LastBatch {
            epoch: producer.epoch,
            last_offset: producer.batches.last().map(|batch| batch.last_offset),
        };
        self.by_id.iter().map(|(id, producer)| (*id, last(producer))).collect()
    }
}
