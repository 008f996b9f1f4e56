//! Records as they come from and go to topics.

use std::sync::Arc;

use bytes::Bytes;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub key: Arc<str>,
    pub value: Option<Bytes>,
}

/// A record of an input partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputRecord {
    pub topic: Arc<str>,
    pub partition: i32,
    pub offset: i64,
    pub timestamp: i64,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub headers: Arc<[Header]>,
}

/// A record for the sink topic. Its headers are those of the input record that caused it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputRecord {
    pub key: Option<Bytes>,
    /// So many of the key's last bytes are its window; what stands before them decides on the partition, as in Kafka Streams.
    pub window_bytes: usize,
    pub value: Option<Bytes>,
    pub timestamp: i64,
    pub headers: Arc<[Header]>,
}
