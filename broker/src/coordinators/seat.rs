//! A coordinator beside its log.
//!
//! Invariants:
//! 1. The log has the order of the decisions: records go into the mailbox under the lock under which
//!    they were decided.
//! 2. No reply leaves, to the asker or to anybody who was parked, before everything decided up to it is
//!    committed.
//! 3. The coordinator never goes on from a state that its log does not have: after a failed append it is
//!    thrown away, everybody who waits is told to look again, and the log is read anew. An append names
//!    the end that it expects, so that nothing of a later decision can land behind a failed one.
use std::collections::HashMap;
use std::sync::Arc;

use bytes::BytesMut;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use millrace_coordinator::{Coordinator, CoordinatorConfig, Decision, Now, Record, Token, Woken};
use millrace_record::{BatchBuilder, BatchHeader, Codec, Level, Offset};
use millrace_shard::{AppendOptions, Bell, Origin, Partition};
use millrace_world::World;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::CoordinatorError;
use super::timer::keep_time;
use crate::folded::{FoldedError, Logged, read_log};

/// The answer to a join or sync, when it comes. Dropped without one when the coordinator goes.
pub type Parked = oneshot::Receiver<Woken>;

/// Resolves when everything decided before is committed, or will not be.
type Commit = Shared<BoxFuture<'static, bool>>;

/// One partition of `__consumer_offsets`, coordinated here.
pub struct Seat {
    pub(super) world: Arc<dyn World>,
    partition: Partition,
    inside: Mutex<Inside>,
    /// Rung when the next deadline may have changed, or the seat is closed.
    pub(super) deadline_changed: Bell,
}

struct Inside {
    config: CoordinatorConfig,
    place: Place,
    closed: bool,
}

enum Place {
    /// Not led here, as far as anybody has noticed.
    Idle,
    /// The log is being read; who asks is told to come back.
    Loading,
    Loaded(Box<Loaded>),
    /// The log cannot be read. Why has been logged.
    Unreadable,
}

struct Loaded {
    coordinator: Coordinator,
    /// The leadership under which it was read. Another one means that others may have written.
    epoch: i32,
    next: Offset,
    /// Of the last append.
    commit: Option<Commit>,
    parked: HashMap<Token, oneshot::Sender<Woken>>,
    tokens: u64,
}

impl Seat {
    pub(super) fn open(world: Arc<dyn World>, partition: Partition, config: CoordinatorConfig) -> Arc<Seat> {
        let inside = Inside { config, place: Place::Idle, closed: false };
        let seat = Arc::new(Seat { world, partition, inside: Mutex::new(inside), deadline_changed: Bell::new() });
        seat.inside.lock().place = Place::Loading;
        seat.load();
        seat.world.spawn(Box::pin(keep_time(Arc::downgrade(&seat), seat.deadline_changed.clone(), seat.world.clone())));
        seat
    }

    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    pub fn is_closed(&self) -> bool {
        self.inside.lock().closed
    }

    pub(super) fn set_config(&self, config: CoordinatorConfig) {
        let mut inside = self.inside.lock();
        if let Place::Loaded(loaded) = &mut inside.place {
            loaded.coordinator.set_config(config.clone());
        }
        inside.config = config;
    }

    /// The partition is gone. Dropping what is parked answers it.
    pub(super) fn close(&self) {
        let mut inside = self.inside.lock();
        inside.closed = true;
        inside.place = Place::Idle;
        drop(inside);
        self.deadline_changed.ring();
    }

    /// What was committed for a deleted topic goes with it. Nobody waits for that.
    pub(super) fn topic_deleted(self: &Arc<Self>, topic: &str) {
        let (seat, topic) = (self.clone(), topic.to_owned());
        self.world.spawn(Box::pin(async move {
            // If it fails, expiry takes the offsets later.
            let _ = seat.ask(|coordinator, _| coordinator.topic_deleted(&topic)).await;
        }));
    }

    /// Decides, and answers when the decision and all before it are committed.
    pub async fn ask<R>(self: &Arc<Self>, question: impl FnOnce(&mut Coordinator, Now) -> Decision<R>) -> Result<R, CoordinatorError> {
        let (reply, commit) = self.decide(|loaded, now| question(&mut loaded.coordinator, now))?;
        self.committed(commit).await?;
        Ok(reply)
    }

    /// Asks something whose answer may have to wait for other clients.
    pub async fn park(self: &Arc<Self>, question: impl FnOnce(&mut Coordinator, Token, Now) -> Decision<()>) -> Result<Woken, CoordinatorError> {
        let (answer, parked) = oneshot::channel();
        let (_, commit) = self.decide(|loaded, now| {
            loaded.tokens += 1;
            let token = Token(loaded.tokens);
            loaded.parked.insert(token, answer);
            question(&mut loaded.coordinator, token, now)
        })?;
        self.committed(commit).await?;
        parked.await.map_err(|_| CoordinatorError::NotCoordinator)
    }

    /// Looks without deciding. The answer parks like any other: it may show what is not committed yet.
    pub async fn look<R>(self: &Arc<Self>, look: impl FnOnce(&Coordinator) -> R) -> Result<R, CoordinatorError> {
        self.ask(|coordinator, _| Decision { records: Vec::new(), woken: Vec::new(), reply: look(coordinator) }).await
    }

    /// Looks at once, at what may not be committed yet: for metrics, never for an answer.
    pub(super) fn peek<R>(&self, look: impl FnOnce(&Coordinator) -> R) -> Option<R> {
        match &self.inside.lock().place {
            Place::Loaded(loaded) => Some(look(&loaded.coordinator)),
            Place::Idle | Place::Loading | Place::Unreadable => None,
        }
    }

    /// Does what time demands. Answers when it will demand something again, on the monotonic clock.
    pub(super) fn wake(self: &Arc<Self>) -> Option<i64> {
        let due = |loaded: &mut Loaded, now: Now| {
            if loaded.coordinator.next_deadline() <= now.monotonic_ms {
                loaded.coordinator.wake(now)
            } else {
                Decision { records: Vec::new(), woken: Vec::new(), reply: () }
            }
        };
        let (_, commit) = self.decide(due).ok()?;
        if let Some(commit) = commit {
            // Somebody must notice if it fails.
            let seat = self.clone();
            self.world.spawn(Box::pin(async move {
                let _ = seat.committed(Some(commit)).await;
            }));
        }
        match &self.inside.lock().place {
            Place::Loaded(loaded) => Some(loaded.coordinator.next_deadline()),
            Place::Idle | Place::Loading | Place::Unreadable => None,
        }
    }

    fn decide<R>(
        self: &Arc<Self>,
        question: impl FnOnce(&mut Loaded, Now) -> Decision<R>,
    ) -> Result<(R, Option<Commit>), CoordinatorError> {
        let now = self.now();
        let mut inside = self.inside.lock();
        if inside.closed {
            return Err(CoordinatorError::NotCoordinator);
        }
        let state = self.partition.state();
        if !state.is_leader {
            inside.place = Place::Idle;
            return Err(CoordinatorError::NotCoordinator);
        }
        let loaded = match &mut inside.place {
            Place::Loaded(loaded) if loaded.epoch == state.leader_epoch => loaded,
            Place::Loaded(_) | Place::Idle => {
                inside.place = Place::Loading;
                drop(inside);
                self.load();
                return Err(CoordinatorError::Loading);
            }
            Place::Loading => return Err(CoordinatorError::Loading),
            Place::Unreadable => return Err(CoordinatorError::NotAvailable),
        };
        let before = loaded.coordinator.next_deadline();
        let Decision { records, woken, reply } = question(loaded, now);
        if !records.is_empty() {
            self.append(loaded, &records, now);
        }
        let commit = loaded.commit.clone();
        self.deliver(loaded, woken, commit.clone());
        if loaded.coordinator.next_deadline() < before {
            self.deadline_changed.ring();
        }
        Ok((reply, commit))
    }

    fn append(&self, loaded: &mut Loaded, records: &[Record], now: Now) {
        let (batch, header) = encode(records, now.wall_ms);
        let options = AppendOptions { origin: Origin::Coordinator, expected_end: Some(loaded.next), ..AppendOptions::INTERNAL };
        loaded.next = Offset(loaded.next.0 + i64::from(header.count));
        let reply = self.partition.append(batch, header, options);
        loaded.commit = Some(reply.map(|result| result.is_ok()).boxed().shared());
    }

    /// Hands out answers once they may leave. In a task of its own when they must wait: whoever caused
    /// them may be gone by then.
    fn deliver(&self, loaded: &mut Loaded, woken: Vec<(Token, Woken)>, commit: Option<Commit>) {
        let answers: Vec<_> = woken.into_iter().filter_map(|(token, woken)| Some((loaded.parked.remove(&token)?, woken))).collect();
        if answers.is_empty() {
            return;
        }
        // An answer that nobody waits for any more is dropped.
        let hand_out = move || answers.into_iter().for_each(|(answer, woken)| drop(answer.send(woken)));
        match commit {
            None => hand_out(),
            Some(commit) => self.world.spawn(Box::pin(async move {
                if commit.await {
                    hand_out();
                }
            })),
        }
    }

    async fn committed(self: &Arc<Self>, commit: Option<Commit>) -> Result<(), CoordinatorError> {
        match commit {
            Some(commit) if !commit.clone().await => {
                self.failed();
                Err(CoordinatorError::NotCoordinator)
            }
            _ => Ok(()),
        }
    }

    /// An append failed: what was decided since is not in the log.
    fn failed(self: &Arc<Self>) {
        let mut inside = self.inside.lock();
        if !inside.closed && matches!(inside.place, Place::Loaded(_)) {
            inside.place = Place::Loading;
            drop(inside);
            self.load();
        }
    }

    /// Reads the log, away from the caller.
    fn load(self: &Arc<Self>) {
        let seat = self.clone();
        self.world.spawn(Box::pin(async move { seat.read().await }));
    }

    async fn read(self: Arc<Self>) {
        let state = self.partition.state();
        let config = self.inside.lock().config.clone();
        let place = match read_log(&self.partition, Replay(Coordinator::new(config.clone(), self.now()))) {
            Ok((Replay(mut coordinator), next)) => {
                coordinator.loaded(self.now());
                // The decisions of an earlier leader may not be committed yet; nothing is answered before.
                if next > Offset::ZERO {
                    self.partition.beyond(Offset(next.0 - 1)).await;
                }
                let loaded =
                    Loaded { coordinator, epoch: state.leader_epoch, next, commit: None, parked: HashMap::new(), tokens: 0 };
                Place::Loaded(Box::new(loaded))
            }
            Err(FoldedError::NotLeader) => Place::Idle,
            Err(error) => {
                tracing::error!(group = %self.partition.id(), %error, "group offsets cannot be read; their groups are not served");
                Place::Unreadable
            }
        };
        let mut inside = self.inside.lock();
        if !inside.closed {
            inside.place = place;
            // It may have been altered in the meantime.
            let config = inside.config.clone();
            if let Place::Loaded(loaded) = &mut inside.place {
                loaded.coordinator.set_config(config);
            }
        }
        drop(inside);
        self.deadline_changed.ring();
    }

    pub(super) fn now(&self) -> Now {
        Now { monotonic_ms: i64::try_from(self.world.now().0 / 1_000_000).unwrap_or(i64::MAX), wall_ms: self.world.wall_ms() }
    }
}

fn encode(records: &[Record], now_ms: i64) -> (BytesMut, BatchHeader) {
    let mut builder = BatchBuilder::new(Codec::None, Level::Default);
    for record in records {
        let (key, value) = record.encode();
        builder.push(now_ms, Some(&key), value.as_deref(), &[]);
    }
    let batch = builder.build();
    let header = BatchHeader::parse(&batch).expect("a batch that was just built parses");
    (batch, header)
}

/// A coordinator while its log is read.
struct Replay(Coordinator);

impl Logged for Replay {
    type Record = Record;
    fn apply(&mut self, _at: Offset, record: Record) {
        self.0.replay(record);
    }
    fn encode(record: &Record) -> crate::folded::Encoded {
        let (key, value) = record.encode();
        crate::folded::Encoded { key: Some(key), value }
    }
    fn decode(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Option<Record>, String> {
        let copy = bytes::Bytes::copy_from_slice;
        let key = key.ok_or("a record without a key")?;
        Record::decode(copy(key), value.map(copy)).map(Some).map_err(|error| error.to_string())
    }
}
