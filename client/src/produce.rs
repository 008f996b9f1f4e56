//! The producer: records in, one acknowledgement per record out.
//!
//! ```text
//! send() --(bounded by bytes)--> task: a queue per partition --batches, grouped by leader--> broker
//!                                  ^                                                        |
//!                                  +---- retry the same bytes, or settle the deliveries <---+
//! ```
//!
//! Invariants
//! * At most one batch of a partition is on its way; the next one is cut only when that one is settled. Order is kept
//!   over any number of retries, and an idempotent batch is resent with the same bytes and the same sequence.
//! * A batch that fails for good takes the producer id with it: what follows starts a new id at sequence 0.
//! * Bytes accepted and not settled never exceed `buffer_bytes`; `send` waits.
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use millrace_record::partition_of_key;
use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{InitProducerIdRequest, ProducerId, ProduceRequest};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use crate::TopicPartition;
use crate::client::{Client, RETRY_PAUSE};
use crate::error::{ClientError, Code, Result};
use crate::partition::Sticky;
use crate::records::{self, Compression, Identity, Outgoing};
use crate::text::{owned, topic_name};

/// Whose word an acknowledgement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// Nobody's: sent is done.
    None,
    /// The leader's.
    Leader,
    /// The leader's after its in-sync replicas.
    All,
}

impl Acks {
    fn on_wire(self) -> i16 {
        match self {
            Acks::None => 0,
            Acks::Leader => 1,
            Acks::All => -1,
        }
    }
}

/// How to produce.
#[derive(Debug, Clone)]
pub struct ProducerConfig {
    /// Whose word an acknowledgement is.
    pub acks: Acks,
    /// Numbers batches so that a retry is never appended twice. Needs `Acks::All`.
    pub idempotent: bool,
    /// How batches are compressed.
    pub compression: Compression,
    /// A batch is sent when it is this large,
    pub batch_bytes: usize,
    /// or this old.
    pub linger: Duration,
    /// Bytes accepted and not yet settled, at most.
    pub buffer_bytes: usize,
    /// A batch that is not acknowledged by then has failed.
    pub delivery_timeout: Duration,
    /// Asks the broker to create topics that it does not have.
    pub auto_create: bool,
}

impl ProducerConfig {
    /// Safe and quick: acks=all, idempotent, 256 KiB batches after 5 ms.
    pub fn safe() -> Self {
        Self {
            acks: Acks::All,
            idempotent: true,
            compression: Compression::None,
            batch_bytes: 256 << 10,
            linger: Duration::from_millis(5),
            buffer_bytes: 64 << 20,
            delivery_timeout: Duration::from_secs(120),
            auto_create: true,
        }
    }
}

/// Where a record ended up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Its topic and partition.
    pub at: TopicPartition,
    /// Its offset; -1 with acks=0, and for a repeat whose first append the broker no longer places.
    pub offset: i64,
}

/// Resolves when a record's fate is known. May be dropped: [`Producer::flush`] reports failures too.
pub struct Delivery(oneshot::Receiver<Result<Delivered>>);

impl Future for Delivery {
    type Output = Result<Delivered>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|answer| answer.unwrap_or_else(|_| Err(stopped())))
    }
}

fn stopped() -> ClientError {
    ClientError::Misuse("the producer has stopped".into())
}

/// Accepts records; clones share the queues.
#[derive(Clone)]
pub struct Producer {
    client: Client,
    config: Arc<ProducerConfig>,
    commands: mpsc::UnboundedSender<Command>,
    room: Arc<Semaphore>,
    sticky: Arc<Mutex<HashMap<String, (i32, Sticky)>>>,
}

enum Command {
    Send(TopicPartition, Entry),
    Flush(oneshot::Sender<Result<()>>),
}

struct Entry {
    record: Outgoing,
    settle: oneshot::Sender<Result<Delivered>>,
    room: OwnedSemaphorePermit,
}

impl Producer {
    /// Starts the producer's task on the current runtime.
    pub fn new(client: Client, config: ProducerConfig) -> Result<Producer> {
        if config.idempotent && config.acks != Acks::All {
            return Err(ClientError::Misuse("an idempotent producer needs acks=all".into()));
        }
        let (commands, receiver) = mpsc::unbounded_channel();
        let room = Arc::new(Semaphore::new(config.buffer_bytes.min(Semaphore::MAX_PERMITS)));
        let config = Arc::new(config);
        tokio::spawn(Task::new(client.clone(), config.clone()).run(receiver));
        Ok(Producer { client, config, commands, room, sticky: Arc::default() })
    }

    /// Queues a record, waiting while the buffer is full. No partition: the key decides, or without one the producer.
    pub async fn send(&self, topic: &str, partition: Option<i32>, record: Outgoing) -> Result<Delivery> {
        let bytes = record.size();
        let partition = match partition {
            Some(partition) => partition,
            None => self.choose(topic, &record, bytes).await?,
        };
        let permits = u32::try_from(bytes.min(self.config.buffer_bytes)).unwrap_or(u32::MAX);
        let room = self.room.clone().acquire_many_owned(permits).await.map_err(|_| stopped())?;
        let (settle, settled) = oneshot::channel();
        let entry = Entry { record, settle, room };
        self.commands.send(Command::Send(TopicPartition::new(topic, partition), entry)).map_err(|_| stopped())?;
        Ok(Delivery(settled))
    }

    /// Waits until everything sent so far is settled; fails with the first failure since the last flush.
    pub async fn flush(&self) -> Result<()> {
        let (done, wait) = oneshot::channel();
        self.commands.send(Command::Flush(done)).map_err(|_| stopped())?;
        wait.await.map_err(|_| stopped())?
    }

    async fn choose(&self, topic: &str, record: &Outgoing, bytes: usize) -> Result<i32> {
        let known = self.sticky.lock().unwrap_or_else(PoisonError::into_inner).get(topic).map(|(count, _)| *count);
        let count = match known {
            Some(count) => count,
            None => {
                let count = self.client.topic(topic, self.config.auto_create).await?.partitions.len() as i32;
                self.sticky.lock().unwrap_or_else(PoisonError::into_inner).insert(topic.to_owned(), (count, Sticky::new()));
                count
            }
        };
        if let Some(key) = &record.key {
            return Ok(partition_of_key(key, count));
        }
        let mut sticky = self.sticky.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, sticky) = sticky.get_mut(topic).ok_or_else(stopped)?;
        Ok(sticky.next(bytes, self.config.batch_bytes, *count))
    }
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Entry>,
    bytes: usize,
    oldest: Option<Instant>,
    /// The batch that must be settled before another is cut, while it is not on its way.
    again: Option<Batch>,
    busy: bool,
    not_before: Option<Instant>,
    identity: Option<(i64, i16)>,
    sequence: i32,
}

struct Batch {
    bytes: Bytes,
    entries: Vec<(oneshot::Sender<Result<Delivered>>, OwnedSemaphorePermit)>,
    deadline: Instant,
}

type Outcomes = Vec<(TopicPartition, Batch, Result<i64>)>;

struct Task {
    client: Client,
    config: Arc<ProducerConfig>,
    queues: BTreeMap<TopicPartition, Queue>,
    identity: Option<(i64, i16)>,
    flushes: Vec<oneshot::Sender<Result<()>>>,
    failure: Option<ClientError>,
    closing: bool,
}

impl Task {
    fn new(client: Client, config: Arc<ProducerConfig>) -> Self {
        Self { client, config, queues: BTreeMap::new(), identity: None, flushes: Vec::new(), failure: None, closing: false }
    }

    async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        let mut requests: FuturesUnordered<Pin<Box<dyn Future<Output = Outcomes> + Send>>> = FuturesUnordered::new();
        loop {
            self.number().await;
            for batch in self.due(Instant::now()) {
                requests.push(Box::pin(send(self.client.clone(), self.config.clone(), batch)));
            }
            let idle = self.queues.values().all(|queue| !queue.busy && queue.again.is_none() && queue.waiting.is_empty());
            if idle {
                let outcome = self.failure.clone().map_or(Ok(()), Err);
                if !self.flushes.is_empty() {
                    self.failure = None;
                }
                for flush in self.flushes.drain(..) {
                    // Nobody may be waiting any more.
                    let _ = flush.send(outcome.clone());
                }
                if self.closing {
                    return;
                }
            }
            let wake = self.next_wake();
            tokio::select! {
                command = commands.recv(), if !self.closing => self.take(command, &mut commands),
                Some(outcomes) = requests.next() => {
                    for (at, batch, outcome) in outcomes {
                        self.settle(at, batch, outcome);
                    }
                }
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            }
        }
    }

    fn take(&mut self, first: Option<Command>, commands: &mut mpsc::UnboundedReceiver<Command>) {
        let mut next = first;
        if next.is_none() {
            self.closing = true;
        }
        while let Some(command) = next {
            match command {
                Command::Send(at, entry) => {
                    let queue = self.queues.entry(at).or_default();
                    queue.bytes += entry.record.size();
                    queue.oldest.get_or_insert_with(Instant::now);
                    queue.waiting.push_back(entry);
                }
                Command::Flush(done) => self.flushes.push(done),
            }
            next = commands.try_recv().ok();
        }
    }

    /// Gets a producer id when one is wanted and missing; a failure fails what waits.
    async fn number(&mut self) {
        let wanted = self.config.idempotent && self.identity.is_none() && self.queues.values().any(|queue| !queue.waiting.is_empty());
        if !wanted {
            return;
        }
        let client = self.client.clone();
        let asked = client.persist(|| async {
            let request = InitProducerIdRequest::default().with_transactional_id(None).with_producer_id(ProducerId(-1)).with_producer_epoch(-1).with_transaction_timeout_ms(60_000);
            let answer = client.any().await?.call(&request).await?;
            Code(answer.error_code).check(|| "InitProducerId".into(), None)?;
            Ok((answer.producer_id.0, answer.producer_epoch))
        });
        match asked.await {
            Ok(identity) => self.identity = Some(identity),
            Err(error) => {
                for queue in self.queues.values_mut() {
                    for entry in queue.waiting.drain(..) {
                        let _ = entry.settle.send(Err(error.clone()));
                    }
                    queue.bytes = 0;
                    queue.oldest = None;
                }
                self.failure.get_or_insert(error);
            }
        }
    }

    /// Cuts the batches that should leave now, one request per leader.
    fn due(&mut self, now: Instant) -> Vec<Vec<(TopicPartition, Batch)>> {
        let hurry = self.closing || !self.flushes.is_empty();
        let metadata = self.client.metadata();
        let mut by_leader: BTreeMap<Option<i32>, Vec<(TopicPartition, Batch)>> = BTreeMap::new();
        for (at, queue) in &mut self.queues {
            if queue.busy || queue.not_before.is_some_and(|time| time > now) {
                continue;
            }
            let ripe = queue.bytes >= self.config.batch_bytes || queue.oldest.is_some_and(|time| hurry || now >= time + self.config.linger);
            let batch = match queue.again.take() {
                Some(batch) => batch,
                None if ripe && !queue.waiting.is_empty() => match queue.cut(&self.config, self.identity, now) {
                    Ok(batch) => batch,
                    Err(error) => {
                        self.failure.get_or_insert(error);
                        continue;
                    }
                },
                None => continue,
            };
            queue.busy = true;
            queue.not_before = None;
            by_leader.entry(metadata.leader(at).map(|broker| broker.id)).or_default().push((at.clone(), batch));
        }
        by_leader.into_values().collect()
    }

    fn settle(&mut self, at: TopicPartition, batch: Batch, outcome: Result<i64>) {
        let now = Instant::now();
        let Some(queue) = self.queues.get_mut(&at) else { return };
        queue.busy = false;
        match outcome {
            Ok(base) => {
                for (index, (settle, _)) in batch.entries.into_iter().enumerate() {
                    let offset = if base < 0 { base } else { base + index as i64 };
                    let _ = settle.send(Ok(Delivered { at: at.clone(), offset }));
                }
            }
            Err(error) if error.is_retriable() && now < batch.deadline => {
                queue.again = Some(batch);
                queue.not_before = Some(now + RETRY_PAUSE);
            }
            Err(error) => {
                for (settle, _) in batch.entries {
                    let _ = settle.send(Err(error.clone()));
                }
                self.failure.get_or_insert(error);
                // The broker may or may not have these sequences: nothing may follow them under the same id.
                self.identity = None;
            }
        }
    }

    fn next_wake(&self) -> Option<Instant> {
        let wake = |queue: &Queue| match (queue.busy, &queue.again) {
            (true, _) => None,
            (false, Some(_)) => queue.not_before,
            (false, None) => queue.oldest.map(|time| time + self.config.linger),
        };
        self.queues.values().filter_map(wake).min()
    }
}

impl Queue {
    fn cut(&mut self, config: &ProducerConfig, identity: Option<(i64, i16)>, now: Instant) -> Result<Batch> {
        if self.identity != identity {
            self.identity = identity;
            self.sequence = 0;
        }
        let mut taken = 0;
        let mut chosen = Vec::new();
        while let Some(entry) = self.waiting.front() {
            let size = entry.record.size();
            if taken > 0 && taken + size > config.batch_bytes {
                break;
            }
            taken += size;
            chosen.extend(self.waiting.pop_front());
        }
        self.bytes = self.bytes.saturating_sub(taken);
        self.oldest = if self.waiting.is_empty() { None } else { self.oldest };
        let numbered = self.identity.map(|(id, epoch)| Identity { id, epoch, sequence: self.sequence });
        let encoded = records::encode(chosen.iter().map(|entry| &entry.record), config.compression, numbered);
        match encoded {
            Ok(bytes) => {
                self.sequence = ((i64::from(self.sequence) + chosen.len() as i64) & 0x7fff_ffff) as i32;
                let entries = chosen.into_iter().map(|entry| (entry.settle, entry.room)).collect();
                Ok(Batch { bytes, entries, deadline: now + config.delivery_timeout })
            }
            Err(error) => {
                for entry in chosen {
                    let _ = entry.settle.send(Err(error.clone()));
                }
                Err(error)
            }
        }
    }
}

/// Sends one leader's batches and pairs each with its fate.
async fn send(client: Client, config: Arc<ProducerConfig>, batches: Vec<(TopicPartition, Batch)>) -> Outcomes {
    let fates = match ask(&client, &config, &batches).await {
        Ok(fates) => fates,
        Err(error) => {
            return batches.into_iter().map(|(at, batch)| (at, batch, Err(error.clone()))).collect();
        }
    };
    let mut stale = false;
    let outcomes = batches
        .into_iter()
        .map(|(at, batch)| {
            let missing = || Err(ClientError::malformed("Produce response", format!("no answer for {at}")));
            let fate = match fates.get(&at) {
                None => missing(),
                Some((Code::NONE | Code::DUPLICATE_SEQUENCE_NUMBER, base, _)) => Ok(*base),
                Some((code, _, message)) => {
                    stale |= code.wants_new_metadata();
                    Err(ClientError::refused(*code, format!("produce to {at}"), message.as_deref()))
                }
            };
            (at, batch, fate)
        })
        .collect::<Outcomes>();
    if stale {
        let topics: Vec<&str> = outcomes.iter().map(|(at, _, _)| at.topic.as_str()).collect();
        // A failure here shows again at the retry.
        let _ = client.refresh(Some(&topics), config.auto_create).await;
    }
    outcomes
}

type Fates = HashMap<TopicPartition, (Code, i64, Option<String>)>;

async fn ask(client: &Client, config: &ProducerConfig, batches: &[(TopicPartition, Batch)]) -> Result<Fates> {
    let Some((first, _)) = batches.first() else { return Ok(Fates::new()) };
    if client.metadata().leader(first).is_none() {
        for topic in batches.iter().map(|(at, _)| at.topic.as_str()).collect::<std::collections::BTreeSet<_>>() {
            client.topic(topic, config.auto_create).await?;
        }
    }
    let connection = match client.leader(first).await {
        Ok(connection) => connection,
        Err(error) => {
            sleep(RETRY_PAUSE).await;
            let _ = client.refresh(Some(&[&first.topic]), config.auto_create).await;
            return Err(error);
        }
    };
    let mut by_topic: BTreeMap<&str, Vec<PartitionProduceData>> = BTreeMap::new();
    for (at, batch) in batches {
        let data = PartitionProduceData::default().with_index(at.partition).with_records(Some(batch.bytes.clone()));
        by_topic.entry(&at.topic).or_default().push(data);
    }
    let topics = by_topic.into_iter().map(|(topic, data)| TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(data));
    let timeout_ms = client.config().request_timeout.as_millis().min(i32::MAX as u128) as i32;
    let request = ProduceRequest::default().with_acks(config.acks.on_wire()).with_timeout_ms(timeout_ms).with_topic_data(topics.collect());
    if config.acks == Acks::None {
        connection.tell(&request)?;
        return Ok(batches.iter().map(|(at, _)| (at.clone(), (Code::NONE, -1, None))).collect());
    }
    let answer = connection.call(&request).await?;
    let mut fates = Fates::new();
    for topic in &answer.responses {
        for partition in &topic.partition_responses {
            let fate = (Code(partition.error_code), partition.base_offset, partition.error_message.as_ref().map(owned));
            fates.insert(TopicPartition::new(topic.name.as_str(), partition.index), fate);
        }
    }
    Ok(fates)
}
