//! One partition inside the shard: its replica and log, what waits for its watermarks, and the
//! judging and stamping of what is to be appended.
use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use millrace_journal::GroupReplay;
use millrace_log::{LogEntry, Verdict};
use millrace_record::{Epoch, NO_TIMESTAMP, Offset, TimestampType, stamp, stamp_append_time, trim_frame};
use millrace_replica::{HardState, Replica, Settings};
use tracing::warn;

use crate::entry_log::GroupLog;
use crate::mailbox::{Address, AppendMail};
use crate::partition::{Partition, Shared};
use crate::reply::Answer;
use crate::spec::{Acks, Appended, Origin, PartitionSpec, PartitionState};
use crate::{AppendError, ShardError};

pub(crate) struct Group {
    pub address: Address,
    pub spec: PartitionSpec,
    pub replica: Replica<GroupLog>,
    pub shared: Arc<Shared>,
    /// What the journal knows; a restart of the replica begins here.
    pub journaled: HardState,
    /// Asked for, not judged yet.
    pub incoming: Vec<Incoming>,
    parked: Parked,
    /// Answered by the turn that makes the partition usable.
    pub opening: Option<Opened>,
    /// Records and time since the last flush, where answers do not wait for one.
    pub unflushed: Unflushed,
    /// How many flushes run beside the shard.
    pub flushes: usize,
    pub cleaning: bool,
    /// A committed trim that the disk has not taken yet.
    pub trim_owed: Option<Offset>,
    pub touched: bool,
}

/// A partition that is recovered and waits for its first turn.
pub(crate) struct Opened {
    pub partition: Partition,
    pub answer: Answer<Result<Partition, ShardError>>,
    /// What the journal kept for it, should the opening come to nothing.
    pub kept: GroupReplay,
}

pub(crate) enum Incoming {
    Append(AppendMail),
    Trim { start: Offset, answer: Answer<Result<Offset, ShardError>> },
}

#[derive(Default)]
pub(crate) struct Unflushed {
    pub records: u64,
    pub since_ms: Option<u64>,
}

/// Answers in the order of what they wait for.
#[derive(Default)]
struct Parked {
    /// Until the high watermark reaches the offset.
    committed: VecDeque<(Offset, Appended, Answer<Result<Appended, AppendError>>)>,
    /// Until this replica has made the offset its own.
    persisted: VecDeque<(Offset, Appended, Answer<Result<Appended, AppendError>>)>,
    trims: Vec<(Offset, Answer<Result<Offset, ShardError>>)>,
}

/// How one batch fared.
enum Fate {
    Stamped(Bytes),
    Settled,
}

impl Group {
    pub fn new(address: Address, spec: PartitionSpec, replica: Replica<GroupLog>, shared: Arc<Shared>, journaled: HardState) -> Self {
        Group {
            address,
            spec,
            replica,
            shared,
            journaled,
            incoming: Vec::new(),
            parked: Parked::default(),
            opening: None,
            unflushed: Unflushed::default(),
            flushes: 0,
            cleaning: false,
            trim_owed: None,
            touched: false,
        }
    }

    pub fn settings(spec: &PartitionSpec) -> Settings {
        Settings {
            me: spec.me.0,
            voters: spec.voters.iter().map(|voter| voter.0).collect(),
            election_ticks: 10,
            heartbeat_ticks: 2,
            message_bytes_max: 1 << 20,
            inflight_messages_max: 128,
            uncommitted_bytes_max: 64 << 20,
            committed_bytes_max: 16 << 20,
        }
    }

    /// Nobody else to ask: it leads whenever it runs.
    pub fn is_alone(&self) -> bool {
        self.spec.voters == [self.spec.me]
    }

    /// Judges, stamps and proposes all that came in. `gate` says whether the volume takes writes.
    pub fn admit(&mut self, gate: Result<(), AppendError>, now_ms: i64) {
        let incoming = std::mem::take(&mut self.incoming);
        if incoming.is_empty() {
            return;
        }
        let gate = gate.and_then(|()| self.lead());
        let epoch = Epoch(i32::try_from(self.replica.term()).unwrap_or(i32::MAX));
        let mut next = self.replica.log().0.end_offset();
        let mut frames = Vec::with_capacity(incoming.len());
        for item in incoming {
            match item {
                Incoming::Append(mail) => {
                    if let Fate::Stamped(frame) = self.admit_batch(mail, &gate, &mut next, epoch, now_ms) {
                        frames.push(frame);
                    }
                }
                Incoming::Trim { start, answer } => match self.admit_trim(start, &gate) {
                    Err(refusal) => answer.send(Err(refusal)),
                    Ok(None) => answer.send(Ok(self.replica.log().0.start_offset())),
                    Ok(Some(mut frame)) => {
                        stamp(&mut frame, next, epoch);
                        frames.push(frame.freeze());
                        self.parked.trims.push((start, answer));
                    }
                },
            }
        }
        if frames.is_empty() {
            return;
        }
        // `lead` saw to it that proposals are taken, and a turn is smaller than what may be uncommitted.
        if let Err(e) = self.replica.propose(frames.into_iter()) {
            warn!(group = %self.address.group, "a leader's proposal was dropped: {e}");
            self.fail_parked(&AppendError::LeadershipLost, &ShardError::LeadershipLost);
        }
    }

    /// Sees to it that proposals are taken, if that is up to this replica.
    fn lead(&mut self) -> Result<(), AppendError> {
        if self.is_alone() && !self.replica.is_leader() {
            // After a restart of the replica: what it needs is an election with one voter.
            self.replica.campaign().map_err(|_| AppendError::NotLeader)?;
        }
        if self.replica.takes_proposals() { Ok(()) } else { Err(AppendError::NotLeader) }
    }

    fn admit_batch(&mut self, mail: AppendMail, gate: &Result<(), AppendError>, next: &mut Offset, epoch: Epoch, now_ms: i64) -> Fate {
        let AppendMail { mut batch, mut header, options, answer, .. } = mail;
        let known = options.origin == Origin::Client && header.producer_id.is_some();
        match gate {
            Ok(()) => {}
            // A batch that is there already needs no room.
            Err(AppendError::DiskFull) if known => {}
            Err(refusal) => {
                answer.send(Err(refusal.clone()));
                return Fate::Settled;
            }
        }
        if let Some(expected) = options.expected_end.filter(|expected| *expected != *next) {
            answer.send(Err(AppendError::EndMoved { expected, end: *next }));
            return Fate::Settled;
        }
        let producers = self.replica.log_mut().0.producers_mut();
        if known {
            match producers.check(&header) {
                Verdict::Append => {}
                Verdict::Duplicate { base_offset, last_offset, timestamp } => {
                    let log_append_time_ms = if options.append_time { timestamp } else { NO_TIMESTAMP };
                    let appended = Appended { base_offset, last_offset, log_append_time_ms, log_start_offset: Offset::ZERO, duplicate: true };
                    self.park(options.acks, appended, answer);
                    return Fate::Settled;
                }
                Verdict::OutOfOrder { expected, found } => {
                    answer.send(Err(AppendError::OutOfOrderSequence { producer_id: header.producer_id.0, found, expected }));
                    return Fate::Settled;
                }
                Verdict::FencedEpoch { current } => {
                    answer.send(Err(AppendError::InvalidProducerEpoch { producer_id: header.producer_id.0, found: header.producer_epoch, current }));
                    return Fate::Settled;
                }
            }
        }
        if let Err(refusal) = gate {
            answer.send(Err(refusal.clone()));
            return Fate::Settled;
        }
        stamp(&mut batch, *next, epoch);
        header.base_offset = *next;
        header.epoch = epoch;
        if options.append_time {
            stamp_append_time(&mut batch, now_ms);
            header.max_timestamp = now_ms;
            header.attributes = header.attributes.with_timestamp_type(TimestampType::LogAppend);
        }
        // Ahead of the log: the next batch of the same turn is judged by it.
        producers.apply(&header);
        let appended = Appended {
            base_offset: *next,
            last_offset: header.last_offset(),
            log_append_time_ms: if options.append_time { now_ms } else { NO_TIMESTAMP },
            log_start_offset: Offset::ZERO,
            duplicate: false,
        };
        *next = header.next_offset();
        self.unflushed.records += u64::try_from(header.count).unwrap_or(0);
        self.park(options.acks, appended, answer);
        Fate::Stamped(batch.freeze())
    }

    fn admit_trim(&self, start: Offset, gate: &Result<(), AppendError>) -> Result<Option<BytesMut>, ShardError> {
        match gate {
            // A full disk is the best reason to trim.
            Ok(()) | Err(AppendError::DiskFull) if self.replica.takes_proposals() => {}
            Err(AppendError::DiskFailed) => return Err(ShardError::DiskFailed),
            _ => return Err(ShardError::NotLeader),
        }
        let (first, end) = (self.replica.log().0.start_offset(), self.replica.high_watermark());
        if start > end || start < Offset::ZERO {
            return Err(ShardError::OutOfRange { asked: start, start: first, end });
        }
        Ok((start > first).then(|| trim_frame(start)))
    }

    /// In the order of their offsets, a duplicate apart, which waits for an older one.
    fn park(&mut self, acks: Acks, appended: Appended, answer: Answer<Result<Appended, AppendError>>) {
        let after = appended.last_offset.next();
        match acks {
            Acks::None => answer.send(Ok(appended)),
            Acks::Leader => self.parked.persisted.push_back((after, appended, answer)),
            Acks::All => self.parked.committed.push_back((after, appended, answer)),
        }
    }

    /// Publishes where the log stands and answers everybody whose wait is over.
    pub fn publish(&mut self) {
        let state = self.state();
        self.shared.publish(state);
        settle(&mut self.parked.committed, state.high_watermark, state.start);
        settle(&mut self.parked.persisted, state.end, state.start);
        for (start, answer) in std::mem::take(&mut self.parked.trims) {
            if state.start >= start { answer.send(Ok(state.start)) } else { self.parked.trims.push((start, answer)) }
        }
        if let Some(opened) = self.opening.take() {
            opened.answer.send(Ok(opened.partition));
        }
    }

    fn state(&self) -> PartitionState {
        let log = &self.replica.log().0;
        let (start, end) = (log.start_offset(), log.end_offset());
        let high_watermark = self.replica.high_watermark().max(start);
        let open = log.producers().first_open_txn().unwrap_or(high_watermark);
        PartitionState {
            start,
            end,
            high_watermark,
            last_stable: open.clamp(start, high_watermark),
            leader_epoch: i32::try_from(self.replica.term()).unwrap_or(i32::MAX),
            is_leader: self.replica.is_leader() || self.is_alone(),
        }
    }

    /// Answers all that wait, and all that were not judged yet.
    pub fn fail_parked(&mut self, append: &AppendError, other: &ShardError) {
        for (_, _, answer) in self.parked.committed.drain(..).chain(self.parked.persisted.drain(..)) {
            answer.send(Err(append.clone()));
        }
        for (_, answer) in self.parked.trims.drain(..) {
            answer.send(Err(other.clone()));
        }
        for incoming in self.incoming.drain(..) {
            match incoming {
                Incoming::Append(mail) => mail.answer.send(Err(append.clone())),
                Incoming::Trim { answer, .. } => answer.send(Err(other.clone())),
            }
        }
        if let Some(opened) = self.opening.take() {
            opened.answer.send(Err(other.clone()));
        }
    }

    /// The disk had no room for what was proposed, entries from `from` on. The replica starts again
    /// from what is stable, as after a crash; nothing of the refused entries stays anywhere.
    pub fn restart_without(mut self, from: u64) -> Result<Group, ShardError> {
        // Should undoing fail, these are answered as a failed disk answers: nobody knows.
        let (parked, incoming) = (std::mem::take(&mut self.parked), std::mem::take(&mut self.incoming));
        // What was committed stays so; term and vote are as the journal has them.
        let state = HardState { commit: self.replica.committed(), ..self.journaled };
        assert!(state.commit < from, "what is cut off was not committed");
        let mut log = self.replica.into_log();
        if log.0.last_index() >= from {
            log.0.truncate_from(from)?;
        }
        log.0.rebuild_producers()?;
        let replica = Replica::start(&Group::settings(&self.spec), state, log)?;
        // Durably: what was cut off must not come back with the next crash.
        let mut group = Group { replica, parked, incoming, unflushed: Unflushed::default(), ..self };
        group.replica.log_mut().0.sync()?;
        group.fail_parked(&AppendError::DiskFull, &ShardError::DiskFull);
        Ok(group)
    }

    /// Below this nothing will change any more: committed, and in no open transaction.
    pub fn stable_offset(&self) -> Offset {
        self.state().last_stable
    }

    /// Whether what the turn wrote must be stable before it is answered.
    pub fn needs_fsync(&self) -> bool {
        self.spec.config.flush.before_answer() || self.unflushed.records >= self.spec.config.flush.messages
    }
}

fn settle(parked: &mut VecDeque<(Offset, Appended, Answer<Result<Appended, AppendError>>)>, reached: Offset, start: Offset) {
    while parked.front().is_some_and(|(after, _, _)| *after <= reached) {
        if let Some((_, appended, answer)) = parked.pop_front() {
            answer.send(Ok(Appended { log_start_offset: start, ..appended }));
        }
    }
}

/// The bytes of a list of entries.
pub(crate) fn bytes_of(entries: &[LogEntry]) -> usize {
    entries.iter().map(|entry| entry.bytes.len()).sum()
}
