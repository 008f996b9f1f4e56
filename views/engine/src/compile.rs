//! A plan's steps as a dataflow of operators.
//!
//! Invariant: tables are numbered by the order of the stateful steps alone, so that adding a filter or a projection to a query
//! leaves its state where it is.

use std::sync::Arc;

use millrace_sql::ast::{Expression, JoinKind};
use millrace_sql::expr::{Expr, compile_table_call};
use millrace_sql::functions::{FunctionSettings, Registry};
use millrace_sql::plan::{
    Aggregate, AggregateCall, Filter as FilterStep, FlatMap as FlatMapStep, Join, JoinForm, PartitionBy as PartitionByStep,
    Project as ProjectStep, SourceKind, Step, WindowSpecKind,
};
use millrace_sql::schema::{Role, Schema};

use crate::dataflow::{Dataflow, Target};
use crate::error::CompileError;
use crate::lookup::repeats;
use crate::operators::{
    Answer, Filter, FlatMap, Fold, Folds, Group, Grouping, Joiner, Operator, PartitionBy, Port, Project, Resolve, Retention, Rewindow,
    Scalar, Scalars, SessionAggregate, SideTables, StreamAggregate, StreamStreamJoin, StreamTableJoin, Subscribe, Table, TableAggregate,
    TableTableJoin, WindowAggregate,
};
use crate::source::Source;
use crate::stages::{Crossing, Way};
use crate::state::TableId;

/// What a plan is compiled with.
#[derive(Clone, Copy)]
pub struct Settings<'a> {
    pub functions: &'a Registry,
    pub function_settings: &'a FunctionSettings,
    /// A row whose timestamp column is not valid stops the query (`ksql.timestamp.throw.on.invalid`).
    pub strict_timestamps: bool,
}

/// Tables per stateful operator: more than any of them uses.
const TABLES_PER_OPERATOR: u32 = 8;

/// Foreign-key joins were one operator once.
const FOREIGN_KEY_LAYOUT: i32 = 2;

/// Grace of stream-stream joins that name none.
const DEFAULT_GRACE_MS: i64 = 24 * 60 * 60 * 1000;

/// The places where a plan's rows move, and the topics through which they do.
#[derive(Clone, Copy, Default)]
pub struct Moves<'a> {
    pub crossings: &'a [Crossing<'a>],
    /// In the order of the crossings.
    pub topics: &'a [Arc<str>],
}

/// The dataflow of the stage that ends in a query's root step: of the whole query when no rows move.
pub fn compile(root: &Step, moves: Moves<'_>, settings: &Settings<'_>) -> Result<Dataflow, CompileError> {
    let mut compiler = Compiler { settings, moves, root, dataflow: Dataflow::default(), stateful: 0 };
    compiler.step(root, Target::Result, Wants::default())?;
    Ok(compiler.dataflow)
}

/// The dataflow of the stage whose rows go through a crossing.
pub fn compile_crossing(at: usize, moves: Moves<'_>, settings: &Settings<'_>) -> Result<Dataflow, CompileError> {
    let crossing = moves.crossings.get(at).ok_or(CompileError::Plan("a crossing that the plan does not have"))?;
    let mut compiler = Compiler { settings, moves, root: crossing.step, dataflow: Dataflow::default(), stateful: 0 };
    match crossing.way {
        Way::Key => compiler.step(crossing.step, Target::Result, KEPT_ABOVE)?,
        Way::Reference(join) => compiler.subscriptions(join, Target::Result)?,
        Way::Back(join) => compiler.answers(join, Target::Result)?,
        Way::Group(group_by) => {
            let operator = Group { group_by: compiler.scalars(group_by, crossing.step.schema())? };
            let target = compiler.node("GroupBy", Box::new(operator), Target::Result);
            compiler.step(crossing.step, target, Wants { old: true, ..Wants::default() })?;
        }
    }
    Ok(compiler.dataflow)
}

/// What the steps above ask of a step.
#[derive(Clone, Copy, Default)]
struct Wants {
    /// EMIT FINAL: a window's last row alone.
    final_only: bool,
    /// The rows that stood before a table's changes.
    old: bool,
    /// No rows: they are kept there.
    kept_above: bool,
}

/// Joins keep the rows of both sides themselves, and so does what rows cross to.
const KEPT_ABOVE: Wants = Wants { final_only: false, old: false, kept_above: true };

struct Compiler<'a> {
    settings: &'a Settings<'a>,
    moves: Moves<'a>,
    /// The stage's last step.
    root: &'a Step,
    dataflow: Dataflow,
    stateful: u32,
}

impl Compiler<'_> {
    /// Compiles a step whose changes go to `target`.
    fn step(&mut self, step: &Step, target: Target, wants: Wants) -> Result<(), CompileError> {
        if !std::ptr::eq(step, self.root) && self.comes_through(|crossing| crossing.is_of(step), target)? {
            return Ok(());
        }
        match step {
            Step::Source(source) => {
                let reader = Source::compile(source, self.settings)?;
                let target = match source.source.kind {
                    SourceKind::Stream => target,
                    SourceKind::Table => {
                        let rows = Some(self.tables().next()).filter(|_| wants.old || !wants.kept_above);
                        self.node("Source", Box::new(Table { rows, old_wanted: wants.old, windowed: source.source.window.is_some() }), target)
                    }
                };
                self.dataflow.add_source(reader, target);
                Ok(())
            }
            Step::Filter(filter) => {
                let operator = self.filter(filter)?;
                let name = if filter.having { "AggregateHavingFilter" } else { "WhereFilter" };
                let target = self.node(name, operator, target);
                // Only a row that was seen can be taken back.
                self.step(&filter.input, target, Wants { old: true, ..wants })
            }
            Step::Project(project) => {
                let operator = self.project(project)?;
                let target = self.node("Project", operator, target);
                self.step(&project.input, target, wants)
            }
            Step::PartitionBy(partition_by) => {
                let operator = self.partition_by(partition_by)?;
                let target = self.node("PartitionBy", operator, target);
                self.step(&partition_by.input, target, Wants::default())
            }
            Step::FlatMap(flat_map) => {
                let operator = self.flat_map(flat_map)?;
                let target = self.node("FlatMap", operator, target);
                self.step(&flat_map.input, target, Wants::default())
            }
            Step::Aggregate(aggregate) => {
                let operator = self.aggregate(aggregate, wants)?;
                let target = self.node("Aggregate", operator, target);
                self.step(&aggregate.input, target, Wants { old: true, ..Wants::default() })
            }
            Step::Join(join) if matches!(join.form, JoinForm::ForeignKey { .. }) => {
                let rows = self.tables().next();
                let target = self.foreign_key_node(Box::new(Resolve { rows, old_wanted: wants.old }), target);
                if self.comes_through(|crossing| crossing.is_back_of(join), target)? {
                    return Ok(());
                }
                self.answers(join, target)
            }
            Step::Join(join) => {
                let operator = self.join(join)?;
                let left = self.node("Join", operator, target);
                let mut right = left.on(Port::Right);
                if let Some(size_ms) = other_size(join) {
                    right = self.node("Join", Box::new(Rewindow { size_ms }), right);
                }
                self.step(&join.left, left, KEPT_ABOVE)?;
                self.step(&join.right, right, KEPT_ABOVE)
            }
            Step::Suppress(suppress) => self.step(&suppress.input, target, Wants { final_only: true, ..wants }),
        }
    }

    /// Whether what goes to `target` comes from another stage; it is then read from that one's topic.
    fn comes_through(&mut self, is_it: impl Fn(&Crossing<'_>) -> bool, target: Target) -> Result<bool, CompileError> {
        let Some(at) = self.moves.crossings.iter().position(is_it) else { return Ok(false) };
        let topic = self.moves.topics.get(at).ok_or(CompileError::Plan("a crossing without a topic"))?;
        self.dataflow.add_crossing(topic.clone(), target);
        Ok(true)
    }

    /// A foreign-key join's part at the right key.
    fn answers(&mut self, join: &Join, target: Target) -> Result<(), CompileError> {
        let mut tables = self.tables();
        let operator = Answer {
            left_outer: join.kind == JoinKind::Left,
            joiner: Joiner { columns: join.columns.clone() },
            left_keys: join.left.schema().keys().count(),
            right: tables.next(),
            subscriptions: tables.next(),
        };
        let left = self.foreign_key_node(Box::new(operator), target);
        if !self.comes_through(|crossing| crossing.is_reference_of(join), left)? {
            self.subscriptions(join, left)?;
        }
        self.step(&join.right, left.on(Port::Right), KEPT_ABOVE)
    }

    /// A foreign-key join's part at the left key, before the answers.
    fn subscriptions(&mut self, join: &Join, target: Target) -> Result<(), CompileError> {
        let JoinForm::ForeignKey { reference } = &join.form else {
            return Err(CompileError::Plan("subscriptions of a join without a foreign key"));
        };
        let reference = self.scalar(reference, join.left.schema())?;
        let mut tables = self.tables();
        let operator = Subscribe { left_outer: join.kind == JoinKind::Left, reference, names: tables.next(), registers: tables.next() };
        let left = self.foreign_key_node(Box::new(operator), target);
        self.step(&join.left, left, KEPT_ABOVE)
    }

    fn foreign_key_node(&mut self, operator: Box<dyn Operator>, target: Target) -> Target {
        self.dataflow.state_layout = FOREIGN_KEY_LAYOUT;
        self.node("Join", operator, target)
    }

    fn node(&mut self, name: &'static str, operator: Box<dyn Operator>, target: Target) -> Target {
        self.dataflow.add_node(name, operator, target)
    }

    /// The next stateful operator's tables.
    fn tables(&mut self) -> Tables {
        let first = self.stateful * TABLES_PER_OPERATOR;
        self.stateful += 1;
        Tables { next: first, end: first + TABLES_PER_OPERATOR }
    }

    fn scalar(&self, expression: &Expression, schema: &Schema) -> Result<Scalar, CompileError> {
        match Expr::compile(expression, schema, self.settings.functions) {
            Ok(expr) => Ok(Scalar(expr)),
            Err(error) => Err(CompileError::Expression(error.to_string())),
        }
    }

    fn scalars(&self, expressions: &[Expression], schema: &Schema) -> Result<Scalars, CompileError> {
        expressions.iter().map(|expression| self.scalar(expression, schema)).collect::<Result<_, _>>().map(Scalars)
    }

    fn filter(&self, step: &FilterStep) -> Result<Box<dyn Operator>, CompileError> {
        let predicate = self.scalar(&step.predicate, step.input.schema())?;
        Ok(Box::new(Filter { predicate, table: step.input.kind() == SourceKind::Table, repeats: repeats(&step.predicate) }))
    }

    fn project(&self, step: &ProjectStep) -> Result<Box<dyn Operator>, CompileError> {
        let input = step.input.schema();
        let input_keys: Vec<&str> = input.keys().map(|column| column.name.as_str()).collect();
        let mut keys = Vec::new();
        for (column, expression) in step.schema.columns().iter().zip(&step.columns) {
            if column.role == Role::Key {
                let Expression::Column(reference) = expression else {
                    return Err(CompileError::Plan("a projected key is not a key of the input"));
                };
                let at = input_keys.iter().position(|name| *name == reference.name.as_str());
                keys.push(at.ok_or(CompileError::Plan("a projected key is not a key of the input"))?);
            }
        }
        let keys_as_they_are = keys.len() == input_keys.len() && keys.iter().enumerate().all(|(at, key)| at == *key);
        Ok(Box::new(Project { columns: self.scalars(&step.columns, input)?, keys, keys_as_they_are, repeats: step.columns.iter().all(repeats) }))
    }

    fn partition_by(&self, step: &PartitionByStep) -> Result<Box<dyn Operator>, CompileError> {
        let input = step.input.schema();
        Ok(Box::new(PartitionBy {
            columns: self.scalars(&step.columns, input)?,
            keys: key_places(&step.schema),
            input_keys: key_places(input),
            input_width: input.len(),
        }))
    }

    fn flat_map(&self, step: &FlatMapStep) -> Result<Box<dyn Operator>, CompileError> {
        let input = step.input.schema();
        let calls = step.calls.iter().map(|call| {
            compile_table_call(&call.function, &call.arguments, input, self.settings.functions)
                .map(Scalar)
                .map_err(|error| CompileError::Expression(error.to_string()))
        });
        Ok(Box::new(FlatMap { calls: Scalars(calls.collect::<Result<_, _>>()?) }))
    }

    fn fold(&self, call: &AggregateCall, input: &Schema) -> Result<Fold, CompileError> {
        Fold::compile(call, input, self.settings)
    }

    fn aggregate(&mut self, step: &Aggregate, wants: Wants) -> Result<Box<dyn Operator>, CompileError> {
        let input = step.input.schema();
        let mut tables = self.tables();
        let folds = Folds {
            registers: tables.next(),
            old_wanted: wants.old,
            grouping: match self.moves.crossings.iter().any(|crossing| matches!(crossing.way, Way::Group(_)) && crossing.is_of(&step.input)) {
                true => Grouping::Carried,
                false => Grouping::Computed(self.scalars(&step.group_by, input)?),
            },
            folds: step.calls.iter().map(|call| self.fold(call, input)).collect::<Result<_, _>>()?,
        };
        if step.input.kind() == SourceKind::Table {
            return Ok(Box::new(TableAggregate { folds, groups: tables.next() }));
        }
        let Some(window) = &step.window else {
            return Ok(Box::new(StreamAggregate { folds, groups: tables.next() }));
        };
        // Kafka Streams' rule: what may still change is kept in any case.
        let retention = |size_ms: i64| {
            let least = size_ms.saturating_add(window.grace_ms);
            Retention::of(window.retention_ms.map_or(least, |given| given.max(least)))
        };
        let (size_ms, advance_ms) = match window.kind {
            WindowSpecKind::Tumbling { size_ms } => (size_ms, size_ms),
            WindowSpecKind::Hopping { size_ms, advance_ms } => (size_ms, advance_ms),
            WindowSpecKind::Session { gap_ms } => {
                return Ok(Box::new(SessionAggregate {
                    folds,
                    gap_ms,
                    grace_ms: window.grace_ms,
                    retention: retention(gap_ms),
                    final_only: wants.final_only,
                    sessions: tables.next(),
                    by_time: tables.next(),
                }));
            }
        };
        Ok(Box::new(WindowAggregate {
            folds,
            size_ms,
            advance_ms,
            grace_ms: window.grace_ms,
            retention: retention(size_ms),
            final_only: wants.final_only,
            groups: tables.next(),
        }))
    }

    fn join(&mut self, step: &Join) -> Result<Box<dyn Operator>, CompileError> {
        let joiner = Joiner { columns: step.columns.clone() };
        let left_outer = step.kind == JoinKind::Left;
        let mut tables = self.tables();
        Ok(match &step.form {
            JoinForm::StreamStream { before_ms, after_ms, grace_ms } => Box::new(StreamStreamJoin {
                kind: step.kind,
                joiner,
                before_ms: *before_ms,
                after_ms: *after_ms,
                grace_ms: grace_ms.unwrap_or(DEFAULT_GRACE_MS),
                patient: grace_ms.is_some(),
                left: SideTables { by_key: tables.next(), by_time: tables.next() },
                right: SideTables { by_key: tables.next(), by_time: tables.next() },
                unmatched: tables.next(),
                registers: tables.next(),
            }),
            JoinForm::StreamTable => Box::new(StreamTableJoin { left_outer, joiner, rows: tables.next() }),
            JoinForm::TableTable => {
                Box::new(TableTableJoin { kind: step.kind, joiner, left: tables.next(), right: tables.next() })
            }
            JoinForm::ForeignKey { .. } => return Err(CompileError::Plan("a foreign-key join is more than one operator")),
        })
    }
}

/// The size of the left side's windows, where the right side's have another.
fn other_size(join: &Join) -> Option<i64> {
    let size = |step: &Step| step.sources().first()?.source.window?.size_ms;
    let (left, right) = (size(&join.left)?, size(&join.right)?);
    (left != right).then_some(left)
}

struct Tables {
    next: u32,
    end: u32,
}

impl Tables {
    fn next(&mut self) -> TableId {
        debug_assert!(self.next < self.end, "an operator uses more tables than are set aside for it");
        self.next += 1;
        TableId(self.next - 1)
    }
}

fn key_places(schema: &Schema) -> Vec<usize> {
    let columns = schema.columns().iter().enumerate();
    columns.filter(|(_, column)| column.role == Role::Key).map(|(at, _)| at).collect()
}
