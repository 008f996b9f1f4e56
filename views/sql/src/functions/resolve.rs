//! Choosing the overload of a function for its arguments, and the types that its generics stand for.
//!
//! The rule is ksqlDB's: first without conversions, then with implicit widening; among those that accept, one
//! without variadic parameter wins, then the one with more parameters, then the one with fewer generics;
//! a tie is an error. A literal NULL is accepted by every parameter.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::signature::{ParamType, Signature};
use crate::types::{BaseType, SqlType};

/// What is known of an argument before the overload is chosen.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// A literal NULL.
    Null,
    Typed(SqlType),
    IntervalUnit,
    /// A lambda of so many parameters; its types follow from the overload.
    Lambda(usize),
}

/// Types of the generics, by letter.
pub type Bindings = BTreeMap<char, SqlType>;

/// Finds the overload for `arguments`; the error is ksqlDB's text.
pub fn resolve(name: &str, overloads: &[Signature], arguments: &[Argument], implicit_casts: bool) -> Result<(usize, Bindings), String> {
    for casts in [false, true] {
        if casts && !implicit_casts {
            break;
        }
        let mut accepting: Vec<(usize, Bindings)> = overloads
            .iter()
            .enumerate()
            .filter_map(|(position, signature)| Some((position, accepts(signature, arguments, casts)?)))
            .collect();
        let rank = |position: usize| {
            let signature = &overloads[position];
            let generics = signature.parameters.iter().filter(|p| p.param_type.has_generics()).count();
            (signature.variadic.is_none(), signature.parameters.len(), usize::MAX - generics)
        };
        accepting.sort_by_key(|(position, _)| rank(*position));
        if let Some((best, bindings)) = accepting.pop() {
            return match accepting.last() {
                Some((next, _)) if rank(*next) == rank(best) => Err(ambiguous(name, overloads, arguments)),
                _ => Ok((best, bindings)),
            };
        }
    }
    Err(no_match(name, overloads, arguments))
}

fn arguments_text(arguments: &[Argument]) -> String {
    let texts: Vec<String> = arguments
        .iter()
        .map(|argument| match argument {
            Argument::Null => "null".to_owned(),
            Argument::Typed(sql_type) => sql_type.display_with(&|_| false).to_string(),
            Argument::IntervalUnit => "INTERVALUNIT".to_owned(),
            Argument::Lambda(_) => "LAMBDA".to_owned(),
        })
        .collect();
    format!("({})", texts.join(", "))
}

fn alternatives_text(name: &str, overloads: &[Signature]) -> String {
    let mut text = String::new();
    for signature in overloads {
        let _ = writeln!(text, "{name}{signature}");
    }
    text + "For detailed information on a function run: DESCRIBE FUNCTION <Function-Name>;"
}

fn no_match(name: &str, overloads: &[Signature], arguments: &[Argument]) -> String {
    format!(
        "Function '{name}' does not accept parameters {}.\nValid alternatives are:\n{}",
        arguments_text(arguments),
        alternatives_text(name, overloads)
    )
}

fn ambiguous(name: &str, overloads: &[Signature], arguments: &[Argument]) -> String {
    format!(
        "Function '{name}' cannot be resolved due to ambiguous method parameters {}.\nUse CAST() to explicitly cast your parameters to one of the supported function calls.\nValid function calls are:\n{}",
        arguments_text(arguments),
        alternatives_text(name, overloads)
    )
}

/// The parameter that takes the argument at `position`, given how many arguments there are.
pub fn parameter_of(signature: &Signature, position: usize, arguments: usize) -> Option<&ParamType> {
    let index = match signature.variadic {
        Some(variadic) => {
            let behind = signature.parameters.len() - variadic - 1;
            let repeats = arguments.checked_sub(variadic + behind)?;
            match position {
                before if before < variadic => before,
                within if within < variadic + repeats => variadic,
                after => after - repeats + 1,
            }
        }
        None => position,
    };
    signature.parameters.get(index).map(|parameter| &parameter.param_type)
}

fn accepts(signature: &Signature, arguments: &[Argument], casts: bool) -> Option<Bindings> {
    let (given, declared) = (arguments.len(), signature.parameters.len());
    // The variadic parameter may be given no argument at all.
    let counts_fit = if signature.variadic.is_some() { given + 1 >= declared } else { given == declared };
    if !counts_fit {
        return None;
    }
    let mut bindings = Bindings::new();
    for (position, argument) in arguments.iter().enumerate() {
        let parameter = parameter_of(signature, position, arguments.len())?;
        let accepted = match (argument, parameter) {
            (Argument::Null, parameter) => !matches!(parameter, ParamType::IntervalUnit | ParamType::Lambda(..)),
            (Argument::IntervalUnit, ParamType::IntervalUnit) => true,
            (Argument::Lambda(given), ParamType::Lambda(inputs, _)) => inputs.len() == *given,
            (Argument::Typed(actual), parameter) => bind(actual, parameter, &mut bindings, casts),
            _ => false,
        };
        if !accepted {
            return None;
        }
    }
    Some(bindings)
}

/// Whether a value of type `actual` can be given for `declared`, binding generics on the way.
pub fn bind(actual: &SqlType, declared: &ParamType, bindings: &mut Bindings, casts: bool) -> bool {
    match (actual, declared) {
        (_, ParamType::Any) => true,
        (_, ParamType::Generic(letter)) => match bindings.get(letter) {
            None => {
                bindings.insert(*letter, actual.clone());
                true
            }
            // No widening here: what stands for one letter is of one type.
            Some(bound) => bound == actual,
        },
        (SqlType::Array(element), ParamType::Array(parameter)) => bind(element, parameter, bindings, casts),
        (SqlType::Map(key, value), ParamType::Map(key_parameter, value_parameter)) => {
            bind(key, key_parameter, bindings, casts) && bind(value, value_parameter, bindings, casts)
        }
        (SqlType::Struct(fields), ParamType::Struct(parameters)) => {
            fields.is_empty()
                || parameters.is_empty()
                || fields.len() == parameters.len()
                    && parameters.iter().all(|(name, parameter)| {
                        let field = fields.iter().find(|field| field.name.as_ref() == name);
                        field.is_some_and(|field| bind(&field.sql_type, parameter, bindings, false))
                    })
        }
        _ => {
            let exact = matches!(
                (actual.base(), declared),
                (BaseType::Boolean, ParamType::Boolean)
                    | (BaseType::Integer, ParamType::Int)
                    | (BaseType::BigInt, ParamType::BigInt)
                    | (BaseType::Double, ParamType::Double)
                    | (BaseType::Decimal, ParamType::Decimal)
                    | (BaseType::String, ParamType::String)
                    | (BaseType::Bytes, ParamType::Bytes)
                    | (BaseType::Time, ParamType::Time)
                    | (BaseType::Date, ParamType::Date)
                    | (BaseType::Timestamp, ParamType::Timestamp)
            );
            exact || casts && widens(actual.base(), declared)
        }
    }
}

fn widens(actual: BaseType, declared: &ParamType) -> bool {
    match declared {
        ParamType::BigInt => actual == BaseType::Integer,
        ParamType::Decimal => matches!(actual, BaseType::Integer | BaseType::BigInt),
        ParamType::Double => matches!(actual, BaseType::Integer | BaseType::BigInt | BaseType::Decimal),
        ParamType::Time | ParamType::Date | ParamType::Timestamp => actual == BaseType::String,
        _ => false,
    }
}

/// The type that a declared type stands for; nothing when a generic is unbound or the type is not one of values.
pub fn apply(declared: &ParamType, bindings: &Bindings) -> Option<SqlType> {
    Some(match declared {
        ParamType::Boolean => SqlType::Boolean,
        ParamType::Int => SqlType::Integer,
        ParamType::BigInt => SqlType::BigInt,
        ParamType::Double => SqlType::Double,
        ParamType::String => SqlType::String,
        ParamType::Bytes => SqlType::Bytes,
        ParamType::Time => SqlType::Time,
        ParamType::Date => SqlType::Date,
        ParamType::Timestamp => SqlType::Timestamp,
        ParamType::Generic(letter) => bindings.get(letter)?.clone(),
        ParamType::Array(element) => SqlType::array(apply(element, bindings)?),
        ParamType::Map(key, value) => SqlType::map(apply(key, bindings)?, apply(value, bindings)?),
        ParamType::Struct(fields) => {
            let fields: Option<Vec<_>> =
                fields.iter().map(|(name, field)| Some((name.as_str(), apply(field, bindings)?))).collect();
            SqlType::structure(fields?)
        }
        ParamType::Decimal | ParamType::IntervalUnit | ParamType::Any | ParamType::Lambda(..) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signatures(texts: &[&str]) -> Vec<Signature> {
        texts.iter().map(|text| Signature::parse(text).expect("valid")).collect()
    }

    fn typed(types: &[SqlType]) -> Vec<Argument> {
        types.iter().cloned().map(Argument::Typed).collect()
    }

    #[test]
    fn exact_before_widened_before_variadic() {
        let overloads = signatures(&[
            "(a INT, b INT...) -> INT",
            "(a BIGINT) -> BIGINT",
            "(a DOUBLE, b DOUBLE) -> DOUBLE",
            "(a STRING, b STRING) -> STRING",
            "(a T, b T) -> T",
        ]);
        let cases: [(&[SqlType], usize); 5] = [
            (&[SqlType::Integer], 0),
            (&[SqlType::BigInt], 1),
            (&[SqlType::Double, SqlType::Integer], 2),
            (&[SqlType::String, SqlType::String], 3),
            (&[SqlType::Boolean, SqlType::Boolean], 4),
        ];
        for (types, expected) in cases {
            assert_eq!(resolve("f", &overloads, &typed(types), true).map(|(index, _)| index), Ok(expected), "{types:?}");
        }
    }

    #[test]
    fn ties_and_misses_are_told() {
        let overloads = signatures(&["(val BIGINT, vals BIGINT...) -> BIGINT", "(val DOUBLE, vals DOUBLE...) -> DOUBLE"]);
        let tie = resolve("greatest", &overloads, &typed(&[SqlType::Integer, SqlType::BigInt]), true).expect_err("tie");
        assert!(tie.starts_with("Function 'greatest' cannot be resolved due to ambiguous method parameters (INTEGER, BIGINT).\n"));
        let miss = resolve("greatest", &overloads, &[], true).expect_err("miss");
        assert!(miss.starts_with("Function 'greatest' does not accept parameters ().\nValid alternatives are:\ngreatest(BIGINT val, BIGINT... vals)\n"), "{miss}");
    }

    #[test]
    fn a_variadic_in_the_middle_takes_what_is_between() {
        let overloads = signatures(&["(col INT, rest ANY..., k INT) -> INT"]);
        assert!(resolve("topk", &overloads, &typed(&[SqlType::Integer, SqlType::Integer]), false).is_ok());
        assert!(resolve("topk", &overloads, &typed(&[SqlType::Integer, SqlType::String, SqlType::Bytes, SqlType::Integer]), false).is_ok());
        assert!(resolve("topk", &overloads, &typed(&[SqlType::Integer, SqlType::String]), false).is_err());
        assert!(resolve("topk", &overloads, &typed(&[SqlType::Integer]), false).is_err());
    }
}
