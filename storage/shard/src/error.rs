//! What a caller may be told. Refusals are the caller's own doing and change nothing; troubles are
//! the disk's or the cluster's. Neither names a Kafka code: that is the broker's table.
use std::io;
use std::sync::Arc;

use millrace_record::Offset;
use thiserror::Error;

/// Why a batch was not appended. After `LeadershipLost` and `DiskFailed` it may yet turn up: those
/// outcomes are unknown, as after a lost connection. After any other it will not.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum AppendError {
    #[error("this node does not lead the partition")]
    NotLeader,
    #[error("leadership was lost before the batch was committed")]
    LeadershipLost,
    #[error("sequence {found} from producer {producer_id} does not follow on {last}")]
    OutOfOrderSequence { producer_id: i64, found: i32, last: i32 },
    #[error("producer {producer_id} wrote with epoch {found}, the partition has seen epoch {current}")]
    InvalidProducerEpoch { producer_id: i64, found: i16, current: i16 },
    #[error("the batch is invalid: {0}")]
    Invalid(String),
    #[error("the log ends at {end}, the caller expected {expected}")]
    EndMoved { expected: Offset, end: Offset },
    #[error("the disk is full")]
    DiskFull,
    #[error("the disk failed; this node takes no writes until it is restarted")]
    DiskFailed,
    #[error("the partition is closed")]
    Closed,
}

#[derive(Clone, Debug, Error)]
pub enum ReadError {
    #[error("offset {asked} is outside {start}..{end}")]
    OutOfRange { asked: Offset, start: Offset, end: Offset },
    #[error("the log is damaged: {0}")]
    Corrupt(String),
    #[error("reading failed: {0}")]
    Io(Arc<io::Error>),
}

/// Why a partition could not be opened, closed or changed, or the shard could not start.
#[derive(Clone, Debug, Error)]
pub enum ShardError {
    #[error("{0} is already open")]
    AlreadyOpen(crate::GroupId),
    #[error("{0} is not open")]
    NotOpen(crate::GroupId),
    #[error("this node does not lead the partition")]
    NotLeader,
    #[error("leadership was lost before the change was committed")]
    LeadershipLost,
    #[error("offset {asked} is outside {start}..={end}")]
    OutOfRange { asked: Offset, start: Offset, end: Offset },
    #[error("{0}")]
    Corrupt(String),
    #[error("the disk is full")]
    DiskFull,
    #[error("the disk failed; this node takes no writes until it is restarted")]
    DiskFailed,
    #[error("{what}: {source}")]
    Io { what: String, source: Arc<io::Error> },
    #[error("the shard has stopped")]
    Stopped,
}
