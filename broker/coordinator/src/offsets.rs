//! What a group has committed, and when it is forgotten.
//!
//! Offsets live as long as the group is used (KIP-211): the clock runs from the moment the group became
//! empty; of a consumer group in use, from the last commit for topics that nobody subscribes to any
//! more; of a group without members by nature, from the last commit.
use std::collections::BTreeMap;

use crate::coordinator::Now;
use crate::error::GroupError;
use crate::format::{OffsetValue, Record};
use crate::group::{Group, GroupState};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicPartition {
    pub topic: String,
    pub partition: i32,
}

/// One offset to commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitOffset {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    /// -1 if the client does not say.
    pub leader_epoch: i32,
    pub metadata: String,
}

/// A request to commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitOffsets {
    pub group: String,
    /// Empty for a client that is no member.
    pub member: String,
    pub instance: Option<String>,
    /// Negative for a client that is no member.
    pub generation: i32,
    /// Old clients could say how long their offsets live.
    pub retention_ms: Option<i64>,
    pub offsets: Vec<CommitOffset>,
}

impl CommitOffsets {
    /// About what it takes in the log: names, notes, and the fixed fields of keys, values and records.
    pub(crate) fn log_bytes(&self) -> usize {
        const FIXED: usize = 60;
        self.offsets.iter().map(|offset| FIXED + self.group.len() + offset.topic.len() + offset.metadata.len()).sum()
    }
}

/// What was committed for a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    pub offset: i64,
    pub leader_epoch: i32,
    pub metadata: String,
}

/// A group's offsets, sorted by topic and partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Offsets {
    topics: BTreeMap<String, BTreeMap<i32, OffsetValue>>,
}

impl Offsets {
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    pub fn set(&mut self, topic: String, partition: i32, value: OffsetValue) {
        self.topics.entry(topic).or_default().insert(partition, value);
    }

    pub fn remove(&mut self, topic: &str, partition: i32) -> bool {
        let Some(partitions) = self.topics.get_mut(topic) else { return false };
        let found = partitions.remove(&partition).is_some();
        if partitions.is_empty() {
            self.topics.remove(topic);
        }
        found
    }

    pub fn get(&self, topic: &str, partition: i32) -> Option<Committed> {
        self.topics.get(topic).and_then(|partitions| partitions.get(&partition)).map(committed)
    }

    pub fn all(&self) -> Vec<(TopicPartition, Committed)> {
        self.iter().map(|(at, value)| (at, committed(value))).collect()
    }

    pub fn partitions_of(&self, topic: &str) -> Vec<i32> {
        self.topics.get(topic).map(|partitions| partitions.keys().copied().collect()).unwrap_or_default()
    }

    pub fn iter(&self) -> impl Iterator<Item = (TopicPartition, &OffsetValue)> {
        self.topics.iter().flat_map(|(topic, partitions)| {
            partitions.iter().map(|(partition, value)| (TopicPartition { topic: topic.clone(), partition: *partition }, value))
        })
    }
}

fn committed(value: &OffsetValue) -> Committed {
    Committed { offset: value.offset, leader_epoch: value.leader_epoch, metadata: value.metadata.clone() }
}

impl Group {
    /// Takes in the offsets of a commit that the group accepts, each by itself.
    pub(crate) fn commit(&mut self, ask: CommitOffsets, now: Now, metadata_bytes_max: usize, records: &mut Vec<Record>) -> Vec<Result<(), GroupError>> {
        let expire_timestamp_ms = ask.retention_ms.map(|retention| now.wall_ms.saturating_add(retention));
        let mut commit_one = |offset: CommitOffset| {
            if offset.metadata.len() > metadata_bytes_max {
                return Err(GroupError::OffsetMetadataTooLarge);
            }
            let value = OffsetValue {
                offset: offset.offset,
                leader_epoch: offset.leader_epoch,
                metadata: offset.metadata,
                commit_timestamp_ms: now.wall_ms,
                expire_timestamp_ms,
            };
            self.offsets.set(offset.topic.clone(), offset.partition, value.clone());
            records.push(Record::Offset { group: self.id.clone(), topic: offset.topic, partition: offset.partition, value: Some(value) });
            Ok(())
        };
        ask.offsets.into_iter().map(&mut commit_one).collect()
    }

    /// Takes an offset away, saying so to the log.
    pub(crate) fn forget_offset(&mut self, at: &TopicPartition, records: &mut Vec<Record>) {
        if self.offsets.remove(&at.topic, at.partition) {
            records.push(Record::Offset { group: self.id.clone(), topic: at.topic.clone(), partition: at.partition, value: None });
        }
    }

    /// Takes away what has not been used for `retention_ms`.
    pub(crate) fn expire_offsets(&mut self, now: Now, retention_ms: i64, records: &mut Vec<Record>) {
        let subscribed = self.subscribed_topics();
        let expired = |at: &TopicPartition, value: &OffsetValue| {
            if let Some(expires) = value.expire_timestamp_ms {
                return now.wall_ms >= expires;
            }
            let since = match self.state {
                GroupState::Empty if self.protocol_type.is_none() || self.state_since_ms < 0 => value.commit_timestamp_ms,
                // The group may have been empty for long when somebody commits for it.
                GroupState::Empty => self.state_since_ms.max(value.commit_timestamp_ms),
                GroupState::Stable if subscribed.as_ref().is_some_and(|topics| !topics.contains(&at.topic)) => value.commit_timestamp_ms,
                GroupState::Stable | GroupState::PreparingRebalance | GroupState::CompletingRebalance => return false,
            };
            now.wall_ms.saturating_sub(since) >= retention_ms
        };
        let due: Vec<_> = self.offsets.iter().filter(|(at, value)| expired(at, value)).map(|(at, _)| at).collect();
        due.iter().for_each(|at| self.forget_offset(at, records));
    }
}
