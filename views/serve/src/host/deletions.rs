//! Topics that a statement took along: a crash between the statement and their end does not leave them.
//!
//! Invariant: only the very partitions that the statement meant are deleted, never those of a topic that was made later, nor a topic
//! that some source is declared over again.
use millrace_shard::GroupId;
use millrace_sql::catalog::Effect;

use crate::command::Command;
use crate::host::Views;

/// A topic that is to go, and what its partitions are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deletion {
    topic: String,
    groups: Vec<GroupId>,
}

impl Deletion {
    pub fn of(effect: &Effect, command: &Command) -> Option<Deletion> {
        let Effect::DropSource { delete_topic: Some(topic), .. } = effect else { return None };
        let groups: Vec<GroupId> = command.deletes.iter().copied().map(GroupId).collect();
        (!groups.is_empty()).then(|| Deletion { topic: topic.clone(), groups })
    }
}

impl Views {
    /// Deletes what the list of commands says is gone and is still there, as soon as its partitions are open.
    pub(super) async fn finish_deletions(&self) {
        let waiting = std::mem::take(&mut *self.deletions.lock());
        for deletion in waiting {
            let topic = &deletion.topic;
            let is_used = self.catalog().sources().any(|source| source.topic == *topic);
            let groups = self.groups_of(topic);
            if is_used || !self.is_there(topic) {
                continue;
            }
            if groups.is_empty() {
                self.deletions.lock().push(deletion);
            } else if groups == deletion.groups
                && let Err(error) = self.outside.delete_topic(topic.clone()).await
            {
                tracing::warn!(topic, %error, "a topic whose source was dropped with it could not be deleted; the next start tries again");
            }
        }
    }
}
