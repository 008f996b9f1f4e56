//! One log agreed by Raft: events in, effects out.
//!
//! ```text
//!  Propose, Step, Tick, Campaign            Persisted
//!        │                                      │
//!        ▼                                      ▼
//!   ┌─────────┐  collect()  ┌─────────┐  persisted()  ┌──────────┐
//!   │ replica │ ──────────▶ │ Effects │ ────────────▶ │ Progress │ watermark, committed
//!   └─────────┘             └─────────┘               └──────────┘ internal entries
//!                    the owner writes the entries to the log,
//!                    the hard state to the journal, and syncs
//! ```
//! One Raft entry is one frame of the log: a record batch, or an internal frame of width zero. The
//! log itself is Raft's storage ([`EntryLog`]); entries not applied yet are kept in memory, so that
//! on the hot path committing costs no disk read.
//!
//! Invariants:
//! 1. Between `collect` and `persisted` nothing else is asked of a replica (asserted).
//! 2. Messages in `Effects` may leave at once, those in `Progress` only because it is stable.
//! 3. Offsets: a frame's base offset is the end of the frame before it, on every replica.
//! 4. The high watermark never goes back while the replica lives.
//!
//! No I/O, no clock, no thread; no topics, no partitions, no Kafka. `raft.rs` alone knows which
//! Raft library this is.
mod entry;
mod raft;
mod replica;
mod settings;
#[cfg(test)]
mod tests;

pub use entry::{EntryLog, LogReadError};
pub use millrace_log::LogEntry;
pub use raft::{PeerMessage, RaftError};
pub use replica::{Effects, Progress, Replica, Role};
pub use settings::Settings;
pub use state::HardState;

mod state {
    /// What a replica must not forget, beside its log.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct HardState {
        pub term: u64,
        /// 0: no vote in this term.
        pub vote: u64,
        pub commit: u64,
    }
}
