//! Consumer groups and their offsets, as Kafka's classic protocol has them.
//!
//! ```text
//!  request + now ──► Coordinator ──► records   (append to the __consumer_offsets partition)
//!  timer   + now ──►             ──► replies   (leave when those records are committed)
//!                                ──► the next deadline
//!  records of the log ──► Coordinator::replay  (after a start, or when leadership comes here)
//! ```
//! One `Coordinator` is one partition of `__consumer_offsets`. It changes at once and may be ahead of
//! the log by what is being appended; if an append fails, its owner throws it away and replays.
//! * `format`: keys and values of the log, byte for byte Kafka's, so that outside tools can read them.
//! * `group`: who is a member, who leads, who has which assignment.
//! * `offsets`: what was committed, and when it is forgotten.
//!
//! Absences: no sockets, no files, no clock and no chance (both are arguments), no hash order. It does
//! not know which topics exist; it looks into member metadata only to see which topics a consumer
//! group subscribes to.
mod config;
mod coordinator;
mod error;
pub mod format;
mod group;
mod offsets;

pub use config::CoordinatorConfig;
pub use coordinator::{Coordinator, Decision, Now, Token, Woken};
pub use error::GroupError;
pub use format::{GroupValue, MemberValue, OffsetValue, Record};
pub use group::{
    GroupListing, GroupState, GroupView, JoinGroup, JoinRefused, Joined, JoinedMember, LeaveMember, MemberView, Presence, Protocol, SyncGroup, Synced,
};
pub use offsets::{CommitOffset, CommitOffsets, Committed, TopicPartition};

/// The partition of `__consumer_offsets` that a group lives in: Java's hash of its name, which every
/// Kafka broker and several tools compute the same way.
pub fn partition_for(group: &str, partitions: i32) -> i32 {
    let hash = group.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    // Java's abs of the smallest int is itself; Kafka maps it to 0.
    hash.checked_abs().unwrap_or(0) % partitions.max(1)
}

#[cfg(test)]
mod tests {
    use super::partition_for;

    #[test]
    fn groups_hash_as_in_java() {
        // "polygenelubricants".hashCode() is Integer.MIN_VALUE; "test".hashCode() is 3556498.
        assert_eq!(partition_for("polygenelubricants", 50), 0);
        assert_eq!(partition_for("test", 50), 3_556_498 % 50);
        assert_eq!(partition_for("", 50), 0);
    }
}
