//! Arrays.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use super::call::{Call, Row, lenient, strict};
use crate::cast::value_text;
use crate::expr::EvalError;
use crate::types::SqlType;
use crate::value::Value;
use crate::value_order::natural_order;

pub(super) const FUNCTIONS: &[Row] = &[
    Row {
        name: "array_length",
        category: "ARRAY",
        about: "How many elements the array has.",
        overloads: &[strict("(array ARRAY<T>) -> INT", |call| Ok(Value::Int(call.array(0)?.len() as i32)))],
    },
    Row {
        name: "array_contains",
        category: "ARRAY",
        about: "Whether an element equals the value.",
        overloads: &[lenient("(array ARRAY<T>, val T) -> BOOLEAN", |call| match call.value(0) {
            Value::Array(values) => Ok(Value::Boolean(values.contains(call.value(1)))),
            _ => Ok(Value::Boolean(false)),
        })],
    },
    Row {
        name: "array_concat",
        category: "ARRAY",
        about: "The elements of the first array, then those of the second.",
        overloads: &[lenient("(left ARRAY<T>, right ARRAY<T>) -> ARRAY<T>", |call| match (call.value(0), call.value(1)) {
            (Value::Array(left), Value::Array(right)) => {
                call.context.check_result(left.len() + right.len(), 0)?;
                Ok(Value::array(left.iter().chain(right.iter()).cloned()))
            }
            (Value::Null, right) => Ok(right.clone()),
            (left, _) => Ok(left.clone()),
        })],
    },
    Row {
        name: "array_distinct",
        category: "ARRAY",
        about: "The array without repeated elements.",
        overloads: &[strict("(input ARRAY<T>) -> ARRAY<T>", |call| Ok(distinct(call.array(0)?.iter(), |_| true)))],
    },
    Row {
        name: "array_except",
        category: "ARRAY",
        about: "The distinct elements of the first array that the second does not have.",
        overloads: &[strict("(left ARRAY<T>, right ARRAY<T>) -> ARRAY<T>", |call| {
            let others: HashSet<&Value> = call.array(1)?.iter().collect();
            Ok(distinct(call.array(0)?.iter(), |value| !others.contains(value)))
        })],
    },
    Row {
        name: "array_intersect",
        category: "ARRAY",
        about: "The distinct elements that both arrays have, in the order of the first.",
        overloads: &[strict("(left ARRAY<T>, right ARRAY<T>) -> ARRAY<T>", |call| {
            let others: HashSet<&Value> = call.array(1)?.iter().collect();
            Ok(distinct(call.array(0)?.iter(), |value| others.contains(value)))
        })],
    },
    Row {
        name: "array_union",
        category: "ARRAY",
        about: "The distinct elements of both arrays, in the order of their first occurrence.",
        overloads: &[strict("(left ARRAY<T>, right ARRAY<T>) -> ARRAY<T>", |call| {
            Ok(distinct(call.array(0)?.iter().chain(call.array(1)?.iter()), |_| true))
        })],
    },
    Row {
        name: "array_remove",
        category: "ARRAY",
        about: "The array without the elements that equal the value.",
        overloads: &[lenient("(array ARRAY<T>, victim T) -> ARRAY<T>", |call| match call.value(0) {
            Value::Array(values) => Ok(Value::array(values.iter().filter(|value| *value != call.value(1)).cloned())),
            _ => Ok(Value::Null),
        })],
    },
    Row {
        name: "ARRAY_JOIN",
        category: "ARRAY",
        about: "The elements' texts with a delimiter (a comma when none is given) between them.",
        overloads: &[
            lenient("(array ARRAY<T>) -> STRING", join),
            lenient("(array ARRAY<T>, delimiter STRING) -> STRING", join),
        ],
    },
    Row {
        name: "array_max",
        category: "ARRAY",
        about: "The largest element that is not null.",
        overloads: &[strict("(input ARRAY<T>) -> T", |call| Ok(extreme(call.array(0)?, Ordering::Greater)))],
    },
    Row {
        name: "array_min",
        category: "ARRAY",
        about: "The smallest element that is not null.",
        overloads: &[strict("(input ARRAY<T>) -> T", |call| Ok(extreme(call.array(0)?, Ordering::Less)))],
    },
    Row {
        name: "array_sort",
        category: "ARRAY",
        about: "The elements in order, nulls last: ascending, or with DESC or DESCENDING the other way.",
        overloads: &[
            strict("(input ARRAY<T>) -> ARRAY<T>", sort),
            strict("(input ARRAY<T>, direction STRING) -> ARRAY<T>", sort),
        ],
    },
    Row {
        name: "slice",
        category: "ARRAY",
        about: "The elements from one position to another, both included; positions count from 1.",
        overloads: &[lenient("(in ARRAY<T>, from INT, to INT) -> ARRAY<T>", slice)],
    },
    Row {
        name: "GENERATE_SERIES",
        category: "ARRAY",
        about: "The numbers from a start to an end, both included, by a step (1 or -1 when none is given).",
        overloads: &[
            strict("(start INT, end INT) -> ARRAY<INT>", |call| series(call, |n| Value::Int(n as i32))),
            strict("(start INT, end INT, step INT) -> ARRAY<INT>", |call| series(call, |n| Value::Int(n as i32))),
            strict("(start BIGINT, end BIGINT) -> ARRAY<BIGINT>", |call| series(call, Value::BigInt)),
            strict("(start BIGINT, end BIGINT, step INT) -> ARRAY<BIGINT>", |call| series(call, Value::BigInt)),
        ],
    },
];

/// The values that `keep` takes, each once, in the order given.
fn distinct<'a>(values: impl Iterator<Item = &'a Value>, keep: impl Fn(&Value) -> bool) -> Value {
    let mut seen = HashSet::new();
    Value::array(values.filter(|value| keep(value) && seen.insert(*value)).cloned())
}

fn extreme(values: &[Value], better: Ordering) -> Value {
    let mut best = &Value::Null;
    for value in values.iter().filter(|value| !value.is_null()) {
        if best.is_null() || natural_order(value, best) == better {
            best = value;
        }
    }
    best.clone()
}

fn join(call: &Call<'_>) -> Result<Value, EvalError> {
    let Value::Array(values) = call.value(0) else { return Ok(Value::Null) };
    let Some(Some(SqlType::Array(element))) = call.types.first() else { return Ok(Value::Null) };
    let simple = element.is_number() || matches!(element.as_ref(), SqlType::Boolean | SqlType::String);
    if !simple && values.iter().any(|value| !value.is_null()) {
        return Err(EvalError::new(format!("ARRAY_JOIN takes elements of simple types, not {element}")));
    }
    let delimiter = match call.value(1) {
        Value::String(delimiter) => delimiter.as_ref(),
        _ if call.len() > 1 => "",
        _ => ",",
    };
    let text_of = |value: &Value| match value {
        Value::Decimal(decimal) => decimal.to_scientific_string(),
        other => value_text(other, element),
    };
    let texts: Vec<String> = values.iter().map(text_of).collect();
    call.context.check_result(0, texts.iter().map(|text| text.len() + delimiter.len()).sum())?;
    Ok(texts.join(delimiter).into())
}

fn sort(call: &Call<'_>) -> Result<Value, EvalError> {
    let descending = match call.value(1).as_str().map(str::to_ascii_uppercase).as_deref() {
        None | Some("ASC" | "ASCENDING") => false,
        Some("DESC" | "DESCENDING") => true,
        Some(_) => return Ok(Value::Null),
    };
    let mut values = call.array(0)?.to_vec();
    values.sort_by(|a, b| match (a.is_null(), b.is_null()) {
        (false, false) if descending => natural_order(b, a),
        (false, false) => natural_order(a, b),
        (a_null, b_null) => a_null.cmp(&b_null),
    });
    Ok(Value::array(values))
}

fn slice(call: &Call<'_>) -> Result<Value, EvalError> {
    let Value::Array(values) = call.value(0) else { return Ok(Value::Null) };
    let bound = |position: usize, default: i64| call.value(position).as_i64().unwrap_or(default);
    let (start, end) = (bound(1, 1) - 1, bound(2, values.len() as i64));
    // Beyond the array is null, but backwards is an error.
    match (usize::try_from(start), usize::try_from(end)) {
        (Ok(start), Ok(end)) if end <= values.len() && start <= end => Ok(Value::Array(Arc::from(&values[start..end]))),
        (Ok(start), Ok(end)) if end <= values.len() => {
            Err(EvalError::new(format!("the slice from {} ends before it begins, at {end}", start + 1)))
        }
        _ => Ok(Value::Null),
    }
}

fn series(call: &Call<'_>, value: fn(i64) -> Value) -> Result<Value, EvalError> {
    let (start, end) = (call.long(0)?, call.long(1)?);
    let step = if call.len() > 2 { call.long(2)? } else if end >= start { 1 } else { -1 };
    if step == 0 {
        return Err(EvalError::new("GENERATE_SERIES step cannot be zero"));
    }
    let span = i128::from(end) - i128::from(start);
    if span.signum() * i128::from(step).signum() < 0 {
        let (order, sign) = if step > 0 { ("positive", "less") } else { ("negative", "greater") };
        return Err(EvalError::new(format!("GENERATE_SERIES step has a {order} sign, but the end is {sign} than the start")));
    }
    let count = span / i128::from(step) + 1;
    call.context.check_result(usize::try_from(count).unwrap_or(usize::MAX), 0)?;
    Ok(Value::array((0..count as i64).map(|n| value(start.wrapping_add(n.wrapping_mul(step))))))
}
