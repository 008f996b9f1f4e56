//! The steps of a dataflow. A step owns its inputs; the root is the last step.

use std::sync::Arc;

use crate::ast::{Expression, JoinKind};
use crate::name::Name;
use crate::plan::{DataSource, SourceKind, WindowType};
use crate::schema::Schema;
use crate::types::SqlType;

#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Source(SourceStep),
    Filter(Filter),
    Project(Project),
    PartitionBy(PartitionBy),
    FlatMap(FlatMap),
    Aggregate(Aggregate),
    Join(Box<Join>),
    Suppress(Suppress),
}

/// Reads a topic. The decoder needs only the columns named here.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceStep {
    pub source: Arc<DataSource>,
    /// Where each column of `schema` comes from, in the same order.
    pub columns: Vec<SourceColumn>,
    /// Names as this query knows them (a join prefixes them with the alias).
    pub schema: Schema,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceColumn {
    /// Index among all columns of the source's declared schema (whatever their role).
    Declared(usize),
    RowTime,
    RowPartition,
    RowOffset,
    WindowStart,
    WindowEnd,
}

/// Keeps rows for which the predicate is true. On a table, a row that stops matching becomes a tombstone.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    pub input: Box<Step>,
    pub predicate: Expression,
    /// The predicate came from HAVING.
    pub having: bool,
}

/// New columns from old. The key stays what it was: key columns of the output are plain references to key columns of the input.
#[derive(Clone, Debug, PartialEq)]
pub struct Project {
    pub input: Box<Step>,
    /// In the order of `schema`.
    pub columns: Vec<Expression>,
    pub schema: Schema,
}

/// Gives a stream a new key; rows move to the partition of that key.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionBy {
    pub input: Box<Step>,
    /// In the order of `schema`: expressions for the key columns, references for the carried ones.
    pub columns: Vec<Expression>,
    pub schema: Schema,
    /// Made by a join, not by a PARTITION BY clause.
    pub internal: bool,
}

/// Table functions: each input row becomes as many rows as the longest of the calls yields; shorter ones are padded with null.
#[derive(Clone, Debug, PartialEq)]
pub struct FlatMap {
    pub input: Box<Step>,
    pub calls: Vec<TableCall>,
    /// The input's columns, then one column per call.
    pub schema: Schema,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TableCall {
    pub function: Name,
    pub arguments: Vec<Expression>,
    pub column: Name,
    pub result: SqlType,
}

/// GROUP BY with its aggregates, over a stream (optionally in windows) or a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    pub input: Box<Step>,
    /// One per key column of `schema`. A row is skipped when any of them is null or fails.
    pub group_by: Vec<Expression>,
    pub window: Option<WindowSpec>,
    pub calls: Vec<AggregateCall>,
    /// Keys, then one column per call, then WINDOWSTART and WINDOWEND when windowed.
    pub schema: Schema,
    /// The grouping differs from the input's key, so rows must move.
    pub repartition: bool,
    /// Input columns that the query reads beside the calls; compared when a query is replaced.
    pub required: Vec<Name>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct AggregateCall {
    pub function: Name,
    /// Over the aggregate's input; trailing constants (as in `TOPK(x, 3)`) are literals.
    pub arguments: Vec<Expression>,
    pub argument_types: Vec<Option<SqlType>>,
    pub column: Name,
    pub result: SqlType,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WindowSpec {
    pub kind: WindowSpecKind,
    /// Given in the text; bounds how long pull queries see a window.
    pub retention_ms: Option<i64>,
    /// Given, or 24 hours.
    pub grace_ms: i64,
    pub grace_given: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WindowSpecKind {
    Tumbling { size_ms: i64 },
    Hopping { size_ms: i64, advance_ms: i64 },
    Session { gap_ms: i64 },
}

impl WindowSpec {
    pub fn window_type(&self) -> WindowType {
        match self.kind {
            WindowSpecKind::Tumbling { .. } => WindowType::Tumbling,
            WindowSpecKind::Hopping { .. } => WindowType::Hopping,
            WindowSpecKind::Session { .. } => WindowType::Session,
        }
    }

    /// Unknown for sessions.
    pub fn size_ms(&self) -> Option<i64> {
        match self.kind {
            WindowSpecKind::Tumbling { size_ms } | WindowSpecKind::Hopping { size_ms, .. } => Some(size_ms),
            WindowSpecKind::Session { .. } => None,
        }
    }
}

/// Joins two inputs on their keys: both sides come keyed by the join's value (a [`PartitionBy`] stands below where needed), but for
/// a foreign-key join, whose left side keeps its own key.
#[derive(Clone, Debug, PartialEq)]
pub struct Join {
    pub kind: JoinKind,
    pub form: JoinForm,
    pub left: Step,
    pub right: Step,
    /// Where each column of `schema` comes from, in the same order.
    pub columns: Vec<JoinColumn>,
    pub schema: Schema,
}

#[derive(Clone, Debug, PartialEq)]
pub enum JoinForm {
    /// `before` and `after` bound the other side's time relative to the left row; without a grace period outer rows come early and
    /// late rows are accepted for 24 hours.
    StreamStream { before_ms: i64, after_ms: i64, grace_ms: Option<i64> },
    StreamTable,
    TableTable,
    /// `reference` over the left row equals the right side's primary key.
    ForeignKey { reference: Expression },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JoinColumn {
    /// The join's key (the left row's, or the right row's when there is no left one).
    Key(usize),
    Left(usize),
    Right(usize),
}

/// EMIT FINAL: holds a window's row back until the window closes.
#[derive(Clone, Debug, PartialEq)]
pub struct Suppress {
    pub input: Box<Step>,
}

impl Step {
    pub fn schema(&self) -> &Schema {
        match self {
            Step::Source(step) => &step.schema,
            Step::Filter(step) => step.input.schema(),
            Step::Project(step) => &step.schema,
            Step::PartitionBy(step) => &step.schema,
            Step::FlatMap(step) => &step.schema,
            Step::Aggregate(step) => &step.schema,
            Step::Join(step) => &step.schema,
            Step::Suppress(step) => step.input.schema(),
        }
    }

    /// Whether the rows that leave this step are changes of a table or events of a stream.
    pub fn kind(&self) -> SourceKind {
        match self {
            Step::Source(step) => step.source.kind,
            Step::Filter(step) => step.input.kind(),
            Step::Project(step) => step.input.kind(),
            Step::PartitionBy(_) => SourceKind::Stream,
            Step::FlatMap(step) => step.input.kind(),
            Step::Aggregate(_) => SourceKind::Table,
            Step::Join(step) => match step.form {
                JoinForm::StreamStream { .. } | JoinForm::StreamTable => SourceKind::Stream,
                JoinForm::TableTable | JoinForm::ForeignKey { .. } => SourceKind::Table,
            },
            Step::Suppress(step) => step.input.kind(),
        }
    }

    pub fn inputs(&self) -> Vec<&Step> {
        match self {
            Step::Source(_) => Vec::new(),
            Step::Filter(step) => vec![&step.input],
            Step::Project(step) => vec![&step.input],
            Step::PartitionBy(step) => vec![&step.input],
            Step::FlatMap(step) => vec![&step.input],
            Step::Aggregate(step) => vec![&step.input],
            Step::Join(step) => vec![&step.left, &step.right],
            Step::Suppress(step) => vec![&step.input],
        }
    }

    /// The sources read, left to right.
    pub fn sources(&self) -> Vec<&SourceStep> {
        match self {
            Step::Source(step) => vec![step],
            other => other.inputs().into_iter().flat_map(Step::sources).collect(),
        }
    }
}
