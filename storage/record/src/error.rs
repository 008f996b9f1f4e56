use thiserror::Error;

/// What is wrong with bytes that should be a batch. Never carries the bytes themselves.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum BatchError {
    #[error("{have} bytes where {need} are needed")]
    TooShort { need: usize, have: usize },
    #[error("length field says {0}")]
    BadLength(i32),
    #[error("magic {0}, which is neither a v2 batch nor an internal frame")]
    BadMagic(i8),
    #[error("crc {stored:#010x} is stored, {computed:#010x} computed")]
    BadCrc { stored: u32, computed: u32 },
    #[error("unknown compression codec {0}")]
    UnknownCodec(u8),
    #[error("unknown kind of internal frame: {0}")]
    UnknownKind(u8),
    #[error("record {index}: {why}")]
    BadRecord { index: usize, why: &'static str },
    #[error("{declared} records are declared, and {why}")]
    BadCount { declared: i32, why: &'static str },
    #[error("{codec} data does not decompress: {why}")]
    Undecodable { codec: &'static str, why: String },
    #[error("decompresses to more than {cap} bytes")]
    TooLarge { cap: usize },
    #[error("internal frame: {0}")]
    BadPayload(&'static str),
}
