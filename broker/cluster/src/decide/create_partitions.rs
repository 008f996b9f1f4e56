//! CreatePartitions: a topic only ever grows.
use super::create_topics::PARTITIONS_PER_REQUEST_MAX;
use super::placement::{check_manual, spread};
use super::{Cluster, Decision, Reason, Refusal, is_internal, refuse, repeated};
use crate::image::{Image, TopicEntry};
use crate::record::{GroupNumber, Record};

const PARTITIONS_MAX: i32 = 100_000;

/// A topic and the number of partitions it shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MorePartitions {
    pub topic: String,
    pub total: i32,
    /// The nodes of each new partition, if the client chose them.
    pub assignments: Option<Vec<Vec<i32>>>,
}

/// Answers each topic in its place.
pub fn create_partitions(cluster: Cluster<'_>, asks: &[MorePartitions]) -> Decision<Vec<Result<(), Refusal>>> {
    let twice = repeated(asks.iter().map(|ask| ask.topic.as_str()));
    let mut image = cluster.image.clone();
    let mut records = Vec::new();
    let reply = asks
        .iter()
        .map(|ask| {
            if twice.contains(ask.topic.as_str()) {
                return refuse(Reason::InvalidRequest, "Duplicate topic name.");
            }
            for record in grow(&image, ask)? {
                image.take(record.clone());
                records.push(record);
            }
            Ok(())
        })
        .collect();
    Decision::new(records, reply)
}

fn grow(image: &Image, ask: &MorePartitions) -> Result<Vec<Record>, Refusal> {
    let Some(topic) = image.topic(&ask.topic) else {
        return refuse(Reason::UnknownTopic, "This server does not host this topic-partition.");
    };
    // Groups find their partition by a hash over how many there are.
    if is_internal(&topic.name) {
        return refuse(Reason::InvalidPartitions, format!("The number of partitions of the internal topic {} cannot be changed.", topic.name));
    }
    let current = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    if ask.total == current {
        return refuse(Reason::InvalidPartitions, format!("Topic already has {current} partition(s)."));
    }
    if ask.total < current {
        let message = format!("The topic {} currently has {current} partition(s); {} would not be an increase.", ask.topic, ask.total);
        return refuse(Reason::InvalidPartitions, message);
    }
    if ask.total > PARTITIONS_MAX {
        return refuse(Reason::InvalidPartitions, format!("A topic has at most {PARTITIONS_MAX} partitions."));
    }
    let more = usize::try_from(ask.total - current).unwrap_or_default();
    if more > PARTITIONS_PER_REQUEST_MAX {
        let message = format!("Excessively large number of partitions per request. At most {PARTITIONS_PER_REQUEST_MAX}.");
        return refuse(Reason::PolicyViolation, message);
    }
    let placement = match &ask.assignments {
        Some(assignments) => check_assignments(image, topic, assignments, more)?,
        None => {
            let width = topic.partitions.first().map_or(1, |first| first.replicas.len());
            spread(image, topic.partitions.len(), more, i64::try_from(width).unwrap_or(i64::MAX))?
        }
    };
    let groups = image.next_group().0..;
    let partition = |((index, group), replicas)| Record::Partition { topic: topic.id, index, group: GroupNumber(group), replicas };
    Ok((current..).zip(groups).zip(placement).map(partition).collect())
}

fn check_assignments(image: &Image, topic: &TopicEntry, assignments: &[Vec<i32>], more: usize) -> Result<Vec<Vec<i32>>, Refusal> {
    if assignments.len() != more {
        let message = format!("Attempted to add {more} additional partition(s), but only {} assignment(s) were specified.", assignments.len());
        return refuse(Reason::InvalidReplicaAssignment, message);
    }
    let width = topic.partitions.first().map(|first| first.replicas.len());
    assignments.iter().try_for_each(|nodes| check_manual(image, nodes, width))?;
    Ok(assignments.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::testing::Fixture;

    fn ask(topic: &str, total: i32) -> MorePartitions {
        MorePartitions { topic: topic.to_owned(), total, assignments: None }
    }

    /// Compat: M13.
    #[test]
    fn a_topic_grows() {
        let mut fixture = Fixture::new();
        fixture.topic("t", 2);
        let decision = create_partitions(fixture.cluster(), &[ask("t", 5)]);
        assert_eq!(decision.reply, [Ok(())]);
        fixture.apply(decision.records);
        assert_eq!(fixture.image.topic("t").expect("there").partitions.len(), 5);
    }

    #[test]
    fn refusals() {
        let mut fixture = Fixture::new();
        fixture.topic("t", 2);
        let by_hand = |lists: &[&[i32]]| MorePartitions { assignments: Some(lists.iter().map(|list| list.to_vec()).collect()), ..ask("t", 4) };
        let table = [
            (vec![ask("t", 2)], Reason::InvalidPartitions, "Topic already has 2 partition(s)."),
            (vec![ask("t", 1)], Reason::InvalidPartitions, "The topic t currently has 2 partition(s); 1 would not be an increase."),
            (vec![ask("t", -3)], Reason::InvalidPartitions, "The topic t currently has"),
            (vec![ask("t", i32::MAX)], Reason::InvalidPartitions, "A topic has at most"),
            (vec![ask("none", 2)], Reason::UnknownTopic, "This server does not host"),
            (vec![ask("t", 3), ask("t", 4)], Reason::InvalidRequest, "Duplicate topic name."),
            (vec![by_hand(&[&[1]])], Reason::InvalidReplicaAssignment, "Attempted to add 2 additional partition(s), but only 1"),
            (vec![by_hand(&[&[1], &[7]])], Reason::InvalidReplicaAssignment, "The manual partition assignment includes broker 7"),
        ];
        for (asks, reason, message) in table {
            let decision = create_partitions(fixture.cluster(), &asks);
            let refusal = decision.reply[0].as_ref().expect_err(message);
            assert_eq!(refusal.reason, reason);
            assert!(refusal.message.starts_with(message), "{refusal}");
            assert!(decision.records.is_empty());
        }
    }
}
