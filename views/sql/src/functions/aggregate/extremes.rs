//! MIN, MAX, TOPK and TOPKDISTINCT.

use std::cmp::Ordering;
use std::sync::Arc;

use super::{AggregateRow, Aggregator, Site, first, items};
use crate::expr::EvalError;
use crate::types::SqlType;
use crate::value::Value;
use crate::value_order::natural_order;

/// The largest K that TOPK and TOPKDISTINCT take: it bounds a group's state.
const TOP_MAX: i64 = 100_000;

pub(super) const FUNCTIONS: &[AggregateRow] = &[
    AggregateRow { name: "MIN", about: "The smallest value of the column that is not null.", overloads: MIN },
    AggregateRow { name: "MAX", about: "The largest value of the column that is not null.", overloads: MAX },
    AggregateRow {
        name: "TOPK",
        about: "The K largest values of the column, largest first; with further columns, structs that carry those too.",
        overloads: &[
            ("(sortColumn INT, others ANY..., k INT) -> ARRAY<INT>", 1, topk),
            ("(sortColumn BIGINT, others ANY..., k INT) -> ARRAY<BIGINT>", 1, topk),
            ("(sortColumn DOUBLE, others ANY..., k INT) -> ARRAY<DOUBLE>", 1, topk),
            ("(sortColumn STRING, others ANY..., k INT) -> ARRAY<STRING>", 1, topk),
        ],
    },
    AggregateRow {
        name: "TOPKDISTINCT",
        about: "The K largest distinct values of the column, largest first.",
        overloads: &[
            ("(col INT, k INT) -> ARRAY<INT>", 1, topk_distinct),
            ("(col BIGINT, k INT) -> ARRAY<BIGINT>", 1, topk_distinct),
            ("(col DOUBLE, k INT) -> ARRAY<DOUBLE>", 1, topk_distinct),
            ("(col STRING, k INT) -> ARRAY<STRING>", 1, topk_distinct),
            ("(col DECIMAL, k INT) -> ARRAY<DECIMAL>", 1, topk_distinct),
            ("(col DATE, k INT) -> ARRAY<DATE>", 1, topk_distinct),
            ("(col TIME, k INT) -> ARRAY<TIME>", 1, topk_distinct),
            ("(col TIMESTAMP, k INT) -> ARRAY<TIMESTAMP>", 1, topk_distinct),
            ("(col BYTES, k INT) -> ARRAY<BYTES>", 1, topk_distinct),
        ],
    },
];

const MIN: &[(&str, usize, super::Factory)] = &[
    ("(col INT) -> INT", 0, min),
    ("(col BIGINT) -> BIGINT", 0, min),
    ("(col DOUBLE) -> DOUBLE", 0, min),
    ("(col DECIMAL) -> DECIMAL", 0, min),
    ("(col DATE) -> DATE", 0, min),
    ("(col TIME) -> TIME", 0, min),
    ("(col TIMESTAMP) -> TIMESTAMP", 0, min),
    ("(col STRING) -> STRING", 0, min),
    ("(col BYTES) -> BYTES", 0, min),
];

const MAX: &[(&str, usize, super::Factory)] = &[
    ("(col INT) -> INT", 0, max),
    ("(col BIGINT) -> BIGINT", 0, max),
    ("(col DOUBLE) -> DOUBLE", 0, max),
    ("(col DECIMAL) -> DECIMAL", 0, max),
    ("(col DATE) -> DATE", 0, max),
    ("(col TIME) -> TIME", 0, max),
    ("(col TIMESTAMP) -> TIMESTAMP", 0, max),
    ("(col STRING) -> STRING", 0, max),
    ("(col BYTES) -> BYTES", 0, max),
];

#[derive(Debug)]
struct Extreme {
    sql_type: SqlType,
    /// How a better value compares with a worse one.
    better: Ordering,
}

fn extreme(site: &Site<'_>, better: Ordering) -> Result<Arc<dyn Aggregator>, String> {
    let sql_type = site.types.first().cloned().ok_or("one column is needed")?;
    Ok(Arc::new(Extreme { sql_type, better }))
}

fn min(site: &Site<'_>) -> Result<Arc<dyn Aggregator>, String> {
    extreme(site, Ordering::Less)
}

fn max(site: &Site<'_>) -> Result<Arc<dyn Aggregator>, String> {
    extreme(site, Ordering::Greater)
}

impl Extreme {
    fn best(&self, state: Value, value: &Value) -> Value {
        let replaces = !value.is_null() && (state.is_null() || natural_order(value, &state) == self.better);
        if replaces { value.clone() } else { state }
    }
}

impl Aggregator for Extreme {
    fn state_type(&self) -> &SqlType {
        &self.sql_type
    }

    fn result_type(&self) -> &SqlType {
        &self.sql_type
    }

    fn initial(&self) -> Value {
        Value::Null
    }

    fn add(&self, state: Value, arguments: &[Value], _: i64) -> Result<Value, EvalError> {
        Ok(self.best(state, first(arguments)))
    }

    fn merge(&self, left: Value, right: Value) -> Result<Value, EvalError> {
        Ok(self.best(left, &right))
    }
}

#[derive(Debug)]
struct Top {
    k: usize,
    distinct: bool,
    /// Elements are structs led by the sort column.
    structs: bool,
    state_type: SqlType,
}

fn limit(site: &Site<'_>) -> Result<usize, String> {
    match site.literals.first().and_then(Value::as_i64) {
        Some(k) if (1..=TOP_MAX).contains(&k) => Ok(k as usize),
        _ => Err(format!("K must be a number from 1 to {TOP_MAX}")),
    }
}

fn topk(site: &Site<'_>) -> Result<Arc<dyn Aggregator>, String> {
    let (sort, others) = site.types.split_first().ok_or("one column is needed")?;
    let element = if others.is_empty() {
        sort.clone()
    } else {
        let columns = others.iter().enumerate().map(|(position, other)| (format!("col{position}"), other.clone()));
        SqlType::structure(std::iter::once(("sort_col".to_owned(), sort.clone())).chain(columns))
    };
    let structs = !others.is_empty();
    Ok(Arc::new(Top { k: limit(site)?, distinct: false, structs, state_type: SqlType::array(element) }))
}

fn topk_distinct(site: &Site<'_>) -> Result<Arc<dyn Aggregator>, String> {
    let element = site.types.first().cloned().ok_or("one column is needed")?;
    Ok(Arc::new(Top { k: limit(site)?, distinct: true, structs: false, state_type: SqlType::array(element) }))
}

impl Top {
    fn key<'a>(&self, element: &'a Value) -> &'a Value {
        if self.structs { items(element).first().unwrap_or(element) } else { element }
    }

    /// Behind all that are as large: the first to come stays first.
    fn insert(&self, top: &mut Vec<Value>, element: Value) {
        let position = top.partition_point(|known| natural_order(self.key(known), self.key(&element)).is_ge());
        if position >= self.k {
            return;
        }
        if self.distinct && position > 0 && natural_order(&top[position - 1], &element).is_eq() {
            return;
        }
        top.insert(position, element);
        top.truncate(self.k);
    }
}

impl Aggregator for Top {
    fn state_type(&self) -> &SqlType {
        &self.state_type
    }

    fn result_type(&self) -> &SqlType {
        &self.state_type
    }

    fn initial(&self) -> Value {
        Value::array([])
    }

    fn add(&self, state: Value, arguments: &[Value], _: i64) -> Result<Value, EvalError> {
        if first(arguments).is_null() {
            return Ok(state);
        }
        let element = if self.structs { Value::structure(arguments.iter().cloned()) } else { first(arguments).clone() };
        let mut top = items(&state).to_vec();
        self.insert(&mut top, element);
        Ok(Value::array(top))
    }

    fn merge(&self, left: Value, right: Value) -> Result<Value, EvalError> {
        let mut top = items(&left).to_vec();
        for element in items(&right) {
            self.insert(&mut top, element.clone());
        }
        Ok(Value::array(top))
    }
}
