//! The turn: drain the mailbox, step replicas, write, one fsync, wake parked replies.
