//! What a join's ON clause says: which side is which, and whether it is a condition that can be joined on.

use crate::ast::{ComparisonOperator, DataType, Expression, Join, JoinKind};
use crate::error::{Result, SqlError};
use crate::format::bare;
use crate::name::Name;
use crate::planner::Planner;
use crate::planner::column_refs::{as_column, sources_of};
use crate::planner::scope::{Clause, Scope, qualified};
use crate::types::SqlType;

/// An equality of one earlier source with the source being joined.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    /// The side of the sources before.
    pub left: Expression,
    pub left_source: Name,
    /// The side of the source being joined.
    pub right: Expression,
    /// As written, for messages.
    pub text: String,
    /// Both sides in the order written.
    pub sides: [Expression; 2],
}

impl Planner<'_> {
    /// `index` is the joined source's place in the scope.
    pub(crate) fn join_condition(&self, join: &Join, scope: &Scope, index: usize) -> Result<Condition> {
        let on = self.prepare(&join.criteria.on, scope, Clause::JoinOn)?;
        self.check_only_scalars(&on, Clause::JoinOn)?;
        let (first, second) = match &on {
            Expression::Comparison { operator: ComparisonOperator::Equal, left, right, .. } => ((**left).clone(), (**right).clone()),
            Expression::Logical { .. } => {
                return Err(SqlError::statement(format!(
                    "Invalid join condition: joins on multiple conditions are not yet supported. Got {}.",
                    bare(&on)
                )));
            }
            _ => return Err(SqlError::statement(format!("Only equality join criteria is supported. Got {}.", bare(&on)))),
        };
        let (first_source, second_source) = (only_source(&first, &on)?, only_source(&second, &on)?);
        if first_source == second_source {
            let name = first_source.quoted();
            return Err(SqlError::definition(format!(
                "Each side of the join must reference exactly one source and not the same source. Left side references {name} and right references {name}"
            )));
        }
        let text = format!("{} = {}", bare(&first), bare(&second));
        let (first, second) = legacy_sides(first, second, scope);
        let sides = [first.clone(), second.clone()];
        let joined = &scope.sources[index].alias;
        let is_before = |name: &Name| scope.sources[..index].iter().any(|source| source.alias == *name);
        if second_source == *joined && is_before(&first_source) {
            return Ok(Condition { left: first, left_source: first_source, right: second, text, sides });
        }
        if first_source == *joined && is_before(&second_source) {
            return Ok(Condition { left: second, left_source: second_source, right: first, text, sides });
        }
        Err(SqlError::definition(format!(
            "A join criteria is expected to reference the source ({}) in the FROM clause, instead the right source references {} and the left source references {}",
            joined.quoted(),
            second_source.quoted(),
            first_source.quoted()
        )))
    }
}

/// `WITH (KEY='id')` said that `id` equals the key, which was text: joining on it is joining on the key.
fn legacy_sides(first: Expression, second: Expression, scope: &Scope) -> (Expression, Expression) {
    let (first_key, second_key) = (legacy_key(&first, scope), legacy_key(&second, scope));
    if first_key.is_none() && second_key.is_none() {
        return (first, second);
    }
    (first_key.unwrap_or_else(|| as_text(first, scope)), second_key.unwrap_or_else(|| as_text(second, scope)))
}

fn legacy_key(side: &Expression, scope: &Scope) -> Option<Expression> {
    let column = as_column(side)?;
    let source = scope.source(column.source.as_ref()?)?;
    let same_as = source.source.legacy.as_ref()?.same_as.as_ref()?;
    let mut keys = source.keys();
    match (keys.next(), keys.next()) {
        (Some(key), None) if *same_as == column.name && key.sql_type == SqlType::String => Some(qualified(source, key)),
        _ => None,
    }
}

fn as_text(side: Expression, scope: &Scope) -> Expression {
    let found = as_column(&side).and_then(|column| scope.column(column));
    if found.is_some_and(|column| column.sql_type == SqlType::String) {
        return side;
    }
    Expression::Cast { value: Box::new(side), data_type: DataType::String }
}

fn only_source(side: &Expression, on: &Expression) -> Result<Name> {
    let mut sources = sources_of(side);
    match (sources.pop(), sources.is_empty()) {
        (Some(only), true) => Ok(only),
        _ => Err(SqlError::statement(format!(
            "Invalid comparison expression '{}' in join '{}'. Each side of the join comparision must contain references from exactly one source.",
            bare(side),
            bare(on)
        ))),
    }
}

/// A join's kind as messages write it.
pub(crate) fn kind_words(kind: JoinKind) -> &'static str {
    match kind {
        JoinKind::Inner => "[INNER] JOIN",
        JoinKind::Left => "LEFT [OUTER] JOIN",
        JoinKind::Right => "RIGHT [OUTER] JOIN",
        JoinKind::Full => "[FULL] OUTER JOIN",
    }
}
