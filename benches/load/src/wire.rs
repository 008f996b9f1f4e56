//! The few frames the driver speaks, by hand: Produce v7 and Fetch v11, both of the plain (not flexible) kind.
//!
//! A produce frame is built once for a partition; sending it again changes four bytes.
use std::io::{self, ErrorKind, Read};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use millrace_record::{BatchBuilder, BatchHeader, Codec, Level};

const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const PRODUCE_VERSION: i16 = 7;
const FETCH_VERSION: i16 = 11;
/// Where the correlation id lies in a frame: after length, key and version.
pub const CORRELATION: std::ops::Range<usize> = 8..12;
const FRAME_BYTES_MAX: usize = 256 << 20;

fn string(frame: &mut BytesMut, text: &str) {
    frame.put_i16(text.len() as i16);
    frame.put_slice(text.as_bytes());
}

fn header(key: i16, version: i16) -> BytesMut {
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    frame.put_i16(key);
    frame.put_i16(version);
    frame.put_i32(0);
    string(&mut frame, "millrace-load");
    frame
}

fn finish(mut frame: BytesMut) -> Vec<u8> {
    let length = (frame.len() - 4) as i32;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    frame.to_vec()
}

/// A batch of `records` values of `value_bytes` that do not compress.
pub fn batch(records: usize, value_bytes: usize) -> Bytes {
    let mut builder = BatchBuilder::new(Codec::None, Level::Default);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut value = vec![0; value_bytes];
    for _ in 0..records {
        for byte in &mut value {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (state >> 56) as u8;
        }
        builder.push(1_700_000_000_000, None, Some(&value), &[]);
    }
    builder.build().freeze()
}

/// A produce request (acks=all) of one batch for one partition.
pub fn produce(topic: &str, partition: i32, batch: &[u8]) -> Vec<u8> {
    let mut frame = header(PRODUCE, PRODUCE_VERSION);
    frame.put_i16(-1); // no transactional id
    frame.put_i16(-1); // acks
    frame.put_i32(60_000);
    frame.put_i32(1);
    string(&mut frame, topic);
    frame.put_i32(1);
    frame.put_i32(partition);
    frame.put_i32(batch.len() as i32);
    frame.put_slice(batch);
    finish(frame)
}

/// A fetch request for one partition, answered at once or when a byte is there.
pub fn fetch(topic: &str, partition: i32, offset: i64, max_bytes: i32) -> Vec<u8> {
    let mut frame = header(FETCH, FETCH_VERSION);
    frame.put_i32(-1); // not a replica
    frame.put_i32(500);
    frame.put_i32(1);
    frame.put_i32(max_bytes);
    frame.put_i8(0);
    frame.put_i32(0);
    frame.put_i32(-1); // no session
    frame.put_i32(1);
    string(&mut frame, topic);
    frame.put_i32(1);
    frame.put_i32(partition);
    frame.put_i32(-1);
    frame.put_i64(offset);
    frame.put_i64(-1);
    frame.put_i32(max_bytes);
    frame.put_i32(0);
    string(&mut frame, "");
    finish(frame)
}

fn short() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "an answer is cut off")
}

fn refused(api: &str, code: i16) -> io::Error {
    io::Error::other(format!("{api} was refused with error code {code}"))
}

fn skip(body: &mut &[u8], count: usize) -> io::Result<()> {
    if body.len() < count {
        return Err(short());
    }
    body.advance(count);
    Ok(())
}

/// Checks a produce answer (after the correlation id): no partition may carry an error.
pub fn check_produce(mut body: &[u8]) -> io::Result<()> {
    for _ in 0..body.try_get_i32().map_err(|_| short())? {
        let name = body.try_get_u16().map_err(|_| short())?;
        skip(&mut body, usize::from(name))?;
        for _ in 0..body.try_get_i32().map_err(|_| short())? {
            skip(&mut body, 4)?;
            match body.try_get_i16().map_err(|_| short())? {
                0 => skip(&mut body, 24)?,
                code => return Err(refused("produce", code)),
            }
        }
    }
    Ok(())
}

/// What a fetch brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    pub records: u64,
    pub bytes: u64,
    pub next_offset: i64,
    pub high_watermark: i64,
}

/// Reads a fetch answer (after the correlation id) for one partition; batches are counted by their headers.
pub fn read_fetch(mut body: &[u8], from: i64) -> io::Result<Fetched> {
    let mut fetched = Fetched { next_offset: from, ..Fetched::default() };
    skip(&mut body, 4)?;
    let code = body.try_get_i16().map_err(|_| short())?;
    if code != 0 {
        return Err(refused("fetch", code));
    }
    skip(&mut body, 4)?;
    for _ in 0..body.try_get_i32().map_err(|_| short())? {
        let name = body.try_get_u16().map_err(|_| short())?;
        skip(&mut body, usize::from(name))?;
        for _ in 0..body.try_get_i32().map_err(|_| short())? {
            skip(&mut body, 4)?;
            let code = body.try_get_i16().map_err(|_| short())?;
            if code != 0 {
                return Err(refused("fetch", code));
            }
            fetched.high_watermark = body.try_get_i64().map_err(|_| short())?;
            skip(&mut body, 16)?;
            let aborted = body.try_get_i32().map_err(|_| short())?;
            skip(&mut body, usize::try_from(aborted).unwrap_or(0) * 16 + 4)?;
            let length = usize::try_from(body.try_get_i32().map_err(|_| short())?).unwrap_or(0);
            let records = body.get(..length).ok_or_else(short)?;
            count(records, &mut fetched);
            skip(&mut body, length)?;
        }
    }
    Ok(fetched)
}

fn count(mut records: &[u8], fetched: &mut Fetched) {
    // A batch that the broker cut off is no error: it comes whole with the next fetch.
    while let Ok(header) = BatchHeader::parse(records) {
        let Some(rest) = records.get(header.frame_len()..) else { return };
        fetched.records += u64::from(header.count.unsigned_abs());
        fetched.bytes += header.frame_len() as u64;
        fetched.next_offset = header.next_offset().0;
        records = rest;
    }
}

/// Reads frames off a stream through one buffer that grows to the largest.
pub struct Frames<R> {
    stream: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl<R: Read> Frames<R> {
    pub fn new(stream: R) -> Self {
        Self { stream, buffer: vec![0; 1 << 16], start: 0, end: 0 }
    }

    /// True when a whole frame is in the buffer, so that `next` does not wait.
    pub fn has_one(&self) -> bool {
        self.whole().is_some()
    }

    fn whole(&self) -> Option<usize> {
        let front = self.buffer.get(self.start..self.end)?.get(..4)?;
        let length = u32::from_be_bytes(front.try_into().ok()?) as usize + 4;
        (self.end - self.start >= length).then_some(length)
    }

    /// The next frame without its length: correlation id, then the body.
    pub fn next(&mut self) -> io::Result<(u32, &[u8])> {
        loop {
            if let Some(length) = self.whole() {
                let frame = self.start + 4..self.start + length;
                self.start += length;
                let frame = self.buffer.get(frame).filter(|frame| frame.len() >= 4).ok_or_else(short)?;
                let (correlation, body) = frame.split_at(4);
                let correlation = u32::from_be_bytes(correlation.try_into().map_err(|_| short())?);
                return Ok((correlation, body));
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            if self.buffer.len() >= FRAME_BYTES_MAX {
                return Err(io::Error::new(ErrorKind::InvalidData, "an answer above 256 MiB"));
            }
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        match self.stream.read(&mut self.buffer[self.end..])? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            read => {
                self.end += read;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_whole_however_the_stream_is_cut() {
        struct Bytewise(Vec<u8>);
        impl Read for Bytewise {
            fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
                if self.0.is_empty() {
                    return Ok(0);
                }
                to[0] = self.0.remove(0);
                Ok(1)
            }
        }
        let stream = [0, 0, 0, 5, 0, 0, 0, 1, 9, 0, 0, 0, 4, 0, 0, 0, 2].to_vec();
        let mut frames = Frames::new(Bytewise(stream));
        assert_eq!(frames.next().unwrap(), (1, &[9][..]));
        assert!(!frames.has_one());
        assert_eq!(frames.next().unwrap(), (2, &[][..]));
        assert!(frames.next().is_err());
    }

    #[test]
    fn errors_in_answers_are_seen() {
        let answer = |code: i16| {
            let mut body = BytesMut::new();
            body.put_i32(1);
            string(&mut body, "t");
            body.put_i32(1);
            body.put_i32(0);
            body.put_i16(code);
            body.put_bytes(0, 24);
            body.put_i32(0);
            body
        };
        assert!(check_produce(&answer(0)).is_ok());
        assert!(check_produce(&answer(6)).unwrap_err().to_string().contains("error code 6"));
        assert!(check_produce(&answer(0)[..9]).is_err());
    }
}
