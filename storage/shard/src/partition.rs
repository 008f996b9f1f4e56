//! A partition as the broker and the views see it: offsets, no indexes. Appends and changes go
//! through the shard's mailbox; reads go to the log's files on the caller's own thread.
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, Ordering};
use std::task::{Context, Poll};

use arc_swap::ArcSwap;
use bytes::BytesMut;
use millrace_log::{LogReader, ProducerView, ReadSlices, TimestampedOffset};
use millrace_record::{BatchHeader, Epoch, Offset};

use crate::bell::{Bell, BellHook, BellRope};
use crate::mailbox::{Address, AppendMail, Mail, Mailbox};
use crate::reply::{Answer, Reply, pair};
use crate::spec::{Acks, AppendOptions, Appended, GroupId, PartitionConfig, PartitionState, Upto};
use crate::{AppendError, ReadError, ShardError};

/// A handle; clones are cheap and mean the same partition. Outlives the partition harmlessly: after
/// `close_partition` appends are answered `Closed`.
#[derive(Clone)]
pub struct Partition(Arc<Inner>);

struct Inner {
    address: Address,
    mailbox: Arc<Mailbox>,
    shared: Arc<Shared>,
}

/// What the shard publishes and everybody reads without asking.
pub(crate) struct Shared {
    start: AtomicI64,
    last_stable: AtomicI64,
    high_watermark: AtomicI64,
    end: AtomicI64,
    epoch: AtomicI32,
    leader: AtomicBool,
    /// Retention leaves what lies here and above.
    held: AtomicI64,
    bells: Arc<BellRope>,
    reader: ArcSwap<LogReader>,
}

impl Shared {
    pub fn new(state: PartitionState, reader: LogReader) -> Self {
        Shared {
            start: AtomicI64::new(state.start.0),
            last_stable: AtomicI64::new(state.last_stable.0),
            high_watermark: AtomicI64::new(state.high_watermark.0),
            end: AtomicI64::new(state.end.0),
            epoch: AtomicI32::new(state.leader_epoch),
            leader: AtomicBool::new(state.is_leader),
            held: AtomicI64::new(i64::MAX),
            bells: Arc::default(),
            reader: ArcSwap::from_pointee(reader),
        }
    }

    /// By the shard alone. Stored from the end down and read from the start up, so that the order
    /// of the four holds for every reader.
    pub fn publish(&self, state: PartitionState) {
        assert!(state.start <= state.last_stable && state.last_stable <= state.high_watermark && state.high_watermark <= state.end);
        self.end.store(state.end.0, Ordering::Release);
        let before = self.high_watermark.swap(state.high_watermark.0, Ordering::AcqRel);
        let stable_before = self.last_stable.swap(state.last_stable.0, Ordering::AcqRel);
        self.start.store(state.start.0, Ordering::Release);
        self.epoch.store(state.leader_epoch, Ordering::Release);
        let led = self.leader.swap(state.is_leader, Ordering::AcqRel);
        if before != state.high_watermark.0 || stable_before != state.last_stable.0 || led != state.is_leader {
            self.bells.pull();
        }
    }

    pub fn held(&self) -> Offset {
        Offset(self.held.load(Ordering::Acquire))
    }

    pub fn set_reader(&self, reader: LogReader) {
        self.reader.store(Arc::new(reader));
    }

    /// Wakes everybody who waits, so that they see that the partition is gone.
    pub fn retire(&self) {
        self.leader.store(false, Ordering::Release);
        self.bells.pull();
    }

    fn state(&self) -> PartitionState {
        let start = Offset(self.start.load(Ordering::Acquire));
        let last_stable = Offset(self.last_stable.load(Ordering::Acquire));
        let high_watermark = Offset(self.high_watermark.load(Ordering::Acquire));
        let end = Offset(self.end.load(Ordering::Acquire));
        PartitionState {
            start,
            last_stable,
            high_watermark,
            end,
            leader_epoch: self.epoch.load(Ordering::Acquire),
            is_leader: self.leader.load(Ordering::Acquire),
        }
    }
}

/// What a read found, and what the partition looked like just before.
#[derive(Clone, Debug)]
pub struct Read {
    pub slices: ReadSlices,
    pub state: PartitionState,
}

/// Resolves when the append's `acks` are met.
#[must_use = "the batch is appended in any case, but only the reply says where"]
pub struct AppendReply(Reply<Result<Appended, AppendError>>);

impl Future for AppendReply {
    type Output = Result<Appended, AppendError>;
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|answer| answer.unwrap_or(Err(AppendError::Closed)))
    }
}

impl Partition {
    pub(crate) fn new(address: Address, mailbox: Arc<Mailbox>, shared: Arc<Shared>) -> Self {
        Partition(Arc::new(Inner { address, mailbox, shared }))
    }

    pub fn id(&self) -> GroupId {
        self.0.address.group
    }

    /// Puts one valid batch into the mailbox: the order of calls is the order in the log. `header`
    /// is the batch's own. With `Acks::None` the reply is ready as soon as the shard saw the batch.
    pub fn append(&self, batch: BytesMut, header: BatchHeader, options: AppendOptions) -> AppendReply {
        let (answer, reply) = pair();
        self.put(Mail::Append(AppendMail { to: self.0.address, batch, header, options, answer }));
        AppendReply(reply)
    }

    /// An append that nobody waits for.
    pub fn append_unanswered(&self, batch: BytesMut, header: BatchHeader, options: AppendOptions) {
        let options = AppendOptions { acks: Acks::None, ..options };
        self.put(Mail::Append(AppendMail { to: self.0.address, batch, header, options, answer: Answer::nobody() }));
    }

    /// What it looks like now: a few atomic loads.
    pub fn state(&self) -> PartitionState {
        self.0.shared.state()
    }

    /// The offset that `upto` stands for now.
    pub fn limit(&self, upto: Upto) -> Offset {
        self.state().limit(upto)
    }

    /// The bell rings whenever the high watermark, the last stable offset or the leadership moves,
    /// for as long as the hook lives. Hang it first, look second.
    pub fn watch(&self, bell: &Bell) -> BellHook {
        self.0.shared.bells.hang(bell)
    }

    /// Waits until the high watermark is beyond `offset`, or this replica no longer leads.
    pub async fn beyond(&self, offset: Offset) -> PartitionState {
        let bell = Bell::new();
        let _hook = self.watch(&bell);
        loop {
            let state = self.state();
            if state.high_watermark > offset || !state.is_leader {
                return state;
            }
            bell.rung().await;
        }
    }

    /// DeleteRecords: moves the start of the log up, on all replicas. Answers the start it has then.
    pub async fn trim(&self, to: Offset) -> Result<Offset, ShardError> {
        let (answer, reply) = pair();
        self.put(Mail::Trim { to: self.0.address, start: to, answer });
        reply.await.unwrap_or(Err(ShardError::Stopped))
    }

    /// Retention leaves everything from here on, however old it is, until it is told something else; `None`: it may do as the
    /// settings say. Forgotten with the process, so whoever needs it says it again after each start. Whoever deletes records
    /// by hand is not held up.
    pub fn hold(&self, from: Option<Offset>) {
        self.0.shared.held.store(from.map_or(i64::MAX, |from| from.0), Ordering::Release);
    }

    pub async fn set_config(&self, config: PartitionConfig) -> Result<(), ShardError> {
        let (answer, reply) = pair();
        self.put(Mail::SetConfig { to: self.0.address, config: Box::new(config), answer });
        reply.await.unwrap_or(Err(ShardError::Stopped))
    }

    /// The idempotent producers that the log remembers.
    pub async fn producers(&self) -> Result<Vec<ProducerView>, ShardError> {
        let (answer, reply) = pair();
        self.put(Mail::Producers { to: self.0.address, answer });
        reply.await.unwrap_or(Err(ShardError::Stopped))
    }

    /// Whole batches from the one that holds `from` on, as they lie on disk. Blocks on the disk, on
    /// the caller's thread. Behind the limit but inside the log there is nothing to read yet.
    pub fn read(&self, from: Offset, bytes_max: usize, upto: Upto, at_least_one: bool) -> Result<Read, ReadError> {
        let state = self.state();
        let limit = state.limit(upto);
        if from < state.start || from > state.end {
            return Err(ReadError::OutOfRange { asked: from, start: state.start, end: state.end });
        }
        let slices = if from < limit {
            self.reader().read(from, limit, bytes_max, at_least_one)?
        } else {
            ReadSlices { next_offset: from, ..ReadSlices::default() }
        };
        Ok(Read { slices, state })
    }

    /// The first record at or after `timestamp`, below the limit.
    pub fn offset_for_timestamp(&self, timestamp: i64, upto: Upto) -> Result<Option<TimestampedOffset>, ReadError> {
        Ok(self.reader().offset_for_timestamp(timestamp, self.limit(upto))?)
    }

    /// The record with the greatest timestamp, below the limit.
    pub fn max_timestamp(&self, upto: Upto) -> Result<Option<TimestampedOffset>, ReadError> {
        Ok(self.reader().max_timestamp(self.limit(upto))?)
    }

    /// The largest epoch not above `epoch`, and where it ends.
    pub fn epoch_end(&self, epoch: Epoch) -> Option<(Epoch, Offset)> {
        self.reader().epoch_end_offset(epoch)
    }

    /// The epoch in which the record at `offset` was written.
    pub fn epoch_of(&self, offset: Offset) -> Option<Epoch> {
        self.reader().epoch_of(offset)
    }

    pub fn size_bytes(&self) -> u64 {
        self.reader().size_bytes()
    }

    /// The log's files as they are now.
    pub fn reader(&self) -> Arc<LogReader> {
        self.0.shared.reader.load_full()
    }

    fn put(&self, mail: Mail) {
        // Refused mail is dropped, and that answers it.
        drop(self.0.mailbox.put(mail));
    }
}
