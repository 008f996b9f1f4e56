use bytes::{BufMut, Bytes, BytesMut};

use super::FLEXIBLE_FROM;
use crate::frame::Frame;
use crate::header::{self, Opening};
use crate::topic::{CurrentLeader, NodeEndpoint, TopicRef, write_endpoints};
use crate::writer::Writer;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub session_id: i32,
    pub topics: Vec<TopicData>,
    pub node_endpoints: Vec<NodeEndpoint>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicData {
    pub topic: TopicRef,
    pub partitions: Vec<PartitionData>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionData {
    pub index: i32,
    pub error_code: i16,
    pub high_watermark: i64,
    pub last_stable_offset: i64,
    pub log_start_offset: i64,
    /// `None` unless the reader asked for committed records only.
    pub aborted: Option<Vec<AbortedTransaction>>,
    pub preferred_read_replica: i32,
    /// Whole batches, in order. Never null on the wire: some clients refuse that.
    pub records: Vec<Bytes>,
    pub diverging: Option<DivergingEpoch>,
    pub current_leader: Option<CurrentLeader>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    pub producer_id: i64,
    pub first_offset: i64,
}

/// Where the follower's or consumer's log parted from ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DivergingEpoch {
    pub epoch: i32,
    pub end_offset: i64,
}

impl PartitionData {
    pub fn empty(index: i32, error_code: i16) -> PartitionData {
        PartitionData {
            index,
            error_code,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            aborted: None,
            preferred_read_replica: -1,
            records: Vec::new(),
            diverging: None,
            current_leader: None,
        }
    }

    pub fn record_bytes(&self) -> usize {
        self.records.iter().map(Bytes::len).sum()
    }
}

impl FetchResponse {
    /// The whole frame. `None` if it would be longer than a frame can say.
    pub fn encode(self, opening: &Opening) -> Option<Frame> {
        let version = opening.api_version;
        let flexible = version >= FLEXIBLE_FROM;
        let mut out = BytesMut::with_capacity(128);
        // Where in `out` the records of a partition belong.
        let mut cuts: Vec<(usize, Vec<Bytes>)> = Vec::new();
        let mut record_bytes = 0;
        header::begin_response(&mut out, opening, flexible);
        let mut writer = Writer { out: &mut out, flexible };
        writer.out.put_i32(self.throttle_time_ms);
        if version >= 7 {
            writer.out.put_i16(self.error_code);
            writer.out.put_i32(self.session_id);
        }
        writer.count(self.topics.len());
        for topic in self.topics {
            topic.topic.write(&mut writer);
            writer.count(topic.partitions.len());
            for mut partition in topic.partitions {
                let len = partition.record_bytes();
                record_bytes += len;
                partition.write_head(&mut writer, version, len);
                if len > 0 {
                    cuts.push((writer.out.len(), std::mem::take(&mut partition.records)));
                }
                partition.write_tags(&mut writer);
            }
            writer.no_tags();
        }
        if version >= 16 && !self.node_endpoints.is_empty() {
            writer.uvarint(1);
            writer.tag(0, |writer| write_endpoints(&self.node_endpoints, writer));
        } else {
            writer.no_tags();
        }
        header::finish_response(&mut out, record_bytes)?;
        Some(interleave(out.freeze(), cuts))
    }
}

fn interleave(mut ours: Bytes, cuts: Vec<(usize, Vec<Bytes>)>) -> Frame {
    let mut parts = Vec::with_capacity(1 + cuts.len() * 2);
    let mut at = 0;
    for (cut, records) in cuts {
        parts.push(ours.split_to(cut - at));
        at = cut;
        parts.extend(records);
    }
    if !ours.is_empty() {
        parts.push(ours);
    }
    Frame { parts }
}

impl PartitionData {
    /// Everything up to the records, their length included.
    fn write_head(&self, writer: &mut Writer<'_>, version: i16, record_bytes: usize) {
        writer.out.put_i32(self.index);
        writer.out.put_i16(self.error_code);
        writer.out.put_i64(self.high_watermark);
        writer.out.put_i64(self.last_stable_offset);
        if version >= 5 {
            writer.out.put_i64(self.log_start_offset);
        }
        match &self.aborted {
            Some(aborted) => {
                writer.count(aborted.len());
                for transaction in aborted {
                    writer.out.put_i64(transaction.producer_id);
                    writer.out.put_i64(transaction.first_offset);
                    writer.no_tags();
                }
            }
            None if writer.flexible => writer.uvarint(0),
            None => writer.out.put_i32(-1),
        }
        if version >= 11 {
            writer.out.put_i32(self.preferred_read_replica);
        }
        writer.count(record_bytes);
    }

    fn write_tags(&self, writer: &mut Writer<'_>) {
        if !writer.flexible {
            return;
        }
        writer.uvarint(u32::from(self.diverging.is_some()) + u32::from(self.current_leader.is_some()));
        if let Some(diverging) = self.diverging {
            writer.tag(0, |writer| {
                writer.out.put_i32(diverging.epoch);
                writer.out.put_i64(diverging.end_offset);
                writer.no_tags();
            });
        }
        if let Some(leader) = self.current_leader {
            writer.tag(1, |writer| leader.write(writer));
        }
    }
}
