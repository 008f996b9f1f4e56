//! What a replica is told once. No defaults: whoever starts it knows better.

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Which of the voters this replica is; never 0.
    pub me: u64,
    pub voters: Vec<u64>,
    /// Ticks without word from a leader before an election; Raft doubles it at random.
    pub election_ticks: usize,
    pub heartbeat_ticks: usize,
    /// Bytes of entries in one message to a peer.
    pub message_bytes_max: u64,
    /// Messages to one peer before its answer.
    pub inflight_messages_max: usize,
    /// Bytes proposed and not committed; beyond it, proposals are refused.
    pub uncommitted_bytes_max: u64,
    /// Bytes of committed entries handed out at once.
    pub committed_bytes_max: u64,
}
