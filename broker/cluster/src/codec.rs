//! Metadata records as bytes: the value of a record in the metadata log.
//!
//! ```text
//!  version u8 = 1 | kind u8 | fields, big-endian
//!  string = length u32, UTF-8      option = u8 (0, 1), then the value      list = count u32, items
//! ```
//! A length is held against the bytes that are left before anything is allocated. An unknown version
//! or kind is an error, never skipped: a node that does not understand a change must not act on a
//! half-known cluster.
use bytes::{Buf, BufMut, Bytes, BytesMut};
use uuid::Uuid;

use crate::record::{Endpoint, GroupNumber, Record, Scope};

const VERSION: u8 = 1;

/// Bytes that are no metadata record of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    #[error("metadata record version {0} is not known to this node")]
    UnknownVersion(u8),
    #[error("metadata record kind {0} is not known to this node")]
    UnknownKind(u8),
    #[error("metadata record ends inside {0}")]
    Short(&'static str),
    #[error("metadata record holds an impossible {0}")]
    Invalid(&'static str),
    #[error("{0} bytes follow a metadata record")]
    Trailing(usize),
}

/// The bytes of `record`.
pub fn encode(record: &Record) -> Bytes {
    let mut out = BytesMut::with_capacity(64);
    out.put_u8(VERSION);
    match record {
        Record::Cluster { id } => {
            out.put_u8(1);
            out.put_slice(id.as_bytes());
        }
        Record::Node { id, rack, endpoints } => {
            out.put_u8(2);
            out.put_i32(*id);
            put_option(&mut out, rack.as_deref());
            put_count(&mut out, endpoints.len());
            for endpoint in endpoints {
                put_string(&mut out, &endpoint.listener);
                put_string(&mut out, &endpoint.host);
                out.put_u16(endpoint.port);
            }
        }
        Record::Topic { name, id } => {
            out.put_u8(3);
            put_string(&mut out, name);
            out.put_slice(id.as_bytes());
        }
        Record::Partition { topic, index, group, replicas } => {
            out.put_u8(4);
            out.put_slice(topic.as_bytes());
            out.put_i32(*index);
            out.put_u64(group.0);
            put_count(&mut out, replicas.len());
            replicas.iter().for_each(|replica| out.put_i32(*replica));
        }
        Record::RemoveTopic { id } => {
            out.put_u8(5);
            out.put_slice(id.as_bytes());
        }
        Record::Config { scope, name, value } => {
            out.put_u8(6);
            put_scope(&mut out, scope);
            put_string(&mut out, name);
            put_option(&mut out, value.as_deref());
        }
        Record::ProducerIds { next } => {
            out.put_u8(7);
            out.put_i64(*next);
        }
        Record::Groups { next } => {
            out.put_u8(8);
            out.put_u64(*next);
        }
        Record::Feature { name, level } => {
            out.put_u8(9);
            put_string(&mut out, name);
            out.put_i16(*level);
        }
        Record::Command { bytes } => {
            out.put_u8(10);
            put_count(&mut out, bytes.len());
            out.put_slice(bytes);
        }
        Record::Snapshot => out.put_u8(11),
    }
    out.freeze()
}

/// The record in `bytes`, all of them.
pub fn decode(bytes: &[u8]) -> Result<Record, CodecError> {
    let mut rest = bytes;
    let version = take_u8(&mut rest, "the version")?;
    if version != VERSION {
        return Err(CodecError::UnknownVersion(version));
    }
    let record = match take_u8(&mut rest, "the kind")? {
        1 => Record::Cluster { id: take_uuid(&mut rest)? },
        2 => {
            let id = take_i32(&mut rest, "a node id")?;
            let rack = take_option(&mut rest)?;
            // The shortest endpoint is two empty strings and a port.
            let count = take_count(&mut rest, 10)?;
            let mut endpoints = Vec::with_capacity(count);
            for _ in 0..count {
                let (listener, host) = (take_string(&mut rest)?, take_string(&mut rest)?);
                endpoints.push(Endpoint { listener, host, port: rest.try_get_u16().map_err(|_| CodecError::Short("a port"))? });
            }
            Record::Node { id, rack, endpoints }
        }
        3 => Record::Topic { name: take_string(&mut rest)?, id: take_uuid(&mut rest)? },
        4 => {
            let (topic, index) = (take_uuid(&mut rest)?, take_i32(&mut rest, "a partition")?);
            if index < 0 {
                return Err(CodecError::Invalid("partition"));
            }
            let group = GroupNumber(rest.try_get_u64().map_err(|_| CodecError::Short("a group number"))?);
            let count = take_count(&mut rest, 4)?;
            let replicas = (0..count).map(|_| take_i32(&mut rest, "a replica")).collect::<Result<_, _>>()?;
            Record::Partition { topic, index, group, replicas }
        }
        5 => Record::RemoveTopic { id: take_uuid(&mut rest)? },
        6 => Record::Config { scope: take_scope(&mut rest)?, name: take_string(&mut rest)?, value: take_option(&mut rest)? },
        7 => Record::ProducerIds { next: rest.try_get_i64().map_err(|_| CodecError::Short("a producer id"))? },
        8 => Record::Groups { next: rest.try_get_u64().map_err(|_| CodecError::Short("a group number"))? },
        9 => Record::Feature { name: take_string(&mut rest)?, level: rest.try_get_i16().map_err(|_| CodecError::Short("a level"))? },
        10 => {
            let length = take_count(&mut rest, 1)?;
            let (bytes, tail) = rest.split_at(length);
            rest = tail;
            Record::Command { bytes: Bytes::copy_from_slice(bytes) }
        }
        11 => Record::Snapshot,
        kind => return Err(CodecError::UnknownKind(kind)),
    };
    if rest.is_empty() { Ok(record) } else { Err(CodecError::Trailing(rest.len())) }
}

fn put_count(out: &mut BytesMut, count: usize) {
    // Lists come from requests that were bounded to a frame.
    out.put_u32(u32::try_from(count).expect("a metadata list longer than any request"));
}

fn put_string(out: &mut BytesMut, text: &str) {
    put_count(out, text.len());
    out.put_slice(text.as_bytes());
}

fn put_option(out: &mut BytesMut, text: Option<&str>) {
    out.put_u8(u8::from(text.is_some()));
    if let Some(text) = text {
        put_string(out, text);
    }
}

fn put_scope(out: &mut BytesMut, scope: &Scope) {
    match scope {
        Scope::Topic(name) => {
            out.put_u8(1);
            put_string(out, name);
        }
        Scope::Broker(id) => {
            out.put_u8(2);
            out.put_i32(*id);
        }
        Scope::DefaultBroker => out.put_u8(3),
        Scope::Group(name) => {
            out.put_u8(4);
            put_string(out, name);
        }
    }
}

fn take_u8(rest: &mut &[u8], what: &'static str) -> Result<u8, CodecError> {
    rest.try_get_u8().map_err(|_| CodecError::Short(what))
}

fn take_i32(rest: &mut &[u8], what: &'static str) -> Result<i32, CodecError> {
    rest.try_get_i32().map_err(|_| CodecError::Short(what))
}

fn take_uuid(rest: &mut &[u8]) -> Result<Uuid, CodecError> {
    let (id, tail) = rest.split_first_chunk::<16>().ok_or(CodecError::Short("an id"))?;
    *rest = tail;
    Ok(Uuid::from_bytes(*id))
}

/// A count of items of at least `item_bytes` each, which the rest can hold.
fn take_count(rest: &mut &[u8], item_bytes: usize) -> Result<usize, CodecError> {
    let count = rest.try_get_u32().map_err(|_| CodecError::Short("a count"))?;
    let count = usize::try_from(count).map_err(|_| CodecError::Invalid("count"))?;
    if count > rest.len() / item_bytes { Err(CodecError::Short("a list")) } else { Ok(count) }
}

fn take_string(rest: &mut &[u8]) -> Result<String, CodecError> {
    let length = take_count(rest, 1)?;
    let (text, tail) = rest.split_at(length);
    *rest = tail;
    String::from_utf8(text.to_vec()).map_err(|_| CodecError::Invalid("text"))
}

fn take_option(rest: &mut &[u8]) -> Result<Option<String>, CodecError> {
    match take_u8(rest, "an option")? {
        0 => Ok(None),
        1 => take_string(rest).map(Some),
        _ => Err(CodecError::Invalid("option")),
    }
}

fn take_scope(rest: &mut &[u8]) -> Result<Scope, CodecError> {
    match take_u8(rest, "a scope")? {
        1 => Ok(Scope::Topic(take_string(rest)?)),
        2 => Ok(Scope::Broker(take_i32(rest, "a node id")?)),
        3 => Ok(Scope::DefaultBroker),
        4 => Ok(Scope::Group(take_string(rest)?)),
        _ => Err(CodecError::Invalid("scope")),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id() -> impl Strategy<Value = Uuid> {
        (1u128..6).prop_map(Uuid::from_u128)
    }

    fn name() -> impl Strategy<Value = String> {
        "[a-d.]{1,3}"
    }

    fn scope() -> impl Strategy<Value = Scope> {
        prop_oneof![name().prop_map(Scope::Topic), (0..3).prop_map(Scope::Broker), Just(Scope::DefaultBroker), name().prop_map(Scope::Group)]
    }

    /// Any record, over few names, so that a sequence of them collides often.
    pub(crate) fn any_record() -> impl Strategy<Value = Record> {
        let endpoint = (name(), name(), any::<u16>()).prop_map(|(listener, host, port)| Endpoint { listener, host, port });
        prop_oneof![
            id().prop_map(|id| Record::Cluster { id }),
            (0..3, proptest::option::of(name()), proptest::collection::vec(endpoint, 0..3))
                .prop_map(|(id, rack, endpoints)| Record::Node { id, rack, endpoints }),
            (name(), id()).prop_map(|(name, id)| Record::Topic { name, id }),
            (id(), 0..4, 0u64..20, proptest::collection::vec(0..3, 1..4))
                .prop_map(|(topic, index, group, replicas)| Record::Partition { topic, index, group: GroupNumber(group), replicas }),
            id().prop_map(|id| Record::RemoveTopic { id }),
            (scope(), name(), proptest::option::of(name())).prop_map(|(scope, name, value)| Record::Config { scope, name, value }),
            any::<i64>().prop_map(|next| Record::ProducerIds { next }),
            any::<u64>().prop_map(|next| Record::Groups { next }),
            (name(), any::<i16>()).prop_map(|(name, level)| Record::Feature { name, level }),
            proptest::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Record::Command { bytes: bytes.into() }),
            Just(Record::Snapshot),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(record in any_record()) {
            prop_assert_eq!(decode(&encode(&record)), Ok(record));
        }

        #[test]
        fn any_bytes_are_a_record_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn a_record_cut_short_is_an_error(record in any_record(), part in 0.0..1.0f64) {
            let bytes = encode(&record);
            let cut = (bytes.len() as f64 * part) as usize;
            prop_assert!(decode(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn the_unknown_is_refused() {
        assert_eq!(decode(&[2, 1]), Err(CodecError::UnknownVersion(2)));
        assert_eq!(decode(&[1, 77]), Err(CodecError::UnknownKind(77)));
        // A rack of 4 GiB in a record of a few bytes.
        assert_eq!(decode(&[1, 2, 0, 0, 0, 1, 1, 255, 255, 255, 255]), Err(CodecError::Short("a list")));
    }
}
