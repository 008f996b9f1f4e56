//! Statements as text, without their semicolon.

use std::fmt;

use crate::ast::{
    ColumnConstraint, ConnectorKind, CreateSource, CreateSourceAs, Expression, ListKind, Properties, PropertyValue, QueryRef, Statement,
    TableElement,
};
use crate::format::{name, quoted_string};
use crate::lexer::keywords::is_plain_name;
use crate::name::Name;

/// The statement with the values of WITH clauses that may hold secrets replaced, for logs, answers and error texts.
pub fn mask_secrets(statement: &Statement) -> String {
    match statement {
        Statement::CreateConnector { kind, name, properties, if_not_exists } => {
            let masked = properties.0.iter().map(|(key, value)| match value {
                PropertyValue::String(_) if key != "connector.class" => (key.clone(), PropertyValue::String("[string]".into())),
                other => (key.clone(), other.clone()),
            });
            let properties = Properties(masked.collect());
            let masked = Statement::CreateConnector { kind: *kind, name: name.clone(), properties, if_not_exists: *if_not_exists };
            masked.to_string()
        }
        other => other.to_string(),
    }
}

impl fmt::Display for PropertyValue {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PropertyValue::String(text) => out.write_str(&quoted_string(text)),
            PropertyValue::Boolean(flag) => write!(out, "{flag}"),
            PropertyValue::Number(digits) => out.write_str(digits),
            PropertyValue::Null => out.write_str("null"),
        }
    }
}

impl fmt::Display for Properties {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        let entries: Vec<String> = self.0.iter().map(|(key, value)| format!("{}={value}", property_key(key))).collect();
        write!(out, " WITH ({})", entries.join(", "))
    }
}

fn property_key(key: &str) -> String {
    if is_plain_name(key) { key.to_string() } else { quoted_string(key) }
}

impl fmt::Display for TableElement {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", name(&self.name), self.data_type)?;
        match (self.constraint, &self.header_key) {
            (_, Some(key)) => write!(out, " HEADER({})", quoted_string(key)),
            (ColumnConstraint::None, None) => Ok(()),
            (ColumnConstraint::Key, None) => out.write_str(" KEY"),
            (ColumnConstraint::PrimaryKey, None) => out.write_str(" PRIMARY KEY"),
            (ColumnConstraint::Headers, None) => out.write_str(" HEADERS"),
        }
    }
}

fn elements(items: &[TableElement]) -> String {
    if items.is_empty() { String::new() } else { format!(" ({})", joined(items)) }
}

fn joined<T: fmt::Display>(items: &[T]) -> String {
    let texts: Vec<String> = items.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

fn names(items: &[Name]) -> String {
    let texts: Vec<String> = items.iter().map(name).collect();
    if texts.is_empty() { String::new() } else { format!(" ({})", texts.join(", ")) }
}

fn source_word(table: bool) -> &'static str {
    if table { "TABLE" } else { "STREAM" }
}

fn optional(flag: bool, words: &'static str) -> &'static str {
    if flag { words } else { "" }
}

impl fmt::Display for CreateSource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "CREATE {}{}{} {}{}{}{}",
            optional(self.or_replace, "OR REPLACE "),
            optional(self.read_only, "SOURCE "),
            source_word(self.table),
            optional(self.if_not_exists, "IF NOT EXISTS "),
            name(&self.name),
            elements(&self.elements),
            self.properties
        )
    }
}

impl fmt::Display for CreateSourceAs {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "CREATE {}{} {}{}{} AS {}",
            optional(self.or_replace, "OR REPLACE "),
            source_word(self.table),
            optional(self.if_not_exists, "IF NOT EXISTS "),
            name(&self.name),
            self.properties,
            self.query
        )
    }
}

impl fmt::Display for QueryRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            QueryRef::All => out.write_str("ALL"),
            QueryRef::Id(id) => out.write_str(&raw_name(id)),
        }
    }
}

/// A name whose case counts, quoted only when it is not a bare word.
fn raw_name(text: &str) -> String {
    if is_plain_name(&text.to_uppercase()) { text.to_string() } else { Name::new(text).quoted() }
}

impl fmt::Display for Statement {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Statement::Query(query) => write!(out, "{query}"),
            Statement::CreateSource(create) => write!(out, "{create}"),
            Statement::CreateSourceAs(create) => write!(out, "{create}"),
            Statement::InsertInto { target, properties, query, .. } => write!(out, "INSERT INTO {}{properties} {query}", name(target)),
            Statement::InsertValues { target, columns, values, .. } => {
                write!(out, "INSERT INTO {}{} VALUES ({})", name(target), names(columns), joined(values))
            }
            Statement::DropSource { table, name: source, if_exists, delete_topic, .. } => {
                let (guard, topic) = (optional(*if_exists, "IF EXISTS "), optional(*delete_topic, " DELETE TOPIC"));
                write!(out, "DROP {} {guard}{}{topic}", source_word(*table), name(source))
            }
            Statement::AlterSource { table, name: source, columns } => {
                let columns: Vec<String> =
                    columns.iter().map(|column| format!("ADD COLUMN {} {}", name(&column.name), column.data_type)).collect();
                write!(out, "ALTER {} {} {}", source_word(*table), name(source), columns.join(", "))
            }
            Statement::AlterSystem { property, value } => {
                write!(out, "ALTER SYSTEM {}={}", quoted_string(property), quoted_string(value))
            }
            Statement::Terminate(query) => write!(out, "TERMINATE {query}"),
            Statement::Pause(query) => write!(out, "PAUSE {query}"),
            Statement::Resume(query) => write!(out, "RESUME {query}"),
            Statement::List { kind, extended } => write!(out, "LIST {kind}{}", optional(*extended, " EXTENDED")),
            Statement::Describe { name: source, extended, .. } => {
                // Bare, these two would ask for all of them.
                let own = if matches!(source.as_str(), "STREAMS" | "TABLES") { source.quoted() } else { name(source) };
                write!(out, "DESCRIBE {own}{}", optional(*extended, " EXTENDED"))
            }
            Statement::DescribeStreams { extended } => write!(out, "DESCRIBE STREAMS{}", optional(*extended, " EXTENDED")),
            Statement::DescribeTables { extended } => write!(out, "DESCRIBE TABLES{}", optional(*extended, " EXTENDED")),
            Statement::DescribeFunction { name } => write!(out, "DESCRIBE FUNCTION {}", raw_name(name)),
            Statement::DescribeConnector { name: connector } => write!(out, "DESCRIBE CONNECTOR {}", name(connector)),
            Statement::Explain { query, statement } => match (query, statement) {
                (Some(id), _) => write!(out, "EXPLAIN {}", raw_name(id)),
                (None, Some(statement)) => write!(out, "EXPLAIN {statement}"),
                (None, None) => out.write_str("EXPLAIN"),
            },
            Statement::Print { topic, from_beginning, interval, limit } => {
                write!(out, "PRINT {}{}", raw_name(topic), optional(*from_beginning, " FROM BEGINNING"))?;
                interval.iter().try_for_each(|interval| write!(out, " INTERVAL {interval}"))?;
                limit.iter().try_for_each(|limit| write!(out, " LIMIT {limit}"))
            }
            Statement::Set { property, value } => write!(out, "SET {}={}", quoted_string(property), quoted_string(value)),
            Statement::Unset { property } => write!(out, "UNSET {}", quoted_string(property)),
            Statement::Define { variable, value } => write!(out, "DEFINE {}={}", raw_name(variable), quoted_string(value)),
            Statement::Undefine { variable } => write!(out, "UNDEFINE {}", raw_name(variable)),
            Statement::CreateType { name: alias, data_type, if_not_exists } => {
                write!(out, "CREATE TYPE {}{} AS {data_type}", optional(*if_not_exists, "IF NOT EXISTS "), name(alias))
            }
            Statement::DropType { name: alias, if_exists } => {
                write!(out, "DROP TYPE {}{}", optional(*if_exists, "IF EXISTS "), name(alias))
            }
            Statement::CreateConnector { kind, name: connector, properties, if_not_exists } => {
                let kind = if *kind == ConnectorKind::Source { "SOURCE" } else { "SINK" };
                let entries: Vec<String> =
                    properties.0.iter().map(|(key, value)| format!("{}={value}", quoted_string(key))).collect();
                let guard = optional(*if_not_exists, "IF NOT EXISTS ");
                write!(out, "CREATE {kind} CONNECTOR {guard}{} WITH ({})", name(connector), entries.join(", "))
            }
            Statement::DropConnector { name: connector, if_exists } => {
                write!(out, "DROP CONNECTOR {}{}", optional(*if_exists, "IF EXISTS "), name(connector))
            }
            Statement::RunScript { path } => write!(out, "RUN SCRIPT {}", quoted_string(path)),
            Statement::AssertTopic { topic, exists, properties, timeout } => {
                let guard = optional(!*exists, "NOT EXISTS ");
                write!(out, "ASSERT {guard}TOPIC {}{properties}", raw_name(topic))?;
                timeout.iter().try_for_each(|timeout| write!(out, " TIMEOUT {timeout}"))
            }
            Statement::AssertSchema { subject, id, exists, timeout } => {
                write!(out, "ASSERT {}SCHEMA", optional(!*exists, "NOT EXISTS "))?;
                subject.iter().try_for_each(|subject| write!(out, " SUBJECT {}", raw_name(subject)))?;
                id.iter().try_for_each(|id| write!(out, " ID {id}"))?;
                timeout.iter().try_for_each(|timeout| write!(out, " TIMEOUT {timeout}"))
            }
            Statement::AssertSource(assert) => {
                let columns = elements(&assert.elements);
                write!(out, "ASSERT {} {}{columns}{}", source_word(assert.table), name(&assert.name), assert.properties)
            }
            Statement::AssertValues(assert) => {
                let (kind, word) = if assert.tombstone { ("NULL VALUES", "KEY") } else { ("VALUES", "VALUES") };
                let values: &[Expression] = &assert.values;
                write!(out, "ASSERT {kind} {}{} {word} ({})", name(&assert.name), names(&assert.columns), joined(values))
            }
        }
    }
}

impl fmt::Display for ListKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            ListKind::Properties => "PROPERTIES",
            ListKind::Topics { all: true } => "ALL TOPICS",
            ListKind::Topics { all: false } => "TOPICS",
            ListKind::Streams => "STREAMS",
            ListKind::Tables => "TABLES",
            ListKind::Queries => "QUERIES",
            ListKind::Functions => "FUNCTIONS",
            ListKind::Types => "TYPES",
            ListKind::Variables => "VARIABLES",
            ListKind::Connectors(None) => "CONNECTORS",
            ListKind::Connectors(Some(ConnectorKind::Source)) => "SOURCE CONNECTORS",
            ListKind::Connectors(Some(ConnectorKind::Sink)) => "SINK CONNECTORS",
            ListKind::ConnectorPlugins => "CONNECTOR PLUGINS",
        })
    }
}
