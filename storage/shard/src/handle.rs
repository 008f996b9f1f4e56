//! The shard from outside: opens and closes partitions.
use std::path::PathBuf;
use std::sync::Arc;

use crate::ShardError;
use crate::mailbox::{Mail, Mailbox};
use crate::partition::Partition;
use crate::reply::{Answer, pair};
use crate::settings::Pace;
use crate::spec::{GroupId, PartitionSpec};
use crate::stats::ShardStats;

#[derive(Clone)]
pub struct ShardHandle {
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) stats: Arc<ShardStats>,
}

impl ShardHandle {
    /// Opens the partition's log, recovers it, and takes its place in the Raft group. A group of one
    /// leads when this returns.
    pub async fn open_partition(&self, spec: PartitionSpec) -> Result<Partition, ShardError> {
        self.ask(|answer| Mail::Open { spec: Box::new(spec), answer }).await
    }

    /// Parked appends are answered `Closed`. With `delete` the folder is gone when this returns, as
    /// far as a later start can see; its bytes are freed behind.
    pub async fn close_partition(&self, group: GroupId, delete: bool) -> Result<(), ShardError> {
        self.ask(|answer| Mail::Close { group, delete, answer }).await
    }

    /// To be called once after a start, when every partition that should exist has been opened:
    /// what the journal still keeps for any other is dropped. Returns for how many that was so.
    pub async fn forget_unopened(&self) -> Result<usize, ShardError> {
        self.ask(|answer| Mail::ForgetUnopened { answer }).await
    }

    /// To be called once after a start: what partitions deleted before left in `dir` is removed from
    /// now on, beside the work. Returns how many folders that are.
    pub async fn bury_leftovers(&self, dir: PathBuf) -> Result<usize, ShardError> {
        self.ask(|answer| Mail::BuryLeftovers { dir, answer }).await
    }

    /// Counts from the next round on.
    pub async fn set_pace(&self, pace: Pace) -> Result<(), ShardError> {
        self.ask(|answer| Mail::SetPace { pace, answer }).await
    }

    pub fn stats(&self) -> &Arc<ShardStats> {
        &self.stats
    }

    /// Ends the shard cleanly: what is queued is done, everything is flushed, and the next start
    /// replays nothing.
    pub async fn stop(&self) -> Result<(), ShardError> {
        self.ask(|answer| Mail::Stop { answer }).await
    }

    async fn ask<T>(&self, mail: impl FnOnce(Answer<Result<T, ShardError>>) -> Mail) -> Result<T, ShardError> {
        let (answer, reply) = pair();
        drop(self.mailbox.put(mail(answer)));
        reply.await.unwrap_or(Err(ShardError::Stopped))
    }
}
