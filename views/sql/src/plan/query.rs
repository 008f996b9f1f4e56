//! Whole queries: persistent, push, pull; and the rows of INSERT VALUES.

use std::fmt;
use std::sync::Arc;

use crate::ast::Expression;
use crate::name::Name;
use crate::plan::{DataSource, Step};
use crate::schema::Schema;

/// A query's identity, such as `CSAS_OUTPUT_3`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(pub Arc<str>);

impl QueryId {
    pub fn new(text: impl AsRef<str>) -> QueryId {
        QueryId(Arc::from(text.as_ref()))
    }
}

impl fmt::Display for QueryId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QueryKind {
    CreateAs,
    Insert,
}

/// A query that writes a sink until it is terminated.
#[derive(Clone, Debug, PartialEq)]
pub struct PersistentPlan {
    pub id: QueryId,
    pub kind: QueryKind,
    /// The statement as formatted for listings.
    pub statement: String,
    /// Its schema is the sink's: keys first, then values.
    pub root: Step,
    pub sink: Sink,
}

/// What a persistent query writes: always a source of the catalog.
#[derive(Clone, Debug, PartialEq)]
pub struct Sink {
    pub source: Arc<DataSource>,
    /// The topic must be made with these when it does not exist.
    pub partitions: Option<i32>,
    pub replicas: Option<i16>,
    pub retention_ms: Option<i64>,
    pub cleanup_policy: Option<String>,
}

/// A SELECT that runs until it is stopped or its limit is reached.
#[derive(Clone, Debug, PartialEq)]
pub struct PushPlan {
    pub root: Step,
    pub limit: Option<i64>,
    /// The answer's columns, keys told apart.
    pub schema: Schema,
}

/// A SELECT that reads state (a table) or a topic up to its present end (a stream) and ends.
#[derive(Clone, Debug, PartialEq)]
pub struct PullPlan {
    pub source: Arc<DataSource>,
    /// `Project(Filter?(Source))`: rows found through `access` go through it.
    pub root: Step,
    pub access: Access,
    pub limit: Option<i64>,
    pub schema: Schema,
}

/// How a pull query finds its rows. The filter of the plan still holds for each of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Access {
    /// These keys (without repeats), each within its window bounds.
    Keys(Vec<KeyLookup>),
    /// All keys between the bounds, in key order.
    KeyRange { low: Option<Expression>, high: Option<Expression> },
    Scan,
}

/// Constants for all key columns, in the order of the schema.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyLookup {
    pub key: Vec<Expression>,
    pub window: WindowBounds,
}

/// Bounds on a window's start and end, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct WindowBounds {
    pub start: TimeBound,
    pub end: TimeBound,
}

/// Inclusive bounds; `None` is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TimeBound {
    pub low: Option<i64>,
    pub high: Option<i64>,
}

impl TimeBound {
    pub fn contains(&self, time_ms: i64) -> bool {
        self.low.is_none_or(|low| low <= time_ms) && self.high.is_none_or(|high| time_ms <= high)
    }
}

/// The row of an INSERT VALUES: constants by column of the target's schema.
#[derive(Clone, Debug, PartialEq)]
pub struct InsertValues {
    pub target: Arc<DataSource>,
    /// In the order of the target's schema; `None` where nothing was given (null). To be coerced to the column's type.
    pub columns: Vec<Option<Expression>>,
    /// ROWTIME, when given.
    pub timestamp: Option<Expression>,
    /// The columns named in the text.
    pub given: Vec<Name>,
}
