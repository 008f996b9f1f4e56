//! The consumer: partitions with offsets in, records in order out.
//!
//! One fetch per leader is on its way at any time, for all its partitions at once; what came back is handed to the
//! caller before that leader is asked again. Nothing is buffered beyond that, so a slow caller slows the fetches.
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{BrokerId, FetchRequest};
use tokio::time::sleep;

use crate::TopicPartition;
use crate::client::{Client, RETRY_PAUSE};
use crate::error::{ClientError, Code, Result};
use crate::offsets::Position;
use crate::records::{self, Record};
use crate::text::topic_name;

/// Which records of transactions are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// All of them.
    ReadUncommitted,
    /// Those of committed transactions.
    ReadCommitted,
}

impl Isolation {
    pub(crate) fn on_wire(self) -> i8 {
        match self {
            Isolation::ReadUncommitted => 0,
            Isolation::ReadCommitted => 1,
        }
    }
}

/// How to consume.
#[derive(Debug, Clone)]
pub struct ConsumerConfig {
    /// Which records of transactions are seen.
    pub isolation: Isolation,
    /// The broker answers when it has so many bytes,
    pub min_bytes: i32,
    /// or after so long.
    pub max_wait: Duration,
    /// Bytes in one answer, about.
    pub max_bytes: i32,
    /// Bytes of one partition in one answer, about.
    pub partition_max_bytes: i32,
    /// Where to go on when the offset is no longer there; none: that is an error.
    pub reset: Option<Position>,
}

impl ConsumerConfig {
    /// Waits up to 500 ms for one byte; answers of up to 16 MiB.
    pub fn usual() -> Self {
        Self {
            isolation: Isolation::ReadCommitted,
            min_bytes: 1,
            max_wait: Duration::from_millis(500),
            max_bytes: 16 << 20,
            partition_max_bytes: 4 << 20,
            reset: None,
        }
    }
}

/// What one round with a leader brought for one partition.
#[derive(Debug)]
pub struct Polled {
    /// The partition.
    pub at: TopicPartition,
    /// Its next records in order; may be none.
    pub records: Vec<Record>,
    /// The offset that is read next.
    pub next_offset: i64,
    /// One past the last readable record when the broker answered.
    pub high_watermark: i64,
    /// True when `next_offset` has reached what can be read.
    pub at_end: bool,
}

/// Reads partitions.
pub struct Consumer {
    client: Client,
    config: ConsumerConfig,
    places: BTreeMap<TopicPartition, Place>,
    fetches: FuturesUnordered<Pin<Box<dyn Future<Output = Fetched> + Send>>>,
    ready: Vec<Polled>,
}

struct Place {
    offset: i64,
    busy: bool,
}

struct Fetched {
    asked: Vec<(TopicPartition, i64)>,
    answer: Result<Vec<Part>>,
}

struct Part {
    at: TopicPartition,
    code: Code,
    high_watermark: i64,
    last_stable: i64,
    aborted: Vec<(i64, i64)>,
    bytes: Bytes,
}

impl Consumer {
    /// A consumer of nothing yet.
    pub fn new(client: Client, config: ConsumerConfig) -> Self {
        Self { client, config, places: BTreeMap::new(), fetches: FuturesUnordered::new(), ready: Vec::new() }
    }

    /// Reads these partitions from these offsets and no others. Answers still on their way for others are dropped.
    pub fn assign(&mut self, places: impl IntoIterator<Item = (TopicPartition, i64)>) {
        self.fetches = FuturesUnordered::new();
        self.ready.clear();
        self.places = places.into_iter().map(|(at, offset)| (at, Place { offset, busy: false })).collect();
    }

    /// Stops reading one partition.
    pub fn drop_partition(&mut self, at: &TopicPartition) {
        self.places.remove(at);
        self.ready.retain(|polled| polled.at != *at);
    }

    /// The offsets to read next.
    pub fn positions(&self) -> BTreeMap<TopicPartition, i64> {
        self.places.iter().map(|(at, place)| (at.clone(), place.offset)).collect()
    }

    /// The next partition's records. Waits for ever while partitions are assigned and quiet: empty rounds are reported
    /// too, so that callers see the end. Safe to drop and call again.
    pub async fn next(&mut self) -> Result<Polled> {
        loop {
            if let Some(polled) = self.ready.pop() {
                if let Some(place) = self.places.get_mut(&polled.at) {
                    place.offset = polled.next_offset;
                    place.busy = false;
                    return Ok(polled);
                }
                continue;
            }
            if self.places.is_empty() {
                return Err(ClientError::Misuse("no partition is assigned".into()));
            }
            self.ask();
            if let Some(fetched) = self.fetches.next().await {
                self.take(fetched).await?;
            }
        }
    }

    /// Sends a fetch to each leader that has none on its way.
    fn ask(&mut self) {
        let metadata = self.client.metadata();
        let mut by_leader: BTreeMap<Option<i32>, Vec<(TopicPartition, i64)>> = BTreeMap::new();
        for (at, place) in self.places.iter_mut().filter(|(_, place)| !place.busy) {
            place.busy = true;
            by_leader.entry(metadata.leader(at).map(|broker| broker.id)).or_default().push((at.clone(), place.offset));
        }
        for asked in by_leader.into_values() {
            self.fetches.push(Box::pin(fetch(self.client.clone(), self.config.clone(), asked)));
        }
    }

    async fn take(&mut self, fetched: Fetched) -> Result<()> {
        for (at, offset) in &fetched.asked {
            // A partition that was assigned anew meanwhile keeps its own state.
            if let Some(place) = self.places.get_mut(at).filter(|place| place.offset == *offset) {
                place.busy = false;
            }
        }
        let parts = match fetched.answer {
            Ok(parts) => parts,
            Err(error) if error.is_retriable() => {
                sleep(RETRY_PAUSE).await;
                return self.renew(&fetched.asked).await;
            }
            Err(error) => return Err(error),
        };
        let mut stale = Vec::new();
        for part in parts {
            let Some(from) = self.places.get(&part.at).map(|place| place.offset) else { continue };
            match part.code {
                Code::NONE => {
                    let polled = self.read(part, from)?;
                    if let Some(place) = self.places.get_mut(&polled.at) {
                        place.busy = true;
                    }
                    self.ready.push(polled);
                }
                Code::OFFSET_OUT_OF_RANGE if self.config.reset.is_some() => {
                    let to = self.config.reset.unwrap_or(Position::Beginning);
                    let offset = self.client.locate(&part.at, to, self.config.isolation).await?;
                    self.places.insert(part.at, Place { offset, busy: false });
                }
                code if code.is_retriable() => stale.push((part.at, from)),
                code => return Err(ClientError::refused(code, format!("fetch {} from offset {from}", part.at), None)),
            }
        }
        // Popped from the back: the first partition first.
        self.ready.reverse();
        if !stale.is_empty() {
            sleep(RETRY_PAUSE).await;
            return self.renew(&stale).await;
        }
        Ok(())
    }

    async fn renew(&self, partitions: &[(TopicPartition, i64)]) -> Result<()> {
        let mut topics: Vec<&str> = partitions.iter().map(|(at, _)| at.topic.as_str()).collect();
        topics.dedup();
        match self.client.refresh(Some(&topics), false).await {
            Err(error) if !error.is_retriable() => Err(error),
            _ => Ok(()),
        }
    }

    fn read(&self, part: Part, from: i64) -> Result<Polled> {
        let committed_only = self.config.isolation == Isolation::ReadCommitted;
        let decoded = records::decode(&part.at, part.bytes, from, committed_only.then_some(&part.aborted[..]))?;
        let readable = if committed_only && part.last_stable >= 0 { part.last_stable } else { part.high_watermark };
        let next_offset = decoded.next_offset.max(from);
        Ok(Polled { at: part.at, records: decoded.records, next_offset, high_watermark: part.high_watermark, at_end: next_offset >= readable })
    }
}

/// Batches as they lie in the log.
#[derive(Debug)]
pub struct RawBatches {
    /// Whole batches, the last one perhaps cut off; the first one may begin below the offset asked for.
    pub bytes: Bytes,
    /// One past the last readable record when the broker answered.
    pub high_watermark: i64,
}

impl Client {
    /// One partition's batches from `offset` on, undecoded; empty at the end.
    pub async fn fetch_batches(&self, at: &TopicPartition, offset: i64) -> Result<RawBatches> {
        let config = ConsumerConfig { isolation: Isolation::ReadUncommitted, max_wait: Duration::ZERO, ..ConsumerConfig::usual() };
        self.persist(|| async {
            let part = ask_leader(self, &config, &[(at.clone(), offset)]).await?.into_iter().next();
            let part = part.ok_or_else(|| ClientError::malformed("Fetch response", format!("no answer for {at}")))?;
            part.code.check(|| format!("fetch {at} from offset {offset}"), None)?;
            Ok(RawBatches { bytes: part.bytes, high_watermark: part.high_watermark })
        })
        .await
    }
}

async fn fetch(client: Client, config: ConsumerConfig, asked: Vec<(TopicPartition, i64)>) -> Fetched {
    let answer = ask_leader(&client, &config, &asked).await;
    Fetched { asked, answer }
}

async fn ask_leader(client: &Client, config: &ConsumerConfig, asked: &[(TopicPartition, i64)]) -> Result<Vec<Part>> {
    let Some((first, _)) = asked.first() else { return Ok(Vec::new()) };
    let connection = client.leader(first).await?;
    let version = connection.version_of::<FetchRequest>()?;
    let mut by_topic: BTreeMap<&str, Vec<FetchPartition>> = BTreeMap::new();
    for (at, offset) in asked {
        let partition = FetchPartition::default()
            .with_partition(at.partition)
            .with_fetch_offset(*offset)
            .with_partition_max_bytes(config.partition_max_bytes)
            .with_current_leader_epoch(-1)
            .with_last_fetched_epoch(-1)
            .with_log_start_offset(-1);
        by_topic.entry(&at.topic).or_default().push(partition);
    }
    let topics = by_topic.into_iter().map(|(name, partitions)| FetchTopic::default().with_topic(topic_name(name)).with_partitions(partitions));
    let wait_ms = config.max_wait.as_millis().min(i32::MAX as u128) as i32;
    let mut request = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(wait_ms)
        .with_min_bytes(config.min_bytes)
        .with_max_bytes(config.max_bytes)
        .with_isolation_level(config.isolation.on_wire())
        .with_topics(topics.collect());
    if version >= 7 {
        // No session: every request is whole.
        request.session_epoch = -1;
    }
    let answer = connection.call_within(&request, config.max_wait + client.config().request_timeout).await?;
    Code(answer.error_code).check(|| "fetch".into(), None)?;
    let mut parts = Vec::new();
    for topic in answer.responses {
        for partition in topic.partitions {
            let aborted = partition.aborted_transactions.unwrap_or_default();
            parts.push(Part {
                at: TopicPartition::new(topic.topic.as_str(), partition.partition_index),
                code: Code(partition.error_code),
                high_watermark: partition.high_watermark,
                last_stable: partition.last_stable_offset,
                aborted: aborted.iter().map(|one| (one.producer_id.0, one.first_offset)).collect(),
                bytes: partition.records.unwrap_or_default(),
            });
        }
    }
    Ok(parts)
}
