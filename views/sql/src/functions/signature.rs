//! Signatures of functions: parameter types with generics, read from a short text.
//!
//! `(keys ARRAY<STRING>, values ARRAY<T>) -> MAP<STRING, T>`: a name and a type a parameter; a single capital
//! letter is a type variable; `...` behind a type makes the parameter variadic; `LAMBDA(T) => R` is a function;
//! `ANY` takes every type. `Display` of a type is what ksqlDB prints when it lists valid alternatives.

use std::fmt;

use crate::types::SqlType;

/// The type of a parameter or of a result, possibly generic.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ParamType {
    Boolean,
    Int,
    BigInt,
    Double,
    /// Every precision and scale.
    Decimal,
    String,
    Bytes,
    Time,
    Date,
    Timestamp,
    /// A bare unit of time such as `DAYS`.
    IntervalUnit,
    Any,
    Generic(char),
    Array(Box<ParamType>),
    Map(Box<ParamType>, Box<ParamType>),
    Struct(Vec<(String, ParamType)>),
    Lambda(Vec<ParamType>, Box<ParamType>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    pub name: String,
    pub param_type: ParamType,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    pub parameters: Vec<Parameter>,
    /// The parameter that may be given any number of times.
    pub variadic: Option<usize>,
    pub returns: ParamType,
}

/// A signature text that does not follow the grammar above.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bad signature '{text}' at byte {at}")]
pub struct BadSignature {
    text: String,
    at: usize,
}

impl ParamType {
    pub fn has_generics(&self) -> bool {
        match self {
            ParamType::Generic(_) => true,
            ParamType::Array(element) => element.has_generics(),
            ParamType::Map(key, value) => key.has_generics() || value.has_generics(),
            ParamType::Struct(fields) => fields.iter().any(|(_, field)| field.has_generics()),
            ParamType::Lambda(inputs, output) => output.has_generics() || inputs.iter().any(ParamType::has_generics),
            _ => false,
        }
    }
}

impl From<&SqlType> for ParamType {
    fn from(sql_type: &SqlType) -> Self {
        match sql_type {
            SqlType::Boolean => ParamType::Boolean,
            SqlType::Integer => ParamType::Int,
            SqlType::BigInt => ParamType::BigInt,
            SqlType::Double => ParamType::Double,
            SqlType::Decimal { .. } => ParamType::Decimal,
            SqlType::String => ParamType::String,
            SqlType::Bytes => ParamType::Bytes,
            SqlType::Time => ParamType::Time,
            SqlType::Date => ParamType::Date,
            SqlType::Timestamp => ParamType::Timestamp,
            SqlType::Array(element) => ParamType::Array(Box::new(element.as_ref().into())),
            SqlType::Map(key, value) => ParamType::Map(Box::new(key.as_ref().into()), Box::new(value.as_ref().into())),
            SqlType::Struct(fields) => {
                ParamType::Struct(fields.iter().map(|field| (field.name.to_string(), (&field.sql_type).into())).collect())
            }
        }
    }
}

impl fmt::Display for ParamType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParamType::Boolean => f.write_str("BOOLEAN"),
            ParamType::Int => f.write_str("INT"),
            ParamType::BigInt => f.write_str("BIGINT"),
            ParamType::Double => f.write_str("DOUBLE"),
            ParamType::Decimal => f.write_str("DECIMAL"),
            ParamType::String => f.write_str("VARCHAR"),
            ParamType::Bytes => f.write_str("BYTES"),
            ParamType::Time => f.write_str("TIME"),
            ParamType::Date => f.write_str("DATE"),
            ParamType::Timestamp => f.write_str("TIMESTAMP"),
            ParamType::IntervalUnit => f.write_str("INTERVALUNIT"),
            ParamType::Any => f.write_str("ANY"),
            ParamType::Generic(letter) => write!(f, "{letter}"),
            ParamType::Array(element) => write!(f, "ARRAY<{element}>"),
            ParamType::Map(key, value) => write!(f, "MAP<{key}, {value}>"),
            ParamType::Struct(fields) => {
                f.write_str("STRUCT<")?;
                for (position, (name, field)) in fields.iter().enumerate() {
                    write!(f, "{}{name} {field}", if position > 0 { ", " } else { "" })?;
                }
                f.write_str(">")
            }
            ParamType::Lambda(inputs, output) => {
                let inputs: Vec<String> = inputs.iter().map(ToString::to_string).collect();
                write!(f, "LAMBDA ({}) => {output}", inputs.join(", "))
            }
        }
    }
}

impl fmt::Display for Signature {
    /// The parameters in parentheses, as in error messages and DESCRIBE FUNCTION.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        for (position, parameter) in self.parameters.iter().enumerate() {
            let separator = if position > 0 { ", " } else { "" };
            let dots = if self.variadic == Some(position) { "..." } else { "" };
            write!(f, "{separator}{}{dots} {}", parameter.param_type, parameter.name)?;
        }
        f.write_str(")")
    }
}

impl Signature {
    pub fn parse(text: &str) -> Result<Signature, BadSignature> {
        Reader { text, at: 0 }.signature()
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn bad<T>(&self) -> Result<T, BadSignature> {
        Err(BadSignature { text: self.text.to_owned(), at: self.at })
    }

    fn take(&mut self, token: &str) -> bool {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start();
        if trimmed.starts_with(token) {
            self.at += rest.len() - trimmed.len() + token.len();
            return true;
        }
        false
    }

    fn expect(&mut self, token: &str) -> Result<(), BadSignature> {
        if self.take(token) { Ok(()) } else { self.bad() }
    }

    fn word(&mut self) -> Result<String, BadSignature> {
        self.take("");
        let rest = &self.text[self.at..];
        let length = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        if length == 0 {
            return self.bad();
        }
        self.at += length;
        Ok(rest[..length].to_owned())
    }

    fn signature(mut self) -> Result<Signature, BadSignature> {
        let (mut parameters, mut variadic) = (Vec::new(), None);
        self.expect("(")?;
        while !self.take(")") {
            if !parameters.is_empty() {
                self.expect(",")?;
            }
            let name = self.word()?;
            let param_type = self.param_type()?;
            if self.take("...") {
                variadic = Some(parameters.len());
            }
            parameters.push(Parameter { name, param_type });
        }
        self.expect("->")?;
        let returns = self.param_type()?;
        if self.text[self.at..].trim().is_empty() { Ok(Signature { parameters, variadic, returns }) } else { self.bad() }
    }

    fn param_type(&mut self) -> Result<ParamType, BadSignature> {
        let word = self.word()?;
        Ok(match word.as_str() {
            "BOOLEAN" => ParamType::Boolean,
            "INT" => ParamType::Int,
            "BIGINT" => ParamType::BigInt,
            "DOUBLE" => ParamType::Double,
            "DECIMAL" => ParamType::Decimal,
            "STRING" => ParamType::String,
            "BYTES" => ParamType::Bytes,
            "TIME" => ParamType::Time,
            "DATE" => ParamType::Date,
            "TIMESTAMP" => ParamType::Timestamp,
            "INTERVALUNIT" => ParamType::IntervalUnit,
            "ANY" => ParamType::Any,
            "ARRAY" => {
                self.expect("<")?;
                let element = self.param_type()?;
                self.expect(">")?;
                ParamType::Array(Box::new(element))
            }
            "MAP" => {
                self.expect("<")?;
                let key = self.param_type()?;
                self.expect(",")?;
                let value = self.param_type()?;
                self.expect(">")?;
                ParamType::Map(Box::new(key), Box::new(value))
            }
            "STRUCT" => {
                self.expect("<")?;
                let mut fields = Vec::new();
                while !self.take(">") {
                    if !fields.is_empty() {
                        self.expect(",")?;
                    }
                    fields.push((self.word()?, self.param_type()?));
                }
                ParamType::Struct(fields)
            }
            "LAMBDA" => {
                self.expect("(")?;
                let mut inputs = Vec::new();
                while !self.take(")") {
                    if !inputs.is_empty() {
                        self.expect(",")?;
                    }
                    inputs.push(self.param_type()?);
                }
                self.expect("=>")?;
                ParamType::Lambda(inputs, Box::new(self.param_type()?))
            }
            letter => match (letter.chars().next(), letter.len()) {
                (Some(letter), 1) if letter.is_ascii_uppercase() => ParamType::Generic(letter),
                _ => return self.bad(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_prints() {
        let signature = Signature::parse("(map MAP<K, V>, f LAMBDA(K, V) => R, rest STRING...) -> ARRAY<R>").expect("valid");
        assert_eq!(signature.to_string(), "(MAP<K, V> map, LAMBDA (K, V) => R f, VARCHAR... rest)");
        assert_eq!(signature.variadic, Some(2));
        assert!(signature.returns.has_generics());
        for bad in ["", "(a INT)", "(a) -> INT", "(a INT -> INT", "(a int) -> INT", "(a INT) -> INT x"] {
            assert!(Signature::parse(bad).is_err(), "{bad}");
        }
    }
}
