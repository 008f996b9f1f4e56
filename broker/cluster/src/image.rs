//! The cluster as its metadata log tells it: a fold.
//!
//! Invariants: a topic has one name and one id, and both lead to it; its partitions are numbered from
//! 0 without a hole; a group number is held by one partition and never given out again; configs of a
//! topic live and die with it.
//! `apply` is total: `decide` checks before it writes, so a record that fits nothing (a partition of a
//! removed topic) changes nothing.
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use millrace_fold::Fold;
use millrace_record::Offset;
use uuid::Uuid;

use crate::config::Map;
use crate::record::{Endpoint, GroupNumber, Record, Scope};

/// A node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeEntry {
    pub rack: Option<String>,
    pub endpoints: Vec<Endpoint>,
}

/// A topic and its partitions, the partition's number being its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicEntry {
    pub name: String,
    pub id: Uuid,
    pub partitions: Vec<PartitionEntry>,
}

/// Where a partition lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionEntry {
    pub group: GroupNumber,
    pub replicas: Vec<i32>,
}

/// The state after some prefix of the metadata log. Cheap to clone: topics are shared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    cluster_id: Option<Uuid>,
    nodes: BTreeMap<i32, NodeEntry>,
    topics: BTreeMap<String, Arc<TopicEntry>>,
    names: BTreeMap<Uuid, String>,
    configs: BTreeMap<Scope, Map>,
    features: BTreeMap<String, i16>,
    /// Never rewritten: the views' catalog is a fold over all of them.
    commands: Vec<Bytes>,
    next_producer_id: i64,
    next_group: u64,
}

static NO_CONFIGS: Map = Map::new();

impl Image {
    pub fn cluster_id(&self) -> Option<Uuid> {
        self.cluster_id
    }
    pub fn nodes(&self) -> &BTreeMap<i32, NodeEntry> {
        &self.nodes
    }
    /// Sorted by name.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<TopicEntry>> {
        self.topics.values()
    }
    pub fn topic(&self, name: &str) -> Option<&Arc<TopicEntry>> {
        self.topics.get(name)
    }
    pub fn topic_by_id(&self, id: Uuid) -> Option<&Arc<TopicEntry>> {
        self.names.get(&id).and_then(|name| self.topics.get(name))
    }
    /// What was set for `scope`; empty if nothing was.
    pub fn configs(&self, scope: &Scope) -> &Map {
        self.configs.get(scope).unwrap_or(&NO_CONFIGS)
    }
    /// Every scope that has a config set.
    pub fn config_scopes(&self) -> impl Iterator<Item = &Scope> {
        self.configs.keys()
    }
    /// The views' commands, in order.
    pub fn commands(&self) -> &[Bytes] {
        &self.commands
    }
    pub fn features(&self) -> &BTreeMap<String, i16> {
        &self.features
    }
    /// The first producer id that is not given out yet.
    pub fn next_producer_id(&self) -> i64 {
        self.next_producer_id
    }
    /// The first group number that is not given out yet.
    pub fn next_group(&self) -> GroupNumber {
        GroupNumber(self.next_group)
    }

    /// Takes in the next record of the log, wherever it stands.
    pub fn take(&mut self, record: Record) {
        match record {
            // The first one counts: a cluster does not change its name.
            Record::Cluster { id } => {
                self.cluster_id.get_or_insert(id);
            }
            Record::Node { id, rack, endpoints } => {
                self.nodes.insert(id, NodeEntry { rack, endpoints });
            }
            Record::Topic { name, id } => {
                if !self.topics.contains_key(&name) && !self.names.contains_key(&id) {
                    self.names.insert(id, name.clone());
                    self.topics.insert(name.clone(), Arc::new(TopicEntry { name, id, partitions: Vec::new() }));
                }
            }
            Record::Partition { topic, index, group, replicas } => self.add_partition(topic, index, PartitionEntry { group, replicas }),
            Record::RemoveTopic { id } => {
                if let Some(name) = self.names.remove(&id) {
                    self.topics.remove(&name);
                    self.configs.remove(&Scope::Topic(name));
                }
            }
            Record::Config { scope, name, value } => self.set_config(scope, name, value),
            Record::ProducerIds { next } => self.next_producer_id = self.next_producer_id.max(next),
            Record::Groups { next } => self.next_group = self.next_group.max(next),
            Record::Command { bytes } => self.commands.push(bytes),
            Record::Snapshot => *self = Image::default(),
            Record::Feature { name, level: 0 } => {
                self.features.remove(&name);
            }
            Record::Feature { name, level } => {
                self.features.insert(name, level);
            }
        }
    }

    fn add_partition(&mut self, topic: Uuid, index: i32, partition: PartitionEntry) {
        self.next_group = self.next_group.max(partition.group.0.saturating_add(1));
        let Some(entry) = self.names.get(&topic).and_then(|name| self.topics.get_mut(name)) else { return };
        if usize::try_from(index).is_ok_and(|index| index == entry.partitions.len()) {
            Arc::make_mut(entry).partitions.push(partition);
        }
    }

    fn set_config(&mut self, scope: Scope, name: String, value: Option<String>) {
        if let Scope::Topic(topic) = &scope
            && !self.topics.contains_key(topic)
        {
            return;
        }
        match value {
            Some(value) => {
                self.configs.entry(scope).or_default().insert(name, value);
            }
            None => {
                if let Some(values) = self.configs.get_mut(&scope) {
                    values.remove(&name);
                    if values.is_empty() {
                        self.configs.remove(&scope);
                    }
                }
            }
        }
    }
}

impl Fold for Image {
    type Record = Record;

    fn apply(&mut self, _at: Offset, record: Record) {
        self.take(record);
    }

    fn rewrite(&self) -> Vec<Record> {
        let mut records = Vec::new();
        records.extend(self.cluster_id.map(|id| Record::Cluster { id }));
        records.extend(self.nodes.iter().map(|(id, node)| Record::Node { id: *id, rack: node.rack.clone(), endpoints: node.endpoints.clone() }));
        for topic in self.topics.values() {
            records.push(Record::Topic { name: topic.name.clone(), id: topic.id });
            for (index, partition) in (0..).zip(&topic.partitions) {
                records.push(Record::Partition { topic: topic.id, index, group: partition.group, replicas: partition.replicas.clone() });
            }
        }
        for (scope, values) in &self.configs {
            records.extend(values.iter().map(|(name, value)| Record::Config {
                scope: scope.clone(),
                name: name.clone(),
                value: Some(value.clone()),
            }));
        }
        records.extend(self.features.iter().map(|(name, level)| Record::Feature { name: name.clone(), level: *level }));
        records.extend(self.commands.iter().map(|bytes| Record::Command { bytes: bytes.clone() }));
        records.push(Record::ProducerIds { next: self.next_producer_id });
        records.push(Record::Groups { next: self.next_group });
        records
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tests::any_record;
    use millrace_fold::check::{rewrite_anywhere, rewrite_rebuilds, same_log_same_state};
    use proptest::prelude::*;

    fn replay(records: impl IntoIterator<Item = Record>) -> Image {
        let mut image = Image::default();
        records.into_iter().for_each(|record| image.take(record));
        image
    }

    proptest! {
        #[test]
        fn a_rewritten_log_leads_to_the_same_image(records in proptest::collection::vec(any_record(), 0..30)) {
            let image = replay(records.clone());
            rewrite_rebuilds(&image);
            same_log_same_state::<Image>(&records);
            rewrite_anywhere::<Image>(&records);
            for topic in image.topics() {
                prop_assert_eq!(image.topic_by_id(topic.id), Some(topic));
                prop_assert!(topic.partitions.iter().all(|partition| partition.group < image.next_group()));
            }
        }
    }

    proptest! {
        #[test]
        fn a_snapshot_in_the_log_changes_nothing_but_its_length(before in proptest::collection::vec(any_record(), 0..30), after in proptest::collection::vec(any_record(), 0..10)) {
            let plain = replay(before.iter().chain(&after).cloned());
            let snapshot = [Record::Snapshot].into_iter().chain(replay(before.clone()).rewrite());
            let whole: Vec<_> = before.into_iter().chain(snapshot.clone()).chain(after.clone()).collect();
            prop_assert_eq!(&replay(whole), &plain);
            prop_assert_eq!(&replay(snapshot.chain(after)), &plain, "what lies before it is not needed");
        }
    }

    #[test]
    fn a_removed_topic_takes_its_configs_but_not_its_group_numbers() {
        let id = Uuid::from_u128(7);
        let scope = Scope::Topic("t".to_owned());
        let mut image = replay([
            Record::Topic { name: "t".to_owned(), id },
            Record::Partition { topic: id, index: 0, group: GroupNumber(4), replicas: vec![1] },
            Record::Config { scope: scope.clone(), name: "retention.ms".to_owned(), value: Some("1".to_owned()) },
        ]);
        assert_eq!(image.configs(&scope).len(), 1);
        image.take(Record::RemoveTopic { id });
        assert!(image.topic("t").is_none() && image.configs(&scope).is_empty());
        assert_eq!(image.next_group(), GroupNumber(5));
        assert_eq!(replay(image.rewrite()).next_group(), GroupNumber(5));
    }
}
