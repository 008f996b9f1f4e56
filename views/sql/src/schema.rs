//! Schemas: the ordered columns of a source, and of the rows at each step of a plan.
//!
//! Invariants: names are unique within a schema; a row of a step is a list of values in the order of `columns`.
//! A source's declared schema holds keys, values and headers only; steps also carry the pseudo columns and window bounds
//! that their expressions read. Absences: no formats, no positions in text.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::name::Name;
use crate::types::SqlType;

/// Event time.
pub const ROWTIME: &str = "ROWTIME";
/// The partition of the record read.
pub const ROWPARTITION: &str = "ROWPARTITION";
/// The offset of the record read.
pub const ROWOFFSET: &str = "ROWOFFSET";
pub const WINDOWSTART: &str = "WINDOWSTART";
pub const WINDOWEND: &str = "WINDOWEND";

/// The names that no declared column and no alias may take.
pub const RESERVED: [&str; 5] = [ROWTIME, ROWPARTITION, ROWOFFSET, WINDOWSTART, WINDOWEND];

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    Key,
    Value,
    /// The record's headers: all of them, or the last one with this key.
    Headers { key: Option<String> },
    /// ROWTIME, ROWPARTITION, ROWOFFSET.
    Pseudo,
    /// WINDOWSTART, WINDOWEND.
    WindowBound,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Column {
    pub name: Name,
    pub sql_type: SqlType,
    pub role: Role,
}

impl Column {
    pub fn new(name: impl Into<Name>, sql_type: SqlType, role: Role) -> Column {
        Column { name: name.into(), sql_type, role }
    }
}

impl fmt::Display for Column {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.name.quoted(), self.sql_type)?;
        match &self.role {
            Role::Key => out.write_str(" KEY"),
            Role::Headers { key: None } => out.write_str(" HEADERS"),
            Role::Headers { key: Some(key) } => write!(out, " HEADER('{key}')"),
            Role::Value | Role::Pseudo | Role::WindowBound => Ok(()),
        }
    }
}

/// Ordered columns with unique names. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Schema {
    columns: Arc<[Column]>,
}

/// Two columns of one schema share a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Duplicate column name: {}", .0.quoted())]
pub struct DuplicateColumn(pub Name);

impl Schema {
    pub fn new(columns: Vec<Column>) -> Result<Schema, DuplicateColumn> {
        let mut names = BTreeSet::new();
        if let Some(twice) = columns.iter().find(|column| !names.insert(&column.name)) {
            return Err(DuplicateColumn(twice.name.clone()));
        }
        Ok(Schema { columns: columns.into() })
    }

    pub fn empty() -> Schema {
        Schema { columns: Arc::from([]) }
    }

    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub fn len(&self) -> usize {
        self.columns.len()
    }

    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Where the column stands in a row.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    pub fn find(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub fn keys(&self) -> impl Iterator<Item = &Column> + Clone {
        self.columns.iter().filter(|column| column.role == Role::Key)
    }

    pub fn values(&self) -> impl Iterator<Item = &Column> + Clone {
        self.columns.iter().filter(|column| column.role == Role::Value)
    }

    pub fn headers(&self) -> impl Iterator<Item = &Column> + Clone {
        self.columns.iter().filter(|column| matches!(column.role, Role::Headers { .. }))
    }

    /// A copy in which every column is a value: the form in which answers are described.
    pub fn without_keys(&self) -> Schema {
        let plain = |column: &Column| Column { role: Role::Value, ..column.clone() };
        Schema { columns: self.columns.iter().map(plain).collect() }
    }
}

/// The text of schemas in answers and messages: `` `ID` BIGINT KEY, `NAME` STRING ``.
impl fmt::Display for Schema {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, column) in self.columns.iter().enumerate() {
            if index > 0 {
                out.write_str(", ")?;
            }
            write!(out, "{column}")?;
        }
        Ok(())
    }
}
