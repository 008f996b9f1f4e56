//! JoinGroup: how a member comes in, or comes back.
use bytes::Bytes;

use super::member::{Member, Protocol};
use super::{Group, GroupState, Turn};
use crate::config::CoordinatorConfig;
use crate::coordinator::{Token, Woken};
use crate::error::GroupError;

/// A request to join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinGroup {
    pub group: String,
    /// Empty for a client that has none yet.
    pub member: String,
    pub instance: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub session_timeout_ms: i32,
    pub rebalance_timeout_ms: i32,
    pub protocol_type: String,
    pub protocols: Vec<Protocol>,
    /// The client's version can come back with an id that it is given (JoinGroup v4).
    pub knows_member_id_required: bool,
    /// The client's version understands that a leader need not assign (JoinGroup v9).
    pub knows_skip_assignment: bool,
    /// Chance: what makes a new member's id unlike all others.
    pub unique: String,
}

/// A member's place in the new generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    pub generation: i32,
    pub protocol_type: Option<String>,
    pub protocol: Option<String>,
    pub leader: String,
    pub skip_assignment: bool,
    pub member: String,
    /// For the leader alone: all members and what they said.
    pub members: Vec<JoinedMember>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinedMember {
    pub id: String,
    pub instance_id: Option<String>,
    pub metadata: Bytes,
}

/// A refused join, with the member id that the answer carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRefused {
    pub error: GroupError,
    pub member: String,
}

impl Group {
    /// The answer always goes to `token`: at once, or when the rebalance completes.
    pub fn join(&mut self, ask: JoinGroup, token: Token, turn: &mut Turn<'_>) {
        let result = self.try_join(&ask, token, turn);
        if let Err(refused) = result {
            turn.wake(Some(token), Woken::Join(Err(refused)));
        }
    }

    fn try_join(&mut self, ask: &JoinGroup, token: Token, turn: &mut Turn<'_>) -> Result<(), JoinRefused> {
        let refuse = |error| JoinRefused { error, member: ask.member.clone() };
        if !self.has_room(&ask.member, turn.config) {
            // A member that has to go after all (the limit was lowered) goes now.
            if self.members.contains_key(&ask.member) {
                self.remove_member(&ask.member, turn);
            }
            return Err(refuse(GroupError::GroupFull));
        }
        if !self.supports(ask) {
            return Err(refuse(GroupError::InconsistentProtocol));
        }
        if ask.member.is_empty() {
            return self.join_new(ask, token, turn);
        }
        if self.pending.contains_key(&ask.member) {
            self.add_member(&ask.member.clone(), ask, token, turn);
            return Ok(());
        }
        self.check_member(&ask.member, ask.instance.as_deref()).map_err(refuse)?;
        self.join_again(ask, token, turn);
        Ok(())
    }

    fn has_room(&self, member: &str, config: &CoordinatorConfig) -> bool {
        match self.state {
            GroupState::Empty => true,
            GroupState::PreparingRebalance => {
                let awaiting = self.members.values().filter(|member| member.awaiting_join.is_some()).count();
                self.members.get(member).is_some_and(|member| member.awaiting_join.is_some()) || awaiting < config.group_size_max
            }
            GroupState::CompletingRebalance | GroupState::Stable => {
                self.members.contains_key(member) || self.members.len() < config.group_size_max
            }
        }
    }

    /// The member must be of the group's kind and share a protocol with everybody in it.
    fn supports(&self, ask: &JoinGroup) -> bool {
        if ask.protocol_type.is_empty() || ask.protocols.is_empty() || ask.protocols.len() > CoordinatorConfig::PROTOCOLS_MAX {
            return false;
        }
        if self.members.is_empty() {
            return true;
        }
        self.protocol_type.as_deref() == Some(&ask.protocol_type)
            && ask.protocols.iter().any(|offered| self.members.values().all(|member| member.id == ask.member || member.speaks(&offered.name)))
    }

    fn join_new(&mut self, ask: &JoinGroup, token: Token, turn: &mut Turn<'_>) -> Result<(), JoinRefused> {
        let prefix = ask.instance.as_deref().unwrap_or(&ask.client_id);
        // A member id is a string of Kafka's, too.
        let prefix: String = prefix.chars().take(1024).collect();
        let id = format!("{prefix}-{}", ask.unique);
        if let Some(instance) = &ask.instance {
            match self.statics.get(instance).cloned() {
                Some(old) => self.replace_static(&old, &id, ask, token, turn),
                None => self.add_member(&id, ask, token, turn),
            }
        } else if ask.knows_member_id_required {
            self.pending.insert(id.clone(), turn.now.monotonic_ms.saturating_add(i64::from(ask.session_timeout_ms)));
            return Err(JoinRefused { error: GroupError::MemberIdRequired, member: id });
        } else {
            self.add_member(&id, ask, token, turn);
        }
        Ok(())
    }

    fn add_member(&mut self, id: &str, ask: &JoinGroup, token: Token, turn: &mut Turn<'_>) {
        self.pending.remove(id);
        if self.members.is_empty() {
            self.protocol_type = Some(ask.protocol_type.clone());
        }
        if let Some(initial) = self.join_phase.as_mut().and_then(|phase| phase.initial.as_mut()) {
            initial.member_came = true;
        }
        let member = Member {
            id: id.to_owned(),
            instance_id: ask.instance.clone(),
            client_id: ask.client_id.clone(),
            client_host: ask.client_host.clone(),
            rebalance_timeout_ms: ask.rebalance_timeout_ms,
            session_timeout_ms: ask.session_timeout_ms,
            protocols: ask.protocols.clone(),
            assignment: Bytes::new(),
            awaiting_join: Some(token),
            awaiting_sync: None,
            is_new: true,
            deadline: turn.now.monotonic_ms.saturating_add(CoordinatorConfig::NEW_MEMBER_JOIN_TIMEOUT_MS),
        };
        if let Some(instance) = &ask.instance {
            self.statics.insert(instance.clone(), id.to_owned());
        }
        self.leader.get_or_insert_with(|| id.to_owned());
        self.members.insert(id.to_owned(), member);
        self.rebalance_or_complete(turn);
    }

    /// A known member joins: with news a rebalance follows, without it is told how things stand.
    fn join_again(&mut self, ask: &JoinGroup, token: Token, turn: &mut Turn<'_>) {
        let unchanged = self.members.get(&ask.member).is_some_and(|member| member.protocols == ask.protocols);
        match self.state {
            // Its answer to the last join may have been lost.
            GroupState::CompletingRebalance if unchanged => {
                self.touch(&ask.member, turn.now);
                let joined = self.joined(&ask.member);
                turn.wake(Some(token), Woken::Join(Ok(joined)));
            }
            // A follower need not wait. The leader rejoins to have the group assigned anew.
            GroupState::Stable if unchanged && !self.is_leader(&ask.member) => {
                self.touch(&ask.member, turn.now);
                let joined = Joined { members: Vec::new(), ..self.joined(&ask.member) };
                turn.wake(Some(token), Woken::Join(Ok(joined)));
            }
            GroupState::Empty | GroupState::PreparingRebalance | GroupState::CompletingRebalance | GroupState::Stable => {
                self.update_member(&ask.member, ask, token, turn);
                self.rebalance_or_complete(turn);
            }
        }
    }

    fn update_member(&mut self, id: &str, ask: &JoinGroup, token: Token, turn: &mut Turn<'_>) {
        let Some(member) = self.members.get_mut(id) else { return };
        member.protocols.clone_from(&ask.protocols);
        member.rebalance_timeout_ms = ask.rebalance_timeout_ms;
        member.session_timeout_ms = ask.session_timeout_ms;
        member.client_id.clone_from(&ask.client_id);
        member.client_host.clone_from(&ask.client_host);
        member.touch(turn.now);
        let earlier = member.awaiting_join.replace(token);
        // The client asked again, perhaps over a new connection; nobody is left on the old one.
        let refused = JoinRefused { error: GroupError::RebalanceInProgress, member: id.to_owned() };
        turn.wake(earlier, Woken::Join(Err(refused)));
    }

    /// A static member has restarted: it takes its predecessor's place under a new id.
    fn replace_static(&mut self, old: &str, new: &str, ask: &JoinGroup, token: Token, turn: &mut Turn<'_>) {
        let leader_before = self.leader.clone();
        let Some(mut member) = self.members.remove(old) else { return };
        let fenced = || JoinRefused { error: GroupError::FencedInstance, member: old.to_owned() };
        turn.wake(member.awaiting_join.take(), Woken::Join(Err(fenced())));
        turn.wake(member.awaiting_sync.take(), Woken::Sync(Err(GroupError::FencedInstance)));
        member.id = new.to_owned();
        self.members.insert(new.to_owned(), member);
        if self.unsynced.remove(old) {
            self.unsynced.insert(new.to_owned());
        }
        if let Some(instance) = &ask.instance {
            self.statics.insert(instance.clone(), new.to_owned());
        }
        if self.is_leader(old) {
            self.leader = Some(new.to_owned());
        }
        self.update_member(new, ask, token, turn);

        if self.state != GroupState::Stable {
            self.rebalance_or_complete(turn);
            return;
        }
        if self.select_protocol() != self.protocol {
            self.prepare_rebalance(turn);
            return;
        }
        // Same protocol: the assignment stands, and the member goes on where its predecessor was.
        if let Some(member) = self.members.get_mut(new) {
            member.awaiting_join = None;
            member.is_new = false;
        }
        self.persist(turn);
        let mut joined = self.joined(new);
        if ask.knows_skip_assignment {
            joined.skip_assignment = self.is_leader(new);
        } else {
            // An older client that saw itself as leader would assign anew; it is told of its predecessor.
            joined.members = Vec::new();
            joined.leader = leader_before.unwrap_or_default();
        }
        turn.wake(Some(token), Woken::Join(Ok(joined)));
    }

    /// How things stand for this member in the current generation.
    pub(super) fn joined(&self, member: &str) -> Joined {
        let protocol = self.protocol.clone().unwrap_or_default();
        let members = self.members.values().map(|member| JoinedMember {
            id: member.id.clone(),
            instance_id: member.instance_id.clone(),
            metadata: member.metadata(&protocol),
        });
        Joined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            skip_assignment: false,
            member: member.to_owned(),
            members: if self.is_leader(member) { members.collect() } else { Vec::new() },
        }
    }
}
