//! DeleteTopics, by name or by id.
use std::sync::Arc;

use uuid::Uuid;

use super::{Cluster, Decision, Reason, Refusal, refuse, repeated};
use crate::image::TopicEntry;
use crate::record::Record;

/// A topic as the client names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicRef {
    pub name: Option<String>,
    /// All zero when it is not given.
    pub id: Uuid,
}

/// Answers each topic in its place with what was deleted.
pub fn delete_topics(cluster: Cluster<'_>, topics: &[TopicRef]) -> Decision<Vec<Result<Arc<TopicEntry>, Refusal>>> {
    let found: Vec<_> = topics.iter().map(|topic| find(cluster, topic)).collect();
    let twice = repeated(found.iter().flatten().map(|topic| topic.id));
    let mut records = Vec::new();
    let reply: Vec<_> = (0..found.len())
        .map(|at| {
            let topic = found[at].clone()?;
            if twice.contains(&topic.id) {
                let what = if topics[at].name.is_some() { "Duplicate topic name." } else { "Duplicate topic id." };
                return refuse(Reason::InvalidRequest, what);
            }
            records.push(Record::RemoveTopic { id: topic.id });
            Ok(topic)
        })
        .collect();
    Decision::new(records, reply)
}

fn find(cluster: Cluster<'_>, topic: &TopicRef) -> Result<Arc<TopicEntry>, Refusal> {
    if !cluster.settings().flag("delete.topic.enable") {
        return refuse(Reason::TopicDeletionDisabled, "Topic deletion is disabled.");
    }
    match (&topic.name, topic.id.is_nil()) {
        (Some(_), false) => refuse(Reason::InvalidRequest, "You may not specify both topic name and topic id."),
        (None, true) => refuse(Reason::InvalidRequest, "Neither topic name nor id were specified."),
        (Some(name), true) => cluster.image.topic(name).cloned().ok_or_else(|| Refusal {
            reason: Reason::UnknownTopic,
            message: "This server does not host this topic-partition.".to_owned(),
        }),
        (None, false) => cluster
            .image
            .topic_by_id(topic.id)
            .cloned()
            .ok_or_else(|| Refusal { reason: Reason::UnknownTopicId, message: "This server does not host this topic ID.".to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::testing::Fixture;

    fn by_name(name: &str) -> TopicRef {
        TopicRef { name: Some(name.to_owned()), id: Uuid::nil() }
    }

    #[test]
    fn deletes_by_name_and_id() {
        let mut fixture = Fixture::new();
        fixture.topic("a", 1);
        fixture.topic("b", 2);
        let id = fixture.image.topic("b").expect("there").id;
        let decision = delete_topics(fixture.cluster(), &[by_name("a"), TopicRef { name: None, id }]);
        assert!(decision.reply.iter().all(Result::is_ok));
        fixture.apply(decision.records);
        assert_eq!(fixture.image.topics().count(), 0);
    }

    #[test]
    fn refusals() {
        let mut fixture = Fixture::new();
        fixture.topic("a", 1);
        let reason = |fixture: &Fixture, topics: &[TopicRef]| delete_topics(fixture.cluster(), topics).reply[0].as_ref().expect_err("refused").reason;
        assert_eq!(reason(&fixture, &[by_name("none")]), Reason::UnknownTopic);
        assert_eq!(reason(&fixture, &[TopicRef { name: None, id: Uuid::from_u128(99_999) }]), Reason::UnknownTopicId);
        assert_eq!(reason(&fixture, &[TopicRef { name: None, id: Uuid::nil() }]), Reason::InvalidRequest);
        assert_eq!(reason(&fixture, &[by_name("a"), by_name("a")]), Reason::InvalidRequest);
        fixture.fixed.insert("delete.topic.enable".to_owned(), "false".to_owned());
        assert_eq!(reason(&fixture, &[by_name("a")]), Reason::TopicDeletionDisabled);
    }
}
