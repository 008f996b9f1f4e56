//! The log over Kafka's protocol and the views over gRPC: for programs, the command line, the load drivers and our own tests.
//!
//! ```text
//! Producer, Consumer, GroupMember, Admin      what callers use
//!        \      |        |         /
//!              Client                         metadata, who leads what, one connection per broker
//!                |
//!            Connection                       frames, correlation, negotiated versions
//! ```
//!
//! [`views`] asks the views of a Millrace node over gRPC; everything else here speaks Kafka, to any broker.
//!
//! Invariants
//! * Versions are negotiated for each connection: the highest that both sides know, below a few stated caps.
//! * A partition has at most one produce request on its way, so retries can neither reorder nor, with idempotence
//!   on, repeat.
//! * Nothing is allocated by a length that came off the wire before the bytes are there.
//! * A call either answers within the request timeout or fails with [`ClientError::Timeout`].
//!
//! Absences: knows no storage and no broker internals. No TLS and no SASL.
mod admin;
mod client;
mod connection;
mod consume;
mod error;
mod group;
mod metadata;
mod offsets;
mod partition;
mod produce;
mod records;
mod text;
pub mod views;

pub use admin::{ConfigEntry, ConfigOp, ConfigResource, GroupDescription, GroupListing, MemberDescription, NewTopic, TopicOutcome};
pub use client::{Client, ClientConfig};
pub use connection::Connection;
pub use consume::{Consumer, ConsumerConfig, Isolation, Polled, RawBatches};
pub use error::{ClientError, Code, Result};
pub use group::{GroupConfig, GroupEvent, GroupMember};
pub use metadata::{Broker, Metadata, PartitionInfo, TopicInfo};
pub use offsets::{CommittedOffset, ListedOffset, Position};
pub use millrace_record::murmur2;
pub use produce::{Acks, Delivered, Delivery, Producer, ProducerConfig};
pub use records::{Compression, Header, Outgoing, Record};

/// The messages themselves, for callers that need an API this crate does not wrap.
pub use kafka_protocol::messages;

/// A topic's partition, the key of most tables here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
}

impl TopicPartition {
    /// Names one partition.
    pub fn new(topic: impl Into<String>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl std::fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}
