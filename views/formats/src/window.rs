//! The bytes of a windowed key: the key's own bytes, then the window.
//!
//! Time windows end in their start (8 bytes, big-endian); session windows in their end and their start.

use bytes::{BufMut, Bytes, BytesMut};

use crate::DecodeError;

fn tail(bytes: &[u8], wanted: usize) -> Result<(&[u8], &[u8]), DecodeError> {
    match bytes.len().checked_sub(wanted) {
        Some(at) => Ok(bytes.split_at(at)),
        None => Err(DecodeError::WindowedKey { wanted, found: bytes.len() }),
    }
}

fn big_endian(bytes: &[u8]) -> i64 {
    bytes.iter().fold(0, |sum, byte| (sum << 8) | i64::from(*byte))
}

pub fn encode_time(key: &[u8], start: i64) -> Bytes {
    let mut out = BytesMut::with_capacity(key.len() + 8);
    out.put_slice(key);
    out.put_i64(start);
    out.freeze()
}

pub fn encode_session(key: &[u8], start: i64, end: i64) -> Bytes {
    let mut out = BytesMut::with_capacity(key.len() + 16);
    out.put_slice(key);
    out.put_i64(end);
    out.put_i64(start);
    out.freeze()
}

/// The key's bytes and the window's start.
pub fn decode_time(bytes: &[u8]) -> Result<(&[u8], i64), DecodeError> {
    let (key, start) = tail(bytes, 8)?;
    Ok((key, big_endian(start)))
}

/// The key's bytes and the window's start and end.
pub fn decode_session(bytes: &[u8]) -> Result<(&[u8], i64, i64), DecodeError> {
    let (key, bounds) = tail(bytes, 16)?;
    Ok((key, big_endian(&bounds[8..]), big_endian(&bounds[..8])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        let time = encode_time(b"k", -5);
        assert_eq!(decode_time(&time).unwrap(), (&b"k"[..], -5));
        let session = encode_session(b"", 7, 9);
        assert_eq!(decode_session(&session).unwrap(), (&b""[..], 7, 9));
        assert!(decode_session(b"short").is_err());
    }
}
