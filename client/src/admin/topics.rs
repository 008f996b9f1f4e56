//! Topics and their records: create, delete, grow, trim.
use std::collections::BTreeMap;

use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::{BrokerId, CreatePartitionsRequest, CreateTopicsRequest, DeleteRecordsRequest, DeleteTopicsRequest};

use crate::client::Client;
use crate::error::{ClientError, Code, Result};
use crate::text::{text, topic_name};
use crate::{TopicInfo, TopicPartition};

/// A topic to be made.
#[derive(Debug, Clone)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; -1: the broker's default.
    pub partitions: i32,
    /// How many replicas; -1: the broker's default.
    pub replication: i16,
    /// Which brokers hold each partition, instead of the two counts.
    pub assignment: BTreeMap<i32, Vec<i32>>,
    /// Configs that differ from the defaults.
    pub configs: Vec<(String, String)>,
}

/// One topic's answer.
pub type TopicOutcome = (String, Result<()>);

impl Client {
    /// Every topic that this client may see.
    pub async fn topics(&self) -> Result<BTreeMap<String, TopicInfo>> {
        Ok(self.refresh(None, false).await?.topics.clone())
    }

    /// Creates topics; `dry`: only says what would happen.
    pub async fn create_topics(&self, topics: &[NewTopic], dry: bool) -> Result<Vec<TopicOutcome>> {
        let wanted = topics.iter().map(|topic| {
            let configs = topic.configs.iter().map(|(name, value)| CreatableTopicConfig::default().with_name(text(name)).with_value(Some(text(value))));
            let assignments = topic.assignment.iter().map(|(partition, brokers)| {
                let brokers = brokers.iter().map(|id| BrokerId(*id)).collect();
                CreatableReplicaAssignment::default().with_partition_index(*partition).with_broker_ids(brokers)
            });
            CreatableTopic::default()
                .with_name(topic_name(&topic.name))
                .with_num_partitions(topic.partitions)
                .with_replication_factor(topic.replication)
                .with_assignments(assignments.collect())
                .with_configs(configs.collect())
        });
        let request = CreateTopicsRequest::default().with_topics(wanted.collect()).with_timeout_ms(self.timeout_ms()).with_validate_only(dry);
        let answer = self.controller().await?.call(&request).await?;
        let outcome = |topic: &kafka_protocol::messages::create_topics_response::CreatableTopicResult| {
            let fate = Code(topic.error_code).check(|| format!("create topic {}", topic.name.as_str()), topic.error_message.as_deref());
            (topic.name.as_str().to_owned(), fate)
        };
        Ok(answer.topics.iter().map(outcome).collect())
    }

    /// Deletes topics by name.
    pub async fn delete_topics(&self, names: &[&str]) -> Result<Vec<TopicOutcome>> {
        let connection = self.controller().await?;
        let mut request = DeleteTopicsRequest::default().with_timeout_ms(self.timeout_ms());
        if connection.version_of::<DeleteTopicsRequest>()? >= 6 {
            request.topics = names.iter().map(|name| DeleteTopicState::default().with_name(Some(topic_name(name)))).collect();
        } else {
            request.topic_names = names.iter().map(|name| topic_name(name)).collect();
        }
        let answer = connection.call(&request).await?;
        let outcome = |topic: &kafka_protocol::messages::delete_topics_response::DeletableTopicResult| {
            let name = topic.name.as_ref().map_or("?", |name| name.as_str()).to_owned();
            let fate = Code(topic.error_code).check(|| format!("delete topic {name}"), topic.error_message.as_deref());
            (name, fate)
        };
        Ok(answer.responses.iter().map(outcome).collect())
    }

    /// Grows a topic to `count` partitions.
    pub async fn create_partitions(&self, topic: &str, count: i32) -> Result<()> {
        let wanted = CreatePartitionsTopic::default().with_name(topic_name(topic)).with_count(count).with_assignments(None);
        let request = CreatePartitionsRequest::default().with_topics(vec![wanted]).with_timeout_ms(self.timeout_ms());
        let answer = self.controller().await?.call(&request).await?;
        let result = answer.results.first().ok_or_else(|| ClientError::malformed("CreatePartitions response", "no topic in it"))?;
        Code(result.error_code).check(|| format!("grow topic {topic} to {count} partitions"), result.error_message.as_deref())
    }

    /// Deletes a partition's records below `before` (-1: all); answers with the new first offset.
    pub async fn delete_records(&self, at: &TopicPartition, before: i64) -> Result<i64> {
        self.persist(|| async {
            let partition = DeleteRecordsPartition::default().with_partition_index(at.partition).with_offset(before);
            let topic = DeleteRecordsTopic::default().with_name(topic_name(&at.topic)).with_partitions(vec![partition]);
            let request = DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(self.timeout_ms());
            let answer = self.leader(at).await?.call(&request).await?;
            let result = answer.topics.first().and_then(|topic| topic.partitions.first());
            let result = result.ok_or_else(|| ClientError::malformed("DeleteRecords response", "no partition in it"))?;
            if Code(result.error_code).wants_new_metadata() {
                self.refresh(Some(&[&at.topic]), false).await?;
            }
            Code(result.error_code).check(|| format!("delete records of {at} below {before}"), None)?;
            Ok(result.low_watermark)
        })
        .await
    }

    pub(crate) fn timeout_ms(&self) -> i32 {
        self.config().request_timeout.as_millis().min(i32::MAX as u128) as i32
    }
}
