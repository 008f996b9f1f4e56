//! The LZ4 frame format. What we write is what Java's reader accepts: independent 64 KiB blocks,
//! no content checksum.
use std::io::Write;

use bytes::{BufMut, BytesMut};
use lz4::liblz4::{BlockChecksum, ContentChecksum};
use lz4::{BlockMode, BlockSize, Decoder, EncoderBuilder};

use super::{Codec, Level, capped};
use crate::BatchError;

/// Kafka's default level.
const LEVEL_DEFAULT: i32 = 9;

pub(super) fn decompress(input: &[u8], bytes_max: usize, out: &mut Vec<u8>) -> Result<(), BatchError> {
    let decoder = Decoder::new(input).map_err(|error| Codec::Lz4.undecodable(error))?;
    capped::read_to_end(decoder, Codec::Lz4, bytes_max, out)
}

pub(super) fn compress(input: &[u8], level: Level, out: &mut BytesMut) {
    // Kafka's scale goes from 1 to 17 and its default, 9, stands for the fast mode; all others mean the
    // high-compression one, of which the library has 3 to 12.
    let level = match level {
        Level::At(level) if level != LEVEL_DEFAULT => level.clamp(3, 12) as u32,
        _ => 1,
    };
    let written = EncoderBuilder::new()
        .level(level)
        .block_mode(BlockMode::Independent)
        .block_size(BlockSize::Max64KB)
        .block_checksum(BlockChecksum::NoBlockChecksum)
        .checksum(ContentChecksum::NoChecksum)
        .build(out.writer())
        .and_then(|mut encoder| {
            encoder.write_all(input)?;
            encoder.finish().1
        });
    written.expect("writing to memory does not fail");
}
