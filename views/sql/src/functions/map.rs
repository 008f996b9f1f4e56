//! Maps. Their order is Java's (see `value_order`), so that arrays made of them are those of ksqlDB.

use super::call::{Row, lenient, strict};
use crate::value::Value;

const ENTRIES: fn(&super::call::Call<'_>) -> Result<Value, crate::expr::EvalError> = |call| {
    let map = call.map(0)?;
    let entries = if call.bool(1)? { map.iter().collect() } else { map.java_order() };
    Ok(Value::array(entries.into_iter().map(|(key, value)| Value::structure([key.clone(), value.clone()]))))
};

pub(super) const FUNCTIONS: &[Row] = &[
    Row {
        name: "map_keys",
        category: "MAP",
        about: "The map's keys.",
        overloads: &[strict("(input MAP<STRING, T>) -> ARRAY<STRING>", |call| {
            Ok(Value::array(call.map(0)?.java_order().into_iter().map(|(key, _)| key.clone())))
        })],
    },
    Row {
        name: "map_values",
        category: "MAP",
        about: "The map's values.",
        overloads: &[strict("(input MAP<STRING, T>) -> ARRAY<T>", |call| {
            Ok(Value::array(call.map(0)?.java_order().into_iter().map(|(_, value)| value.clone())))
        })],
    },
    Row {
        name: "map_union",
        category: "MAP",
        about: "The entries of both maps; where both have a key, the second's value.",
        overloads: &[lenient("(map1 MAP<STRING, T>, map2 MAP<STRING, T>) -> MAP<STRING, T>", |call| {
            match (call.value(0), call.value(1)) {
                (Value::Map(first), Value::Map(second)) => {
                    call.context.check_result(first.len() + second.len(), 0)?;
                    Ok(Value::map(first.iter().chain(second.iter()).map(|(k, v)| (k.clone(), v.clone()))))
                }
                (Value::Null, second) => Ok(second.clone()),
                (first, _) => Ok(first.clone()),
            }
        })],
    },
    Row {
        name: "as_map",
        category: "MAP",
        about: "A map of the keys in one array to the values in another.",
        overloads: &[strict("(keys ARRAY<STRING>, values ARRAY<T>) -> MAP<STRING, T>", |call| {
            // A key beyond the last value has none.
            let values = call.array(1)?.iter().cloned().chain(std::iter::repeat(Value::Null));
            Ok(Value::map(call.array(0)?.iter().cloned().zip(values)))
        })],
    },
    Row {
        name: "entries",
        category: "MAP",
        about: "The map's entries as structs of K and V, on request sorted by key.",
        overloads: &[
            strict("(map MAP<STRING, INT>, sorted BOOLEAN) -> ARRAY<STRUCT<K STRING, V INT>>", ENTRIES),
            strict("(map MAP<STRING, BIGINT>, sorted BOOLEAN) -> ARRAY<STRUCT<K STRING, V BIGINT>>", ENTRIES),
            strict("(map MAP<STRING, DOUBLE>, sorted BOOLEAN) -> ARRAY<STRUCT<K STRING, V DOUBLE>>", ENTRIES),
            strict("(map MAP<STRING, BOOLEAN>, sorted BOOLEAN) -> ARRAY<STRUCT<K STRING, V BOOLEAN>>", ENTRIES),
            strict("(map MAP<STRING, STRING>, sorted BOOLEAN) -> ARRAY<STRUCT<K STRING, V STRING>>", ENTRIES),
        ],
    },
];
