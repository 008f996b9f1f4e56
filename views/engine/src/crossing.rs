//! Changes on their way between two stages: records of a repartition topic.
//!
//! The record's key is the key that rows move by, in the format of the topics that the stage behind reads beside them (or one of
//! our own): it decides the partition and is not read back. Headers are those of the record that caused it.
//! Value: version (1 byte), flags (1), time (8), window (2 x 8, if any), then key, new row and old row, each (if any) with its
//! length (4) before it.

use std::sync::Arc;

use bytes::Bytes;
use millrace_formats::{Codec, EncodeError};

use crate::record::{Header, InputRecord, OutputRecord};
use crate::row::{Change, Row, Window};
use crate::state::{CorruptRow, KeyBuilder, decode_values, encode_values, split_time};

const VERSION: u8 = 1;
const WINDOW: u8 = 1;
const NEW: u8 = 2;
const OLD: u8 = 4;
const KEY: u8 = 8;

/// `meets` writes keys as those that rows must come to are written.
pub fn encode(change: &Change, meets: Option<&dyn Codec>, headers: &Arc<[Header]>) -> Result<OutputRecord, EncodeError> {
    let routed = match (&change.key, meets) {
        (Some(key), Some(codec)) => codec.encode(key)?,
        (Some(key), None) => Some(Bytes::from(encode_values(key))),
        (None, _) => None,
    };
    let flag = |flag: u8, there: bool| if there { flag } else { 0 };
    let flags = flag(WINDOW, change.window.is_some()) | flag(NEW, change.new.is_some()) | flag(OLD, change.old.is_some()) | flag(KEY, change.key.is_some());
    let mut value = KeyBuilder::new().bytes(&[VERSION, flags]).time(change.timestamp);
    if let Some(window) = change.window {
        value = value.time(window.start).time(window.end);
    }
    for values in [&change.key, &change.new, &change.old].into_iter().flatten() {
        let bytes = encode_values(values);
        value = value.bytes(&(bytes.len() as u32).to_be_bytes()).bytes(&bytes);
    }
    let value = Some(Bytes::from(value.build()));
    Ok(OutputRecord { key: routed, window_bytes: 0, value, timestamp: change.timestamp, headers: Arc::clone(headers) })
}

fn part(present: bool, bytes: &[u8]) -> Result<(Option<Row>, &[u8]), CorruptRow> {
    if !present {
        return Ok((None, bytes));
    }
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or(CorruptRow("a change ends before its row"))?;
    let row = rest.split_at_checked(u32::from_be_bytes(*length) as usize);
    let (row, rest) = row.ok_or(CorruptRow("a change ends inside its row"))?;
    Ok((Some(Row::from(decode_values(row)?)), rest))
}

pub fn decode(record: &InputRecord) -> Result<Change, CorruptRow> {
    let bytes: &[u8] = record.value.as_deref().unwrap_or_default();
    let [VERSION, flags, rest @ ..] = bytes else {
        return Err(CorruptRow("a record of a repartition topic is not of a known version"));
    };
    let (timestamp, mut rest) = split_time(rest)?;
    let mut window = None;
    if flags & WINDOW != 0 {
        let (start, after) = split_time(rest)?;
        let (end, after) = split_time(after)?;
        (window, rest) = (Some(Window { start, end }), after);
    }
    let (key, rest) = part(flags & KEY != 0, rest)?;
    let (new, rest) = part(flags & NEW != 0, rest)?;
    let (old, _) = part(flags & OLD != 0, rest)?;
    Ok(Change { key, window, new, old, timestamp })
}

#[cfg(test)]
mod tests {
    use millrace_sql::value::Value;
    use proptest::prelude::*;

    use super::*;

    fn row() -> impl Strategy<Value = Option<Row>> {
        let value = prop_oneof![Just(Value::Null), any::<i32>().prop_map(Value::Int), "[a-z\0]{0,5}".prop_map(Value::string)];
        prop::option::of(prop::collection::vec(value, 0..4).prop_map(Row::from))
    }

    proptest! {
        #[test]
        fn a_change_comes_out_as_it_went_in(
            key in row(), new in row(), old in row(), timestamp: i64, window in prop::option::of(any::<(i64, i64)>()), cut in 0..60usize,
        ) {
            let window = window.map(|(start, end)| Window { start, end });
            let change = Change { key, window, new, old, timestamp };
            let written = encode(&change, None, &Arc::from([])).unwrap();
            let record = |value: Option<Bytes>| InputRecord {
                topic: Arc::from("t"), partition: 0, offset: 0, timestamp: 0, key: written.key.clone(), value, headers: Arc::from([]),
            };
            prop_assert_eq!(decode(&record(written.value.clone())).unwrap(), change);
            // Whatever is left of a damaged record, reading it ends.
            let torn = written.value.as_ref().map(|value| value.slice(..cut.min(value.len())));
            let _ = decode(&record(torn));
        }
    }
}
