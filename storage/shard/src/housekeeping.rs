//! What is due although nobody asked: retention, cleaning, expiry of producers, flushes behind.
//! Looked after in rounds, each with its own pace, so that a thousand idle partitions cost next to
//! nothing.
use std::collections::BTreeMap;
use std::time::Duration;

use millrace_log::{CleanReport, Cleaned, LogError};
use millrace_world::Moment;
use tracing::{debug, warn};

use crate::background::{Doomed, Job};
use crate::group::Incoming;
use crate::mailbox::Address;
use crate::reply::Answer;
use crate::settings::{Pace, ShardSettings};
use crate::shard::Shard;

const PRODUCERS_EVERY: Duration = Duration::from_secs(600);
const FLUSH_EVERY: Duration = Duration::from_millis(100);
/// However short the settings are: a round without a pause would be all that the thread does.
const PAUSE_MIN: Duration = Duration::from_millis(10);
/// Where nothing asks for shorter.
const IDLE: Duration = Duration::from_secs(1);

pub(crate) struct Rounds {
    retention: Moment,
    clean: Moment,
    producers: Moment,
    flush: Moment,
    /// Some partition has a `flush.ms`, and something unflushed.
    flushes_by_time: bool,
    cleaning: usize,
    /// What is to be removed, and when.
    doomed: BTreeMap<Moment, Vec<Doomed>>,
}

impl Rounds {
    pub fn new(now: Moment, settings: &ShardSettings) -> Self {
        Rounds {
            retention: now + pause(settings.retention_delay_ms),
            clean: now + IDLE,
            producers: now + PRODUCERS_EVERY,
            flush: now,
            flushes_by_time: false,
            cleaning: 0,
            doomed: BTreeMap::new(),
        }
    }

    /// Something waits for a flush by time: the shard must not sleep through it.
    pub fn expect_flush(&mut self) {
        self.flushes_by_time = true;
    }

    pub fn next_due(&self) -> Moment {
        let doomed = self.doomed.first_key_value().map_or(Moment(u64::MAX), |(due, _)| *due);
        let due = self.retention.min(self.clean).min(self.producers).min(doomed);
        if self.flushes_by_time { due.min(self.flush) } else { due }
    }
}

fn pause(ms: u64) -> Duration {
    Duration::from_millis(ms).max(PAUSE_MIN)
}

impl Shard {
    pub(crate) fn housekeep(&mut self) {
        if self.failed {
            return;
        }
        let now = self.world.now();
        if now >= self.rounds.retention {
            self.rounds.retention = now + pause(self.settings.retention_check_ms);
            self.keep_retention();
        }
        if now >= self.rounds.clean {
            self.rounds.clean = now + pause(self.settings.clean_check_ms);
            self.keep_clean();
        }
        if now >= self.rounds.producers {
            self.rounds.producers = now + PRODUCERS_EVERY;
            let now_ms = self.world.wall_ms();
            for group in self.slots.iter_mut().flatten() {
                group.replica.log_mut().0.producers_mut().expire(now_ms, self.settings.producer_expiration_ms);
            }
        }
        if now >= self.rounds.flush {
            self.rounds.flush = now + FLUSH_EVERY;
            self.keep_flushed(now);
        }
        while let Some(grave) = self.rounds.doomed.first_entry().filter(|grave| *grave.key() <= now) {
            let doomed = grave.remove();
            self.workers.submit(Job::remove(self.disk.clone(), doomed));
        }
    }

    /// What left its log is removed after a while: `file.delete.delay.ms`. Should the node stop before, a
    /// start knows it by its name.
    pub(crate) fn bury(&mut self, delay: Duration, doomed: impl IntoIterator<Item = Doomed>) {
        let due = self.world.now() + delay;
        self.rounds.doomed.entry(due).or_default().extend(doomed);
    }

    /// The same for the segments that a partition's log let go of since the last time.
    pub(crate) fn bury_segments(&mut self, slot: usize) {
        let Some(group) = &mut self.slots[slot] else { return };
        let files = group.replica.log_mut().0.take_doomed();
        if !files.is_empty() {
            let delay = Duration::from_millis(group.spec.config.delete_delay_ms);
            self.bury(delay, files.into_iter().map(Doomed::File));
        }
    }

    /// A shorter pause counts at once, a longer one behind the round that is due.
    pub(crate) fn set_pace(&mut self, pace: Pace) {
        self.rounds.clean = self.rounds.clean.min(self.world.now() + pause(pace.clean_check_ms));
        let Pace { clean_check_ms, clean_map_bytes, producer_expiration_ms } = pace;
        self.settings = ShardSettings { clean_check_ms, clean_map_bytes, producer_expiration_ms, ..self.settings.clone() };
    }

    /// Retention is a trim like any other: proposed, committed, then applied by every replica.
    fn keep_retention(&mut self) {
        let now_ms = self.world.wall_ms();
        for slot in 0..self.slots.len() {
            let Some(group) = &mut self.slots[slot] else { continue };
            if group.trim_owed.is_some() {
                let paid = group.pay_trim();
                group.publish();
                if let Err(e) = paid {
                    return self.fail_volume(&e);
                }
                self.bury_segments(slot);
            }
            let Some(group) = &mut self.slots[slot] else { continue };
            let log = &group.replica.log().0;
            if !group.replica.is_leader() {
                continue;
            }
            let target = log.retention_target(now_ms, group.replica.high_watermark());
            // Whoever holds a record needs the whole batch; a trim inside one keeps it.
            let target = target.map(|start| start.min(group.shared.held())).filter(|start| *start > log.start_offset());
            if let Some(start) = target {
                group.incoming.push(Incoming::Trim { start, answer: Answer::nobody() });
                self.touch(slot);
            }
        }
        self.write_turn();
    }

    /// One cleaning at a time; the partition whose turn it is, is the first that is due.
    fn keep_clean(&mut self) {
        let now_ms = self.world.wall_ms();
        for slot in 0..self.slots.len() {
            if self.rounds.cleaning > 0 {
                return;
            }
            let Some(group) = &mut self.slots[slot] else { continue };
            if group.cleaning || !group.spec.config.log.cleanup.compact {
                continue;
            }
            let upto = group.stable_offset();
            if let Some(job) = group.replica.log_mut().0.prepare_clean(now_ms, upto, self.settings.clean_map_bytes) {
                group.cleaning = true;
                self.rounds.cleaning += 1;
                let at = group.address;
                self.workers.submit(Job::clean(at, job));
            }
        }
    }

    pub(crate) fn end_clean(&mut self, at: Address, cleaned: Result<Cleaned, LogError>) {
        self.rounds.cleaning -= 1;
        // Another partition may have waited for this one.
        self.rounds.clean = self.world.now();
        let Some(group) = self.group_mut(at) else { return };
        group.cleaning = false;
        let installed = cleaned.map(|cleaned| group.replica.log_mut().0.install_clean(cleaned));
        match installed {
            Ok(Ok(CleanReport { bytes_before, bytes_after, records_removed })) => {
                debug!(group = %at.group, bytes_before, bytes_after, records_removed, "cleaned");
                group.publish();
                self.bury_segments(at.slot);
            }
            // What is on the disk is in doubt.
            Ok(Err(e)) if !e.is_disk_full() => self.fail_volume(&e),
            Err(e @ (LogError::Io { .. } | LogError::Stopped { .. })) if !e.is_disk_full() => self.fail_volume(&e),
            // The log is as it was. The next round tries again.
            Ok(Err(e)) | Err(e) => {
                warn!(group = %at.group, "cleaning failed: {e}");
                self.rounds.clean = self.world.now() + pause(self.settings.clean_check_ms);
            }
        }
    }

    /// `flush.ms`, where answers do not wait for an fsync.
    fn keep_flushed(&mut self, now: Moment) {
        self.rounds.flushes_by_time = false;
        let now_ms = now.0 / 1_000_000;
        for slot in 0..self.slots.len() {
            let Some(group) = &mut self.slots[slot] else { continue };
            let Some(since) = group.unflushed.since_ms else { continue };
            let limit = group.spec.config.flush.ms;
            if limit == u64::MAX {
                continue;
            }
            self.rounds.flushes_by_time = true;
            if now_ms.saturating_sub(since) < limit || group.flushes > 0 {
                continue;
            }
            group.unflushed = Default::default();
            if let Some(flush) = group.replica.log_mut().0.begin_flush() {
                group.flushes += 1;
                let at = group.address;
                self.workers.submit(Job::flush(at, flush));
            }
        }
    }
}
