//! Bringing a list of expressions to one type: IN lists and the elements of ARRAY[..] and MAP(..).
//!
//! The common type is the widest of all; texts written as literals take part as the numbers or booleans that they
//! spell, constructors element by element.

use super::literal::coerce_literal;
use super::{CompileError, Expr};
use crate::ast::Expression;
use crate::decimal::Decimal;
use crate::decimal::rules::common_number;
use crate::types::{BaseType, SqlType};
use crate::value::Value;

/// An expression as written and as compiled.
pub(super) struct Typed<'a> {
    pub source: &'a Expression,
    pub expr: Expr,
}

fn no_operator(item: &Typed<'_>, target: &SqlType) -> CompileError {
    let source = item.expr.sql_type().map_or("NULL".to_owned(), ToString::to_string);
    CompileError::new(format!(
        "operator does not exist: {target} = {source} ({})\nHint: You might need to add explicit type casts.",
        super::compile::shown(item.source)
    ))
}

fn invalid_syntax(text: &str, target: &SqlType) -> CompileError {
    CompileError::new(format!("invalid input syntax for type {}: \"{text}\".", target.base()))
}

/// The common type (nothing when all are literal nulls), and every expression converted to it.
pub(super) fn coerce(items: Vec<Typed<'_>>) -> Result<(Option<SqlType>, Vec<Expr>), CompileError> {
    let mut common: Option<SqlType> = None;
    for item in &items {
        common = match (common, item.expr.sql_type()) {
            (common, None) => common,
            (None, Some(first)) => Some(first.clone()),
            (Some(target), Some(sql_type)) => Some(join(item, sql_type, target)?),
        };
    }
    let Some(common) = common else { return Ok((None, items.into_iter().map(|item| item.expr).collect())) };
    let converted: Result<Vec<Expr>, CompileError> = items.into_iter().map(|item| convert(item, &common)).collect();
    Ok((Some(common), converted?))
}

fn join(item: &Typed<'_>, sql_type: &SqlType, target: SqlType) -> Result<SqlType, CompileError> {
    let constructed = matches!(item.source, Expression::Array(_) | Expression::Map(_) | Expression::Struct(_));
    if constructed {
        return constructor_type(item.source, sql_type, &target).map_err(|apart| match apart {
            Apart::Types => no_operator(item, &target),
            Apart::Syntax(error) => error,
        });
    }
    if let Expression::String(text) = item.source {
        if target.is_number() {
            return number_from_text(text, &target).ok_or_else(|| invalid_syntax(text, &target));
        }
        if target == SqlType::Boolean {
            return match crate::cast::parse_boolean_exact(text) {
                Some(_) => Ok(target),
                None => Err(invalid_syntax(text, &target)),
            };
        }
    }
    widest(sql_type, &target, item.source.is_literal()).ok_or_else(|| no_operator(item, &target))
}

/// Why a constructor and a type have nothing in common.
enum Apart {
    /// The types do not meet: told of the whole constructor.
    Types,
    /// A text inside that does not spell a number.
    Syntax(CompileError),
}

/// The common type of a constructor and a type, where texts inside the constructor may stand for numbers.
fn constructor_type(source: &Expression, sql_type: &SqlType, target: &SqlType) -> Result<SqlType, Apart> {
    match (source, sql_type, target) {
        (Expression::Array(items), SqlType::Array(own), SqlType::Array(wanted)) => {
            let joined = items.iter().try_fold(wanted.as_ref().clone(), |common, item| part_type(item, own, &common))?;
            Ok(SqlType::array(joined))
        }
        (Expression::Map(entries), SqlType::Map(own_key, own_value), SqlType::Map(wanted_key, wanted_value)) => {
            let key = wanted_key.as_ref().clone();
            let key = entries.iter().try_fold(key, |common, (key, _)| part_type(key, own_key, &common))?;
            let value = wanted_value.as_ref().clone();
            let value = entries.iter().try_fold(value, |common, (_, value)| part_type(value, own_value, &common))?;
            Ok(SqlType::map(key, value))
        }
        (Expression::Struct(parts), SqlType::Struct(own), SqlType::Struct(wanted)) => {
            let mut fields = Vec::new();
            for field in own.iter() {
                let source = parts.iter().find(|(name, _)| name.as_str() == field.name.as_ref()).ok_or(Apart::Types)?;
                let joined = match wanted.iter().find(|other| other.name == field.name) {
                    Some(other) => part_type(&source.1, &field.sql_type, &other.sql_type)?,
                    None => field.sql_type.clone(),
                };
                fields.push((field.name.clone(), joined));
            }
            let missing = wanted.iter().filter(|other| !own.iter().any(|field| field.name == other.name));
            fields.extend(missing.map(|other| (other.name.clone(), other.sql_type.clone())));
            Ok(SqlType::structure(fields))
        }
        _ => Err(Apart::Types),
    }
}

fn part_type(part: &Expression, own: &SqlType, target: &SqlType) -> Result<SqlType, Apart> {
    match part {
        Expression::Array(_) | Expression::Map(_) | Expression::Struct(_) => constructor_type(part, own, target),
        Expression::Null => Ok(target.clone()),
        Expression::String(text) if target.is_number() => {
            number_from_text(text, target).ok_or_else(|| Apart::Syntax(invalid_syntax(text, target)))
        }
        Expression::String(text) if *target == SqlType::Boolean => match crate::cast::parse_boolean_exact(text) {
            Some(_) => Ok(SqlType::Boolean),
            None => Err(Apart::Syntax(invalid_syntax(text, target))),
        },
        literal if literal.is_literal() => {
            literal_type(literal).and_then(|own| widest(&own, target, true)).ok_or(Apart::Types)
        }
        _ => widest(own, target, false).ok_or(Apart::Types),
    }
}

/// A literal's own type, whatever the elements beside it made of it.
fn literal_type(literal: &Expression) -> Option<SqlType> {
    Some(match literal {
        Expression::Boolean(_) => SqlType::Boolean,
        Expression::Integer(_) => SqlType::Integer,
        Expression::Bigint(_) => SqlType::BigInt,
        Expression::Double(_) => SqlType::Double,
        Expression::Decimal(text) => decimal_type(&text.parse().ok()?)?,
        Expression::String(_) => SqlType::String,
        Expression::Bytes(_) => SqlType::Bytes,
        _ => return None,
    })
}

fn number_from_text(text: &str, target: &SqlType) -> Option<SqlType> {
    let number: Decimal = text.trim().parse().ok()?;
    let plain = !text.contains(['.', 'e', 'E']) && number.scale() == 0;
    let own = match text.trim().parse::<i64>() {
        Ok(n) if plain && i32::try_from(n).is_ok() => SqlType::Integer,
        Ok(_) if plain => SqlType::BigInt,
        _ => decimal_type(&number)?,
    };
    common_number(&own, target)
}

/// The narrowest DECIMAL that holds the number.
fn decimal_type(number: &Decimal) -> Option<SqlType> {
    let scale = number.scale().max(0) as u32;
    let whole = (i64::from(number.precision()) - i64::from(number.scale())).max(0) as u32;
    SqlType::decimal((whole + scale).max(1), scale).ok()
}

/// The type that both types widen to. Literals may also become text or, from text, a time.
pub(super) fn widest(a: &SqlType, b: &SqlType, literal: bool) -> Option<SqlType> {
    match (a, b) {
        (a, b) if a == b => Some(a.clone()),
        (SqlType::Array(x), SqlType::Array(y)) => widest(x, y, literal).map(SqlType::array),
        (SqlType::Map(k, v), SqlType::Map(l, w)) => Some(SqlType::map(widest(k, l, literal)?, widest(v, w, literal)?)),
        (SqlType::Struct(x), SqlType::Struct(y)) => {
            let mut fields = Vec::new();
            for field in x.iter() {
                let joined = match y.iter().find(|other| other.name == field.name) {
                    Some(other) => widest(&field.sql_type, &other.sql_type, literal)?,
                    None => field.sql_type.clone(),
                };
                fields.push((field.name.clone(), joined));
            }
            let missing = y.iter().filter(|other| !x.iter().any(|field| field.name == other.name));
            fields.extend(missing.map(|other| (other.name.clone(), other.sql_type.clone())));
            Some(SqlType::structure(fields))
        }
        (a, b) if a.is_number() && b.is_number() => common_number(a, b),
        (a, SqlType::String) if literal && (a.is_number() || *a == SqlType::Boolean) => Some(SqlType::String),
        (SqlType::String, b) if literal && (b.base().is_time() || b.base() == BaseType::Bytes) => Some(b.clone()),
        (a, SqlType::String) if literal && a.base().is_time() => Some(a.clone()),
        _ => None,
    }
}

fn convert(item: Typed<'_>, common: &SqlType) -> Result<Expr, CompileError> {
    let Some(own) = item.expr.sql_type() else { return item.expr.cast_to(common) };
    if own == common {
        return Ok(item.expr);
    }
    if item.source.is_literal()
        && let Some(value) = item.expr.constant()
    {
        // A decimal as text keeps the digits it was written with.
        return match coerce_literal(value, own, common) {
            Some(coerced) => Ok(Expr::new(super::eval::Node::Literal(coerced), common.clone())),
            None => match value {
                Value::String(text) => Err(invalid_syntax(text, common)),
                _ => item.expr.cast_to(common),
            },
        };
    }
    item.expr.cast_to(common)
}
