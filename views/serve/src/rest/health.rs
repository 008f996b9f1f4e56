//! GET /healthcheck: always answered with 200; what holds is in the body.
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::json;

use crate::Views;
use crate::rest::error::answer;

/// `metastore`: the catalog is that of the whole metadata log. `kafka`: the broker takes writes. `commandRunner`: every command
/// was understood, and none is stuck.
pub async fn healthcheck(State(views): State<Arc<Views>>, headers: HeaderMap) -> Response {
    let health = views.health();
    let part = |healthy: bool| json!({ "isHealthy": healthy });
    let whole = health.catalog && health.broker && health.commands;
    answer(&headers, || {
        json!({
            "isHealthy": whole,
            "details": { "metastore": part(health.catalog), "kafka": part(health.broker), "commandRunner": part(health.commands) },
            "serverState": "READY",
        })
    })
}
