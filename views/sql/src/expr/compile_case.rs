//! CASE: branches run lazily and agree on one type.

use super::compile::{Compiler, shown};
use super::eval::Node;
use super::{CompileError, Expr};
use crate::ast::{CaseBranch, ComparisonOperator, Expression};
use crate::types::SqlType;

impl Compiler<'_> {
    pub(super) fn searched_case(
        &mut self,
        branches: &[CaseBranch],
        default: Option<&Expression>,
    ) -> Result<Expr, CompileError> {
        let mut whens = Vec::with_capacity(branches.len());
        for branch in branches {
            let when = self.compile(&branch.when)?;
            match when.sql_type() {
                None | Some(SqlType::Boolean) => whens.push(when),
                Some(other) => {
                    return Err(CompileError::new(format!(
                        "WHEN operand type should be boolean.\nType for '{}' is {other}",
                        shown(&branch.when)
                    )));
                }
            }
        }
        self.case(whens, branches, default)
    }

    /// `CASE x WHEN y ..` is `CASE WHEN x = y ..`.
    pub(super) fn simple_case(
        &mut self,
        operand: &Expression,
        branches: &[CaseBranch],
        default: Option<&Expression>,
    ) -> Result<Expr, CompileError> {
        let whens: Result<Vec<Expr>, CompileError> = branches
            .iter()
            .map(|branch| self.compare(ComparisonOperator::Equal, operand, &branch.when))
            .collect();
        self.case(whens?, branches, default)
    }

    fn case(&mut self, whens: Vec<Expr>, branches: &[CaseBranch], default: Option<&Expression>) -> Result<Expr, CompileError> {
        let mut common: Option<SqlType> = None;
        let mut compiled = Vec::with_capacity(branches.len());
        for (when, branch) in whens.into_iter().zip(branches) {
            let then = self.compile(&branch.then)?;
            match (&common, then.sql_type()) {
                (None, Some(first)) => common = Some(first.clone()),
                (Some(known), Some(own)) if known != own => {
                    return Err(CompileError::new(format!(
                        "Invalid Case expression. Type for all 'THEN' clauses should be the same.\nTHEN expression 'WHEN {} THEN {}' has type: {own}.\nPrevious THEN expression(s) type: {known}.",
                        shown(&branch.when),
                        shown(&branch.then)
                    )));
                }
                _ => {}
            }
            compiled.push((when, then));
        }
        let default = default.map_or_else(|| Ok(Expr::null()), |default| self.compile(default))?;
        let result = match (common, default.sql_type()) {
            (Some(then), Some(own)) if then != *own => {
                return Err(CompileError::new(format!(
                    "Invalid Case expression. Type for the default clause should be the same as for 'THEN' clauses.\nTHEN type: {then}.\nDEFAULT type: {own}."
                )));
            }
            (Some(then), _) => then,
            (None, Some(own)) => own.clone(),
            (None, None) => return Err(CompileError::new("Invalid Case expression. All case branches have NULL type")),
        };
        Ok(Expr::new(Node::Case { branches: compiled, default }, result))
    }
}
