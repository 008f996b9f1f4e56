//! Bounds on what is planned. Each refusal names its setting.

use crate::ast::Query;
use crate::error::{Result, SqlError};

/// How many columns a source may declare and a result may have.
pub const COLUMNS_MAX: usize = 10_000;
pub const COLUMNS_CONFIG: &str = "views.sql.columns.max";

/// How many sources one query may join.
pub const JOINS_MAX: usize = 64;
pub const JOINS_CONFIG: &str = "views.sql.joins.max";

pub(crate) fn check_columns(count: usize) -> Result<()> {
    if count <= COLUMNS_MAX {
        return Ok(());
    }
    Err(SqlError::limit(format!("{count} columns are more than the {COLUMNS_MAX} that are allowed. The limit is the setting '{COLUMNS_CONFIG}'.")))
}

pub(crate) fn check_joins(query: &Query) -> Result<()> {
    let count = query.joins.len();
    if count <= JOINS_MAX {
        return Ok(());
    }
    Err(SqlError::limit(format!("{count} joins are more than the {JOINS_MAX} that are allowed. The limit is the setting '{JOINS_CONFIG}'.")))
}
