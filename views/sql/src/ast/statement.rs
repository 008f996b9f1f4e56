//! Statements.

use crate::ast::{DataType, Expression, Position, Query, WindowLength};
use crate::name::Name;

/// A statement with its own text (from its first token to the semicolon) and where it began.
#[derive(Clone, Debug, PartialEq)]
pub struct Located {
    pub statement: Statement,
    /// The statement's text after variables were put in, with its `;`.
    pub text: String,
    pub position: Position,
}

/// A WITH clause, in the order written. Keys are upper case.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Properties(pub Vec<(String, PropertyValue)>);

/// A literal of a WITH clause.
#[derive(Clone, Debug, PartialEq)]
pub enum PropertyValue {
    String(String),
    Boolean(bool),
    /// A number, kept as written.
    Number(String),
    Null,
}

impl Properties {
    pub fn get(&self, key: &str) -> Option<&PropertyValue> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnConstraint {
    None,
    Key,
    PrimaryKey,
    /// `HEADERS`: all of them.
    Headers,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TableElement {
    pub name: Name,
    pub data_type: DataType,
    pub constraint: ColumnConstraint,
    /// `HEADER('key')`; excludes the other constraints.
    pub header_key: Option<String>,
    pub position: Position,
}

/// CREATE STREAM / TABLE with columns.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateSource {
    pub table: bool,
    pub or_replace: bool,
    pub if_not_exists: bool,
    /// CREATE SOURCE STREAM / TABLE: read-only.
    pub read_only: bool,
    pub name: Name,
    pub elements: Vec<TableElement>,
    pub properties: Properties,
}

/// CREATE STREAM / TABLE .. AS SELECT.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateSourceAs {
    pub table: bool,
    pub or_replace: bool,
    pub if_not_exists: bool,
    pub name: Name,
    pub properties: Properties,
    pub query: Query,
}

#[derive(Clone, Debug, PartialEq)]
pub struct AlterColumn {
    pub name: Name,
    pub data_type: DataType,
}

/// The query that TERMINATE, PAUSE and RESUME mean.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum QueryRef {
    All,
    Id(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectorKind {
    Source,
    Sink,
}

/// What LIST / SHOW lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListKind {
    Properties,
    Topics { all: bool },
    Streams,
    Tables,
    Queries,
    Functions,
    Types,
    Variables,
    Connectors(Option<ConnectorKind>),
    ConnectorPlugins,
}

/// ASSERT STREAM / TABLE of the test scripts.
#[derive(Clone, Debug, PartialEq)]
pub struct AssertSource {
    pub table: bool,
    pub name: Name,
    pub elements: Vec<TableElement>,
    pub properties: Properties,
}

/// ASSERT [NULL] VALUES of the test scripts.
#[derive(Clone, Debug, PartialEq)]
pub struct AssertValues {
    pub name: Name,
    pub columns: Vec<Name>,
    pub values: Vec<Expression>,
    /// NULL VALUES: the record must be a tombstone, and `values` are its key.
    pub tombstone: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    Query(Query),
    CreateSource(CreateSource),
    CreateSourceAs(CreateSourceAs),
    InsertInto { target: Name, properties: Properties, query: Query, position: Position },
    InsertValues { target: Name, columns: Vec<Name>, values: Vec<Expression>, position: Position },
    DropSource { table: bool, name: Name, if_exists: bool, delete_topic: bool, position: Position },
    AlterSource { table: bool, name: Name, columns: Vec<AlterColumn> },
    AlterSystem { property: String, value: String },
    Terminate(QueryRef),
    Pause(QueryRef),
    Resume(QueryRef),
    List { kind: ListKind, extended: bool },
    Describe { name: Name, extended: bool, position: Position },
    DescribeStreams { extended: bool },
    DescribeTables { extended: bool },
    DescribeFunction { name: String },
    DescribeConnector { name: Name },
    Explain { query: Option<String>, statement: Option<Box<Statement>> },
    Print { topic: String, from_beginning: bool, interval: Option<i64>, limit: Option<i64> },
    Set { property: String, value: String },
    Unset { property: String },
    Define { variable: String, value: String },
    Undefine { variable: String },
    CreateType { name: Name, data_type: DataType, if_not_exists: bool },
    DropType { name: Name, if_exists: bool },
    CreateConnector { kind: ConnectorKind, name: Name, properties: Properties, if_not_exists: bool },
    DropConnector { name: Name, if_exists: bool },
    RunScript { path: String },
    AssertTopic { topic: String, exists: bool, properties: Properties, timeout: Option<WindowLength> },
    AssertSchema { subject: Option<String>, id: Option<i64>, exists: bool, timeout: Option<WindowLength> },
    AssertSource(AssertSource),
    AssertValues(AssertValues),
}
