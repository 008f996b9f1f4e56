//! Plans: what the planner decides and the engine runs.
//!
//! Invariants: every expression in a step reads columns of that step's *input* schema by bare name (`ColumnRef::source` is `None`);
//! types are resolved (no user types in casts), aggregate calls occur only in [`Aggregate::calls`] and table functions only in
//! [`FlatMap::calls`]. A row is a list of values in the order of its step's schema; its timestamp and window travel beside it.
//! Absences: nothing here says how state is kept or where a step runs.

mod explain;
mod format;
mod query;
mod source;
mod step;

pub use format::{Format, FormatInfo, FormatProperty, SerdeFeature};
pub use query::{
    Access, InsertValues, KeyLookup, PersistentPlan, PullPlan, PushPlan, QueryId, QueryKind, Sink, TimeBound, WindowBounds,
};
pub use source::{DataSource, LegacyKey, SourceKind, TimestampColumn, WindowInfo, WindowType};
pub use step::{
    Aggregate, AggregateCall, Filter, FlatMap, Join, JoinColumn, JoinForm, PartitionBy, Project, SourceColumn, SourceStep, Step, Suppress,
    TableCall, WindowSpec, WindowSpecKind,
};
