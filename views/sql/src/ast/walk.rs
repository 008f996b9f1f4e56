//! Walking and rewriting expressions: the one place that lists every variant's children.

use crate::ast::{CaseBranch, ColumnRef, Expression};

impl Expression {
    /// The direct parts of this expression, left to right.
    pub fn children(&self) -> Vec<&Expression> {
        match self {
            Expression::Null
            | Expression::Boolean(_)
            | Expression::Integer(_)
            | Expression::Bigint(_)
            | Expression::Decimal(_)
            | Expression::Double(_)
            | Expression::String(_)
            | Expression::Bytes(_)
            | Expression::Unit(_)
            | Expression::Column(_)
            | Expression::LambdaVariable(_) => Vec::new(),
            Expression::Dereference { base, .. } => vec![base],
            Expression::Subscript { base, index } => vec![base, index],
            Expression::Call { arguments, .. } => arguments.iter().collect(),
            Expression::Lambda { body, .. } => vec![body],
            Expression::Arithmetic { left, right, .. }
            | Expression::Comparison { left, right, .. }
            | Expression::Logical { left, right, .. } => vec![left, right],
            Expression::Unary { operand, .. } => vec![operand],
            Expression::Not(inner) | Expression::IsNull(inner) | Expression::IsNotNull(inner) => vec![inner],
            Expression::Between { value, low, high } => vec![value, low, high],
            Expression::In { value, list } => std::iter::once(&**value).chain(list).collect(),
            Expression::Like { value, pattern, .. } => vec![value, pattern],
            Expression::SimpleCase { operand, branches, default } => {
                std::iter::once(&**operand).chain(branch_parts(branches)).chain(default.as_deref()).collect()
            }
            Expression::SearchedCase { branches, default } => branch_parts(branches).chain(default.as_deref()).collect(),
            Expression::Cast { value, .. } => vec![value],
            Expression::Array(items) => items.iter().collect(),
            Expression::Map(entries) => entries.iter().flat_map(|(key, value)| [key, value]).collect(),
            Expression::Struct(fields) => fields.iter().map(|(_, value)| value).collect(),
            Expression::AtTimeZone { value, zone } => vec![value, zone],
        }
    }

    /// Calls `visit` on this expression and every part of it, parents first.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Expression)) {
        visit(self);
        for child in self.children() {
            child.walk(visit);
        }
    }

    /// Every column that this expression reads, in the order written, repeats included.
    pub fn columns(&self) -> Vec<&ColumnRef> {
        let mut found = Vec::new();
        self.walk(&mut |part| {
            if let Expression::Column(column) = part {
                found.push(column);
            }
        });
        found
    }

    /// Rebuilds the tree: `change` may replace a whole subtree (its parts are then not visited) or leave it (`None`).
    pub fn rewrite<E>(self, change: &mut dyn FnMut(&Expression) -> Result<Option<Expression>, E>) -> Result<Expression, E> {
        if let Some(replaced) = change(&self)? {
            return Ok(replaced);
        }
        self.map_children(&mut |child| child.rewrite(change))
    }

    /// Rebuilds this node with each direct part replaced.
    pub fn map_children<E>(self, change: &mut dyn FnMut(Expression) -> Result<Expression, E>) -> Result<Expression, E> {
        Ok(match self {
            leaf @ (Expression::Null
            | Expression::Boolean(_)
            | Expression::Integer(_)
            | Expression::Bigint(_)
            | Expression::Decimal(_)
            | Expression::Double(_)
            | Expression::String(_)
            | Expression::Bytes(_)
            | Expression::Unit(_)
            | Expression::Column(_)
            | Expression::LambdaVariable(_)) => leaf,
            Expression::Dereference { base, field } => Expression::Dereference { base: boxed(base, change)?, field },
            Expression::Subscript { base, index } => {
                Expression::Subscript { base: boxed(base, change)?, index: boxed(index, change)? }
            }
            Expression::Call { function, arguments, position } => {
                Expression::Call { function, arguments: listed(arguments, change)?, position }
            }
            Expression::Lambda { parameters, body } => Expression::Lambda { parameters, body: boxed(body, change)? },
            Expression::Arithmetic { operator, left, right, position } => {
                Expression::Arithmetic { operator, left: boxed(left, change)?, right: boxed(right, change)?, position }
            }
            Expression::Unary { operator, operand } => Expression::Unary { operator, operand: boxed(operand, change)? },
            Expression::Comparison { operator, left, right, position } => {
                Expression::Comparison { operator, left: boxed(left, change)?, right: boxed(right, change)?, position }
            }
            Expression::Logical { operator, left, right } => {
                Expression::Logical { operator, left: boxed(left, change)?, right: boxed(right, change)? }
            }
            Expression::Not(inner) => Expression::Not(boxed(inner, change)?),
            Expression::IsNull(inner) => Expression::IsNull(boxed(inner, change)?),
            Expression::IsNotNull(inner) => Expression::IsNotNull(boxed(inner, change)?),
            Expression::Between { value, low, high } => {
                Expression::Between { value: boxed(value, change)?, low: boxed(low, change)?, high: boxed(high, change)? }
            }
            Expression::In { value, list } => Expression::In { value: boxed(value, change)?, list: listed(list, change)? },
            Expression::Like { value, pattern, escape } => {
                Expression::Like { value: boxed(value, change)?, pattern: boxed(pattern, change)?, escape }
            }
            Expression::SimpleCase { operand, branches, default } => Expression::SimpleCase {
                operand: boxed(operand, change)?,
                branches: branched(branches, change)?,
                default: default.map(|default| boxed(default, change)).transpose()?,
            },
            Expression::SearchedCase { branches, default } => Expression::SearchedCase {
                branches: branched(branches, change)?,
                default: default.map(|default| boxed(default, change)).transpose()?,
            },
            Expression::Cast { value, data_type } => Expression::Cast { value: boxed(value, change)?, data_type },
            Expression::Array(items) => Expression::Array(listed(items, change)?),
            Expression::Map(entries) => Expression::Map(
                entries.into_iter().map(|(key, value)| Ok((change(key)?, change(value)?))).collect::<Result<_, E>>()?,
            ),
            Expression::Struct(fields) => Expression::Struct(
                fields.into_iter().map(|(name, value)| Ok((name, change(value)?))).collect::<Result<_, E>>()?,
            ),
            Expression::AtTimeZone { value, zone } => {
                Expression::AtTimeZone { value: boxed(value, change)?, zone: boxed(zone, change)? }
            }
        })
    }
}

type Change<'a, E> = &'a mut dyn FnMut(Expression) -> Result<Expression, E>;

#[expect(clippy::boxed_local, reason = "the parts come in boxes and go back into them")]
fn boxed<E>(inner: Box<Expression>, change: Change<'_, E>) -> Result<Box<Expression>, E> {
    change(*inner).map(Box::new)
}

fn listed<E>(items: Vec<Expression>, change: Change<'_, E>) -> Result<Vec<Expression>, E> {
    items.into_iter().map(change).collect()
}

fn branched<E>(branches: Vec<CaseBranch>, change: Change<'_, E>) -> Result<Vec<CaseBranch>, E> {
    branches.into_iter().map(|branch| Ok(CaseBranch { when: change(branch.when)?, then: change(branch.then)? })).collect()
}

fn branch_parts(branches: &[CaseBranch]) -> impl Iterator<Item = &Expression> {
    branches.iter().flat_map(|branch| [&branch.when, &branch.then])
}
