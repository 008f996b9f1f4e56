//! The one file that touches raft-rs. It turns our entries into the crate's and back, sets what its
//! defaults get wrong, keeps unapplied entries at hand, and turns its errors into ours.
//!
//! What to know of the crate: `fatal!` panics on indexes that cannot be; between `ready` and
//! `advance_append` nothing may be called; `persisted_messages` wait for the disk; a leader's first
//! entry in a term is an empty one (our NoOp frame).
use std::cell::Cell;
use std::collections::VecDeque;

use bytes::Bytes;
use millrace_record::{InternalFrame, InternalKind, MAGIC_INTERNAL, Prefix, internal_frame};
use raft::eraftpb::{self, ConfState, Entry, EntryType, Message, MessageType, Snapshot};
use raft::{Config, GetEntriesContext, RaftState, RawNode, Ready, StateRole, Storage, StorageError};
use thiserror::Error;

use crate::entry::{end_offset, epoch};
use crate::{EntryLog, HardState, LogEntry, LogReadError, Settings};

#[derive(Debug, Error)]
pub enum RaftError {
    /// What is on the disk cannot be the state of one replica. Guessing would hide a loss.
    #[error("{0}")]
    Inconsistent(String),
    #[error("the proposal was dropped: {0}")]
    Dropped(String),
    #[error("raft: {0}")]
    Other(String),
}

/// A message to another replica of the group, or from one.
#[derive(Clone, PartialEq, Debug)]
pub struct PeerMessage(Message);

impl PeerMessage {
    pub fn to(&self) -> u64 {
        self.0.to
    }
    pub fn from(&self) -> u64 {
        self.0.from
    }
}

pub(crate) struct Raft<L: EntryLog> {
    node: RawNode<Store<L>>,
    /// Collected, not persisted yet.
    ready: Option<Ready>,
}

/// What a ready asks for before anything else.
#[derive(Default)]
pub(crate) struct Collected {
    pub entries: Vec<LogEntry>,
    pub hard_state: Option<HardState>,
    pub must_sync: bool,
    pub messages: Vec<PeerMessage>,
    pub committed: Vec<Committed>,
}

/// What is true once that is stable.
#[derive(Default)]
pub(crate) struct Advanced {
    pub messages: Vec<PeerMessage>,
    pub committed: Vec<Committed>,
}

pub(crate) struct Committed {
    pub index: u64,
    pub term: u64,
    pub what: What,
}

pub(crate) enum What {
    /// A batch or an internal frame of ours.
    Frame(Bytes),
    NoOp,
    Membership,
}

impl<L: EntryLog> Raft<L> {
    pub fn start(settings: &Settings, hard_state: HardState, log: L) -> Result<Self, RaftError> {
        let (first, last) = (log.first_index(), log.last_index());
        if hard_state.commit > last {
            return Err(RaftError::Inconsistent(format!("entries up to {} were committed, but the log ends at {last}", hard_state.commit)));
        }
        let mut hard_state = hard_state;
        // What was trimmed away was committed, also when the journal did not hear of it in time.
        hard_state.commit = hard_state.commit.max(first.saturating_sub(1));
        let last_term = log.term_of(last).unwrap_or(0);
        if last_term > hard_state.term {
            // Entries reached the segment, the journal's frame with their term did not. Nothing was
            // voted or acknowledged in that term, so it may be taken up without a vote.
            hard_state.term = last_term;
            hard_state.vote = 0;
        }
        let config = Config {
            id: settings.me,
            election_tick: settings.election_ticks,
            heartbeat_tick: settings.heartbeat_ticks,
            applied: hard_state.commit,
            max_size_per_msg: settings.message_bytes_max,
            max_inflight_msgs: settings.inflight_messages_max,
            check_quorum: true,
            pre_vote: true,
            max_uncommitted_size: settings.uncommitted_bytes_max,
            max_committed_size_per_ready: settings.committed_bytes_max,
            ..Config::default()
        };
        let conf = ConfState { voters: settings.voters.clone(), ..ConfState::default() };
        let store = Store { log, unapplied: VecDeque::new(), hard_state, conf, trouble: Cell::new(None) };
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let node = RawNode::new(&config, store, &logger).map_err(other)?;
        assert_eq!(node.raft.raft_log.applied, hard_state.commit, "raft applies from where the log is applied");
        Ok(Raft { node, ready: None })
    }

    pub fn log(&self) -> &L {
        &self.node.store().log
    }

    pub fn log_mut(&mut self) -> &mut L {
        &mut self.node.mut_store().log
    }

    pub fn into_log(self) -> L {
        // RawNode gives its storage away only by reference.
        self.node.raft.r.raft_log.store.log
    }

    pub fn is_leader(&self) -> bool {
        self.node.raft.state == StateRole::Leader
    }

    pub fn leader(&self) -> Option<u64> {
        Some(self.node.raft.leader_id).filter(|leader| *leader != 0)
    }

    pub fn term(&self) -> u64 {
        self.node.raft.term
    }

    pub fn committed(&self) -> u64 {
        self.node.raft.raft_log.committed
    }

    /// The hard state as it is now, whether or not it was handed out.
    pub fn hard_state(&self) -> HardState {
        let raft = &self.node.raft;
        HardState { term: raft.term, vote: raft.vote, commit: raft.raft_log.committed }
    }

    /// Whether a leader takes proposals: not while it hands over.
    pub fn takes_proposals(&self) -> bool {
        self.is_leader() && self.node.raft.lead_transferee.is_none()
    }

    /// All or none are proposed.
    pub fn propose(&mut self, frames: impl Iterator<Item = Bytes>) -> Result<(), RaftError> {
        assert!(self.ready.is_none());
        let entries: Vec<Entry> = frames.map(|data| Entry { data, ..Entry::default() }).collect();
        let mut message = Message::default();
        message.set_msg_type(MessageType::MsgPropose);
        message.from = self.node.raft.id;
        message.set_entries(entries.into());
        self.node.step(message).map_err(|e| match e {
            raft::Error::ProposalDropped => RaftError::Dropped(e.to_string()),
            e => other(e),
        })
    }

    pub fn step(&mut self, message: PeerMessage) -> Result<(), RaftError> {
        assert!(self.ready.is_none());
        match self.node.step(message.0) {
            // A peer that was removed, or not added yet: as good as a lost message.
            Ok(()) | Err(raft::Error::StepPeerNotFound) => Ok(()),
            Err(e) => Err(other(e)),
        }
    }

    pub fn tick(&mut self) {
        assert!(self.ready.is_none());
        self.node.tick();
    }

    pub fn campaign(&mut self) -> Result<(), RaftError> {
        assert!(self.ready.is_none());
        self.node.campaign().map_err(other)
    }

    pub fn has_work(&self) -> bool {
        self.node.has_ready()
    }

    pub fn collect(&mut self) -> Result<Collected, RaftError> {
        assert!(self.ready.is_none(), "one ready at a time");
        let mut ready = self.node.ready();
        self.node.store().untroubled()?;
        if !ready.snapshot().is_empty() {
            return Err(RaftError::Other("a snapshot arrived, and none can be installed".into()));
        }
        let entries = ready.take_entries();
        let store = self.node.mut_store();
        let frames = store.frames(&entries)?;
        store.remember(entries);
        let hard_state = ready.hs().map(|state| HardState { term: state.term, vote: state.vote, commit: state.commit });
        if let Some(hard_state) = hard_state {
            store.hard_state = hard_state;
        }
        // On a leader these may leave at once; anybody else's wait (`advance`).
        let messages = ready.take_messages().into_iter().map(PeerMessage).collect();
        let committed = ready.take_committed_entries().into_iter().map(committed).collect();
        let must_sync = ready.must_sync();
        self.ready = Some(ready);
        Ok(Collected { entries: frames, hard_state, must_sync, messages, committed })
    }

    /// What was collected is stable.
    pub fn advance(&mut self) -> Result<Advanced, RaftError> {
        let mut ready = self.ready.take().expect("something was collected");
        let mut messages = ready.take_persisted_messages();
        let mut light = self.node.advance_append(ready);
        self.node.store().untroubled()?;
        messages.extend(light.take_messages());
        let committed = light.take_committed_entries().into_iter().map(committed).collect();
        self.node.advance_apply();
        let applied = self.node.raft.raft_log.applied;
        let store = self.node.mut_store();
        store.forget(applied);
        Ok(Advanced { messages: messages.into_iter().map(PeerMessage).collect(), committed })
    }
}

fn other(e: raft::Error) -> RaftError {
    RaftError::Other(e.to_string())
}

fn committed(entry: Entry) -> Committed {
    let what = match entry.entry_type {
        EntryType::EntryConfChange | EntryType::EntryConfChangeV2 => What::Membership,
        EntryType::EntryNormal if entry.data.is_empty() => What::NoOp,
        EntryType::EntryNormal => What::Frame(entry.data),
    };
    Committed { index: entry.index, term: entry.term, what }
}

/// An entry of the log as Raft knows it.
fn to_raft(entry: LogEntry) -> Result<Entry, String> {
    let prefix = Prefix::parse(&entry.bytes).map_err(|e| e.to_string())?;
    let term = u64::try_from(prefix.epoch.0).map_err(|_| format!("entry {} has epoch {}", entry.index, prefix.epoch))?;
    let mut out = Entry { index: entry.index, term, ..Entry::default() };
    if prefix.magic == MAGIC_INTERNAL {
        let frame = InternalFrame::parse(&entry.bytes).map_err(|e| e.to_string())?;
        match frame.kind {
            InternalKind::NoOp => return Ok(out),
            InternalKind::Membership => {
                out.entry_type = EntryType::EntryConfChangeV2;
                out.data = entry.bytes.slice_ref(frame.payload);
                return Ok(out);
            }
            _ => {}
        }
    }
    out.data = entry.bytes;
    Ok(out)
}

/// Raft's storage: the log, and before it what was handed out but not applied.
struct Store<L> {
    log: L,
    /// Without gaps; its last entry is the log's last, once that is written.
    unapplied: VecDeque<Entry>,
    hard_state: HardState,
    conf: ConfState,
    /// Reading failed. The crate would panic if it were told; it is told "later" instead, and the next
    /// `collect` or `advance` reports it.
    trouble: Cell<Option<String>>,
}

impl<L: EntryLog> Store<L> {
    fn untroubled(&self) -> Result<(), RaftError> {
        self.trouble.take().map_or(Ok(()), |trouble| Err(RaftError::Other(trouble)))
    }

    fn unreadable(&self, e: LogReadError) -> raft::Error {
        raft::Error::Store(match e {
            LogReadError::Compacted(_) => StorageError::Compacted,
            LogReadError::Trouble(trouble) => {
                self.trouble.set(Some(trouble));
                StorageError::LogTemporarilyUnavailable
            }
        })
    }

    /// Frames for the log. Raft's own entries get one here; the others are frames already.
    fn frames(&self, entries: &[Entry]) -> Result<Vec<LogEntry>, RaftError> {
        let Some(first) = entries.first() else { return Ok(Vec::new()) };
        let mut end = self.log.offset_after(first.index - 1).map_err(|e| RaftError::Other(e.to_string()))?;
        let mut frames = Vec::with_capacity(entries.len());
        for entry in entries {
            let internal = |kind| internal_frame(kind, end, epoch(entry.term), &entry.data).freeze();
            let bytes = match entry.entry_type {
                EntryType::EntryConfChange | EntryType::EntryConfChangeV2 => internal(InternalKind::Membership),
                EntryType::EntryNormal if entry.data.is_empty() => internal(InternalKind::NoOp),
                EntryType::EntryNormal => entry.data.clone(),
            };
            let prefix = Prefix::parse(&bytes).map_err(|e| RaftError::Other(e.to_string()))?;
            if prefix.base_offset != end || prefix.epoch != epoch(entry.term) {
                return Err(RaftError::Inconsistent(format!(
                    "entry {} of term {} is stamped {} in epoch {}, but belongs at {end}",
                    entry.index, entry.term, prefix.base_offset, prefix.epoch
                )));
            }
            end = end_offset(&bytes).map_err(|e| RaftError::Other(e.to_string()))?;
            frames.push(LogEntry { index: entry.index, bytes });
        }
        Ok(frames)
    }

    fn read_entries(&self, low: u64, high: u64, max_size: u64) -> raft::Result<Vec<Entry>> {
        let mut out = Vec::new();
        let mut size = 0_u64;
        if self.remembered(low).is_none() {
            let to = self.unapplied.front().map_or(high, |first| first.index.min(high));
            for entry in self.log.entries(low, to, max_size).map_err(|e| self.unreadable(e))? {
                size = size.saturating_add(entry.bytes.len() as u64);
                out.push(to_raft(entry).map_err(|e| self.unreadable(LogReadError::Trouble(e)))?);
            }
            if out.len() as u64 != to - low {
                return Ok(out);
            }
        }
        for index in low + out.len() as u64..high {
            let Some(entry) = self.remembered(index) else { break };
            size = size.saturating_add(entry.data.len() as u64);
            if size > max_size && !out.is_empty() {
                break;
            }
            out.push(entry.clone());
        }
        Ok(out)
    }

    fn remember(&mut self, entries: Vec<Entry>) {
        let Some(first) = entries.first().map(|entry| entry.index) else { return };
        while self.unapplied.back().is_some_and(|last| last.index >= first) {
            self.unapplied.pop_back();
        }
        assert!(self.unapplied.back().is_none_or(|last| last.index + 1 == first), "remembered entries have no gap");
        self.unapplied.extend(entries);
    }

    fn forget(&mut self, applied: u64) {
        while self.unapplied.front().is_some_and(|first| first.index <= applied) {
            self.unapplied.pop_front();
        }
    }

    fn remembered(&self, index: u64) -> Option<&Entry> {
        let first = self.unapplied.front()?.index;
        self.unapplied.get(usize::try_from(index.checked_sub(first)?).ok()?)
    }
}

impl<L: EntryLog> Storage for Store<L> {
    fn initial_state(&self) -> raft::Result<RaftState> {
        let HardState { term, vote, commit } = self.hard_state;
        let hard_state = eraftpb::HardState { term, vote, commit, ..eraftpb::HardState::default() };
        Ok(RaftState { hard_state, conf_state: self.conf.clone() })
    }

    fn entries(&self, low: u64, high: u64, max_size: impl Into<Option<u64>>, context: GetEntriesContext) -> raft::Result<Vec<Entry>> {
        match self.read_entries(low, high, max_size.into().unwrap_or(u64::MAX)) {
            // Who cannot wait panics at an error. It gets an entry to count, and nothing is made of it:
            // `collect` and `advance` report the trouble.
            Err(raft::Error::Store(StorageError::LogTemporarilyUnavailable)) if !context.can_async() => {
                Ok(vec![Entry { index: low, ..Entry::default() }])
            }
            read => read,
        }
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if let Some(entry) = self.remembered(index) {
            return Ok(entry.term);
        }
        let unknown = if index < self.log.first_index() { StorageError::Compacted } else { StorageError::Unavailable };
        self.log.term_of(index).ok_or(raft::Error::Store(unknown))
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.log.first_index())
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.unapplied.back().map_or_else(|| self.log.last_index(), |last| last.index))
    }

    fn snapshot(&self, _request_index: u64, _to: u64) -> raft::Result<Snapshot> {
        Err(raft::Error::Store(StorageError::SnapshotTemporarilyUnavailable))
    }
}
