//! TRANSFORM, FILTER and REDUCE: functions of arrays and maps that take a lambda.

use super::call::{Call, Row, lenient, strict};
use crate::expr::EvalError;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Row] = &[
    Row {
        name: "transform",
        category: "LAMBDA",
        about: "Each element through a lambda, or each entry of a map through one for the key and one for the value.",
        overloads: &[
            strict("(array ARRAY<T>, function LAMBDA(T) => R) -> ARRAY<R>", |call| {
                let results: Result<Vec<Value>, EvalError> =
                    call.array(0)?.iter().map(|element| call.lambda(1, std::slice::from_ref(element))).collect();
                Ok(Value::array(results?))
            }),
            strict("(map MAP<K, V>, biFunction1 LAMBDA(K, V) => R, biFunction2 LAMBDA(K, V) => S) -> MAP<R, S>", transform_map),
        ],
    },
    Row {
        name: "filter",
        category: "LAMBDA",
        about: "The elements, or entries, for which a lambda is true.",
        overloads: &[
            strict("(array ARRAY<T>, function LAMBDA(T) => BOOLEAN) -> ARRAY<T>", |call| {
                let mut kept = Vec::new();
                for element in call.array(0)?.iter() {
                    if holds(call, std::slice::from_ref(element))? {
                        kept.push(element.clone());
                    }
                }
                Ok(Value::array(kept))
            }),
            strict("(map MAP<K, V>, biFunction LAMBDA(K, V) => BOOLEAN) -> MAP<K, V>", |call| {
                let mut kept = Vec::new();
                for (key, value) in call.map(0)?.iter() {
                    if holds(call, &[key.clone(), value.clone()])? {
                        kept.push((key.clone(), value.clone()));
                    }
                }
                Ok(Value::map(kept))
            }),
        ],
    },
    Row {
        name: "reduce",
        category: "LAMBDA",
        about: "A state carried from element to element, or entry to entry, by a lambda.",
        overloads: &[
            lenient("(list ARRAY<T>, initialState S, biFunction LAMBDA(S, T) => S) -> S", |call| {
                let Value::Array(values) = call.value(0) else { return Ok(call.value(1).clone()) };
                if call.value(1).is_null() {
                    return Ok(Value::Null);
                }
                values.iter().try_fold(call.value(1).clone(), |state, value| call.lambda(2, &[state, value.clone()]))
            }),
            lenient("(map MAP<K, V>, initialState S, triFunction LAMBDA(S, K, V) => S) -> S", |call| {
                let Value::Map(map) = call.value(0) else { return Ok(call.value(1).clone()) };
                if call.value(1).is_null() {
                    return Ok(Value::Null);
                }
                map.java_order().into_iter().try_fold(call.value(1).clone(), |state, (key, value)| {
                    call.lambda(2, &[state, key.clone(), value.clone()])
                })
            }),
        ],
    },
];

fn holds(call: &Call<'_>, parameters: &[Value]) -> Result<bool, EvalError> {
    Ok(call.lambda(1, parameters)?.as_bool() == Some(true))
}

fn transform_map(call: &Call<'_>) -> Result<Value, EvalError> {
    let mut entries = Vec::with_capacity(call.map(0)?.len());
    for (key, value) in call.map(0)?.java_order() {
        let parameters = [key.clone(), value.clone()];
        entries.push((call.lambda(1, &parameters)?, call.lambda(2, &parameters)?));
    }
    Ok(Value::map(entries))
}
