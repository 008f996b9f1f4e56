//! Operators: one file each, one function from a change to changes.
//!
//! Invariants: an operator reads and writes its own tables only, keeps nothing between calls but its plan, and emits in a fixed order.
//! A failing expression is a null (or a dropped row, where the operator says so) and a line in the processing log.

mod aggregate;
mod filter;
mod flat_map;
mod group;
mod join;
mod partition_by;
mod project;
mod rewindow;
mod scalar;
mod table;
#[cfg(test)]
mod tests;

pub use aggregate::{Fold, Folds, Grouping, Live, Retention, SessionAggregate, StreamAggregate, TableAggregate, WindowAggregate};
pub use filter::Filter;
pub use flat_map::FlatMap;
pub use group::Group;
use group::group_of;
pub use join::{Answer, Joiner, Resolve, SideTables, StreamStreamJoin, StreamTableJoin, Subscribe, TableTableJoin};
pub use partition_by::PartitionBy;
pub use project::Project;
pub use rewindow::Rewindow;
pub use scalar::{Scalar, Scalars};
pub use table::Table;

use millrace_sql::expr::EvalContext;

use crate::error::EngineError;
use crate::log::{LogEvent, LogKind};
use crate::row::Change;
use crate::state::{StoreError, Stored, TableId, Unit, decode_values};

/// Where a change enters an operator with two inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    Left,
    Right,
}

/// How the rows that an operator has told of last can be had again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// It takes what it was told to know them.
    Opaque,
    /// Each from the row below it, of the same key: the operator keeps nothing.
    Through,
    /// Each from its group's row of this table, under the same key or, where there are windows, one that begins with it and follows
    /// their order: see [`Operator::told`].
    Group(TableId),
    /// Each lies as it was told in this table, under the same key. Another plan may read other columns of it.
    Row(TableId),
}

pub trait Operator: Send + Sync {
    /// Consumes one change; what it emits is appended to `out` in order.
    fn process(&self, port: Port, change: Change, context: &mut Context<'_>, out: &mut Vec<Change>) -> Result<(), EngineError>;

    fn look(&self) -> Look {
        Look::Opaque
    }

    /// The change that was told last of a row that it keeps.
    fn told(&self, key: &[u8], kept: &Stored) -> Result<Change, EngineError> {
        let key = decode_values(key).map_err(StoreError::from)?.into();
        Ok(Change { key: Some(key), window: None, new: Some(kept.row.clone()), old: None, timestamp: kept.timestamp })
    }
}

/// What operators share while one input record runs through them.
pub struct Context<'a> {
    pub unit: Unit<'a>,
    pub eval: EvalContext,
    /// The input partition that the record came from.
    pub partition: i32,
    pub log: Vec<LogEvent>,
    /// Name of the step at work, for the log.
    pub step: &'static str,
    /// Windows that are past the retention, by the keys that their rows have in a result.
    pub expired: Vec<Vec<u8>>,
    /// Which windows are left, where the record fell into some.
    pub live: Option<Live>,
    /// Lists that changes were in, empty again: they are wanted with every record.
    pub spare: Vec<Vec<Change>>,
}

impl<'a> Context<'a> {
    pub fn new(unit: Unit<'a>, eval: EvalContext) -> Context<'a> {
        Context { unit, eval, partition: 0, log: Vec::new(), step: "", expired: Vec::new(), live: None, spare: Vec::new() }
    }

    pub fn note(&mut self, message: impl Into<String>) {
        let what = LogKind::Processing { message: message.into() };
        self.log.push(LogEvent { step: self.step, what });
    }

    /// Moves errors that expressions swallowed into the log.
    fn drain_swallowed(&mut self) {
        for error in self.eval.take_swallowed() {
            self.note(error.to_string());
        }
    }
}

/// Rows of times before this are removed when `now` is the greatest time seen: those past the retention, in few steps, because to
/// look for some costs much more than to keep a few for longer. Who reads leaves out what is past the retention.
fn expired_before(now: i64, retention_ms: i64) -> i64 {
    let live = now.saturating_sub(retention_ms);
    live.saturating_sub(live.rem_euclid((retention_ms / 16).max(1)))
}

/// A number that an operator keeps between records, such as its stream time.
#[derive(Clone, Copy, Debug)]
struct Register {
    table: TableId,
    name: &'static [u8],
}

impl Register {
    const fn new(table: TableId, name: &'static [u8]) -> Register {
        Register { table, name }
    }

    fn read(self, unit: &mut Unit<'_>) -> Result<Option<i64>, StoreError> {
        unit.register(self.table, self.name)
    }

    fn write(self, unit: &mut Unit<'_>, number: i64) {
        unit.set_register(self.table, self.name, number);
    }

    /// Raises the number to at least `to` and returns it.
    fn raise(self, unit: &mut Unit<'_>, to: i64) -> Result<i64, StoreError> {
        match self.read(unit)? {
            Some(known) if known >= to => Ok(known),
            _ => {
                self.write(unit, to);
                Ok(to)
            }
        }
    }
}
