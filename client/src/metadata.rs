//! What the cluster looks like, as one answer to Metadata told it.
use std::collections::BTreeMap;

use kafka_protocol::messages::MetadataResponse;

use crate::TopicPartition;
use crate::error::Code;
use crate::text::{broker_id, owned};

/// One broker and where clients reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// The broker's node id.
    pub id: i32,
    /// Advertised host.
    pub host: String,
    /// Advertised port.
    pub port: i32,
    /// Its rack, if it has one.
    pub rack: Option<String>,
}

impl Broker {
    /// `host:port`, as connections want it.
    pub fn address(&self) -> String {
        if self.host.contains(':') { format!("[{}]:{}", self.host, self.port) } else { format!("{}:{}", self.host, self.port) }
    }
}

/// One partition as the cluster reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionInfo {
    /// Trouble with this partition.
    pub error: Code,
    /// The leader's broker id; -1 for none.
    pub leader: i32,
    /// The leader's epoch; -1 where the broker does not tell.
    pub leader_epoch: i32,
    /// Broker ids that hold it.
    pub replicas: Vec<i32>,
    /// Broker ids in sync.
    pub isr: Vec<i32>,
    /// Broker ids that hold it but are down.
    pub offline: Vec<i32>,
}

/// One topic as the cluster reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// Trouble with this topic.
    pub error: Code,
    /// The topic's id; all zero where the broker does not tell.
    pub id: [u8; 16],
    /// True for topics of the cluster's own.
    pub internal: bool,
    /// Partitions by number.
    pub partitions: BTreeMap<i32, PartitionInfo>,
}

/// The cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The cluster's id.
    pub cluster_id: Option<String>,
    /// The controller's broker id; -1 for none.
    pub controller: i32,
    /// Brokers by id.
    pub brokers: BTreeMap<i32, Broker>,
    /// Topics by name; only those asked for.
    pub topics: BTreeMap<String, TopicInfo>,
}

impl Metadata {
    /// The leader of a partition, if the cluster names one that is up.
    pub fn leader(&self, at: &TopicPartition) -> Option<&Broker> {
        let partition = self.topics.get(&at.topic)?.partitions.get(&at.partition)?;
        self.brokers.get(&partition.leader)
    }

    /// Takes over what a newer, perhaps narrower answer says.
    pub(crate) fn absorb(&mut self, newer: Metadata) {
        self.topics.extend(newer.topics);
        self.cluster_id = newer.cluster_id;
        self.controller = newer.controller;
        self.brokers = newer.brokers;
    }
}

impl From<MetadataResponse> for Metadata {
    fn from(answer: MetadataResponse) -> Self {
        let brokers = answer.brokers.iter().map(|broker| {
            let id = broker_id(broker.node_id);
            (id, Broker { id, host: owned(&broker.host), port: broker.port, rack: broker.rack.as_ref().map(owned) })
        });
        let topics = answer.topics.iter().filter_map(|topic| {
            let partitions = topic.partitions.iter().map(|partition| {
                let ids = |ids: &[kafka_protocol::messages::BrokerId]| ids.iter().map(|id| id.0).collect();
                let info = PartitionInfo {
                    error: Code(partition.error_code),
                    leader: broker_id(partition.leader_id),
                    leader_epoch: partition.leader_epoch,
                    replicas: ids(&partition.replica_nodes),
                    isr: ids(&partition.isr_nodes),
                    offline: ids(&partition.offline_replicas),
                };
                (partition.partition_index, info)
            });
            let name = topic.name.as_ref()?;
            let info = TopicInfo {
                error: Code(topic.error_code),
                id: *topic.topic_id.as_bytes(),
                internal: topic.is_internal,
                partitions: partitions.collect(),
            };
            Some((owned(&name.0), info))
        });
        Metadata {
            cluster_id: answer.cluster_id.as_ref().map(owned),
            controller: broker_id(answer.controller_id),
            brokers: brokers.collect(),
            topics: topics.collect(),
        }
    }
}
