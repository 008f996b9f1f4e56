//! The turn. Everything that waits is taken at once, and one fsync answers all of it:
//!
//! ```text
//!  mailbox ─▶ judge, stamp, propose ─▶ segments (page cache) ─┬─▶ journal: one frame, one fsync ─▶ raft advances
//!             per touched partition    large ones are synced ─┘                                    watermarks move
//!                                      in their segment                                            answers leave
//! ```
//! The order is the point: nothing is answered, and no watermark moves, before the fsync that covers
//! it has returned (unless the partition's `flush` settings say so). Segments are written before the
//! journal, so that what the journal acknowledges is never missing from the page cache.
use millrace_journal::{HardState, JournalError, TurnFrame};
use millrace_log::LogError;
use millrace_replica::HardState as ReplicaState;
use tracing::{error, warn};

use crate::background::flush_all;
use crate::group::{Group, Incoming, bytes_of};
use crate::mailbox::{Address, AppendMail, Mail};
use crate::reply::Answer;
use crate::settings::Plant;
use crate::shard::Shard;
use crate::{AppendError, ShardError};

/// How one group's part of a turn was written.
enum Written {
    /// The first index that was new, or would have been.
    Yes { from: u64 },
    /// No room: everything from this index on is to be undone.
    Full { from: u64 },
    /// What this group holds makes no sense.
    Broken(String),
    /// The volume can no longer be trusted.
    Failed(String),
}

impl Shard {
    /// One turn: all the mail there is, then whatever is due. `false` after a stop.
    pub fn turn(&mut self) -> bool {
        let mut mail = std::mem::take(&mut self.turn.mail);
        self.mailbox.take(&mut mail);
        self.turn.backlog.extend(mail.drain(..));
        self.turn.mail = mail;
        self.turn.number += 1;
        while let Some(mail) = self.turn.backlog.pop_front() {
            match mail {
                Mail::Append(mail) => self.enqueue_append(mail),
                Mail::Trim { to, start, answer } => match self.group_mut(to) {
                    Some(group) => {
                        group.incoming.push(Incoming::Trim { start, answer });
                        self.touch(to.slot);
                    }
                    None => answer.send(Err(ShardError::NotOpen(to.group))),
                },
                Mail::Open { spec, answer } => self.open_group(*spec, answer),
                // The rest sees what came before it done.
                other => {
                    self.write_turn();
                    match other {
                        Mail::Stop { answer } => {
                            answer.send(self.stop());
                            return false;
                        }
                        other => self.attend(other),
                    }
                }
            }
            if self.turn.bytes >= self.settings.turn_bytes_max {
                break;
            }
        }
        self.write_turn();
        self.housekeep();
        self.keep_checkpoints();
        true
    }

    /// Whether another turn would find something to do at once.
    pub fn has_mail(&self) -> bool {
        !self.turn.backlog.is_empty() || !self.mailbox.is_empty()
    }

    fn attend(&mut self, mail: Mail) {
        match mail {
            Mail::SetConfig { to, config, answer } => answer.send(self.set_config(to, *config)),
            Mail::Producers { to, answer } => {
                let views = self.group_mut(to).map(|group| group.replica.log().0.producers().views());
                answer.send(views.ok_or(ShardError::NotOpen(to.group)));
            }
            Mail::Close { group, delete, answer } => answer.send(self.close_group(group, delete)),
            Mail::BuryLeftovers { dir, answer } => answer.send(self.bury_leftovers(&dir)),
            Mail::ForgetUnopened { answer } => answer.send(self.forget_unopened()),
            Mail::SetPace { pace, answer } => {
                self.set_pace(pace);
                answer.send(Ok(()));
            }
            Mail::Done(done) => self.finish(done),
            Mail::Append(_) | Mail::Trim { .. } | Mail::Open { .. } | Mail::Stop { .. } => unreachable!("the turn took them itself"),
        }
    }

    pub(crate) fn group_mut(&mut self, at: Address) -> Option<&mut Group> {
        self.slots.get_mut(at.slot)?.as_mut().filter(|group| group.address == at)
    }

    pub(crate) fn touch(&mut self, slot: usize) {
        if let Some(group) = &mut self.slots[slot]
            && !std::mem::replace(&mut group.touched, true)
        {
            self.turn.touched.push(slot);
        }
    }

    fn enqueue_append(&mut self, mail: AppendMail) {
        let to = mail.to;
        let bytes = mail.batch.len();
        match self.group_mut(to) {
            Some(group) => {
                group.incoming.push(Incoming::Append(mail));
                self.turn.bytes += bytes;
                self.turn.appends += 1;
                self.touch(to.slot);
            }
            None => mail.answer.send(Err(AppendError::Closed)),
        }
    }

    /// Judges, writes and answers what the touched groups were asked.
    pub(crate) fn write_turn(&mut self) {
        if self.turn.touched.is_empty() {
            return;
        }
        let now_ms = self.world.wall_ms();
        let gate = self.gate();
        if self.turn.appends > 0 {
            self.stats.turn_appends.record(self.turn.appends);
            self.stats.turn_bytes.record(self.turn.bytes as u64);
        }
        for &slot in &self.turn.touched {
            if let Some(group) = &mut self.slots[slot] {
                group.admit(gate.clone(), now_ms);
            }
        }
        let touched = std::mem::take(&mut self.turn.touched);
        // A commit can make new work (a leader's next entries to apply): rounds until none is left.
        while !self.failed && touched.iter().any(|&slot| self.has_work(slot)) {
            self.round(&touched, now_ms);
        }
        for &slot in &touched {
            if let Some(group) = &mut self.slots[slot] {
                group.touched = false;
                if self.failed {
                    group.fail_parked(&AppendError::DiskFailed, &ShardError::DiskFailed);
                } else {
                    group.publish();
                }
            }
        }
        self.turn.touched = touched;
        self.turn.touched.clear();
        (self.turn.bytes, self.turn.appends) = (0, 0);
    }

    fn gate(&mut self) -> Result<(), AppendError> {
        if self.failed {
            return Err(AppendError::DiskFailed);
        }
        let dir = self.turn.touched.first().and_then(|&slot| self.slots[slot].as_ref()).map(|group| group.spec.dir.as_path());
        let now = self.world.now();
        let room = dir.is_none_or(|dir| self.room.is_there(&*self.disk, dir, self.turn.bytes as u64, self.settings.disk_reserve_bytes, now));
        if self.stats.set_full(!room) {
            let said = if room { "the disk has room again; appends are taken" } else { "the disk is full; appends are refused until there is room, reads go on" };
            warn!("{said}");
        }
        if room { Ok(()) } else { Err(AppendError::DiskFull) }
    }

    fn has_work(&self, slot: usize) -> bool {
        self.slots[slot].as_ref().is_some_and(|group| group.replica.has_work())
    }

    /// Everything that is ready now, written and made stable together.
    fn round(&mut self, touched: &[usize], now_ms: i64) {
        let mut written: Vec<(usize, u64)> = Vec::with_capacity(touched.len());
        let mut full: Vec<(usize, u64)> = Vec::new();
        for &slot in touched {
            if !self.has_work(slot) {
                continue;
            }
            match self.write_group(slot, now_ms) {
                Written::Yes { from } => written.push((slot, from)),
                Written::Full { from } => full.push((slot, from)),
                Written::Broken(why) => self.drop_broken(slot, &why),
                Written::Failed(why) => return self.fail_volume(&why),
            }
        }
        if self.settings.plant == Plant::AckBeforePersist {
            self.advance(&written);
            written.clear();
        }
        if let Err(e) = self.sync_large() {
            return self.fail_volume(&e);
        }
        match self.write_journal() {
            Ok(()) => self.advance(&written),
            // The ring has come round, and no checkpoint finds room on the disk.
            Err(JournalError::Full) => full.append(&mut written),
            Err(e) => return self.fail_volume(&e),
        }
        for (slot, from) in full {
            self.restart_group(slot, from);
        }
    }

    /// Writes what one replica asks for: to its segment, and where the fsync is to come from, into
    /// the turn's frame.
    fn write_group(&mut self, slot: usize, now_ms: i64) -> Written {
        let group = self.slots[slot].as_mut().expect("a group with work is there");
        let effects = match group.replica.collect() {
            Ok(effects) => effects,
            Err(e) => return Written::Broken(e.to_string()),
        };
        let id = group.address.group;
        let new_from = effects.entries.first().map_or(group.replica.log().0.last_index() + 1, |first| first.index);
        if let Some(first) = effects.entries.first() {
            let from = first.index;
            let log = &mut group.replica.log_mut().0;
            assert!(from <= log.last_index() + 1, "entries follow on the log");
            let appended = if from <= log.last_index() { log.truncate_from(from) } else { Ok(()) };
            match appended.and_then(|()| log.append(&effects.entries, now_ms)) {
                Ok(()) => {}
                Err(e) if e.is_disk_full() => return Written::Full { from },
                Err(e) => return Written::Failed(e.to_string()),
            }
            assert_eq!(log.last_index() + 1, from + effects.entries.len() as u64, "all entries were appended");
            if group.needs_fsync() {
                let bytes = bytes_of(&effects.entries);
                let in_frame: usize = effects.entries.iter().map(|entry| TurnFrame::cost_of_entry(entry.bytes.len())).sum();
                // Half a frame stays for what must go there: hard states and notes.
                let ring_can = self.turn.frame.len() + in_frame <= self.journal.frame_bytes_max() / 2;
                // A group flushed only now and then has more to sync than this turn's entries.
                let direct = bytes >= self.settings.direct_bytes || !ring_can || !group.spec.config.flush.before_answer();
                if direct {
                    self.turn.large.push(slot);
                } else {
                    for entry in &effects.entries {
                        self.turn.frame.entry(id, entry.index, &entry.bytes);
                    }
                }
            } else if group.unflushed.since_ms.is_none() {
                group.unflushed.since_ms = Some(self.world.now().0 / 1_000_000);
                if group.spec.config.flush.ms != u64::MAX {
                    self.rounds.expect_flush();
                }
            }
        }
        let group = self.slots[slot].as_mut().expect("looked up above");
        let state = durable_state(group);
        if effects.must_sync && (state.term, state.vote) != (group.journaled.term, group.journaled.vote) {
            self.turn.frame.hard_state(id, journal_state(state));
            group.journaled = state;
        } else if !self.turn.frame.is_empty() && state != group.journaled {
            // Where a frame is written anyway, the commit index goes along.
            self.turn.frame.hard_state(id, journal_state(state));
            group.journaled = state;
        }
        assert!(effects.messages.is_empty(), "a group of one has nobody to write to");
        Written::Yes { from: new_from }
    }

    /// Syncs the segments of those whose entries do not go through the ring, all together.
    fn sync_large(&mut self) -> Result<(), LogError> {
        let large = std::mem::take(&mut self.turn.large);
        let mut flushes = Vec::with_capacity(large.len());
        for &slot in &large {
            let group = self.slots[slot].as_mut().expect("it was just written");
            flushes.extend(group.replica.log_mut().0.begin_flush().map(|flush| (slot, flush)));
        }
        for (slot, flushed) in flush_all(flushes, self.workers.sync_lanes()) {
            let group = self.slots[slot].as_mut().expect("it was just written");
            group.replica.log_mut().0.end_flush(flushed?)?;
        }
        for slot in large {
            let group = self.slots[slot].as_mut().expect("it was just written");
            group.unflushed = Default::default();
            self.turn.notes.insert(group.address.group, group.replica.log().0.synced_index());
        }
        Ok(())
    }

    /// The turn's one fsync, if anything needs it.
    pub(crate) fn write_journal(&mut self) -> Result<(), JournalError> {
        if self.turn.frame.is_empty() {
            return Ok(());
        }
        for (group, index) in std::mem::take(&mut self.turn.notes) {
            self.turn.frame.synced(group, index);
        }
        if !self.journal.has_room(self.turn.frame.len()) {
            self.make_ring_room();
        }
        let written = self.journal.write(&self.turn.frame);
        self.turn.frame.clear();
        written
    }

    /// What was written is stable: commit, trim, answer.
    fn advance(&mut self, written: &[(usize, u64)]) {
        for &(slot, _) in written {
            let Some(group) = &mut self.slots[slot] else { continue };
            let progress = match group.replica.persisted() {
                Ok(progress) => progress,
                Err(e) => {
                    self.drop_broken(slot, &e.to_string());
                    continue;
                }
            };
            assert!(progress.messages.is_empty(), "a group of one has nobody to write to");
            group.trim_owed = group.trim_owed.max(progress.trim_to);
            let paid = group.pay_trim();
            group.publish();
            if let Err(e) = paid {
                return self.fail_volume(&e);
            }
            self.bury_segments(slot);
        }
    }

    /// The volume had no room for this group's entries.
    fn restart_group(&mut self, slot: usize, from: u64) {
        let Some(mut group) = self.slots[slot].take() else { return };
        if let Some(opened) = group.opening.take() {
            // Not opened yet, and now it will not be.
            self.by_id.remove(&group.address.group);
            self.unopened.insert(group.address.group, opened.kept);
            return opened.answer.send(Err(ShardError::DiskFull));
        }
        let (id, at) = (group.address.group, group.address);
        let shared = group.shared.clone();
        warn!(group = %id, "the disk is full; appends are refused until there is room");
        match group.restart_without(from) {
            Ok(group) => {
                shared.set_reader(group.replica.log().0.reader());
                self.slots[slot] = Some(group);
            }
            Err(e) => {
                self.by_id.remove(&at.group);
                shared.retire();
                self.fail_volume(&format_args!("{id}: undoing what found no room: {e}"));
            }
        }
    }

    /// A group whose state makes no sense is taken out; the others go on.
    fn drop_broken(&mut self, slot: usize, why: &str) {
        let Some(mut group) = self.slots[slot].take() else { return };
        error!(group = %group.address.group, "the partition is closed: {why}");
        self.by_id.remove(&group.address.group);
        group.fail_parked(&AppendError::Closed, &ShardError::Corrupt(why.to_string()));
        group.shared.retire();
    }

    fn set_config(&mut self, to: Address, config: crate::PartitionConfig) -> Result<(), ShardError> {
        if self.failed {
            return Err(ShardError::DiskFailed);
        }
        let group = self.group_mut(to).ok_or(ShardError::NotOpen(to.group))?;
        let stricter = config.flush.before_answer() && !group.spec.config.flush.before_answer();
        if stricter {
            // From here on answers mean "on the disk", and so must all that lies before them.
            match group.settle_flush() {
                Ok(synced) => {
                    self.turn.notes.insert(to.group, synced);
                }
                Err(e) => {
                    self.fail_volume(&e);
                    return Err(ShardError::DiskFailed);
                }
            }
        }
        let group = self.group_mut(to).ok_or(ShardError::NotOpen(to.group))?;
        group.replica.log_mut().0.set_config(config.log.clone());
        group.spec.config = config;
        Ok(())
    }

    pub(crate) fn answer_unless_failed<T>(&self, answer: Answer<Result<T, ShardError>>) -> Option<Answer<Result<T, ShardError>>> {
        if self.failed {
            answer.send(Err(ShardError::DiskFailed));
            return None;
        }
        Some(answer)
    }
}

impl Group {
    /// Moves the log's start, if that is owed. Where the disk has no room for it, later.
    pub(crate) fn pay_trim(&mut self) -> Result<(), LogError> {
        let Some(to) = self.trim_owed else { return Ok(()) };
        match self.replica.log_mut().0.trim_to(to) {
            Ok(()) => self.trim_owed = None,
            Err(e) if e.is_disk_full() => warn!(group = %self.address.group, "the start of the log cannot be moved yet: {e}"),
            Err(e) => return Err(e),
        }
        Ok(())
    }

    /// Everything on the disk; the index up to which that is so.
    pub(crate) fn settle_flush(&mut self) -> Result<u64, LogError> {
        let log = &mut self.replica.log_mut().0;
        log.sync()?;
        let synced = log.synced_index();
        assert_eq!(synced, log.last_index(), "a sync leaves nothing behind");
        self.unflushed = Default::default();
        Ok(synced)
    }
}

/// The hard state as the journal may know it: it never claims more committed than is stable.
pub(crate) fn durable_state(group: &Group) -> ReplicaState {
    let state = group.replica.hard_state();
    if group.spec.config.flush.before_answer() {
        return state;
    }
    ReplicaState { commit: state.commit.min(group.replica.log().0.synced_index()), ..state }
}

pub(crate) fn journal_state(state: ReplicaState) -> HardState {
    HardState { term: state.term, vote: state.vote, commit: state.commit }
}

pub(crate) fn replica_state(state: HardState) -> ReplicaState {
    ReplicaState { term: state.term, vote: state.vote, commit: state.commit }
}
