//! The row of an INSERT VALUES: its constants computed and made the types of the columns they go to.

use crate::ast::Expression;
use crate::cast::parse_timestamp;
use crate::error::{Result, SqlError};
use crate::expr::{EvalContext, Expr, coerce_literal};
use crate::format::bare;
use crate::functions::Registry;
use crate::name::Name;
use crate::plan::InsertValues;
use crate::schema::{ROWTIME, Role, Schema};
use crate::types::SqlType;
use crate::value::Value;

/// What is to be written, before it is encoded.
#[derive(Clone, Debug, PartialEq)]
pub struct InsertRow {
    /// In the order of the target's key columns.
    pub key: Vec<Value>,
    /// In the order of the target's value columns.
    pub value: Vec<Value>,
    /// Given as ROWTIME; else the writer's clock counts.
    pub timestamp_ms: Option<i64>,
}

impl InsertValues {
    pub fn row(&self, functions: &Registry, context: &EvalContext) -> Result<InsertRow> {
        let mut row = InsertRow { key: Vec::new(), value: Vec::new(), timestamp_ms: None };
        for (column, expression) in self.target.schema.columns().iter().zip(&self.columns) {
            let into = match column.role {
                Role::Key => &mut row.key,
                Role::Value => &mut row.value,
                _ => continue,
            };
            into.push(match expression {
                Some(expression) => self.value(expression, &column.name, &column.sql_type, functions, context)?,
                None => Value::Null,
            });
        }
        row.timestamp_ms = self.timestamp.as_ref().map(|time| self.time(time, functions, context)).transpose()?;
        Ok(row)
    }

    fn value(&self, expression: &Expression, column: &Name, wanted: &SqlType, functions: &Registry, context: &EvalContext) -> Result<Value> {
        let compiled = Expr::compile(expression, &Schema::empty(), functions).map_err(|error| self.failed(&error.to_string()))?;
        let value = compiled.eval(&[], context).map_err(|error| self.failed(&error.to_string()))?;
        let Some(found) = compiled.sql_type() else { return Ok(Value::Null) };
        coerce_literal(&value, found, wanted).ok_or_else(|| {
            self.failed(&format!("Expected type {wanted} for field {} but got {found}({}).", column.quoted(), bare(expression)))
        })
    }

    /// ROWTIME: milliseconds, or a text that says a time.
    fn time(&self, expression: &Expression, functions: &Registry, context: &EvalContext) -> Result<i64> {
        if let Expression::String(text) = expression {
            return parse_timestamp(text).map_err(|error| self.failed(&error.to_string()));
        }
        match self.value(expression, &Name::new(ROWTIME), &SqlType::BigInt, functions, context)? {
            Value::BigInt(time) if time >= 0 => Ok(time),
            _ => Err(self.failed("ROWTIME must be a time since 1970 in milliseconds.")),
        }
    }

    fn failed(&self, why: &str) -> SqlError {
        SqlError::statement(format!("Failed to insert values into '{}'. {why}", self.target.name))
    }
}
