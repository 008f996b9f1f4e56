//! Java's orders of values, where they differ from the order of keys.
//!
//! `HashMap` visits its entries by their hash codes. SQL promises no order of a map, but folds over one (REDUCE) and
//! texts made of one show it, and ksqlDB's users have come to see this one. `compareTo` ignores a decimal's scale
//! and takes bytes as signed.

use std::cmp::Ordering;

use crate::value::{MapValue, Value};

/// `ByteBuffer.compareTo`: bytes are signed.
pub(crate) fn compare_bytes(a: &[u8], b: &[u8]) -> Ordering {
    a.iter().map(|byte| *byte as i8).cmp(b.iter().map(|byte| *byte as i8))
}

/// How SQL orders two values of one type that are not null: MIN, GREATEST, ARRAY_SORT and their kin.
pub(crate) fn natural_order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Bytes(a), Value::Bytes(b)) => compare_bytes(a, b),
        (Value::Decimal(a), Value::Decimal(b)) => a.compare(b),
        _ => a.cmp(b),
    }
}

/// `Object.hashCode` of a key.
fn hash_code(key: &Value) -> i32 {
    let of_long = |n: i64| (n ^ (n as u64 >> 32) as i64) as i32;
    match key {
        Value::String(text) => text.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit))),
        Value::Int(n) => *n,
        Value::BigInt(n) => of_long(*n),
        Value::Double(n) => of_long(n.to_bits() as i64),
        Value::Boolean(true) => 1231,
        Value::Boolean(false) => 1237,
        // Keys of other types are rare, and their hashes not worth imitating.
        _ => 0,
    }
}

impl MapValue {
    /// The entries as a `HashMap` made for that many would visit them: its table is the power of two that leaves a quarter free.
    pub fn java_order(&self) -> Vec<(&Value, &Value)> {
        let buckets = (self.len() * 4 / 3 + 1).next_power_of_two();
        let mut entries: Vec<(&Value, &Value)> = self.iter().collect();
        entries.sort_by_key(|(key, _)| {
            let hash = hash_code(key);
            (hash ^ (hash as u32 >> 16) as i32) as u32 as usize & (buckets - 1)
        });
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visits_as_java() {
        let map: MapValue = ["yes, thanks", "nope", "sure, yeah"].iter().map(|key| ((*key).into(), Value::Null)).collect();
        let visited: Vec<&str> = map.java_order().into_iter().filter_map(|(key, _)| key.as_str()).collect();
        assert_eq!(visited, ["yes, thanks", "sure, yeah", "nope"]);
        assert_eq!(hash_code(&"hello".into()), 99_162_322);
        assert_eq!(hash_code(&Value::BigInt(-1)), 0);
        assert!(MapValue::default().java_order().is_empty());
    }

    #[test]
    fn decimals_and_bytes_have_their_own_order() {
        let decimal = |text: &str| Value::Decimal(text.parse().expect("a decimal"));
        assert_eq!(natural_order(&decimal("1.0"), &decimal("1.00")), Ordering::Equal);
        assert_eq!(natural_order(&Value::bytes(vec![0xff]), &Value::bytes(vec![1])), Ordering::Less);
    }
}
