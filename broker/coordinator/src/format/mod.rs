//! `__consumer_offsets`: Kafka's own keys and values.
//!
//! ```text
//!  key 1   | group, topic, partition     value 3 | offset, leader epoch, note, commit time
//!  key 2   | group                       value 3 | protocol type, generation, protocol, leader, since, members
//!  a null value takes the key away
//! ```
//! Written: the versions above (an offset with an expiry of its own is value 1, as in Kafka).
//! Read: every version that Kafka ever wrote under those keys. Keys of the newer group protocols are an
//! error, because groups that this coordinator does not understand must not be half served.
mod wire;

use bytes::{BufMut, Bytes, BytesMut};
use wire::{Reader, put_bytes, put_nullable_string, put_string};

/// A committed offset, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetValue {
    pub offset: i64,
    /// -1 if the client did not say.
    pub leader_epoch: i32,
    pub metadata: String,
    pub commit_timestamp_ms: i64,
    /// Old clients could set one for each commit.
    pub expire_timestamp_ms: Option<i64>,
}

/// A group, as it is stored when a generation settles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupValue {
    pub protocol_type: String,
    pub generation: i32,
    pub protocol: Option<String>,
    pub leader: Option<String>,
    /// When the group came into its state; -1 if that is not known.
    pub state_timestamp_ms: i64,
    pub members: Vec<MemberValue>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberValue {
    pub id: String,
    pub instance_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    pub subscription: Bytes,
    pub assignment: Bytes,
}

/// A record of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    Offset { group: String, topic: String, partition: i32, value: Option<OffsetValue> },
    Group { group: String, value: Option<GroupValue> },
}

/// Bytes that are no record of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    #[error("key version {0} of __consumer_offsets is not known to this broker")]
    UnknownKey(i16),
    #[error("{kind} value version {version} of __consumer_offsets is not known to this broker")]
    UnknownValue { kind: &'static str, version: i16 },
    #[error("a record of __consumer_offsets ends inside {0}")]
    Short(&'static str),
    #[error("a record of __consumer_offsets holds an impossible {0}")]
    Invalid(&'static str),
}

impl Record {
    /// The record's key and value.
    pub fn encode(&self) -> (Bytes, Option<Bytes>) {
        let mut key = BytesMut::new();
        match self {
            Self::Offset { group, topic, partition, value } => {
                key.put_i16(1);
                put_string(&mut key, group);
                put_string(&mut key, topic);
                key.put_i32(*partition);
                (key.freeze(), value.as_ref().map(encode_offset))
            }
            Self::Group { group, value } => {
                key.put_i16(2);
                put_string(&mut key, group);
                (key.freeze(), value.as_ref().map(encode_group))
            }
        }
    }

    /// The record that a key and value say.
    pub fn decode(key: Bytes, value: Option<Bytes>) -> Result<Self, FormatError> {
        let mut key = Reader::new(key);
        match key.i16("a key version")? {
            0 | 1 => Ok(Self::Offset {
                group: key.string("a group")?,
                topic: key.string("a topic")?,
                partition: key.i32("a partition")?,
                value: value.map(decode_offset).transpose()?,
            }),
            2 => Ok(Self::Group { group: key.string("a group")?, value: value.map(decode_group).transpose()? }),
            version => Err(FormatError::UnknownKey(version)),
        }
    }
}

fn encode_offset(value: &OffsetValue) -> Bytes {
    let mut out = BytesMut::with_capacity(32 + value.metadata.len());
    match value.expire_timestamp_ms {
        None => {
            out.put_i16(3);
            out.put_i64(value.offset);
            out.put_i32(value.leader_epoch);
            put_string(&mut out, &value.metadata);
            out.put_i64(value.commit_timestamp_ms);
        }
        Some(expires) => {
            out.put_i16(1);
            out.put_i64(value.offset);
            put_string(&mut out, &value.metadata);
            out.put_i64(value.commit_timestamp_ms);
            out.put_i64(expires);
        }
    }
    out.freeze()
}

fn decode_offset(value: Bytes) -> Result<OffsetValue, FormatError> {
    let mut value = Reader::new(value);
    let version = value.i16("a value version")?;
    if !(0..=4).contains(&version) {
        return Err(FormatError::UnknownValue { kind: "offset", version });
    }
    let offset = value.i64("an offset")?;
    let leader_epoch = if version >= 3 { value.i32("a leader epoch")? } else { -1 };
    let metadata = if version >= 4 { value.compact_string("a note")? } else { value.string("a note")? };
    let commit_timestamp_ms = value.i64("a commit time")?;
    // What follows in version 4 are tagged fields, which nothing here needs.
    let expire = if version == 1 { value.i64("an expiry time")? } else { -1 };
    Ok(OffsetValue { offset, leader_epoch, metadata, commit_timestamp_ms, expire_timestamp_ms: (expire != -1).then_some(expire) })
}

fn encode_group(value: &GroupValue) -> Bytes {
    let mut out = BytesMut::with_capacity(256);
    out.put_i16(3);
    put_string(&mut out, &value.protocol_type);
    out.put_i32(value.generation);
    put_nullable_string(&mut out, value.protocol.as_deref());
    put_nullable_string(&mut out, value.leader.as_deref());
    out.put_i64(value.state_timestamp_ms);
    out.put_i32(i32::try_from(value.members.len()).expect("fewer members than an int counts"));
    for member in &value.members {
        put_string(&mut out, &member.id);
        put_nullable_string(&mut out, member.instance_id.as_deref());
        put_string(&mut out, &member.client_id);
        put_string(&mut out, &member.client_host);
        out.put_i32(member.rebalance_timeout_ms);
        out.put_i32(member.session_timeout_ms);
        put_bytes(&mut out, &member.subscription);
        put_bytes(&mut out, &member.assignment);
    }
    out.freeze()
}

fn decode_group(value: Bytes) -> Result<GroupValue, FormatError> {
    let mut value = Reader::new(value);
    let version = value.i16("a value version")?;
    if !(0..=3).contains(&version) {
        return Err(FormatError::UnknownValue { kind: "group", version });
    }
    let protocol_type = value.string("a protocol type")?;
    let generation = value.i32("a generation")?;
    let protocol = value.nullable_string("a protocol")?;
    let leader = value.nullable_string("a leader")?;
    let state_timestamp_ms = if version >= 2 { value.i64("a state time")? } else { -1 };
    // The shortest member: three empty strings, a time-out, two empty byte fields.
    let count = value.count(18, "members")?;
    let mut members = Vec::with_capacity(count);
    for _ in 0..count {
        let id = value.string("a member id")?;
        let instance_id = if version >= 3 { value.nullable_string("an instance id")? } else { None };
        let (client_id, client_host) = (value.string("a client id")?, value.string("a client host")?);
        let rebalance = if version >= 1 { Some(value.i32("a rebalance time-out")?) } else { None };
        let session_timeout_ms = value.i32("a session time-out")?;
        members.push(MemberValue {
            id,
            instance_id,
            client_id,
            client_host,
            rebalance_timeout_ms: rebalance.unwrap_or(session_timeout_ms),
            session_timeout_ms,
            subscription: value.nullable_bytes("a subscription")?,
            assignment: value.nullable_bytes("an assignment")?,
        });
    }
    Ok(GroupValue { protocol_type, generation, protocol, leader, state_timestamp_ms, members })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn offset_value() -> impl Strategy<Value = OffsetValue> {
        (any::<i64>(), any::<i32>(), ".{0,4}", 0..i64::MAX, proptest::option::of(0..i64::MAX)).prop_map(|(offset, epoch, metadata, at, expires)| {
            OffsetValue {
                offset,
                // Version 1, which carries an expiry, has no epoch.
                leader_epoch: if expires.is_some() { -1 } else { epoch },
                metadata,
                commit_timestamp_ms: at,
                expire_timestamp_ms: expires,
            }
        })
    }

    fn member_value() -> impl Strategy<Value = MemberValue> {
        ("[a-z]{1,3}", proptest::option::of("[a-z]{1,3}"), any::<(i32, i32)>(), proptest::collection::vec(any::<u8>(), 0..9)).prop_map(
            |(id, instance_id, (rebalance_timeout_ms, session_timeout_ms), bytes)| MemberValue {
                id,
                instance_id,
                client_id: "c".to_owned(),
                client_host: "/127.0.0.1".to_owned(),
                rebalance_timeout_ms,
                session_timeout_ms,
                subscription: bytes.clone().into(),
                assignment: bytes.into(),
            },
        )
    }

    fn record() -> impl Strategy<Value = Record> {
        let offset = ("[a-z]{0,3}", "[a-z]{0,3}", any::<i32>(), proptest::option::of(offset_value()))
            .prop_map(|(group, topic, partition, value)| Record::Offset { group, topic, partition, value });
        let value = ("[a-z]{0,3}", any::<i32>(), proptest::option::of("[a-z]{0,3}"), proptest::collection::vec(member_value(), 0..4)).prop_map(
            |(protocol_type, generation, protocol, members)| GroupValue {
                protocol_type,
                generation,
                leader: members.first().map(|first| first.id.clone()),
                protocol,
                state_timestamp_ms: 7,
                members,
            },
        );
        let group = ("[a-z]{0,3}", proptest::option::of(value)).prop_map(|(group, value)| Record::Group { group, value });
        prop_oneof![offset, group]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(record in record()) {
            let (key, value) = record.encode();
            prop_assert_eq!(Record::decode(key, value), Ok(record));
        }

        #[test]
        fn any_bytes_are_a_record_or_an_error(key in proptest::collection::vec(any::<u8>(), 0..30), value in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = Record::decode(key.clone().into(), Some(value.clone().into()));
            let _ = decode_group(value.clone().into());
            let _ = decode_offset(value.into());
        }
    }

    #[test]
    fn bytes_are_kafkas() {
        let value = OffsetValue { offset: 42, leader_epoch: 5, metadata: "m".to_owned(), commit_timestamp_ms: 9, expire_timestamp_ms: None };
        let record = Record::Offset { group: "g".to_owned(), topic: "to".to_owned(), partition: 3, value: Some(value) };
        let (key, value) = record.encode();
        assert_eq!(&key[..], b"\0\x01\0\x01g\0\x02to\0\0\0\x03");
        assert_eq!(&value.expect("a value")[..], b"\0\x03\0\0\0\0\0\0\0\x2a\0\0\0\x05\0\x01m\0\0\0\0\0\0\0\x09");
        let (key, value) = Record::Group { group: "g".to_owned(), value: None }.encode();
        assert_eq!((&key[..], value), (&b"\0\x02\0\x01g"[..], None));
    }

    #[test]
    fn older_and_newer_offset_values_are_read() {
        let read = |bytes: &'static [u8]| decode_offset(Bytes::from_static(bytes)).expect("a value");
        let plain = read(b"\0\0\0\0\0\0\0\0\0\x2a\0\x01m\0\0\0\0\0\0\0\x09");
        assert_eq!((plain.offset, plain.leader_epoch, plain.metadata.as_str(), plain.commit_timestamp_ms), (42, -1, "m", 9));
        // Version 4: compact strings, and the topic's id as a tagged field.
        let tagged = read(b"\0\x04\0\0\0\0\0\0\0\x2a\0\0\0\x05\x02m\0\0\0\0\0\0\0\x09\x01\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01");
        assert_eq!((tagged.offset, tagged.leader_epoch, tagged.metadata.as_str(), tagged.commit_timestamp_ms), (42, 5, "m", 9));
        assert_eq!(Record::decode(Bytes::from_static(b"\0\x03\0\x01g"), None), Err(FormatError::UnknownKey(3)));
    }
}
