//! JSON text to typed values, reading only what is wanted.
//!
//! Invariants: a field is found by its exact name, else by its name in upper case; of repeated fields the last one counts. A value
//! of the wrong kind is an error that names its path; text is accepted where a number or a time is declared, anything for STRING.

use std::fmt;

use millrace_sql::decimal::Decimal;
use millrace_sql::types::SqlType;
use millrace_sql::value::Value;

use super::encode::push_string;
use super::scan::{Kind, Scanner};
use crate::{DecodeError, text};

/// A type prepared for reading.
#[derive(Debug)]
pub enum Shape {
    Scalar(SqlType),
    Array(Box<Shape>),
    Map(Box<Shape>),
    Struct(Fields),
}

#[derive(Debug)]
pub struct Fields(Vec<FieldShape>);

#[derive(Debug)]
struct FieldShape {
    name: String,
    /// Whether other spellings may match: only names that are their own upper case can be reached by folding.
    folds: bool,
    shape: Shape,
    wanted: bool,
}

impl Shape {
    pub fn of(sql_type: &SqlType) -> Shape {
        match sql_type {
            SqlType::Array(element) => Shape::Array(Box::new(Shape::of(element))),
            SqlType::Map(_, value) => Shape::Map(Box::new(Shape::of(value))),
            SqlType::Struct(fields) => {
                Shape::Struct(Fields::new(fields.iter().map(|field| (&*field.name, &field.sql_type, true))))
            }
            scalar => Shape::Scalar(scalar.clone()),
        }
    }

    fn name(&self) -> String {
        match self {
            Shape::Scalar(sql_type) => sql_type.to_string(),
            Shape::Array(_) => "ARRAY".to_string(),
            Shape::Map(_) => "MAP".to_string(),
            Shape::Struct(_) => "STRUCT".to_string(),
        }
    }
}

impl Fields {
    pub fn new<'a>(fields: impl Iterator<Item = (&'a str, &'a SqlType, bool)>) -> Fields {
        let prepare = |(name, sql_type, wanted): (&str, &SqlType, bool)| FieldShape {
            name: name.to_string(),
            folds: name.to_uppercase() == name,
            shape: Shape::of(sql_type),
            wanted,
        };
        Fields(fields.map(prepare).collect())
    }

    /// The field for a name in the text and whether the match is exact. Fields mostly come in declared order: `hint` is tried first.
    fn find(&self, name: &str, hint: usize) -> Option<(usize, bool)> {
        if self.0.get(hint).is_some_and(|field| field.name == name) {
            return Some((hint, true));
        }
        if let Some(at) = self.0.iter().position(|field| field.name == name) {
            return Some((at, true));
        }
        let same = |field: &FieldShape| {
            field.folds
                && if name.is_ascii() { field.name.eq_ignore_ascii_case(name) } else { field.name == name.to_uppercase() }
        };
        self.0.iter().position(same).map(|at| (at, false))
    }
}

/// Where we are, for errors: a list back to the root, on the stack.
pub enum Path<'a> {
    Root,
    Field(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => out.write_str("$"),
            Path::Field(parent, name) => write!(out, "{parent}.{name}"),
            Path::Index(parent, index) => write!(out, "{parent}[{index}]"),
        }
    }
}

fn mismatch<T>(found: Kind, wanted: &Shape, path: &Path<'_>) -> Result<T, DecodeError> {
    Err(DecodeError::Type { found: found.name(), wanted: wanted.name(), path: path.to_string() })
}

/// One value of the shape; JSON's null is null for every shape.
pub fn value(scanner: &mut Scanner<'_>, shape: &Shape, path: &Path<'_>) -> Result<Value, DecodeError> {
    let kind = scanner.kind()?;
    if kind == Kind::Null {
        scanner.null()?;
        return Ok(Value::Null);
    }
    match (shape, kind) {
        (Shape::Scalar(sql_type), _) => scalar(scanner, sql_type, kind, shape, path),
        (Shape::Array(element), Kind::Array) => {
            scanner.enter()?;
            let mut values = Vec::new();
            while scanner.another(values.is_empty(), b']')? {
                let at = Path::Index(path, values.len());
                values.push(value(scanner, element, &at)?);
            }
            Ok(Value::array(values))
        }
        (Shape::Map(element), Kind::Object) => {
            scanner.enter()?;
            let mut entries = Vec::new();
            while scanner.another(entries.is_empty(), b'}')? {
                let name = scanner.field_name()?;
                let item = value(scanner, element, &Path::Field(path, &name))?;
                entries.push((Value::string(&*name), item));
            }
            Ok(Value::map(entries))
        }
        (Shape::Struct(fields), Kind::Object) => object(scanner, fields, path).map(Value::structure),
        _ => mismatch(kind, shape, path),
    }
}

/// The fields of an object, in the order of `fields`; those absent are null.
pub fn object(scanner: &mut Scanner<'_>, fields: &Fields, path: &Path<'_>) -> Result<Vec<Value>, DecodeError> {
    if scanner.kind()? != Kind::Object {
        let kind = scanner.kind()?;
        return Err(DecodeError::Type { found: kind.name(), wanted: "STRUCT".to_string(), path: path.to_string() });
    }
    let mut row = vec![Value::Null; fields.0.len()];
    // Which columns have been found by their exact name; beyond the first 64 the last spelling counts, whichever it is.
    let mut exact = 0u64;
    let bit = |at: usize| u32::try_from(at).ok().and_then(|at| 1u64.checked_shl(at)).unwrap_or(0);
    let (mut first, mut hint) = (true, 0);
    scanner.enter()?;
    while scanner.another(first, b'}')? {
        first = false;
        let name = scanner.field_name()?;
        match fields.find(&name, hint) {
            Some((at, is_exact)) if fields.0[at].wanted && (is_exact || exact & bit(at) == 0) => {
                let field = &fields.0[at];
                row[at] = value(scanner, &field.shape, &Path::Field(path, &field.name))?;
                exact |= if is_exact { bit(at) } else { 0 };
                hint = at + 1;
            }
            found => {
                hint = found.map_or(hint, |(at, _)| at + 1);
                scanner.skip()?;
            }
        }
    }
    Ok(row)
}

fn scalar(
    scanner: &mut Scanner<'_>,
    sql_type: &SqlType,
    kind: Kind,
    shape: &Shape,
    path: &Path<'_>,
) -> Result<Value, DecodeError> {
    if *sql_type == SqlType::String {
        return Ok(Value::string(as_text(scanner, kind)?));
    }
    match kind {
        Kind::Boolean if *sql_type == SqlType::Boolean => scanner.boolean().map(Value::Boolean),
        Kind::Number => {
            let number = scanner.number()?;
            match from_number(number, sql_type) {
                Some(Ok(value)) => Ok(value),
                Some(Err(why)) => Err(unreadable(number, sql_type, path, why)),
                None => mismatch(kind, shape, path),
            }
        }
        Kind::String if *sql_type != SqlType::Boolean => {
            let content = scanner.string()?;
            text::scalar(&content, sql_type).map_err(|why| unreadable(&content, sql_type, path, why))
        }
        _ => mismatch(kind, shape, path),
    }
}

fn unreadable(text: &str, sql_type: &SqlType, path: &Path<'_>, why: String) -> DecodeError {
    let text = text.chars().take(100).collect();
    DecodeError::Text { text, wanted: sql_type.to_string(), path: path.to_string(), why }
}

/// A JSON number as the type; `None` where the type takes no numbers. Integers wrap and fractions are cut, as Java narrows.
fn from_number(number: &str, sql_type: &SqlType) -> Option<Result<Value, String>> {
    let whole = || match number.parse::<i64>() {
        Ok(whole) => Ok(whole),
        Err(_) => number.parse::<Decimal>().map(|decimal| decimal.to_i64_wrapping()).map_err(|error| error.to_string()),
    };
    Some(match sql_type {
        #[expect(clippy::cast_possible_truncation, reason = "Java's intValue keeps the low bits")]
        SqlType::Integer => whole().map(|whole| Value::Int(whole as i32)),
        SqlType::BigInt => whole().map(Value::BigInt),
        SqlType::Double => number.parse().map(Value::Double).map_err(|_| "not a double".to_string()),
        SqlType::Decimal { precision, scale } => text::decimal(number, *precision, *scale).map(Value::Decimal),
        SqlType::Time => whole().and_then(text::time),
        SqlType::Date => whole().and_then(text::date),
        SqlType::Timestamp => whole().map(Value::Timestamp),
        _ => return None,
    })
}

/// What a STRING column shows of any value: text as it is, numbers and booleans as written, the rest as compact JSON.
fn as_text(scanner: &mut Scanner<'_>, kind: Kind) -> Result<String, DecodeError> {
    if kind == Kind::String {
        return scanner.string().map(|text| text.into_owned());
    }
    let mut out = String::new();
    compact(scanner, kind, &mut out)?;
    Ok(out)
}

fn compact(scanner: &mut Scanner<'_>, kind: Kind, out: &mut String) -> Result<(), DecodeError> {
    match kind {
        Kind::Null => {
            scanner.null()?;
            out.push_str("null");
        }
        Kind::Boolean => out.push_str(if scanner.boolean()? { "true" } else { "false" }),
        Kind::String => push_string(out, &scanner.string()?),
        Kind::Number => {
            let number = scanner.number()?;
            match number.parse::<Decimal>() {
                Ok(decimal) if number.contains(['.', 'e', 'E']) => out.push_str(&decimal.to_scientific_string()),
                _ => out.push_str(number),
            }
        }
        Kind::Array | Kind::Object => {
            let is_array = kind == Kind::Array;
            let (open, close) = if is_array { ('[', b']') } else { ('{', b'}') };
            scanner.enter()?;
            out.push(open);
            let mut first = true;
            while scanner.another(first, close)? {
                if !first {
                    out.push(',');
                }
                first = false;
                if !is_array {
                    push_string(out, &scanner.field_name()?);
                    out.push(':');
                }
                let kind = scanner.kind()?;
                compact(scanner, kind, out)?;
            }
            out.push(char::from(close));
        }
    }
    Ok(())
}
