//! LIST, DESCRIBE, EXPLAIN, ASSERT TOPIC: what is asked of the catalog and of the node.
use std::sync::Arc;

use millrace_sql::ast::{ListKind, PropertyValue, Statement};
use millrace_sql::catalog::{Catalog, RunningQuery, Settings};
use millrace_sql::error::SqlError;
use millrace_sql::functions::FunctionInfo;
use millrace_sql::name::Name;
use millrace_sql::plan::DataSource;
use serde_json::{Value as Json, json};

use crate::host::QueryState;
use crate::rest::json::field;
use crate::{Failed, Views};

pub fn answer(views: &Arc<Views>, catalog: &Catalog, settings: &Settings, statement: &Statement) -> Result<Option<Json>, Failed> {
    Ok(Some(match statement {
        Statement::List { kind, extended } => list(views, catalog, settings, *kind, *extended)?,
        Statement::Describe { name, extended, .. } => json!({
            "@type": "sourceDescription", "sourceDescription": describe(views, catalog, known(catalog, name)?, *extended),
        }),
        Statement::DescribeStreams { extended } => descriptions(views, catalog, false, *extended),
        Statement::DescribeTables { extended } => descriptions(views, catalog, true, *extended),
        Statement::DescribeFunction { name } => {
            let found = views.functions().describe(name).ok_or_else(|| Failed::statement(format!("Can't find any functions with the name '{name}'")))?;
            function(&found)
        }
        Statement::Explain { query, statement } => explain(views, catalog, settings, query.as_deref(), statement.as_deref())?,
        Statement::AssertTopic { topic, exists, properties, .. } => {
            assert_topic(views, topic, *exists, properties.get("PARTITIONS"))?;
            json!({ "@type": "assert_topic", "topicName": topic, "exists": exists })
        }
        Statement::AssertSchema { .. } => {
            return Err(Failed::Statement(SqlError::unsupported("ASSERT SCHEMA needs a schema registry, and none is configured")));
        }
        Statement::AssertSource(_) | Statement::AssertValues(_) => {
            return Err(Failed::Statement(SqlError::unsupported("ASSERT STREAM, TABLE and VALUES belong to test scripts; a server does not run them")));
        }
        Statement::DescribeConnector { .. } => return Err(connect()),
        _ => return Ok(None),
    }))
}

fn connect() -> Failed {
    Failed::Statement(SqlError::unsupported("there is no Connect cluster behind this server: run the capture sidecars instead"))
}

fn known<'a>(catalog: &'a Catalog, name: &Name) -> Result<&'a Arc<DataSource>, Failed> {
    let missing = || Failed::statement(format!("Could not find STREAM/TABLE '{name}' in the Metastore"));
    catalog.source(name).ok_or_else(missing)
}

fn list(views: &Arc<Views>, catalog: &Catalog, settings: &Settings, kind: ListKind, extended: bool) -> Result<Json, Failed> {
    Ok(match kind {
        ListKind::Streams if extended => descriptions(views, catalog, false, true),
        ListKind::Tables if extended => descriptions(views, catalog, true, true),
        ListKind::Streams => json!({ "@type": "streams", "streams": sources(catalog, false) }),
        ListKind::Tables => json!({ "@type": "tables", "tables": sources(catalog, true) }),
        ListKind::Topics { all } => {
            let shown = views.outside().topics().into_iter().filter(|topic| all || !(topic.internal || topic.name.starts_with('_')));
            let topics: Vec<Json> = shown.map(|topic| json!({ "name": topic.name, "replicaInfo": topic.replicas })).collect();
            json!({ "@type": "kafka_topics", "topics": topics })
        }
        ListKind::Queries => {
            let queries: Vec<Json> = catalog.queries().map(|query| running(views, query)).collect();
            let transient = views.transient().into_iter().map(|id| {
                json!({ "queryString": "", "sinks": [], "sinkKafkaTopics": [], "id": id, "statusCount": { "RUNNING": 1 }, "queryType": "PUSH", "state": "RUNNING:1" })
            });
            json!({ "@type": "queries", "queries": queries.into_iter().chain(transient).collect::<Vec<_>>() })
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
            let types: serde_json::Map<String, Json> =
                catalog.types().map(|(name, of)| (name.to_string(), json!({ "type": of.to_string(), "fields": null, "memberSchema": null }))).collect();
            json!({ "@type": "type_list", "types": types })
        }
        ListKind::Properties => {
            let own = views.server_settings();
            let properties: Vec<Json> = settings
                .iter()
                .map(|(name, value)| json!({ "name": name, "scope": "KSQL", "value": value, "editable": true, "level": "QUERY" }))
                .collect();
            let changed: Vec<&str> = settings.iter().filter(|(name, value)| own.get(name) != Some(*value)).map(|(name, _)| name).collect();
            json!({ "@type": "properties", "properties": properties, "overwrittenProperties": changed, "defaultProperties": [] })
        }
        ListKind::Variables => json!({ "@type": "variables", "variables": [] }),
        ListKind::Connectors(_) | ListKind::ConnectorPlugins => return Err(connect()),
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

fn descriptions(views: &Arc<Views>, catalog: &Catalog, table: bool, extended: bool) -> Json {
    let shown = catalog.sources().filter(|source| source.is_table() == table);
    let all: Vec<Json> = shown.map(|source| describe(views, catalog, source, extended)).collect();
    json!({ "@type": "source_descriptions", "sourceDescriptions": all })
}

fn describe(views: &Arc<Views>, catalog: &Catalog, source: &DataSource, extended: bool) -> Json {
    let fields: Vec<Json> =
        source.schema.columns().iter().map(|column| field(column.name.as_str(), &column.sql_type, Some(&column.role))).collect();
    let all = |queries: &mut dyn Iterator<Item = &RunningQuery>| queries.map(|query| running(views, query)).collect::<Vec<_>>();
    let partitions = views.outside().partitions(&source.topic).map_or(0, |partitions| partitions.len());
    let replication = views.outside().topics().iter().find(|topic| topic.name == source.topic).and_then(|topic| topic.replicas.first().copied());
    json!({
        "name": source.name.to_string(),
        "windowType": source.window.map(|window| window.window_type.to_string()),
        "readQueries": all(&mut catalog.readers(&source.name)),
        "writeQueries": all(&mut catalog.writers(&source.name)),
        "fields": fields,
        "type": source.kind.to_string(),
        "timestamp": source.timestamp.as_ref().map_or("", |timestamp| timestamp.column.as_str()),
        "statistics": "", "errorStats": "",
        "extended": extended,
        "keyFormat": source.key_format.format.name(),
        "valueFormat": source.value_format.format.name(),
        "topic": source.topic,
        "partitions": if extended { partitions } else { 0 },
        "replication": if extended { replication.unwrap_or(0) } else { 0 },
        "statement": source.statement,
        "queryOffsetSummaries": [], "sourceConstraints": [],
        "clusterStatistics": [], "clusterErrorStats": [],
    })
}

fn running(views: &Arc<Views>, query: &RunningQuery) -> Json {
    let plan = &query.plan;
    let state = views.query_state(&plan.id).word();
    json!({
        "queryString": plan.statement,
        "sinks": [plan.sink.source.name.to_string()],
        "sinkKafkaTopics": [plan.sink.source.topic],
        "id": plan.id.to_string(),
        "statusCount": { state: 1 },
        "queryType": "PERSISTENT",
        "state": format!("{state}:1"),
    })
}

fn explain(views: &Arc<Views>, catalog: &Catalog, settings: &Settings, query: Option<&str>, statement: Option<&Statement>) -> Result<Json, Failed> {
    let explained = views.explain(catalog, settings, query, statement)?;
    let fields: Vec<Json> =
        explained.schema.columns().iter().map(|column| field(column.name.as_str(), &column.sql_type, Some(&column.role))).collect();
    let state = explained.id.as_ref().map(|id| views.query_state(id));
    let mut errors: Vec<Json> = match &state {
        Some(QueryState::Error { reason, since_ms }) => vec![json!({ "timestamp": since_ms, "errorMessage": reason, "type": "UNKNOWN" })],
        _ => Vec::new(),
    };
    let lost = explained.id.as_ref().map_or(0, |id| views.lost(id));
    if lost > 0 {
        let message = format!("{lost} records of its inputs were removed before the query had read them");
        errors.push(json!({ "timestamp": views.outside().world().wall_ms(), "errorMessage": message, "type": "SYSTEM" }));
    }
    Ok(json!({ "@type": "queryDescription", "queryDescription": {
        "id": explained.id.map(|id| id.to_string()).unwrap_or_default(),
        "statementText": explained.statement,
        "windowType": null,
        "fields": fields,
        "sources": explained.sources.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "sinks": explained.sink.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "topology": explained.plan,
        "executionPlan": explained.plan,
        "overriddenProperties": {},
        "ksqlHostQueryStatus": {},
        "queryType": "PERSISTENT",
        "queryErrors": errors, "tasksMetadata": [],
        // A statement that does not run has no state.
        "state": state.map(|state| state.word()),
        "consumerGroupId": "",
    }}))
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

/// The topic is there (or not), and has as many partitions as said.
fn assert_topic(views: &Views, topic: &str, exists: bool, partitions: Option<&PropertyValue>) -> Result<(), Failed> {
    let found = views.outside().partitions(topic);
    match (found, exists) {
        (None, true) => Err(Failed::Assertion(format!("Topic {topic} does not exist"))),
        (Some(_), false) => Err(Failed::Assertion(format!("Topic {topic} exists"))),
        (None, false) => Ok(()),
        (Some(found), true) => {
            let wanted: Option<usize> = match partitions {
                Some(PropertyValue::Number(text) | PropertyValue::String(text)) => text.parse().ok(),
                _ => None,
            };
            match wanted {
                Some(wanted) if wanted != found.len() => Err(Failed::Assertion(format!(
                    "Mismatched configuration for topic {topic}: For config partitions, expected {wanted} got {}",
                    found.len()
                ))),
                _ => Ok(()),
            }
        }
    }
}
