//! Kafka record batches as values: view, stamp, walk, build, compress. No I/O.
//!
//! * A batch is opaque bytes from the producer to the consumer. The broker reads its 61-byte header in
//!   place, and writes base offset, leader epoch and (LogAppendTime) timestamps; records are looked at
//!   only to validate, to compact and to feed views.
//! * No length from the wire is believed before it is compared with the bytes that are there, and
//!   nothing is decompressed without a cap.
//! * Absences: no files, no clock, no offsets handed out, no Kafka error codes.
mod build;
mod codec;
mod control;
mod error;
mod frame;
mod header;
mod ids;
mod murmur;
mod record;
mod records;
mod stamp;
mod validate;
mod varint;

pub use build::{BatchBuilder, empty_batch};
pub use codec::{Codec, Level};
pub use control::{ControlType, EndTxnMarker, is_transactional_data};
pub use error::BatchError;
pub use frame::{Frame, InternalFrame, InternalKind, internal_frame, split, split_bytes, trim_frame};
pub use header::{
    Attributes, BatchHeader, HEADER_LEN, MAGIC_BATCH, MAGIC_INTERNAL, NO_SEQUENCE, NO_TIMESTAMP, PREFIX_LEN, Prefix,
    TimestampType, add_sequence,
};
pub use ids::{Epoch, Offset, ProducerId};
pub use murmur::{murmur2, partition_of_key};
pub use record::{HeaderList, Headers, Record};
pub use records::{RecordIter, Records};
pub use validate::{Origin, RecordRefused, Refused, Rules, Validated, admit, conform, validate};
pub use stamp::{compute_crc, set_max_timestamp, stamp, stamp_append_time, verify_crc};
