use std::io::Write;

use bytes::{BufMut, BytesMut};

use super::{Codec, Level, capped};
use crate::BatchError;

/// Kafka's default level.
const LEVEL_DEFAULT: i32 = 3;
/// 2^27 = 128 MiB, zstd's own limit without `--long`: a frame cannot ask for a larger window.
const WINDOW_LOG_MAX: u32 = 27;

pub(super) fn decompress(input: &[u8], bytes_max: usize, out: &mut Vec<u8>) -> Result<(), BatchError> {
    let bad = |error| Codec::Zstd.undecodable(error);
    let mut decoder = zstd::stream::read::Decoder::with_buffer(input).map_err(bad)?;
    decoder.window_log_max(WINDOW_LOG_MAX).map_err(bad)?;
    capped::read_to_end(decoder, Codec::Zstd, bytes_max, out)
}

pub(super) fn compress(input: &[u8], level: Level, out: &mut BytesMut) {
    let level = match level {
        Level::At(level) => level,
        Level::Default => LEVEL_DEFAULT,
    };
    let written = zstd::stream::write::Encoder::new(out.writer(), level).and_then(|mut encoder| {
        encoder.write_all(input)?;
        encoder.finish().map(drop)
    });
    written.expect("writing to memory does not fail");
}
