//! The records of one batch, decompressed if need be, one after another without an allocation each.
use std::borrow::Cow;

use crate::header::{HEADER_LEN, TimestampType};
use crate::record::Record;
use crate::{BatchError, BatchHeader, Codec, Offset};

/// A batch opened for walking. Holds the decompressed bytes, if the batch was compressed.
pub struct Records<'a> {
    header: BatchHeader,
    body: Cow<'a, [u8]>,
}

impl<'a> Records<'a> {
    /// Opens one whole batch. A compressed one is decompressed here, to at most `bytes_max` bytes.
    /// The checksum is not verified.
    pub fn open(batch: &'a [u8], bytes_max: usize) -> Result<Records<'a>, BatchError> {
        Records::open_with(batch, bytes_max, Vec::new())
    }

    /// The same with a buffer to decompress into; `into_scratch` gives it back.
    pub fn open_with(batch: &'a [u8], bytes_max: usize, mut scratch: Vec<u8>) -> Result<Records<'a>, BatchError> {
        let header = BatchHeader::parse(batch)?;
        let len = header.frame_len();
        let body = batch.get(HEADER_LEN..len).ok_or(BatchError::TooShort { need: len, have: batch.len() })?;
        // An empty batch that compaction left may keep its codec bits, and has no body to decompress.
        let body = match header.attributes.codec()? {
            _ if header.count == 0 && body.is_empty() => Cow::Borrowed(body),
            Codec::None => Cow::Borrowed(body),
            codec => {
                scratch.clear();
                codec.decompress(body, bytes_max, &mut scratch)?;
                Cow::Owned(scratch)
            }
        };
        Ok(Records { header, body })
    }

    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The records' bytes, decompressed.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    pub fn iter(&self) -> RecordIter<'_> {
        RecordIter { header: &self.header, rest: &self.body, at: 0 }
    }

    pub fn into_scratch(self) -> Vec<u8> {
        match self.body {
            Cow::Owned(scratch) => scratch,
            Cow::Borrowed(_) => Vec::new(),
        }
    }
}

/// Yields as many records as the header declares, or an error and then nothing more.
pub struct RecordIter<'a> {
    header: &'a BatchHeader,
    rest: &'a [u8],
    at: i32,
}

impl<'a> RecordIter<'a> {
    /// Bytes behind the last record that was yielded.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Result<Record<'a>, BatchError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.header.count {
            return None;
        }
        let index = self.at;
        match Record::take(&mut self.rest) {
            Ok(record) => {
                self.at += 1;
                Some(Ok(record))
            }
            Err(why) => {
                self.at = i32::MAX;
                Some(Err(BatchError::BadRecord { index: index as usize, why }))
            }
        }
    }
}

impl BatchHeader {
    /// Where a record of this batch lies in the partition.
    pub fn offset_of(&self, record: &Record<'_>) -> Offset {
        Offset(self.base_offset.0.saturating_add(record.offset_delta as i64))
    }

    /// A record's time in milliseconds: its producer's, or the broker's for the whole batch.
    pub fn timestamp_of(&self, record: &Record<'_>) -> i64 {
        match self.attributes.timestamp_type() {
            TimestampType::Create => self.base_timestamp.wrapping_add(record.timestamp_delta),
            TimestampType::LogAppend => self.max_timestamp,
        }
    }
}
