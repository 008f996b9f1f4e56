//! Columns that come from a schema registry: the seam, and the engine without one.

use crate::error::{Result, SqlError};
use crate::name::Name;
use crate::plan::FormatInfo;
use crate::types::SqlType;

/// What is asked of the registry.
#[derive(Clone, Copy, Debug)]
pub struct SchemaAsk<'a> {
    pub topic: &'a str,
    pub is_key: bool,
    /// With the schema's id and full name where WITH gives them.
    pub format: &'a FormatInfo,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Inferred {
    /// A record: its fields.
    Columns(Vec<(Name, SqlType)>),
    /// A bare value.
    Single(SqlType),
}

pub trait Schemas {
    /// Nothing when the registry has no such schema; an error when it cannot be used.
    fn infer(&self, ask: &SchemaAsk<'_>) -> std::result::Result<Option<Inferred>, String>;
}

/// No registry is configured.
#[derive(Clone, Copy, Debug)]
pub struct NoSchemas;

impl Schemas for NoSchemas {
    fn infer(&self, _: &SchemaAsk<'_>) -> std::result::Result<Option<Inferred>, String> {
        Ok(None)
    }
}

/// The columns of one side; a bare value is called ROWKEY or ROWVAL.
pub(crate) fn infer(schemas: &dyn Schemas, ask: &SchemaAsk<'_>) -> Result<Vec<(Name, SqlType)>> {
    let side = if ask.is_key { "key" } else { "value" };
    match schemas.infer(ask) {
        Ok(Some(Inferred::Columns(columns))) if !ask.is_key => Ok(columns),
        Ok(Some(Inferred::Columns(columns))) => {
            Ok(vec![(Name::new("ROWKEY"), SqlType::structure(columns.iter().map(|(name, sql_type)| (name.as_str(), sql_type.clone()))))])
        }
        Ok(Some(Inferred::Single(sql_type))) => Ok(vec![(Name::new(if ask.is_key { "ROWKEY" } else { "ROWVAL" }), sql_type)]),
        Ok(None) => Err(SqlError::statement(format!(
            "Schema for message {side}s on topic '{}' does not exist in the Schema Registry.\nSubject: {}-{side}\nPossible causes include:\n- The topic itself does not exist\n- Messages on the topic are not serialized using a format Schema Registry supports\n- Messages have not been serialized using a Confluent Schema Registry supported serializer",
            ask.topic, ask.topic
        ))),
        Err(why) => Err(SqlError::statement(why)),
    }
}
