//! DESCRIBE and EXPLAIN: sources and queries in full.
use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_sql::ast::Statement;
use millrace_sql::catalog::{Catalog, Explanation, RunningQuery};
use millrace_sql::name::Name;
use millrace_sql::plan::{DataSource, QueryId};
use serde_json::{Value as Json, json};

use crate::host::QueryState;
use crate::rest::entity::Asked;
use crate::rest::json::field;
use crate::{Failed, Views};

pub fn source(views: &Arc<Views>, catalog: &Catalog, name: &Name, extended: bool) -> Result<Json, Failed> {
    let missing = || Failed::statement(format!("Could not find STREAM/TABLE '{name}' in the Metastore"));
    let source = catalog.source(name).ok_or_else(missing)?;
    Ok(json!({ "@type": "sourceDescription", "sourceDescription": described(views, catalog, source, extended) }))
}

pub fn sources(views: &Arc<Views>, catalog: &Catalog, table: bool, extended: bool) -> Json {
    let shown = catalog.sources().filter(|source| source.is_table() == table);
    let all: Vec<Json> = shown.map(|source| described(views, catalog, source, extended)).collect();
    json!({ "@type": "source_descriptions", "sourceDescriptions": all })
}

fn described(views: &Arc<Views>, catalog: &Catalog, source: &DataSource, extended: bool) -> Json {
    let fields: Vec<Json> =
        source.schema.columns().iter().map(|column| field(column.name.as_str(), &column.sql_type, Some(&column.role))).collect();
    let all = |queries: &mut dyn Iterator<Item = &RunningQuery>| queries.map(|query| running(views, query)).collect::<Vec<_>>();
    let topic = if extended { views.outside().topics().into_iter().find(|topic| topic.name == source.topic) } else { None };
    let replicas = topic.map(|topic| topic.replicas).unwrap_or_default();
    let writers: Vec<QueryId> = catalog.writers(&source.name).map(|query| query.plan.id.clone()).collect();
    let (statistics, errors) = if extended { counted(views, &writers) } else { Default::default() };
    let offsets: Vec<Json> = if extended { writers.iter().filter_map(|id| offsets(views, id)).collect() } else { Vec::new() };
    json!({
        "name": source.name.to_string(),
        "windowType": source.window.map(|window| window.window_type.to_string()),
        "readQueries": all(&mut catalog.readers(&source.name)),
        "writeQueries": all(&mut catalog.writers(&source.name)),
        "fields": fields,
        "type": source.kind.to_string(),
        "timestamp": source.timestamp.as_ref().map_or("", |timestamp| timestamp.column.as_str()),
        "statistics": statistics, "errorStats": errors,
        "extended": extended,
        "keyFormat": source.key_format.format.name(),
        "valueFormat": source.value_format.format.name(),
        "topic": source.topic,
        "partitions": replicas.len(),
        "replication": replicas.first().copied().unwrap_or(0),
        "statement": source.statement,
        "queryOffsetSummaries": offsets,
        "sourceConstraints": catalog.made_of(&source.name).map(ToString::to_string).collect::<Vec<_>>(),
        "clusterStatistics": [], "clusterErrorStats": [],
    })
}

/// What the queries that write a source have read, their repartition topics included, written to it and could not read since
/// they were started here.
fn counted(views: &Views, writers: &[QueryId]) -> (String, String) {
    let (mut read, mut written, mut failed) = (0, 0, 0);
    for id in writers {
        for task in views.following(id).iter().flat_map(|following| following.status()) {
            read += task.progress.records_in;
            written += task.progress.records_out;
            failed += task.progress.errors;
        }
        for task in views.stages(id).iter().flat_map(|stage| stage.status()) {
            read += task.progress.records_in;
            failed += task.progress.errors;
        }
    }
    match writers {
        [] => Default::default(),
        _ => (format!("records-read: {read:>10}     records-written: {written:>10}"), format!("records-failed: {failed:>10}")),
    }
}

/// How far a query has come in each of its inputs: those of its stages, then the rest.
fn offsets(views: &Views, id: &QueryId) -> Option<Json> {
    let own = views.following(id)?;
    let mut topics: Vec<Json> = Vec::new();
    for part in views.stages(id).into_iter().chain([own]) {
        let status = part.status();
        let mut inputs: BTreeMap<String, Vec<Json>> = BTreeMap::new();
        for (input, next) in status.iter().flat_map(|task| task.progress.cut.iter()) {
            let open = views.outside().partitions(&input.topic)?;
            let state = open.get(usize::try_from(input.partition).ok()?)?.state();
            inputs.entry(input.topic.to_string()).or_default().push(json!({
                "partition": input.partition, "logStartOffset": state.start.0, "logEndOffset": state.high_watermark.0, "consumerOffset": next,
            }));
        }
        topics.extend(inputs.into_iter().map(|(topic, offsets)| json!({ "kafkaTopic": topic, "offsets": offsets })));
    }
    Some(json!({ "groupId": id.to_string(), "topicSummaries": topics }))
}

pub fn running(views: &Views, query: &RunningQuery) -> Json {
    let (plan, state) = (&query.plan, views.query_state(&query.plan.id).word());
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

pub fn queries(views: &Arc<Views>, asked: &Asked<'_>) -> Result<Json, Failed> {
    let all = asked.catalog.queries().map(|query| {
        let explained = views.explain(asked.catalog, asked.settings, Some(&query.plan.id.0), None)?;
        Ok(description(views, asked, &explained))
    });
    Ok(json!({ "@type": "query_descriptions", "queryDescriptions": all.collect::<Result<Vec<_>, Failed>>()? }))
}

pub fn explained(views: &Arc<Views>, asked: &Asked<'_>, query: Option<&str>, statement: Option<&Statement>) -> Result<Json, Failed> {
    let explained = views.explain(asked.catalog, asked.settings, query, statement)?;
    let mut description = description(views, asked, &explained);
    if let Some(Statement::Query(query)) = statement {
        description["queryType"] = json!(if query.emit.is_some() { "PUSH" } else { "PULL" });
    }
    Ok(json!({ "@type": "queryDescription", "queryDescription": description }))
}

fn description(views: &Arc<Views>, asked: &Asked<'_>, explained: &Explanation) -> Json {
    let fields: Vec<Json> =
        explained.schema.columns().iter().map(|column| field(column.name.as_str(), &column.sql_type, Some(&column.role))).collect();
    // A statement that is only explained does not run.
    let running = explained.id.as_ref().and_then(|id| asked.catalog.query(id));
    let state = running.map(|query| views.query_state(&query.plan.id));
    let errors = running.map(|query| errors(views, &query.plan.id, state.as_ref())).unwrap_or_default();
    let state = state.map(|state| state.word());
    let hosts = state.map_or_else(|| json!({}), |state| json!({ views.outside().http_address(): state }));
    json!({
        "id": explained.id.as_ref().map(ToString::to_string).unwrap_or_default(),
        "statementText": explained.statement,
        "windowType": running.and_then(|query| query.plan.sink.source.window).map(|window| window.window_type.to_string()),
        "fields": fields,
        "sources": explained.sources.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "sinks": explained.sink.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "topology": explained.plan,
        "executionPlan": explained.plan,
        "overriddenProperties": {},
        "ksqlHostQueryStatus": hosts,
        "queryType": "PERSISTENT",
        "queryErrors": errors, "tasksMetadata": [],
        "state": state,
        "consumerGroupId": null,
    })
}

/// Why a query does not run, and what it could not read although it runs.
fn errors(views: &Views, id: &QueryId, state: Option<&QueryState>) -> Vec<Json> {
    let mut errors = Vec::new();
    if let Some(QueryState::Error { reason, since_ms }) = state {
        errors.push(json!({ "timestamp": since_ms, "errorMessage": reason, "type": "UNKNOWN" }));
    }
    let lost = views.lost(id);
    if lost > 0 {
        let message = format!("{lost} records of its inputs were removed before the query had read them");
        errors.push(json!({ "timestamp": views.outside().world().wall_ms(), "errorMessage": message, "type": "SYSTEM" }));
    }
    errors
}
