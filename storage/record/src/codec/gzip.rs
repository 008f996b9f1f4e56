use std::io::Write;

use bytes::{BufMut, BytesMut};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::{Codec, Level, capped};
use crate::BatchError;

/// Several members in a row are one stream, as Java's reader has it.
pub(super) fn decompress(input: &[u8], bytes_max: usize, out: &mut Vec<u8>) -> Result<(), BatchError> {
    capped::read_to_end(MultiGzDecoder::new(input), Codec::Gzip, bytes_max, out)
}

pub(super) fn compress(input: &[u8], level: Level, out: &mut BytesMut) {
    let level = match level {
        Level::At(level @ 0..=9) => Compression::new(level as u32),
        _ => Compression::default(),
    };
    let mut encoder = GzEncoder::new(out.writer(), level);
    encoder.write_all(input).and_then(|()| encoder.finish().map(drop)).expect("writing to memory does not fail");
}
