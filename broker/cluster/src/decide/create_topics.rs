//! CreateTopics: also what auto-creation and the broker's own topics go through.
use std::collections::BTreeMap;

use uuid::Uuid;

use super::alter_configs::validate_topic_configs;
use super::names::{MetricNames, validate_name};
use super::placement::{check_manual, spread};
use super::{Cluster, Decision, Reason, Refusal, refuse, repeated};
use crate::config::Map;
use crate::image::Image;
use crate::record::{GroupNumber, Record, Scope};

/// More than this in one request is taken for a mistake, as in Kafka.
pub(super) const PARTITIONS_PER_REQUEST_MAX: usize = 10_000;

/// The nodes of one partition, chosen by the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    pub partition: i32,
    pub nodes: Vec<i32>,
}

/// A topic to create. -1 asks for the broker's default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopic {
    pub name: String,
    pub partitions: i32,
    pub replication_factor: i16,
    pub assignments: Vec<Assignment>,
    pub configs: Vec<(String, Option<String>)>,
}

impl NewTopic {
    /// A topic of which everything but the name is the broker's default.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), partitions: -1, replication_factor: -1, assignments: Vec::new(), configs: Vec::new() }
    }
}

/// What was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedTopic {
    pub id: Uuid,
    pub partitions: i32,
    pub replication_factor: i16,
    /// The topic's own configs, for the answer's list of all.
    pub overrides: Map,
}

/// Answers each topic in its place. The caller drops the records to only validate.
pub fn create_topics(
    cluster: Cluster<'_>,
    topics: &[NewTopic],
    new_id: &mut dyn FnMut() -> Uuid,
) -> Decision<Vec<Result<CreatedTopic, Refusal>>> {
    let twice = repeated(topics.iter().map(|topic| topic.name.as_str()));
    let metric_names = MetricNames::of(cluster.image);
    let mut scratch = Scratch { image: cluster.image.clone(), metric_names, records: Vec::new(), partitions: 0 };
    let create = |topic: &NewTopic| {
        if twice.contains(topic.name.as_str()) {
            return refuse(Reason::InvalidRequest, "Duplicate topic name.");
        }
        create_one(cluster, topic, new_id, &mut scratch)
    };
    let reply = topics.iter().map(create).collect();
    Decision { records: scratch.records, reply }
}

/// The image as it will be after the items before this one.
struct Scratch {
    image: Image,
    metric_names: MetricNames,
    records: Vec<Record>,
    partitions: usize,
}

fn create_one(
    cluster: Cluster<'_>,
    topic: &NewTopic,
    new_id: &mut dyn FnMut() -> Uuid,
    scratch: &mut Scratch,
) -> Result<CreatedTopic, Refusal> {
    if topic.name == "__cluster_metadata" {
        return refuse(Reason::InvalidRequest, "Creation of internal topic __cluster_metadata is prohibited.");
    }
    validate_name(&topic.name)?;
    if scratch.image.topic(&topic.name).is_some() {
        return refuse(Reason::TopicExists, format!("Topic '{}' already exists.", topic.name));
    }
    scratch.metric_names.check(&topic.name)?;
    let overrides = topic_overrides(cluster, topic)?;
    let placement = place(cluster, topic, &scratch.image)?;
    scratch.partitions = scratch.partitions.saturating_add(placement.len());
    if scratch.partitions > PARTITIONS_PER_REQUEST_MAX {
        return refuse(Reason::PolicyViolation, format!("Excessively large number of partitions per request. At most {PARTITIONS_PER_REQUEST_MAX}."));
    }

    let id = new_id();
    let created = CreatedTopic {
        id,
        partitions: i32::try_from(placement.len()).unwrap_or(i32::MAX),
        replication_factor: placement.first().map_or(0, |nodes| i16::try_from(nodes.len()).unwrap_or(i16::MAX)),
        overrides,
    };
    scratch.metric_names.add(&topic.name);
    scratch.write(Record::Topic { name: topic.name.clone(), id });
    let groups = scratch.image.next_group().0..;
    for ((index, group), replicas) in (0..).zip(groups).zip(placement) {
        scratch.write(Record::Partition { topic: id, index, group: GroupNumber(group), replicas });
    }
    for (name, value) in &created.overrides {
        scratch.write(Record::Config { scope: Scope::Topic(topic.name.clone()), name: name.clone(), value: Some(value.clone()) });
    }
    Ok(created)
}

fn topic_overrides(cluster: Cluster<'_>, topic: &NewTopic) -> Result<Map, Refusal> {
    let mut overrides = Map::new();
    let mut unset = Vec::new();
    for (name, value) in &topic.configs {
        match value {
            Some(value) => {
                overrides.insert(name.clone(), value.clone());
            }
            None => unset.push(name.as_str()),
        }
    }
    if !unset.is_empty() {
        return refuse(Reason::InvalidConfig, format!("Null value not supported for topic configs: {}", unset.join(",")));
    }
    validate_topic_configs(cluster, &overrides)?;
    Ok(overrides)
}

/// The nodes of each partition, in order.
fn place(cluster: Cluster<'_>, topic: &NewTopic, image: &Image) -> Result<Vec<Vec<i32>>, Refusal> {
    if !topic.assignments.is_empty() {
        return place_by_hand(topic, image);
    }
    if topic.replication_factor < -1 || topic.replication_factor == 0 {
        return refuse(Reason::InvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value.");
    }
    if topic.partitions < -1 || topic.partitions == 0 {
        return refuse(Reason::InvalidPartitions, "Number of partitions was set to an invalid non-positive value.");
    }
    let settings = cluster.settings();
    let count = if topic.partitions == -1 { settings.number("num.partitions") } else { i64::from(topic.partitions) };
    let replicas =
        if topic.replication_factor == -1 { settings.number("default.replication.factor") } else { i64::from(topic.replication_factor) };
    match usize::try_from(count) {
        Ok(count) if count <= PARTITIONS_PER_REQUEST_MAX => spread(image, 0, count, replicas),
        _ => refuse(Reason::PolicyViolation, format!("Excessively large number of partitions per request. At most {PARTITIONS_PER_REQUEST_MAX}.")),
    }
}

fn place_by_hand(topic: &NewTopic, image: &Image) -> Result<Vec<Vec<i32>>, Refusal> {
    if topic.replication_factor != -1 {
        return refuse(Reason::InvalidRequest, "A manual partition assignment was specified, but replication factor was not set to -1.");
    }
    if topic.partitions != -1 {
        return refuse(Reason::InvalidRequest, "A manual partition assignment was specified, but numPartitions was not set to -1.");
    }
    let mut placement: BTreeMap<i32, &Vec<i32>> = BTreeMap::new();
    let width = topic.assignments.first().map(|first| first.nodes.len());
    for assignment in &topic.assignments {
        check_manual(image, &assignment.nodes, width)?;
        if placement.insert(assignment.partition, &assignment.nodes).is_some() {
            let message = format!("Found multiple manual partition assignments for partition {}", assignment.partition);
            return refuse(Reason::InvalidReplicaAssignment, message);
        }
    }
    if !placement.keys().copied().eq(0..i32::try_from(placement.len()).unwrap_or(i32::MAX)) {
        return refuse(Reason::InvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence");
    }
    Ok(placement.into_values().cloned().collect())
}

impl Scratch {
    fn write(&mut self, record: Record) {
        self.image.take(record.clone());
        self.records.push(record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::testing::{Fixture, ids};

    fn ask(fixture: &Fixture, topics: &[NewTopic]) -> Decision<Vec<Result<CreatedTopic, Refusal>>> {
        create_topics(fixture.cluster(), topics, &mut ids())
    }

    #[test]
    fn defaults_come_from_the_broker() {
        let mut fixture = Fixture::new();
        fixture.fixed.insert("num.partitions".to_owned(), "3".to_owned());
        let decision = ask(&fixture, &[NewTopic::named("t")]);
        let created = decision.reply[0].as_ref().expect("created");
        assert_eq!((created.partitions, created.replication_factor), (3, 1));
        fixture.apply(decision.records);
        let topic = fixture.image.topic("t").expect("there");
        assert_eq!(topic.partitions.iter().map(|partition| partition.group.0).collect::<Vec<_>>(), [0, 1, 2]);
        fixture.topic("u", 1);
        assert_eq!(fixture.image.topic("u").expect("there").partitions[0].group, GroupNumber(3));
    }

    #[test]
    fn every_refusal_has_its_reason() {
        let mut fixture = Fixture::new();
        fixture.topic("there", 1);
        fixture.topic("a.b", 1);
        let with = |name: &str, change: &dyn Fn(&mut NewTopic)| {
            let mut topic = NewTopic::named(name);
            change(&mut topic);
            topic
        };
        let assign = |pairs: &[(i32, &[i32])]| pairs.iter().map(|(partition, nodes)| Assignment { partition: *partition, nodes: nodes.to_vec() }).collect::<Vec<_>>();
        let table = [
            (with("there", &|_| ()), Reason::TopicExists, "Topic 'there' already exists."),
            (with("a_b", &|_| ()), Reason::InvalidTopic, "Topic 'a_b' collides with existing topic: a.b"),
            (with("b d", &|_| ()), Reason::InvalidTopic, "Topic name is invalid"),
            (with("__cluster_metadata", &|_| ()), Reason::InvalidRequest, "Creation of internal topic __cluster_metadata is prohibited."),
            (with("n", &|t| t.partitions = 0), Reason::InvalidPartitions, "Number of partitions was set"),
            (with("n", &|t| t.replication_factor = 0), Reason::InvalidReplicationFactor, "Replication factor must be larger than 0"),
            (with("n", &|t| t.replication_factor = 3), Reason::InvalidReplicationFactor, "Unable to replicate the partition 3 time(s)"),
            (with("n", &|t| t.partitions = i32::MAX), Reason::PolicyViolation, "Excessively large number"),
            (with("n", &|t| t.configs = vec![("retention.ms".into(), None)]), Reason::InvalidConfig, "Null value not supported for topic configs: retention.ms"),
            (with("n", &|t| t.configs = vec![("no.such".into(), Some("1".into()))]), Reason::InvalidConfig, "Unknown topic config name: no.such"),
            (with("n", &|t| t.configs = vec![("segment.bytes".into(), Some("x".into()))]), Reason::InvalidConfig, "Invalid value x for configuration segment.bytes: Not a number of type INT"),
            (with("n", &|t| { t.assignments = assign(&[(0, &[1])]); t.partitions = 1; }), Reason::InvalidRequest, "A manual partition assignment"),
            (with("n", &|t| t.assignments = assign(&[(0, &[9])])), Reason::InvalidReplicaAssignment, "The manual partition assignment includes broker 9"),
            (with("n", &|t| t.assignments = assign(&[(0, &[1, 1])])), Reason::InvalidReplicaAssignment, "The manual partition assignment includes the broker 1 more than once."),
            (with("n", &|t| t.assignments = assign(&[(1, &[1])])), Reason::InvalidReplicaAssignment, "partitions should be a consecutive"),
            (with("n", &|t| t.assignments = assign(&[(0, &[])])), Reason::InvalidReplicaAssignment, "The manual partition assignment includes an empty"),
        ];
        for (topic, reason, message) in table {
            let decision = ask(&fixture, std::slice::from_ref(&topic));
            let refusal = decision.reply[0].as_ref().expect_err(message);
            assert_eq!(refusal.reason, reason, "{refusal}");
            assert!(refusal.message.starts_with(message), "{refusal}");
            assert!(decision.records.is_empty(), "a refused topic writes nothing");
        }
    }

    /// Compat: M16.
    #[test]
    fn a_bad_topic_does_not_spoil_a_good_one() {
        let fixture = Fixture::new();
        let decision = ask(&fixture, &[NewTopic::named("good"), NewTopic::named(".."), NewTopic::named("twice"), NewTopic::named("twice"), NewTopic::named("x.y"), NewTopic::named("x_y")]);
        let outcome: Vec<_> = decision.reply.iter().map(Result::is_ok).collect();
        assert_eq!(outcome, [true, false, false, false, true, false]);
    }

    #[test]
    fn assignments_by_hand_are_taken() {
        let fixture = Fixture::new();
        let topic = NewTopic {
            assignments: vec![Assignment { partition: 1, nodes: vec![1] }, Assignment { partition: 0, nodes: vec![1] }],
            ..NewTopic::named("t")
        };
        assert_eq!(ask(&fixture, &[topic]).reply[0].as_ref().expect("created").partitions, 2);
    }
}
