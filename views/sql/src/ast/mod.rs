//! The syntax tree: what the parser makes of a text, and what the planner resolves.
//!
//! Invariants: names are already folded to upper case where the text did not quote them; positions never take part in equality
//! (two expressions written at two places are the same expression, which is how GROUP BY finds its expressions in SELECT).
//! Absences: no types beyond what the text says, no knowledge of any source.

mod data_type;
mod expression;
mod query;
mod statement;
mod walk;

pub use data_type::{DataType, StructField};
pub use expression::{
    ArithmeticOperator, CaseBranch, ColumnRef, ComparisonOperator, Expression, LogicalOperator, UnaryOperator,
};
pub use query::{
    Emit, Join, JoinCriteria, JoinKind, PartitionBy, Query, Relation, SelectItem, TimeUnit, Window, WindowKind, WindowLength, Within,
};
pub use statement::{
    AlterColumn, AssertSource, AssertValues, ColumnConstraint, ConnectorKind, CreateSource, CreateSourceAs, ListKind, Located, Properties,
    PropertyValue, QueryRef, Statement, TableElement,
};

use std::hash::{Hash, Hasher};

/// Where something stands in the text: both numbers count from 1. All positions are equal to each other, so that trees compare by meaning.
#[derive(Clone, Copy, Debug, Default)]
pub struct Position {
    pub line: u32,
    pub column: u32,
}

impl PartialEq for Position {
    fn eq(&self, _: &Position) -> bool {
        true
    }
}

impl Eq for Position {}

impl Hash for Position {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl Position {
    pub const NOWHERE: Position = Position { line: 0, column: 0 };

    pub fn is_known(self) -> bool {
        self.line > 0
    }
}
