//! What a caller may be told. Refusals are the caller's own doing and change nothing; troubles are
//! the disk's or the cluster's. Neither names a Kafka code: that is the broker's table.
use millrace_journal::JournalError;
use millrace_log::LogError;
use millrace_record::Offset;
use millrace_replica::RaftError;
use thiserror::Error;

/// Why a batch was not appended. After `LeadershipLost` and `DiskFailed` it may yet turn up: those
/// outcomes are unknown, as after a lost connection. After any other it will not.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum AppendError {
    #[error("this node does not lead the partition")]
    NotLeader,
    #[error("leadership was lost before the batch was committed")]
    LeadershipLost,
    #[error("sequence {found} from producer {producer_id} comes where {expected} was expected")]
    OutOfOrderSequence { producer_id: i64, found: i32, expected: i32 },
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
    #[error("offset {asked} is outside {start}..={end}")]
    OutOfRange { asked: Offset, start: Offset, end: Offset },
    #[error("the log is damaged: {0}")]
    Corrupt(String),
    #[error("{0}")]
    Trouble(String),
}

impl From<millrace_log::ReadError> for ReadError {
    fn from(e: millrace_log::ReadError) -> Self {
        match e {
            millrace_log::ReadError::OutOfRange { offset, start, end } => ReadError::OutOfRange { asked: offset, start, end },
            millrace_log::ReadError::Log(e) => e.into(),
        }
    }
}

impl From<LogError> for ReadError {
    fn from(e: LogError) -> Self {
        match e {
            LogError::Corrupt { .. } | LogError::Frame(_) | LogError::Foreign { .. } => ReadError::Corrupt(e.to_string()),
            _ => ReadError::Trouble(e.to_string()),
        }
    }
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
    #[error("{0}")]
    Trouble(String),
    #[error("the shard has stopped")]
    Stopped,
}

impl From<LogError> for ShardError {
    fn from(e: LogError) -> Self {
        match &e {
            LogError::Corrupt { .. } | LogError::Frame(_) | LogError::Foreign { .. } | LogError::Order(_) => ShardError::Corrupt(e.to_string()),
            e if e.is_disk_full() => ShardError::DiskFull,
            e => ShardError::Trouble(e.to_string()),
        }
    }
}

impl From<JournalError> for ShardError {
    fn from(e: JournalError) -> Self {
        match &e {
            JournalError::Corrupt { .. } => ShardError::Corrupt(e.to_string()),
            JournalError::Failed => ShardError::DiskFailed,
            JournalError::Io { .. } | JournalError::Full | JournalError::TooBig { .. } => ShardError::Trouble(e.to_string()),
        }
    }
}

impl From<RaftError> for ShardError {
    fn from(e: RaftError) -> Self {
        match e {
            RaftError::Inconsistent(what) => ShardError::Corrupt(what),
            RaftError::Dropped(_) => ShardError::NotLeader,
            RaftError::Other(what) => ShardError::Trouble(what),
        }
    }
}
