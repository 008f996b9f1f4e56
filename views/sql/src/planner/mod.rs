//! From a SELECT to a plan.
//!
//! Invariants: planning is a pure function of the statement, the catalog and the settings; nothing is changed here, and a plan that is
//! returned type-checks. The order of checks follows ksqlDB's, so that a statement with two faults gives the same message.

mod aggregate;
mod column_refs;
mod flat_map;
mod insert;
mod insert_row;
mod join;
mod join_tree;
mod limits;
mod naming;
mod partition_by;
mod project;
mod prune;
mod pull;
mod pull_keys;
mod query;
mod scope;
mod select;
mod sink;
#[cfg(test)]
mod tests;
mod times;
mod typing;
mod windows;

use std::sync::Arc;

use crate::ast::{Expression, Position, Query};
use crate::catalog::{Catalog, Settings, Topics};
use crate::error::{Result, SqlError};
use crate::functions::Registry;
use crate::name::Name;
use crate::plan::{DataSource, SourceKind, Step, WindowInfo};
use crate::schema::Schema;
use crate::types::SqlType;

pub use insert_row::InsertRow;
pub use limits::{COLUMNS_CONFIG, COLUMNS_MAX, JOINS_CONFIG, JOINS_MAX};
pub(crate) use limits::check_columns;
pub(crate) use project::map_key;
pub use query::Target;
pub use sink::PlannedCreate;

/// What planning may look at.
#[derive(Clone, Copy)]
pub struct Planner<'a> {
    pub catalog: &'a Catalog,
    pub topics: &'a dyn Topics,
    pub settings: &'a Settings,
    pub functions: &'a Registry,
}

/// A planned SELECT, before it is given a sink.
#[derive(Clone, Debug)]
pub struct Planned {
    pub root: Step,
    pub schema: Schema,
    pub kind: SourceKind,
    /// The window that the key of the result carries.
    pub window: Option<WindowInfo>,
    /// The query with its names resolved, as it is shown.
    pub query: Query,
    /// The leftmost source: formats and partitions are inherited from it.
    pub leftmost: Arc<DataSource>,
    /// What the aggregates keep; the value's format must be able to hold it.
    pub states: Vec<SqlType>,
}

impl Planner<'_> {
    pub(crate) fn source(&self, name: &Name, position: Position) -> Result<Arc<DataSource>> {
        match self.catalog.source(name) {
            Some(source) => Ok(source.clone()),
            None => {
                let hint = self.catalog.similar_source(name).map(|similar| format!("\nDid you mean {similar}?")).unwrap_or_default();
                Err(SqlError::statement(format!("{name} does not exist.{hint}")).located(position).prefixed("Exception while preparing statement: "))
            }
        }
    }

    /// Replaces user types in an expression's casts.
    pub(crate) fn resolve_types(&self, expression: Expression) -> Result<Expression> {
        expression.rewrite(&mut |part| match part {
            Expression::Cast { value, data_type } => {
                let value = Box::new(self.resolve_types((**value).clone())?);
                let data_type = self.catalog.resolve_type(data_type, self.settings)?;
                Ok(Some(Expression::Cast { value, data_type }))
            }
            _ => Ok(None),
        })
    }
}
