//! Kafka's field encodings, read with bounds.
use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::FormatError;

pub(super) struct Reader {
    rest: Bytes,
}

impl Reader {
    pub(super) fn new(rest: Bytes) -> Self {
        Self { rest }
    }
    pub(super) fn i16(&mut self, what: &'static str) -> Result<i16, FormatError> {
        self.rest.try_get_i16().map_err(|_| FormatError::Short(what))
    }
    pub(super) fn i32(&mut self, what: &'static str) -> Result<i32, FormatError> {
        self.rest.try_get_i32().map_err(|_| FormatError::Short(what))
    }
    pub(super) fn i64(&mut self, what: &'static str) -> Result<i64, FormatError> {
        self.rest.try_get_i64().map_err(|_| FormatError::Short(what))
    }
    pub(super) fn string(&mut self, what: &'static str) -> Result<String, FormatError> {
        self.nullable_string(what)?.ok_or(FormatError::Invalid(what))
    }
    pub(super) fn nullable_string(&mut self, what: &'static str) -> Result<Option<String>, FormatError> {
        match self.i16(what)? {
            -1 => Ok(None),
            length => self.text(usize::try_from(length).map_err(|_| FormatError::Invalid(what))?, what).map(Some),
        }
    }
    pub(super) fn compact_string(&mut self, what: &'static str) -> Result<String, FormatError> {
        let length = self.varint(what)?.checked_sub(1).ok_or(FormatError::Invalid(what))?;
        self.text(length, what)
    }
    pub(super) fn nullable_bytes(&mut self, what: &'static str) -> Result<Bytes, FormatError> {
        match self.i32(what)? {
            -1 => Ok(Bytes::new()),
            length => self.take(usize::try_from(length).map_err(|_| FormatError::Invalid(what))?, what),
        }
    }
    /// A count of items of at least `item_bytes` each, which the rest can hold.
    pub(super) fn count(&mut self, item_bytes: usize, what: &'static str) -> Result<usize, FormatError> {
        let count = usize::try_from(self.i32(what)?).map_err(|_| FormatError::Invalid(what))?;
        if count > self.rest.len() / item_bytes { Err(FormatError::Short(what)) } else { Ok(count) }
    }
    fn varint(&mut self, what: &'static str) -> Result<usize, FormatError> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.rest.try_get_u8().map_err(|_| FormatError::Short(what))?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return usize::try_from(value).map_err(|_| FormatError::Invalid(what));
            }
        }
        Err(FormatError::Invalid(what))
    }
    fn text(&mut self, length: usize, what: &'static str) -> Result<String, FormatError> {
        String::from_utf8(self.take(length, what)?.to_vec()).map_err(|_| FormatError::Invalid(what))
    }
    fn take(&mut self, length: usize, what: &'static str) -> Result<Bytes, FormatError> {
        if length > self.rest.len() { Err(FormatError::Short(what)) } else { Ok(self.rest.split_to(length)) }
    }
}

/// Kafka's strings end at 32767 bytes. Longer text cannot have come in through the protocol.
pub(super) fn put_string(out: &mut BytesMut, text: &str) {
    out.put_i16(i16::try_from(text.len()).expect("a string longer than Kafka's protocol carries"));
    out.put_slice(text.as_bytes());
}

pub(super) fn put_nullable_string(out: &mut BytesMut, text: Option<&str>) {
    match text {
        Some(text) => put_string(out, text),
        None => out.put_i16(-1),
    }
}

pub(super) fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    out.put_i32(i32::try_from(bytes.len()).expect("bytes longer than a request"));
    out.put_slice(bytes);
}
