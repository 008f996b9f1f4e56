//! Evaluates SQL texts over a fixed row, for the tables of expected values in this crate's tests.

use super::super::{EvalContext, Expr};
use crate::functions::Registry;
use crate::parser::{Limits, parse_expression};
use crate::schema::{Column, Role, Schema};
use crate::types::SqlType;
use crate::value::Value;

fn columns() -> Vec<(&'static str, SqlType, Value)> {
    let address = SqlType::structure([("CITY", SqlType::String), ("ZIP", SqlType::Integer)]);
    vec![
        ("I", SqlType::Integer, Value::Int(5)),
        ("L", SqlType::BigInt, Value::BigInt(7_000_000_000)),
        ("D", SqlType::Double, Value::Double(1.5)),
        ("DEC", SqlType::Decimal { precision: 4, scale: 2 }, Value::Decimal("12.34".parse().expect("a decimal"))),
        ("S", SqlType::String, "Hello".into()),
        ("BO", SqlType::Boolean, Value::Boolean(true)),
        ("BIN", SqlType::Bytes, Value::bytes(vec![0x21, 0xff])),
        ("DT", SqlType::Date, Value::Date(18_000)),
        ("TI", SqlType::Time, Value::Time(3_600_000)),
        ("TS", SqlType::Timestamp, Value::Timestamp(1_526_075_913_000)),
        ("A", SqlType::array(SqlType::Integer), Value::array([3.into(), Value::Null, 1.into()])),
        ("M", SqlType::map(SqlType::String, SqlType::Integer), Value::map([("x".into(), 1.into()), ("y".into(), 2.into())])),
        ("ST", address, Value::structure(["Ulm".into(), 89_073.into()])),
        ("N", SqlType::Integer, Value::Null),
        ("NS", SqlType::String, Value::Null),
        ("NA", SqlType::array(SqlType::Integer), Value::Null),
    ]
}

fn compile(sql: &str) -> Result<Expr, String> {
    let expression = parse_expression(sql, &Limits::STANDARD).map_err(|error| format!("syntax: {error}"))?;
    let columns = columns().into_iter().map(|(name, sql_type, _)| Column::new(name, sql_type, Role::Value)).collect();
    let schema = Schema::new(columns).expect("unique names");
    Expr::compile(&expression, &schema, Registry::builtin()).map_err(|error| error.message)
}

/// The type and value of an expression: `STRING abc`, `INTEGER NULL`, `ERROR`, or `REFUSED reason`.
pub(crate) fn show(sql: &str) -> String {
    let expr = match compile(sql) {
        Ok(expr) => expr,
        Err(reason) => return format!("REFUSED {}", reason.lines().next().unwrap_or_default()),
    };
    let row: Vec<Value> = columns().into_iter().map(|(_, _, value)| value).collect();
    let context = EvalContext::new(1_000_000_000_000, 42);
    let Some(sql_type) = expr.sql_type() else { return "NULL".to_owned() };
    match expr.eval(&row, &context) {
        Ok(Value::Null) => format!("{sql_type} NULL"),
        Ok(value) => format!("{sql_type} {}", crate::cast::value_text(&value, sql_type)),
        Err(_) => "ERROR".to_owned(),
    }
}

/// Checks `(expression, type and value)` pairs; all failures are told at once.
#[track_caller]
pub(crate) fn check(cases: &[(&str, &str)]) {
    let failures: Vec<String> = cases
        .iter()
        .map(|(sql, expected)| (sql, expected, show(sql)))
        .filter(|(_, expected, actual)| **expected != actual)
        .map(|(sql, expected, actual)| format!("{sql}\n  expected {expected}\n  actual   {actual}"))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
