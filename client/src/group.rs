//! A member of a consumer group in the classic protocol: joins, shares out partitions (range), beats, commits, leaves.
//!
//! ```text
//!  unjoined --JoinGroup--> joined --SyncGroup--> stable --heartbeat says REBALANCE_IN_PROGRESS--> unjoined
//!      ^                                           |
//!      +---- UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION +
//! ```
//!
//! The caller drives it: [`GroupMember::next`] heartbeats in time and answers with the changes of what is assigned, so
//! the caller stops consuming and commits before it calls again. Nothing runs behind its back.
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, SyncGroupRequest};
use tokio::time::{Instant, sleep, sleep_until};

use crate::TopicPartition;
use crate::client::{Client, RETRY_PAUSE};
use crate::error::{ClientError, Code, Result};
use crate::text::{group_id, owned, text};

/// How to be a member.
#[derive(Debug, Clone)]
pub struct GroupConfig {
    /// The group's name.
    pub group: String,
    /// Topics to share.
    pub topics: Vec<String>,
    /// Without a heartbeat for so long the member is out.
    pub session_timeout: Duration,
    /// How long the others wait for this member when the group joins anew.
    pub rebalance_timeout: Duration,
    /// Set for a static member.
    pub instance: Option<String>,
}

impl GroupConfig {
    /// A dynamic member with Kafka's usual times.
    pub fn new(group: impl Into<String>, topics: Vec<String>) -> Self {
        Self { group: group.into(), topics, session_timeout: Duration::from_secs(45), rebalance_timeout: Duration::from_secs(60), instance: None }
    }
}

/// What a member learns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupEvent {
    /// These partitions are this member's now, and no others.
    Assigned(Vec<TopicPartition>),
    /// The group joins anew: commit, and read nothing until the next `Assigned`.
    Revoked,
}

/// A member of a group.
pub struct GroupMember {
    client: Client,
    config: GroupConfig,
    member: String,
    generation: i32,
    stable: bool,
    next_beat: Instant,
    /// The heartbeat on its way; kept here so that dropping [`GroupMember::next`] does not lose its answer.
    beat: Option<Beat>,
}

type Beat = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

impl GroupMember {
    /// A member that has not joined yet.
    pub fn new(client: Client, config: GroupConfig) -> Self {
        Self { client, config, member: String::new(), generation: -1, stable: false, next_beat: Instant::now(), beat: None }
    }

    /// The generation and member id to commit with.
    pub fn identity(&self) -> (i32, &str) {
        (self.generation, &self.member)
    }

    /// Joins if need be, else heartbeats in time, until something changes. Once joined, the future may be dropped and
    /// asked for again without losing anything.
    pub async fn next(&mut self) -> Result<GroupEvent> {
        if !self.stable {
            let assigned = self.join().await?;
            self.stable = true;
            self.next_beat = Instant::now() + self.beat_every();
            return Ok(GroupEvent::Assigned(assigned));
        }
        loop {
            if self.beat.is_none() {
                sleep_until(self.next_beat).await;
            }
            let beat = self.beat.get_or_insert_with(|| beat(self.client.clone(), self.config.clone(), self.generation, self.member.clone()));
            let answer = beat.await;
            self.beat = None;
            self.next_beat = Instant::now() + self.beat_every();
            match answer {
                Ok(()) => {}
                Err(error) => match error.code() {
                    Some(Code::REBALANCE_IN_PROGRESS | Code::ILLEGAL_GENERATION | Code::UNKNOWN_MEMBER_ID) => {
                        self.forget_if_unknown(error.code());
                        self.stable = false;
                        return Ok(GroupEvent::Revoked);
                    }
                    _ if error.is_retriable() => sleep(RETRY_PAUSE).await,
                    _ => return Err(error),
                },
            }
        }
    }

    /// Commits as this member.
    pub async fn commit(&self, offsets: &BTreeMap<TopicPartition, i64>) -> Result<()> {
        self.client.commit(&self.config.group, &self.member, self.generation, offsets).await
    }

    /// Leaves, so that the others need not wait for the session to end. A static member stays.
    pub async fn leave(self) -> Result<()> {
        if self.member.is_empty() || self.config.instance.is_some() {
            return Ok(());
        }
        let connection = self.client.coordinator(&self.config.group).await?;
        let mut request = LeaveGroupRequest::default().with_group_id(group_id(&self.config.group));
        if connection.version_of::<LeaveGroupRequest>()? >= 3 {
            request.members = vec![MemberIdentity::default().with_member_id(text(&self.member))];
        } else {
            request.member_id = text(&self.member);
        }
        let answer = connection.call(&request).await?;
        Code(answer.error_code).check(|| format!("leave group {}", self.config.group), None)
    }

    fn beat_every(&self) -> Duration {
        (self.config.session_timeout / 10).clamp(Duration::from_millis(50), Duration::from_secs(3))
    }

    fn forget_if_unknown(&mut self, code: Option<Code>) {
        if code == Some(Code::UNKNOWN_MEMBER_ID) {
            self.member.clear();
        }
        if code == Some(Code::ILLEGAL_GENERATION) {
            self.generation = -1;
        }
    }

    async fn join(&mut self) -> Result<Vec<TopicPartition>> {
        let until = Instant::now() + self.client.config().patience;
        loop {
            let attempt = match self.join_once().await {
                Ok(joined) => self.sync(joined).await,
                Err(error) => Err(error),
            };
            match attempt {
                Ok(assigned) => return Ok(assigned),
                Err(error) if Instant::now() < until => match error.code() {
                    // The id was kept by join_once; ask again at once.
                    Some(Code::MEMBER_ID_REQUIRED) => {}
                    Some(Code::UNKNOWN_MEMBER_ID | Code::ILLEGAL_GENERATION | Code::REBALANCE_IN_PROGRESS) => {
                        self.forget_if_unknown(error.code());
                    }
                    _ if error.is_retriable() => sleep(RETRY_PAUSE).await,
                    _ => return Err(error),
                },
                Err(error) => return Err(error),
            }
        }
    }

    async fn join_once(&mut self) -> Result<JoinGroupResponse> {
        let protocol = JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(subscription(&self.config.topics));
        let millis = |time: Duration| time.as_millis().min(i32::MAX as u128) as i32;
        let request = JoinGroupRequest::default()
            .with_group_id(group_id(&self.config.group))
            .with_session_timeout_ms(millis(self.config.session_timeout))
            .with_rebalance_timeout_ms(millis(self.config.rebalance_timeout))
            .with_member_id(text(&self.member))
            .with_group_instance_id(self.config.instance.as_deref().map(text))
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![protocol]);
        // The broker holds the answer until all members have joined.
        let limit = self.config.rebalance_timeout + self.client.config().request_timeout;
        let answer = self.client.coordinator(&self.config.group).await?.call_within(&request, limit).await?;
        if !answer.member_id.is_empty() {
            self.member = owned(&answer.member_id);
        }
        Code(answer.error_code).check(|| format!("join group {}", self.config.group), None)?;
        self.generation = answer.generation_id;
        Ok(answer)
    }

    async fn sync(&mut self, joined: JoinGroupResponse) -> Result<Vec<TopicPartition>> {
        let mut request = SyncGroupRequest::default()
            .with_group_id(group_id(&self.config.group))
            .with_generation_id(self.generation)
            .with_member_id(text(&self.member))
            .with_group_instance_id(self.config.instance.as_deref().map(text))
            .with_protocol_type(joined.protocol_type.clone())
            .with_protocol_name(joined.protocol_name.clone());
        if joined.leader == joined.member_id {
            request.assignments = self.share_out(&joined).await?;
        }
        let connection = self.client.coordinator(&self.config.group).await?;
        let limit = self.config.rebalance_timeout + self.client.config().request_timeout;
        let answer = connection.call_within(&request, limit).await?;
        Code(answer.error_code).check(|| format!("sync group {}", self.config.group), None)?;
        read_assignment(answer.assignment)
    }

    /// The leader's part: each topic's partitions in ranges over the members that want it.
    async fn share_out(&self, joined: &JoinGroupResponse) -> Result<Vec<SyncGroupRequestAssignment>> {
        let mut wanting: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for member in &joined.members {
            for topic in read_subscription(member.metadata.clone())? {
                wanting.entry(topic).or_default().insert(owned(&member.member_id));
            }
        }
        let mut counts = BTreeMap::new();
        for topic in wanting.keys() {
            let count = match self.client.topic(topic, true).await {
                Ok(info) => info.partitions.len() as i32,
                // A topic that is not there yet has nothing to share; the group joins anew when it appears.
                Err(error) if error.code().is_some_and(Code::wants_new_metadata) => 0,
                Err(error) => return Err(error),
            };
            counts.insert(topic.clone(), count);
        }
        let mut shares: BTreeMap<String, Vec<TopicPartition>> = joined.members.iter().map(|member| (owned(&member.member_id), Vec::new())).collect();
        for (topic, members) in &wanting {
            for (member, range) in ranges(counts[topic], members) {
                shares.entry(member.to_owned()).or_default().extend(range.map(|partition| TopicPartition::new(topic.as_str(), partition)));
            }
        }
        let message = |(member, share): (String, Vec<TopicPartition>)| {
            SyncGroupRequestAssignment::default().with_member_id(text(&member)).with_assignment(assignment(&share))
        };
        Ok(shares.into_iter().map(message).collect())
    }
}

fn beat(client: Client, config: GroupConfig, generation: i32, member: String) -> Beat {
    Box::pin(async move {
        let request = HeartbeatRequest::default()
            .with_group_id(group_id(&config.group))
            .with_generation_id(generation)
            .with_member_id(text(&member))
            .with_group_instance_id(config.instance.as_deref().map(text));
        let answer = client.coordinator(&config.group).await?.call(&request).await?;
        Code(answer.error_code).check(|| format!("heartbeat in group {}", config.group), None)
    })
}

/// Kafka's range: consecutive partitions, the first members get one more where it does not divide.
fn ranges(count: i32, members: &BTreeSet<String>) -> Vec<(&str, std::ops::Range<i32>)> {
    let each = count / members.len().max(1) as i32;
    let more = count % members.len().max(1) as i32;
    let mut start = 0;
    let mut take = |at: usize| {
        let end = start + each + i32::from((at as i32) < more);
        let range = start..end;
        start = end;
        range
    };
    members.iter().enumerate().map(|(at, member)| (member.as_str(), take(at))).collect()
}

fn put_string(to: &mut BytesMut, value: &str) {
    to.put_i16(value.len() as i16);
    to.put_slice(value.as_bytes());
}

fn subscription(topics: &[String]) -> Bytes {
    let mut message = BytesMut::new();
    message.put_i16(0);
    message.put_i32(topics.len() as i32);
    for topic in topics {
        put_string(&mut message, topic);
    }
    message.put_i32(-1);
    message.freeze()
}

fn assignment(share: &[TopicPartition]) -> Bytes {
    let mut by_topic: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for at in share {
        by_topic.entry(&at.topic).or_default().push(at.partition);
    }
    let mut message = BytesMut::new();
    message.put_i16(0);
    message.put_i32(by_topic.len() as i32);
    for (topic, partitions) in by_topic {
        put_string(&mut message, topic);
        message.put_i32(partitions.len() as i32);
        partitions.into_iter().for_each(|partition| message.put_i32(partition));
    }
    message.put_i32(-1);
    message.freeze()
}

fn cut_off<T>(what: &str) -> impl FnOnce(T) -> ClientError + '_ {
    move |_| ClientError::malformed(what, "it is cut off")
}

fn take_string(from: &mut Bytes, what: &str) -> Result<String> {
    let length = from.try_get_i16().map_err(cut_off(what))?;
    let length = usize::try_from(length).ok().filter(|length| *length <= from.len()).ok_or(()).map_err(cut_off(what))?;
    String::from_utf8(from.split_to(length).to_vec()).map_err(|error| ClientError::malformed(what, error))
}

fn read_subscription(mut message: Bytes) -> Result<Vec<String>> {
    let what = "member's subscription";
    message.try_get_i16().map_err(cut_off(what))?;
    let count = message.try_get_i32().map_err(cut_off(what))?;
    (0..count).map(|_| take_string(&mut message, what)).collect()
}

fn read_assignment(mut message: Bytes) -> Result<Vec<TopicPartition>> {
    let what = "assignment";
    let mut share = Vec::new();
    if message.is_empty() {
        return Ok(share);
    }
    message.try_get_i16().map_err(cut_off(what))?;
    for _ in 0..message.try_get_i32().map_err(cut_off(what))? {
        let topic = take_string(&mut message, what)?;
        for _ in 0..message.try_get_i32().map_err(cut_off(what))? {
            share.push(TopicPartition::new(topic.as_str(), message.try_get_i32().map_err(cut_off(what))?));
        }
    }
    Ok(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_give_each_partition_to_one_member() {
        let members: BTreeSet<String> = ["a", "b", "c"].map(str::to_owned).into();
        let got: Vec<_> = ranges(8, &members).into_iter().map(|(member, range)| (member.to_owned(), range)).collect();
        assert_eq!(got, [("a".to_owned(), 0..3), ("b".to_owned(), 3..6), ("c".to_owned(), 6..8)]);
        assert_eq!(ranges(1, &members).into_iter().filter(|(_, range)| !range.is_empty()).count(), 1);
    }

    #[test]
    fn messages_between_members_read_back_and_cut_ones_are_refused() {
        let topics = vec!["t".to_owned(), "u".to_owned()];
        assert_eq!(read_subscription(subscription(&topics)).unwrap(), topics);
        let share = vec![TopicPartition::new("t", 0), TopicPartition::new("t", 2), TopicPartition::new("u", 1)];
        let message = assignment(&share);
        assert_eq!(read_assignment(message.clone()).unwrap(), share);
        for length in 1..message.len() - 4 {
            assert!(read_assignment(message.slice(..length)).is_err(), "{length} bytes");
        }
    }
}
