//! Kafka's compression codecs, each with a cap on what comes out.
mod capped;
mod gzip;
mod lz4;
mod snappy;
mod zstd;

use bytes::BytesMut;

use crate::BatchError;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Codec {
    None = 0,
    Gzip = 1,
    Snappy = 2,
    Lz4 = 3,
    Zstd = 4,
}

/// How hard to compress, in the codec's own scale; `Default` is what Kafka's broker uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    Default,
    At(i32),
}

impl Codec {
    pub const ALL: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

    pub fn from_bits(bits: u8) -> Result<Codec, BatchError> {
        Codec::ALL.get(bits as usize).copied().ok_or(BatchError::UnknownCodec(bits))
    }

    /// As configs and tools write it.
    pub fn name(self) -> &'static str {
        match self {
            Codec::None => "none",
            Codec::Gzip => "gzip",
            Codec::Snappy => "snappy",
            Codec::Lz4 => "lz4",
            Codec::Zstd => "zstd",
        }
    }

    pub fn from_name(name: &str) -> Option<Codec> {
        Codec::ALL.into_iter().find(|codec| codec.name() == name)
    }

    /// Appends the decompressed bytes to `out`; an error if more than `bytes_max` would come out.
    pub fn decompress(self, input: &[u8], bytes_max: usize, out: &mut Vec<u8>) -> Result<(), BatchError> {
        match self {
            Codec::None if input.len() > bytes_max => Err(BatchError::TooLarge { cap: bytes_max }),
            Codec::None => {
                out.extend_from_slice(input);
                Ok(())
            }
            Codec::Gzip => gzip::decompress(input, bytes_max, out),
            Codec::Snappy => snappy::decompress(input, bytes_max, out),
            Codec::Lz4 => lz4::decompress(input, bytes_max, out),
            Codec::Zstd => zstd::decompress(input, bytes_max, out),
        }
    }

    /// Appends the compressed bytes to `out`.
    pub fn compress(self, input: &[u8], level: Level, out: &mut BytesMut) {
        match self {
            Codec::None => out.extend_from_slice(input),
            Codec::Gzip => gzip::compress(input, level, out),
            Codec::Snappy => snappy::compress(input, out),
            Codec::Lz4 => lz4::compress(input, level, out),
            Codec::Zstd => zstd::compress(input, level, out),
        }
    }

    fn undecodable(self, why: impl ToString) -> BatchError {
        BatchError::Undecodable { codec: self.name(), why: why.to_string() }
    }
}

#[cfg(test)]
mod tests;
