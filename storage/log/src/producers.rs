use millrace_record::{BatchHeader, Offset, ProducerId};

/// What is known of the idempotent producers of this log.
pub struct Producers;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Append,
    /// One of the producer's last five batches: answer with where that went.
    Duplicate { base_offset: Offset, last_offset: Offset, timestamp: i64 },
    /// 45: a gap, or a new epoch that does not begin at 0.
    OutOfOrder { expected: i32, found: i32 },
    /// 47: an older epoch than the producer's last.
    FencedEpoch { current: i16 },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProducerView {
    pub id: ProducerId,
    pub epoch: i16,
    pub last_sequence: i32,
    pub last_timestamp: i64,
    pub coordinator_epoch: i32,
    pub current_txn_start: Option<Offset>,
}

impl Producers {
    /// Judges a client's batch against the state; changes nothing.
    pub fn check(&self, _header: &BatchHeader) -> Verdict {
        todo!()
    }
    /// Folds a batch that got its place in the log.
    pub fn apply(&mut self, _header: &BatchHeader) {
        todo!()
    }
    pub fn views(&self) -> Vec<ProducerView> {
        todo!()
    }
    pub fn expire(&mut self, _now_ms: i64, _expiration_ms: i64) {
        todo!()
    }
    /// The first offset of the earliest open transaction.
    pub fn first_open_txn(&self) -> Option<Offset> {
        todo!()
    }
}
