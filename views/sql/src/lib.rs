//! ksqlDB's SQL: lexer, parser, types, functions, planner.
//!
//! Pure: no I/O, no clock, no randomness of its own; what an evaluation may need of these comes in its context.

pub mod ast;
pub mod cast;
pub mod catalog;
pub mod datetime;
pub mod decimal;
pub mod error;
pub mod expr;
pub mod format;
pub mod functions;
pub mod lexer;
pub mod name;
pub mod parser;
pub mod plan;
pub mod planner;
pub mod schema;
pub mod types;
pub mod value;
mod value_order;
