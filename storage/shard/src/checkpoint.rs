//! Checkpoints: segments flushed, all hard states written down, and only then the ring's tail moved.
//! They run beside the turns; a turn waits for one only when the ring has come round.
use std::time::Duration;

use millrace_journal::{Mark, TurnFrame};
use millrace_world::Moment;
use tracing::{debug, warn};

use crate::background::{Done, Job};
use crate::mailbox::Mail;
use crate::shard::Shard;
use crate::turn::{durable_state, journal_state};

/// A checkpoint begins when this share of the ring is used.
const RING_SHARE: u64 = 4;

pub(crate) struct Checkpoints {
    running: bool,
    last: Moment,
    /// After a checkpoint that found no room on the disk.
    not_before: Moment,
}

impl Checkpoints {
    pub fn new(now: Moment) -> Self {
        Checkpoints { running: false, last: now, not_before: now }
    }

    pub fn next_due(&self, every_ms: u64) -> Moment {
        if self.running { Moment(u64::MAX) } else { (self.last + Duration::from_millis(every_ms)).max(self.not_before) }
    }
}

impl Shard {
    /// Begins a checkpoint if one is due.
    pub(crate) fn keep_checkpoints(&mut self) {
        if self.failed || self.checkpoints.running {
            return;
        }
        let now = self.world.now();
        let filling = self.journal.used() > self.journal.size() / RING_SHARE && now >= self.checkpoints.not_before;
        if filling || now >= self.checkpoints.next_due(self.settings.checkpoint_ms) {
            self.checkpoints.last = now;
            if self.journal.used() > 0 || self.slots.iter().flatten().any(|group| group.replica.log().0.unsynced_bytes() > 0) {
                self.begin_checkpoint();
            }
        }
    }

    fn begin_checkpoint(&mut self) {
        assert!(!self.checkpoints.running);
        let mark = self.journal.head();
        let mut flushes = Vec::new();
        for group in self.slots.iter_mut().flatten() {
            if let Some(flush) = group.replica.log_mut().0.begin_flush() {
                group.flushes += 1;
                group.unflushed = Default::default();
                flushes.push((group.address, flush));
            }
        }
        let groups = self.checkpoint_groups();
        self.checkpoints.running = true;
        self.workers.submit(Job::checkpoint(flushes, self.workers.sync_lanes(), self.journal.checkpoint(), mark, groups));
    }

    /// What the checkpoint says of every group: true once its segments are flushed.
    pub(crate) fn checkpoint_groups(&self) -> TurnFrame {
        let mut groups = TurnFrame::default();
        for group in self.slots.iter().flatten() {
            let id = group.address.group;
            let log = &group.replica.log().0;
            let mut state = durable_state(group);
            state.commit = state.commit.max(group.journaled.commit).min(log.last_index());
            groups.hard_state(id, journal_state(state));
            groups.synced(id, log.last_index());
        }
        for (id, kept) in &self.unopened {
            groups.hard_state(*id, kept.hard_state);
            groups.synced(*id, kept.synced);
            for entry in &kept.entries {
                groups.entry(*id, entry.index, &entry.bytes);
            }
        }
        groups
    }

    /// A job's outcome, in the shard's own time.
    pub(crate) fn finish(&mut self, done: Done) {
        match done {
            Done::Checkpoint { flushed, written, mark } => {
                self.checkpoints.running = false;
                for (at, outcome) in flushed {
                    self.end_flush(at, outcome);
                }
                if let Some(written) = written.filter(|_| !self.failed) {
                    self.checkpoint_written(mark, written);
                }
            }
            Done::Flush { at, flushed } => self.end_flush(at, flushed),
            Done::Clean { at, cleaned } => self.end_clean(at, *cleaned),
            Done::Removed { left } => {
                for (doomed, e) in left {
                    warn!("{} was dropped, but not all of it could be removed; the next start tries again: {e}", doomed.path().display());
                }
            }
        }
    }

    fn checkpoint_written(&mut self, mark: Mark, written: Result<(), millrace_journal::JournalError>) {
        match written {
            Ok(()) => {
                self.journal.checkpointed(mark);
                debug!("checkpoint");
            }
            // The old checkpoint still stands. A full disk is no reason to stop; the ring has room.
            Err(e) if is_full(&e) => {
                warn!("no checkpoint for want of room: {e}");
                self.checkpoints.not_before = self.world.now() + Duration::from_secs(1);
            }
            Err(e) => self.fail_volume(&e),
        }
    }

    fn end_flush(&mut self, at: crate::mailbox::Address, outcome: Result<millrace_log::Flushed, millrace_log::LogError>) {
        match outcome {
            Ok(flushed) => {
                let Some(group) = self.group_mut(at) else { return };
                group.flushes -= 1;
                if let Err(e) = group.replica.log_mut().0.end_flush(flushed) {
                    self.fail_volume(&e);
                }
            }
            // Of a group that was deleted, nobody needs the bytes. One that was closed, and perhaps opened
            // again, has them in the same files: its next sync would find nothing left to do.
            Err(e) => {
                if self.by_id.contains_key(&at.group) || self.unopened.contains_key(&at.group) {
                    self.fail_volume(&e);
                }
            }
        }
    }

    /// Waits until no job is under way that writes a checkpoint or flushes.
    pub(crate) fn drain_jobs(&mut self) {
        let busy = |shard: &Shard| shard.checkpoints.running || shard.slots.iter().flatten().any(|group| group.flushes > 0 || group.cleaning);
        while busy(self) && !self.failed {
            self.wait_for_job();
        }
    }

    /// Waits until no flush of this group is under way.
    pub(crate) fn drain_flushes_of(&mut self, slot: usize) {
        while !self.failed && self.slots[slot].as_ref().is_some_and(|group| group.flushes > 0) {
            self.wait_for_job();
        }
    }

    fn wait_for_job(&mut self) {
        if self.run_job() {
            return;
        }
        self.mailbox.wait(Duration::from_secs(1));
        let mut mail = Vec::new();
        self.mailbox.take(&mut mail);
        for mail in mail {
            match mail {
                Mail::Done(done) => self.finish(done),
                other => self.turn.backlog.push_back(other),
            }
        }
    }

    /// The ring has come round: waits for the running checkpoint, and for another if that was not
    /// enough. What arrives meanwhile is kept for the next turn.
    pub(crate) fn make_ring_room(&mut self) {
        for _ in 0..2 {
            if !self.checkpoints.running {
                self.begin_checkpoint();
            }
            while self.checkpoints.running && !self.failed {
                self.wait_for_job();
            }
            if self.journal.has_room(self.turn.frame.len()) {
                return;
            }
        }
    }
}

fn is_full(e: &millrace_journal::JournalError) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(e, millrace_journal::JournalError::Io { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded))
}
