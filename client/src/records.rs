//! Records as callers see them, and their way into and out of batches.
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use millrace_record::{BatchBuilder, BatchHeader, Codec, ControlType, EndTxnMarker, HeaderList, Level, ProducerId, Records, TimestampType};

use crate::TopicPartition;
use crate::error::{ClientError, Result};

/// A batch that claims to unpack to more than this is taken for a bomb.
const BATCH_BYTES_MAX: usize = 1 << 30;

/// How batches are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Compression {
    fn codec(self) -> Codec {
        match self {
            Compression::None => Codec::None,
            Compression::Gzip => Codec::Gzip,
            Compression::Snappy => Codec::Snappy,
            Compression::Lz4 => Codec::Lz4,
            Compression::Zstd => Codec::Zstd,
        }
    }
}

/// One header of a record. Names may repeat; order is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The header's name; text by Kafka's definition, bytes by its practice.
    pub name: Bytes,
    /// The header's value.
    pub value: Option<Bytes>,
}

/// A record to be sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// Decides the partition, and what compaction keeps.
    pub key: Option<Bytes>,
    /// None: a tombstone.
    pub value: Option<Bytes>,
    /// Headers in order.
    pub headers: Vec<Header>,
    /// Milliseconds since 1970; none: now.
    pub timestamp: Option<i64>,
}

impl Outgoing {
    /// Bytes in a batch before compression, about.
    pub fn size(&self) -> usize {
        let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        let headers: usize = self.headers.iter().map(|header| header.name.len() + length(&header.value) + 10).sum();
        length(&self.key) + length(&self.value) + headers + 21
    }
}

/// A record that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its topic.
    pub topic: Arc<str>,
    /// Its partition.
    pub partition: i32,
    /// Its place in the partition.
    pub offset: i64,
    /// Milliseconds since 1970; -1 for none.
    pub timestamp: i64,
    /// True when the broker's clock set the timestamp.
    pub log_append_time: bool,
    /// Its key.
    pub key: Option<Bytes>,
    /// Its value; none is a tombstone.
    pub value: Option<Bytes>,
    /// Headers in order.
    pub headers: Vec<Header>,
}

/// What numbers an idempotent batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity {
    pub id: i64,
    pub epoch: i16,
    pub sequence: i32,
}

pub(crate) fn encode<'a>(records: impl Iterator<Item = &'a Outgoing>, compression: Compression, identity: Option<Identity>) -> Result<Bytes> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as i64);
    let mut builder = BatchBuilder::new(compression.codec(), Level::Default);
    if let Some(identity) = identity {
        builder = builder.producer(ProducerId(identity.id), identity.epoch, identity.sequence);
    }
    for record in records {
        let headers: Vec<_> = record.headers.iter().map(|header| (&header.name[..], header.value.as_deref())).collect();
        let headers: &HeaderList<'_> = &headers;
        builder.push(record.timestamp.unwrap_or(now), record.key.as_deref(), record.value.as_deref(), headers);
        if builder.body_len() > i32::MAX as usize / 2 {
            return Err(ClientError::Misuse("a record above 1 GiB cannot be sent".into()));
        }
    }
    Ok(builder.build().freeze())
}

pub(crate) struct Decoded {
    pub records: Vec<Record>,
    /// One past the last batch; the place to read on from.
    pub next_offset: i64,
}

/// Reads the whole batches in `bytes`, leaving out records below `from`, control records, and, where a list of aborted
/// transactions (producer, first offset) is given, their records.
pub(crate) fn decode(at: &TopicPartition, bytes: Bytes, from: i64, aborted: Option<&[(i64, i64)]>) -> Result<Decoded> {
    let topic: Arc<str> = at.topic.as_str().into();
    let mut decoded = Decoded { records: Vec::new(), next_offset: from };
    let mut filter = aborted.map(AbortFilter::new);
    for batch in millrace_record::split_bytes(bytes) {
        let (header, batch) = match batch {
            Ok(batch) => batch,
            // Brokers may cut the last batch off; it comes whole next time.
            Err(millrace_record::BatchError::TooShort { .. }) if !decoded.records.is_empty() || decoded.next_offset > from => break,
            Err(error) => return Err(ClientError::malformed(format!("batch of {at}"), error)),
        };
        let wrong = |error| ClientError::malformed(format!("batch of {at} at offset {}", header.base_offset.0), error);
        millrace_record::verify_crc(&batch).map_err(wrong)?;
        decoded.next_offset = header.next_offset().0;
        let records = Records::open(&batch, BATCH_BYTES_MAX).map_err(wrong)?;
        if header.attributes.is_control() {
            if let Some(filter) = &mut filter {
                filter.end(&header, &records).map_err(wrong)?;
            }
            continue;
        }
        if filter.as_mut().is_some_and(|filter| filter.hides(&header)) {
            continue;
        }
        let log_append_time = header.attributes.timestamp_type() == TimestampType::LogAppend;
        for record in records.iter() {
            let record = record.map_err(wrong)?;
            let offset = header.offset_of(&record).0;
            if offset < from {
                continue;
            }
            let headers = record.headers.iter().map(|(name, value)| Header {
                name: Bytes::copy_from_slice(name),
                value: value.map(Bytes::copy_from_slice),
            });
            decoded.records.push(Record {
                topic: topic.clone(),
                partition: at.partition,
                offset,
                timestamp: header.timestamp_of(&record),
                log_append_time,
                key: record.key.map(Bytes::copy_from_slice),
                value: record.value.map(Bytes::copy_from_slice),
                headers: headers.collect(),
            });
        }
    }
    Ok(decoded)
}

/// Knows, batch by batch in offset order, which producers are inside an aborted transaction.
struct AbortFilter {
    /// Latest first, so that the next one to start is popped.
    starts: Vec<(i64, i64)>,
    inside: HashSet<i64>,
}

impl AbortFilter {
    fn new(aborted: &[(i64, i64)]) -> Self {
        let mut starts = aborted.to_vec();
        starts.sort_by_key(|(_, first)| std::cmp::Reverse(*first));
        Self { starts, inside: HashSet::new() }
    }

    fn hides(&mut self, header: &BatchHeader) -> bool {
        while self.starts.last().is_some_and(|(_, first)| *first <= header.last_offset().0) {
            self.inside.extend(self.starts.pop().map(|(producer, _)| producer));
        }
        header.attributes.is_transactional() && self.inside.contains(&header.producer_id.0)
    }

    fn end(&mut self, header: &BatchHeader, records: &Records<'_>) -> std::result::Result<(), millrace_record::BatchError> {
        for record in records.iter() {
            if EndTxnMarker::parse(&record?)?.is_some_and(|marker| marker.kind == ControlType::Abort) {
                self.inside.remove(&header.producer_id.0);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing(key: Option<&'static str>, value: Option<&'static str>) -> Outgoing {
        let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
        Outgoing { key: key.map(bytes), value: value.map(bytes), timestamp: Some(1_000), ..Outgoing::default() }
    }

    #[test]
    fn every_codec_gives_back_what_it_took_with_null_keys_and_repeated_headers() {
        let header = |value| Header { name: Bytes::from_static(b"h"), value };
        let mut records = vec![outgoing(None, Some("v")), outgoing(Some("k"), None), outgoing(Some(""), Some(""))];
        records[0].headers = vec![header(Some(Bytes::from_static(b"1"))), header(None)];
        for compression in [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
            let bytes = encode(records.iter(), compression, None).unwrap();
            let decoded = decode(&TopicPartition::new("t", 3), bytes, 0, None).unwrap();
            assert_eq!(decoded.next_offset, 3, "{compression:?}");
            for (offset, (sent, read)) in records.iter().zip(&decoded.records).enumerate() {
                assert_eq!((&sent.key, &sent.value, &sent.headers), (&read.key, &read.value, &read.headers), "{compression:?}");
                assert_eq!((read.offset, read.timestamp, read.partition), (offset as i64, 1_000, 3));
            }
        }
    }

    #[test]
    fn records_below_the_offset_asked_for_are_left_out() {
        let records = [outgoing(None, Some("a")), outgoing(None, Some("b")), outgoing(None, Some("c"))];
        let bytes = encode(records.iter(), Compression::None, None).unwrap();
        let decoded = decode(&TopicPartition::new("t", 0), bytes, 2, None).unwrap();
        assert_eq!(decoded.records.len(), 1);
        assert_eq!(decoded.records[0].value.as_deref(), Some(&b"c"[..]));
    }

    #[test]
    fn a_flipped_bit_is_an_error_and_no_record() {
        let bytes = encode([outgoing(None, Some("abc"))].iter(), Compression::None, None).unwrap();
        for at in 16..bytes.len() {
            let mut broken = bytes.to_vec();
            broken[at] ^= 1;
            assert!(decode(&TopicPartition::new("t", 0), broken.into(), 0, None).is_err(), "byte {at}");
        }
    }

    #[test]
    fn records_of_aborted_transactions_are_hidden_until_their_marker() {
        let batch = |base: i64, transactional: bool| {
            let mut builder = BatchBuilder::new(Codec::None, Level::Default)
                .base_offset(millrace_record::Offset(base))
                .producer(ProducerId(7), 0, 0)
                .transactional(transactional);
            builder.push(0, None, Some(b"x"), &[]);
            builder.build()
        };
        let mut abort = EndTxnMarker { kind: ControlType::Abort, coordinator_epoch: 0 }.batch(ProducerId(7), 0, 0);
        millrace_record::stamp(&mut abort, millrace_record::Offset(1), millrace_record::Epoch(0));
        let log = [batch(0, true), abort, batch(2, true)].concat();
        let at = TopicPartition::new("t", 0);
        let offsets = |decoded: Decoded| decoded.records.iter().map(|record| record.offset).collect::<Vec<_>>();
        assert_eq!(offsets(decode(&at, log.clone().into(), 0, Some(&[(7, 0)])).unwrap()), [2]);
        assert_eq!(offsets(decode(&at, log.into(), 0, None).unwrap()), [0, 2]);
    }
}
