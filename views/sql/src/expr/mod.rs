//! Typed expressions: compiled once against a schema, evaluated for every row.
//!
//! Invariants: every part of a compiled expression has a known type (a literal NULL has none) and evaluating never
//! panics; a value that cannot be computed is an [`EvalError`] for that row, which the caller turns into null (or a
//! skipped row) and a line of the processing log. A comparison with a null operand is false, as in ksqlDB.
//! Absences: no aggregates (the engine folds them, see `functions::aggregate`), no clock and no chance of its own.

mod arithmetic;
mod coerce;
mod comparison;
mod compile;
mod compile_call;
mod compile_case;
mod context;
mod eval;
mod like;
mod literal;

use std::sync::Arc;

use crate::ast::{ColumnRef, Expression};
use crate::functions::Registry;
use crate::schema::Schema;
use crate::types::SqlType;
use crate::value::Value;

pub use compile_call::compile_table_call;
pub use context::{EvalContext, EvalError, SizeLimits};
pub use literal::coerce_literal;

use eval::{Node, Scope};

/// An expression that has no meaning over its schema. The text is ksqlDB's where it has one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CompileError {
    pub message: String,
}

impl CompileError {
    pub fn new(message: impl Into<String>) -> Self {
        CompileError { message: message.into() }
    }
}

/// Where columns stand in a row.
pub trait Columns {
    fn resolve(&self, column: &ColumnRef) -> Option<(usize, SqlType)>;
}

impl Columns for Schema {
    fn resolve(&self, column: &ColumnRef) -> Option<(usize, SqlType)> {
        if column.source.is_some() {
            return None;
        }
        let position = self.index_of(column.name.as_str())?;
        Some((position, self.columns()[position].sql_type.clone()))
    }
}

/// A compiled expression. Cheap to clone; may be shared between threads.
#[derive(Clone, Debug)]
pub struct Expr {
    node: Arc<Node>,
    sql_type: Option<SqlType>,
}

impl Expr {
    pub fn compile(expression: &Expression, columns: &dyn Columns, functions: &Registry) -> Result<Expr, CompileError> {
        compile::Compiler::new(columns, functions).compile(expression)
    }

    fn new(node: Node, sql_type: SqlType) -> Expr {
        Expr { node: Arc::new(node), sql_type: Some(sql_type) }
    }

    fn boolean(node: Node) -> Expr {
        Expr::new(node, SqlType::Boolean)
    }

    fn null() -> Expr {
        Expr { node: Arc::new(Node::Literal(Value::Null)), sql_type: None }
    }

    /// The type of its values; nothing for a literal NULL.
    pub fn sql_type(&self) -> Option<&SqlType> {
        self.sql_type.as_ref()
    }

    /// Its value when it needs no row, no time and no chance.
    pub fn constant(&self) -> Option<&Value> {
        match self.node.as_ref() {
            Node::Literal(value) => Some(value),
            _ => None,
        }
    }

    pub fn eval(&self, row: &[Value], context: &EvalContext) -> Result<Value, EvalError> {
        self.node.eval(&Scope { row, variables: &[], context })
    }

    fn eval_in(&self, scope: &Scope<'_>) -> Result<Value, EvalError> {
        self.node.eval(scope)
    }

    /// The same value as another type; the cast must exist.
    fn cast_to(self, to: &SqlType) -> Result<Expr, CompileError> {
        let from = match &self.sql_type {
            None => return Ok(Expr { node: self.node, sql_type: Some(to.clone()) }),
            Some(from) if from == to => return Ok(self),
            Some(from) => from.clone(),
        };
        crate::cast::check(&from, to).map_err(|unsupported| CompileError::new(unsupported.to_string()))?;
        let folded = self.constant().and_then(|value| crate::cast::cast(value, &from, to).ok());
        let node = match folded {
            Some(value) => Node::Literal(value),
            None => Node::Cast { value: self, from, to: to.clone() },
        };
        Ok(Expr::new(node, to.clone()))
    }
}

/// The type that a written type means. User types must have been replaced before.
pub fn sql_type_of(data_type: &crate::ast::DataType) -> Result<SqlType, CompileError> {
    use crate::ast::DataType as D;
    Ok(match data_type {
        D::Boolean => SqlType::Boolean,
        D::Integer => SqlType::Integer,
        D::Bigint => SqlType::BigInt,
        D::Double => SqlType::Double,
        D::String => SqlType::String,
        D::Bytes => SqlType::Bytes,
        D::Date => SqlType::Date,
        D::Time => SqlType::Time,
        D::Timestamp => SqlType::Timestamp,
        D::Decimal { precision, scale } => {
            SqlType::decimal(*precision, *scale).map_err(|error| CompileError::new(error.to_string()))?
        }
        D::Array(element) => SqlType::array(sql_type_of(element)?),
        D::Map { key, value } => SqlType::map(sql_type_of(key)?, sql_type_of(value)?),
        D::Struct(fields) => {
            let fields: Result<Vec<_>, CompileError> =
                fields.iter().map(|field| Ok((field.name.as_str(), sql_type_of(&field.data_type)?))).collect();
            SqlType::structure(fields?)
        }
        D::Custom { name, .. } => return Err(CompileError::new(format!("Cannot resolve unknown type: {name}"))),
    })
}

#[cfg(test)]
pub(crate) mod tests;
