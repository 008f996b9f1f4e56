use bytes::{BufMut, Bytes, BytesMut};

use super::FLEXIBLE_FROM;
use crate::header::{self, Opening};
use crate::topic::{CurrentLeader, NodeEndpoint, TopicRef, write_endpoints};
use crate::writer::Writer;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProduceResponse {
    pub topics: Vec<TopicResponse>,
    pub throttle_time_ms: i32,
    /// Only what `current_leader` mentions.
    pub node_endpoints: Vec<NodeEndpoint>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicResponse {
    pub topic: TopicRef,
    pub partitions: Vec<PartitionResponse>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionResponse {
    pub index: i32,
    pub error_code: i16,
    /// -1 with an error.
    pub base_offset: i64,
    /// -1 where the producer's time stands.
    pub log_append_time_ms: i64,
    pub log_start_offset: i64,
    pub record_errors: Vec<RecordError>,
    pub error_message: Option<String>,
    pub current_leader: Option<CurrentLeader>,
}

/// Which record of the batch made it unacceptable (KIP-467).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    pub batch_index: i32,
    pub message: Option<String>,
}

impl PartitionResponse {
    pub fn refused(index: i32, error_code: i16, error_message: Option<String>) -> PartitionResponse {
        PartitionResponse {
            index,
            error_code,
            base_offset: -1,
            log_append_time_ms: -1,
            log_start_offset: -1,
            record_errors: Vec::new(),
            error_message,
            current_leader: None,
        }
    }
}

impl ProduceResponse {
    /// The whole frame. `None` if it would be longer than a frame can say.
    pub fn encode(&self, opening: &Opening) -> Option<Bytes> {
        let version = opening.api_version;
        let flexible = version >= FLEXIBLE_FROM;
        let mut out = BytesMut::with_capacity(96);
        header::begin_response(&mut out, opening, flexible);
        let mut writer = Writer { out: &mut out, flexible };
        writer.count(self.topics.len());
        for topic in &self.topics {
            topic.topic.write(&mut writer);
            writer.count(topic.partitions.len());
            for partition in &topic.partitions {
                partition.write(&mut writer, version);
            }
            writer.no_tags();
        }
        writer.out.put_i32(self.throttle_time_ms);
        if version >= 10 && !self.node_endpoints.is_empty() {
            writer.uvarint(1);
            writer.tag(0, |writer| write_endpoints(&self.node_endpoints, writer));
        } else {
            writer.no_tags();
        }
        header::finish_response(&mut out, 0)?;
        Some(out.freeze())
    }
}

impl PartitionResponse {
    fn write(&self, writer: &mut Writer<'_>, version: i16) {
        writer.out.put_i32(self.index);
        writer.out.put_i16(self.error_code);
        writer.out.put_i64(self.base_offset);
        writer.out.put_i64(self.log_append_time_ms);
        if version >= 5 {
            writer.out.put_i64(self.log_start_offset);
        }
        if version >= 8 {
            writer.count(self.record_errors.len());
            for error in &self.record_errors {
                writer.out.put_i32(error.batch_index);
                writer.nullable_string(error.message.as_deref());
                writer.no_tags();
            }
            writer.nullable_string(self.error_message.as_deref());
        }
        match self.current_leader {
            Some(leader) if version >= 10 => {
                writer.uvarint(1);
                writer.tag(0, |writer| leader.write(writer));
            }
            _ => writer.no_tags(),
        }
    }
}
