//! All groups of one partition of `__consumer_offsets`: requests and timers in, records and replies out.
use std::collections::{BTreeMap, BTreeSet};

use millrace_fold::Fold;
use millrace_record::Offset;

use crate::config::CoordinatorConfig;
use crate::error::GroupError;
use crate::format::Record;
use crate::group::{
    Effects, Group, GroupListing, GroupState, GroupView, JoinGroup, JoinRefused, Joined, LeaveMember, Presence, SyncGroup, Synced, Turn,
};
use crate::offsets::{CommitOffsets, Committed, TopicPartition};

/// Both clocks: one for waiting, one for what the log keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    pub monotonic_ms: i64,
    pub wall_ms: i64,
}

/// A parked request. Its owner chooses the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// The answer to a parked request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Woken {
    Join(Result<Joined, JoinRefused>),
    Sync(Result<Synced, GroupError>),
}

/// What an event leads to. Nothing of it (reply included) may leave before the records are committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision<R> {
    pub records: Vec<Record>,
    /// Parked requests, of this client and of others, that have their answer now.
    pub woken: Vec<(Token, Woken)>,
    pub reply: R,
}

/// One partition's groups.
#[derive(Debug)]
pub struct Coordinator {
    config: CoordinatorConfig,
    groups: BTreeMap<String, Group>,
    /// Every group's earliest deadline, so that a timer looks at none that is not due.
    deadlines: BTreeSet<(i64, String)>,
    deadline_of: BTreeMap<String, i64>,
    expiry_at: i64,
}

impl Coordinator {
    pub fn new(config: CoordinatorConfig, now: Now) -> Self {
        let expiry_at = now.monotonic_ms.saturating_add(config.expiry_interval_ms);
        Self { config, groups: BTreeMap::new(), deadlines: BTreeSet::new(), deadline_of: BTreeMap::new(), expiry_at }
    }

    /// Takes over changed configs; they count from the next event on.
    pub fn set_config(&mut self, config: CoordinatorConfig) {
        self.config = config;
    }

    /// Takes in a record of the log. Total: any sequence of records leads somewhere.
    pub fn replay(&mut self, record: Record) {
        match record {
            Record::Offset { group, topic, partition, value: Some(value) } => self.entry(&group).offsets.set(topic, partition, value),
            Record::Offset { group, topic, partition, value: None } => {
                if let Some(found) = self.groups.get_mut(&group) {
                    found.offsets.remove(&topic, partition);
                    self.forget_if_blank(&group);
                }
            }
            Record::Group { group, value: Some(value) } => self.entry(&group).restore(value),
            Record::Group { group, value: None } => {
                if let Some(found) = self.groups.get_mut(&group) {
                    // Its offsets have tombstones of their own, before or after this one.
                    let offsets = std::mem::take(&mut found.offsets);
                    *found = Group::blank(&group);
                    found.offsets = offsets;
                    self.forget_if_blank(&group);
                }
            }
        }
    }

    /// The log has been read: sessions begin to run.
    pub fn loaded(&mut self, now: Now) {
        for (id, group) in &mut self.groups {
            group.loaded(now);
            let deadline = group.deadline();
            if let Some(deadline) = deadline {
                self.deadlines.insert((deadline, id.clone()));
                self.deadline_of.insert(id.clone(), deadline);
            }
        }
    }

    /// When `wake` has something to do.
    pub fn next_deadline(&self) -> i64 {
        self.deadlines.first().map_or(self.expiry_at, |(deadline, _)| (*deadline).min(self.expiry_at))
    }

    /// Does what is due.
    pub fn wake(&mut self, now: Now) -> Decision<()> {
        let mut effects = Effects::default();
        let mut due = Vec::new();
        while let Some((deadline, id)) = self.deadlines.pop_first() {
            if deadline > now.monotonic_ms {
                self.deadlines.insert((deadline, id));
                break;
            }
            self.deadline_of.remove(&id);
            due.push(id);
        }
        for id in due {
            self.with_group(&id, now, &mut effects, |group, turn| group.wake(turn));
        }
        if self.expiry_at <= now.monotonic_ms {
            self.expiry_at = now.monotonic_ms.saturating_add(self.config.expiry_interval_ms.max(1));
            self.expire(now, &mut effects.records);
        }
        finish(effects, ())
    }

    /// The answer goes to `token`.
    pub fn join(&mut self, ask: JoinGroup, token: Token, now: Now) -> Decision<()> {
        let mut effects = Effects::default();
        let refused = |error| Woken::Join(Err(JoinRefused { error, member: ask.member.clone() }));
        let session = self.config.session_timeout_min_ms..=self.config.session_timeout_max_ms;
        if ask.group.is_empty() {
            effects.woken.push((token, refused(GroupError::InvalidGroupId)));
        } else if !session.contains(&ask.session_timeout_ms) {
            effects.woken.push((token, refused(GroupError::InvalidSessionTimeout)));
        } else if !ask.member.is_empty() && !self.groups.contains_key(&ask.group) {
            effects.woken.push((token, refused(GroupError::UnknownMember)));
        } else {
            let id = ask.group.clone();
            self.groups.entry(id.clone()).or_insert_with(|| Group::new(&id, now));
            self.with_group(&id, now, &mut effects, |group, turn| group.join(ask, token, turn));
        }
        finish(effects, ())
    }

    /// The answer goes to `token`.
    pub fn sync(&mut self, ask: SyncGroup, token: Token, now: Now) -> Decision<()> {
        let mut effects = Effects::default();
        let id = ask.presence.group.clone();
        if let Err(error) = self.check_known(&id) {
            effects.woken.push((token, Woken::Sync(Err(error))));
        } else {
            self.with_group(&id, now, &mut effects, |group, turn| group.sync(ask, token, turn));
        }
        finish(effects, ())
    }

    pub fn heartbeat(&mut self, presence: &Presence, now: Now) -> Decision<Result<(), GroupError>> {
        let mut effects = Effects::default();
        let reply = self.check_known(&presence.group).and_then(|()| {
            self.with_group(&presence.group, now, &mut effects, |group, turn| group.heartbeat(presence, turn.now)).unwrap_or(Err(GroupError::UnknownMember))
        });
        finish(effects, reply)
    }

    /// Answers each member in its place.
    pub fn leave(&mut self, group: &str, members: &[LeaveMember], now: Now) -> Decision<Result<Vec<Result<(), GroupError>>, GroupError>> {
        let mut effects = Effects::default();
        let reply = self.check_known(group).and_then(|()| {
            self.with_group(group, now, &mut effects, |group, turn| group.leave(members, turn)).ok_or(GroupError::UnknownMember)
        });
        finish(effects, reply)
    }

    /// Answers each offset in its place.
    pub fn commit(&mut self, ask: CommitOffsets, now: Now) -> Decision<Result<Vec<Result<(), GroupError>>, GroupError>> {
        let mut effects = Effects::default();
        let reply = self.try_commit(ask, now, &mut effects);
        finish(effects, reply)
    }

    fn try_commit(&mut self, ask: CommitOffsets, now: Now, effects: &mut Effects) -> Result<Vec<Result<(), GroupError>>, GroupError> {
        if ask.group.is_empty() {
            return Err(GroupError::InvalidGroupId);
        }
        if ask.log_bytes() > self.config.commit_bytes_max {
            return Err(GroupError::CommitTooLarge);
        }
        let id = ask.group.clone();
        match self.groups.get(&id) {
            Some(group) => group.check_commit(&ask.member, ask.instance.as_deref(), ask.generation)?,
            // A client that assigns partitions to itself may commit to a group that was never joined.
            None if ask.generation < 0 => {
                self.groups.insert(id.clone(), Group::new(&id, now));
            }
            None => return Err(GroupError::IllegalGeneration),
        }
        let limit = self.config.offset_metadata_bytes_max;
        let committed = self.with_group(&id, now, effects, |group, turn| {
            group.committed(&ask.member, turn.now);
            group.commit(ask, turn.now, limit, &mut turn.effects.records)
        });
        Ok(committed.unwrap_or_default())
    }

    /// What the group committed for these partitions; for all it knows, if none are named.
    pub fn fetch(&self, group: &str, partitions: Option<&[TopicPartition]>) -> Vec<(TopicPartition, Option<Committed>)> {
        let offsets = self.groups.get(group).map(|group| &group.offsets);
        match partitions {
            Some(partitions) => partitions
                .iter()
                .map(|at| (at.clone(), offsets.and_then(|offsets| offsets.get(&at.topic, at.partition))))
                .collect(),
            None => offsets.map(|offsets| offsets.all().into_iter().map(|(at, committed)| (at, Some(committed))).collect()).unwrap_or_default(),
        }
    }

    /// Answers each partition in its place.
    pub fn delete_offsets(&mut self, group: &str, partitions: &[TopicPartition], now: Now) -> Decision<Result<Vec<Result<(), GroupError>>, GroupError>> {
        let mut effects = Effects::default();
        let reply = self
            .with_group(group, now, &mut effects, |group, turn| {
                let in_use = group.topics_in_use()?;
                let results = partitions.iter().map(|at| {
                    if in_use.contains(&at.topic) {
                        return Err(GroupError::SubscribedToTopic);
                    }
                    group.forget_offset(at, &mut turn.effects.records);
                    Ok(())
                });
                Ok(results.collect())
            })
            .unwrap_or(Err(GroupError::GroupNotFound));
        finish(effects, reply)
    }

    pub fn delete_group(&mut self, group: &str) -> Decision<Result<(), GroupError>> {
        let mut effects = Effects::default();
        let reply = match self.groups.get(group) {
            None => Err(GroupError::GroupNotFound),
            Some(found) => found.check_delete(),
        };
        if reply.is_ok() {
            self.bury(group, &mut effects.records);
        }
        finish(effects, reply)
    }

    /// The topic is gone, and so is what was committed for it.
    pub fn topic_deleted(&mut self, topic: &str) -> Decision<()> {
        let mut effects = Effects::default();
        for group in self.groups.values_mut() {
            for partition in group.offsets.partitions_of(topic) {
                group.forget_offset(&TopicPartition { topic: topic.to_owned(), partition }, &mut effects.records);
            }
        }
        finish(effects, ())
    }

    pub fn describe(&self, group: &str) -> Option<GroupView> {
        self.groups.get(group).map(Group::view)
    }

    /// Sorted by name.
    pub fn list(&self) -> Vec<GroupListing> {
        self.groups.values().map(Group::listing).collect()
    }

    fn expire(&mut self, now: Now, records: &mut Vec<Record>) {
        let retention_ms = self.config.offsets_retention_ms;
        for group in self.groups.values_mut() {
            group.expire_offsets(now, retention_ms, records);
        }
        let idle: Vec<_> = self.groups.values().filter(|group| group.is_forgettable()).map(|group| group.id.clone()).collect();
        idle.iter().for_each(|id| self.bury(id, records));
    }

    /// Takes a group away, saying so to the log as far as the log knows of it.
    fn bury(&mut self, id: &str, records: &mut Vec<Record>) {
        let Some(mut group) = self.groups.remove(id) else { return };
        self.forget_deadline(id);
        let offsets: Vec<_> = group.offsets.iter().map(|(at, _)| at).collect();
        offsets.iter().for_each(|at| group.forget_offset(at, records));
        // A group that nobody ever joined has no record to take back.
        if group.generation != 0 || group.protocol_type.is_some() {
            records.push(Record::Group { group: id.to_owned(), value: None });
        }
    }

    fn check_known(&self, group: &str) -> Result<(), GroupError> {
        if group.is_empty() {
            return Err(GroupError::InvalidGroupId);
        }
        if self.groups.contains_key(group) { Ok(()) } else { Err(GroupError::UnknownMember) }
    }

    /// Runs an event on a group and keeps its deadline up to date.
    fn with_group<R>(&mut self, id: &str, now: Now, effects: &mut Effects, event: impl FnOnce(&mut Group, &mut Turn<'_>) -> R) -> Option<R> {
        let group = self.groups.get_mut(id)?;
        let result = event(group, &mut Turn { now, config: &self.config, effects });
        let deadline = group.deadline();
        if self.deadline_of.get(id).copied() != deadline {
            self.forget_deadline(id);
            if let Some(deadline) = deadline {
                self.deadlines.insert((deadline, id.to_owned()));
                self.deadline_of.insert(id.to_owned(), deadline);
            }
        }
        Some(result)
    }

    fn forget_deadline(&mut self, id: &str) {
        if let Some(deadline) = self.deadline_of.remove(id) {
            self.deadlines.remove(&(deadline, id.to_owned()));
        }
    }

    fn entry(&mut self, id: &str) -> &mut Group {
        self.groups.entry(id.to_owned()).or_insert_with(|| Group::blank(id))
    }

    fn forget_if_blank(&mut self, id: &str) {
        let is_blank = |group: &Group| group.is_forgettable() && group.state == GroupState::Empty && group.generation == 0;
        if self.groups.get(id).is_some_and(is_blank) {
            self.groups.remove(id);
        }
    }
}

impl Fold for Coordinator {
    type Record = Record;

    fn apply(&mut self, _at: Offset, record: Record) {
        self.replay(record);
    }

    /// A log that leads here. Meant for settled groups: what a rebalance has not written yet is not the
    /// log's business.
    fn rewrite(&self) -> Vec<Record> {
        let mut records = Vec::new();
        for group in self.groups.values() {
            if group.protocol_type.is_some() {
                records.push(Record::Group { group: group.id.clone(), value: Some(group.value()) });
            }
            records.extend(group.offsets.iter().map(|(at, value)| Record::Offset {
                group: group.id.clone(),
                topic: at.topic,
                partition: at.partition,
                value: Some(value.clone()),
            }));
        }
        records
    }
}

fn finish<R>(effects: Effects, reply: R) -> Decision<R> {
    Decision { records: effects.records, woken: effects.woken, reply }
}
