//! The replica: Raft's numbers turned into the log's. It keeps the order of calls, and folds what
//! was committed into a high watermark and the internal entries that somebody has to act on.
use bytes::Bytes;
use millrace_record::{InternalFrame, InternalKind, MAGIC_INTERNAL, Offset, Prefix};

use crate::entry::end_offset;
use crate::raft::{Committed, Raft, What};
use crate::{EntryLog, HardState, LogEntry, PeerMessage, RaftError, Settings};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    Leader,
    /// Follows the named leader, or waits for one.
    Follower { leader: Option<u64> },
}

/// What the owner must make stable before it calls `persisted`. Messages may leave at once.
#[derive(Debug, Default)]
pub struct Effects {
    /// In order and without gaps. Where the first one is not the log's next, the log is cut there.
    pub entries: Vec<LogEntry>,
    pub hard_state: Option<HardState>,
    /// False: nothing here needs an fsync.
    pub must_sync: bool,
    pub messages: Vec<PeerMessage>,
}

/// What is true once the effects are stable.
#[derive(Debug, Default)]
pub struct Progress {
    pub messages: Vec<PeerMessage>,
    /// Committed `Trim` entries: the log starts here from now on.
    pub trim_to: Option<Offset>,
}

pub struct Replica<L: EntryLog> {
    raft: Raft<L>,
    high_watermark: Offset,
    /// Of committed entries that came with `collect` already; told with the next `persisted`.
    early: Vec<Committed>,
}

impl<L: EntryLog> Replica<L> {
    /// Takes up where `hard_state` and `log` left off. A lone voter does not wait for a timeout: it
    /// should be told to `campaign` at once.
    pub fn start(settings: &Settings, hard_state: HardState, log: L) -> Result<Self, RaftError> {
        let raft = Raft::start(settings, hard_state, log)?;
        let committed = raft.committed();
        let high_watermark = raft.log().offset_after(committed).map_err(|e| RaftError::Other(e.to_string()))?;
        Ok(Replica { raft, high_watermark, early: Vec::new() })
    }

    pub fn log(&self) -> &L {
        self.raft.log()
    }

    /// For writing what `collect` asked for, and for what lies below the watermark (cleaning).
    pub fn log_mut(&mut self) -> &mut L {
        self.raft.log_mut()
    }

    pub fn into_log(self) -> L {
        self.raft.into_log()
    }

    pub fn role(&self) -> Role {
        if self.raft.is_leader() { Role::Leader } else { Role::Follower { leader: self.raft.leader() } }
    }

    pub fn is_leader(&self) -> bool {
        self.raft.is_leader()
    }

    pub fn takes_proposals(&self) -> bool {
        self.raft.takes_proposals()
    }

    pub fn term(&self) -> u64 {
        self.raft.term()
    }

    pub fn hard_state(&self) -> HardState {
        self.raft.hard_state()
    }

    /// The offset after the last committed entry.
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// Index of the last committed entry.
    pub fn committed(&self) -> u64 {
        self.raft.committed()
    }

    /// Frames that the leader stamped, in order: all are proposed, or none.
    pub fn propose(&mut self, frames: impl Iterator<Item = Bytes>) -> Result<(), RaftError> {
        assert!(self.raft.is_leader(), "only a leader stamps");
        self.raft.propose(frames)
    }

    pub fn step(&mut self, message: PeerMessage) -> Result<(), RaftError> {
        self.raft.step(message)
    }

    /// One unit of a group's time. A group of one has no use for it.
    pub fn tick(&mut self) {
        self.raft.tick();
    }

    pub fn campaign(&mut self) -> Result<(), RaftError> {
        self.raft.campaign()
    }

    pub fn has_work(&self) -> bool {
        self.raft.has_work()
    }

    /// What came of the calls since the last time. `persisted` must follow before anything else.
    pub fn collect(&mut self) -> Result<Effects, RaftError> {
        let collected = self.raft.collect()?;
        assert!(self.early.is_empty(), "persisted() took them");
        self.early = collected.committed;
        Ok(Effects { entries: collected.entries, hard_state: collected.hard_state, must_sync: collected.must_sync, messages: collected.messages })
    }

    /// The entries are in the log and stable, and so is the hard state. Afterwards `has_work` may be
    /// true again.
    pub fn persisted(&mut self) -> Result<Progress, RaftError> {
        let advanced = self.raft.advance()?;
        let mut progress = Progress { messages: advanced.messages, trim_to: None };
        let early = std::mem::take(&mut self.early);
        for committed in early.into_iter().chain(advanced.committed) {
            self.apply(committed, &mut progress)?;
        }
        Ok(progress)
    }

    fn apply(&mut self, committed: Committed, progress: &mut Progress) -> Result<(), RaftError> {
        let bytes = match committed.what {
            What::Frame(bytes) => bytes,
            What::NoOp => return Ok(()),
            // Replica sets are fixed so far: nobody proposes such an entry.
            What::Membership => {
                return Err(RaftError::Inconsistent(format!("entry {} of term {} changes the replica set", committed.index, committed.term)));
            }
        };
        let bad = |e| RaftError::Inconsistent(format!("committed entry {}: {e}", committed.index));
        let end = end_offset(&bytes).map_err(bad)?;
        if end < self.high_watermark {
            // A base offset lies outside Kafka's checksum.
            return Err(RaftError::Inconsistent(format!("entry {} ends at {end}, below the watermark {}", committed.index, self.high_watermark)));
        }
        self.high_watermark = end;
        if Prefix::parse(&bytes).map_err(bad)?.magic == MAGIC_INTERNAL {
            let frame = InternalFrame::parse(&bytes).map_err(bad)?;
            if frame.kind == InternalKind::Trim {
                let to = frame.trim_to().map_err(bad)?;
                progress.trim_to = Some(progress.trim_to.map_or(to, |before| before.max(to)));
            }
        }
        Ok(())
    }
}
