//! COLLECT_LIST, COLLECT_SET, HISTOGRAM and ATTR.

use std::sync::Arc;

use super::distinct::hash_of;
use super::{AggregateRow, Aggregator, Site, chunks, first, items};
use crate::expr::{EvalError, SizeLimits};
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

/// What both keep of their call.
#[derive(Debug)]
struct Bound {
    limit: usize,
    sizes: SizeLimits,
    state_type: SqlType,
    result_type: SqlType,
}

fn element_type(site: &Site<'_>) -> Result<SqlType, String> {
    site.types.first().cloned().ok_or_else(|| "one column is needed".to_owned())
}

#[derive(Debug)]
struct CollectList(Bound);

fn collect_list(site: &Site<'_>) -> Result<Arc<dyn Aggregator>, String> {
    let element = element_type(site)?;
    Ok(Arc::new(CollectList(Bound {
        limit: site.settings.collect_list_limit,
        sizes: site.settings.sizes,
        state_type: chunks::state_type(element.clone()),
        result_type: SqlType::array(element),
    })))
}

impl Aggregator for CollectList {
    fn state_type(&self) -> &SqlType {
        &self.0.state_type
    }

    fn result_type(&self) -> &SqlType {
        &self.0.result_type
    }

    fn initial(&self) -> Value {
        chunks::empty()
    }

    fn add(&self, state: Value, arguments: &[Value], _: i64) -> Result<Value, EvalError> {
        let known = chunks::len(&state);
        if known >= self.0.limit {
            return Ok(state);
        }
        self.0.sizes.check(known + 1, 0)?;
        Ok(chunks::push(&state, first(arguments).clone()))
    }

    fn can_undo(&self) -> bool {
        true
    }

    /// Which of several equal values was meant is not known: the last one goes.
    fn undo(&self, state: Value, arguments: &[Value]) -> Result<Value, EvalError> {
        let mut known: Vec<Value> = chunks::iter(&state).cloned().collect();
        if let Some(position) = known.iter().rposition(|value| value == first(arguments)) {
            known.remove(position);
        }
        Ok(chunks::collect(known))
    }

    fn merge(&self, left: Value, right: Value) -> Result<Value, EvalError> {
        let both = chunks::iter(&left).chain(chunks::iter(&right)).take(self.0.limit.max(chunks::len(&left)));
        let merged: Vec<Value> = both.cloned().collect();
        self.0.sizes.check(merged.len(), 0)?;
        Ok(chunks::collect(merged))
    }

    fn result(&self, state: &Value) -> Result<Value, EvalError> {
        Ok(chunks::array(state))
    }

    fn intermediate_type(&self) -> SqlType {
        self.0.result_type.clone()
    }
}

/// The state is a struct of the values in order and of an index: their places by the value's hash.
#[derive(Debug)]
struct CollectSet(Bound);

/// Buckets of the index. With a hundred thousand values a look-up compares some four hundred.
const BUCKETS: usize = 256;

fn collect_set(site: &Site<'_>) -> Result<Arc<dyn Aggregator>, String> {
    let element = element_type(site)?;
    let index = SqlType::array(SqlType::array(SqlType::Integer));
    Ok(Arc::new(CollectSet(Bound {
        limit: site.settings.collect_set_limit,
        sizes: site.settings.sizes,
        state_type: SqlType::structure([("VALUES", chunks::state_type(element.clone())), ("INDEX", index)]),
        result_type: SqlType::array(element),
    })))
}

impl CollectSet {
    fn parts(state: &Value) -> (&Value, &[Value]) {
        match items(state) {
            [values, index] => (values, items(index)),
            _ => (&Value::Null, &[]),
        }
    }

    /// The state with the value, which is new and for which there is room.
    fn with(&self, state: &Value, value: &Value) -> Result<Value, EvalError> {
        let (values, index) = Self::parts(state);
        let count = chunks::len(values);
        let bucket = hash_of(value) as usize % BUCKETS;
        let places = index.get(bucket).map_or(&[][..], items);
        if places.iter().any(|place| place.as_i64().and_then(|place| chunks::at(values, place as usize)) == Some(value)) || count >= self.0.limit {
            return Ok(state.clone());
        }
        self.0.sizes.check(count + 1, 0)?;
        let place = i32::try_from(count).map_err(|_| EvalError::new("a set cannot have so many values"))?;
        let longer = Value::array(places.iter().cloned().chain([Value::Int(place)]));
        let index = (0..BUCKETS).map(|at| if at == bucket { longer.clone() } else { index.get(at).cloned().unwrap_or_else(|| Value::array([])) });
        Ok(Value::structure([chunks::push(values, value.clone()), Value::array(index)]))
    }
}

impl Aggregator for CollectSet {
    fn state_type(&self) -> &SqlType {
        &self.0.state_type
    }

    fn result_type(&self) -> &SqlType {
        &self.0.result_type
    }

    fn initial(&self) -> Value {
        Value::structure([chunks::empty(), Value::array([])])
    }

    fn add(&self, state: Value, arguments: &[Value], _: i64) -> Result<Value, EvalError> {
        self.with(&state, first(arguments))
    }

    fn merge(&self, left: Value, right: Value) -> Result<Value, EvalError> {
        chunks::iter(Self::parts(&right).0).try_fold(left, |merged, value| self.with(&merged, value))
    }

    fn result(&self, state: &Value) -> Result<Value, EvalError> {
        Ok(chunks::array(Self::parts(state).0))
    }

    fn intermediate_type(&self) -> SqlType {
        self.0.result_type.clone()
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
    sizes: SizeLimits,
    sql_type: SqlType,
    state_type: SqlType,
}

fn attr(site: &Site<'_>) -> Result<Arc<dyn Aggregator>, String> {
    let sql_type = site.types.first().cloned().ok_or("one column is needed")?;
    let entry = SqlType::structure([("VALUE", sql_type.clone()), ("COUNT", SqlType::BigInt)]);
    Ok(Arc::new(Attr { sizes: site.settings.sizes, sql_type, state_type: SqlType::array(entry) }))
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
        self.sizes.check(items(&state).len() + 1, 0)?;
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
