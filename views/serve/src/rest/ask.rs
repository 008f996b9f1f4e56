//! LIST and DESCRIBE FUNCTION: what is asked of the catalog and of the node.
use std::sync::Arc;

use millrace_sql::ast::{ListKind, Statement};
use millrace_sql::catalog::{Catalog, properties};
use millrace_sql::error::SqlError;
use millrace_sql::expr::sql_type_of;
use millrace_sql::functions::FunctionInfo;
use serde_json::{Map, Value as Json, json};

use crate::outside::TopicSummary;
use crate::rest::describe;
use crate::rest::entity::Asked;
use crate::rest::json::schema;
use crate::{Failed, Views};

pub fn answer(views: &Arc<Views>, asked: &Asked<'_>, statement: &Statement) -> Result<Option<Json>, Failed> {
    let catalog = asked.catalog;
    Ok(Some(match statement {
        Statement::List { kind, extended } => list(views, asked, *kind, *extended)?,
        Statement::Describe { name, extended, .. } => describe::source(views, catalog, name, *extended)?,
        Statement::DescribeStreams { extended } => describe::sources(views, catalog, false, *extended),
        Statement::DescribeTables { extended } => describe::sources(views, catalog, true, *extended),
        Statement::DescribeFunction { name } => {
            let found = views.functions().describe(name).ok_or_else(|| Failed::statement(format!("Can't find any functions with the name '{name}'")))?;
            function(&found)
        }
        Statement::Explain { query, statement } => describe::explained(views, asked, query.as_deref(), statement.as_deref())?,
        Statement::AssertSchema { .. } => {
            return Err(Failed::Statement(SqlError::unsupported("ASSERT SCHEMA needs a schema registry, and none is configured")));
        }
        Statement::AssertSource(_) | Statement::AssertValues(_) => {
            return Err(Failed::Statement(SqlError::unsupported("ASSERT STREAM, TABLE and VALUES belong to test scripts; a server does not run them")));
        }
        Statement::DescribeConnector { .. } => {
            let said = "there is no Connect cluster behind this server: run the capture sidecars instead";
            return Err(Failed::Statement(SqlError::unsupported(said)));
        }
        _ => return Ok(None),
    }))
}

fn list(views: &Arc<Views>, asked: &Asked<'_>, kind: ListKind, extended: bool) -> Result<Json, Failed> {
    let catalog = asked.catalog;
    Ok(match kind {
        ListKind::Streams if extended => describe::sources(views, catalog, false, true),
        ListKind::Tables if extended => describe::sources(views, catalog, true, true),
        ListKind::Streams => json!({ "@type": "streams", "streams": sources(catalog, false) }),
        ListKind::Tables => json!({ "@type": "tables", "tables": sources(catalog, true) }),
        ListKind::Topics { all } => topics(views, all, extended),
        ListKind::Queries if extended => describe::queries(views, asked)?,
        ListKind::Queries => {
            let persistent = catalog.queries().map(|query| describe::running(views, query));
            let transient = views.transient().into_iter().map(|(id, query)| {
                json!({
                    "queryString": query.statement, "sinks": [], "sinkKafkaTopics": [], "id": id, "statusCount": { "RUNNING": 1 },
                    "queryType": if query.finite { "PULL" } else { "PUSH" }, "state": "RUNNING:1",
                })
            });
            json!({ "@type": "queries", "queries": persistent.chain(transient).collect::<Vec<_>>() })
        }
        ListKind::Functions => {
            let functions = views.functions().list();
            let functions: Vec<Json> = functions
                .iter()
                .map(|function| json!({ "name": function.name, "type": function.kind.name(), "category": function.category }))
                .collect();
            json!({ "@type": "function_names", "functions": functions })
        }
        ListKind::Types => {
            let mut types = Map::new();
            for (name, of) in catalog.types() {
                let of = sql_type_of(of).map_err(|error| Failed::statement(error.to_string()))?;
                types.insert(name.to_string(), schema(&of));
            }
            json!({ "@type": "type_list", "types": types })
        }
        ListKind::Properties => properties(views, asked),
        ListKind::Variables => {
            let variables: Vec<Json> = asked.variables.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
            json!({ "@type": "variables", "variables": variables })
        }
        // There is no Connect cluster behind this server, so there are none.
        ListKind::Connectors(_) => json!({ "@type": "connector_list", "connectors": [] }),
        ListKind::ConnectorPlugins => json!({ "@type": "connector_plugins_list", "connectorsPlugins": [] }),
    })
}

fn sources(catalog: &Catalog, table: bool) -> Vec<Json> {
    let shown = catalog.sources().filter(|source| source.is_table() == table);
    shown
        .map(|source| {
            json!({
                "type": source.kind.to_string(), "name": source.name.to_string(), "topic": source.topic,
                "keyFormat": source.key_format.format.name(), "valueFormat": source.value_format.format.name(),
                "isWindowed": source.window.is_some(),
            })
        })
        .collect()
}

fn topics(views: &Arc<Views>, all: bool, extended: bool) -> Json {
    let hidden = |topic: &TopicSummary| topic.internal || topic.name == "_schemas" || topic.name.starts_with("_confluent");
    let consumers = if extended { views.outside().consumers() } else { Default::default() };
    let shown = views.outside().topics().into_iter().filter(|topic| all || !hidden(topic)).map(|topic| {
        let mut entry = json!({ "name": topic.name, "replicaInfo": topic.replicas });
        if extended {
            let readers = consumers.get(&topic.name).copied().unwrap_or_default();
            entry["consumerCount"] = json!(readers.members);
            entry["consumerGroupCount"] = json!(readers.groups);
        }
        entry
    });
    let topics: Vec<Json> = shown.collect();
    json!({ "@type": if extended { "kafka_topics_extended" } else { "kafka_topics" }, "topics": topics })
}

/// What holds: the table's defaults under the server's file under the session.
fn properties(views: &Arc<Views>, asked: &Asked<'_>) -> Json {
    let own = views.server_settings();
    let shown = |name: &str, value: &str| {
        let known = properties::find(name);
        let server = known.is_some_and(|property| property.scope == properties::Scope::Server);
        let scope = if name.starts_with("ksql.") { "KSQL" } else { "KAFKA_STREAMS" };
        json!({ "name": name, "scope": scope, "value": value, "editable": !server, "level": if server { "SERVER" } else { "QUERY" } })
    };
    let table = properties::PROPERTIES.iter().filter(|property| asked.settings.get(property.name).is_none());
    let listed = asked.settings.iter().map(|(name, value)| shown(name, value));
    let all: Vec<Json> = listed.chain(table.clone().map(|property| shown(property.name, property.default))).collect();
    let changed: Vec<&str> = asked.settings.iter().filter(|(name, value)| own.get(name) != Some(*value)).map(|(name, _)| name).collect();
    let defaults: Vec<&str> = table.map(|property| property.name).collect();
    json!({ "@type": "properties", "properties": all, "overwrittenProperties": changed, "defaultProperties": defaults })
}

fn function(found: &FunctionInfo) -> Json {
    let overloads: Vec<Json> = found
        .overloads
        .iter()
        .map(|overload| {
            let signature = &overload.signature;
            let arguments = signature.parameters.iter().enumerate().map(|(at, parameter)| {
                let variadic = signature.variadic == Some(at);
                json!({ "name": parameter.name, "type": parameter.param_type.to_string(), "description": "", "isVariadic": variadic })
            });
            json!({ "arguments": arguments.collect::<Vec<_>>(), "returnType": signature.returns.to_string(), "description": found.about })
        })
        .collect();
    json!({
        "@type": "describe_function", "name": found.name, "description": found.about, "author": "", "version": "", "path": "internal",
        "functions": overloads, "type": found.kind.name(),
    })
}
