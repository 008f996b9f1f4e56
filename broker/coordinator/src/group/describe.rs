//! What others may see of a group.
use std::collections::BTreeSet;

use bytes::Bytes;

use super::{Group, GroupState, subscription};
use crate::error::GroupError;

/// A group in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupListing {
    pub group: String,
    pub protocol_type: String,
    pub state: GroupState,
    pub members: usize,
}

/// A group in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupView {
    pub group: String,
    pub state: GroupState,
    pub protocol_type: String,
    /// Empty unless the group is stable.
    pub protocol: String,
    pub members: Vec<MemberView>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberView {
    pub id: String,
    pub instance_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub metadata: Bytes,
    pub assignment: Bytes,
}

impl Group {
    pub fn listing(&self) -> GroupListing {
        GroupListing { group: self.id.clone(), protocol_type: self.protocol_type.clone().unwrap_or_default(), state: self.state, members: self.members.len() }
    }

    pub fn view(&self) -> GroupView {
        let settled = self.protocol.as_deref().filter(|_| self.state == GroupState::Stable);
        let members = self.members.values().map(|member| MemberView {
            id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: settled.map(|protocol| member.metadata(protocol)).unwrap_or_default(),
            assignment: if settled.is_some() { member.assignment.clone() } else { Bytes::new() },
        });
        GroupView {
            group: self.id.clone(),
            state: self.state,
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol: settled.unwrap_or_default().to_owned(),
            members: members.collect(),
        }
    }

    /// The topics that its consumers subscribe to; none if that cannot be told.
    pub fn subscribed_topics(&self) -> Option<BTreeSet<String>> {
        if self.protocol_type.as_deref() != Some("consumer") {
            return None;
        }
        let mut all = BTreeSet::new();
        for member in self.members.values() {
            for offered in &member.protocols {
                all.extend(subscription::topics(&offered.metadata)?);
            }
        }
        Some(all)
    }

    /// The topics of which no offsets may be taken away. An error if that cannot be told of a group in
    /// use: then none may.
    pub fn topics_in_use(&self) -> Result<BTreeSet<String>, GroupError> {
        if self.state == GroupState::Empty {
            return Ok(BTreeSet::new());
        }
        self.subscribed_topics().ok_or(GroupError::NonEmptyGroup)
    }

    /// May the group be taken away?
    pub fn check_delete(&self) -> Result<(), GroupError> {
        if self.state == GroupState::Empty { Ok(()) } else { Err(GroupError::NonEmptyGroup) }
    }
}
