//! Operators against oracles that compute the answer in another way: from all input at once, without state.

mod aggregates;
mod joins;

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_sql::ast::Expression;
use millrace_sql::expr::EvalContext;
use millrace_sql::functions::{FunctionSettings, Registry};
use millrace_sql::name::Name;
use millrace_sql::parser::{Limits, parse_expression};
use millrace_sql::plan::{AggregateCall, JoinColumn};
use millrace_sql::schema::{Column, Role, Schema};
use millrace_sql::types::SqlType;
use millrace_sql::value::Value;

use super::*;
use crate::compile::Settings;
use crate::row::{Key, Row, Window};
use crate::state::{MemoryStore, Pending, encode_windowed};

/// `K INT KEY, V BIGINT`: what all inputs here look like.
fn schema() -> Schema {
    Schema::new(vec![
        Column::new("K", SqlType::Integer, Role::Key),
        Column::new("V", SqlType::BigInt, Role::Value),
    ])
    .unwrap()
}

fn expression(text: &str) -> Expression {
    parse_expression(text, &Limits::STANDARD).unwrap()
}

fn scalar(text: &str) -> Scalar {
    Scalar(millrace_sql::expr::Expr::compile(&expression(text), &schema(), Registry::builtin()).unwrap())
}

/// COUNT(V) and SUM(V) by V modulo 3 or by K.
fn folds(group_by: &str) -> Folds {
    let settings = FunctionSettings::default();
    let settings = Settings { functions: Registry::builtin(), function_settings: &settings, strict_timestamps: false };
    let call = |function: &str| AggregateCall {
        function: Name::new(function),
        arguments: vec![expression("V")],
        argument_types: vec![Some(SqlType::BigInt)],
        column: Name::new(function),
        result: SqlType::BigInt,
    };
    let fold = |function| Fold::compile(&call(function), &schema(), &settings).unwrap();
    Folds {
        grouping: Grouping::Computed(Scalars(vec![scalar(group_by)])),
        folds: vec![fold("COUNT"), fold("SUM")],
        registers: TableId(100),
        old_wanted: true,
    }
}

/// Key, then both sides' values.
fn joiner() -> Joiner {
    Joiner { columns: vec![JoinColumn::Key(0), JoinColumn::Left(1), JoinColumn::Right(1)] }
}

fn key(key: i32) -> Key {
    Arc::from([Value::Int(key)])
}

fn row(key: i32, value: i64) -> Row {
    Arc::from([Value::Int(key), Value::BigInt(value)])
}

fn event(k: i32, value: i64, timestamp: i64) -> Change {
    Change { key: Some(key(k)), window: None, new: Some(row(k, value)), old: None, timestamp }
}

/// Feeds the changes one unit each, and returns all that came out.
fn run(operator: &dyn Operator, changes: impl IntoIterator<Item = (Port, Change)>) -> Vec<Change> {
    run_and_keep(operator, changes).0
}

/// The same, with how many rows are kept in the end.
fn run_and_keep(operator: &dyn Operator, changes: impl IntoIterator<Item = (Port, Change)>) -> (Vec<Change>, usize) {
    let store = MemoryStore::new();
    let mut pending = Pending::default();
    let mut out = Vec::new();
    for (port, change) in changes {
        let mut context = Context::new(Unit::resume(&store, pending), EvalContext::new(0, 0));
        operator.process(port, change, &mut context, &mut out).unwrap();
        pending = context.unit.into_pending();
    }
    let kept = pending.rows().iter().flat_map(|(_, rows)| rows.iter()).filter(|(_, row)| row.is_some()).count();
    (out, kept)
}

/// A stream of row changes as table changes, with what stood there before.
fn table(changes: &[(i32, Option<i64>)]) -> Vec<Change> {
    let mut rows: BTreeMap<i32, Row> = BTreeMap::new();
    let change = |(at, (k, value)): (usize, &(i32, Option<i64>))| {
        let new = value.map(|value| row(*k, value));
        let old = match &new {
            Some(new) => rows.insert(*k, new.clone()),
            None => rows.remove(k),
        };
        Change { key: Some(key(*k)), window: None, new, old, timestamp: at as i64 }
    };
    changes.iter().enumerate().map(change).collect()
}

/// The table that changes leave behind.
fn net(changes: &[Change]) -> BTreeMap<(Vec<u8>, Option<Window>), Vec<Value>> {
    let mut rows = BTreeMap::new();
    for change in changes {
        let at = (encode_windowed(change.key.as_ref().unwrap(), None), change.window);
        match &change.new {
            Some(row) => rows.insert(at, row.to_vec()),
            None => rows.remove(&at),
        };
    }
    rows
}
