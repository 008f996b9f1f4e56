//! Small questions about columns in expressions.

use crate::ast::{ColumnRef, Expression};
use crate::name::Name;

/// The sources that a qualified expression reads, without repeats, in the order written.
pub(crate) fn sources_of(expression: &Expression) -> Vec<Name> {
    let mut found: Vec<Name> = Vec::new();
    for column in expression.columns() {
        if let Some(source) = &column.source
            && !found.contains(source)
        {
            found.push(source.clone());
        }
    }
    found
}

pub(crate) fn as_column(expression: &Expression) -> Option<&ColumnRef> {
    match expression {
        Expression::Column(column) => Some(column),
        _ => None,
    }
}
