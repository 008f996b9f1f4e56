//! COLLECT_LIST, COLLECT_SET, HISTOGRAM and ATTR.

use std::sync::Arc;

use super::{AggregateRow, Aggregator, Site, first, items};
use crate::expr::{EvalError, check_result_size};
use crate::types::SqlType;
use crate::value::{MapValue, Value};

/// HISTOGRAM counts this many distinct values; later new ones are not counted.
const HISTOGRAM_MAX: usize = 1000;

pub(super) const FUNCTIONS: &[AggregateRow] = &[
    AggregateRow {
        name: "COLLECT_LIST",
        about: "The column's values in the order of arrival, nulls included, up to ksql.functions.collect_list.limit.",
        overloads: &[("(col T) -> ARRAY<T>", 0, collect_list)],
    },
    AggregateRow {
        name: "COLLECT_SET",
        about: "The column's distinct values in the order of arrival, up to ksql.functions.collect_set.limit.",
        overloads: &[("(col T) -> ARRAY<T>", 0, collect_set)],
    },
    AggregateRow {
        name: "HISTOGRAM",
        about: "How often each value of the column occurs; at most 1000 distinct values are counted.",
        overloads: &[("(col STRING) -> MAP<STRING, BIGINT>", 0, histogram)],
    },
    AggregateRow {
        name: "ATTR",
        about: "The one value that the column has in all rows of the group, or null when there are several.",
        overloads: &[("(col T) -> T", 0, attr)],
    },
];

#[derive(Debug)]
struct Collect {
    set: bool,
    limit: usize,
    state_type: SqlType,
}

fn collect(site: &Site<'_>, set: bool, limit: usize) -> Result<Arc<dyn Aggregator>, String> {
    let element = site.types.first().cloned().ok_or("one column is needed")?;
    Ok(Arc::new(Collect { set, limit, state_type: SqlType::array(element) }))
}

fn collect_list(site: &Site<'_>) -> Result<Arc<dyn Aggregator>, String> {
    collect(site, false, site.settings.collect_list_limit)
}

fn collect_set(site: &Site<'_>) -> Result<Arc<dyn Aggregator>, String> {
    collect(site, true, site.settings.collect_set_limit)
}

impl Aggregator for Collect {
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
        let (known, value) = (items(&state), first(arguments));
        if known.len() >= self.limit || self.set && known.contains(value) {
            return Ok(state);
        }
        check_result_size(known.len() + 1, 0)?;
        Ok(Value::array(known.iter().chain([value]).cloned()))
    }

    fn can_undo(&self) -> bool {
        !self.set
    }

    /// Which of several equal values was meant is not known: the last one goes.
    fn undo(&self, state: Value, arguments: &[Value]) -> Result<Value, EvalError> {
        let mut known = items(&state).to_vec();
        if let Some(position) = known.iter().rposition(|value| value == first(arguments)) {
            known.remove(position);
        }
        Ok(Value::array(known))
    }

    fn merge(&self, left: Value, right: Value) -> Result<Value, EvalError> {
        let mut known = items(&left).to_vec();
        for value in items(&right) {
            if known.len() >= self.limit {
                break;
            }
            if !self.set || !known.contains(value) {
                known.push(value.clone());
            }
        }
        check_result_size(known.len(), 0)?;
        Ok(Value::array(known))
    }
}

#[derive(Debug)]
struct Histogram {
    state_type: SqlType,
}

fn histogram(_: &Site<'_>) -> Result<Arc<dyn Aggregator>, String> {
    Ok(Arc::new(Histogram { state_type: SqlType::map(SqlType::String, SqlType::BigInt) }))
}

impl Histogram {
    fn moved<'a>(state: Value, changes: impl IntoIterator<Item = (&'a Value, i64)>) -> Value {
        let known = if let Value::Map(map) = state { map } else { MapValue::default() };
        let mut counts: std::collections::BTreeMap<Value, i64> =
            known.iter().map(|(value, count)| (value.clone(), count.as_i64().unwrap_or(0))).collect();
        for (value, by) in changes {
            if value.is_null() || counts.len() >= HISTOGRAM_MAX && !counts.contains_key(value) {
                continue;
            }
            let count = counts.entry(value.clone()).or_insert(0);
            *count = count.wrapping_add(by);
            if *count < 1 {
                counts.remove(value);
            }
        }
        Value::map(counts.into_iter().map(|(value, count)| (value, Value::BigInt(count))))
    }
}

impl Aggregator for Histogram {
    fn state_type(&self) -> &SqlType {
        &self.state_type
    }

    fn result_type(&self) -> &SqlType {
        &self.state_type
    }

    fn initial(&self) -> Value {
        Value::map([])
    }

    fn add(&self, state: Value, arguments: &[Value], _: i64) -> Result<Value, EvalError> {
        Ok(Self::moved(state, [(first(arguments), 1)]))
    }

    fn can_undo(&self) -> bool {
        true
    }

    fn undo(&self, state: Value, arguments: &[Value]) -> Result<Value, EvalError> {
        Ok(Self::moved(state, [(first(arguments), -1)]))
    }

    fn merge(&self, left: Value, right: Value) -> Result<Value, EvalError> {
        let Value::Map(more) = &right else { return Ok(left) };
        Ok(Self::moved(left, more.iter().map(|(value, count)| (value, count.as_i64().unwrap_or(0)))))
    }
}

#[derive(Debug)]
struct Attr {
    sql_type: SqlType,
    state_type: SqlType,
}

fn attr(site: &Site<'_>) -> Result<Arc<dyn Aggregator>, String> {
    let sql_type = site.types.first().cloned().ok_or("one column is needed")?;
    let entry = SqlType::structure([("VALUE", sql_type.clone()), ("COUNT", SqlType::BigInt)]);
    Ok(Arc::new(Attr { sql_type, state_type: SqlType::array(entry) }))
}

impl Attr {
    /// The state is the list of distinct values with their counts; null is a value too.
    fn moved(state: &Value, value: &Value, by: i64) -> Value {
        let mut entries: Vec<(Value, i64)> = items(state)
            .iter()
            .filter_map(|entry| Some((items(entry).first()?.clone(), items(entry).get(1)?.as_i64()?)))
            .collect();
        match entries.iter_mut().find(|(known, _)| known == value) {
            Some((_, count)) => *count = count.wrapping_add(by),
            None => entries.push((value.clone(), by)),
        }
        let kept = entries.into_iter().filter(|(_, count)| *count > 0);
        Value::array(kept.map(|(value, count)| Value::structure([value, Value::BigInt(count)])))
    }
}

impl Aggregator for Attr {
    fn state_type(&self) -> &SqlType {
        &self.state_type
    }

    fn result_type(&self) -> &SqlType {
        &self.sql_type
    }

    fn initial(&self) -> Value {
        Value::array([])
    }

    fn add(&self, state: Value, arguments: &[Value], _: i64) -> Result<Value, EvalError> {
        check_result_size(items(&state).len() + 1, 0)?;
        Ok(Self::moved(&state, first(arguments), 1))
    }

    fn can_undo(&self) -> bool {
        true
    }

    fn undo(&self, state: Value, arguments: &[Value]) -> Result<Value, EvalError> {
        Ok(Self::moved(&state, first(arguments), -1))
    }

    fn merge(&self, left: Value, right: Value) -> Result<Value, EvalError> {
        let mut merged = left;
        for entry in items(&right) {
            let [value, count] = items(entry) else { continue };
            merged = Self::moved(&merged, value, count.as_i64().unwrap_or(0));
        }
        Ok(merged)
    }

    fn result(&self, state: &Value) -> Result<Value, EvalError> {
        Ok(match items(state) {
            [only] => items(only).first().cloned().unwrap_or_default(),
            _ => Value::Null,
        })
    }
}
