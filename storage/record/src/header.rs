//! The 61 bytes before a v2 batch's records, parsed in place, and the few of them that a broker writes.
//!
//! ```text
//!  0 base offset i64 | 8 length i32 (of what follows it) | 12 leader epoch i32 | 16 magic i8 | 17 crc u32
//! 21 attributes i16 | 23 last offset delta i32 | 27 base timestamp i64 | 35 max timestamp i64
//! 43 producer id i64 | 51 producer epoch i16 | 53 base sequence i32 | 57 record count i32 | 61 records
//! ```
//! The CRC covers byte 21 to the end: base offset and epoch can be stamped without touching it.
use crate::{BatchError, Codec, Epoch, Offset, ProducerId};

/// Bytes of a batch before its records.
pub const HEADER_LEN: usize = 61;
/// Bytes that batches and internal frames have in common: base offset, length, epoch, magic.
pub const PREFIX_LEN: usize = 17;
/// Bytes in front of those that the length field counts.
pub const LENGTH_END: usize = 12;
/// Where the bytes that the CRC covers begin.
pub const CRC_END: usize = 21;
pub const MAGIC_BATCH: i8 = 2;
/// Frames of our own, which no client sees.
pub const MAGIC_INTERNAL: i8 = 100;
/// In a timestamp field: there is none.
pub const NO_TIMESTAMP: i64 = -1;
/// In a sequence field: there is none.
pub const NO_SEQUENCE: i32 = -1;

const CODEC_MASK: i16 = 0x07;
const LOG_APPEND_TIME: i16 = 0x08;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;
const DELETE_HORIZON: i16 = 0x40;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimestampType {
    /// Each record carries its producer's time.
    Create,
    /// The batch's max timestamp, which the broker wrote, is every record's time.
    LogAppend,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Attributes(pub i16);

impl Attributes {
    pub fn codec(self) -> Result<Codec, BatchError> {
        Codec::from_bits((self.0 & CODEC_MASK) as u8)
    }

    pub fn timestamp_type(self) -> TimestampType {
        if self.0 & LOG_APPEND_TIME == 0 { TimestampType::Create } else { TimestampType::LogAppend }
    }

    pub fn is_transactional(self) -> bool {
        self.0 & TRANSACTIONAL != 0
    }

    pub fn is_control(self) -> bool {
        self.0 & CONTROL != 0
    }

    /// The base timestamp is the time from which compaction may drop this batch's tombstones.
    pub fn has_delete_horizon(self) -> bool {
        self.0 & DELETE_HORIZON != 0
    }

    pub fn with_codec(self, codec: Codec) -> Attributes {
        Attributes(self.0 & !CODEC_MASK | codec as i16)
    }

    pub fn with_timestamp_type(self, kind: TimestampType) -> Attributes {
        self.with(LOG_APPEND_TIME, kind == TimestampType::LogAppend)
    }

    pub fn with_transactional(self, on: bool) -> Attributes {
        self.with(TRANSACTIONAL, on)
    }

    pub fn with_control(self, on: bool) -> Attributes {
        self.with(CONTROL, on)
    }

    pub fn with_delete_horizon(self, on: bool) -> Attributes {
        self.with(DELETE_HORIZON, on)
    }

    fn with(self, bit: i16, on: bool) -> Attributes {
        Attributes(if on { self.0 | bit } else { self.0 & !bit })
    }
}

/// What batches and internal frames begin with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Prefix {
    pub base_offset: Offset,
    /// Bytes after the length field.
    pub length: i32,
    pub epoch: Epoch,
    pub magic: i8,
}

impl Prefix {
    pub fn parse(bytes: &[u8]) -> Result<Prefix, BatchError> {
        if bytes.len() < PREFIX_LEN {
            return Err(BatchError::TooShort { need: PREFIX_LEN, have: bytes.len() });
        }
        let prefix = Prefix {
            base_offset: Offset(i64_at(bytes, 0)),
            length: i32_at(bytes, 8),
            epoch: Epoch(i32_at(bytes, 12)),
            magic: bytes[16] as i8,
        };
        let least = match prefix.magic {
            MAGIC_BATCH => HEADER_LEN,
            MAGIC_INTERNAL => CRC_END + 1,
            other => return Err(BatchError::BadMagic(other)),
        };
        if (prefix.length as i64) < (least - LENGTH_END) as i64 {
            return Err(BatchError::BadLength(prefix.length));
        }
        Ok(prefix)
    }

    /// Bytes of the whole frame. `parse` saw to it that the length is positive.
    pub fn frame_len(&self) -> usize {
        LENGTH_END + self.length as usize
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchHeader {
    pub base_offset: Offset,
    /// Bytes after the length field.
    pub length: i32,
    pub epoch: Epoch,
    pub crc: u32,
    pub attributes: Attributes,
    pub last_offset_delta: i32,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub producer_id: ProducerId,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub count: i32,
}

impl BatchHeader {
    /// Reads the header; `bytes` may end anywhere behind it. Nothing but magic and least length is judged.
    pub fn parse(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
        let prefix = Prefix::parse(bytes)?;
        if prefix.magic != MAGIC_BATCH {
            return Err(BatchError::BadMagic(prefix.magic));
        }
        if bytes.len() < HEADER_LEN {
            return Err(BatchError::TooShort { need: HEADER_LEN, have: bytes.len() });
        }
        Ok(BatchHeader {
            base_offset: prefix.base_offset,
            length: prefix.length,
            epoch: prefix.epoch,
            crc: i32_at(bytes, 17) as u32,
            attributes: Attributes(i16_at(bytes, 21)),
            last_offset_delta: i32_at(bytes, 23),
            base_timestamp: i64_at(bytes, 27),
            max_timestamp: i64_at(bytes, 35),
            producer_id: ProducerId(i64_at(bytes, 43)),
            producer_epoch: i16_at(bytes, 51),
            base_sequence: i32_at(bytes, 53),
            count: i32_at(bytes, 57),
        })
    }

    /// Bytes of the whole batch.
    pub fn frame_len(&self) -> usize {
        LENGTH_END + self.length as usize
    }

    pub fn last_offset(&self) -> Offset {
        Offset(self.base_offset.0.saturating_add(self.last_offset_delta as i64))
    }

    pub fn next_offset(&self) -> Offset {
        Offset(self.last_offset().0.saturating_add(1))
    }

    /// Offsets that the batch takes up, which after compaction is more than the records it holds.
    pub fn width(&self) -> i64 {
        self.last_offset_delta as i64 + 1
    }

    /// The sequence number of the last offset; wraps from 2^31-1 to 0.
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence == NO_SEQUENCE { NO_SEQUENCE } else { add_sequence(self.base_sequence, self.last_offset_delta) }
    }

    pub fn delete_horizon_ms(&self) -> Option<i64> {
        self.attributes.has_delete_horizon().then_some(self.base_timestamp)
    }

    /// Writes the header over the first 61 bytes of `out`, the crc field as it stands in `self`.
    pub fn write(&self, out: &mut [u8; HEADER_LEN]) {
        out[0..8].copy_from_slice(&self.base_offset.0.to_be_bytes());
        out[8..12].copy_from_slice(&self.length.to_be_bytes());
        out[12..16].copy_from_slice(&self.epoch.0.to_be_bytes());
        out[16] = MAGIC_BATCH as u8;
        out[17..21].copy_from_slice(&self.crc.to_be_bytes());
        out[21..23].copy_from_slice(&self.attributes.0.to_be_bytes());
        out[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        out[27..35].copy_from_slice(&self.base_timestamp.to_be_bytes());
        out[35..43].copy_from_slice(&self.max_timestamp.to_be_bytes());
        out[43..51].copy_from_slice(&self.producer_id.0.to_be_bytes());
        out[51..53].copy_from_slice(&self.producer_epoch.to_be_bytes());
        out[53..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        out[57..61].copy_from_slice(&self.count.to_be_bytes());
    }
}

/// `sequence + count`, wrapping from 2^31-1 to 0 as Kafka's producers do.
pub fn add_sequence(sequence: i32, count: i32) -> i32 {
    let sum = sequence as i64 + count as i64;
    if sum > i32::MAX as i64 { (sum - i32::MAX as i64 - 1) as i32 } else { sum as i32 }
}

pub(crate) fn i16_at(bytes: &[u8], at: usize) -> i16 {
    i16::from_be_bytes([bytes[at], bytes[at + 1]])
}

pub(crate) fn i32_at(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

pub(crate) fn i64_at(bytes: &[u8], at: usize) -> i64 {
    (i32_at(bytes, at) as i64) << 32 | (i32_at(bytes, at + 4) as u32 as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_write_and_parse() {
        let header = BatchHeader {
            base_offset: Offset(i64::MAX - 9),
            length: 49 + 7,
            epoch: Epoch(3),
            crc: 0xdead_beef,
            attributes: Attributes(0).with_codec(Codec::Zstd).with_control(true),
            last_offset_delta: 4,
            base_timestamp: -1,
            max_timestamp: 1_700_000_000_123,
            producer_id: ProducerId(77),
            producer_epoch: -2,
            base_sequence: i32::MAX - 1,
            count: 5,
        };
        let mut bytes = [0; HEADER_LEN];
        header.write(&mut bytes);
        assert_eq!(BatchHeader::parse(&bytes), Ok(header));
        assert_eq!(header.frame_len(), HEADER_LEN + 7);
        assert_eq!(header.last_sequence(), 2);
    }

    #[test]
    fn refuses_what_is_no_batch() {
        let mut bytes = [0; HEADER_LEN];
        assert_eq!(BatchHeader::parse(&bytes), Err(BatchError::BadMagic(0)));
        bytes[16] = 2;
        assert_eq!(BatchHeader::parse(&bytes), Err(BatchError::BadLength(0)));
        bytes[8..12].copy_from_slice(&(-1i32).to_be_bytes());
        assert_eq!(BatchHeader::parse(&bytes), Err(BatchError::BadLength(-1)));
        bytes[8..12].copy_from_slice(&49i32.to_be_bytes());
        assert!(BatchHeader::parse(&bytes).is_ok());
        assert_eq!(BatchHeader::parse(&bytes[..60]), Err(BatchError::TooShort { need: 61, have: 60 }));
        assert_eq!(BatchHeader::parse(&bytes[..5]), Err(BatchError::TooShort { need: 17, have: 5 }));
    }

    #[test]
    fn sequences_wrap_to_zero() {
        assert_eq!(add_sequence(i32::MAX, 1), 0);
        assert_eq!(add_sequence(i32::MAX - 1, 3), 1);
        assert_eq!(add_sequence(5, 3), 8);
    }
}
