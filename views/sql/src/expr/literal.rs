//! Coercion of literal values to the type that their place asks for: INSERT VALUES, IN lists, constructors.

use crate::cast;
use crate::types::SqlType;
use crate::value::Value;

/// The value as one of type `to`, or nothing when a literal of type `from` may not stand for it.
///
/// Numbers widen, texts become numbers, booleans, times and bytes, and everything simple becomes text; unlike a CAST,
/// nothing is truncated and no number is rounded.
pub fn coerce_literal(value: &Value, from: &SqlType, to: &SqlType) -> Option<Value> {
    if value.is_null() || from == to {
        return Some(value.clone());
    }
    match (value, to) {
        (Value::Int(_), SqlType::BigInt | SqlType::Double) | (Value::BigInt(_), SqlType::Double) => {
            cast::cast(value, from, to).ok()
        }
        (Value::Decimal(_), SqlType::Double) => cast::cast(value, from, to).ok(),
        (Value::BigInt(n), SqlType::Integer) => i32::try_from(*n).ok().map(Value::Int),
        (Value::Int(_) | Value::BigInt(_) | Value::Decimal(_), SqlType::Decimal { precision, scale }) => {
            let decimal = cast::to_decimal(value, *precision, *scale).ok()?;
            let same = super::arithmetic::as_decimal(value).ok()?.compare(&decimal).is_eq();
            same.then_some(Value::Decimal(decimal))
        }
        (Value::Double(_), SqlType::Decimal { precision, scale }) => {
            cast::to_decimal(value, *precision, *scale).ok().map(Value::Decimal)
        }
        (Value::Boolean(_) | Value::Int(_) | Value::BigInt(_) | Value::Double(_) | Value::Decimal(_), SqlType::String) => {
            cast::cast(value, from, to).ok()
        }
        (Value::String(text), SqlType::Boolean) => cast::parse_boolean_exact(text).map(Value::Boolean),
        (Value::String(text), SqlType::Integer | SqlType::BigInt | SqlType::Double | SqlType::Decimal { .. }) => {
            let number: crate::decimal::Decimal = text.trim().parse().ok()?;
            match to {
                SqlType::Double => Some(Value::Double(number.to_f64())),
                SqlType::Decimal { precision, scale } => number.fit(*precision, *scale).ok().map(Value::Decimal),
                _ => {
                    let whole = number.rescale_exact(0)?.to_string();
                    if *to == SqlType::Integer { whole.parse().ok().map(Value::Int) } else { whole.parse().ok().map(Value::BigInt) }
                }
            }
        }
        (Value::String(_), SqlType::Time | SqlType::Date | SqlType::Timestamp | SqlType::Bytes) => cast::cast(value, from, to).ok(),
        (Value::Array(values), SqlType::Array(target)) => {
            let SqlType::Array(source) = from else { return None };
            values.iter().map(|item| coerce_literal(item, source, target)).collect::<Option<_>>().map(Value::Array)
        }
        (Value::Map(map), SqlType::Map(to_key, to_value)) => {
            let SqlType::Map(from_key, from_value) = from else { return None };
            map.iter()
                .map(|(k, v)| Some((coerce_literal(k, from_key, to_key)?, coerce_literal(v, from_value, to_value)?)))
                .collect::<Option<Vec<_>>>()
                .map(Value::map)
        }
        (Value::Struct(values), SqlType::Struct(targets)) => {
            let sources = from.fields();
            // A field that the target does not have cannot be dropped silently.
            if sources.iter().any(|source| !targets.iter().any(|target| target.name == source.name)) {
                return None;
            }
            targets
                .iter()
                .map(|target| match sources.iter().position(|source| source.name == target.name) {
                    Some(at) => coerce_literal(values.get(at)?, &sources[at].sql_type, &target.sql_type),
                    None => Some(Value::Null),
                })
                .collect::<Option<_>>()
                .map(Value::Struct)
        }
        _ => None,
    }
}
