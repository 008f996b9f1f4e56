//! What Produce and Fetch share: how a topic is named, and where its leader is.
use bytes::BufMut;

use crate::reader::{Malformed, Reader};
use crate::writer::Writer;

pub type Uuid = [u8; 16];

/// A topic as a request names it: old versions by name, newer ones by id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TopicRef {
    Name(String),
    Id(Uuid),
}

impl TopicRef {
    pub(crate) fn read(reader: &mut Reader<'_>, flexible: bool, by_id: bool) -> Result<TopicRef, Malformed> {
        if by_id {
            reader.uuid().map(TopicRef::Id)
        } else {
            Ok(TopicRef::Name(reader.text(flexible)?.ok_or(Malformed::Null)?.to_owned()))
        }
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        match self {
            TopicRef::Name(name) => writer.string(name),
            TopicRef::Id(id) => writer.out.put_slice(id),
        }
    }
}

/// Who leads instead (KIP-951).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CurrentLeader {
    pub leader_id: i32,
    pub leader_epoch: i32,
}

impl CurrentLeader {
    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        writer.out.put_i32(self.leader_id);
        writer.out.put_i32(self.leader_epoch);
        writer.no_tags();
    }
}

/// Where a leader that an answer names can be reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeEndpoint {
    pub node_id: i32,
    pub host: String,
    pub port: i32,
    pub rack: Option<String>,
}

pub(crate) fn write_endpoints(endpoints: &[NodeEndpoint], writer: &mut Writer<'_>) {
    writer.count(endpoints.len());
    for endpoint in endpoints {
        writer.out.put_i32(endpoint.node_id);
        writer.string(&endpoint.host);
        writer.out.put_i32(endpoint.port);
        writer.nullable_string(endpoint.rack.as_deref());
        writer.no_tags();
    }
}
