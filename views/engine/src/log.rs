//! The processing log: what happened to single records that could not be read or computed. It is itself a stream; here it is a list.

use std::sync::Arc;

use bytes::Bytes;

#[derive(Clone, Debug, PartialEq)]
pub struct LogEvent {
    /// The step that met the record, such as `Source` or `Project`.
    pub step: &'static str,
    pub what: LogKind,
}

#[derive(Clone, Debug, PartialEq)]
pub enum LogKind {
    /// A key or value that is not what its format says.
    Deserialization { target: &'static str, topic: Arc<str>, record: Bytes, message: String },
    /// An expression that failed, or a record that an operator had to drop.
    Processing { message: String },
}
