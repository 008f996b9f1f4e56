//! LIST, DESCRIBE, EXPLAIN, ASSERT TOPIC as typed tables: what ksqlDB's REST says in entities, here in columns and rows.
use std::sync::Arc;

use millrace_proto::{Column, Row};
use millrace_sql::ast::{ListKind, Statement};
use millrace_sql::catalog::{Catalog, RunningQuery, Settings};
use millrace_sql::functions::FunctionInfo;
use millrace_sql::plan::DataSource;
use millrace_sql::schema::Role;
use millrace_sql::value::Value;

use crate::grpc::convert::to_row;
use crate::{Failed, Views};

/// The answer to one statement.
#[derive(Default)]
pub struct Table {
    pub message: String,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
}

const STRING: &str = "STRING";
const INTEGER: &str = "INTEGER";
const BIGINT: &str = "BIGINT";
const BOOLEAN: &str = "BOOLEAN";

fn table(columns: &[(&str, &str)], rows: impl Iterator<Item = Vec<Value>>) -> Table {
    let column = |(name, of): &(&str, &str)| Column { name: (*name).to_owned(), r#type: (*of).to_owned(), key: false };
    Table { message: String::new(), columns: columns.iter().map(column).collect(), rows: rows.map(|row| to_row(&row, None)).collect() }
}

fn text(text: impl AsRef<str>) -> Value {
    Value::from(text.as_ref())
}

fn count(count: usize) -> Value {
    Value::Int(i32::try_from(count).unwrap_or(i32::MAX))
}

pub fn answer(views: &Arc<Views>, catalog: &Catalog, settings: &Settings, statement: &Statement) -> Result<Table, Failed> {
    match statement {
        Statement::List { kind, .. } => list(views, catalog, settings, *kind, statement),
        Statement::DescribeStreams { .. } => Ok(sources(catalog, false)),
        Statement::DescribeTables { .. } => Ok(sources(catalog, true)),
        Statement::Describe { name, extended, .. } => {
            let missing = || Failed::statement(format!("Could not find STREAM/TABLE '{name}' in the Metastore"));
            Ok(describe(views, catalog, catalog.source(name).ok_or_else(missing)?, *extended))
        }
        Statement::DescribeFunction { name } => {
            let missing = || Failed::statement(format!("Can't find any functions with the name '{name}'"));
            Ok(function(&views.functions().describe(name).ok_or_else(missing)?))
        }
        Statement::Explain { query, statement } => {
            let explained = views.explain(catalog, settings, query.as_deref(), statement.as_deref())?;
            let mut plan = table(&[("PLAN", STRING)], explained.plan.lines().map(|line| vec![text(line)]));
            plan.message = explained.statement;
            Ok(plan)
        }
        Statement::Print { topic, .. } => Err(Failed::statement(format!(
            "PRINT is answered over REST (POST /query); here, declare a stream over the topic and query that, or run `millrace consume {topic}`"
        ))),
        // The rest has no table: the checks and refusals are the same on both faces.
        other => {
            crate::rest::check(views, catalog, settings, other)?;
            let message = match other {
                Statement::AssertTopic { topic, exists, .. } => format!("Topic {topic} {}.", if *exists { "exists" } else { "does not exist" }),
                _ => String::new(),
            };
            Ok(Table { message, ..Table::default() })
        }
    }
}

fn list(views: &Arc<Views>, catalog: &Catalog, settings: &Settings, kind: ListKind, statement: &Statement) -> Result<Table, Failed> {
    Ok(match kind {
        ListKind::Streams => sources(catalog, false),
        ListKind::Tables => sources(catalog, true),
        ListKind::Topics { all } => {
            let topics = views.outside().topics();
            let shown = topics.iter().filter(|topic| all || !(topic.internal || topic.name.starts_with('_')));
            let row = shown.map(|topic| vec![text(&topic.name), count(topic.replicas.len()), count(topic.replicas.first().copied().unwrap_or(0))]);
            table(&[("TOPIC", STRING), ("PARTITIONS", INTEGER), ("REPLICAS", INTEGER)], row)
        }
        ListKind::Queries => {
            let columns = [("QUERY", STRING), ("TYPE", STRING), ("STATE", STRING), ("SINK", STRING), ("TOPIC", STRING), ("STATEMENT", STRING)];
            let lasting = catalog.queries().map(|query| {
                let sink = &query.plan.sink.source;
                let (id, name) = (query.plan.id.to_string(), sink.name.to_string());
                vec![text(id), text("PERSISTENT"), text(state(views, query)), text(name), text(&sink.topic), text(&query.plan.statement)]
            });
            let passing = views.transient().into_iter().map(|(id, _)| vec![text(id), text("PUSH"), text("RUNNING"), Value::Null, Value::Null, Value::Null]);
            table(&columns, lasting.chain(passing))
        }
        ListKind::Functions => {
            let functions = views.functions().list();
            let row = functions.iter().map(|function| vec![text(&function.name), text(function.kind.name()), text(&function.category)]);
            table(&[("FUNCTION", STRING), ("TYPE", STRING), ("CATEGORY", STRING)], row)
        }
        ListKind::Types => {
            let row = catalog.types().map(|(name, of)| vec![text(name.as_str()), text(of.to_string())]);
            table(&[("TYPE", STRING), ("DEFINITION", STRING)], row)
        }
        ListKind::Properties => {
            let own = views.server_settings();
            let row = settings.iter().map(|(name, value)| {
                let level = if own.get(name) == Some(value) { "SERVER" } else { "SESSION" };
                vec![text(name), text(value), text(level)]
            });
            table(&[("PROPERTY", STRING), ("VALUE", STRING), ("LEVEL", STRING)], row)
        }
        // Variables belong to the session that asks: it knows them.
        ListKind::Variables => table(&[("VARIABLE", STRING), ("VALUE", STRING)], std::iter::empty()),
        ListKind::Connectors(_) | ListKind::ConnectorPlugins => {
            crate::rest::check(views, catalog, settings, statement)?;
            Table::default()
        }
    })
}

fn sources(catalog: &Catalog, tables: bool) -> Table {
    let shown = catalog.sources().filter(|source| source.is_table() == tables);
    let row = shown.map(|source| {
        let (key, value) = (source.key_format.format.name(), source.value_format.format.name());
        vec![text(source.name.as_str()), text(&source.topic), text(key), text(value), Value::Boolean(source.window.is_some())]
    });
    let name = if tables { "TABLE" } else { "STREAM" };
    table(&[(name, STRING), ("TOPIC", STRING), ("KEY_FORMAT", STRING), ("VALUE_FORMAT", STRING), ("WINDOWED", BOOLEAN)], row)
}

fn describe(views: &Arc<Views>, catalog: &Catalog, source: &DataSource, extended: bool) -> Table {
    let row = source.schema.columns().iter().map(|column| {
        let role = match column.role {
            Role::Key if source.is_table() => "PRIMARY KEY",
            Role::Key => "KEY",
            Role::Value => "",
            _ => "HEADERS",
        };
        vec![text(column.name.as_str()), text(column.sql_type.to_string()), text(role)]
    });
    let mut described = table(&[("COLUMN", STRING), ("TYPE", STRING), ("ROLE", STRING)], row);
    let kind = if source.is_table() { "Table" } else { "Stream" };
    described.message = format!("{kind} {} over topic {}", source.name, source.topic);
    if let Some(window) = source.window {
        described.message.push_str(&format!(", {} windows", window.window_type));
    }
    if extended {
        let partitions = views.outside().partitions(&source.topic).map_or(0, |partitions| partitions.len());
        let mut lines = vec![format!("\n{partitions} partitions, key {}, value {}", source.key_format.format.name(), source.value_format.format.name())];
        let ids = |what: &str, queries: Vec<&RunningQuery>| {
            let told = queries.iter().map(|query| format!("{what} {} ({})", query.plan.id, state(views, query)));
            told.collect::<Vec<_>>()
        };
        lines.extend(ids("written by", catalog.writers(&source.name).collect()));
        lines.extend(ids("read by", catalog.readers(&source.name).collect()));
        lines.push(source.statement.clone());
        described.message.push_str(&lines.join("\n"));
    }
    described
}

fn function(found: &FunctionInfo) -> Table {
    let row = found.overloads.iter().map(|overload| {
        let signature = &overload.signature;
        let arguments = signature.parameters.iter().enumerate().map(|(at, parameter)| {
            let more = if signature.variadic == Some(at) { "..." } else { "" };
            format!("{} {}{more}", parameter.name, parameter.param_type)
        });
        vec![text(format!("{}({})", found.name, arguments.collect::<Vec<_>>().join(", "))), text(signature.returns.to_string())]
    });
    let mut described = table(&[("SIGNATURE", STRING), ("RETURNS", STRING)], row);
    described.message = format!("{} ({}, {})\n{}", found.name, found.kind.name(), found.category, found.about).trim_end().to_owned();
    described
}

fn state(views: &Views, query: &RunningQuery) -> &'static str {
    views.query_state(&query.plan.id).word()
}

/// What INSERT VALUES answers beside the place to read back from.
pub fn inserted(topic: &str, partition: i32, offset: i64) -> Table {
    let row = vec![text(topic), Value::Int(partition), Value::BigInt(offset)];
    table(&[("TOPIC", STRING), ("PARTITION", INTEGER), ("OFFSET", BIGINT)], std::iter::once(row))
}
