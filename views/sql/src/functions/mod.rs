//! The registry of functions: scalar, table and aggregate, each family in its own file as a table of rows.
//!
//! Invariants: names are looked up without regard to case; an overload's arguments reach its body converted to
//! the parameters' types; bodies never panic and bound what they produce ([`SizeLimits`]).
//! Absences: no clock and no randomness (see [`EvalContext`]), no user-defined code.
//!
//! [`SizeLimits`]: crate::expr::SizeLimits
//! [`EvalContext`]: crate::expr::EvalContext

pub mod aggregate;
mod array;
mod bytes;
mod call;
mod conditional;
mod date;
mod decimal;
mod encoding;
mod geo;
mod java_regex;
mod json;
mod json_path;
mod lambda;
mod map;
mod mask;
mod math;
mod md5;
mod pad;
mod registry;
mod regexp;
pub mod resolve;
pub mod signature;
mod split;
mod string;
mod table;
mod url;

pub use aggregate::{AggregateArgument, Aggregator, BoundAggregate, FunctionSettings};
pub use call::{Call, Derive, Lambdas, Memo, Overload, Row, ScalarFn, lenient, strict};
pub use registry::{FunctionInfo, FunctionKind, OverloadInfo, Registry, ScalarBody, ScalarFunction, ScalarOverload};

#[cfg(test)]
mod tests;
