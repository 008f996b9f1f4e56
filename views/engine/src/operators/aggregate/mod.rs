//! GROUP BY: rows of one group folded into one row.
//!
//! One file a form: streams, tables (with undo), time windows, sessions. A row whose group is null or fails is skipped. An aggregate
//! that cannot go on (an overflowing decimal sum) stops the query, as ksqlDB does.

mod retention;
mod session;
mod stream;
mod table;
mod window;

pub use retention::{Live, Retention};
use retention::{Sweep, result_key};
pub use session::SessionAggregate;
pub use stream::StreamAggregate;
pub use table::TableAggregate;
pub use window::WindowAggregate;

use millrace_sql::expr::{EvalError, Expr};
use millrace_sql::functions::{AggregateArgument, BoundAggregate};
use millrace_sql::plan::AggregateCall;
use millrace_sql::schema::Schema;
use millrace_sql::value::Value;

use crate::compile::Settings;
use crate::error::{CompileError, EngineError};
use crate::operators::{Context, Register, Scalar, Scalars, group_of};
use crate::row::{Change, Key, Row, Window};
use crate::state::{StoreError, Stored, TableId, decode_values};

/// One aggregate function over its arguments.
pub struct Fold {
    function: BoundAggregate,
    arguments: Scalars,
}

impl Fold {
    pub fn compile(call: &AggregateCall, input: &Schema, settings: &Settings<'_>) -> Result<Fold, CompileError> {
        let (mut described, mut compiled) = (Vec::new(), Vec::new());
        for argument in &call.arguments {
            let expr = Expr::compile(argument, input, settings.functions)
                .map_err(|error| CompileError::Expression(error.to_string()))?;
            described.push(AggregateArgument {
                sql_type: expr.sql_type().cloned(),
                literal: expr.constant().cloned(),
                text: millrace_sql::format::bare(argument),
            });
            compiled.push(Scalar(expr));
        }
        let function = settings
            .functions
            .bind_aggregate(call.function.as_str(), &described, settings.function_settings)
            .map_err(CompileError::Expression)?;
        compiled.truncate(function.columns);
        Ok(Fold { function, arguments: Scalars(compiled) })
    }
}

/// How a row's group is known.
pub enum Grouping {
    Computed(Scalars),
    /// It came by its group: that is its change's key.
    Carried,
}

/// The grouping and all aggregates of a GROUP BY. A group's state is one value per aggregate.
pub struct Folds {
    pub grouping: Grouping,
    pub folds: Vec<Fold>,
    /// Counts the rows added, for the aggregates that ask which came first.
    pub registers: TableId,
    /// Whether a later step asks what a group showed before.
    pub old_wanted: bool,
}

impl Folds {
    /// The row's group, or nothing when it belongs to none; `carried` is the key of its change.
    fn group(&self, row: &Row, carried: &Option<Key>, context: &mut Context<'_>) -> Option<Key> {
        match &self.grouping {
            Grouping::Computed(group_by) => group_of(group_by, row, context),
            Grouping::Carried => carried.clone(),
        }
    }

    fn initial(&self) -> Row {
        self.folds.iter().map(|fold| fold.function.aggregator.initial()).collect()
    }

    fn add(&self, states: &[Value], row: &Row, context: &mut Context<'_>) -> Result<Row, EngineError> {
        let counter = Register::new(self.registers, b"rows");
        let sequence = counter.read(&mut context.unit)?.unwrap_or(0);
        counter.write(&mut context.unit, sequence + 1);
        self.step(states, row, context, |fold, arguments, state| fold.function.aggregator.add(state, arguments, sequence))
    }

    fn undo(&self, states: &[Value], row: &Row, context: &mut Context<'_>) -> Result<Row, EngineError> {
        self.step(states, row, context, |fold, arguments, state| fold.function.aggregator.undo(state, arguments))
    }

    fn step(
        &self,
        states: &[Value],
        row: &Row,
        context: &mut Context<'_>,
        apply: impl Fn(&Fold, &[Value], Value) -> Result<Value, EvalError>,
    ) -> Result<Row, EngineError> {
        all(self.folds.iter().zip(states).map(|(fold, state)| {
            let arguments: Vec<Value> = fold.arguments.eval_all(row, context);
            apply(fold, &arguments, state.clone())
        }))
    }

    /// Two groups' states as one; the first came earlier.
    fn merge(&self, first: &[Value], second: &[Value]) -> Result<Row, EngineError> {
        let pairs = self.folds.iter().zip(first.iter().zip(second));
        let merge = |(fold, (first, second)): (&Fold, (&Value, &Value))| {
            fold.function.aggregator.merge(first.clone(), second.clone())
        };
        all(pairs.map(merge))
    }

    /// What the group showed before, where that is asked for.
    fn shown_before(&self, key: &Key, states: Option<&[Value]>, window: Option<Window>) -> Result<Option<Row>, EngineError> {
        let states = states.filter(|_| self.old_wanted);
        states.map(|states| self.shown(key, states, window)).transpose()
    }

    /// What was told last of a group whose key is written here.
    fn told(&self, key: &[u8], kept: &Stored, window: Option<Window>) -> Result<Change, EngineError> {
        let key = Key::from(decode_values(key).map_err(StoreError::from)?);
        let new = Some(self.shown(&key, &kept.row, window)?);
        Ok(Change { key: Some(key), window, new, old: None, timestamp: kept.timestamp })
    }

    /// The row that a group shows: its key, its results, its window.
    fn shown(&self, key: &Key, states: &[Value], window: Option<Window>) -> Result<Row, EngineError> {
        let results = self.folds.iter().zip(states).map(|(fold, state)| fold.function.aggregator.result(state));
        let row = key.iter().cloned().map(Ok).chain(results);
        match window {
            None => all(row),
            Some(window) => all(row.chain([Value::BigInt(window.start), Value::BigInt(window.end)].map(Ok))),
        }
    }
}

/// The values as a row, or the first error. The row is made in one piece, since the iterator knows its length.
fn all(values: impl Iterator<Item = Result<Value, EvalError>>) -> Result<Row, EngineError> {
    let mut failed = None;
    let row = values.map(|value| value.unwrap_or_else(|error| {
        failed.get_or_insert(error);
        Value::Null
    }));
    let row = row.collect();
    failed.map_or(Ok(row), |error| Err(stopped(error)))
}

fn stopped(error: EvalError) -> EngineError {
    EngineError::Stopped(format!("Exception caught in process. {error}"))
}
