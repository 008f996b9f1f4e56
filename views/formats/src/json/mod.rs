//! JSON: an object with a field per column, or, unwrapped, the bare value of the only column.
//!
//! Invariants: all fields are written, null ones too; numbers keep their text (a DECIMAL its scale, a DOUBLE Java's form). A null
//! document is an absent row. What follows the first document is ignored, as ksqlDB ignores it.

mod decode;
mod encode;
mod scan;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use millrace_sql::value::Value;

pub use self::encode::write_json;

use self::decode::{Fields, Path, Shape};
use self::scan::{Kind, Scanner};
use crate::codec::{Codec, ColumnSpec};
use crate::{DecodeError, EncodeError};

pub struct Json {
    columns: Vec<ColumnSpec>,
    fields: Fields,
    /// Set when the only column stands bare.
    bare: Option<Shape>,
}

impl Json {
    pub fn new(columns: Vec<ColumnSpec>, wrapped: bool) -> Json {
        let fields = Fields::new(columns.iter().map(|column| (column.name.as_str(), &column.sql_type, column.wanted)));
        let bare = match columns.as_slice() {
            [only] if !wrapped => Some(Shape::of(&only.sql_type)),
            _ => None,
        };
        Json { columns, fields, bare }
    }
}

impl Codec for Json {
    fn decode(&self, bytes: &[u8]) -> Result<Option<Vec<Value>>, DecodeError> {
        let mut scanner = Scanner::new(bytes)?;
        if scanner.kind()? == Kind::Null {
            scanner.null()?;
            return Ok(None);
        }
        match &self.bare {
            Some(shape) => decode::value(&mut scanner, shape, &Path::Root).map(|value| Some(vec![value])),
            None => decode::object(&mut scanner, &self.fields, &Path::Root).map(Some),
        }
    }

    fn encode(&self, row: &[Value]) -> Result<Option<Bytes>, EncodeError> {
        let mut out = String::with_capacity(32 * row.len());
        match (&self.bare, row, self.columns.as_slice()) {
            (Some(_), [Value::Null], _) => return Ok(None),
            (Some(_), [only], [column]) => write_json(&mut out, only, &column.sql_type),
            _ => {
                let fields = self.columns.iter().zip(row);
                encode::write_object(&mut out, fields.map(|(column, value)| (column.name.as_str(), value, &column.sql_type)));
            }
        }
        Ok(Some(Bytes::from(out)))
    }
}
