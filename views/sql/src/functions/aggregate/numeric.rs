//! COUNT, SUM, SUM_LIST and AVG.

use std::sync::Arc;

use super::{AggregateRow, Aggregator, Site, first, items};
use crate::decimal::Decimal;
use crate::expr::EvalError;
use crate::types::SqlType;
use crate::value::Value;

pub(super) const FUNCTIONS: &[AggregateRow] = &[
    AggregateRow {
        name: "COUNT",
        about: "Counts the rows, or with a column those in which it is not null.",
        overloads: &[("() -> BIGINT", 0, count), ("(col T) -> BIGINT", 0, count)],
    },
    AggregateRow {
        name: "SUM",
        about: "Adds up the column's values. Nulls count as nothing, integers wrap around, decimals must fit.",
        overloads: &[
            ("(col INT) -> INT", 0, sum),
            ("(col BIGINT) -> BIGINT", 0, sum),
            ("(col DOUBLE) -> DOUBLE", 0, sum),
            ("(col DECIMAL) -> DECIMAL", 0, sum),
        ],
    },
    AggregateRow {
        name: "SUM_LIST",
        about: "Adds up all elements of the column's arrays.",
        overloads: &[
            ("(col ARRAY<INT>) -> INT", 0, sum),
            ("(col ARRAY<BIGINT>) -> BIGINT", 0, sum),
            ("(col ARRAY<DOUBLE>) -> DOUBLE", 0, sum),
        ],
    },
    AggregateRow {
        name: "AVG",
        about: "The mean of the column's values that are not null.",
        overloads: &[
            ("(col INT) -> DOUBLE", 0, avg),
            ("(col BIGINT) -> DOUBLE", 0, avg),
            ("(col DOUBLE) -> DOUBLE", 0, avg),
        ],
    },
];

#[derive(Debug)]
struct Count {
    /// Rows, whatever they hold.
    all: bool,
}

fn count(site: &Site<'_>) -> Result<Arc<dyn Aggregator>, String> {
    Ok(Arc::new(Count { all: site.types.is_empty() }))
}

impl Count {
    fn moved(&self, state: Value, arguments: &[Value], by: i64) -> Value {
        let counts = self.all || !first(arguments).is_null();
        Value::BigInt(state.as_i64().unwrap_or(0).wrapping_add(if counts { by } else { 0 }))
    }
}

impl Aggregator for Count {
    fn state_type(&self) -> &SqlType {
        &SqlType::BigInt
    }

    fn result_type(&self) -> &SqlType {
        &SqlType::BigInt
    }

    fn initial(&self) -> Value {
        Value::BigInt(0)
    }

    fn add(&self, state: Value, arguments: &[Value], _: i64) -> Result<Value, EvalError> {
        Ok(self.moved(state, arguments, 1))
    }

    fn can_undo(&self) -> bool {
        true
    }

    fn undo(&self, state: Value, arguments: &[Value]) -> Result<Value, EvalError> {
        Ok(self.moved(state, arguments, -1))
    }

    fn merge(&self, left: Value, right: Value) -> Result<Value, EvalError> {
        Ok(Value::BigInt(left.as_i64().unwrap_or(0).wrapping_add(right.as_i64().unwrap_or(0))))
    }
}

#[derive(Debug)]
struct Sum {
    /// Of the total, and of the values or of their elements.
    sql_type: SqlType,
}

fn sum(site: &Site<'_>) -> Result<Arc<dyn Aggregator>, String> {
    let sql_type = match site.types {
        [SqlType::Array(element)] => element.as_ref().clone(),
        [sql_type] => sql_type.clone(),
        _ => return Err("SUM takes one column".to_owned()),
    };
    Ok(Arc::new(Sum { sql_type }))
}

fn zero(sql_type: &SqlType) -> Value {
    match sql_type {
        SqlType::Integer => Value::Int(0),
        SqlType::BigInt => Value::BigInt(0),
        SqlType::Decimal { scale, .. } => Value::Decimal(Decimal::new(0, *scale as i32)),
        _ => Value::Double(0.0),
    }
}

/// `a + b`, or `a - b`; a null counts as nothing.
fn combine(sql_type: &SqlType, a: Value, b: &Value, subtract: bool) -> Result<Value, EvalError> {
    Ok(match (a, b) {
        (Value::Null, Value::Null) => zero(sql_type),
        (a, Value::Null) => a,
        (Value::Null, b) => combine(sql_type, zero(sql_type), b, subtract)?,
        (Value::Int(a), Value::Int(b)) => Value::Int(if subtract { a.wrapping_sub(*b) } else { a.wrapping_add(*b) }),
        (Value::BigInt(a), Value::BigInt(b)) => {
            Value::BigInt(if subtract { a.wrapping_sub(*b) } else { a.wrapping_add(*b) })
        }
        (Value::Double(a), Value::Double(b)) => Value::Double(if subtract { a - b } else { a + b }),
        (Value::Decimal(a), Value::Decimal(b)) => {
            let total = if subtract { a.subtract(b) } else { a.add(b) };
            match sql_type {
                SqlType::Decimal { precision, scale } => Value::Decimal(
                    total.cast_to(*precision, *scale).map_err(|error| EvalError::new(error.to_string()))?,
                ),
                _ => Value::Decimal(total),
            }
        }
        (a, b) => return Err(EvalError::new(format!("{a:?} and {b:?} cannot be added"))),
    })
}

impl Sum {
    fn moved(&self, state: Value, arguments: &[Value], subtract: bool) -> Result<Value, EvalError> {
        match first(arguments) {
            Value::Array(elements) => {
                elements.iter().try_fold(state, |total, element| combine(&self.sql_type, total, element, subtract))
            }
            value => combine(&self.sql_type, state, value, subtract),
        }
    }
}

impl Aggregator for Sum {
    fn state_type(&self) -> &SqlType {
        &self.sql_type
    }

    fn result_type(&self) -> &SqlType {
        &self.sql_type
    }

    fn initial(&self) -> Value {
        zero(&self.sql_type)
    }

    fn add(&self, state: Value, arguments: &[Value], _: i64) -> Result<Value, EvalError> {
        self.moved(state, arguments, false)
    }

    fn can_undo(&self) -> bool {
        true
    }

    fn undo(&self, state: Value, arguments: &[Value]) -> Result<Value, EvalError> {
        self.moved(state, arguments, true)
    }

    fn merge(&self, left: Value, right: Value) -> Result<Value, EvalError> {
        combine(&self.sql_type, left, &right, false)
    }
}

#[derive(Debug)]
struct Avg {
    sum_type: SqlType,
    state_type: SqlType,
}

fn avg(site: &Site<'_>) -> Result<Arc<dyn Aggregator>, String> {
    let sum_type = site.types.first().cloned().ok_or("AVG takes one column")?;
    let state_type = SqlType::structure([("SUM", sum_type.clone()), ("COUNT", SqlType::BigInt)]);
    Ok(Arc::new(Avg { sum_type, state_type }))
}

impl Avg {
    fn moved(&self, state: Value, value: &Value, subtract: bool) -> Result<Value, EvalError> {
        if value.is_null() {
            return Ok(state);
        }
        let [total, count] = items(&state) else { return self.moved(self.initial(), value, subtract) };
        let total = combine(&self.sum_type, total.clone(), value, subtract)?;
        let count = count.as_i64().unwrap_or(0).wrapping_add(if subtract { -1 } else { 1 });
        Ok(Value::structure([total, Value::BigInt(count)]))
    }
}

impl Aggregator for Avg {
    fn state_type(&self) -> &SqlType {
        &self.state_type
    }

    fn result_type(&self) -> &SqlType {
        &SqlType::Double
    }

    fn initial(&self) -> Value {
        Value::structure([zero(&self.sum_type), Value::BigInt(0)])
    }

    fn add(&self, state: Value, arguments: &[Value], _: i64) -> Result<Value, EvalError> {
        self.moved(state, first(arguments), false)
    }

    fn can_undo(&self) -> bool {
        true
    }

    fn undo(&self, state: Value, arguments: &[Value]) -> Result<Value, EvalError> {
        self.moved(state, first(arguments), true)
    }

    fn merge(&self, left: Value, right: Value) -> Result<Value, EvalError> {
        let ([a_sum, a_count], [b_sum, b_count]) = (items(&left), items(&right)) else { return Ok(left) };
        let total = combine(&self.sum_type, a_sum.clone(), b_sum, false)?;
        let count = a_count.as_i64().unwrap_or(0).wrapping_add(b_count.as_i64().unwrap_or(0));
        Ok(Value::structure([total, Value::BigInt(count)]))
    }

    fn result(&self, state: &Value) -> Result<Value, EvalError> {
        let [total, count] = items(state) else { return Ok(Value::Double(0.0)) };
        let total = match total {
            Value::Double(total) => *total,
            other => other.as_i64().unwrap_or(0) as f64,
        };
        Ok(Value::Double(match count.as_i64() {
            None | Some(0) => 0.0,
            Some(count) => total / count as f64,
        }))
    }
}
