//! SQL types as ksqlDB knows them.
//!
//! Invariants: a `DECIMAL(p, s)` built through [`SqlType::decimal`] has `p >= 1` and `0 <= s <= p`.
//! `Display` prints what ksqlDB prints in schemas, headers and error messages: every struct field
//! name is back-quoted and `DECIMAL(4, 2)` has a space.
//! Absences: no names for user types (`CREATE TYPE` is resolved before a type gets here), no nullability
//! (every column may hold null).

use std::fmt;
use std::sync::Arc;

/// The type of a column, an expression or a function parameter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SqlType {
    Boolean,
    Integer,
    BigInt,
    Double,
    Decimal { precision: u32, scale: u32 },
    String,
    Bytes,
    Time,
    Date,
    Timestamp,
    Array(Arc<SqlType>),
    Map(Arc<SqlType>, Arc<SqlType>),
    Struct(Arc<[Field]>),
}

/// A named member of a `STRUCT`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Field {
    pub name: Arc<str>,
    pub sql_type: SqlType,
}

impl Field {
    pub fn new(name: impl Into<Arc<str>>, sql_type: SqlType) -> Self {
        Field {
            name: name.into(),
            sql_type,
        }
    }
}

/// A type without its parameters: what ksqlDB calls the base type, used in messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BaseType {
    Boolean,
    Integer,
    BigInt,
    Decimal,
    Double,
    String,
    Array,
    Map,
    Struct,
    Time,
    Date,
    Timestamp,
    Bytes,
}

impl BaseType {
    pub fn is_number(self) -> bool {
        matches!(
            self,
            BaseType::Integer | BaseType::BigInt | BaseType::Decimal | BaseType::Double
        )
    }

    pub fn is_time(self) -> bool {
        matches!(self, BaseType::Time | BaseType::Date | BaseType::Timestamp)
    }
}

impl fmt::Display for BaseType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BaseType::Boolean => "BOOLEAN",
            BaseType::Integer => "INTEGER",
            BaseType::BigInt => "BIGINT",
            BaseType::Decimal => "DECIMAL",
            BaseType::Double => "DOUBLE",
            BaseType::String => "STRING",
            BaseType::Array => "ARRAY",
            BaseType::Map => "MAP",
            BaseType::Struct => "STRUCT",
            BaseType::Time => "TIME",
            BaseType::Date => "DATE",
            BaseType::Timestamp => "TIMESTAMP",
            BaseType::Bytes => "BYTES",
        })
    }
}

/// A type that cannot exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TypeError {
    #[error("DECIMAL precision must be >= 1: DECIMAL({precision},{scale})")]
    DecimalPrecision { precision: u32, scale: u32 },
    #[error("DECIMAL precision must be >= scale: DECIMAL({precision},{scale})")]
    DecimalScale { precision: u32, scale: u32 },
    #[error("DECIMAL precision must be <= {limit}: DECIMAL({precision},{scale})")]
    DecimalTooWide {
        precision: u32,
        scale: u32,
        limit: u32,
    },
}

/// The widest decimal that may be declared or computed; keeps every operation's cost bounded.
pub const DECIMAL_PRECISION_MAX: u32 = 10_000;

impl SqlType {
    /// `DECIMAL(precision, scale)`, checked.
    pub fn decimal(precision: u32, scale: u32) -> Result<SqlType, TypeError> {
        if precision < 1 {
            return Err(TypeError::DecimalPrecision { precision, scale });
        }
        if precision < scale {
            return Err(TypeError::DecimalScale { precision, scale });
        }
        if precision > DECIMAL_PRECISION_MAX {
            return Err(TypeError::DecimalTooWide {
                precision,
                scale,
                limit: DECIMAL_PRECISION_MAX,
            });
        }
        Ok(SqlType::Decimal { precision, scale })
    }

    pub fn array(element: SqlType) -> SqlType {
        SqlType::Array(Arc::new(element))
    }

    pub fn map(key: SqlType, value: SqlType) -> SqlType {
        SqlType::Map(Arc::new(key), Arc::new(value))
    }

    pub fn structure<N: Into<Arc<str>>>(fields: impl IntoIterator<Item = (N, SqlType)>) -> SqlType {
        SqlType::Struct(
            fields
                .into_iter()
                .map(|(name, sql_type)| Field::new(name, sql_type))
                .collect(),
        )
    }

    pub fn base(&self) -> BaseType {
        match self {
            SqlType::Boolean => BaseType::Boolean,
            SqlType::Integer => BaseType::Integer,
            SqlType::BigInt => BaseType::BigInt,
            SqlType::Double => BaseType::Double,
            SqlType::Decimal { .. } => BaseType::Decimal,
            SqlType::String => BaseType::String,
            SqlType::Bytes => BaseType::Bytes,
            SqlType::Time => BaseType::Time,
            SqlType::Date => BaseType::Date,
            SqlType::Timestamp => BaseType::Timestamp,
            SqlType::Array(_) => BaseType::Array,
            SqlType::Map(..) => BaseType::Map,
            SqlType::Struct(_) => BaseType::Struct,
        }
    }

    pub fn is_number(&self) -> bool {
        self.base().is_number()
    }

    /// The fields of a struct; empty for every other type.
    pub fn fields(&self) -> &[Field] {
        match self {
            SqlType::Struct(fields) => fields,
            _ => &[],
        }
    }

    /// Whether a map occurs anywhere in the type (a map may not be part of a key).
    pub fn contains_map(&self) -> bool {
        match self {
            SqlType::Map(..) => true,
            SqlType::Array(element) => element.contains_map(),
            SqlType::Struct(fields) => fields.iter().any(|field| field.sql_type.contains_map()),
            _ => false,
        }
    }

    /// The type's text with `quoted` deciding which field names need back-quotes.
    pub fn display_with<'a>(&'a self, quoted: &'a dyn Fn(&str) -> bool) -> impl fmt::Display + 'a {
        DisplayWith {
            sql_type: self,
            quoted,
        }
    }
}

struct DisplayWith<'a> {
    sql_type: &'a SqlType,
    quoted: &'a dyn Fn(&str) -> bool,
}

impl fmt::Display for DisplayWith<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nested = |sql_type| DisplayWith {
            sql_type,
            quoted: self.quoted,
        };
        match self.sql_type {
            SqlType::Decimal { precision, scale } => write!(f, "DECIMAL({precision}, {scale})"),
            SqlType::Array(element) => write!(f, "ARRAY<{}>", nested(element)),
            SqlType::Map(key, value) => write!(f, "MAP<{}, {}>", nested(key), nested(value)),
            SqlType::Struct(fields) if fields.is_empty() => f.write_str("STRUCT< >"),
            SqlType::Struct(fields) => {
                f.write_str("STRUCT<")?;
                for (position, field) in fields.iter().enumerate() {
                    if position > 0 {
                        f.write_str(", ")?;
                    }
                    if (self.quoted)(&field.name) {
                        write!(f, "`{}` ", field.name.replace('`', "``"))?;
                    } else {
                        write!(f, "{} ", field.name)?;
                    }
                    write!(f, "{}", nested(&field.sql_type))?;
                }
                f.write_str(">")
            }
            plain => write!(f, "{}", plain.base()),
        }
    }
}

impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.display_with(&|_| true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_ksqldb_does() {
        let address = SqlType::structure([
            ("CITY", SqlType::String),
            ("zip", SqlType::array(SqlType::Integer)),
        ]);
        let cases = [
            (SqlType::String, "STRING"),
            (SqlType::Integer, "INTEGER"),
            (
                SqlType::Decimal {
                    precision: 4,
                    scale: 2,
                },
                "DECIMAL(4, 2)",
            ),
            (
                SqlType::map(SqlType::String, SqlType::BigInt),
                "MAP<STRING, BIGINT>",
            ),
            (address, "STRUCT<`CITY` STRING, `zip` ARRAY<INTEGER>>"),
            (SqlType::Struct(Arc::new([])), "STRUCT< >"),
        ];
        for (sql_type, text) in cases {
            assert_eq!(sql_type.to_string(), text);
        }
    }

    #[test]
    fn refuses_decimals_that_cannot_exist() {
        assert!(SqlType::decimal(0, 0).is_err());
        assert!(SqlType::decimal(2, 3).is_err());
        assert!(SqlType::decimal(u32::MAX, 3).is_err());
        assert_eq!(
            SqlType::decimal(3, 3),
            Ok(SqlType::Decimal {
                precision: 3,
                scale: 3
            })
        );
    }

    #[test]
    fn finds_maps_inside() {
        let deep = SqlType::array(SqlType::structure([(
            "A",
            SqlType::map(SqlType::String, SqlType::Double),
        )]));
        assert!(deep.contains_map());
        assert!(!SqlType::array(SqlType::Bytes).contains_map());
    }
}
