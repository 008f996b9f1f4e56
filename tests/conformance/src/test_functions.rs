//! Functions that exist only in ksqlDB's own tests, which some cases call.
//!
//! Nothing of this is in the product: the registry made here serves the runner alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use millrace_sql::cast::value_text;
use millrace_sql::expr::EvalError;
use millrace_sql::functions::aggregate::{AggregateFunction, AggregateOverload, Factory, Site};
use millrace_sql::functions::signature::Signature;
use millrace_sql::functions::{Aggregator, Call, Registry, ScalarFunction, ScalarOverload};
use millrace_sql::types::SqlType;
use millrace_sql::value::Value;

type Body = fn(&Call<'_>) -> Result<Value, EvalError>;

/// ksqlDB's functions and those of its tests.
pub fn registry() -> Registry {
    let mut registry = Registry::builtin().clone();
    for (name, overloads) in SCALARS {
        registry.add_scalar(function(name, overloads));
    }
    for (name, overloads) in TABLES {
        registry.add_table(function(name, overloads));
    }
    for (name, overloads) in AGGREGATES {
        let overloads = overloads.iter().filter_map(|(text, constants, factory)| {
            let signature = Signature::parse(text).ok()?;
            Some(AggregateOverload { signature, constants: *constants, factory: *factory })
        });
        let about = String::new();
        registry.add_aggregate(AggregateFunction { name: (*name).to_string(), about, overloads: overloads.collect() });
    }
    registry
}

fn function(name: &str, overloads: &[(&str, Body)]) -> ScalarFunction {
    let overload = |(text, body): &(&str, Body)| {
        Some(ScalarOverload { signature: Signature::parse(text).ok()?, strict: false, tolerant: false, derive: None, body: Arc::new(*body) })
    };
    ScalarFunction {
        name: name.to_string(),
        category: "TEST".to_string(),
        about: String::new(),
        overloads: overloads.iter().filter_map(overload).collect(),
    }
}

const SCALARS: &[(&str, &[(&str, Body)])] = &[
    ("WHENCONDITION", &[("(returned BOOLEAN, wanted BOOLEAN) -> BOOLEAN", when)]),
    ("WHENRESULT", &[("(returned INT, wanted BOOLEAN) -> INT", when)]),
    ("TOSTRUCT", &[("(text STRING) -> STRUCT<A STRING>", |call| Ok(Value::structure([call.value(0).clone()])))]),
    ("TEST_UDF", &[
        ("() -> STRUCT<A STRING>", |_| Ok(Value::structure([Value::from("foo")]))),
        ("(a INT, b STRING) -> STRING", |_| Ok(Value::from("doStuffIntString"))),
        ("(a BIGINT, b STRING) -> STRING", |_| Ok(Value::from("doStuffLongString"))),
        ("(a BIGINT, b BIGINT, c STRING) -> STRING", |_| Ok(Value::from("doStuffLongLongString"))),
        ("(numbers BIGINT...) -> STRING", |_| Ok(Value::from("doStuffLongVarargs"))),
        ("(s STRUCT<A STRING>) -> STRING", |call| match call.value(0) {
            Value::Struct(fields) => Ok(fields.first().cloned().unwrap_or_default()),
            _ => Ok(Value::Null),
        }),
    ]),
    ("BAD_UDF", &[
        ("(fail BOOLEAN) -> INT", |call| match call.value(0) {
            Value::Boolean(true) => Err(EvalError::new("boom!")),
            _ => Ok(Value::Int(0)),
        }),
        ("(arg INT) -> INT", every_other),
        ("(arg STRING) -> STRING", |_| Ok(Value::Null)),
    ]),
];

const TABLES: &[(&str, &[(&str, Body)])] = &[
    ("TEST_UDTF", &[
        ("(a INT, b BIGINT, c DOUBLE, d BOOLEAN, e STRING, f DECIMAL, g STRUCT<A STRING>) -> ARRAY<STRING>", shown),
        (
            "(a ARRAY<INT>, b ARRAY<BIGINT>, c ARRAY<DOUBLE>, d ARRAY<BOOLEAN>, e ARRAY<STRING>, f ARRAY<DECIMAL>, \
             g ARRAY<STRUCT<A STRING>>) -> ARRAY<STRING>",
            shown,
        ),
        (
            "(a MAP<STRING, INT>, b MAP<STRING, BIGINT>, c MAP<STRING, DOUBLE>, d MAP<STRING, BOOLEAN>, e MAP<STRING, STRING>, \
             f MAP<STRING, DECIMAL>, g MAP<STRING, STRUCT<A STRING>>) -> ARRAY<STRING>",
            shown,
        ),
        ("(only T) -> ARRAY<T>", |call| match call.value(0) {
            Value::Null => Err(EvalError::new("null")),
            value => Ok(Value::array([value.clone()])),
        }),
    ]),
    ("THROWING_UDTF", &[("(fail BOOLEAN) -> ARRAY<BOOLEAN>", |call| match call.value(0) {
        Value::Boolean(true) => Err(EvalError::new("You asked me to throw...")),
        value => Ok(Value::array([value.clone()])),
    })]),
];

/// Returns its first argument, and fails when it was not to be asked.
fn when(call: &Call<'_>) -> Result<Value, EvalError> {
    match call.value(1) {
        Value::Boolean(true) => Ok(call.value(0).clone()),
        _ => Err(EvalError::new("When condition in case is not running lazily!")),
    }
}

/// Gives its argument back, and fails the first time, the third, the fifth ..
fn every_other(call: &Call<'_>) -> Result<Value, EvalError> {
    let calls = call.prepared("", |_| Ok(AtomicU64::new(0)))?;
    match calls.fetch_add(1, Ordering::Relaxed) % 2 {
        0 => Err(EvalError::new("boom!")),
        _ => Ok(call.value(0).clone()),
    }
}

/// Each argument, or an array's first element or a map's first value, as text.
fn shown(call: &Call<'_>) -> Result<Value, EvalError> {
    let text = |(value, sql_type): (&Value, &Option<SqlType>)| match (value, sql_type) {
        (Value::Array(values), Some(SqlType::Array(element))) => {
            values.first().map_or(Value::Null, |value| Value::from(value_text(value, element)))
        }
        (Value::Map(map), Some(SqlType::Map(_, element))) => {
            map.java_order().first().map_or(Value::Null, |(_, value)| Value::from(value_text(value, element)))
        }
        (value, Some(sql_type)) => Value::from(value_text(value, sql_type)),
        _ => Value::Null,
    };
    Ok(Value::array(call.arguments.iter().zip(call.types).map(text)))
}

/// A signature, how many trailing parameters are constants, and what makes the aggregator.
type AggregateRow = (&'static str, usize, Factory);

const AGGREGATES: &[(&str, &[AggregateRow])] = &[
    ("TEST_UDAF", &[
        ("(value BIGINT) -> BIGINT", 0, lengths),
        ("(value INT) -> BIGINT", 0, lengths),
        ("(value STRING) -> BIGINT", 0, lengths),
        ("(value STRING, initial STRING) -> BIGINT", 1, lengths),
        ("(value STRUCT<A INT, B INT>) -> STRUCT<A INT, B INT>", 0, sums),
    ]),
    ("VAR_ARG", &[("(value BIGINT, texts STRING...) -> BIGINT", 0, lengths)]),
    ("MID_VAR_ARG", &[("(value BIGINT, texts STRING..., first INT, second INT) -> BIGINT", 2, lengths)]),
    ("MULTI_ARG", &[
        ("(value BIGINT, text STRING, initial INT) -> BIGINT", 1, lengths),
        ("(value BIGINT, text STRING, initial INT, a STRING, b STRING, c STRING) -> BIGINT", 4, lengths),
    ]),
    ("FOUR_ARG", &[(
        "(value BIGINT, x STRING, y STRING, z STRING, initial INT, a STRING, b STRING, c STRING) -> BIGINT",
        4,
        lengths,
    )]),
    ("FIVE_ARG", &[(
        "(value BIGINT, w STRING, x STRING, y STRING, z STRING, initial INT, a STRING, b STRING, c STRING) -> BIGINT",
        4,
        lengths,
    )]),
    ("GENERIC_VAR_ARG", &[("(value A, other B, more C...) -> ARRAY<A>", 0, collect)]),
    ("OBJ_COL_ARG", &[("(value INT, others ANY...) -> ARRAY<INT>", 0, collect)]),
];

/// A number as it is, a text as its length in UTF-16 units, anything else as nothing.
fn weight(value: &Value) -> i64 {
    match value {
        Value::String(text) => text.encode_utf16().count() as i64,
        other => other.as_i64().unwrap_or(0),
    }
}

/// The sum of all arguments' weights, from the weight of the constants on.
#[derive(Debug)]
struct Lengths {
    initial: i64,
}

fn lengths(site: &Site<'_>) -> Result<Arc<dyn Aggregator>, String> {
    Ok(Arc::new(Lengths { initial: site.literals.iter().map(weight).sum() }))
}

impl Aggregator for Lengths {
    fn state_type(&self) -> &SqlType {
        &SqlType::BigInt
    }

    fn result_type(&self) -> &SqlType {
        &SqlType::BigInt
    }

    fn initial(&self) -> Value {
        Value::BigInt(self.initial)
    }

    fn add(&self, state: Value, arguments: &[Value], _: i64) -> Result<Value, EvalError> {
        Ok(Value::BigInt(weight(&state) + arguments.iter().map(weight).sum::<i64>()))
    }

    fn can_undo(&self) -> bool {
        true
    }

    fn undo(&self, state: Value, arguments: &[Value]) -> Result<Value, EvalError> {
        Ok(Value::BigInt(weight(&state) - arguments.iter().map(weight).sum::<i64>()))
    }

    fn merge(&self, left: Value, right: Value) -> Result<Value, EvalError> {
        Ok(Value::BigInt(weight(&left) + weight(&right) - self.initial))
    }
}

/// A struct of the sums of the arguments' numbers, field by field.
#[derive(Debug)]
struct Sums {
    sql_type: SqlType,
}

fn sums(site: &Site<'_>) -> Result<Arc<dyn Aggregator>, String> {
    let sql_type = site.types.first().cloned().ok_or("no argument")?;
    Ok(Arc::new(Sums { sql_type }))
}

fn by_field(left: &Value, right: &Value, combine: fn(i64, i64) -> i64) -> Value {
    let (Value::Struct(left), Value::Struct(right)) = (left, right) else { return left.clone() };
    Value::structure(left.iter().zip(right.iter()).map(|(left, right)| Value::Int(combine(weight(left), weight(right)) as i32)))
}

impl Aggregator for Sums {
    fn state_type(&self) -> &SqlType {
        &self.sql_type
    }

    fn result_type(&self) -> &SqlType {
        &self.sql_type
    }

    fn initial(&self) -> Value {
        Value::structure(self.sql_type.fields().iter().map(|_| Value::Int(0)))
    }

    fn add(&self, state: Value, arguments: &[Value], _: i64) -> Result<Value, EvalError> {
        Ok(arguments.first().map_or(state.clone(), |value| by_field(&state, value, |sum, number| sum + number)))
    }

    fn can_undo(&self) -> bool {
        true
    }

    fn undo(&self, state: Value, arguments: &[Value]) -> Result<Value, EvalError> {
        Ok(arguments.first().map_or(state.clone(), |value| by_field(&state, value, |sum, number| sum - number)))
    }

    fn merge(&self, left: Value, right: Value) -> Result<Value, EvalError> {
        Ok(by_field(&left, &right, |left, right| left + right))
    }
}

/// The first arguments of all rows without a null.
#[derive(Debug)]
struct Collect {
    list: SqlType,
}

fn collect(site: &Site<'_>) -> Result<Arc<dyn Aggregator>, String> {
    let element = site.types.first().cloned().ok_or("no argument")?;
    Ok(Arc::new(Collect { list: SqlType::array(element) }))
}

impl Aggregator for Collect {
    fn state_type(&self) -> &SqlType {
        &self.list
    }

    fn result_type(&self) -> &SqlType {
        &self.list
    }

    fn initial(&self) -> Value {
        Value::array([])
    }

    fn add(&self, state: Value, arguments: &[Value], _: i64) -> Result<Value, EvalError> {
        match (&state, arguments.first()) {
            (Value::Array(known), Some(first)) if !arguments.iter().any(Value::is_null) => {
                Ok(Value::array(known.iter().chain([first]).cloned()))
            }
            _ => Ok(state),
        }
    }

    fn merge(&self, left: Value, right: Value) -> Result<Value, EvalError> {
        match (&left, &right) {
            (Value::Array(first), Value::Array(second)) => Ok(Value::array(first.iter().chain(second.iter()).cloned())),
            _ => Ok(left),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signature_can_be_read() {
        let all = SCALARS.iter().chain(TABLES).flat_map(|(_, overloads)| overloads.iter().map(|(text, _)| *text));
        let aggregates = AGGREGATES.iter().flat_map(|(_, overloads)| overloads.iter().map(|(text, _, _)| *text));
        for text in all.chain(aggregates) {
            assert!(Signature::parse(text).is_ok(), "{text}");
        }
    }
}
