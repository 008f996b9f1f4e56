//! PROTOBUF_NOSR: a plain proto3 message with one field per column, tagged from 1 in the order of the columns.
//!
//! Types beyond proto3's scalars are the messages that Confluent's and Google's schemas define: `confluent.type.Decimal`,
//! `google.type.Date`, `google.type.TimeOfDay`, `google.protobuf.Timestamp`. A field that is absent is its type's default, or null when
//! the format was told to represent nulls (`optional` fields, or wrapper messages).

mod read;
#[cfg(test)]
mod tests;
mod wire;
mod write;

use bytes::Bytes;
use millrace_sql::plan::{FormatInfo, FormatProperty};
use millrace_sql::types::SqlType;
use millrace_sql::value::Value;

use crate::codec::{Codec, ColumnSpec};
use crate::{DecodeError, EncodeError};

/// How scalars tell null from their default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nullable {
    /// They do not: null is written as the default.
    No,
    /// `optional` fields.
    Optional,
    /// `google.protobuf.Int32Value` and its like.
    Wrapper,
}

pub struct Protobuf {
    columns: Vec<SqlType>,
    nullable: Nullable,
}

impl Protobuf {
    pub fn new(columns: Vec<ColumnSpec>, info: &FormatInfo) -> Protobuf {
        let named = info.properties.get(&FormatProperty::NullableRepresentation).map(|name| name.to_ascii_uppercase());
        let nullable = match named.as_deref() {
            Some("OPTIONAL") => Nullable::Optional,
            Some("WRAPPER") => Nullable::Wrapper,
            _ => Nullable::No,
        };
        Protobuf { columns: columns.into_iter().map(|column| column.sql_type).collect(), nullable }
    }
}

impl Codec for Protobuf {
    fn decode(&self, bytes: &[u8]) -> Result<Option<Vec<Value>>, DecodeError> {
        read::message(bytes, self.columns.iter(), self.nullable).map(Some)
    }

    fn encode(&self, row: &[Value]) -> Result<Option<Bytes>, EncodeError> {
        let mut out = Vec::with_capacity(row.len() * 8);
        write::message(&mut out, row, self.columns.iter(), self.nullable);
        Ok(Some(Bytes::from(out)))
    }
}
