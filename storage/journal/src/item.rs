//! Items: what a frame is made of, and what a checkpoint carries for groups not opened yet.
use bytes::Bytes;

use crate::{GroupId, HardState};

const ENTRY: u8 = 1;
const HARD_STATE: u8 = 2;
const SYNCED: u8 = 3;
const REMOVED: u8 = 4;

/// What an entry costs beside its bytes.
pub(crate) const ENTRY_OVERHEAD: usize = 1 + 8 + 8 + 4;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Item {
    Entry { index: u64, bytes: Bytes },
    HardState(HardState),
    Synced { index: u64 },
    Removed,
}

/// The payload of one frame as it grows during a turn. Reused from turn to turn.
#[derive(Default)]
pub struct TurnFrame {
    bytes: Vec<u8>,
}

impl TurnFrame {
    pub fn entry(&mut self, group: GroupId, index: u64, bytes: &[u8]) {
        self.begin(ENTRY, group);
        self.number(index);
        self.bytes.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(bytes);
    }

    pub fn hard_state(&mut self, group: GroupId, state: HardState) {
        self.begin(HARD_STATE, group);
        self.number(state.term);
        self.number(state.vote);
        self.number(state.commit);
    }

    /// The group's segments hold everything up to `index`, on stable storage.
    pub fn synced(&mut self, group: GroupId, index: u64) {
        self.begin(SYNCED, group);
        self.number(index);
    }

    /// Nothing of this group matters any more.
    pub fn removed(&mut self, group: GroupId) {
        self.begin(REMOVED, group);
    }

    /// What `entry` would add for so many bytes.
    pub fn cost_of_entry(bytes: usize) -> usize {
        ENTRY_OVERHEAD + bytes
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Empties it; memory beyond what an ordinary turn needs is given back.
    pub fn clear(&mut self) {
        const KEPT: usize = 2 << 20;
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
    }

    pub(crate) fn payload(&self) -> &[u8] {
        &self.bytes
    }

    fn begin(&mut self, kind: u8, group: GroupId) {
        self.bytes.push(kind);
        self.number(group.0);
    }

    fn number(&mut self, number: u64) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }
}

/// Walks the items of a payload. `None` at its end; `Err` where the bytes make no sense, which a
/// checksum that holds should have made impossible.
pub(crate) struct Items {
    rest: Bytes,
}

impl Items {
    pub fn new(payload: Bytes) -> Self {
        Items { rest: payload }
    }

    pub fn next(&mut self) -> Result<Option<(GroupId, Item)>, &'static str> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let kind = self.take(1)?[0];
        let group = GroupId(self.number()?);
        let item = match kind {
            ENTRY => {
                let index = self.number()?;
                let length = self.take(4)?;
                let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
                Item::Entry { index, bytes: self.take(length as usize)? }
            }
            HARD_STATE => Item::HardState(HardState { term: self.number()?, vote: self.number()?, commit: self.number()? }),
            SYNCED => Item::Synced { index: self.number()? },
            REMOVED => Item::Removed,
            _ => return Err("an item of unknown kind; was it written by a newer version?"),
        };
        Ok(Some((group, item)))
    }

    fn take(&mut self, length: usize) -> Result<Bytes, &'static str> {
        if self.rest.len() < length {
            return Err("an item ends early");
        }
        Ok(self.rest.split_to(length))
    }

    fn number(&mut self) -> Result<u64, &'static str> {
        let bytes = self.take(8)?;
        let mut number = [0; 8];
        number.copy_from_slice(&bytes);
        Ok(u64::from_le_bytes(number))
    }
}
