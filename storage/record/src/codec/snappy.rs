//! Snappy comes in two shapes: raw blocks (librdkafka, Go clients) and Java's "xerial" stream of
//! length-prefixed blocks behind a 16-byte head. We read both and write Java's, which every client reads.
use bytes::{BufMut, BytesMut};

use super::Codec;
use crate::BatchError;

const XERIAL_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const XERIAL_HEAD_LEN: usize = 16;
/// What Java's writer puts into one block.
const BLOCK_LEN: usize = 32 << 10;

pub(super) fn decompress(input: &[u8], bytes_max: usize, out: &mut Vec<u8>) -> Result<(), BatchError> {
    let start = out.len();
    if input.len() < XERIAL_HEAD_LEN || input[..8] != XERIAL_MAGIC {
        return block(input, start, bytes_max, out);
    }
    let mut rest = &input[XERIAL_HEAD_LEN..];
    while !rest.is_empty() {
        let cut = || Codec::Snappy.undecodable("a block is cut off");
        let (len, behind) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
        let len = u32::from_be_bytes(*len) as usize;
        // A stream may be several streams in a row; the next one's head begins where a length would.
        if *rest.first_chunk::<4>().ok_or_else(cut)? == XERIAL_MAGIC[..4] && rest.len() >= XERIAL_HEAD_LEN {
            rest = &rest[XERIAL_HEAD_LEN..];
            continue;
        }
        let data = behind.get(..len).ok_or_else(cut)?;
        block(data, start, bytes_max, out)?;
        rest = &behind[len..];
    }
    Ok(())
}

/// One raw block. It says how long it will be; that is checked before anything is made of that size.
fn block(data: &[u8], start: usize, bytes_max: usize, out: &mut Vec<u8>) -> Result<(), BatchError> {
    let len = snap::raw::decompress_len(data).map_err(|error| Codec::Snappy.undecodable(error))?;
    let done = out.len();
    if len > bytes_max - (done - start).min(bytes_max) {
        return Err(BatchError::TooLarge { cap: bytes_max });
    }
    out.resize(done + len, 0);
    let written = snap::raw::Decoder::new().decompress(data, &mut out[done..]);
    let written = written.map_err(|error| Codec::Snappy.undecodable(error))?;
    out.truncate(done + written);
    Ok(())
}

pub(super) fn compress(input: &[u8], out: &mut BytesMut) {
    out.put_slice(&XERIAL_MAGIC);
    out.put_i32(1); // version
    out.put_i32(1); // the oldest version that can read it
    let mut encoder = snap::raw::Encoder::new();
    let mut buffer = vec![0; snap::raw::max_compress_len(BLOCK_LEN)];
    for chunk in input.chunks(BLOCK_LEN) {
        let len = encoder.compress(chunk, &mut buffer).expect("the buffer holds the worst case of a block");
        out.put_u32(len as u32);
        out.put_slice(&buffer[..len]);
    }
}
