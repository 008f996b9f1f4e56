//! Consumer groups from outside: list, describe, delete.
use std::collections::BTreeMap;

use kafka_protocol::messages::{DeleteGroupsRequest, DescribeGroupsRequest, ListGroupsRequest};

use crate::client::Client;
use crate::error::{ClientError, Code, Result};
use crate::text::{group_id, owned};

/// A group in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupListing {
    /// Its name.
    pub group: String,
    /// `consumer` for consumer groups.
    pub protocol_type: String,
    /// Its state, where the broker tells.
    pub state: String,
}

/// A group with its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its name.
    pub group: String,
    /// `Stable`, `Empty`, `Dead`, `PreparingRebalance`, `CompletingRebalance`.
    pub state: String,
    /// How partitions are shared out.
    pub assignor: String,
    /// Who is in it.
    pub members: Vec<MemberDescription>,
}

/// One member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberDescription {
    /// Its id.
    pub member: String,
    /// Its client id.
    pub client_id: String,
    /// Where it connects from.
    pub host: String,
}

impl Client {
    /// Every group, of every broker.
    pub async fn groups(&self) -> Result<Vec<GroupListing>> {
        let brokers: Vec<i32> = self.refresh(Some(&[]), false).await?.brokers.keys().copied().collect();
        let mut found = BTreeMap::new();
        for broker in brokers {
            let answer = self.broker(broker).await?.call(&ListGroupsRequest::default()).await?;
            Code(answer.error_code).check(|| "list groups".into(), None)?;
            for group in &answer.groups {
                let listing = GroupListing {
                    group: owned(&group.group_id.0),
                    protocol_type: owned(&group.protocol_type),
                    state: owned(&group.group_state),
                };
                found.insert(listing.group.clone(), listing);
            }
        }
        Ok(found.into_values().collect())
    }

    /// One group with its members.
    pub async fn describe_group(&self, group: &str) -> Result<GroupDescription> {
        self.persist(|| async {
            let request = DescribeGroupsRequest::default().with_groups(vec![group_id(group)]);
            let answer = self.coordinator(group).await?.call(&request).await?;
            let found = answer.groups.first().ok_or_else(|| ClientError::malformed("DescribeGroups response", "no group in it"))?;
            Code(found.error_code).check(|| format!("group {group}"), found.error_message.as_deref())?;
            let member = |member: &kafka_protocol::messages::describe_groups_response::DescribedGroupMember| MemberDescription {
                member: owned(&member.member_id),
                client_id: owned(&member.client_id),
                host: owned(&member.client_host),
            };
            Ok(GroupDescription {
                group: group.to_owned(),
                state: owned(&found.group_state),
                assignor: owned(&found.protocol_data),
                members: found.members.iter().map(member).collect(),
            })
        })
        .await
    }

    /// Deletes a group that has no members.
    pub async fn delete_group(&self, group: &str) -> Result<()> {
        self.persist(|| async {
            let request = DeleteGroupsRequest::default().with_groups_names(vec![group_id(group)]);
            let answer = self.coordinator(group).await?.call(&request).await?;
            let result = answer.results.first().ok_or_else(|| ClientError::malformed("DeleteGroups response", "no group in it"))?;
            Code(result.error_code).check(|| format!("delete group {group}"), None)
        })
        .await
    }
}
