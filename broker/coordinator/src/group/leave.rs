//! LeaveGroup, and every other way out.
use super::join::JoinRefused;
use super::{Group, GroupState, Turn};
use crate::coordinator::Woken;
use crate::error::GroupError;

/// A member that leaves: by its id, or (a static one, removed by an operator) by its instance id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaveMember {
    pub member: String,
    pub instance: Option<String>,
}

impl Group {
    /// Answers each member in its place; one rebalance follows for all of them.
    pub fn leave(&mut self, members: &[LeaveMember], turn: &mut Turn<'_>) -> Vec<Result<(), GroupError>> {
        let (in_before, pending_before) = (self.members.len(), self.pending.len());
        let results = members.iter().map(|leaving| self.leave_one(leaving, turn)).collect();
        let somebody_went = self.members.len() < in_before;
        // An id that was handed out and given back matters only to a join phase that waits for it.
        let joining = self.state == GroupState::PreparingRebalance;
        if somebody_went || (joining && self.pending.len() < pending_before) {
            self.after_removal(turn);
        }
        results
    }

    fn leave_one(&mut self, leaving: &LeaveMember, turn: &mut Turn<'_>) -> Result<(), GroupError> {
        if let (true, Some(instance)) = (leaving.member.is_empty(), &leaving.instance) {
            let id = self.statics.get(instance).cloned().ok_or(GroupError::UnknownMember)?;
            self.forget_member(&id, turn);
            return Ok(());
        }
        if self.pending.remove(&leaving.member).is_some() {
            return Ok(());
        }
        self.check_member(&leaving.member, leaving.instance.as_deref())?;
        self.forget_member(&leaving.member, turn);
        Ok(())
    }

    /// Takes one member out and lets the group go on without it.
    pub(super) fn remove_member(&mut self, id: &str, turn: &mut Turn<'_>) {
        self.forget_member(id, turn);
        self.after_removal(turn);
    }

    pub(super) fn after_removal(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            GroupState::Empty => {}
            GroupState::PreparingRebalance => self.try_complete_join(turn),
            GroupState::CompletingRebalance | GroupState::Stable => self.prepare_rebalance(turn),
        }
    }

    /// Takes a member out, answering whatever it waits for. What follows is the caller's decision.
    pub(super) fn forget_member(&mut self, id: &str, turn: &mut Turn<'_>) {
        let Some(mut member) = self.members.remove(id) else { return };
        let refused = JoinRefused { error: GroupError::UnknownMember, member: id.to_owned() };
        turn.wake(member.awaiting_join.take(), Woken::Join(Err(refused)));
        turn.wake(member.awaiting_sync.take(), Woken::Sync(Err(GroupError::UnknownMember)));
        self.unsynced.remove(id);
        if let Some(instance) = &member.instance_id
            && self.statics.get(instance).is_some_and(|known| known == id)
        {
            self.statics.remove(instance);
        }
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
    }
}
