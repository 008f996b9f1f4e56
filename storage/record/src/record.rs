//! One record inside a batch: a view of bytes that somebody else holds.
//!
//! Parsing checks every length against the bytes that remain and allocates nothing.
use crate::varint;

/// Why a record does not parse.
pub(crate) type Why = &'static str;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// From the batch's base offset.
    pub offset_delta: i32,
    /// From the batch's base timestamp.
    pub timestamp_delta: i64,
    pub key: Option<&'a [u8]>,
    /// `None` in a compacted topic: the key is deleted (a tombstone).
    pub value: Option<&'a [u8]>,
    pub headers: Headers<'a>,
}

/// A record's headers in their order, duplicate keys included. Keys are bytes: not every client sends UTF-8.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Headers<'a> {
    count: i32,
    raw: &'a [u8],
}

impl<'a> Headers<'a> {
    pub const NONE: Headers<'static> = Headers { count: 0, raw: &[] };

    pub fn len(&self) -> usize {
        self.count as usize
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// As they are on the wire, behind their count.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let mut rest = self.raw;
        // `Record::take` walked them once, so nothing here is missing.
        std::iter::from_fn(move || take_header(&mut rest).ok()).take(self.count as usize)
    }
}

fn take_header<'a>(rest: &mut &'a [u8]) -> Result<(&'a [u8], Option<&'a [u8]>), Why> {
    let key = take_bytes(rest)?.ok_or("a header without a key")?;
    Ok((key, take_bytes(rest)?))
}

/// A length (-1 means null), then so many bytes.
#[inline]
fn take_bytes<'a>(rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, Why> {
    let len = varint::take_i32(rest).ok_or("a length is cut off")?;
    if len == -1 {
        return Ok(None);
    }
    let len = usize::try_from(len).map_err(|_| "a negative length")?;
    let bytes = rest.get(..len).ok_or("a length beyond the end")?;
    *rest = &rest[len..];
    Ok(Some(bytes))
}

impl<'a> Record<'a> {
    /// Reads one record, its length in front, from the start of `rest`.
    #[inline]
    pub(crate) fn take(rest: &mut &'a [u8]) -> Result<Record<'a>, Why> {
        let len = varint::take_i32(rest).ok_or("its length is cut off")?;
        let len = usize::try_from(len).map_err(|_| "its length is negative")?;
        let mut body = rest.get(..len).ok_or("it is longer than what remains")?;
        *rest = &rest[len..];
        // One byte of attributes, which mean nothing in v2.
        body = body.get(1..).ok_or("it is empty")?;
        let timestamp_delta = varint::take_i64(&mut body).ok_or("its timestamp is cut off")?;
        let offset_delta = varint::take_i32(&mut body).ok_or("its offset is cut off")?;
        let key = take_bytes(&mut body)?;
        let value = take_bytes(&mut body)?;
        let count = varint::take_i32(&mut body).ok_or("its header count is cut off")?;
        if count < 0 {
            return Err("a negative header count");
        }
        let raw = body;
        for _ in 0..count {
            take_header(&mut body)?;
        }
        if !body.is_empty() {
            return Err("bytes remain behind its headers");
        }
        Ok(Record { offset_delta, timestamp_delta, key, value, headers: Headers { count, raw } })
    }

    /// Appends the record, its length in front.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        let bytes_len = |bytes: Option<&[u8]>| bytes.map_or(1, |bytes| varint::len_i32(bytes.len() as i32) + bytes.len());
        let len = 1
            + varint::len_i64(self.timestamp_delta)
            + varint::len_i32(self.offset_delta)
            + bytes_len(self.key)
            + bytes_len(self.value)
            + varint::len_i32(self.headers.count)
            + self.headers.raw.len();
        varint::put_i32(out, len as i32);
        out.push(0);
        varint::put_i64(out, self.timestamp_delta);
        varint::put_i32(out, self.offset_delta);
        put_bytes(out, self.key);
        put_bytes(out, self.value);
        varint::put_i32(out, self.headers.count);
        out.extend_from_slice(self.headers.raw);
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => varint::put_i32(out, -1),
        Some(bytes) => {
            varint::put_i32(out, bytes.len() as i32);
            out.extend_from_slice(bytes);
        }
    }
}

/// Headers as a builder takes them.
pub type HeaderList<'a> = [(&'a [u8], Option<&'a [u8]>)];

/// Writes `headers` as they go on the wire behind their count, into `out`, which is emptied first.
pub(crate) fn encode_headers<'a>(headers: &HeaderList<'_>, out: &'a mut Vec<u8>) -> Headers<'a> {
    out.clear();
    for (key, value) in headers {
        put_bytes(out, Some(key));
        put_bytes(out, *value);
    }
    Headers { count: headers.len() as i32, raw: out }
}
