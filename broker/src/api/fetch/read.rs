//! Reading for one fetch: bounded, and continued where it stopped when more data comes.
use bytes::Bytes;
use millrace_protocol::ErrorCode;
use millrace_protocol::fetch::{DivergingEpoch, FetchPartition, PartitionData, TopicData};
use millrace_record::{Epoch, Offset};
use millrace_shard::{Bell, BellHook, Partition, PartitionState, Upto};

use super::session::Wanted;
use crate::api::{ApiError, Context, find};

/// One partition of a fetch, and what has been read for it so far.
struct Part {
    wanted: Wanted,
    /// `None` once the answer is settled (an error).
    source: Option<Partition>,
    data: PartitionData,
    next: Offset,
    bytes: usize,
    /// There is more, and it does not fit any more.
    full: bool,
    _hook: Option<BellHook>,
}

pub struct Reading {
    parts: Vec<Part>,
    upto: Upto,
    bytes: usize,
    bytes_max: usize,
    /// Some partition has an answer that must not wait.
    urgent: bool,
}

impl Reading {
    pub fn new(ctx: &Context, wanted: Vec<Wanted>, upto: Upto, bytes_max: usize) -> Reading {
        let directory = ctx.node.partitions.directory();
        let mut reading = Reading { parts: Vec::with_capacity(wanted.len()), upto, bytes: 0, bytes_max, urgent: false };
        for wanted in wanted {
            let open = find::topic(&directory, &wanted.topic)
                .and_then(|topic| find::partition(topic, wanted.partition.index))
                .map_err(ApiError::from)
                .and_then(|partition| check(partition, &wanted.partition).map(|diverging| (partition.clone(), diverging)));
            let index = wanted.partition.index;
            let next = Offset(wanted.partition.fetch_offset);
            let part = match open {
                Ok((partition, None)) => {
                    Part { wanted, source: Some(partition), data: PartitionData::empty(index, 0), next, bytes: 0, full: false, _hook: None }
                }
                Ok((partition, Some(diverging))) => {
                    reading.urgent = true;
                    let mut data = PartitionData { diverging: Some(diverging), ..PartitionData::empty(index, 0) };
                    show(&mut data, &partition.state(), upto);
                    Part { wanted, source: None, data, next, bytes: 0, full: false, _hook: None }
                }
                Err(error) => {
                    reading.urgent = true;
                    ctx.node.metrics.fetch_failures.add(1);
                    let data = PartitionData::empty(index, error.wire());
                    Part { wanted, source: None, data, next, bytes: 0, full: false, _hook: None }
                }
            };
            reading.parts.push(part);
        }
        reading
    }

    /// Reads on in every partition, as far as the limits allow.
    pub fn read(&mut self, ctx: &Context) {
        for part in &mut self.parts {
            let Some(partition) = &part.source else { continue };
            let state = partition.state();
            if !state.is_leader {
                self.urgent = true;
                part.fail(ctx, ErrorCode::NotLeaderOrFollower.into());
                continue;
            }
            show(&mut part.data, &state, self.upto);
            let here = usize::try_from(part.wanted.partition.max_bytes).unwrap_or(0);
            let room = here.saturating_sub(part.bytes).min(self.bytes_max.saturating_sub(self.bytes));
            // The first batch of the whole answer is given even if it is too large (KIP-74): a client
            // that could never get it would stand still.
            let at_least_one = self.bytes == 0;
            if part.next == state.limit(self.upto) {
                part.full = false;
                continue;
            }
            if room == 0 && !at_least_one {
                part.full = true;
                continue;
            }
            match partition.read(part.next, room, self.upto, at_least_one) {
                Ok(read) => {
                    show(&mut part.data, &read.state, self.upto);
                    let bytes = read.slices.slices.iter().map(Bytes::len).sum::<usize>();
                    part.data.records.extend(read.slices.slices);
                    part.next = read.slices.next_offset;
                    part.full = bytes == 0;
                    part.bytes += bytes;
                    self.bytes += bytes;
                }
                // What was read before stands; the client meets the error when it asks from there.
                Err(_) if part.bytes > 0 => self.urgent = true,
                Err(error) => {
                    self.urgent = true;
                    part.fail(ctx, error.into());
                }
            }
        }
    }

    /// Whether the answer should go out: enough is there, or more would not fit, or waiting is no use.
    pub fn is_done(&self, bytes_min: usize) -> bool {
        let open = || self.parts.iter().filter(|part| part.source.is_some());
        self.urgent
            || self.bytes >= bytes_min
            || self.bytes >= self.bytes_max
            || open().next().is_none()
            || (self.bytes > 0 && open().all(|part| part.full))
    }

    /// Hangs `bell` on every partition that may still get something.
    pub fn watch(&mut self, bell: &Bell) {
        for part in &mut self.parts {
            part._hook = part.source.as_ref().map(|partition| partition.watch(bell));
        }
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The answer, partitions of one topic under one head as long as they come one after another.
    pub fn into_topics(self) -> Vec<TopicData> {
        let mut topics: Vec<TopicData> = Vec::new();
        for part in self.parts {
            match topics.last_mut() {
                Some(topic) if topic.topic == *part.wanted.topic => topic.partitions.push(part.data),
                _ => topics.push(TopicData { topic: (*part.wanted.topic).clone(), partitions: vec![part.data] }),
            }
        }
        topics
    }
}

impl Part {
    fn fail(&mut self, ctx: &Context, error: ApiError) {
        ctx.node.metrics.fetch_failures.add(1);
        self.source = None;
        self.data = PartitionData::empty(self.wanted.partition.index, error.wire());
    }
}

/// Whether this node may answer, and whether the client's log parted from ours.
fn check(partition: &Partition, wanted: &FetchPartition) -> Result<Option<DivergingEpoch>, ApiError> {
    let state = partition.state();
    if !state.is_leader {
        return Err(ErrorCode::NotLeaderOrFollower.into());
    }
    find::check_leader_epoch(wanted.current_leader_epoch, state.leader_epoch)?;
    let fetched = wanted.last_fetched_epoch;
    if fetched >= 0 && fetched < state.leader_epoch {
        // No such epoch before ours: nothing of what the client has is known here.
        let (epoch, end) = partition.epoch_end(Epoch(fetched)).unwrap_or((Epoch(-1), Offset(-1)));
        if epoch.0 < fetched || end.0 < wanted.fetch_offset {
            return Ok(Some(DivergingEpoch { epoch: epoch.0, end_offset: end.0 }));
        }
    }
    Ok(None)
}

fn show(data: &mut PartitionData, state: &PartitionState, upto: Upto) {
    data.high_watermark = state.high_watermark.0;
    data.last_stable_offset = state.last_stable.0;
    data.log_start_offset = state.start.0;
    // Without transactions there is none to leave out.
    data.aborted = (upto == Upto::LastStable).then(Vec::new);
}
