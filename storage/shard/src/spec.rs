//! What callers say: which partition, with which settings, and how a batch is to be appended.
use std::path::PathBuf;

use millrace_log::LogConfig;
use millrace_record::Offset;

pub use millrace_journal::GroupId;

/// One member of a partition's Raft group. A new incarnation of a node is a new replica.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ReplicaId(pub u64);

#[derive(Clone, Debug)]
pub struct PartitionSpec {
    /// Never used again for another partition, not even after a deletion.
    pub id: GroupId,
    /// The partition's own folder; made if it is absent.
    pub dir: PathBuf,
    /// Whose records these are (topic id and partition), written into every segment: a folder with
    /// somebody else's is refused.
    pub identity: u128,
    pub config: PartitionConfig,
    /// All voters; with one, this node leads at once.
    pub voters: Vec<ReplicaId>,
    /// Which of the voters this node is.
    pub me: ReplicaId,
}

#[derive(Clone, PartialEq, Debug)]
pub struct PartitionConfig {
    pub log: LogConfig,
    pub flush: Flush,
    /// `file.delete.delay.ms`: how long the files of what was dropped stay, under another name.
    pub delete_delay_ms: u64,
}

/// When an answer may leave, in the terms of `flush.messages` and `flush.ms`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flush {
    /// 1: every answer waits for its fsync. More: answers leave from memory, and after so many
    /// records the log is flushed. `u64::MAX`: never for that reason.
    pub messages: u64,
    /// Nothing stays unflushed for longer, in milliseconds. `u64::MAX`: no such limit.
    pub ms: u64,
}

impl Flush {
    pub const BEFORE_ANSWER: Flush = Flush { messages: 1, ms: u64::MAX };
    /// Kafka's own default: durability comes from replicas.
    pub const BEHIND: Flush = Flush { messages: u64::MAX, ms: u64::MAX };

    /// Whether an answer means "on stable storage".
    pub fn before_answer(self) -> bool {
        self.messages <= 1
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acks {
    /// Nobody waits.
    None,
    /// Answered when this node has it.
    Leader,
    /// Answered when it is committed.
    All,
}

/// Who appends. Clients' batches pass the producer checks, a node's own need none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    Client,
    Coordinator,
    Internal,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AppendOptions {
    pub acks: Acks,
    pub origin: Origin,
    /// Stamp the batch with the shard's wall clock (`message.timestamp.type=LogAppendTime`).
    pub append_time: bool,
    /// Refuse with `EndMoved` unless the batch would land here: for folds that decided on a state.
    pub expected_end: Option<Offset>,
}

impl AppendOptions {
    pub const CLIENT: AppendOptions = AppendOptions { acks: Acks::All, origin: Origin::Client, append_time: false, expected_end: None };
    pub const INTERNAL: AppendOptions = AppendOptions { acks: Acks::All, origin: Origin::Internal, append_time: false, expected_end: None };
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Appended {
    pub base_offset: Offset,
    pub last_offset: Offset,
    /// -1 where the producer's own time stands.
    pub log_append_time_ms: i64,
    pub log_start_offset: Offset,
    /// The batch was there already; the offsets are the first copy's.
    pub duplicate: bool,
}

/// What a partition looked like at one moment. `start <= last_stable <= high_watermark <= end`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PartitionState {
    pub start: Offset,
    /// One past the last record of this replica's log.
    pub end: Offset,
    pub high_watermark: Offset,
    pub last_stable: Offset,
    /// The Raft term; -1 before the first election.
    pub leader_epoch: i32,
    pub is_leader: bool,
}

impl PartitionState {
    /// The offset that `upto` stands for.
    pub fn limit(&self, upto: Upto) -> Offset {
        match upto {
            Upto::HighWatermark => self.high_watermark,
            Upto::LastStable => self.last_stable,
            Upto::End => self.end,
        }
    }
}

/// How far a reader may see.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Upto {
    /// read_uncommitted, in Kafka's words: all that is replicated.
    HighWatermark,
    /// read_committed.
    LastStable,
    /// All that this replica holds: for replicas.
    End,
}
