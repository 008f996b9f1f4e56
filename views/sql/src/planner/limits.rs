//! Bounds on what is planned. Each refusal names its setting, which the server's or the session's properties may change.

use crate::ast::Query;
use crate::catalog::Settings;
use crate::error::{Result, SqlError};

/// How many columns a source may declare and a result may have.
pub const COLUMNS_CONFIG: &str = "views.sql.columns.max";
pub const COLUMNS_MAX: usize = 10_000;

/// How many sources one query may join.
pub const JOINS_CONFIG: &str = "views.sql.joins.max";
pub const JOINS_MAX: usize = 64;

pub(crate) fn check_columns(count: usize, settings: &Settings) -> Result<()> {
    check(count, "columns", settings, COLUMNS_CONFIG, COLUMNS_MAX)
}

pub(crate) fn check_joins(query: &Query, settings: &Settings) -> Result<()> {
    check(query.joins.len(), "joins", settings, JOINS_CONFIG, JOINS_MAX)
}

fn check(count: usize, what: &str, settings: &Settings, config: &str, standard: usize) -> Result<()> {
    let most = settings.number(config, standard);
    if count <= most {
        return Ok(());
    }
    Err(SqlError::limit(format!("{count} {what} are more than the {most} that are allowed. The limit is the setting '{config}'.")))
}
