//! A type as written. Names of user types (`CREATE TYPE`) stay unresolved here.

use crate::ast::Position;
use crate::name::Name;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DataType {
    Boolean,
    Integer,
    Bigint,
    Double,
    String,
    Bytes,
    Date,
    Time,
    Timestamp,
    Decimal { precision: u32, scale: u32 },
    Array(Box<DataType>),
    Map { key: Box<DataType>, value: Box<DataType> },
    Struct(Vec<StructField>),
    /// A user type, to be looked up in the catalog before planning.
    Custom { name: Name, position: Position },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StructField {
    pub name: Name,
    pub data_type: DataType,
}
