//! SPLIT and SPLIT_TO_MAP.

use super::call::{Call, Row, strict};
use crate::expr::EvalError;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Row] = &[
    Row {
        name: "split",
        category: "STRING",
        about: "The parts between occurrences of a delimiter; an empty delimiter splits every character.",
        overloads: &[
            strict("(string STRING, delimiter STRING) -> ARRAY<STRING>", split_text),
            strict("(bytes BYTES, delimiter BYTES) -> ARRAY<BYTES>", split_bytes),
        ],
    },
    Row {
        name: "split_to_map",
        category: "MAP",
        about: "Entries between one delimiter, each key and value parted by another; what is no entry is dropped.",
        overloads: &[strict(
            "(input STRING, entryDelimiter STRING, kvDelimiter STRING) -> MAP<STRING, STRING>",
            split_to_map,
        )],
    },
];

fn split_text(call: &Call<'_>) -> Result<Value, EvalError> {
    let (text, delimiter) = (call.str(0)?, call.str(1)?);
    call.context.check_result(text.len(), 0)?;
    if delimiter.is_empty() && !text.is_empty() {
        return Ok(Value::array(text.chars().map(|c| Value::string(c.to_string()))));
    }
    if text.is_empty() {
        return Ok(Value::array(["".into()]));
    }
    Ok(Value::array(text.split(delimiter).map(Value::from)))
}

fn split_bytes(call: &Call<'_>) -> Result<Value, EvalError> {
    let (bytes, delimiter) = (call.bytes(0)?, call.bytes(1)?);
    call.context.check_result(bytes.len(), 0)?;
    if delimiter.is_empty() && !bytes.is_empty() {
        return Ok(Value::array((0..bytes.len()).map(|at| Value::Bytes(bytes.slice(at..at + 1)))));
    }
    let (mut parts, mut start, mut at) = (Vec::new(), 0, 0);
    while !delimiter.is_empty() && at + delimiter.len() <= bytes.len() {
        if bytes[at..].starts_with(delimiter) {
            parts.push(Value::Bytes(bytes.slice(start..at)));
            at += delimiter.len();
            start = at;
        } else {
            at += 1;
        }
    }
    parts.push(Value::Bytes(bytes.slice(start..)));
    Ok(Value::array(parts))
}

fn split_to_map(call: &Call<'_>) -> Result<Value, EvalError> {
    let (text, entry_delimiter, kv_delimiter) = (call.str(0)?, call.str(1)?, call.str(2)?);
    if entry_delimiter.is_empty() || kv_delimiter.is_empty() || entry_delimiter == kv_delimiter {
        return Ok(Value::Null);
    }
    let entries = text.split(entry_delimiter).filter(|entry| !entry.is_empty()).filter_map(|entry| {
        let mut parts = entry.split(kv_delimiter);
        Some((parts.next()?.into(), parts.next()?.into()))
    });
    Ok(Value::map(entries))
}
