//! Evaluation: a walk over the compiled tree.

use std::ops::Deref;
use std::sync::Arc;

use super::arithmetic::Arithmetic;
use super::comparison::Comparison;
use super::context::{EvalContext, EvalError};
use super::like::LikePattern;
use super::{Expr, like};
use crate::functions::ScalarBody;
use crate::functions::{Call, Memo};
use crate::types::SqlType;
use crate::value::Value;

/// What an evaluation sees: the row, and the values of the enclosing lambdas' parameters, outermost first.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub row: &'a [Value],
    pub variables: &'a [Value],
    pub context: &'a EvalContext,
}

#[derive(Debug)]
pub(super) enum Node {
    Literal(Value),
    Column(usize),
    Variable(usize),
    Field { base: Expr, field: usize },
    Element { base: Expr, index: Expr },
    Entry { base: Expr, key: Expr },
    Call(CallNode),
    Arithmetic(Arithmetic),
    Negate(Expr),
    Compare(Comparison),
    And(Expr, Expr),
    Or(Expr, Expr),
    Not(Expr),
    IsNull { value: Expr, negated: bool },
    In { value: Expr, list: Vec<Expr> },
    Like { value: Expr, pattern: Expr, escape: Option<char>, prepared: Option<LikePattern> },
    Case { branches: Vec<(Expr, Expr)>, default: Expr },
    Cast { value: Expr, from: SqlType, to: SqlType },
    Array(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    Struct(Vec<Expr>),
    /// Typed, but computed elsewhere: aggregates and table functions.
    Elsewhere(String),
}

pub(super) struct CallNode {
    pub name: String,
    pub arguments: Vec<CallArgument>,
    pub types: Vec<Option<SqlType>>,
    pub returns: SqlType,
    pub strict: bool,
    /// An argument that fails counts as null.
    pub tolerant: bool,
    pub body: ScalarBody,
    pub memo: Memo,
}

impl std::fmt::Debug for CallNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").field("name", &self.name).field("arguments", &self.arguments).finish()
    }
}

#[derive(Debug)]
pub(super) enum CallArgument {
    Value(Expr),
    /// Its parameters follow the variables of the scope in which the call stands.
    Lambda(Expr),
}

/// A value of an operand: one that stands somewhere is looked at there, and only a computed one is owned.
pub(super) enum Held<'a> {
    There(&'a Value),
    Made(Value),
}

impl Deref for Held<'_> {
    type Target = Value;

    fn deref(&self) -> &Value {
        match self {
            Held::There(value) => value,
            Held::Made(value) => value,
        }
    }
}

impl Expr {
    /// The value without a copy, where it stands in the row, in a variable or in the expression.
    pub(super) fn hold<'a>(&'a self, scope: &Scope<'a>) -> Result<Held<'a>, EvalError> {
        Ok(match self.node.as_ref() {
            Node::Literal(value) => Held::There(value),
            Node::Column(position) => there(scope.row, *position),
            Node::Variable(position) => there(scope.variables, *position),
            Node::Field { base, field } => match base.hold(scope)? {
                Held::There(Value::Struct(values)) => there(values, *field),
                Held::Made(Value::Struct(values)) => Held::Made(values.get(*field).cloned().unwrap_or_default()),
                _ => Held::Made(Value::Null),
            },
            node => Held::Made(node.eval(scope)?),
        })
    }

    /// The truth of a condition; nothing for null.
    pub(super) fn truth(&self, scope: &Scope<'_>) -> Result<Option<bool>, EvalError> {
        match self.node.as_ref() {
            Node::Compare(comparison) => comparison.eval(scope).map(Some),
            Node::And(left, right) => logical(left, right, scope, false),
            Node::Or(left, right) => logical(left, right, scope, true),
            Node::Not(operand) => Ok(operand.truth(scope)?.map(|flag| !flag)),
            Node::IsNull { value, negated } => Ok(Some(value.hold(scope)?.is_null() != *negated)),
            Node::In { value, list } => contains(value, list, scope).map(Some),
            _ => Ok(self.hold(scope)?.as_bool()),
        }
    }
}

fn there(values: &[Value], position: usize) -> Held<'_> {
    values.get(position).map_or(Held::Made(Value::Null), Held::There)
}

impl Node {
    pub fn eval(&self, scope: &Scope<'_>) -> Result<Value, EvalError> {
        match self {
            Node::Literal(value) => Ok(value.clone()),
            Node::Column(position) => Ok(scope.row.get(*position).cloned().unwrap_or_default()),
            Node::Variable(position) => Ok(scope.variables.get(*position).cloned().unwrap_or_default()),
            Node::Field { base, field } => Ok(match &*base.hold(scope)? {
                Value::Struct(values) => values.get(*field).cloned().unwrap_or_default(),
                _ => Value::Null,
            }),
            Node::Element { base, index } => {
                let base = base.hold(scope)?;
                let (Value::Array(values), Some(index)) = (&*base, index.hold(scope)?.as_i64()) else {
                    return Ok(Value::Null);
                };
                Ok(element(values, index).cloned().unwrap_or_default())
            }
            Node::Entry { base, key } => match &*base.hold(scope)? {
                Value::Map(map) => Ok(map.get(&*key.hold(scope)?).cloned().unwrap_or_default()),
                _ => Ok(Value::Null),
            },
            Node::Call(call) => call.eval(scope),
            Node::Arithmetic(arithmetic) => arithmetic.eval(scope),
            Node::Negate(operand) => super::arithmetic::negate(operand.eval_in(scope)?),
            Node::Compare(comparison) => comparison.eval(scope).map(Value::Boolean),
            Node::And(left, right) => logical(left, right, scope, false).map(Value::from),
            Node::Or(left, right) => logical(left, right, scope, true).map(Value::from),
            Node::Not(operand) => Ok(operand.truth(scope)?.map(|flag| !flag).into()),
            Node::IsNull { value, negated } => Ok(Value::Boolean(value.hold(scope)?.is_null() != *negated)),
            Node::In { value, list } => contains(value, list, scope).map(Value::Boolean),
            Node::Like { value, pattern, escape, prepared } => {
                let value = value.hold(scope)?;
                let Value::String(text) = &*value else { return Ok(Value::Null) };
                if let Some(prepared) = prepared {
                    return Ok(Value::Boolean(prepared.matches(text)));
                }
                match &*pattern.hold(scope)? {
                    Value::String(pattern) => {
                        Ok(Value::Boolean(like::LikePattern::new(pattern, *escape)?.matches(text)))
                    }
                    _ => Ok(Value::Null),
                }
            }
            Node::Case { branches, default } => {
                for (when, then) in branches {
                    if when.truth(scope)? == Some(true) {
                        return then.eval_in(scope);
                    }
                }
                default.eval_in(scope)
            }
            Node::Cast { value, from, to } => match value.hold(scope) {
                Ok(value) => crate::cast::cast(&value, from, to),
                // A cast of what could not be computed is null, so that IFNULL(CAST(..), ..) can catch it.
                Err(error) => {
                    scope.context.swallow(error);
                    Ok(Value::Null)
                }
            },
            Node::Array(items) => Ok(Value::array(items.iter().map(|item| or_null(item, scope)))),
            Node::Map(entries) => {
                Ok(Value::map(entries.iter().map(|(key, value)| (or_null(key, scope), or_null(value, scope)))))
            }
            Node::Struct(fields) => Ok(Value::structure(fields.iter().map(|field| or_null(field, scope)))),
            Node::Elsewhere(name) => Err(EvalError::new(format!("{name} cannot be evaluated on its own"))),
        }
    }
}

/// From 1; a negative index counts from the end.
fn element(values: &Arc<[Value]>, index: i64) -> Option<&Value> {
    let position = if index >= 0 { index - 1 } else { values.len() as i64 + index };
    values.get(usize::try_from(position).ok()?)
}

/// Three-valued AND (`decisive` false) and OR (`decisive` true); the right side only runs when the left does not decide.
fn logical(left: &Expr, right: &Expr, scope: &Scope<'_>, decisive: bool) -> Result<Option<bool>, EvalError> {
    let left = left.truth(scope)?;
    if left == Some(decisive) {
        return Ok(Some(decisive));
    }
    let right = right.truth(scope)?;
    Ok(match (left, right) {
        (_, Some(flag)) if flag == decisive => Some(decisive),
        (Some(_), Some(_)) => Some(!decisive),
        _ => None,
    })
}

fn contains(value: &Expr, list: &[Expr], scope: &Scope<'_>) -> Result<bool, EvalError> {
    let value = value.hold(scope)?;
    if value.is_null() {
        return Ok(false);
    }
    for candidate in list {
        match candidate.hold(scope) {
            Ok(candidate) if *candidate == *value => return Ok(true),
            Ok(_) => {}
            // A candidate that cannot be computed or converted is no member.
            Err(error) => scope.context.swallow(error),
        }
    }
    Ok(false)
}

/// The value, or null with the error kept for the log: a bad element does not spoil its collection.
fn or_null(expr: &Expr, scope: &Scope<'_>) -> Value {
    expr.eval_in(scope).unwrap_or_else(|error| {
        scope.context.swallow(error);
        Value::Null
    })
}

impl CallNode {
    fn eval(&self, scope: &Scope<'_>) -> Result<Value, EvalError> {
        let mut values = Vec::with_capacity(self.arguments.len());
        for argument in &self.arguments {
            let value = match argument {
                CallArgument::Lambda(_) => Value::Null,
                CallArgument::Value(expr) if self.tolerant => or_null(expr, scope),
                CallArgument::Value(expr) => expr.eval_in(scope)?,
            };
            if self.strict && value.is_null() && matches!(argument, CallArgument::Value(_)) {
                return Ok(Value::Null);
            }
            values.push(value);
        }
        let lambdas = |position: usize, parameters: &[Value]| match self.arguments.get(position) {
            Some(CallArgument::Lambda(body)) => {
                let variables: Vec<Value> = scope.variables.iter().chain(parameters).cloned().collect();
                body.eval_in(&Scope { variables: &variables, ..*scope })
            }
            _ => Err(EvalError::new(format!("argument {} of {} is not a lambda", position + 1, self.name))),
        };
        let call = Call {
            arguments: &values,
            types: &self.types,
            returns: &self.returns,
            context: scope.context,
            lambdas: &lambdas,
            memo: &self.memo,
        };
        (self.body)(&call)
    }
}
