//! Records into a batch.
use bytes::{BufMut, BytesMut};

use crate::header::{Attributes, HEADER_LEN, LENGTH_END, NO_SEQUENCE, NO_TIMESTAMP};
use crate::record::{self, HeaderList, Headers, Record};
use crate::{BatchHeader, Codec, Epoch, Level, Offset, ProducerId, stamp};

/// Collects records, then makes one batch of them. Offsets count up from `base_offset` unless a record
/// names its own.
pub struct BatchBuilder {
    header: BatchHeader,
    codec: Codec,
    level: Level,
    body: Vec<u8>,
    headers: Vec<u8>,
    /// Set once the first record, or the caller, fixed the base timestamp.
    based: bool,
}

impl BatchBuilder {
    pub fn new(codec: Codec, level: Level) -> BatchBuilder {
        BatchBuilder {
            header: BatchHeader {
                base_offset: Offset::ZERO,
                length: 0,
                epoch: Epoch(-1),
                crc: 0,
                attributes: Attributes(0),
                last_offset_delta: -1,
                base_timestamp: NO_TIMESTAMP,
                max_timestamp: NO_TIMESTAMP,
                producer_id: ProducerId::NONE,
                producer_epoch: -1,
                base_sequence: NO_SEQUENCE,
                count: 0,
            },
            codec,
            level,
            body: Vec::new(),
            headers: Vec::new(),
            based: false,
        }
    }

    /// Takes everything but records, lengths and checksum from another batch's header: for rewriting it.
    /// The last offset stays, whatever records are pushed.
    pub fn like(header: &BatchHeader, codec: Codec, level: Level) -> BatchBuilder {
        let mut builder = BatchBuilder::new(codec, level);
        builder.header = BatchHeader { count: 0, max_timestamp: NO_TIMESTAMP, ..*header };
        builder.based = true;
        builder
    }

    pub fn base_offset(mut self, offset: Offset) -> Self {
        self.header.base_offset = offset;
        self
    }

    pub fn epoch(mut self, epoch: Epoch) -> Self {
        self.header.epoch = epoch;
        self
    }

    pub fn producer(mut self, id: ProducerId, epoch: i16, base_sequence: i32) -> Self {
        self.header.producer_id = id;
        self.header.producer_epoch = epoch;
        self.header.base_sequence = base_sequence;
        self
    }

    pub fn transactional(mut self, on: bool) -> Self {
        self.header.attributes = self.header.attributes.with_transactional(on);
        self
    }

    /// Records of a control batch are markers, not data.
    pub fn control(mut self, on: bool) -> Self {
        self.header.attributes = self.header.attributes.with_control(on);
        self
    }

    /// Marks the time from which compaction may drop the tombstones. Before the first record.
    pub fn delete_horizon(mut self, ms: i64) -> Self {
        debug_assert!(self.header.count == 0, "the horizon is the base of all timestamps");
        self.header.attributes = self.header.attributes.with_delete_horizon(true);
        self.header.base_timestamp = ms;
        self.based = true;
        self
    }

    pub fn push(&mut self, timestamp: i64, key: Option<&[u8]>, value: Option<&[u8]>, headers: &HeaderList<'_>) {
        let delta = self.header.last_offset_delta + 1;
        let mut buffer = std::mem::take(&mut self.headers);
        let encoded = record::encode_headers(headers, &mut buffer);
        self.push_at(delta, timestamp, key, value, encoded);
        self.headers = buffer;
    }

    /// A record at its own place in the batch, headers as they came.
    pub fn push_at(&mut self, offset_delta: i32, timestamp: i64, key: Option<&[u8]>, value: Option<&[u8]>, headers: Headers<'_>) {
        if !self.based {
            self.header.base_timestamp = timestamp;
            self.based = true;
        }
        let timestamp_delta = timestamp.wrapping_sub(self.header.base_timestamp);
        Record { offset_delta, timestamp_delta, key, value, headers }.put(&mut self.body);
        self.header.max_timestamp = self.header.max_timestamp.max(timestamp);
        self.header.last_offset_delta = self.header.last_offset_delta.max(offset_delta);
        self.header.count += 1;
    }

    pub fn count(&self) -> i32 {
        self.header.count
    }

    /// Bytes of the records so far, uncompressed.
    pub fn body_len(&self) -> usize {
        self.body.len()
    }

    /// Overrides the max timestamp that the records gave.
    pub fn max_timestamp(mut self, ms: i64) -> Self {
        self.header.max_timestamp = ms;
        self
    }

    /// # Panics
    /// If the batch would be longer than its length field can say (2 GiB).
    pub fn build(mut self) -> BytesMut {
        let mut batch = BytesMut::with_capacity(HEADER_LEN + self.body.len());
        batch.put_bytes(0, HEADER_LEN);
        match self.codec {
            Codec::None => batch.extend_from_slice(&self.body),
            codec => codec.compress(&self.body, self.level, &mut batch),
        }
        self.header.attributes = self.header.attributes.with_codec(self.codec);
        finish(&mut batch, &mut self.header);
        batch
    }
}

/// A batch without records that keeps its offsets, producer and sequence: what compaction leaves of one
/// whose records all went, when the producer's state or the end of the log still needs it.
pub fn empty_batch(header: &BatchHeader) -> BytesMut {
    let mut batch = BytesMut::zeroed(HEADER_LEN);
    let attributes = header.attributes.with_codec(Codec::None).with_delete_horizon(false);
    let mut header = BatchHeader { attributes, base_timestamp: NO_TIMESTAMP, count: 0, ..*header };
    finish(&mut batch, &mut header);
    batch
}

fn finish(batch: &mut BytesMut, header: &mut BatchHeader) {
    header.length = i32::try_from(batch.len() - LENGTH_END).expect("a batch stays under 2 GiB");
    let first: &mut [u8; HEADER_LEN] = (&mut batch[..HEADER_LEN]).try_into().expect("the header's room was made");
    header.write(first);
    stamp::renew_crc(batch);
}
