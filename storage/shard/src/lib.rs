//! The shard: all partitions of a node, one thread, one fsync per turn.
//!
//! Questions arrive in a mailbox; a turn (`turn.rs`) takes all of them, and answers each when the
//! log position it needs is stable. Reads do not come here: they go to the log's files, up to the
//! watermarks that the shard publishes ([`Partition`]).
//!
//! Invariants:
//! 1. No answer and no watermark before the fsync that covers it, unless the partition's [`Flush`]
//!    settings ask for that.
//! 2. After a failed write or fsync nothing is written any more, and nothing retried: appends are
//!    answered `DiskFailed`, reads go on. A full disk is not a failure: what does not fit is refused
//!    whole, and writing resumes when there is room.
//! 3. Everything acknowledged is in the segments, or in the journal's ring, or both.
//! 4. Given the same mail, clock, disk and random bits, it does the same.
//!
//! No Kafka codes, no topics, no requests; no task runtime: the thread is a plain one, and replies
//! are futures that any runtime can await.
mod background;
mod bell;
mod checkpoint;
mod entry_log;
mod error;
mod group;
mod handle;
mod housekeeping;
mod mailbox;
mod open;
mod partition;
mod reply;
mod room;
mod settings;
mod shard;
mod spec;
mod stats;
mod turn;

pub use bell::{Bell, BellHook};
pub use error::{AppendError, ReadError, ShardError};
pub use handle::ShardHandle;
pub use millrace_log::{Cleanup, LogConfig, LogReader, ProducerView, ReadSlices, TimestampedOffset};
pub use partition::{AppendReply, Partition, Read};
pub use reply::Reply;
pub use settings::{Pace, Plant, ShardSettings};
pub use shard::Shard;
pub use stats::{ShardStats, Sizes};
pub use spec::{
    Acks, AppendOptions, Appended, Flush, GroupId, Origin, PartitionConfig, PartitionSpec, PartitionState, ReplicaId, Upto,
};
