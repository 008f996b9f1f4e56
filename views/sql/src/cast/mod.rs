//! Conversions between types, and Java's text forms of values.
//!
//! [`check`] says at compile time whether a CAST exists, [`cast`] does it; a value that the target cannot hold is
//! an error for that row. Absences: implicit coercion of literals lives in `expr::coerce`.

pub mod calendar;
mod java_text;
mod number_text;
mod time_text;

use std::sync::Arc;

pub use java_text::value_text;
pub use number_text::double_text;
pub use time_text::{date_text, parse_date, parse_time, parse_timestamp, time_text, timestamp_text};

use crate::cast::calendar::MILLIS_PER_DAY;
use crate::decimal::{Decimal, Rounding};
use crate::expr::EvalError;
use crate::types::{BaseType, SqlType};
use crate::value::Value;

/// A conversion that SQL does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Cast of {from} to {to} is not supported")]
pub struct UnsupportedCast {
    pub from: SqlType,
    pub to: SqlType,
}

/// Whether a value of type `from` can be asked to become one of type `to`.
pub fn check(from: &SqlType, to: &SqlType) -> Result<(), UnsupportedCast> {
    use BaseType as T;
    let supported = match (from, to) {
        (from, to) if from == to => true,
        (SqlType::Array(a), SqlType::Array(b)) => check(a, b).is_ok(),
        (SqlType::Map(a, x), SqlType::Map(b, y)) => check(a, b).is_ok() && check(x, y).is_ok(),
        (SqlType::Struct(a), SqlType::Struct(b)) => a.iter().all(|field| {
            let target = b.iter().find(|target| target.name == field.name);
            target.is_none_or(|target| check(&field.sql_type, &target.sql_type).is_ok())
        }),
        _ => match (from.base(), to.base()) {
            (T::Bytes, T::String) => false,
            (_, T::String) => true,
            (a, b) if a.is_number() && b.is_number() => true,
            (T::String, b) => b.is_number() || b.is_time() || matches!(b, T::Boolean | T::Bytes),
            (T::Timestamp, T::Date | T::Time) | (T::Date, T::Timestamp) => true,
            _ => false,
        },
    };
    if supported { Ok(()) } else { Err(UnsupportedCast { from: from.clone(), to: to.clone() }) }
}

/// Converts a value of type `from` (already [`check`]ed) to type `to`.
pub fn cast(value: &Value, from: &SqlType, to: &SqlType) -> Result<Value, EvalError> {
    if value.is_null() || from == to {
        return Ok(value.clone());
    }
    Ok(match (value, to) {
        (_, SqlType::String) => Value::string(value_text(value, from)),
        (Value::String(text), _) => from_text(text, to)?,
        (_, SqlType::Integer) => Value::Int(match value {
            // Java's narrowing: a long loses its high bits, a double saturates.
            Value::Double(n) => *n as i32,
            Value::Decimal(n) => n.to_i64_wrapping() as i32,
            other => integer(other, to)? as i32,
        }),
        (_, SqlType::BigInt) => Value::BigInt(match value {
            Value::Double(n) => *n as i64,
            Value::Decimal(n) => n.to_i64_wrapping(),
            other => integer(other, to)?,
        }),
        (_, SqlType::Double) => Value::Double(match value {
            Value::Double(n) => *n,
            Value::Decimal(n) => n.to_f64(),
            other => integer(other, to)? as f64,
        }),
        (_, SqlType::Decimal { precision, scale }) => Value::Decimal(to_decimal(value, *precision, *scale)?),
        (Value::Timestamp(millis), SqlType::Date) => {
            Value::Date(i32::try_from(millis.div_euclid(MILLIS_PER_DAY)).map_err(|_| mismatch(value, to))?)
        }
        (Value::Timestamp(millis), SqlType::Time) => Value::Time(millis.rem_euclid(MILLIS_PER_DAY) as i32),
        (Value::Date(days), SqlType::Timestamp) => Value::Timestamp(i64::from(*days) * MILLIS_PER_DAY),
        (Value::Array(values), SqlType::Array(target)) => {
            let SqlType::Array(element) = from else { return Err(mismatch(value, to)) };
            let converted: Result<Arc<[Value]>, _> = values.iter().map(|item| cast(item, element, target)).collect();
            Value::Array(converted?)
        }
        (Value::Map(map), SqlType::Map(to_key, to_value)) => {
            let SqlType::Map(from_key, from_value) = from else { return Err(mismatch(value, to)) };
            let converted: Result<Vec<_>, EvalError> =
                map.iter().map(|(k, v)| Ok((cast(k, from_key, to_key)?, cast(v, from_value, to_value)?))).collect();
            Value::map(converted?)
        }
        (Value::Struct(values), SqlType::Struct(targets)) => {
            let sources = from.fields();
            let converted: Result<Arc<[Value]>, EvalError> = targets
                .iter()
                .map(|target| match sources.iter().position(|source| source.name == target.name) {
                    Some(at) => cast(values.get(at).unwrap_or(&Value::Null), &sources[at].sql_type, &target.sql_type),
                    None => Ok(Value::Null),
                })
                .collect();
            Value::Struct(converted?)
        }
        _ => return Err(mismatch(value, to)),
    })
}

fn mismatch(value: &Value, to: &SqlType) -> EvalError {
    EvalError::new(format!("{value:?} cannot become {to}"))
}

fn integer(value: &Value, to: &SqlType) -> Result<i64, EvalError> {
    match value {
        Value::Int(n) => Ok(i64::from(*n)),
        Value::BigInt(n) => Ok(*n),
        _ => Err(mismatch(value, to)),
    }
}

/// Any number, or a number's text, as `DECIMAL(precision, scale)`, rounded half up.
pub fn to_decimal(value: &Value, precision: u32, scale: u32) -> Result<Decimal, EvalError> {
    let unrounded = match value {
        Value::Int(n) => Decimal::from(*n),
        Value::BigInt(n) => Decimal::from(*n),
        Value::Decimal(n) => n.clone(),
        Value::Double(n) => {
            Decimal::from_f64_exact(*n).map_err(|e| EvalError::new(e.to_string()))?.round_to_precision(precision)
        }
        Value::String(text) => text.trim().parse().map_err(|e| EvalError::new(format!("{e}")))?,
        _ => return Err(EvalError::new(format!("{value:?} is not a number"))),
    };
    let fitted = unrounded.cast_to(precision, scale).map_err(|e| EvalError::new(e.to_string()))?;
    debug_assert_eq!(fitted.rescale(scale as i32, Rounding::Down), fitted);
    Ok(fitted)
}

fn from_text(text: &str, to: &SqlType) -> Result<Value, EvalError> {
    let bad = |what: &str| {
        let shown: String = text.chars().take(64).collect();
        EvalError::new(format!("'{shown}' is not {what}"))
    };
    Ok(match to {
        SqlType::Boolean => Value::Boolean(parse_boolean(text.trim())),
        SqlType::Integer => Value::Int(text.trim().parse().map_err(|_| bad("an INTEGER"))?),
        SqlType::BigInt => Value::BigInt(text.trim().parse().map_err(|_| bad("a BIGINT"))?),
        SqlType::Double => Value::Double(parse_double(text.trim()).ok_or_else(|| bad("a DOUBLE"))?),
        SqlType::Decimal { precision, scale } => Value::Decimal(to_decimal(&Value::string(text), *precision, *scale)?),
        SqlType::Time => Value::Time(parse_time(text.trim())?),
        SqlType::Date => Value::Date(parse_date(text.trim())?),
        SqlType::Timestamp => Value::Timestamp(parse_timestamp(text.trim())?),
        SqlType::Bytes => Value::bytes(from_base64(text).ok_or_else(|| bad("base64"))?),
        _ => return Err(mismatch(&Value::string(text), to)),
    })
}

/// Any prefix of `true` or `yes`, in any case.
pub fn parse_boolean(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    !lower.is_empty() && ("true".starts_with(&lower) || "yes".starts_with(&lower))
}

/// Like [`parse_boolean`], but only what is a prefix of a yes or a no.
pub fn parse_boolean_exact(text: &str) -> Option<bool> {
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    match lower.is_empty() {
        false if parse_boolean(text) => Some(true),
        false if "false".starts_with(&lower) || "no".starts_with(&lower) => Some(false),
        _ => None,
    }
}

/// Java's `Double.parseDouble` without hexadecimal and without a type's letter behind: digits, `NaN`, `Infinity`.
pub fn parse_double(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match unsigned {
        "NaN" => return Some(f64::NAN),
        "Infinity" => return Some(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY }),
        _ => {}
    }
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    if plain { text.parse().ok() } else { None }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Standard base64 with padding.
pub fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let shown = digit <= chunk.len();
            text.push(if shown { char::from(ALPHABET[(word >> (18 - 6 * digit)) as usize & 63]) } else { '=' });
        }
    }
    text
}

/// Standard base64, padding optional as in Java's decoder.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    if padding > 0 && (padding > 2 || !text.len().is_multiple_of(4)) || digits.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    for chunk in digits.as_bytes().chunks(4) {
        let mut word = 0u32;
        for digit in chunk {
            word = word << 6 | ALPHABET.iter().position(|known| known == digit)? as u32;
        }
        word <<= 6 * (4 - chunk.len());
        bytes.extend_from_slice(&word.to_be_bytes()[1..chunk.len()]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
