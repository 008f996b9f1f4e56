//! What a server says of itself.
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::http::header::{ACCEPT, LOCATION};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::Views;
use crate::rest::VERSION;
use crate::rest::error::{BAD_REQUEST, NOT_FOUND, RestError, answer};

pub async fn root() -> Response {
    (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, "/info")]).into_response()
}

pub fn accept(headers: &HeaderMap) -> Option<&str> {
    headers.get(ACCEPT).and_then(|value| value.to_str().ok())
}

pub async fn info(State(views): State<Arc<Views>>, headers: HeaderMap) -> Response {
    let body = json!({ "KsqlServerInfo": {
        "version": VERSION,
        "kafkaClusterId": views.outside().cluster_id(),
        "ksqlServiceId": views.service_id(),
        "serverStatus": "RUNNING",
    }});
    answer(accept(&headers), &body)
}

pub async fn healthcheck(headers: HeaderMap) -> Response {
    let healthy = json!({ "isHealthy": true });
    let body = json!({
        "isHealthy": true,
        "details": { "metastore": healthy, "kafka": healthy, "commandRunner": healthy },
        "serverState": "READY",
    });
    answer(accept(&headers), &body)
}

pub async fn metadata(State(views): State<Arc<Views>>, headers: HeaderMap) -> Response {
    answer(accept(&headers), &json!({ "version": VERSION, "clusterId": cluster(&views) }))
}

pub async fn metadata_id(State(views): State<Arc<Views>>, headers: HeaderMap) -> Response {
    answer(accept(&headers), &cluster(&views))
}

fn cluster(views: &Views) -> serde_json::Value {
    json!({ "scope": { "path": [], "clusters": { "kafka-cluster": views.outside().cluster_id(), "ksql-cluster": views.service_id() } } })
}

/// One node: it is the whole cluster. Lags are those of its tasks.
pub async fn cluster_status(State(views): State<Arc<Views>>, headers: HeaderMap) -> Response {
    let now = views.outside().world().wall_ms();
    answer(accept(&headers), &json!({ "clusterStatus": { "localhost:8088": {
        "hostAlive": true, "lastStatusUpdateMs": now, "activeStandbyPerQuery": {},
        "hostStoreLags": { "stateStoreLags": {}, "updateTimeMs": now },
    }}}))
}

pub async fn is_valid_property(Path(name): Path<String>, headers: HeaderMap) -> Response {
    // Every name of a streams or ksql setting may be set; what has no meaning here has no effect.
    let known = name.starts_with("ksql.") || name.starts_with("auto.offset") || name.contains('.');
    match known {
        true => answer(accept(&headers), &json!(true)),
        false => RestError::generic(BAD_REQUEST, format!("Invalid property: {name}")).into_response(),
    }
}

pub async fn statuses(State(views): State<Arc<Views>>, headers: HeaderMap) -> Response {
    let statuses: serde_json::Map<String, serde_json::Value> =
        views.catalog().sources().map(|source| (format!("{}/{}/create", source.kind.word(), source.name.quoted()), json!("SUCCESS"))).collect();
    answer(accept(&headers), &json!({ "commandStatuses": statuses }))
}

/// A statement is carried out before it is answered, so whatever exists has succeeded.
pub async fn status(State(views): State<Arc<Views>>, Path((kind, entity, action)): Path<(String, String, String)>, headers: HeaderMap) -> Response {
    let name = entity.trim_matches('`');
    let catalog = views.catalog();
    let source = catalog.source(&millrace_sql::name::Name::new(name));
    match source {
        Some(source) if action == "create" && kind == source.kind.word() => {
            let query = source.created_by.as_ref().map(ToString::to_string);
            let made = if source.is_table() { "Table created" } else { "Stream created" };
            let message = query.as_ref().map_or_else(|| made.to_string(), |query| format!("Created query with ID {query}"));
            answer(accept(&headers), &json!({ "status": "SUCCESS", "message": message, "queryId": query }))
        }
        _ => RestError::generic(NOT_FOUND, "Command not found").into_response(),
    }
}
