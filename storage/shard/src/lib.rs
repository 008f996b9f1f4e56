//! The turn: drain the mailbox, step replicas, write, one fsync, wake parked replies.
#![allow(dead_code)]
mod bell;
mod error;
mod handle;
mod mailbox;
mod partition;
mod reply;
mod spec;

pub use bell::{Bell, BellHook};
pub use error::{AppendError, ReadError, ShardError};
pub use handle::ShardHandle;
pub use partition::{AppendReply, Partition};
pub use reply::Reply;
pub use spec::{
    Acks, AppendOptions, Appended, Flush, GroupId, Origin, PartitionConfig, PartitionSpec, PartitionState, ReplicaId, Upto,
};
