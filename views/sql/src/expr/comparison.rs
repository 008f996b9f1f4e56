//! `=`, `<>`, `<` .. and `IS [NOT] DISTINCT FROM`.

use std::cmp::Ordering;

use super::arithmetic::{as_decimal, as_double};
use super::eval::Scope;
use super::{CompileError, EvalError, Expr};
use crate::ast::ComparisonOperator;
use crate::cast::{calendar::MILLIS_PER_DAY, parse_date, parse_time, parse_timestamp};
use crate::types::{BaseType, SqlType};
use crate::value::Value;
use crate::value_order::compare_bytes;

#[derive(Debug)]
pub(super) struct Comparison {
    operator: ComparisonOperator,
    left: Expr,
    right: Expr,
    domain: Domain,
}

/// What both operands are compared as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Domain {
    Integer,
    Double,
    Decimal,
    Timestamp,
    Date,
    Time,
    Bytes,
    /// Values of one type, by their own order or equality.
    Same,
}

fn is_equality(operator: ComparisonOperator) -> bool {
    use ComparisonOperator as Op;
    matches!(operator, Op::Equal | Op::NotEqual | Op::IsDistinctFrom | Op::IsNotDistinctFrom)
}

fn domain_of(left: &SqlType, operator: ComparisonOperator, right: &SqlType) -> Option<Domain> {
    use BaseType as T;
    Some(match (left.base(), right.base()) {
        (a, b) if a.is_number() && b.is_number() => match (a, b) {
            (T::Decimal, _) | (_, T::Decimal) => Domain::Decimal,
            (T::Double, _) | (_, T::Double) => Domain::Double,
            _ => Domain::Integer,
        },
        (T::String, T::String) => Domain::Same,
        (T::Time, T::Time | T::String) | (T::String, T::Time) => Domain::Time,
        (T::Date, T::Date | T::String) | (T::String, T::Date) => Domain::Date,
        (T::Date | T::Timestamp | T::String, T::Timestamp) | (T::Timestamp, T::Date | T::String) => Domain::Timestamp,
        (T::Bytes, T::Bytes) => Domain::Bytes,
        (T::Boolean, T::Boolean) | (T::Array, T::Array) | (T::Map, T::Map) | (T::Struct, T::Struct) if is_equality(operator) => Domain::Same,
        _ => return None,
    })
}

pub(super) fn compile(
    operator: ComparisonOperator,
    left: Expr,
    right: Expr,
    shown: (&dyn Fn() -> String, &dyn Fn() -> String),
) -> Result<Comparison, CompileError> {
    let (Some(left_type), Some(right_type)) = (left.sql_type(), right.sql_type()) else {
        let base = |expr: &Expr| expr.sql_type().map_or("NULL".to_owned(), |sql_type| sql_type.base().to_string());
        return Err(CompileError::new(format!(
            "Comparison with NULL not supported: {} {} {}\nUse 'IS NULL' or 'IS NOT NULL' instead.",
            base(&left),
            operator.symbol(),
            base(&right)
        )));
    };
    let Some(domain) = domain_of(left_type, operator, right_type) else {
        return Err(CompileError::new(format!(
            "Cannot compare {} ({left_type}) to {} ({right_type}) with {}.",
            (shown.0)(),
            (shown.1)(),
            operator.name()
        )));
    };
    Ok(Comparison { operator, left, right, domain })
}

fn as_timestamp(value: &Value) -> Result<i64, EvalError> {
    match value {
        Value::Timestamp(millis) => Ok(*millis),
        Value::Date(days) => Ok(i64::from(*days) * MILLIS_PER_DAY),
        Value::String(text) => parse_timestamp(text),
        other => Err(EvalError::new(format!("{other:?} is not a timestamp"))),
    }
}

fn as_date(value: &Value) -> Result<i32, EvalError> {
    match value {
        Value::Date(days) => Ok(*days),
        Value::String(text) => parse_date(text),
        other => Err(EvalError::new(format!("{other:?} is not a date"))),
    }
}

fn as_time(value: &Value) -> Result<i32, EvalError> {
    match value {
        Value::Time(millis) => Ok(*millis),
        Value::String(text) => parse_time(text),
        other => Err(EvalError::new(format!("{other:?} is not a time"))),
    }
}

impl Comparison {
    pub fn eval(&self, scope: &Scope<'_>) -> Result<bool, EvalError> {
        use ComparisonOperator as Op;
        let (left, right) = (self.left.hold(scope)?, self.right.hold(scope)?);
        let (left, right): (&Value, &Value) = (&left, &right);
        if left.is_null() || right.is_null() {
            let both = left.is_null() && right.is_null();
            return Ok(match self.operator {
                Op::IsDistinctFrom => !both,
                Op::IsNotDistinctFrom => both,
                _ => false,
            });
        }
        // Nothing for a NaN, which is neither below, equal nor above.
        let ordering = match self.domain {
            Domain::Integer => Some(left.as_i64().cmp(&right.as_i64())),
            Domain::Double => as_double(left).partial_cmp(&as_double(right)),
            Domain::Decimal => Some(as_decimal(left)?.compare(&as_decimal(right)?)),
            Domain::Timestamp => Some(as_timestamp(left)?.cmp(&as_timestamp(right)?)),
            Domain::Date => Some(as_date(left)?.cmp(&as_date(right)?)),
            Domain::Time => Some(as_time(left)?.cmp(&as_time(right)?)),
            Domain::Bytes => match (left, right) {
                (Value::Bytes(a), Value::Bytes(b)) => Some(compare_bytes(a, b)),
                _ => None,
            },
            Domain::Same => Some(left.cmp(right)),
        };
        Ok(match self.operator {
            Op::Equal | Op::IsNotDistinctFrom => ordering == Some(Ordering::Equal),
            Op::NotEqual | Op::IsDistinctFrom => ordering != Some(Ordering::Equal),
            Op::LessThan => ordering == Some(Ordering::Less),
            Op::LessThanOrEqual => ordering.is_some_and(Ordering::is_le),
            Op::GreaterThan => ordering == Some(Ordering::Greater),
            Op::GreaterThanOrEqual => ordering.is_some_and(Ordering::is_ge),
        })
    }
}
