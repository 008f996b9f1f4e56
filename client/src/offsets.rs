//! Where to read from, and what groups have committed.
use std::collections::BTreeMap;
use std::str::FromStr;

use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics};
use kafka_protocol::messages::{BrokerId, ListOffsetsRequest, OffsetCommitRequest, OffsetFetchRequest};

use crate::TopicPartition;
use crate::client::Client;
use crate::consume::Isolation;
use crate::error::{ClientError, Code, Result};
use crate::text::{group_id, owned, text, topic_name};

/// A place in a partition, as people name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// The first record that is still there.
    Beginning,
    /// After the last record.
    End,
    /// This offset.
    At(i64),
    /// So many records before the end.
    BeforeEnd(i64),
    /// The first record at or after this time, in milliseconds since 1970.
    Time(i64),
    /// What the group committed; without one, the beginning.
    Stored,
}

impl FromStr for Position {
    type Err = ClientError;

    /// `beginning`, `end`, `stored`, `123`, `-5`, `@1700000000000` (also written `s@...`).
    fn from_str(given: &str) -> Result<Self> {
        let number = |text: &str| {
            let hint = "an offset is beginning, end, stored, N, -N (from the end) or @MILLISECONDS";
            text.parse::<i64>().map_err(|_| ClientError::Misuse(format!("cannot read offset {given:?}: {hint}")))
        };
        Ok(match given {
            "beginning" | "earliest" | "smallest" => Position::Beginning,
            "end" | "latest" | "largest" => Position::End,
            "stored" => Position::Stored,
            other => match other.strip_prefix("s@").or_else(|| other.strip_prefix('@')) {
                Some(time) => Position::Time(number(time)?),
                None => match number(other)? {
                    back if back < 0 => Position::BeforeEnd(-back),
                    offset => Position::At(offset),
                },
            },
        })
    }
}

/// One answer of ListOffsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedOffset {
    /// The offset; -1 where no record is that late.
    pub offset: i64,
    /// The record's time, where one was looked for.
    pub timestamp: i64,
}

/// One committed offset of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The next offset to read; -1 where nothing is committed.
    pub offset: i64,
    /// What the committer noted beside it.
    pub metadata: String,
}

impl Client {
    /// Asks one partition's leader for an offset by Kafka's special or real timestamps (-1 end, -2 beginning, -3 newest).
    pub async fn list_offset(&self, at: &TopicPartition, timestamp: i64, isolation: Isolation) -> Result<ListedOffset> {
        self.persist(|| async {
            let connection = self.leader(at).await?;
            let partition = ListOffsetsPartition::default().with_partition_index(at.partition).with_timestamp(timestamp).with_current_leader_epoch(-1);
            let topic = ListOffsetsTopic::default().with_name(topic_name(&at.topic)).with_partitions(vec![partition]);
            let mut request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
            if connection.version_of::<ListOffsetsRequest>()? >= 2 {
                request.isolation_level = isolation.on_wire();
            }
            let answer = connection.call(&request).await?;
            let found = answer.topics.first().and_then(|topic| topic.partitions.first());
            let found = found.ok_or_else(|| ClientError::malformed("ListOffsets response", format!("no answer for {at}")))?;
            if Code(found.error_code).wants_new_metadata() {
                self.refresh(Some(&[&at.topic]), false).await?;
            }
            Code(found.error_code).check(|| format!("offsets of {at}"), None)?;
            Ok(ListedOffset { offset: found.offset, timestamp: found.timestamp })
        })
        .await
    }

    /// Turns a position into an offset to read from. `Stored` is for [`Client::committed`]; here it is the beginning.
    pub async fn locate(&self, at: &TopicPartition, position: Position, isolation: Isolation) -> Result<i64> {
        let special = |timestamp| async move { Ok::<_, ClientError>(self.list_offset(at, timestamp, isolation).await?.offset) };
        match position {
            Position::At(offset) => Ok(offset),
            Position::Beginning | Position::Stored => special(-2).await,
            Position::End => special(-1).await,
            Position::BeforeEnd(count) => Ok((special(-1).await? - count).max(special(-2).await?)),
            Position::Time(time) => match special(time).await? {
                -1 => special(-1).await,
                offset => Ok(offset),
            },
        }
    }

    /// What a group has committed; all of its partitions, or those named.
    pub async fn committed(&self, group: &str, partitions: Option<&[TopicPartition]>) -> Result<BTreeMap<TopicPartition, CommittedOffset>> {
        let mut by_topic: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        for at in partitions.unwrap_or_default() {
            by_topic.entry(&at.topic).or_default().push(at.partition);
        }
        self.persist(|| async {
            let connection = self.coordinator(group).await?;
            let about = || format!("offsets of group {group}");
            let mut found = BTreeMap::new();
            let mut keep = |topic: &str, partition: i32, code: i16, offset: i64, metadata: Option<String>| {
                Code(code).check(|| format!("offset of group {group} in {topic}-{partition}"), None)?;
                found.insert(TopicPartition::new(topic, partition), CommittedOffset { offset, metadata: metadata.unwrap_or_default() });
                Ok::<_, ClientError>(())
            };
            if connection.version_of::<OffsetFetchRequest>()? >= 8 {
                let topics = by_topic.iter().map(|(name, ids)| {
                    OffsetFetchRequestTopics::default().with_name(topic_name(name)).with_partition_indexes(ids.clone())
                });
                let wanted = partitions.map(|_| topics.collect());
                let asked = OffsetFetchRequestGroup::default().with_group_id(group_id(group)).with_topics(wanted).with_member_epoch(-1);
                let answer = connection.call(&OffsetFetchRequest::default().with_groups(vec![asked])).await?;
                let answered = answer.groups.first().ok_or_else(|| ClientError::malformed("OffsetFetch response", "no group in it"))?;
                Code(answered.error_code).check(about, None)?;
                for topic in &answered.topics {
                    for partition in &topic.partitions {
                        let note = partition.metadata.as_ref().map(owned);
                        keep(&topic.name, partition.partition_index, partition.error_code, partition.committed_offset, note)?;
                    }
                }
                return Ok(found);
            }
            let topics = by_topic.iter().map(|(name, ids)| {
                OffsetFetchRequestTopic::default().with_name(topic_name(name)).with_partition_indexes(ids.clone())
            });
            let wanted = partitions.map(|_| topics.collect());
            let answer = connection.call(&OffsetFetchRequest::default().with_group_id(group_id(group)).with_topics(wanted)).await?;
            Code(answer.error_code).check(about, None)?;
            for topic in &answer.topics {
                for partition in &topic.partitions {
                    let note = partition.metadata.as_ref().map(owned);
                    keep(&topic.name, partition.partition_index, partition.error_code, partition.committed_offset, note)?;
                }
            }
            Ok(found)
        })
        .await
    }

    /// Commits offsets for a group, as the member `member` of `generation`, or from outside with an empty id and -1.
    pub async fn commit(&self, group: &str, member: &str, generation: i32, offsets: &BTreeMap<TopicPartition, i64>) -> Result<()> {
        let mut by_topic: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
        for (at, offset) in offsets {
            let partition = OffsetCommitRequestPartition::default()
                .with_partition_index(at.partition)
                .with_committed_offset(*offset)
                .with_committed_leader_epoch(-1)
                .with_committed_metadata(Some(text("")));
            by_topic.entry(&at.topic).or_default().push(partition);
        }
        let topics = by_topic.into_iter().map(|(name, list)| OffsetCommitRequestTopic::default().with_name(topic_name(name)).with_partitions(list));
        let request = OffsetCommitRequest::default()
            .with_group_id(group_id(group))
            .with_generation_id_or_member_epoch(generation)
            .with_member_id(text(member))
            .with_topics(topics.collect());
        self.persist(|| async {
            let answer = self.coordinator(group).await?.call(&request).await?;
            for topic in &answer.topics {
                for partition in &topic.partitions {
                    let about = || format!("commit of group {group} for {}-{}", topic.name.as_str(), partition.partition_index);
                    Code(partition.error_code).check(about, None)?;
                }
            }
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_read_as_kcat_writes_them() {
        let cases = [
            ("beginning", Position::Beginning),
            ("end", Position::End),
            ("stored", Position::Stored),
            ("0", Position::At(0)),
            ("42", Position::At(42)),
            ("-5", Position::BeforeEnd(5)),
            ("@1700000000000", Position::Time(1_700_000_000_000)),
            ("s@17", Position::Time(17)),
        ];
        for (given, wanted) in cases {
            assert_eq!(given.parse::<Position>().unwrap(), wanted, "{given}");
        }
        assert!("soon".parse::<Position>().is_err());
        assert!("@".parse::<Position>().is_err());
    }
}
