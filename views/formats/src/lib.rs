//! Formats: the bytes of keys and values to columns, and back.
//!
//! Invariants: a codec is made once per topic side from its format, its columns and the columns that are wanted; decoding touches
//! nothing else. Text rules (numbers, quoting, nulls) are ksqlDB's, to the character. Decoding never panics and never allocates by
//! a length that the bytes claim.
//! Absences: no schema registry yet, so AVRO, PROTOBUF and JSON_SR are refused where a codec is asked for; no
//! windows' meaning (only their bytes, in [`window`]).

mod codec;
mod delimited;
mod error;
mod json;
mod kafka;
mod protobuf;
mod text;
pub mod window;

pub use codec::{Codec, ColumnSpec, Side, codec};
pub use error::{DecodeError, EncodeError, UnsupportedFormat};
pub use json::write_json;
