//! Consumer groups whose members come and go, and the book of what they were told.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use millrace::api::Context;
use millrace_protocol::messages as m;
use parking_lot::Mutex;

use super::node::{ask, text, topic_name};
use crate::rng::Rng;

pub const GROUPS: [&str; 2] = ["readers", "others"];
pub const MEMBERS: usize = 3;
const TOPIC: &str = "sized";
const PARTITIONS: i32 = 2;
const SESSION_MS: i32 = 60_000;

const UNKNOWN_MEMBER_ID: i16 = 25;
const ILLEGAL_GENERATION: i16 = 22;
const MEMBER_ID_REQUIRED: i16 = 79;

/// What members of all groups did and were told; it outlives the node.
#[derive(Default)]
pub struct Book {
    offsets: BTreeMap<(&'static str, i32), Offsets>,
    /// Who owns what in a generation.
    owned: BTreeMap<(&'static str, i32), BTreeMap<i32, String>>,
    leaders: BTreeMap<(&'static str, i32), String>,
    pub joined: u64,
    pub committed: u64,
    /// The first thing that must never happen, and did.
    pub broken: Option<String>,
}

#[derive(Default)]
struct Offsets {
    attempted: i64,
    acknowledged: i64,
}

impl Book {
    fn breach(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }

    /// A generation counts once its leader has spoken: one that dies with the node before is made again.
    fn synced(&mut self, group: &'static str, generation: i32, leader: &str) {
        self.joined += 1;
        let known = self.leaders.entry((group, generation)).or_insert_with(|| leader.to_owned()).clone();
        if known != leader {
            self.breach(format!("{group}: generation {generation} is led by {known} and by {leader}"));
        }
        // Old generations are over.
        self.leaders.retain(|(other, number), _| *other != group || *number > generation - 50);
        self.owned.retain(|(other, number), _| *other != group || *number > generation - 50);
    }

    fn assigned(&mut self, group: &'static str, generation: i32, member: &str, partitions: &[i32]) {
        for partition in partitions {
            let owners = self.owned.entry((group, generation)).or_default();
            let owner = owners.entry(*partition).or_insert_with(|| member.to_owned()).clone();
            if owner != member {
                self.breach(format!("{group}, generation {generation}: partition {partition} is given to {owner} and to {member}"));
            }
        }
    }

    fn attempt(&mut self, group: &'static str, partition: i32) -> i64 {
        let offsets = self.offsets.entry((group, partition)).or_default();
        offsets.attempted += 1;
        offsets.attempted
    }

    fn acknowledge(&mut self, group: &'static str, partition: i32, offset: i64) {
        self.committed += 1;
        let offsets = self.offsets.entry((group, partition)).or_default();
        offsets.acknowledged = offsets.acknowledged.max(offset);
    }

    /// Holds what is stored against what was told.
    pub fn check(&mut self, group: &'static str, answer: &m::OffsetFetchResponse) -> Result<(), String> {
        let Some(told) = answer.groups.first() else { return Err(format!("{group}: an answer without the group")) };
        if told.error_code != 0 {
            // Loading, most likely.
            return Ok(());
        }
        for partition in told.topics.iter().flat_map(|topic| &topic.partitions) {
            let Some(offsets) = self.offsets.get(&(group, partition.partition_index)) else { continue };
            let stored = partition.committed_offset.max(0);
            if stored < offsets.acknowledged || stored > offsets.attempted {
                let (told, sent) = (offsets.acknowledged, offsets.attempted);
                return Err(format!("{group}-{}: {stored} is stored, {told} was acknowledged, {sent} was the last one sent", partition.partition_index));
            }
        }
        Ok(())
    }
}

pub fn fetch_request(group: &str) -> m::OffsetFetchRequest {
    use m::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
    let topics = OffsetFetchRequestTopics::default().with_name(topic_name(TOPIC)).with_partition_indexes((0..PARTITIONS).collect());
    let asked = OffsetFetchRequestGroup::default().with_group_id(m::GroupId(text(group))).with_topics(Some(vec![topics])).with_member_id(None).with_member_epoch(-1);
    m::OffsetFetchRequest::default().with_groups(vec![asked])
}

fn encode(partitions: &[i32]) -> Bytes {
    let mut bytes = BytesMut::new();
    partitions.iter().for_each(|partition| bytes.put_i32(*partition));
    bytes.freeze()
}

fn decode(bytes: &[u8]) -> Vec<i32> {
    bytes.chunks_exact(4).map(|four| i32::from_be_bytes([four[0], four[1], four[2], four[3]])).collect()
}

struct Member {
    ctx: Context,
    book: Arc<Mutex<Book>>,
    group: &'static str,
    rng: Rng,
    id: String,
    generation: i32,
    owned: Vec<i32>,
}

/// Comes and goes for as long as the node lives.
pub async fn member(ctx: Context, book: Arc<Mutex<Book>>, group: &'static str, rng: Rng) {
    let mut member = Member { ctx, book, group, rng, id: String::new(), generation: -1, owned: Vec::new() };
    // Whoever looks for a coordinator first makes the offsets topic.
    ask(&member.ctx, &m::FindCoordinatorRequest::default().with_coordinator_keys(vec![text(group)]), 4).await;
    loop {
        let away = member.rng.range(1, 1_500);
        member.sleep(away * 1_000).await;
        member.stay().await;
    }
}

impl Member {
    async fn sleep(&self, ms: u64) {
        let world = &self.ctx.node.world;
        world.sleep_until(world.now() + Duration::from_millis(ms)).await;
    }

    /// From joining to leaving, or to saying nothing more.
    async fn stay(&mut self) {
        self.id.clear();
        let until = self.ctx.node.world.now() + Duration::from_secs(self.rng.range(60, 5_000));
        while self.ctx.node.world.now() < until {
            if !self.join().await {
                self.sleep(2_000).await;
                continue;
            }
            while self.ctx.node.world.now() < until {
                let pause = self.rng.range(5_000, 25_000);
                self.sleep(pause).await;
                if !self.beat().await {
                    break;
                }
                if self.rng.percent(60) {
                    self.commit().await;
                }
            }
        }
        // A plain member says goodbye, the others let the session run out.
        if self.rng.percent(60) {
            let gone = m::leave_group_request::MemberIdentity::default().with_member_id(text(&self.id));
            ask(&self.ctx, &m::LeaveGroupRequest::default().with_group_id(m::GroupId(text(self.group))).with_members(vec![gone]), 5).await;
        }
    }

    async fn join(&mut self) -> bool {
        use m::join_group_request::JoinGroupRequestProtocol;
        let protocol = JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(Bytes::from_static(b"all"));
        let request = m::JoinGroupRequest::default()
            .with_group_id(m::GroupId(text(self.group)))
            .with_session_timeout_ms(SESSION_MS)
            .with_rebalance_timeout_ms(SESSION_MS)
            .with_member_id(text(&self.id))
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![protocol]);
        let Some(joined) = ask(&self.ctx, &request, 9).await else { return false };
        match joined.error_code {
            0 | MEMBER_ID_REQUIRED => self.id = joined.member_id.to_string(),
            UNKNOWN_MEMBER_ID => self.id.clear(),
            _ => {}
        }
        if joined.error_code != 0 {
            return false;
        }
        self.generation = joined.generation_id;
        self.sync(&joined).await
    }

    async fn sync(&mut self, joined: &m::JoinGroupResponse) -> bool {
        use m::sync_group_request::SyncGroupRequestAssignment;
        let members: BTreeSet<String> = joined.members.iter().map(|member| member.member_id.to_string()).collect();
        let mut shares: BTreeMap<&String, Vec<i32>> = members.iter().map(|id| (id, Vec::new())).collect();
        for (partition, id) in (0..PARTITIONS).zip(members.iter().cycle()) {
            shares.entry(id).or_default().push(partition);
        }
        let assignments = shares.into_iter().map(|(id, partitions)| SyncGroupRequestAssignment::default().with_member_id(text(id)).with_assignment(encode(&partitions)));
        let request = m::SyncGroupRequest::default()
            .with_group_id(m::GroupId(text(self.group)))
            .with_generation_id(self.generation)
            .with_member_id(text(&self.id))
            .with_protocol_type(Some(text("consumer")))
            .with_protocol_name(Some(text("range")))
            .with_assignments(assignments.collect());
        let Some(synced) = ask(&self.ctx, &request, 5).await else { return false };
        if synced.error_code != 0 {
            return false;
        }
        self.owned = decode(&synced.assignment);
        self.book.lock().synced(self.group, self.generation, &joined.leader);
        self.book.lock().assigned(self.group, self.generation, &self.id, &self.owned);
        true
    }

    async fn beat(&mut self) -> bool {
        let request = m::HeartbeatRequest::default().with_group_id(m::GroupId(text(self.group))).with_generation_id(self.generation).with_member_id(text(&self.id));
        let Some(answer) = ask(&self.ctx, &request, 4).await else { return false };
        if answer.error_code == UNKNOWN_MEMBER_ID || answer.error_code == ILLEGAL_GENERATION {
            self.id.clear();
        }
        answer.error_code == 0
    }

    async fn commit(&mut self) {
        use m::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
        for partition in self.owned.clone() {
            let offset = self.book.lock().attempt(self.group, partition);
            let asked = OffsetCommitRequestPartition::default().with_partition_index(partition).with_committed_offset(offset).with_committed_metadata(Some(text("")));
            let asked = OffsetCommitRequestTopic::default().with_name(topic_name(TOPIC)).with_partitions(vec![asked]);
            let request = m::OffsetCommitRequest::default()
                .with_group_id(m::GroupId(text(self.group)))
                .with_generation_id_or_member_epoch(self.generation)
                .with_member_id(text(&self.id))
                .with_topics(vec![asked]);
            let Some(answer) = ask(&self.ctx, &request, 9).await else { return };
            if answer.topics[0].partitions[0].error_code == 0 {
                self.book.lock().acknowledge(self.group, partition, offset);
            }
        }
    }
}
