//! One log agreed by Raft: events in, effects out. No I/O, no clock.
