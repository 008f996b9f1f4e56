//! A row at rest as bytes, for stores that keep bytes: the event time, then the values as keys write them.

use std::sync::Arc;

use millrace_sql::value::Value;

use crate::state::key::{decode_values, encode_values, put_time, put_values, split_time};
use crate::state::{Cut, InputId, Stored};

/// State that no version of this program wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CorruptRow(pub &'static str);

pub fn encode_row(stored: &Stored) -> Vec<u8> {
    let mut out = Vec::with_capacity(48);
    put_row(&mut out, stored);
    out
}

/// The same, behind what is there already.
pub fn put_row(out: &mut Vec<u8>, stored: &Stored) {
    put_time(out, stored.timestamp);
    put_values(out, &stored.row);
}

pub fn decode_row(bytes: &[u8]) -> Result<Stored, CorruptRow> {
    let (timestamp, rest) = split_time(bytes)?;
    Ok(Stored { row: Arc::from(decode_values(rest)?), timestamp })
}

/// A cut as a flat list of topic, partition and offset.
pub fn encode_cut(cut: &Cut) -> Vec<u8> {
    let flat = cut.iter().flat_map(|(input, next)| {
        [Value::String(Arc::clone(&input.topic)), Value::Int(input.partition), Value::BigInt(next)]
    });
    encode_values(&flat.collect::<Vec<_>>())
}

pub fn decode_cut(bytes: &[u8]) -> Result<Cut, CorruptRow> {
    let flat = decode_values(bytes)?;
    let mut cut = Cut::default();
    for position in flat.chunks(3) {
        let [Value::String(topic), Value::Int(partition), Value::BigInt(next)] = position else {
            return Err(CorruptRow("a cut is not a list of topic, partition and offset"));
        };
        cut.advance(&InputId::new(Arc::clone(topic), *partition), *next);
    }
    Ok(cut)
}

/// About how much memory a value takes beside its own slot: an estimate for budgets.
pub fn value_bytes(value: &Value) -> usize {
    const SLOT: usize = std::mem::size_of::<Value>();
    SLOT + match value {
        Value::String(text) => text.len() + 16,
        Value::Bytes(bytes) => bytes.len() + 16,
        Value::Array(items) | Value::Struct(items) => items.iter().map(value_bytes).sum::<usize>() + 16,
        Value::Map(entries) => entries.iter().map(|(key, value)| value_bytes(key) + value_bytes(value)).sum::<usize>() + 16,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use millrace_sql::value::Value;

    use super::*;

    #[test]
    fn cuts_round_trip() {
        let mut cut = Cut::default();
        assert_eq!(decode_cut(&encode_cut(&cut)).unwrap(), cut);
        cut.advance(&InputId::new("a", 3), 9);
        cut.advance(&InputId::new("b", 0), i64::MAX);
        assert_eq!(decode_cut(&encode_cut(&cut)).unwrap(), cut);
        assert!(decode_cut(&encode_values(&[Value::Null])).is_err());
    }

    #[test]
    fn round_trips() {
        let row: Vec<Value> = vec![Value::Null, "x".into(), Value::array([Value::Int(-1)]), Value::map([("k".into(), Value::Null)])];
        let stored = Stored { row: row.into(), timestamp: -7 };
        assert_eq!(decode_row(&encode_row(&stored)).unwrap(), stored);
        assert!(decode_row(b"short").is_err());
    }
}
