//! User types: `CREATE TYPE` gives a name to a type, and every use is replaced by what it names.

use std::collections::BTreeMap;

use crate::ast::{DataType, StructField};
use crate::catalog::Settings;
use crate::error::{Result, SqlError};
use crate::name::Name;

/// How many parts a type may have when every user type in it is written out.
pub const TYPE_PARTS_MAX: usize = 10_000;
pub const TYPE_PARTS_CONFIG: &str = "views.sql.type.parts.max";
/// How deep it may nest then.
pub const TYPE_DEPTH_MAX: usize = 64;
pub const TYPE_DEPTH_CONFIG: &str = "views.sql.type.depth.max";

/// The type with all names replaced. Types in `known` hold no names: they were resolved when they were made.
pub(crate) fn resolve(data_type: &DataType, known: &BTreeMap<Name, DataType>, settings: &Settings) -> Result<DataType> {
    let parts_max = settings.number(TYPE_PARTS_CONFIG, TYPE_PARTS_MAX);
    // More than the standard would exhaust the stack of whoever walks the type.
    let depth_max = settings.number(TYPE_DEPTH_CONFIG, TYPE_DEPTH_MAX).min(TYPE_DEPTH_MAX);
    Resolver { known, parts: 0, parts_max, depth_max }.resolve(data_type, 1)
}

struct Resolver<'a> {
    known: &'a BTreeMap<Name, DataType>,
    parts: usize,
    parts_max: usize,
    depth_max: usize,
}

impl Resolver<'_> {
    fn resolve(&mut self, data_type: &DataType, depth: usize) -> Result<DataType> {
        self.count(depth)?;
        Ok(match data_type {
            DataType::Custom { name, .. } => {
                let known = self.known;
                match known.get(name) {
                    Some(named) => self.resolve(named, depth)?,
                    None => return Err(SqlError::statement(format!("Cannot resolve unknown type: {name}"))),
                }
            }
            DataType::Array(element) => DataType::Array(Box::new(self.resolve(element, depth + 1)?)),
            DataType::Map { key, value } => DataType::Map {
                key: Box::new(self.resolve(key, depth + 1)?),
                value: Box::new(self.resolve(value, depth + 1)?),
            },
            DataType::Struct(fields) => {
                let twice = |(at, field): &(usize, &StructField)| fields[..*at].iter().any(|earlier| earlier.name == field.name);
                if let Some((_, field)) = fields.iter().enumerate().find(twice) {
                    return Err(SqlError::definition(format!("Duplicate field names found in STRUCT: '{}'", field.name)));
                }
                let resolved = fields.iter().map(|field| {
                    Ok(StructField { name: field.name.clone(), data_type: self.resolve(&field.data_type, depth + 1)? })
                });
                DataType::Struct(resolved.collect::<Result<_>>()?)
            }
            plain => plain.clone(),
        })
    }

    fn count(&mut self, depth: usize) -> Result<()> {
        self.parts += 1;
        if self.parts > self.parts_max {
            let most = self.parts_max;
            return Err(SqlError::limit(format!("The type has more than {most} parts. The limit is the setting '{TYPE_PARTS_CONFIG}'.")));
        }
        if depth > self.depth_max {
            let most = self.depth_max;
            return Err(SqlError::limit(format!("The type nests deeper than {most} levels. The limit is the setting '{TYPE_DEPTH_CONFIG}'.")));
        }
        Ok(())
    }
}
