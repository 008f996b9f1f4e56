//! Trees back to text, in ksqlDB's layout.
//!
//! Invariant: what `Display` writes parses to an equal tree (names that need quotes get them). Messages speak of columns without quotes;
//! they use [`bare`].

mod expression;
mod query;
mod statement;
#[cfg(test)]
mod tests;

use crate::ast::{DataType, Expression};
use crate::lexer::keywords::is_plain_name;
use crate::name::Name;

pub use statement::mask_secrets;

/// Whether names that need quotes get them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quotes {
    WhereNeeded,
    Never,
}

impl Quotes {
    fn name(self, name: &Name) -> String {
        match self {
            Quotes::WhereNeeded if !is_plain_name(name.as_str()) => name.quoted(),
            _ => name.to_string(),
        }
    }
}

/// The expression as messages show it.
pub fn bare(expression: &Expression) -> String {
    expression::text(expression, Quotes::Never)
}

/// `'text'`, with quotes inside doubled.
pub fn quoted_string(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The name as it must be written in SQL.
pub fn name(name: &Name) -> String {
    Quotes::WhereNeeded.name(name)
}

impl std::fmt::Display for Expression {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&expression::text(self, Quotes::WhereNeeded))
    }
}

impl std::fmt::Display for DataType {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&expression::type_text(self, Quotes::WhereNeeded))
    }
}
