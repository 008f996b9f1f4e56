//! Kafka's wire protocol behind our own bounds.
//!
//! Three layers, all pure (no sockets, no clock):
//! * `frame` and `header`: the int32 length and the request header v1/v2;
//! * `produce` and `fetch`: our own codecs, in which records stay slices of the frame they came in or
//!   of the log they are read from;
//! * every other message goes through the `kafka-protocol` crate, and only after `shape::check` has
//!   walked its bytes: the crate allocates arrays by the length on the wire, so no length may reach it
//!   that the bytes at hand do not bear out.
//!
//! What this crate never does: it does not look into records, and it does not know what a request means.
pub mod control;
pub mod fetch;
pub mod frame;
pub mod header;
pub mod log_dirs;
pub mod produce;
mod reader;
pub mod shape;
pub mod shapes;
pub mod topic;
mod writer;
#[cfg(test)]
mod shape_tests;

pub use kafka_protocol::error::ResponseError as ErrorCode;
pub use kafka_protocol::messages;
pub use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Message, Request, StrBytes};
pub use reader::Malformed;
