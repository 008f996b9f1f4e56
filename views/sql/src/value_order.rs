//! The order in which Java's `HashMap` visits its entries. SQL promises none, but folds over a map (REDUCE) and texts
//! made of one show it, and ksqlDB's users have come to see this one.

use crate::value::{MapValue, Value};

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
}
