//! EARLIEST_BY_OFFSET and LATEST_BY_OFFSET: the first and last values in the order of processing.
//!
//! The state is a list of (sequence, value), oldest first, so that merged sessions keep the order in which their
//! rows came.

use std::sync::Arc;

use super::{AggregateRow, Aggregator, Site, first, items};
use crate::expr::{EvalError, SizeLimits};
use crate::types::SqlType;
use crate::value::Value;

pub(super) const FUNCTIONS: &[AggregateRow] = &[
    AggregateRow {
        name: "EARLIEST_BY_OFFSET",
        about: "The first value, or the first N values, of the column. Nulls are skipped unless ignoreNulls is false.",
        overloads: &[
            ("(col T) -> T", 0, earliest),
            ("(col T, ignoreNulls BOOLEAN) -> T", 1, earliest),
            ("(col T, earliestN INT) -> ARRAY<T>", 1, earliest),
            ("(col T, earliestN INT, ignoreNulls BOOLEAN) -> ARRAY<T>", 2, earliest),
        ],
    },
    AggregateRow {
        name: "LATEST_BY_OFFSET",
        about: "The last value, or the last N values, of the column. Nulls are skipped unless ignoreNulls is false.",
        overloads: &[
            ("(col T) -> T", 0, latest),
            ("(col T, ignoreNulls BOOLEAN) -> T", 1, latest),
            ("(col T, latestN INT) -> ARRAY<T>", 1, latest),
            ("(col T, latestN INT, ignoreNulls BOOLEAN) -> ARRAY<T>", 2, latest),
        ],
    },
];

#[derive(Debug)]
struct ByOffset {
    earliest: bool,
    /// How many are kept; nothing for the forms that give a single value.
    count: Option<usize>,
    ignore_nulls: bool,
    state_type: SqlType,
    result_type: SqlType,
}

fn by_offset(site: &Site<'_>, earliest: bool) -> Result<Arc<dyn Aggregator>, String> {
    let value = site.types.first().cloned().ok_or("one column is needed")?;
    let (mut count, mut ignore_nulls) = (None, true);
    let most = site.settings.sizes.elements_max;
    for literal in site.literals {
        match literal {
            Value::Boolean(flag) => ignore_nulls = *flag,
            Value::Int(n) => match usize::try_from(*n) {
                Ok(n) if (1..=most).contains(&n) => count = Some(n),
                Ok(n) if n > most => {
                    let config = SizeLimits::ELEMENTS_CONFIG;
                    return Err(format!("N may be at most {most}, not {n}. The limit is the setting '{config}'."));
                }
                _ => return Err("earliestN must be 1 or greater".to_owned()),
            },
            other => return Err(format!("{other:?} is neither a number nor a boolean")),
        }
    }
    let entry = SqlType::structure([("SEQ", SqlType::BigInt), ("VAL", value.clone())]);
    let result_type = if count.is_some() { SqlType::array(value) } else { value };
    Ok(Arc::new(ByOffset { earliest, count, ignore_nulls, state_type: SqlType::array(entry), result_type }))
}

fn earliest(site: &Site<'_>) -> Result<Arc<dyn Aggregator>, String> {
    by_offset(site, true)
}

fn latest(site: &Site<'_>) -> Result<Arc<dyn Aggregator>, String> {
    by_offset(site, false)
}

impl ByOffset {
    fn kept(&self) -> usize {
        self.count.unwrap_or(1)
    }
}

impl Aggregator for ByOffset {
    fn state_type(&self) -> &SqlType {
        &self.state_type
    }

    fn result_type(&self) -> &SqlType {
        &self.result_type
    }

    fn initial(&self) -> Value {
        Value::array([])
    }

    fn add(&self, state: Value, arguments: &[Value], sequence: i64) -> Result<Value, EvalError> {
        let (known, value) = (items(&state), first(arguments));
        if value.is_null() && self.ignore_nulls || self.earliest && known.len() >= self.kept() {
            return Ok(state);
        }
        let overflow = (known.len() + 1).saturating_sub(self.kept());
        let entry = Value::structure([Value::BigInt(sequence), value.clone()]);
        Ok(Value::array(known.iter().skip(overflow).cloned().chain([entry])))
    }

    fn merge(&self, left: Value, right: Value) -> Result<Value, EvalError> {
        let mut entries: Vec<Value> = items(&left).iter().chain(items(&right)).cloned().collect();
        // Stable: rows of one sequence number keep their sessions' order.
        entries.sort_by_key(|entry| items(entry).first().and_then(Value::as_i64));
        let overflow = entries.len().saturating_sub(self.kept());
        if self.earliest {
            entries.truncate(self.kept());
        } else {
            entries.drain(..overflow);
        }
        Ok(Value::array(entries))
    }

    fn result(&self, state: &Value) -> Result<Value, EvalError> {
        let mut values = items(state).iter().map(|entry| items(entry).get(1).cloned().unwrap_or_default());
        Ok(match self.count {
            Some(_) => Value::array(values),
            None => values.next().unwrap_or_default(),
        })
    }

    fn intermediate_type(&self) -> SqlType {
        match &self.state_type {
            SqlType::Array(entry) if self.count.is_none() => entry.as_ref().clone(),
            whole => whole.clone(),
        }
    }
}
