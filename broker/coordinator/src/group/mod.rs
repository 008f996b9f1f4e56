//! A classic group: who is in it, and how it agrees on an assignment.
//!
//! ```text
//!            first join                    delay or time-out over,
//!   Empty ───────────────► Preparing ────► all members joined ──────► Completing
//!     ▲                      ▲   ▲  │                                    │
//!     └── nobody left ───────┼───┼──┘            leader's assignment     │
//!                            │   └── join, leave, silence ── Stable ◄────┘
//!                            └────── join, leave, silence, no sync ──────┘
//! ```
//! A generation begins when a rebalance completes its join phase and is on disk when the leader's
//! assignment (or the emptiness) is. Subscriptions and assignments are opaque bytes.
//!
//! Invariants: the leader is a member; a static instance id names one member; only members of a
//! rebalancing group wait for a join, only members of a completing one for a sync; every parked request
//! is answered exactly once.
mod describe;
mod join;
mod leave;
mod member;
mod rebalance;
mod settle;
mod subscription;
mod sync;
mod timers;

use std::collections::{BTreeMap, BTreeSet};

pub use describe::{GroupListing, GroupView, MemberView};
pub use join::{JoinGroup, JoinRefused, Joined, JoinedMember};
pub use leave::LeaveMember;
pub use member::Protocol;
pub use sync::{Presence, SyncGroup, Synced};

use crate::config::CoordinatorConfig;
use crate::coordinator::{Now, Token, Woken};
use crate::error::GroupError;
use crate::format::Record;
use crate::offsets::Offsets;
use member::Member;

/// Where a group is in its cycle. Kafka's fifth state, Dead, is here a group that does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupState {
    Empty,
    PreparingRebalance,
    CompletingRebalance,
    Stable,
}

impl GroupState {
    pub const ALL: [Self; 4] = [Self::Empty, Self::PreparingRebalance, Self::CompletingRebalance, Self::Stable];

    /// As clients know it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
        }
    }
}

/// What an event brings about besides the change of the group itself.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub records: Vec<Record>,
    pub woken: Vec<(Token, Woken)>,
}

/// What every event may look at.
pub(crate) struct Turn<'a> {
    pub now: Now,
    pub config: &'a CoordinatorConfig,
    pub effects: &'a mut Effects,
}

impl Turn<'_> {
    fn wake(&mut self, token: Option<Token>, woken: Woken) {
        self.effects.woken.extend(token.map(|token| (token, woken)));
    }
}

/// The join phase under way: when it ends, and how much longer it may be drawn out.
#[derive(Debug, Clone, PartialEq, Eq)]
struct JoinPhase {
    deadline: i64,
    /// The first rebalance of an empty group waits a while for others, and again as long as more come.
    initial: Option<InitialDelay>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct InitialDelay {
    remaining_ms: i64,
    member_came: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Group {
    pub id: String,
    pub state: GroupState,
    /// Wall clock; -1 if not known.
    pub state_since_ms: i64,
    pub generation: i32,
    pub protocol_type: Option<String>,
    pub protocol: Option<String>,
    pub leader: Option<String>,
    pub members: BTreeMap<String, Member>,
    /// Instance id to member id.
    statics: BTreeMap<String, String>,
    /// Member ids that were handed out and have not come back yet, with their deadline.
    pending: BTreeMap<String, i64>,
    join_phase: Option<JoinPhase>,
    /// When members that have joined but not synced are given up.
    sync_deadline: Option<i64>,
    unsynced: BTreeSet<String>,
    pub offsets: Offsets,
}

impl Group {
    pub fn new(id: &str, now: Now) -> Self {
        Self {
            id: id.to_owned(),
            state: GroupState::Empty,
            state_since_ms: now.wall_ms,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            statics: BTreeMap::new(),
            pending: BTreeMap::new(),
            join_phase: None,
            sync_deadline: None,
            unsynced: BTreeSet::new(),
            offsets: Offsets::default(),
        }
    }

    /// A group of which the log has said nothing yet.
    pub fn blank(id: &str) -> Self {
        Self { state_since_ms: -1, ..Self::new(id, Now { monotonic_ms: 0, wall_ms: 0 }) }
    }

    /// Nothing in it is worth remembering.
    pub fn is_forgettable(&self) -> bool {
        self.state == GroupState::Empty && self.pending.is_empty() && self.offsets.is_empty()
    }

    fn enter(&mut self, state: GroupState, now: Now) {
        self.state = state;
        self.state_since_ms = now.wall_ms;
    }

    fn is_leader(&self, member: &str) -> bool {
        self.leader.as_deref() == Some(member)
    }

    /// Whether this member, under this instance id if it gives one, is in the group.
    fn check_member(&self, member: &str, instance: Option<&str>) -> Result<(), GroupError> {
        if let Some(instance) = instance {
            match self.statics.get(instance) {
                None => return Err(GroupError::UnknownMember),
                Some(known) if known != member => return Err(GroupError::FencedInstance),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member) { Ok(()) } else { Err(GroupError::UnknownMember) }
    }

    fn touch(&mut self, member: &str, now: Now) {
        if let Some(member) = self.members.get_mut(member) {
            member.touch(now);
        }
    }

    /// May a client commit offsets to it?
    pub fn check_commit(&self, member: &str, instance: Option<&str>, generation: i32) -> Result<(), GroupError> {
        if generation < 0 && self.state == GroupState::Empty {
            // A consumer that manages its own partitions.
            return Ok(());
        }
        if generation < 0 && member.is_empty() && instance.is_none() {
            return Err(GroupError::UnknownMember);
        }
        self.check_member(member, instance)?;
        if generation != self.generation {
            return Err(GroupError::IllegalGeneration);
        }
        // The member cannot know its assignment yet, so what it commits may be another's by now.
        if self.state == GroupState::CompletingRebalance { Err(GroupError::RebalanceInProgress) } else { Ok(()) }
    }

    /// A commit shows that its member is alive.
    pub fn committed(&mut self, member: &str, now: Now) {
        self.touch(member, now);
    }
}
