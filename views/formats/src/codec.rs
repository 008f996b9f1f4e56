//! The seam: one codec per topic side.

use bytes::Bytes;
use millrace_sql::plan::{Format, FormatInfo};
use millrace_sql::types::SqlType;
use millrace_sql::value::Value;

use crate::delimited::Delimited;
use crate::json::Json;
use crate::kafka::Kafka;
use crate::protobuf::Protobuf;
use crate::{DecodeError, EncodeError, UnsupportedFormat};

/// The key or the value of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Key,
    Value,
}

/// A column as it stands on the wire.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnSpec {
    pub name: String,
    pub sql_type: SqlType,
    /// Whether a decoder must deliver it; columns that are not wanted come out null.
    pub wanted: bool,
}

impl ColumnSpec {
    pub fn new(name: impl Into<String>, sql_type: SqlType) -> ColumnSpec {
        ColumnSpec { name: name.into(), sql_type, wanted: true }
    }
}

/// Bytes to the values of all columns, in order, and back. `None` is Kafka's null: an absent row.
pub trait Codec: Send + Sync {
    fn decode(&self, bytes: &[u8]) -> Result<Option<Vec<Value>>, DecodeError>;
    fn encode(&self, row: &[Value]) -> Result<Option<Bytes>, EncodeError>;
}

/// The codec of one side of a topic.
pub fn codec(info: &FormatInfo, side: Side, columns: Vec<ColumnSpec>) -> Result<Box<dyn Codec>, UnsupportedFormat> {
    match info.format {
        Format::Json => {
            let wrapped = columns.len() != 1 || info.wraps_single(side == Side::Key);
            Ok(Box::new(Json::new(columns, wrapped)))
        }
        Format::Delimited => Ok(Box::new(Delimited::new(columns, info.delimiter())?)),
        Format::Kafka => Ok(Box::new(Kafka::new(columns)?)),
        Format::None if columns.is_empty() => Ok(Box::new(Nothing)),
        Format::None => Err(UnsupportedFormat::NoColumns { format: Format::None, columns: columns.len() }),
        Format::ProtobufNoSr => Ok(Box::new(Protobuf::new(columns, info))),
        Format::Avro | Format::Protobuf | Format::JsonSr => Err(UnsupportedFormat::NeedsRegistry(info.format)),
    }
}

/// NONE: whatever is there is not looked at.
struct Nothing;

impl Codec for Nothing {
    fn decode(&self, _: &[u8]) -> Result<Option<Vec<Value>>, DecodeError> {
        Ok(None)
    }

    fn encode(&self, _: &[Value]) -> Result<Option<Bytes>, EncodeError> {
        Ok(None)
    }
}
