//! What a start finds: for every group the last hard state, how far its segments are known to be
//! durable, and the entries that must be in its log, whether or not the segments kept them.
use std::collections::BTreeMap;

use bytes::Bytes;

use crate::item::Item;
use crate::{GroupId, HardState};

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Replay {
    pub groups: BTreeMap<GroupId, GroupReplay>,
    /// Frames read back; 0 after a clean stop.
    pub frames: u64,
    /// There was no journal: nothing is known.
    pub is_new: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct GroupReplay {
    pub hard_state: HardState,
    /// The segments hold every entry up to here; less than that is corruption.
    pub synced: u64,
    /// Ascending without gaps, as the log must hold them.
    pub entries: Vec<ReplayEntry>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplayEntry {
    pub index: u64,
    pub bytes: Bytes,
}

impl Replay {
    pub(crate) fn apply(&mut self, group: GroupId, item: Item) {
        match item {
            Item::Removed => {
                self.groups.remove(&group);
            }
            Item::HardState(state) => self.groups.entry(group).or_default().hard_state = state,
            Item::Synced { index } => {
                let group = self.groups.entry(group).or_default();
                group.synced = index;
                // Truncated and written anew, or simply older: what the segments hold wins.
                group.entries.retain(|entry| entry.index > index);
            }
            Item::Entry { index, bytes } => {
                let group = self.groups.entry(group).or_default();
                // A later frame with the same index replaced the entry and all behind it.
                while group.entries.last().is_some_and(|last| last.index >= index) {
                    group.entries.pop();
                }
                group.synced = group.synced.min(index.saturating_sub(1));
                group.entries.push(ReplayEntry { index, bytes });
            }
        }
    }
}
