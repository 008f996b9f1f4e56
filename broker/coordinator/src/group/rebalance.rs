//! The join phase: how it begins, and how a generation comes out of it.
use super::{Group, GroupState, InitialDelay, JoinPhase, Turn};
use crate::coordinator::Woken;
use crate::error::GroupError;
use crate::format::{GroupValue, Record};

impl Group {
    /// Something changed: begin a rebalance, or see whether the one under way is complete.
    pub(super) fn rebalance_or_complete(&mut self, turn: &mut Turn<'_>) {
        if self.state == GroupState::PreparingRebalance { self.try_complete_join(turn) } else { self.prepare_rebalance(turn) }
    }

    /// Calls all members to join anew.
    pub(super) fn prepare_rebalance(&mut self, turn: &mut Turn<'_>) {
        if self.state == GroupState::CompletingRebalance {
            self.abandon_sync(turn);
        }
        self.sync_deadline = None;
        self.unsynced.clear();
        let was_empty = self.state == GroupState::Empty;
        let delay = turn.config.initial_rebalance_delay_ms;
        let timeout = self.rebalance_timeout_ms();
        self.enter(GroupState::PreparingRebalance, turn.now);
        let phase = if was_empty && delay > 0 {
            let initial = InitialDelay { remaining_ms: (timeout - delay).max(0), member_came: false };
            JoinPhase { deadline: turn.now.monotonic_ms + delay, initial: Some(initial) }
        } else {
            JoinPhase { deadline: turn.now.monotonic_ms + timeout, initial: None }
        };
        self.join_phase = Some(phase);
        self.try_complete_join(turn);
    }

    /// The longest that any member may take to come back.
    pub(super) fn rebalance_timeout_ms(&self) -> i64 {
        self.members.values().map(|member| i64::from(member.rebalance_timeout_ms)).max().unwrap_or(0).max(0)
    }

    /// Ends the join phase early if everybody who should be there is.
    pub(super) fn try_complete_join(&mut self, turn: &mut Turn<'_>) {
        let delaying = self.join_phase.as_ref().is_none_or(|phase| phase.initial.is_some());
        let everybody = self.pending.is_empty() && self.members.values().all(|member| member.awaiting_join.is_some());
        // Waiting for more members makes no sense once the last one has gone.
        if everybody && (!delaying || self.members.is_empty()) {
            self.complete_join(turn);
        }
    }

    /// The join phase's time is over.
    pub(super) fn join_phase_over(&mut self, turn: &mut Turn<'_>) {
        let delay = turn.config.initial_rebalance_delay_ms;
        if let Some(phase) = &mut self.join_phase
            && let Some(initial) = &mut phase.initial
            && initial.member_came
            && initial.remaining_ms > 0
        {
            let longer = delay.min(initial.remaining_ms);
            initial.member_came = false;
            initial.remaining_ms = (initial.remaining_ms - delay).max(0);
            phase.deadline = turn.now.monotonic_ms + longer;
            return;
        }
        self.complete_join(turn);
    }

    fn complete_join(&mut self, turn: &mut Turn<'_>) {
        self.join_phase = None;
        // Who has not come back is out, except static members: they have until their session ends.
        let missing: Vec<_> =
            self.members.values().filter(|member| member.awaiting_join.is_none() && member.instance_id.is_none()).map(|member| member.id.clone()).collect();
        missing.iter().for_each(|id| self.forget_member(id, turn));
        if !self.members.is_empty() && !self.elect_joined_leader() {
            // Only absent static members are left: give them as long again.
            let deadline = turn.now.monotonic_ms + self.rebalance_timeout_ms();
            self.join_phase = Some(JoinPhase { deadline, initial: None });
            return;
        }
        self.generation = if self.generation == i32::MAX { 1 } else { self.generation + 1 };
        if self.members.is_empty() {
            self.protocol = None;
            self.leader = None;
            self.enter(GroupState::Empty, turn.now);
            self.persist(turn);
            return;
        }
        self.protocol = self.select_protocol();
        self.enter(GroupState::CompletingRebalance, turn.now);
        self.sync_deadline = Some(turn.now.monotonic_ms + self.rebalance_timeout_ms());
        self.unsynced = self.members.keys().cloned().collect();
        let ids: Vec<_> = self.members.keys().cloned().collect();
        for id in ids {
            let joined = self.joined(&id);
            if let Some(member) = self.members.get_mut(&id) {
                // An absent static member keeps the deadline that it has.
                if let Some(token) = member.awaiting_join.take() {
                    member.is_new = false;
                    member.touch(turn.now);
                    turn.wake(Some(token), Woken::Join(Ok(joined)));
                }
            }
        }
    }

    /// The leader stays if it has joined; otherwise somebody who has takes over.
    fn elect_joined_leader(&mut self) -> bool {
        let joined = |id: &String| self.members.get(id).is_some_and(|member| member.awaiting_join.is_some());
        if self.leader.as_ref().is_some_and(joined) {
            return true;
        }
        match self.members.values().find(|member| member.awaiting_join.is_some()) {
            Some(member) => {
                self.leader = Some(member.id.clone());
                true
            }
            None => false,
        }
    }

    /// Every member votes for the first of its protocols that all members speak. Ties go to the name
    /// that sorts first, so that every replica of this decision is the same.
    pub(super) fn select_protocol(&self) -> Option<String> {
        let common = |name: &str| self.members.values().all(|member| member.speaks(name));
        let mut votes = std::collections::BTreeMap::<&str, usize>::new();
        for member in self.members.values() {
            if let Some(choice) = member.protocols.iter().find(|offered| common(&offered.name)) {
                *votes.entry(&choice.name).or_default() += 1;
            }
        }
        let most = votes.values().copied().max()?;
        votes.into_iter().find(|(_, count)| *count == most).map(|(name, _)| name.to_owned())
    }

    /// The sync phase ends without an assignment.
    fn abandon_sync(&mut self, turn: &mut Turn<'_>) {
        for member in self.members.values_mut() {
            member.assignment = bytes::Bytes::new();
            turn.wake(member.awaiting_sync.take(), Woken::Sync(Err(GroupError::RebalanceInProgress)));
        }
    }

    /// Writes the group as it is now.
    pub(super) fn persist(&self, turn: &mut Turn<'_>) {
        turn.effects.records.push(Record::Group { group: self.id.clone(), value: Some(self.value()) });
    }

    /// What the log keeps of the group.
    pub fn value(&self) -> GroupValue {
        GroupValue {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            state_timestamp_ms: self.state_since_ms,
            members: self.members.values().map(|member| member.value(self.protocol.as_deref())).collect(),
        }
    }
}
