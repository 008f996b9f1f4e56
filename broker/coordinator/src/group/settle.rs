//! From the log back to a group.
use super::member::{Member, Protocol};
use super::{Group, GroupState};
use crate::coordinator::Now;
use crate::format::GroupValue;

impl Group {
    /// Takes the state that a record tells. Offsets stay: they have records of their own.
    pub fn restore(&mut self, value: GroupValue) {
        let name = value.protocol.clone();
        self.state = if value.members.is_empty() { GroupState::Empty } else { GroupState::Stable };
        self.state_since_ms = value.state_timestamp_ms;
        self.generation = value.generation;
        self.protocol_type = Some(value.protocol_type).filter(|kind| !kind.is_empty());
        self.protocol = value.protocol;
        self.statics = value.members.iter().filter_map(|member| Some((member.instance_id.clone()?, member.id.clone()))).collect();
        self.members = value
            .members
            .into_iter()
            .map(|member| {
                // Of the protocols that the member spoke, the log keeps the one that was chosen.
                let protocols = name.iter().map(|name| Protocol { name: name.clone(), metadata: member.subscription.clone() }).collect();
                let restored = Member {
                    id: member.id.clone(),
                    instance_id: member.instance_id,
                    client_id: member.client_id,
                    client_host: member.client_host,
                    rebalance_timeout_ms: member.rebalance_timeout_ms,
                    session_timeout_ms: member.session_timeout_ms,
                    protocols,
                    assignment: member.assignment,
                    awaiting_join: None,
                    awaiting_sync: None,
                    is_new: false,
                    deadline: i64::MAX,
                };
                (member.id, restored)
            })
            .collect();
        let known = |leader: &String| self.members.contains_key(leader);
        self.leader = value.leader.filter(known).or_else(|| self.members.keys().next().cloned());
        self.pending.clear();
        self.join_phase = None;
        self.sync_deadline = None;
        self.unsynced.clear();
    }

    /// The log has been read: from now on members must be heard of.
    pub fn loaded(&mut self, now: Now) {
        self.members.values_mut().for_each(|member| member.touch(now));
    }
}
