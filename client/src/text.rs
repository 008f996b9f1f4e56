//! Short conversions to the protocol crate's string types.
use kafka_protocol::messages::{BrokerId, GroupId, TopicName};
use kafka_protocol::protocol::StrBytes;

pub(crate) fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

pub(crate) fn topic_name(value: &str) -> TopicName {
    TopicName(text(value))
}

pub(crate) fn group_id(value: &str) -> GroupId {
    GroupId(text(value))
}

pub(crate) fn owned(value: &StrBytes) -> String {
    value.as_str().to_owned()
}

pub(crate) fn broker_id(value: BrokerId) -> i32 {
    value.0
}
