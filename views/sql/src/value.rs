//! Values of SQL expressions and columns.
//!
//! Invariants: cloning never copies more than a few words (text, bytes and collections are shared);
//! equality, order and hash agree and are total and deterministic, so that a value can be a key: doubles
//! order as Java's `Double.compare` (`-0.0 < 0.0`, one NaN above all), text by UTF-16 code unit as Java's
//! `compareTo`. A map is kept sorted by key, so that equal maps have equal bytes whatever built them.
//! Absences: a struct's field names live in its type only; SQL's three-valued comparison and coercions live
//! in `expr`, Java's text forms in `cast`.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;

use crate::decimal::Decimal;

/// One value; [`Value::Null`] belongs to every type.
#[derive(Clone, Debug, Default)]
pub enum Value {
    #[default]
    Null,
    Boolean(bool),
    Int(i32),
    BigInt(i64),
    Double(f64),
    Decimal(Decimal),
    String(Arc<str>),
    Bytes(Bytes),
    /// Milliseconds of the day.
    Time(i32),
    /// Days since 1970-01-01.
    Date(i32),
    /// Milliseconds since 1970-01-01T00:00Z.
    Timestamp(i64),
    Array(Arc<[Value]>),
    Map(MapValue),
    /// Values in the order of the type's fields.
    Struct(Arc<[Value]>),
}

/// A map, sorted by key, without duplicates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MapValue(Arc<[(Value, Value)]>);

impl MapValue {
    pub fn get(&self, key: &Value) -> Option<&Value> {
        let position = self
            .0
            .binary_search_by(|(candidate, _)| candidate.cmp(key))
            .ok()?;
        Some(&self.0[position].1)
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Value, &Value)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(Value, Value)> for MapValue {
    /// Later entries replace earlier ones with an equal key.
    fn from_iter<I: IntoIterator<Item = (Value, Value)>>(entries: I) -> Self {
        let mut sorted: Vec<(Value, Value)> = entries.into_iter().collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        let mut unique: Vec<(Value, Value)> = Vec::with_capacity(sorted.len());
        for entry in sorted {
            match unique.last_mut() {
                Some(last) if last.0 == entry.0 => *last = entry,
                _ => unique.push(entry),
            }
        }
        MapValue(unique.into())
    }
}

impl Value {
    pub fn string(text: impl Into<Arc<str>>) -> Value {
        Value::String(text.into())
    }

    pub fn bytes(bytes: impl Into<Bytes>) -> Value {
        Value::Bytes(bytes.into())
    }

    pub fn array(values: impl IntoIterator<Item = Value>) -> Value {
        Value::Array(values.into_iter().collect())
    }

    pub fn map(entries: impl IntoIterator<Item = (Value, Value)>) -> Value {
        Value::Map(entries.into_iter().collect())
    }

    pub fn structure(values: impl IntoIterator<Item = Value>) -> Value {
        Value::Struct(values.into_iter().collect())
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Boolean(flag) => Some(*flag),
            _ => None,
        }
    }

    /// An INTEGER, BIGINT or time value as a 64-bit integer.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Int(n) | Value::Time(n) | Value::Date(n) => Some(i64::from(*n)),
            Value::BigInt(n) | Value::Timestamp(n) => Some(*n),
            _ => None,
        }
    }

    /// Rough heap and inline size, for memory budgets.
    pub fn size_bytes(&self) -> usize {
        let own = size_of::<Value>();
        own + match self {
            Value::String(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Decimal(decimal) => decimal.heap_bytes(),
            Value::Array(values) | Value::Struct(values) => {
                values.iter().map(Value::size_bytes).sum()
            }
            Value::Map(map) => map
                .iter()
                .map(|(key, value)| key.size_bytes() + value.size_bytes())
                .sum(),
            _ => 0,
        }
    }

    /// Position of the variant: orders values of different types, which well-typed code never compares.
    fn rank(&self) -> u8 {
        match self {
            Value::Null => 0,
            Value::Boolean(_) => 1,
            Value::Int(_) => 2,
            Value::BigInt(_) => 3,
            Value::Double(_) => 4,
            Value::Decimal(_) => 5,
            Value::String(_) => 6,
            Value::Bytes(_) => 7,
            Value::Time(_) => 8,
            Value::Date(_) => 9,
            Value::Timestamp(_) => 10,
            Value::Array(_) => 11,
            Value::Map(_) => 12,
            Value::Struct(_) => 13,
        }
    }
}

/// Java's `Double.compare`: total, `-0.0 < 0.0`, every NaN equal and greatest.
pub fn compare_doubles(a: f64, b: f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => a.total_cmp(&b),
    }
}

/// Java's `String.compareTo`: by UTF-16 code unit, which differs from code-point order above the BMP.
pub fn compare_strings(a: &str, b: &str) -> Ordering {
    // UTF-8 order is code-point order; it can differ from UTF-16 only where a supplementary character
    // (4 bytes, lead >= 0xF0) meets U+E000..U+FFFF (lead 0xEE or 0xEF).
    match a.bytes().zip(b.bytes()).position(|(x, y)| x != y) {
        None => a.len().cmp(&b.len()),
        Some(at) => {
            let (x, y) = (a.as_bytes()[at], b.as_bytes()[at]);
            match (x >= 0xF0, y >= 0xF0) {
                (true, false) if y >= 0xEE => Ordering::Less,
                (false, true) if x >= 0xEE => Ordering::Greater,
                _ => x.cmp(&y),
            }
        }
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Value::Null, Value::Null) => Ordering::Equal,
            (Value::Boolean(a), Value::Boolean(b)) => a.cmp(b),
            (Value::Int(a), Value::Int(b))
            | (Value::Time(a), Value::Time(b))
            | (Value::Date(a), Value::Date(b)) => a.cmp(b),
            (Value::BigInt(a), Value::BigInt(b)) | (Value::Timestamp(a), Value::Timestamp(b)) => {
                a.cmp(b)
            }
            (Value::Double(a), Value::Double(b)) => compare_doubles(*a, *b),
            (Value::Decimal(a), Value::Decimal(b)) => a.cmp(b),
            (Value::String(a), Value::String(b)) => compare_strings(a, b),
            (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
            (Value::Array(a), Value::Array(b)) | (Value::Struct(a), Value::Struct(b)) => a.cmp(b),
            (Value::Map(a), Value::Map(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u8(self.rank());
        match self {
            Value::Null => {}
            Value::Boolean(flag) => flag.hash(state),
            Value::Int(n) | Value::Time(n) | Value::Date(n) => n.hash(state),
            Value::BigInt(n) | Value::Timestamp(n) => n.hash(state),
            Value::Double(n) => (if n.is_nan() { f64::NAN } else { *n })
                .to_bits()
                .hash(state),
            Value::Decimal(n) => n.hash(state),
            Value::String(text) => text.hash(state),
            Value::Bytes(bytes) => bytes.hash(state),
            Value::Array(values) | Value::Struct(values) => values.hash(state),
            Value::Map(map) => map.hash(state),
        }
    }
}

macro_rules! from_impls {
    ($($from:ty => $variant:ident),* $(,)?) => {
        $(impl From<$from> for Value {
            fn from(value: $from) -> Value { Value::$variant(value.into()) }
        })*
    };
}
from_impls! {
    bool => Boolean, i32 => Int, i64 => BigInt, f64 => Double, Decimal => Decimal,
    &str => String, String => String, Arc<str> => String, Bytes => Bytes, Vec<u8> => Bytes,
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::hash_map::DefaultHasher;

    use proptest::prelude::*;

    use super::*;

    fn hash_of(value: &Value) -> u64 {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        hasher.finish()
    }

    fn utf16_order(a: &str, b: &str) -> Ordering {
        a.encode_utf16().cmp(b.encode_utf16())
    }

    #[test]
    fn doubles_order_as_java() {
        assert!(Value::Double(-0.0) < Value::Double(0.0));
        assert_eq!(Value::Double(f64::NAN), Value::Double(-f64::NAN));
        assert_eq!(
            hash_of(&Value::Double(f64::NAN)),
            hash_of(&Value::Double(-f64::NAN))
        );
        assert!(Value::Double(f64::NAN) > Value::Double(f64::INFINITY));
    }

    #[test]
    fn maps_are_equal_whatever_the_order_of_insertion() {
        let ab = Value::map([("a".into(), 1.into()), ("b".into(), 2.into())]);
        let ba = Value::map([
            ("b".into(), 9.into()),
            ("b".into(), 2.into()),
            ("a".into(), 1.into()),
        ]);
        assert_eq!(ab, ba);
        assert_eq!(hash_of(&ab), hash_of(&ba));
        let Value::Map(map) = ab else { panic!("a map") };
        assert_eq!(map.get(&"b".into()), Some(&Value::Int(2)));
        assert_eq!(map.get(&"c".into()), None);
    }

    proptest! {
        #[test]
        fn strings_order_by_utf16_unit(a in "[a\u{e000}\u{ffff}\u{10000}\u{10ffff}é]{0,4}", b in "[a\u{e000}\u{ffff}\u{10000}\u{10ffff}é]{0,4}") {
            prop_assert_eq!(compare_strings(&a, &b), utf16_order(&a, &b));
        }
    }
}
