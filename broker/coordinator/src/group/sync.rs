//! SyncGroup and Heartbeat: getting the assignment, and staying.
use std::collections::BTreeMap;

use bytes::Bytes;

use super::{Group, GroupState, Turn};
use crate::coordinator::{Now, Token, Woken};
use crate::error::GroupError;

/// Who says so, in which generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    pub group: String,
    pub member: String,
    pub instance: Option<String>,
    pub generation: i32,
}

/// A request for the member's assignment; the leader's brings everybody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncGroup {
    pub presence: Presence,
    /// Versions before 5 do not say.
    pub protocol_type: Option<String>,
    pub protocol: Option<String>,
    pub assignments: BTreeMap<String, Bytes>,
}

/// A member's assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synced {
    pub protocol_type: Option<String>,
    pub protocol: Option<String>,
    pub assignment: Bytes,
}

impl Group {
    /// The answer always goes to `token`: at once, or when the leader has assigned.
    pub fn sync(&mut self, mut ask: SyncGroup, token: Token, turn: &mut Turn<'_>) {
        if let Err(error) = self.check_sync(&ask) {
            turn.wake(Some(token), Woken::Sync(Err(error)));
            return;
        }
        let id = ask.presence.member;
        match self.state {
            GroupState::Empty => turn.wake(Some(token), Woken::Sync(Err(GroupError::UnknownMember))),
            GroupState::PreparingRebalance => turn.wake(Some(token), Woken::Sync(Err(GroupError::RebalanceInProgress))),
            GroupState::Stable => {
                self.touch(&id, turn.now);
                let synced = self.synced(&id);
                turn.wake(Some(token), Woken::Sync(Ok(synced)));
                self.mark_synced(&id);
            }
            GroupState::CompletingRebalance => {
                if let Some(member) = self.members.get_mut(&id) {
                    let earlier = member.awaiting_sync.replace(token);
                    turn.wake(earlier, Woken::Sync(Err(GroupError::RebalanceInProgress)));
                }
                self.mark_synced(&id);
                if self.is_leader(&id) {
                    self.assign(&mut ask.assignments, turn);
                }
            }
        }
    }

    fn check_sync(&self, ask: &SyncGroup) -> Result<(), GroupError> {
        self.check_member(&ask.presence.member, ask.presence.instance.as_deref())?;
        if ask.presence.generation != self.generation {
            return Err(GroupError::IllegalGeneration);
        }
        let differs = |said: &Option<String>, known: &Option<String>| said.is_some() && known.is_some() && said != known;
        if differs(&ask.protocol_type, &self.protocol_type) || differs(&ask.protocol, &self.protocol) {
            return Err(GroupError::InconsistentProtocol);
        }
        Ok(())
    }

    /// The leader has spoken: the generation is settled, written, and told to everybody.
    fn assign(&mut self, assignments: &mut BTreeMap<String, Bytes>, turn: &mut Turn<'_>) {
        for member in self.members.values_mut() {
            member.assignment = assignments.remove(&member.id).unwrap_or_default();
        }
        self.enter(GroupState::Stable, turn.now);
        self.persist(turn);
        let ids: Vec<_> = self.members.keys().cloned().collect();
        for id in ids {
            let synced = self.synced(&id);
            if let Some(member) = self.members.get_mut(&id)
                && let Some(token) = member.awaiting_sync.take()
            {
                member.touch(turn.now);
                turn.wake(Some(token), Woken::Sync(Ok(synced)));
            }
        }
    }

    fn mark_synced(&mut self, id: &str) {
        self.unsynced.remove(id);
        if self.unsynced.is_empty() {
            self.sync_deadline = None;
        }
    }

    fn synced(&self, id: &str) -> Synced {
        Synced {
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment: self.members.get(id).map(|member| member.assignment.clone()).unwrap_or_default(),
        }
    }

    /// A member is alive. During a rebalance it learns that it must join.
    pub fn heartbeat(&mut self, presence: &Presence, now: Now) -> Result<(), GroupError> {
        self.check_member(&presence.member, presence.instance.as_deref())?;
        if presence.generation != self.generation {
            return Err(GroupError::IllegalGeneration);
        }
        match self.state {
            GroupState::Empty => Err(GroupError::UnknownMember),
            GroupState::PreparingRebalance => {
                self.touch(&presence.member, now);
                Err(GroupError::RebalanceInProgress)
            }
            GroupState::CompletingRebalance | GroupState::Stable => {
                self.touch(&presence.member, now);
                Ok(())
            }
        }
    }
}
