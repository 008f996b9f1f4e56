//! From tokens to statements: recursive descent, with precedence climbing for operators.
//!
//! Invariants: no input panics; nesting is bounded by [`Limits`], so the call depth and the depth of every tree built are too;
//! an error says the first token that does not fit. Absences: nothing is looked up here but session variables; user types stay names.

mod admin;
mod assert;
mod call;
mod create;
mod cursor;
mod expression;
mod literal;
mod query;
mod split;
mod statement;
#[cfg(test)]
mod tests;
mod types;
mod variables;

pub use split::{RawStatement, split};
pub use variables::Variables;

use crate::ast::{Expression, Located, Position, Statement};
use crate::error::{Result, SqlError};
use crate::parser::cursor::Parser;

/// Bounds on what is parsed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How deep brackets, calls and types may nest: each level costs the parser some ten frames of stack.
    pub depth_max: usize,
    /// How high an expression's tree may be, chains of operators (`a + b + ..`) included: what walks the tree needs a frame or two a level.
    pub height_max: usize,
    /// How many bytes one request's text may have.
    pub text_bytes_max: usize,
    /// How many statements one request may have.
    pub statements_max: usize,
}

impl Limits {
    /// The settings' names, for messages and documents.
    pub const DEPTH_CONFIG: &'static str = "views.sql.depth.max";
    pub const HEIGHT_CONFIG: &'static str = "views.sql.height.max";
    pub const TEXT_CONFIG: &'static str = "views.sql.text.bytes.max";
    pub const STATEMENTS_CONFIG: &'static str = "views.sql.statements.max";
    /// What the server uses unless told otherwise.
    pub const STANDARD: Limits = Limits { depth_max: 60, height_max: 160, text_bytes_max: 4 * 1024 * 1024, statements_max: 10_000 };
}

/// All statements of a text, in order. DEFINE and UNDEFINE take effect on the statements after them.
pub fn parse(text: &str, variables: &mut Variables, limits: &Limits) -> Result<Vec<Located>> {
    let mut statements = Vec::new();
    for raw in split(text, limits)? {
        let located = parse_raw(&raw, variables, limits)?;
        match &located.statement {
            Statement::Define { variable, value } => variables.define(variable, value),
            Statement::Undefine { variable } => variables.undefine(variable),
            _ => {}
        }
        statements.push(located);
    }
    Ok(statements)
}

/// One statement cut out by [`split`], with the variables put in.
pub fn parse_raw(raw: &RawStatement<'_>, variables: &Variables, limits: &Limits) -> Result<Located> {
    let text = variables.substitute(raw.text, limits.text_bytes_max).ok_or_else(|| text_too_long(limits))?;
    let mut parser = Parser::new(&text, raw.position, limits);
    let statement = parser.whole_statement()?;
    Ok(Located { statement, text: text.to_string(), position: raw.position })
}

/// A text that must be one expression.
pub fn parse_expression(text: &str, limits: &Limits) -> Result<Expression> {
    if text.len() > limits.text_bytes_max {
        return Err(text_too_long(limits));
    }
    let mut parser = Parser::new(text, Position { line: 1, column: 1 }, limits);
    let expression = parser.expression()?;
    parser.expect_end()?;
    Ok(expression)
}

/// A text that must be one type, such as the reply of a catalog or `STRUCT<A INT>`.
pub fn parse_type(text: &str, limits: &Limits) -> Result<crate::ast::DataType> {
    if text.len() > limits.text_bytes_max {
        return Err(text_too_long(limits));
    }
    let mut parser = Parser::new(text, Position { line: 1, column: 1 }, limits);
    let data_type = parser.data_type()?;
    parser.expect_end()?;
    Ok(data_type)
}

fn text_too_long(limits: &Limits) -> SqlError {
    let (bytes, config) = (limits.text_bytes_max, Limits::TEXT_CONFIG);
    SqlError::limit(format!("The text is longer than {bytes} bytes. The limit is the setting '{config}'."))
}
