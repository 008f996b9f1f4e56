//! What a server says of itself, and of the commands that it carried out.
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use millrace_sql::catalog::properties;
use serde_json::{Map, Value as Json, json};

use crate::Views;
use crate::host::CommandStatus;
use crate::rest::VERSION;
use crate::rest::error::{BAD_REQUEST, NOT_FOUND, RestError, answer};

pub async fn root() -> Response {
    (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, "/info")]).into_response()
}

pub async fn info(State(views): State<Arc<Views>>, headers: HeaderMap) -> Response {
    answer(&headers, || {
        json!({ "KsqlServerInfo": {
            "version": VERSION,
            "kafkaClusterId": views.outside().cluster_id(),
            "ksqlServiceId": views.service_id(),
            "serverStatus": if views.health().commands { "RUNNING" } else { "DEGRADED" },
        }})
    })
}

pub async fn metadata(State(views): State<Arc<Views>>, headers: HeaderMap) -> Response {
    answer(&headers, || json!({ "version": VERSION, "clusterId": cluster(&views) }))
}

pub async fn metadata_id(State(views): State<Arc<Views>>, headers: HeaderMap) -> Response {
    answer(&headers, || cluster(&views))
}

fn cluster(views: &Views) -> Json {
    json!({ "scope": { "path": [], "clusters": { "kafka-cluster": views.outside().cluster_id(), "ksql-cluster": views.service_id() } } })
}

pub async fn is_valid_property(Path(name): Path<String>, headers: HeaderMap) -> Response {
    match properties::check_name(&name) {
        Ok(()) => answer(&headers, || json!(true)),
        Err(unfit) => RestError::generic(BAD_REQUEST, unfit.to_string()).into_response(),
    }
}

pub async fn statuses(State(views): State<Arc<Views>>, headers: HeaderMap) -> Response {
    answer(&headers, || {
        let statuses: Map<String, Json> = views.statuses().into_iter().map(|(id, status)| (id, json!(word(&status)))).collect();
        json!({ "commandStatuses": statuses })
    })
}

/// A statement is carried out before it is answered: none waits or runs.
fn word(status: &CommandStatus) -> &'static str {
    if status.failed { "ERROR" } else { "SUCCESS" }
}

pub async fn status(State(views): State<Arc<Views>>, Path(id): Path<(String, String, String)>, headers: HeaderMap) -> Response {
    let id = format!("{}/{}/{}", id.0, id.1, id.2);
    match views.status_of(&id) {
        Some(status) => answer(&headers, || json!({ "status": word(&status), "message": status.message, "queryId": status.query })),
        None => RestError::generic(NOT_FOUND, "Command not found").into_response(),
    }
}
