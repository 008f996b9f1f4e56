//! Typed values, and what they are in Rust.
use std::fmt;

use millrace_proto as proto;
use millrace_proto::value::Kind;

/// A value of a view's column.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// BOOLEAN
    Boolean(bool),
    /// INTEGER
    Integer(i32),
    /// BIGINT
    Bigint(i64),
    /// DOUBLE
    Double(f64),
    /// DECIMAL
    Decimal(Decimal),
    /// STRING
    String(String),
    /// BYTES
    Bytes(Vec<u8>),
    /// TIME: milliseconds of the day
    Time(i32),
    /// DATE: days since 1970-01-01
    Date(i32),
    /// TIMESTAMP: milliseconds since 1970-01-01T00:00Z
    Timestamp(i64),
    /// ARRAY
    Array(Vec<Value>),
    /// MAP, in the order of the node
    Map(Vec<(Value, Value)>),
    /// STRUCT, in the order of the type's fields
    Struct(Vec<Value>),
}

/// `unscaled` x 10^-`scale`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    /// Digits, with a leading minus if negative.
    pub unscaled: String,
    /// Digits behind the point.
    pub scale: i32,
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, digits) = match self.unscaled.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", self.unscaled.as_str()),
        };
        // A scale that no decimal has is shown as it is rather than as that many zeros.
        let Ok(scale) = usize::try_from(self.scale).map(|scale| scale.min(100)) else { return write!(f, "{sign}{digits}E{}", -i64::from(self.scale)) };
        if scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        let padded = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale);
        write!(f, "{sign}{whole}.{fraction}")
    }
}

impl Value {
    /// The type's name.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Boolean(_) => "BOOLEAN",
            Value::Integer(_) => "INTEGER",
            Value::Bigint(_) => "BIGINT",
            Value::Double(_) => "DOUBLE",
            Value::Decimal(_) => "DECIMAL",
            Value::String(_) => "STRING",
            Value::Bytes(_) => "BYTES",
            Value::Time(_) => "TIME",
            Value::Date(_) => "DATE",
            Value::Timestamp(_) => "TIMESTAMP",
            Value::Array(_) => "ARRAY",
            Value::Map(_) => "MAP",
            Value::Struct(_) => "STRUCT",
        }
    }

    pub(crate) fn of(value: proto::Value) -> Value {
        let all = |values: Vec<proto::Value>| values.into_iter().map(Value::of).collect();
        match value.kind {
            None => Value::Null,
            Some(Kind::Boolean(value)) => Value::Boolean(value),
            Some(Kind::Integer(value)) => Value::Integer(value),
            Some(Kind::Bigint(value)) => Value::Bigint(value),
            Some(Kind::Double(value)) => Value::Double(value),
            Some(Kind::Decimal(value)) => Value::Decimal(Decimal { unscaled: value.unscaled, scale: value.scale }),
            Some(Kind::String(value)) => Value::String(value),
            Some(Kind::Bytes(value)) => Value::Bytes(value),
            Some(Kind::Time(value)) => Value::Time(value),
            Some(Kind::Date(value)) => Value::Date(value),
            Some(Kind::Timestamp(value)) => Value::Timestamp(value),
            Some(Kind::Array(array)) => Value::Array(all(array.items)),
            Some(Kind::Struct(fields)) => Value::Struct(all(fields.fields)),
            Some(Kind::Map(map)) => {
                let side = |value: Option<proto::Value>| Value::of(value.unwrap_or_default());
                Value::Map(map.entries.into_iter().map(|entry| (side(entry.key), side(entry.value))).collect())
            }
        }
    }

    pub(crate) fn on_wire(self) -> proto::Value {
        let all = |values: Vec<Value>| values.into_iter().map(Value::on_wire).collect();
        let kind = match self {
            Value::Null => return proto::Value::default(),
            Value::Boolean(value) => Kind::Boolean(value),
            Value::Integer(value) => Kind::Integer(value),
            Value::Bigint(value) => Kind::Bigint(value),
            Value::Double(value) => Kind::Double(value),
            Value::Decimal(value) => Kind::Decimal(proto::Decimal { unscaled: value.unscaled, scale: value.scale }),
            Value::String(value) => Kind::String(value),
            Value::Bytes(value) => Kind::Bytes(value),
            Value::Time(value) => Kind::Time(value),
            Value::Date(value) => Kind::Date(value),
            Value::Timestamp(value) => Kind::Timestamp(value),
            Value::Array(items) => Kind::Array(proto::Array { items: all(items) }),
            Value::Struct(fields) => Kind::Struct(proto::Struct { fields: all(fields) }),
            Value::Map(entries) => {
                let entry = |(key, value): (Value, Value)| proto::map::Entry { key: Some(key.on_wire()), value: Some(value.on_wire()) };
                Kind::Map(proto::Map { entries: entries.into_iter().map(entry).collect() })
            }
        };
        proto::Value { kind: Some(kind) }
    }
}

/// The values of a view's key columns, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Key(pub Vec<Value>);

impl Key {
    pub(crate) fn on_wire(self) -> proto::Key {
        proto::Key { values: self.0.into_iter().map(Value::on_wire).collect() }
    }
}

impl From<Value> for Key {
    fn from(value: Value) -> Key {
        Key(vec![value])
    }
}

impl<V: Into<Value>, const N: usize> From<[V; N]> for Key {
    fn from(values: [V; N]) -> Key {
        Key(values.into_iter().map(Into::into).collect())
    }
}

impl From<Vec<Value>> for Key {
    fn from(values: Vec<Value>) -> Key {
        Key(values)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

/// What a value is read as: a number as one at least as wide, null as `None`.
pub trait FromValue: Sized {
    /// For errors.
    const WANTED: &'static str;
    /// Nothing if the value is of another type.
    fn from_value(value: &Value) -> Option<Self>;
}

macro_rules! values {
    ($($rust:ty => $into:expr, $wanted:literal, $($from:pat => $out:expr),+;)+) => {$(
        impl From<$rust> for Value {
            fn from(value: $rust) -> Value {
                $into(value)
            }
        }
        impl From<$rust> for Key {
            fn from(value: $rust) -> Key {
                Key(vec![value.into()])
            }
        }
        impl FromValue for $rust {
            const WANTED: &'static str = $wanted;
            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    $($from => Some($out),)+
                    _ => None,
                }
            }
        }
    )+};
}

values! {
    bool => Value::Boolean, "a BOOLEAN", Value::Boolean(value) => *value;
    i32 => Value::Integer, "an INTEGER", Value::Integer(value) | Value::Date(value) | Value::Time(value) => *value;
    i64 => Value::Bigint, "a BIGINT", Value::Bigint(value) | Value::Timestamp(value) => *value, Value::Integer(value) => i64::from(*value);
    f64 => Value::Double, "a DOUBLE", Value::Double(value) => *value, Value::Integer(value) => f64::from(*value);
    String => Value::String, "a STRING", Value::String(value) => value.clone();
    Decimal => Value::Decimal, "a DECIMAL", Value::Decimal(value) => value.clone();
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::String(text.to_owned())
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Key {
        Key(vec![text.into()])
    }
}

impl FromValue for Value {
    const WANTED: &'static str = "a value";
    fn from_value(value: &Value) -> Option<Self> {
        Some(value.clone())
    }
}

impl<T: FromValue> FromValue for Option<T> {
    const WANTED: &'static str = T::WANTED;
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    const WANTED: &'static str = "an ARRAY of it";
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Array(items) => items.iter().map(T::from_value).collect(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_out_and_come_back() {
        let nested = Value::Struct(vec![Value::Array(vec![1.into(), Value::Null]), Value::Map(vec![("a".into(), 2i64.into())])]);
        for value in [Value::Null, true.into(), 0.5.into(), Value::Bytes(vec![0, 255]), Value::Date(-3), nested] {
            assert_eq!(Value::of(value.clone().on_wire()), value);
        }
    }

    #[test]
    fn values_are_read_as_types_that_hold_them() {
        assert_eq!(i64::from_value(&Value::Integer(7)), Some(7));
        assert_eq!(i32::from_value(&Value::Bigint(7)), None);
        assert_eq!(Option::<String>::from_value(&Value::Null), Some(None));
        assert_eq!(String::from_value(&Value::Null), None);
        assert_eq!(Vec::<i32>::from_value(&Value::Array(vec![1.into(), 2.into()])), Some(vec![1, 2]));
    }

    #[test]
    fn decimals_print_with_their_point() {
        for (unscaled, scale, text) in [("1234", 2, "12.34"), ("-5", 3, "-0.005"), ("7", 0, "7"), ("7", -2, "7E2")] {
            assert_eq!(Decimal { unscaled: unscaled.into(), scale }.to_string(), text);
        }
    }
}
