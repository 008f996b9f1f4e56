//! COALESCE, IFNULL, NULLIF, AS_VALUE, GREATEST and LEAST.

use std::cmp::Ordering;

use super::call::{Call, Row, lenient};
use super::decimal::widest_decimal;
use crate::expr::EvalError;
use crate::value::Value;
use crate::value_order::natural_order;

pub(super) const FUNCTIONS: &[Row] = &[
    Row {
        name: "coalesce",
        category: "CONDITIONAL",
        about: "The first argument that is not null.",
        overloads: &[lenient("(first T, others T...) -> T", |call| {
            Ok(call.arguments.iter().find(|argument| !argument.is_null()).cloned().unwrap_or_default())
        })
        .tolerant()],
    },
    Row {
        name: "ifnull",
        category: "CONDITIONAL",
        about: "The first argument, or the second when the first is null.",
        overloads: &[lenient("(expression T, altValue T) -> T", |call| {
            Ok(if call.value(0).is_null() { call.value(1) } else { call.value(0) }.clone())
        })
        .tolerant()],
    },
    Row {
        name: "nullif",
        category: "CONDITIONAL",
        about: "Null when both arguments are equal, otherwise the first.",
        overloads: &[lenient("(expr1 T, expr2 T) -> T", |call| {
            Ok(if call.value(0) == call.value(1) { Value::Null } else { call.value(0).clone() })
        })],
    },
    Row {
        name: "as_value",
        category: "MISCELLANEOUS",
        about: "A copy of a key column among the values.",
        overloads: &[lenient("(keyColumn T) -> T", |call| Ok(call.value(0).clone()))],
    },
    Row {
        name: "greatest",
        category: "CONDITIONAL",
        about: "The largest argument that is not null.",
        overloads: &[
            lenient("(val INT, vals INT...) -> INT", greatest),
            lenient("(val BIGINT, vals BIGINT...) -> BIGINT", greatest),
            lenient("(val DOUBLE, vals DOUBLE...) -> DOUBLE", greatest),
            lenient("(val STRING, vals STRING...) -> STRING", greatest),
            lenient("(val BYTES, vals BYTES...) -> BYTES", greatest),
            lenient("(val DATE, vals DATE...) -> DATE", greatest),
            lenient("(val TIME, vals TIME...) -> TIME", greatest),
            lenient("(val TIMESTAMP, vals TIMESTAMP...) -> TIMESTAMP", greatest),
            lenient("(val DECIMAL, vals DECIMAL...) -> DECIMAL", greatest).deriving(widest_decimal),
        ],
    },
    Row {
        name: "least",
        category: "CONDITIONAL",
        about: "The smallest argument that is not null.",
        overloads: &[
            lenient("(val INT, vals INT...) -> INT", least),
            lenient("(val BIGINT, vals BIGINT...) -> BIGINT", least),
            lenient("(val DOUBLE, vals DOUBLE...) -> DOUBLE", least),
            lenient("(val STRING, vals STRING...) -> STRING", least),
            lenient("(val BYTES, vals BYTES...) -> BYTES", least),
            lenient("(val DATE, vals DATE...) -> DATE", least),
            lenient("(val TIME, vals TIME...) -> TIME", least),
            lenient("(val TIMESTAMP, vals TIMESTAMP...) -> TIMESTAMP", least),
            lenient("(val DECIMAL, vals DECIMAL...) -> DECIMAL", least).deriving(widest_decimal),
        ],
    },
];

fn extreme(call: &Call<'_>, better: Ordering) -> Result<Value, EvalError> {
    let mut best = &Value::Null;
    for argument in call.arguments.iter().filter(|argument| !argument.is_null()) {
        if best.is_null() || natural_order(argument, best) == better {
            best = argument;
        }
    }
    // A decimal keeps the scale that it has, whatever the result's type.
    Ok(best.clone())
}

fn greatest(call: &Call<'_>) -> Result<Value, EvalError> {
    extreme(call, Ordering::Greater)
}

fn least(call: &Call<'_>) -> Result<Value, EvalError> {
    extreme(call, Ordering::Less)
}
