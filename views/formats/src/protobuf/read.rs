//! Fields to values.

use bytes::Bytes;
use millrace_sql::cast::calendar::{Civil, days_of};
use millrace_sql::decimal::Decimal;
use millrace_sql::types::SqlType;
use millrace_sql::value::Value;

use super::Nullable;
use super::wire::{Part, read_fixed64, read_part, read_varint};
use super::write::{is_packed, is_scalar};
use crate::DecodeError;

const WRONG: DecodeError = DecodeError::Protobuf("a field has another wire type than its column");

/// All fields of a message, tagged from 1; of a repeated single field the last counts.
pub fn message<'a>(
    mut bytes: &[u8],
    types: impl Iterator<Item = &'a SqlType>,
    nullable: Nullable,
) -> Result<Vec<Value>, DecodeError> {
    let types: Vec<&SqlType> = types.collect();
    let mut parts: Vec<Vec<Part<'_>>> = vec![Vec::new(); types.len()];
    while !bytes.is_empty() {
        let (number, part) = read_part(&mut bytes)?;
        let at = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        if let Some(parts) = at.and_then(|at| parts.get_mut(at)) {
            parts.push(part);
        }
    }
    parts.iter().zip(types).map(|(parts, sql_type)| field(parts, sql_type, nullable)).collect()
}

fn field(parts: &[Part<'_>], sql_type: &SqlType, nullable: Nullable) -> Result<Value, DecodeError> {
    match sql_type {
        SqlType::Array(element) => {
            let mut values = Vec::new();
            for part in parts {
                match part {
                    Part::Bytes(packed) if is_packed(element) => unpack(packed, element, &mut values)?,
                    part => values.push(item(*part, element)?),
                }
            }
            Ok(Value::array(values))
        }
        SqlType::Map(key_type, value_type) => {
            let mut entries = Vec::new();
            for part in parts {
                let Part::Bytes(entry) = part else { return Err(WRONG) };
                let mut entry = message(entry, [&**key_type, &**value_type].into_iter(), Nullable::No)?.into_iter();
                if let (Some(key), Some(value)) = (entry.next(), entry.next()) {
                    entries.push((key, value));
                }
            }
            Ok(Value::map(entries))
        }
        scalar if is_scalar(scalar) => match (parts.last(), nullable) {
            (None, Nullable::No) => Ok(default(scalar)),
            (None, _) => Ok(Value::Null),
            (Some(Part::Bytes(wrapper)), Nullable::Wrapper) => {
                Ok(message(wrapper, std::iter::once(scalar), Nullable::No)?.pop().unwrap_or_default())
            }
            (Some(part), _) => item(*part, scalar),
        },
        other => parts.last().map_or(Ok(Value::Null), |part| item(*part, other)),
    }
}

fn default(sql_type: &SqlType) -> Value {
    match sql_type {
        SqlType::Boolean => Value::Boolean(false),
        SqlType::Integer => Value::Int(0),
        SqlType::BigInt => Value::BigInt(0),
        SqlType::Double => Value::Double(0.0),
        SqlType::String => Value::from(""),
        SqlType::Bytes => Value::Bytes(Bytes::new()),
        _ => Value::Null,
    }
}

fn unpack(mut bytes: &[u8], element: &SqlType, values: &mut Vec<Value>) -> Result<(), DecodeError> {
    while !bytes.is_empty() {
        let part = match element {
            SqlType::Double => Part::Fixed64(read_fixed64(&mut bytes)?),
            _ => Part::Varint(read_varint(&mut bytes)?),
        };
        values.push(item(part, element)?);
    }
    Ok(())
}

fn item(part: Part<'_>, sql_type: &SqlType) -> Result<Value, DecodeError> {
    Ok(match (part, sql_type) {
        (Part::Varint(number), SqlType::Boolean) => Value::Boolean(number != 0),
        #[expect(clippy::cast_possible_truncation, reason = "an int32 on the wire is a varint of 64 bits")]
        (Part::Varint(number), SqlType::Integer) => Value::Int(number as i32),
        (Part::Varint(number), SqlType::BigInt) => Value::BigInt(number.cast_signed()),
        (Part::Fixed64(bits), SqlType::Double) => Value::Double(f64::from_bits(bits)),
        (Part::Bytes(bytes), SqlType::String) => {
            Value::string(std::str::from_utf8(bytes).map_err(|_| DecodeError::Utf8)?)
        }
        (Part::Bytes(bytes), SqlType::Bytes) => Value::bytes(bytes.to_vec()),
        (Part::Bytes(bytes), SqlType::Struct(fields)) => {
            Value::structure(message(bytes, fields.iter().map(|field| &field.sql_type), Nullable::No)?)
        }
        (Part::Bytes(bytes), SqlType::Array(_) | SqlType::Map(..)) => {
            message(bytes, std::iter::once(sql_type), Nullable::No)?.pop().unwrap_or_default()
        }
        (Part::Bytes(bytes), SqlType::Decimal { precision, scale }) => {
            let fields = message(bytes, [SqlType::Bytes, SqlType::Integer, SqlType::Integer].iter(), Nullable::No)?;
            let (Some(Value::Bytes(unscaled)), Some(Value::Int(own))) = (fields.first(), fields.get(2)) else { return Err(WRONG) };
            let decimal = Decimal::from_unscaled_bytes(unscaled, *own);
            Value::Decimal(decimal.fit(*precision, *scale).map_err(|_| DecodeError::Protobuf("a decimal does not fit its column"))?)
        }
        (Part::Bytes(bytes), SqlType::Date) => {
            let [year, month, day, _] = numbers(bytes)?;
            let civil = Civil { year, month: small(month)?, day: small(day)? };
            Value::Date(i32::try_from(days_of(civil)).map_err(|_| WRONG)?)
        }
        (Part::Bytes(bytes), SqlType::Time) => {
            let [hours, minutes, seconds, nanos] = numbers(bytes)?;
            let ms = hours
                .checked_mul(60)
                .and_then(|all| all.checked_add(minutes)?.checked_mul(60)?.checked_add(seconds)?.checked_mul(1000))
                .and_then(|all| all.checked_add(nanos / 1_000_000));
            Value::Time(ms.and_then(|ms| i32::try_from(ms).ok()).ok_or(WRONG)?)
        }
        (Part::Bytes(bytes), SqlType::Timestamp) => {
            let [seconds, nanos, ..] = numbers(bytes)?;
            let ms = seconds.checked_mul(1000).and_then(|ms| ms.checked_add(nanos / 1_000_000));
            Value::Timestamp(ms.ok_or(WRONG)?)
        }
        _ => return Err(WRONG),
    })
}

/// The first four fields of a message of whole numbers.
fn numbers(bytes: &[u8]) -> Result<[i64; 4], DecodeError> {
    let types = [SqlType::BigInt, SqlType::BigInt, SqlType::BigInt, SqlType::BigInt];
    let values = message(bytes, types.iter(), Nullable::No)?;
    let at = |at: usize| values.get(at).and_then(Value::as_i64).unwrap_or(0);
    Ok([at(0), at(1), at(2), at(3)])
}

fn small(number: i64) -> Result<u32, DecodeError> {
    u32::try_from(number).ok().filter(|number| *number <= 31).ok_or(WRONG)
}
