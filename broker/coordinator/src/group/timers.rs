//! What happens when nothing is heard.
use super::{Group, GroupState, Turn};

impl Group {
    /// The earliest moment at which silence means something.
    pub fn deadline(&self) -> Option<i64> {
        let members = self.members.values().map(|member| member.deadline);
        let phases = self.join_phase.as_ref().map(|phase| phase.deadline).into_iter().chain(self.sync_deadline);
        members.chain(self.pending.values().copied()).chain(phases).min()
    }

    /// Does what is due.
    pub fn wake(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.monotonic_ms;
        self.expire_pending(turn);
        self.expire_members(turn);
        if self.join_phase.as_ref().is_some_and(|phase| phase.deadline <= now) {
            self.join_phase_over(turn);
        }
        if self.sync_deadline.is_some_and(|deadline| deadline <= now) {
            self.sync_phase_over(turn);
        }
    }

    fn expire_pending(&mut self, turn: &mut Turn<'_>) {
        let before = self.pending.len();
        self.pending.retain(|_, deadline| *deadline > turn.now.monotonic_ms);
        if self.pending.len() < before && self.state == GroupState::PreparingRebalance {
            self.try_complete_join(turn);
        }
    }

    fn expire_members(&mut self, turn: &mut Turn<'_>) {
        let due: Vec<_> =
            self.members.values().filter(|member| member.deadline <= turn.now.monotonic_ms).map(|member| member.id.clone()).collect();
        let mut somebody_went = false;
        for id in due {
            let Some(member) = self.members.get_mut(&id) else { continue };
            // A parked request is a sign of life, but a new member's first join does not wait for ever.
            if member.awaiting_sync.is_some() || (member.awaiting_join.is_some() && !member.is_new) {
                member.touch(turn.now);
            } else {
                self.forget_member(&id, turn);
                somebody_went = true;
            }
        }
        if somebody_went {
            self.after_removal(turn);
        }
    }

    /// Members that joined and never asked for their assignment would hold partitions without reading
    /// them: they go, and the rest rebalance.
    fn sync_phase_over(&mut self, turn: &mut Turn<'_>) {
        self.sync_deadline = None;
        let late = std::mem::take(&mut self.unsynced);
        late.iter().for_each(|id| self.forget_member(id, turn));
        if !late.is_empty() {
            self.after_removal(turn);
        }
    }
}
