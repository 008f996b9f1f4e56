//! Values to fields.

use millrace_sql::cast::calendar::civil_of;
use millrace_sql::types::SqlType;
use millrace_sql::value::Value;

use super::Nullable;
use super::wire::{FIXED64, LENGTH, VARINT, write_bytes, write_number, write_tag, write_varint};

/// All fields of a message, tagged from 1.
pub fn message<'a>(out: &mut Vec<u8>, row: &[Value], types: impl Iterator<Item = &'a SqlType>, nullable: Nullable) {
    for ((number, value), sql_type) in (1..).zip(row).zip(types) {
        field(out, number, value, sql_type, nullable);
    }
}

fn field(out: &mut Vec<u8>, number: u64, value: &Value, sql_type: &SqlType, nullable: Nullable) {
    match (value, sql_type) {
        (Value::Null, _) => {}
        (Value::Array(values), SqlType::Array(element)) if is_packed(element) => {
            let mut packed = Vec::new();
            values.iter().for_each(|value| bare(&mut packed, value));
            if !packed.is_empty() {
                write_bytes(out, number, &packed);
            }
        }
        (Value::Array(values), SqlType::Array(element)) => values.iter().for_each(|value| item(out, number, value, element)),
        (Value::Map(entries), SqlType::Map(key_type, value_type)) => {
            for (key, value) in entries.iter() {
                let mut entry = Vec::new();
                field(&mut entry, 1, key, key_type, Nullable::No);
                field(&mut entry, 2, value, value_type, Nullable::No);
                write_bytes(out, number, &entry);
            }
        }
        (value, sql_type) if is_scalar(sql_type) => match nullable {
            Nullable::No if is_default(value) => {}
            Nullable::No | Nullable::Optional => scalar(out, number, value),
            Nullable::Wrapper => {
                let mut wrapper = Vec::new();
                if !is_default(value) {
                    scalar(&mut wrapper, 1, value);
                }
                write_bytes(out, number, &wrapper);
            }
        },
        (value, sql_type) => item(out, number, value, sql_type),
    }
}

/// One element of a repeated field, or a field that is a message: always written.
fn item(out: &mut Vec<u8>, number: u64, value: &Value, sql_type: &SqlType) {
    let mut part = Vec::new();
    match (value, sql_type) {
        (Value::Decimal(decimal), SqlType::Decimal { precision, scale }) => {
            write_bytes(&mut part, 1, &decimal.unscaled_bytes());
            write_number(&mut part, 2, i64::from(*precision));
            write_number(&mut part, 3, i64::from(*scale));
        }
        (Value::Date(days), _) => {
            let civil = civil_of(i64::from(*days));
            write_number(&mut part, 1, civil.year);
            write_number(&mut part, 2, i64::from(civil.month));
            write_number(&mut part, 3, i64::from(civil.day));
        }
        (Value::Time(ms), _) => {
            let (seconds, ms) = (i64::from(*ms / 1000), i64::from(*ms % 1000));
            write_number(&mut part, 1, seconds / 3600);
            write_number(&mut part, 2, seconds / 60 % 60);
            write_number(&mut part, 3, seconds % 60);
            write_number(&mut part, 4, ms * 1_000_000);
        }
        (Value::Timestamp(ms), _) => {
            write_number(&mut part, 1, ms.div_euclid(1000));
            write_number(&mut part, 2, ms.rem_euclid(1000) * 1_000_000);
        }
        (Value::Struct(values), SqlType::Struct(fields)) => {
            message(&mut part, values, fields.iter().map(|field| &field.sql_type), Nullable::No);
        }
        // A list in a list has no field of its own: it stands in a message of one.
        (Value::Array(_) | Value::Map(_), _) => field(&mut part, 1, value, sql_type, Nullable::No),
        (scalar_value, _) => return scalar(out, number, scalar_value),
    }
    write_bytes(out, number, &part);
}

pub fn is_scalar(sql_type: &SqlType) -> bool {
    is_packed(sql_type) || matches!(sql_type, SqlType::String | SqlType::Bytes)
}

/// Whether a list of these is one run of bytes.
pub fn is_packed(sql_type: &SqlType) -> bool {
    matches!(sql_type, SqlType::Boolean | SqlType::Integer | SqlType::BigInt | SqlType::Double)
}

fn is_default(value: &Value) -> bool {
    match value {
        Value::Boolean(flag) => !flag,
        Value::Int(number) => *number == 0,
        Value::BigInt(number) => *number == 0,
        Value::Double(number) => number.to_bits() == 0,
        Value::String(text) => text.is_empty(),
        Value::Bytes(bytes) => bytes.is_empty(),
        _ => false,
    }
}

fn scalar(out: &mut Vec<u8>, number: u64, value: &Value) {
    match value {
        Value::String(text) => write_bytes(out, number, text.as_bytes()),
        Value::Bytes(bytes) => write_bytes(out, number, bytes),
        // A null inside a list has no form: it becomes the empty text or the zero that readers take for a default.
        Value::Null => write_bytes(out, number, &[]),
        other => {
            let wire_type = if matches!(other, Value::Double(_)) { FIXED64 } else { VARINT };
            debug_assert!(wire_type != LENGTH);
            write_tag(out, number, wire_type);
            bare(out, other);
        }
    }
}

/// A number or boolean without its tag.
fn bare(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Boolean(flag) => write_varint(out, u64::from(*flag)),
        Value::Double(number) => out.extend_from_slice(&number.to_bits().to_le_bytes()),
        other => write_varint(out, other.as_i64().unwrap_or(0).cast_unsigned()),
    }
}
