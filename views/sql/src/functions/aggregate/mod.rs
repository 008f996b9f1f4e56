//! Aggregate functions: folds of rows into one value a group.
//!
//! A state is itself a [`Value`] of the type that [`Aggregator::state_type`] tells, so the engine keeps, writes and
//! moves states like any other value. Invariants: `add` and `merge` are deterministic and ignore what they must
//! (mostly nulls); an aggregator that [`Aggregator::can_undo`] takes any added row back. Absences: no windows, no
//! groups, no storage.

mod chunks;
mod collect;
mod distinct;
mod extremes;
mod numeric;
mod offset;
mod statistics;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::registry::{OverloadInfo, Registry};
use super::resolve::{Argument, resolve};
use super::signature::Signature;
use crate::expr::{EvalError, SizeLimits};
use crate::types::SqlType;
use crate::value::Value;

/// One aggregate call of a query, bound to its types and constants.
pub trait Aggregator: fmt::Debug + Send + Sync {
    fn state_type(&self) -> &SqlType;
    fn result_type(&self) -> &SqlType;
    fn initial(&self) -> Value;

    /// `sequence` orders rows by when they were processed: it grows with every row of a task.
    fn add(&self, state: Value, arguments: &[Value], sequence: i64) -> Result<Value, EvalError>;

    /// Whether rows can be taken back, as tables need.
    fn can_undo(&self) -> bool {
        false
    }

    /// Takes a row back that was added before.
    fn undo(&self, _state: Value, _arguments: &[Value]) -> Result<Value, EvalError> {
        Err(EvalError::new("this aggregate cannot take rows back"))
    }

    /// The state of two groups' rows together; `left`'s group (a session) began earlier.
    fn merge(&self, left: Value, right: Value) -> Result<Value, EvalError>;

    fn result(&self, state: &Value) -> Result<Value, EvalError> {
        Ok(state.clone())
    }

    /// The type that ksqlDB keeps; a value format that cannot hold it refuses the query.
    fn intermediate_type(&self) -> SqlType {
        self.state_type().clone()
    }
}

/// Settings of a query that functions obey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionSettings {
    /// `ksql.functions.collect_list.limit`
    pub collect_list_limit: usize,
    /// `ksql.functions.collect_set.limit`
    pub collect_set_limit: usize,
    /// Of every function, aggregates among them.
    pub sizes: SizeLimits,
}

impl Default for FunctionSettings {
    fn default() -> Self {
        FunctionSettings {
            collect_list_limit: i32::MAX as usize,
            collect_set_limit: i32::MAX as usize,
            sizes: SizeLimits::STANDARD,
        }
    }
}

impl FunctionSettings {
    /// From properties by name; others are left alone, and a negative limit means none.
    pub fn from_properties<'a>(properties: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let given: BTreeMap<&str, &str> = properties.into_iter().collect();
        let limit = |name: &str, standard: usize| match given.get(name).map(|value| value.trim().parse::<i64>()) {
            Some(Ok(limit)) if limit >= 0 => limit as usize,
            _ => standard,
        };
        let none = FunctionSettings::default();
        FunctionSettings {
            collect_list_limit: limit("ksql.functions.collect_list.limit", none.collect_list_limit),
            collect_set_limit: limit("ksql.functions.collect_set.limit", none.collect_set_limit),
            sizes: SizeLimits::from_properties(|name| given.get(name).copied()),
        }
    }
}

/// An argument of an aggregate call, before it is bound.
#[derive(Clone, Debug)]
pub struct AggregateArgument {
    /// Nothing for a literal null.
    pub sql_type: Option<SqlType>,
    /// Its value, when the argument is a literal.
    pub literal: Option<Value>,
    /// As messages show it.
    pub text: String,
}

/// An aggregator with the number of leading arguments that it wants evaluated for each row.
#[derive(Clone, Debug)]
pub struct BoundAggregate {
    pub aggregator: Arc<dyn Aggregator>,
    pub columns: usize,
}

/// What a factory is given: types of the columns (a literal null counts as STRING) and the trailing constants.
pub struct Site<'a> {
    pub types: &'a [SqlType],
    pub literals: &'a [Value],
    pub settings: &'a FunctionSettings,
}

pub type Factory = fn(&Site<'_>) -> Result<Arc<dyn Aggregator>, String>;

/// An aggregate function with its overloads.
#[derive(Clone)]
pub struct AggregateFunction {
    pub name: String,
    pub about: String,
    pub overloads: Vec<AggregateOverload>,
}

#[derive(Clone)]
pub struct AggregateOverload {
    pub signature: Signature,
    /// How many trailing parameters are constants of the call.
    pub constants: usize,
    pub factory: Factory,
}

impl AggregateOverload {
    pub(super) fn info(&self) -> OverloadInfo {
        OverloadInfo { signature: self.signature.clone() }
    }
}

/// A row of a family's table.
pub(super) struct AggregateRow {
    pub name: &'static str,
    pub about: &'static str,
    pub overloads: &'static [(&'static str, usize, Factory)],
}

impl AggregateFunction {
    /// The rows are constants of this crate: a malformed one fails the first test that touches the registry.
    pub(super) fn from_row(row: &AggregateRow) -> AggregateFunction {
        let overloads = row.overloads.iter().map(|(signature, constants, factory)| AggregateOverload {
            signature: Signature::parse(signature).unwrap_or_else(|error| panic!("{}: {error}", row.name)),
            constants: *constants,
            factory: *factory,
        });
        AggregateFunction { name: row.name.to_owned(), about: row.about.to_owned(), overloads: overloads.collect() }
    }
}

pub(super) fn rows() -> impl Iterator<Item = &'static AggregateRow> {
    let families: [&[AggregateRow]; 6] = [
        collect::FUNCTIONS,
        distinct::FUNCTIONS,
        extremes::FUNCTIONS,
        numeric::FUNCTIONS,
        offset::FUNCTIONS,
        statistics::FUNCTIONS,
    ];
    families.into_iter().flatten()
}

impl Registry {
    /// Chooses the overload and makes its aggregator. Aggregates convert no argument implicitly.
    pub fn bind_aggregate(
        &self,
        name: &str,
        arguments: &[AggregateArgument],
        settings: &FunctionSettings,
    ) -> Result<BoundAggregate, String> {
        let function =
            self.aggregate(name).ok_or_else(|| format!("Can't find any functions with the name '{name}'"))?;
        let kinds: Vec<Argument> = arguments
            .iter()
            .map(|argument| argument.sql_type.clone().map_or(Argument::Null, Argument::Typed))
            .collect();
        let signatures: Vec<Signature> = function.overloads.iter().map(|o| o.signature.clone()).collect();
        let (chosen, _) = resolve(&function.name, &signatures, &kinds, false)?;
        let overload = &function.overloads[chosen];
        let columns = arguments.len().saturating_sub(overload.constants);
        let mut literals = Vec::with_capacity(overload.constants);
        for (position, argument) in arguments.iter().enumerate().skip(columns) {
            literals.push(argument.literal.clone().ok_or_else(|| {
                format!(
                    "Parameter {} passed to function {} must be a literal constant, but was expression: '{}'",
                    position + 1,
                    function.name,
                    argument.text
                )
            })?);
        }
        let types: Vec<SqlType> = arguments[..columns]
            .iter()
            .map(|argument| argument.sql_type.clone().unwrap_or(SqlType::String))
            .collect();
        let aggregator = (overload.factory)(&Site { types: &types, literals: &literals, settings })?;
        Ok(BoundAggregate { aggregator, columns })
    }
}

/// The first argument of a row; null when there is none.
fn first(arguments: &[Value]) -> &Value {
    const NULL: &Value = &Value::Null;
    arguments.first().unwrap_or(NULL)
}

/// The elements of an ARRAY or STRUCT state; none for a null one.
fn items(state: &Value) -> &[Value] {
    match state {
        Value::Array(values) | Value::Struct(values) => values,
        _ => &[],
    }
}

#[cfg(test)]
mod tests;
