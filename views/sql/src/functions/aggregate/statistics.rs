//! STDDEV_SAMP, STDDEV_SAMPLE and CORRELATION: running sums of moments.

use std::sync::Arc;

use super::{AggregateRow, Aggregator, Site, items};
use crate::expr::EvalError;
use crate::types::SqlType;
use crate::value::Value;

pub(super) const FUNCTIONS: &[AggregateRow] = &[
    AggregateRow {
        name: "STDDEV_SAMP",
        about: "The sample variance of the column: the square root is missing since its first release; see STDDEV_SAMPLE.",
        overloads: &[
            ("(col INT) -> DOUBLE", 0, variance),
            ("(col BIGINT) -> DOUBLE", 0, variance),
            ("(col DOUBLE) -> DOUBLE", 0, variance),
        ],
    },
    AggregateRow {
        name: "STDDEV_SAMPLE",
        about: "The sample standard deviation of the column.",
        overloads: &[
            ("(col INT) -> DOUBLE", 0, deviation),
            ("(col BIGINT) -> DOUBLE", 0, deviation),
            ("(col DOUBLE) -> DOUBLE", 0, deviation),
        ],
    },
    AggregateRow {
        name: "CORRELATION",
        about: "Pearson's correlation of two columns, over the rows in which both are set.",
        overloads: &[
            ("(x INT, y INT) -> DOUBLE", 0, correlation),
            ("(x BIGINT, y BIGINT) -> DOUBLE", 0, correlation),
            ("(x DOUBLE, y DOUBLE) -> DOUBLE", 0, correlation),
        ],
    },
];

fn number(value: Option<&Value>) -> Option<f64> {
    match value? {
        Value::Double(n) => Some(*n),
        other => other.as_i64().map(|n| n as f64),
    }
}

/// All fields of the state as doubles.
fn moments<const N: usize>(state: &Value) -> [f64; N] {
    let mut moments = [0.0; N];
    for (moment, value) in moments.iter_mut().zip(items(state)) {
        *moment = number(Some(value)).unwrap_or(0.0);
    }
    moments
}

fn state_of<const N: usize>(moments: [f64; N]) -> Value {
    Value::structure(moments.map(Value::Double))
}

fn state_type(names: &[&str]) -> SqlType {
    SqlType::structure(names.iter().map(|name| (*name, SqlType::Double)))
}

#[derive(Debug)]
struct Deviation {
    root: bool,
    /// The column's numbers are whole, and so are the means that merging compares.
    whole: bool,
    state_type: SqlType,
}

fn spread(site: &Site<'_>, root: bool) -> Result<Arc<dyn Aggregator>, String> {
    let whole = site.types.first() != Some(&SqlType::Double);
    Ok(Arc::new(Deviation { root, whole, state_type: state_type(&["COUNT", "SUM", "M2"]) }))
}

fn variance(site: &Site<'_>) -> Result<Arc<dyn Aggregator>, String> {
    spread(site, false)
}

fn deviation(site: &Site<'_>) -> Result<Arc<dyn Aggregator>, String> {
    spread(site, true)
}

/// How far a value lies from the others, as Youngs and Cramer scale it. The order of operations decides the last digit.
fn distance(count: f64, sum: f64, value: f64) -> f64 {
    value * (count + 1.0) - (sum + value)
}

impl Aggregator for Deviation {
    fn state_type(&self) -> &SqlType {
        &self.state_type
    }

    fn result_type(&self) -> &SqlType {
        &SqlType::Double
    }

    fn initial(&self) -> Value {
        state_of([0.0; 3])
    }

    fn add(&self, state: Value, arguments: &[Value], _: i64) -> Result<Value, EvalError> {
        let Some(value) = number(arguments.first()) else { return Ok(state) };
        let [count, sum, squares] = moments(&state);
        let distance = distance(count, sum, value);
        let more = if count > 0.0 { distance * distance / ((count + 1.0) * count) } else { 0.0 };
        Ok(state_of([count + 1.0, sum + value, more + squares]))
    }

    fn can_undo(&self) -> bool {
        true
    }

    fn undo(&self, state: Value, arguments: &[Value]) -> Result<Value, EvalError> {
        let Some(value) = number(arguments.first()) else { return Ok(state) };
        let [count, sum, squares] = moments(&state);
        let (left, distance) = (count - 1.0, distance(count, sum, value));
        let less = if left > 0.0 { distance * distance / (left * count) } else { 0.0 };
        Ok(state_of([left, sum - value, squares - less]))
    }

    fn merge(&self, left: Value, right: Value) -> Result<Value, EvalError> {
        let ([n, sum_n, squares_n], [m, sum_m, squares_m]) = (moments(&left), moments(&right));
        if n == 0.0 || m == 0.0 {
            return Ok(if n == 0.0 { right } else { left });
        }
        let mean = |sum: f64, count: f64| if self.whole { (sum / count).trunc() } else { sum / count };
        let apart = mean(sum_n, n) - mean(sum_m, m);
        Ok(state_of([n + m, sum_n + sum_m, squares_n + squares_m + n * m * apart * apart / (n + m)]))
    }

    fn result(&self, state: &Value) -> Result<Value, EvalError> {
        let [count, _, squares] = moments(state);
        let variance = if count < 2.0 { 0.0 } else { squares / (count - 1.0) };
        Ok(Value::Double(if self.root { variance.sqrt() } else { variance }))
    }
}

#[derive(Debug)]
struct Correlation {
    state_type: SqlType,
}

fn correlation(_: &Site<'_>) -> Result<Arc<dyn Aggregator>, String> {
    Ok(Arc::new(Correlation { state_type: state_type(&["COUNT", "SUM_X", "SUM_Y", "SUM_XX", "SUM_YY", "SUM_XY"]) }))
}

impl Correlation {
    fn moved(&self, state: Value, arguments: &[Value], by: f64) -> Value {
        let (Some(x), Some(y)) = (number(arguments.first()), number(arguments.get(1))) else { return state };
        let own = [1.0, x, y, x * x, y * y, x * y];
        let mut sums: [f64; 6] = moments(&state);
        for (sum, own) in sums.iter_mut().zip(own) {
            *sum += by * own;
        }
        state_of(sums)
    }
}

impl Aggregator for Correlation {
    fn state_type(&self) -> &SqlType {
        &self.state_type
    }

    fn result_type(&self) -> &SqlType {
        &SqlType::Double
    }

    fn initial(&self) -> Value {
        state_of([0.0; 6])
    }

    fn add(&self, state: Value, arguments: &[Value], _: i64) -> Result<Value, EvalError> {
        Ok(self.moved(state, arguments, 1.0))
    }

    fn can_undo(&self) -> bool {
        true
    }

    fn undo(&self, state: Value, arguments: &[Value]) -> Result<Value, EvalError> {
        Ok(self.moved(state, arguments, -1.0))
    }

    fn merge(&self, left: Value, right: Value) -> Result<Value, EvalError> {
        let (mut sums, more): ([f64; 6], [f64; 6]) = (moments(&left), moments(&right));
        for (sum, more) in sums.iter_mut().zip(more) {
            *sum += more;
        }
        Ok(state_of(sums))
    }

    fn result(&self, state: &Value) -> Result<Value, EvalError> {
        let [n, x, y, xx, yy, xy] = moments(state);
        let spread = (n * xx - x * x) * (n * yy - y * y);
        Ok(Value::Double((n * xy - x * y) / spread.sqrt()))
    }
}
