//! KAFKA: one column in the form of Kafka's own serializers.
//!
//! Invariant: a null column is Kafka's null.

use bytes::Bytes;
use millrace_sql::plan::Format;
use millrace_sql::types::SqlType;
use millrace_sql::value::Value;

use crate::codec::{Codec, ColumnSpec};
use crate::{DecodeError, EncodeError, UnsupportedFormat};

pub struct Kafka {
    column: Option<SqlType>,
}

impl Kafka {
    pub fn new(columns: Vec<ColumnSpec>) -> Result<Kafka, UnsupportedFormat> {
        if columns.len() > 1 {
            return Err(UnsupportedFormat::SingleColumn { format: Format::Kafka, columns: columns.len() });
        }
        let column = columns.into_iter().next().map(|column| column.sql_type);
        match &column {
            None | Some(SqlType::Integer | SqlType::BigInt | SqlType::Double | SqlType::String | SqlType::Bytes) => {
                Ok(Kafka { column })
            }
            Some(other) => {
                Err(UnsupportedFormat::Type { format: Format::Kafka, sql_type: other.base().to_string() })
            }
        }
    }
}

fn fixed<const N: usize>(bytes: &[u8], reader: &'static str) -> Result<[u8; N], DecodeError> {
    bytes.try_into().map_err(|_| DecodeError::Size { reader, wanted: N, found: bytes.len() })
}

impl Codec for Kafka {
    fn decode(&self, bytes: &[u8]) -> Result<Option<Vec<Value>>, DecodeError> {
        let value = match &self.column {
            None => return Ok(Some(Vec::new())),
            Some(SqlType::Integer) => Value::Int(i32::from_be_bytes(fixed(bytes, "IntegerDeserializer")?)),
            Some(SqlType::BigInt) => Value::BigInt(i64::from_be_bytes(fixed(bytes, "LongDeserializer")?)),
            Some(SqlType::Double) => Value::Double(f64::from_be_bytes(fixed(bytes, "DoubleDeserializer")?)),
            Some(SqlType::Bytes) => Value::Bytes(Bytes::copy_from_slice(bytes)),
            // Java replaces what is not UTF-8; so do we.
            Some(_) => match std::str::from_utf8(bytes) {
                Ok(text) => Value::string(text),
                Err(_) => Value::string(&*String::from_utf8_lossy(bytes)),
            },
        };
        Ok(Some(vec![value]))
    }

    fn encode(&self, row: &[Value]) -> Result<Option<Bytes>, EncodeError> {
        Ok(match row {
            [] | [Value::Null] => None,
            [Value::Int(n)] => Some(Bytes::copy_from_slice(&n.to_be_bytes())),
            [Value::BigInt(n)] => Some(Bytes::copy_from_slice(&n.to_be_bytes())),
            [Value::Double(n)] => Some(Bytes::copy_from_slice(&n.to_be_bytes())),
            [Value::String(text)] => Some(Bytes::copy_from_slice(text.as_bytes())),
            [Value::Bytes(bytes)] => Some(bytes.clone()),
            other => return Err(EncodeError::Unsupported { format: Format::Kafka, what: format!("{other:?}") }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kafka(sql_type: SqlType) -> Kafka {
        Kafka::new(vec![ColumnSpec::new("K", sql_type)]).unwrap()
    }

    #[test]
    fn round_trips() {
        for (sql_type, value, bytes) in [
            (SqlType::Integer, Value::Int(-2), vec![0xff, 0xff, 0xff, 0xfe]),
            (SqlType::BigInt, Value::BigInt(1), vec![0, 0, 0, 0, 0, 0, 0, 1]),
            (SqlType::Double, Value::Double(1.0), vec![0x3f, 0xf0, 0, 0, 0, 0, 0, 0]),
            (SqlType::String, Value::from("é"), "é".as_bytes().to_vec()),
        ] {
            let codec = kafka(sql_type);
            assert_eq!(codec.encode(std::slice::from_ref(&value)).unwrap().unwrap(), bytes);
            assert_eq!(codec.decode(&bytes).unwrap().unwrap(), [value]);
        }
    }

    #[test]
    fn a_wrong_size_is_refused() {
        assert!(kafka(SqlType::Integer).decode(&[0; 8]).is_err());
        assert!(Kafka::new(vec![ColumnSpec::new("K", SqlType::Boolean)]).is_err());
    }

    #[test]
    fn null_is_null() {
        assert_eq!(kafka(SqlType::BigInt).encode(&[Value::Null]).unwrap(), None);
    }
}
