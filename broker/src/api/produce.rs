//! Produce (0). Stage one judges every batch and puts the good ones into the shard's mailbox: that is
//! all that must happen in order. Stage two waits for the acknowledgement that was asked for.
//!
//! A batch is stamped where the socket put it; nothing of it is copied here.
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context as Task, Poll};
use std::time::Duration;

use millrace_cluster::config::{Compression, TimestampType, TopicSettings};
use millrace_cluster::decide::is_internal;
use millrace_protocol::ErrorCode;
use millrace_protocol::frame::Frame;
use millrace_protocol::header::Opening;
use millrace_protocol::produce::{
    PartitionData, PartitionResponse, ProduceRequest, ProduceResponse, RecordError, TopicResponse,
};
use millrace_record::{Codec, Level, Origin as Writer, Refused, Rules, TimestampType as StampType, admit};
use millrace_shard::{Acks, AppendError, AppendOptions, AppendReply, Appended, Origin};

use super::table::Pending;
use super::{ApiError, Context, Fault, Outcome, Request, find};
use crate::partitions::{Directory, Topic};

/// What a compressed batch may become. Above anything that a sane producer sends, and below what
/// would hurt a node when every thread meets one at once.
const DECOMPRESSED_BYTES_MAX: usize = 128 << 20;
/// Topics of the broker's own are closed to clients, except to this one: Kafka's own tools need it.
const ADMIN_CLIENT: &str = "__admin_client";
/// Every partition is a group of one: it is in sync with itself.
const IN_SYNC_REPLICAS: i32 = 1;

pub fn call(ctx: Context, request: Request) -> Pending<Result<Outcome, Fault>> {
    Box::pin(async move { start(&ctx, request) })
}

/// Stage one. Nothing here waits.
fn start(ctx: &Context, request: Request) -> Result<Outcome, Fault> {
    let Request { opening, body, .. } = request;
    let version = opening.api_version;
    let ProduceRequest { transactional_id, acks: raw_acks, timeout_ms, topics } = ProduceRequest::decode(body, version)?;
    let acks = match raw_acks {
        0 => Ok(Acks::None),
        1 => Ok(Acks::Leader),
        -1 => Ok(Acks::All),
        _ => Err(ApiError::from(ErrorCode::InvalidRequiredAcks)),
    };
    // Without a transaction coordinator nobody can have begun one.
    let acks = if transactional_id.is_some() { Err(ErrorCode::TransactionalIdNotFound.into()) } else { acks };
    let directory = ctx.node.partitions.directory();
    let now_ms = ctx.node.world.wall_ms();
    let mut response = ProduceResponse { topics: Vec::with_capacity(topics.len()), ..Default::default() };
    let mut waiting = Vec::new();
    let mut failed = false;
    for (at, topic) in topics.into_iter().enumerate() {
        let mut answered = Vec::with_capacity(topic.partitions.len());
        for partition in topic.partitions {
            let index = partition.index;
            let batch = Batch { directory: &directory, topic: &topic.topic, partition, version, now_ms };
            let appended = acks.clone().map_err(Unacceptable::from).and_then(|acks| append(ctx, batch, acks));
            // A place that is filled in when the append is answered.
            let mut answer = PartitionResponse::refused(index, 0, None);
            match appended {
                Ok(Some(reply)) => waiting.push(Waiting { topic: at, partition: answered.len(), reply }),
                Ok(None) => {}
                Err(refused) => {
                    failed = true;
                    ctx.node.metrics.produce_failures.add(1);
                    answer = refused.into_response(index);
                }
            }
            answered.push(answer);
        }
        response.topics.push(TopicResponse { topic: topic.topic, partitions: answered });
    }
    if raw_acks == 0 {
        return if failed { Err(Fault::SilentProduceFailed) } else { Ok(Outcome::Silent) };
    }
    if waiting.is_empty() {
        return Ok(Outcome::Now(encode(&response, &opening)?));
    }
    let timeout = Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
    Ok(Outcome::Later(Box::pin(finish(ctx.clone(), opening, response, waiting, timeout))))
}

struct Batch<'a> {
    directory: &'a Directory,
    topic: &'a millrace_protocol::topic::TopicRef,
    partition: PartitionData,
    version: i16,
    now_ms: i64,
}

struct Waiting {
    topic: usize,
    partition: usize,
    reply: AppendReply,
}

/// Why a batch is not appended, with what is wrong with which of its records.
struct Unacceptable {
    error: ApiError,
    records: Vec<RecordError>,
}

impl<E: Into<ApiError>> From<E> for Unacceptable {
    fn from(error: E) -> Unacceptable {
        Unacceptable { error: error.into(), records: Vec::new() }
    }
}

impl Unacceptable {
    fn of(refused: Refused) -> Unacceptable {
        let records = match &refused {
            Refused::InvalidRecord { records, .. } | Refused::InvalidTimestamp { records, .. } => records
                .iter()
                .map(|record| RecordError { batch_index: record.index, message: Some(record.message.clone()) })
                .collect(),
            Refused::Corrupt(_)
            | Refused::TooLarge { .. }
            | Refused::LargerThanSegment { .. }
            | Refused::UnsupportedCompression(_) => Vec::new(),
        };
        Unacceptable { error: refused.into(), records }
    }

    fn into_response(self, index: i32) -> PartitionResponse {
        let mut response = PartitionResponse::refused(index, self.error.wire(), self.error.message.map(Into::into));
        response.record_errors = self.records;
        response
    }
}

/// Judges one batch and puts it into the mailbox. `None` if nobody waits for the answer.
fn append(ctx: &Context, batch: Batch<'_>, acks: Acks) -> Result<Option<AppendReply>, Unacceptable> {
    let topic = find::topic(batch.directory, batch.topic)?;
    if is_internal(&topic.name) && ctx.client.id != ADMIN_CLIENT {
        return Err(ApiError::new(ErrorCode::InvalidTopicException, "clients do not write to the broker's own topics").into());
    }
    let partition = find::partition(topic, batch.partition.index)?;
    if !partition.state().is_leader {
        return Err(ErrorCode::NotLeaderOrFollower.into());
    }
    if acks == Acks::All && topic.settings.min_insync_replicas > IN_SYNC_REPLICAS {
        return Err(ErrorCode::NotEnoughReplicas.into());
    }
    let rules = rules(topic, batch.version, batch.now_ms);
    let (records, header) = admit(batch.partition.records, &rules).map_err(Unacceptable::of)?;
    if header.attributes.is_transactional() {
        return Err(ApiError::new(ErrorCode::InvalidTxnState, "no transaction is open").into());
    }
    ctx.node.metrics.produced_bytes.add(records.len() as u64);
    ctx.node.metrics.produced_records.add(header.count.max(0) as u64);
    let append_time = topic.settings.timestamp_type == TimestampType::LogAppendTime;
    let options = AppendOptions { acks, origin: Origin::Client, append_time, expected_end: None };
    if acks == Acks::None {
        partition.append_unanswered(records, header, options);
        return Ok(None);
    }
    Ok(Some(partition.append(records, header, options)))
}

fn rules(topic: &Topic, version: i16, now_ms: i64) -> Rules {
    let settings = &*topic.settings;
    let bytes = |n: i32| usize::try_from(n).unwrap_or(0);
    Rules {
        origin: Writer::Client,
        allow_zstd: version >= 7,
        compacted: settings.cleanup.compact,
        timestamp_type: match settings.timestamp_type {
            TimestampType::CreateTime => StampType::Create,
            TimestampType::LogAppendTime => StampType::LogAppend,
        },
        timestamp_before_max_ms: settings.timestamp_before_max_ms,
        timestamp_after_max_ms: settings.timestamp_after_max_ms,
        now_ms,
        batch_bytes_max: bytes(settings.max_message_bytes),
        segment_bytes: bytes(settings.segment_bytes),
        decompressed_bytes_max: DECOMPRESSED_BYTES_MAX,
        compression: compression(settings),
    }
}

/// The codec that the topic wants, if it wants one.
fn compression(settings: &TopicSettings) -> Option<(Codec, Level)> {
    let level = |configured: i32| if configured == -1 { Level::Default } else { Level::At(configured) };
    match settings.compression {
        Compression::Producer => None,
        Compression::Uncompressed => Some((Codec::None, Level::Default)),
        Compression::Gzip => Some((Codec::Gzip, level(settings.gzip_level))),
        Compression::Snappy => Some((Codec::Snappy, Level::Default)),
        Compression::Lz4 => Some((Codec::Lz4, level(settings.lz4_level))),
        Compression::Zstd => Some((Codec::Zstd, level(settings.zstd_level))),
    }
}

/// Stage two: every append is answered, or the client's patience is over.
async fn finish(
    ctx: Context,
    opening: Opening,
    mut response: ProduceResponse,
    waiting: Vec<Waiting>,
    timeout: Duration,
) -> Result<Frame, Fault> {
    let world = &ctx.node.world;
    let mut patience = pin!(Patience { world: &**world, timeout, sleep: None, over: false });
    for Waiting { topic, partition, reply } in waiting {
        let place = &mut response.topics[topic].partitions[partition];
        match patience.as_mut().bear(reply).await {
            Some(Ok(appended)) => answer(place, &appended),
            Some(Err(error)) => {
                ctx.node.metrics.produce_failures.add(1);
                *place = failure(place.index, error);
            }
            None => {
                ctx.node.metrics.produce_failures.add(1);
                *place = PartitionResponse::refused(place.index, ErrorCode::RequestTimedOut.code(), None);
            }
        }
    }
    encode(&response, &opening)
}

fn answer(place: &mut PartitionResponse, appended: &Appended) {
    place.base_offset = appended.base_offset.0;
    place.log_append_time_ms = appended.log_append_time_ms;
    place.log_start_offset = appended.log_start_offset.0;
}

fn failure(index: i32, error: AppendError) -> PartitionResponse {
    Unacceptable::from(error).into_response(index)
}

fn encode(response: &ProduceResponse, opening: &Opening) -> Result<Frame, Fault> {
    response.encode(opening).map(Frame::from).ok_or(Fault::TooLong)
}

/// One time limit over several waits. The timer is set only when something really has to be waited for.
struct Patience<'a> {
    world: &'a dyn millrace_world::World,
    timeout: Duration,
    sleep: Option<millrace_world::Sleep>,
    over: bool,
}

impl Patience<'_> {
    /// `None` when the time is over first.
    async fn bear<F: Future + Unpin>(mut self: Pin<&mut Self>, mut wait: F) -> Option<F::Output> {
        std::future::poll_fn(move |task: &mut Task<'_>| {
            if let Poll::Ready(done) = Pin::new(&mut wait).poll(task) {
                return Poll::Ready(Some(done));
            }
            if self.over {
                return Poll::Ready(None);
            }
            let (world, timeout) = (self.world, self.timeout);
            let sleep = self.sleep.get_or_insert_with(|| world.sleep_until(world.now() + timeout));
            if sleep.as_mut().poll(task).is_ready() {
                self.over = true;
                return Poll::Ready(None);
            }
            Poll::Pending
        })
        .await
    }
}
