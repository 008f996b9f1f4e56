//! Records of the node's own logs: a log that was damaged below its checksums, or written by another version, must be an
//! error and nothing else; what can be read must lead to a state, and read again to the same one.
use bytes::Bytes;
use millrace_cluster::{Endpoint, GroupNumber, Image, Record, Scope, codec};
use millrace_coordinator::{Coordinator, CoordinatorConfig, GroupValue, MemberValue, Now, OffsetValue, Record as GroupRecord};
use millrace_engine::state::{Cut, InputId, Stored, decode_cut, decode_row, encode_cut, encode_row};
use millrace_fold::Fold;
use millrace_record::Offset;
use millrace_serve::Command;
use millrace_sql::value::Value;
use uuid::Uuid;

use crate::Target;

/// Several byte strings in one: each behind its length (two bytes).
pub fn join(parts: &[Vec<u8>]) -> Vec<u8> {
    parts.iter().flat_map(|part| [&(part.len() as u16).to_be_bytes()[..], part].concat()).collect()
}

/// The parts again; what is cut off is shorter, what is too long ends with the input.
pub fn part(mut input: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    while let Some((len, rest)) = input.split_first_chunk::<2>() {
        let len = usize::from(u16::from_be_bytes(*len)).min(rest.len());
        let (one, rest) = rest.split_at(len);
        parts.push(one);
        input = rest;
    }
    parts
}

/// Records of the metadata log, joined.
pub struct Metadata;

fn metadata_records() -> Vec<Record> {
    let (id, scope) = (Uuid::from_u128(77), |name: &str| Scope::Topic(name.into()));
    vec![
        Record::Cluster { id: Uuid::from_u128(1) },
        Record::Node { id: 1, rack: Some("r".into()), endpoints: vec![Endpoint { listener: "PLAINTEXT".into(), host: "127.0.0.1".into(), port: 9092 }] },
        Record::Topic { name: "t".into(), id },
        Record::Partition { topic: id, index: 0, group: GroupNumber(1), replicas: vec![1] },
        Record::Partition { topic: id, index: 1, group: GroupNumber(2), replicas: vec![1] },
        Record::Config { scope: scope("t"), name: "retention.ms".into(), value: Some("1000".into()) },
        Record::Config { scope: Scope::Broker(1), name: "log.retention.ms".into(), value: None },
        Record::Config { scope: Scope::DefaultBroker, name: "x".into(), value: Some("y".into()) },
        Record::ProducerIds { next: 1_000 },
        Record::Groups { next: 3 },
        Record::Feature { name: "metadata.version".into(), level: 25 },
        Record::Command { bytes: Bytes::from_static(b"{\"version\":1}") },
        Record::RemoveTopic { id },
    ]
}

impl Target for Metadata {
    fn seeds(&self) -> Vec<Vec<u8>> {
        let records: Vec<Vec<u8>> = metadata_records().iter().map(|record| codec::encode(record).to_vec()).collect();
        let mut seeds: Vec<Vec<u8>> = records.iter().map(|record| join(std::slice::from_ref(record))).collect();
        seeds.push(join(&records));
        seeds
    }

    fn run(&mut self, input: &[u8]) -> Result<(), String> {
        let mut image = Image::default();
        for (at, bytes) in part(input).into_iter().enumerate() {
            let Ok(record) = codec::decode(bytes) else { continue };
            let again = codec::decode(&codec::encode(&record)).map_err(|error| format!("{record:?} is written so that it cannot be read: {error}"))?;
            if again != record {
                return Err(format!("{record:?} comes back as {again:?}"));
            }
            image.apply(Offset(at as i64), record);
        }
        let mut copy = Image::default();
        millrace_fold::replay(&mut copy, Offset(0), image.rewrite());
        if copy != image {
            return Err("an image that is written again is another one".into());
        }
        Ok(())
    }
}

/// Keys and values of `__consumer_offsets`, joined; an empty value is a tombstone.
pub struct Groups;

fn group_records() -> Vec<GroupRecord> {
    let offset = |expire| OffsetValue { offset: 42, leader_epoch: 3, metadata: "note".into(), commit_timestamp_ms: 1_000, expire_timestamp_ms: expire };
    let member = MemberValue {
        id: "m-1".into(),
        instance_id: Some("i".into()),
        client_id: "c".into(),
        client_host: "/127.0.0.1".into(),
        rebalance_timeout_ms: 60_000,
        session_timeout_ms: 10_000,
        // ConsumerProtocolSubscription v0: one topic, no user data.
        subscription: Bytes::from_static(&[0, 0, 0, 0, 0, 1, 0, 1, b't', 0xff, 0xff, 0xff, 0xff]),
        assignment: Bytes::from_static(&[0, 0, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 0]),
    };
    let group = GroupValue {
        protocol_type: "consumer".into(),
        generation: 2,
        protocol: Some("range".into()),
        leader: Some("m-1".into()),
        state_timestamp_ms: 5,
        members: vec![member.clone(), MemberValue { id: "m-2".into(), instance_id: None, ..member }],
    };
    vec![
        GroupRecord::Offset { group: "g".into(), topic: "t".into(), partition: 0, value: Some(offset(None)) },
        GroupRecord::Offset { group: "g".into(), topic: "t".into(), partition: 1, value: Some(offset(Some(9))) },
        GroupRecord::Offset { group: "g".into(), topic: "t".into(), partition: 1, value: None },
        GroupRecord::Group { group: "g".into(), value: Some(group) },
        GroupRecord::Group { group: "other".into(), value: None },
    ]
}

impl Target for Groups {
    fn seeds(&self) -> Vec<Vec<u8>> {
        let pairs: Vec<[Vec<u8>; 2]> = group_records()
            .iter()
            .map(|record| {
                let (key, value) = record.encode();
                [key.to_vec(), value.unwrap_or_default().to_vec()]
            })
            .collect();
        let mut seeds: Vec<Vec<u8>> = pairs.iter().map(|pair| join(pair)).collect();
        seeds.push(join(&pairs.concat()));
        seeds
    }

    fn run(&mut self, input: &[u8]) -> Result<(), String> {
        let config = CoordinatorConfig {
            initial_rebalance_delay_ms: 0,
            session_timeout_min_ms: 0,
            session_timeout_max_ms: i32::MAX,
            group_size_max: 100,
            offset_metadata_bytes_max: 4096,
            commit_bytes_max: 1 << 20,
            offsets_retention_ms: 1_000,
            expiry_interval_ms: 1_000,
        };
        let now = Now { monotonic_ms: 10, wall_ms: 1_700_000_000_000 };
        let mut coordinator = Coordinator::new(config, now);
        for pair in part(input).chunks(2) {
            let value = pair.get(1).filter(|value| !value.is_empty());
            let Ok(record) = GroupRecord::decode(Bytes::copy_from_slice(pair[0]), value.map(|value| Bytes::copy_from_slice(value))) else { continue };
            let (key, value) = record.encode();
            let again = GroupRecord::decode(key, value).map_err(|error| format!("{record:?} is written so that it cannot be read: {error}"))?;
            if again != record {
                return Err(format!("{record:?} comes back as {again:?}"));
            }
            coordinator.replay(record);
        }
        coordinator.loaded(now);
        for listed in coordinator.list() {
            let _ = coordinator.describe(&listed.group);
            let _ = coordinator.fetch(&listed.group, None);
        }
        for later in [1_000, 100_000, 10_000_000] {
            let _ = coordinator.wake(Now { monotonic_ms: now.monotonic_ms + later, wall_ms: now.wall_ms + later });
        }
        Ok(())
    }
}

/// `kind (1) ++ bytes`: a command, a row or a cut.
pub struct Views;

impl Target for Views {
    fn seeds(&self) -> Vec<Vec<u8>> {
        let mut command = Command::new("CREATE STREAM S (A INT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');".into(), [("a".into(), "b".into())].into());
        command.producer = Some(7);
        command.start = vec![("t".into(), 0, 12)];
        let values = vec![
            Value::Null,
            Value::Boolean(true),
            Value::Int(-1),
            Value::BigInt(i64::MAX),
            Value::Double(-0.5),
            Value::Decimal("-12.340".parse().expect("a decimal")),
            "te\0xt".into(),
            Value::bytes(vec![0, 0xff, 0]),
            Value::Time(1),
            Value::Date(-1),
            Value::Timestamp(5),
            Value::array([Value::array([Value::Int(1), Value::Null]), Value::Null]),
            Value::map([("k".into(), Value::Int(1)), ("l".into(), Value::Null)]),
            Value::structure([Value::Int(1), "x".into()]),
        ];
        let row = Stored { row: values.into(), timestamp: 77 };
        let mut cut = Cut::default();
        cut.advance(&InputId::new("t", 0), 12);
        cut.advance(&InputId::new("u", 3), i64::MAX);
        let deep = vec![0x0d; 100_000];
        let kinds = [command.encode().to_vec(), encode_row(&row), encode_cut(&cut), [vec![0; 8], deep].concat()];
        let tags = [0, 2, 3, 2];
        tags.iter().zip(kinds).map(|(tag, bytes)| [vec![*tag], bytes].concat()).collect()
    }

    fn run(&mut self, input: &[u8]) -> Result<(), String> {
        let Some((kind, bytes)) = input.split_first() else { return Ok(()) };
        match kind % 4 {
            0 => {
                if let Ok(command) = Command::decode(bytes) {
                    let again = Command::decode(&command.encode()).map_err(|error| error.to_string())?;
                    same(&command, &again)?;
                }
            }
            1 | 2 => {
                // Damage may spell a value as nobody writes it (a decimal with an exponent): what is written of it stays.
                if let Ok(row) = decode_row(bytes) {
                    let written = encode_row(&row);
                    let again = decode_row(&written).map_err(|error| error.to_string())?;
                    same(&written, &encode_row(&again))?;
                }
            }
            _ => {
                if let Ok(cut) = decode_cut(bytes) {
                    same(&cut, &decode_cut(&encode_cut(&cut)).map_err(|error| error.to_string())?)?;
                }
            }
        }
        Ok(())
    }
}

fn same<T: PartialEq + std::fmt::Debug>(one: &T, other: &T) -> Result<(), String> {
    if one == other { Ok(()) } else { Err(format!("{one:?} comes back as {other:?}")) }
}
