//! `+ - * / %` and negation, with Java's behaviour: integers wrap, division by integer zero is an error, doubles
//! follow IEEE 754, decimals are exact up to the scale of the result's type.

use super::eval::Scope;
use super::{CompileError, EvalError, Expr};
use crate::ast::ArithmeticOperator;
use crate::decimal::{Decimal, Rounding, rules};
use crate::types::{BaseType, SqlType};
use crate::value::Value;

#[derive(Debug)]
pub(super) struct Arithmetic {
    operator: ArithmeticOperator,
    left: Expr,
    right: Expr,
    domain: Domain,
}

/// The kind of number both operands are brought to.
#[derive(Clone, Copy, Debug)]
enum Domain {
    Int,
    BigInt,
    Double,
    Decimal { precision: u32, scale: u32 },
    Text,
}

/// The type of the result; the error is ksqlDB's text.
fn result_type(operator: ArithmeticOperator, left: Option<&SqlType>, right: Option<&SqlType>) -> Result<SqlType, String> {
    let (Some(left), Some(right)) = (left, right) else {
        let shown = |sql_type: Option<&SqlType>| sql_type.map_or("null".to_owned(), ToString::to_string);
        return Err(format!("Arithmetic on types {} and {} are not supported.", shown(left), shown(right)));
    };
    let unsupported = || format!("Unsupported arithmetic types. {} {}", left.base(), right.base());
    match (left.base(), right.base()) {
        (BaseType::String, BaseType::String) if operator == ArithmeticOperator::Add => Ok(SqlType::String),
        (a, b) if !a.is_number() || !b.is_number() => Err(unsupported()),
        (BaseType::Double, _) | (_, BaseType::Double) => Ok(SqlType::Double),
        (BaseType::Decimal, _) | (_, BaseType::Decimal) => {
            let (a, b) = (rules::shape_of(left).ok_or_else(unsupported)?, rules::shape_of(right).ok_or_else(unsupported)?);
            let shape = match operator {
                ArithmeticOperator::Add | ArithmeticOperator::Subtract => rules::add(a, b),
                ArithmeticOperator::Multiply => rules::multiply(a, b),
                ArithmeticOperator::Divide => rules::divide(a, b),
                ArithmeticOperator::Modulus => rules::modulo(a, b),
            };
            shape.sql_type().map_err(|error| error.to_string())
        }
        (BaseType::BigInt, _) | (_, BaseType::BigInt) => Ok(SqlType::BigInt),
        _ => Ok(SqlType::Integer),
    }
}

pub(super) fn compile(
    operator: ArithmeticOperator,
    left: Expr,
    right: Expr,
    shown: &dyn Fn() -> String,
) -> Result<(Arithmetic, SqlType), CompileError> {
    let result = result_type(operator, left.sql_type(), right.sql_type())
        .map_err(|reason| CompileError::new(format!("Error processing expression: {}. {reason}", shown())))?;
    let domain = match &result {
        SqlType::Integer => Domain::Int,
        SqlType::BigInt => Domain::BigInt,
        SqlType::Decimal { precision, scale } => Domain::Decimal { precision: *precision, scale: *scale },
        SqlType::String => Domain::Text,
        _ => Domain::Double,
    };
    Ok((Arithmetic { operator, left, right, domain }, result))
}

pub(super) fn as_double(value: &Value) -> f64 {
    match value {
        Value::Int(n) => f64::from(*n),
        Value::BigInt(n) => *n as f64,
        Value::Double(n) => *n,
        Value::Decimal(n) => n.to_f64(),
        _ => f64::NAN,
    }
}

/// A number as a decimal: a double by its shortest digits.
pub(super) fn as_decimal(value: &Value) -> Result<Decimal, EvalError> {
    match value {
        Value::Int(n) => Ok(Decimal::from(*n)),
        Value::BigInt(n) => Ok(Decimal::from(*n)),
        Value::Decimal(n) => Ok(n.clone()),
        Value::Double(n) => Decimal::from_f64(*n).map_err(|error| EvalError::new(error.to_string())),
        other => Err(EvalError::new(format!("{other:?} is not a number"))),
    }
}

fn by_zero() -> EvalError {
    EvalError::new("/ by zero")
}

impl Arithmetic {
    pub fn eval(&self, scope: &Scope<'_>) -> Result<Value, EvalError> {
        let (left, right) = (self.left.hold(scope)?, self.right.hold(scope)?);
        let (left, right): (&Value, &Value) = (&left, &right);
        if left.is_null() || right.is_null() {
            // Inside a lambda a null operand fails the whole call, as it does in ksqlDB.
            return match scope.variables {
                [] => Ok(Value::Null),
                _ => Err(EvalError::new("arithmetic with a null operand in a lambda")),
            };
        }
        match self.domain {
            Domain::Int => {
                let (Value::Int(a), Value::Int(b)) = (left, right) else { return Err(EvalError::new("not an integer")) };
                int(self.operator, *a, *b).map(Value::Int)
            }
            Domain::BigInt => {
                let a = left.as_i64().ok_or_else(|| EvalError::new("not an integer"))?;
                let b = right.as_i64().ok_or_else(|| EvalError::new("not an integer"))?;
                bigint(self.operator, a, b).map(Value::BigInt)
            }
            Domain::Double => Ok(Value::Double(double(self.operator, as_double(left), as_double(right)))),
            Domain::Decimal { precision, scale } => {
                decimal(self.operator, &as_decimal(left)?, &as_decimal(right)?, precision, scale).map(Value::Decimal)
            }
            Domain::Text => {
                let (Value::String(a), Value::String(b)) = (left, right) else { return Ok(Value::Null) };
                scope.context.check_result(0, a.len() + b.len())?;
                Ok(Value::string([a.as_ref(), b.as_ref()].concat()))
            }
        }
    }
}

fn int(operator: ArithmeticOperator, a: i32, b: i32) -> Result<i32, EvalError> {
    Ok(match operator {
        ArithmeticOperator::Add => a.wrapping_add(b),
        ArithmeticOperator::Subtract => a.wrapping_sub(b),
        ArithmeticOperator::Multiply => a.wrapping_mul(b),
        ArithmeticOperator::Divide | ArithmeticOperator::Modulus if b == 0 => return Err(by_zero()),
        ArithmeticOperator::Divide => a.wrapping_div(b),
        ArithmeticOperator::Modulus => a.wrapping_rem(b),
    })
}

fn bigint(operator: ArithmeticOperator, a: i64, b: i64) -> Result<i64, EvalError> {
    Ok(match operator {
        ArithmeticOperator::Add => a.wrapping_add(b),
        ArithmeticOperator::Subtract => a.wrapping_sub(b),
        ArithmeticOperator::Multiply => a.wrapping_mul(b),
        ArithmeticOperator::Divide | ArithmeticOperator::Modulus if b == 0 => return Err(by_zero()),
        ArithmeticOperator::Divide => a.wrapping_div(b),
        ArithmeticOperator::Modulus => a.wrapping_rem(b),
    })
}

fn double(operator: ArithmeticOperator, a: f64, b: f64) -> f64 {
    match operator {
        ArithmeticOperator::Add => a + b,
        ArithmeticOperator::Subtract => a - b,
        ArithmeticOperator::Multiply => a * b,
        ArithmeticOperator::Divide => a / b,
        ArithmeticOperator::Modulus => a % b,
    }
}

fn decimal(operator: ArithmeticOperator, a: &Decimal, b: &Decimal, precision: u32, scale: u32) -> Result<Decimal, EvalError> {
    let places = scale as i32;
    let exact = match operator {
        ArithmeticOperator::Add => a.add(b),
        ArithmeticOperator::Subtract => a.subtract(b),
        ArithmeticOperator::Multiply => a.multiply(b),
        ArithmeticOperator::Divide => a.divide(b, places, Rounding::HalfUp).ok_or_else(by_zero)?,
        ArithmeticOperator::Modulus => a.remainder(b).ok_or_else(by_zero)?,
    };
    exact.cast_to(precision, scale).map_err(|error| EvalError::new(error.to_string()))
}

/// `-x`; the smallest integer stays itself.
pub(super) fn negate(value: Value) -> Result<Value, EvalError> {
    Ok(match value {
        Value::Int(n) => Value::Int(n.wrapping_neg()),
        Value::BigInt(n) => Value::BigInt(n.wrapping_neg()),
        Value::Double(n) => Value::Double(-n),
        Value::Decimal(n) => Value::Decimal(n.negate()),
        _ => Value::Null,
    })
}
