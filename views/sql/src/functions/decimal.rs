//! What functions of decimals share: result types and rounding.

use super::call::{Call, Row};
use super::math::round_mode;
use crate::decimal::{Decimal, Rounding, rules};
use crate::expr::EvalError;
use crate::types::SqlType;
use crate::value::Value;

/// No function of its own: the overloads stand in the families that they belong to.
pub(super) const FUNCTIONS: &[Row] = &[];

fn decimal_argument(types: &[Option<SqlType>]) -> Result<(u32, u32), String> {
    match types.first() {
        Some(Some(SqlType::Decimal { precision, scale })) => Ok((*precision, *scale)),
        _ => Err("The type of the DECIMAL argument must be known: give it one with CAST".to_owned()),
    }
}

/// The argument's own type.
pub(super) fn same_decimal(types: &[Option<SqlType>]) -> Result<SqlType, String> {
    let (precision, scale) = decimal_argument(types)?;
    SqlType::decimal(precision, scale).map_err(|error| error.to_string())
}

/// The argument's type without its places.
pub(super) fn whole_decimal(types: &[Option<SqlType>]) -> Result<SqlType, String> {
    let (precision, scale) = decimal_argument(types)?;
    SqlType::decimal((precision - scale).max(1), 0).map_err(|error| error.to_string())
}

/// The narrowest decimal that holds every argument.
pub(super) fn widest_decimal(types: &[Option<SqlType>]) -> Result<SqlType, String> {
    let mut shapes = types.iter().flatten().filter_map(rules::shape_of);
    let first = shapes.next().ok_or("The type of at least one argument must be known")?;
    shapes.fold(first, rules::widest).sql_type().map_err(|error| error.to_string())
}

fn argument<'a>(call: &Call<'a>) -> Result<&'a Decimal, EvalError> {
    match call.value(0) {
        Value::Decimal(decimal) => Ok(decimal),
        other => Err(EvalError::new(format!("{other:?} is not a DECIMAL"))),
    }
}

pub(super) fn map(call: &Call<'_>, change: impl Fn(&Decimal) -> Decimal) -> Result<Value, EvalError> {
    Ok(Value::Decimal(change(argument(call)?)))
}

/// A decimal with the scale of its declared type; other values as they are.
fn into_type(value: &Value, sql_type: &SqlType) -> Result<Value, EvalError> {
    Ok(match (value, sql_type) {
        (Value::Decimal(decimal), SqlType::Decimal { scale, .. }) => {
            Value::Decimal(decimal.rescale(*scale as i32, Rounding::HalfUp))
        }
        (other, _) => other.clone(),
    })
}

/// Rounded to the places asked for (none means whole), then shown with the scale of the result's type.
fn rounded(call: &Call<'_>, mode: fn(&Decimal) -> Rounding) -> Result<Value, EvalError> {
    let decimal = argument(call)?;
    let places = if call.len() > 1 { call.int(1)? } else { 0 };
    // Places beyond its own change nothing, and are not worth materialising.
    let rounded = if places < decimal.scale() { decimal.rescale(places, mode(decimal)) } else { decimal.clone() };
    into_type(&Value::Decimal(rounded), call.returns)
}

pub(super) fn round_decimal(call: &Call<'_>) -> Result<Value, EvalError> {
    rounded(call, round_mode)
}

pub(super) fn trunc_decimal(call: &Call<'_>) -> Result<Value, EvalError> {
    rounded(call, |_| Rounding::Down)
}

pub(super) fn ceil_decimal(call: &Call<'_>) -> Result<Value, EvalError> {
    rounded(call, |_| Rounding::Ceiling)
}

pub(super) fn floor_decimal(call: &Call<'_>) -> Result<Value, EvalError> {
    rounded(call, |_| Rounding::Floor)
}
