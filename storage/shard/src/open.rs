//! Opening, closing, deleting, and stopping.
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use millrace_journal::{GroupId, GroupReplay, TurnFrame};
use millrace_record::Offset;
use millrace_log::{Begin, Log, LogEntry, LogError, Opening};
use millrace_replica::Replica;
use millrace_world::{create_dir_durably, parent_of};
use tracing::info;

use crate::background::{Doomed, side_by_side};
use crate::entry_log::GroupLog;
use crate::group::{Group, Opened};
use crate::mailbox::Address;
use crate::partition::{Partition, Shared};
use crate::reply::Answer;
use crate::shard::Shard;
use crate::spec::{PartitionSpec, PartitionState};
use crate::turn::{durable_state, journal_state, replica_state};
use crate::{AppendError, ShardError};

impl Shard {
    /// Recovers the log and takes the replica's place; the answer leaves with the turn in which the
    /// replica, if it is alone, was elected. So any number of opens costs one fsync.
    pub(crate) fn open_group(&mut self, spec: PartitionSpec, answer: Answer<Result<Partition, ShardError>>) {
        let Some(answer) = self.answer_unless_failed(answer) else { return };
        let id = spec.id;
        if self.by_id.contains_key(&id) {
            return answer.send(Err(ShardError::AlreadyOpen(id)));
        }
        let kept = self.unopened.get(&id).cloned().unwrap_or_default();
        let slot = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
        match self.recover(spec, slot, &kept) {
            Err(e) => answer.send(Err(e)),
            Ok(mut group) => {
                let partition = Partition::new(group.address, self.mailbox.clone(), group.shared.clone());
                group.opening = Some(Opened { partition, answer, kept });
                self.unopened.remove(&id);
                self.by_id.insert(id, slot);
                if slot == self.slots.len() {
                    self.slots.push(None);
                }
                self.slots[slot] = Some(group);
                self.touch(slot);
            }
        }
    }

    fn recover(&mut self, spec: PartitionSpec, slot: usize, kept: &GroupReplay) -> Result<Group, ShardError> {
        let now_ms = self.world.wall_ms();
        let creating = |e: std::io::Error| ShardError::Trouble(format!("creating {}: {e}", spec.dir.display()));
        if self.journal_is_new && !self.disk.exists(&spec.dir).map_err(creating)? {
            self.made_since.insert(spec.id);
        }
        let may_be_torn = !self.journal_is_new || self.made_since.contains(&spec.id);
        let opening = Opening { identity: spec.identity, durable_index: kept.synced, may_be_torn, begin: Begin::NEW, now_ms };
        create_dir_durably(&*self.disk, &spec.dir).map_err(creating)?;
        let (mut log, recovered) = Log::open(self.disk.clone(), &spec.dir, spec.config.log.clone(), opening)?;
        if let Some(cut) = recovered.cut {
            info!(group = %spec.id, bytes = cut.bytes, "the torn end of the log was cut: {}", cut.why);
        }
        for entry in &kept.entries {
            log.replay(LogEntry { index: entry.index, bytes: entry.bytes.clone() }, now_ms)?;
        }
        // Entries of a turn that never reached the journal, or of a flush that did not end. They count
        // from here on, so they have to be on the disk.
        let journaled_to = kept.entries.last().map_or(kept.synced, |entry| entry.index);
        if log.last_index() > journaled_to && spec.config.flush.before_answer() {
            log.sync()?;
        }
        if log.start_offset() > Offset::ZERO {
            // A trim that a crash interrupted may have moved the start in the page cache alone.
            self.disk.sync_dir(&spec.dir).map_err(|e| ShardError::Trouble(format!("syncing {}: {e}", spec.dir.display())))?;
        }
        self.lives += 1;
        let address = Address { slot, group: spec.id, life: self.lives };
        let state = PartitionState {
            start: log.start_offset(),
            end: log.end_offset(),
            high_watermark: log.start_offset(),
            last_stable: log.start_offset(),
            leader_epoch: -1,
            is_leader: false,
        };
        let shared = Arc::new(Shared::new(state, log.reader()));
        let journaled = replica_state(kept.hard_state);
        let mut replica = Replica::start(&Group::settings(&spec), journaled, GroupLog(log))?;
        if spec.voters == [spec.me] {
            replica.campaign()?;
        }
        Ok(Group::new(address, spec, replica, shared, journaled))
    }

    pub(crate) fn close_group(&mut self, id: GroupId, delete: bool) -> Result<(), ShardError> {
        let Some(&slot) = self.by_id.get(&id) else { return Err(ShardError::NotOpen(id)) };
        if !delete {
            // Opened again, it has its bytes in the same files: a flush that fails there must be known first.
            self.drain_flushes_of(slot);
        }
        self.by_id.remove(&id);
        let mut group = self.slots[slot].take().expect("by_id and slots agree");
        group.fail_parked(&AppendError::Closed, &ShardError::NotOpen(id));
        group.shared.retire();
        self.turn.notes.remove(&id);
        if delete {
            return self.delete_group(id, &group.spec.dir.clone(), group);
        }
        if self.failed {
            return Err(ShardError::DiskFailed);
        }
        if let Err(e) = close_log(&mut group.replica.log_mut().0) {
            self.fail_volume(&e);
            return Err(ShardError::DiskFailed);
        }
        let synced = group.replica.log().0.last_index();
        self.unopened.insert(id, GroupReplay { hard_state: journal_state(durable_state(&group)), synced, entries: Vec::new() });
        Ok(())
    }

    /// The journal forgets first: if the node dies in between, a folder is left over that no group
    /// claims, and not a group whose folder is gone.
    fn delete_group(&mut self, id: GroupId, dir: &Path, group: Group) -> Result<(), ShardError> {
        let delay = Duration::from_millis(group.spec.config.delete_delay_ms);
        drop(group);
        self.turn.frame.removed(id);
        if let Err(e) = self.write_journal() {
            self.fail_volume(&e);
            return Err(ShardError::DiskFailed);
        }
        let doomed = doomed_name(dir, id);
        let renamed = self.disk.rename(dir, &doomed).and_then(|()| self.disk.sync_dir(parent_of(dir)));
        renamed.map_err(|e| ShardError::Trouble(format!("deleting {}: {e}", dir.display())))?;
        self.bury(delay, [Doomed::Folder(doomed)]);
        Ok(())
    }

    pub(crate) fn forget_unopened(&mut self) -> Result<usize, ShardError> {
        let forgotten = std::mem::take(&mut self.unopened);
        for id in forgotten.keys() {
            self.turn.frame.removed(*id);
        }
        if let Err(e) = self.write_journal() {
            self.fail_volume(&e);
            return Err(ShardError::DiskFailed);
        }
        Ok(forgotten.len())
    }

    /// What an earlier run deleted and did not get to remove is removed now, beside everything else.
    pub(crate) fn bury_leftovers(&mut self, dir: &Path) -> Result<usize, ShardError> {
        let listed = self.disk.list(dir).map_err(|e| ShardError::Trouble(format!("listing {}: {e}", dir.display())))?;
        let left = listed.iter().filter(|entry| entry.is_dir && entry.name.ends_with(DOOMED));
        let doomed: Vec<Doomed> = left.map(|entry| Doomed::Folder(dir.join(&entry.name))).collect();
        let found = doomed.len();
        self.bury(Duration::ZERO, doomed);
        Ok(found)
    }

    /// Flushes everything and writes a checkpoint that leaves nothing to replay.
    pub(crate) fn stop(&mut self) -> Result<(), ShardError> {
        if self.failed {
            return Err(ShardError::DiskFailed);
        }
        // A checkpoint under way would write an older one over this.
        self.drain_jobs();
        // One of them may have found out that the disk is not to be trusted. A sync now would say "done"
        // of bytes that a failed one has lost.
        if self.failed {
            return Err(ShardError::DiskFailed);
        }
        let logs: Vec<&mut Log> = self.slots.iter_mut().flatten().map(|group| &mut group.replica.log_mut().0).collect();
        side_by_side(logs, self.workers.sync_lanes(), close_log).into_iter().collect::<Result<(), _>>()?;
        let groups: TurnFrame = self.checkpoint_groups();
        let mark = self.journal.head();
        self.journal.checkpoint().write(mark, &groups)?;
        self.journal.checkpointed(mark);
        Ok(())
    }
}

/// Everything on the disk, and beside it what spares the next start a scan: without room, without that.
fn close_log(log: &mut Log) -> Result<(), LogError> {
    match log.close() {
        Err(e) if e.is_disk_full() => log.sync(),
        closed => closed,
    }
}

/// How the name of a folder ends that waits to be removed.
const DOOMED: &str = "-delete";

/// Where a deleted partition's folder waits to be removed. A start removes what it finds there.
fn doomed_name(dir: &Path, id: GroupId) -> PathBuf {
    let mut name: OsString = dir.file_name().map(OsString::from).unwrap_or_default();
    name.push(format!(".{}{DOOMED}", id.0));
    dir.with_file_name(name)
}
