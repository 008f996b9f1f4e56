//! A row at rest as bytes, for stores that keep bytes: the event time, then the values as keys write them.

use std::sync::Arc;

use crate::state::key::{decode_values, encode_values, split_time};
use crate::state::{KeyBuilder, Stored};

/// State that no version of this program wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CorruptRow(pub &'static str);

pub fn encode_row(stored: &Stored) -> Vec<u8> {
    KeyBuilder::new().time(stored.timestamp).bytes(&encode_values(&stored.row)).build()
}

pub fn decode_row(bytes: &[u8]) -> Result<Stored, CorruptRow> {
    let (timestamp, rest) = split_time(bytes)?;
    Ok(Stored { row: Arc::from(decode_values(rest)?), timestamp })
}

#[cfg(test)]
mod tests {
    use millrace_sql::value::Value;

    use super::*;

    #[test]
    fn round_trips() {
        let row: Vec<Value> = vec![Value::Null, "x".into(), Value::array([Value::Int(-1)]), Value::map([("k".into(), Value::Null)])];
        let stored = Stored { row: row.into(), timestamp: -7 };
        assert_eq!(decode_row(&encode_row(&stored)).unwrap(), stored);
        assert!(decode_row(b"short").is_err());
    }
}
