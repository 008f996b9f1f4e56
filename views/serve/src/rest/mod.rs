//! ksqlDB's REST API over the views, as its servers answer it (0.29 line).
//!
//! One of the named exceptions to "only world knows tokio": axum serves here. Nothing is decided in this module; it
//! only gives shapes, content types and error codes to what the host answers.
mod ask;
mod entity;
mod error;
mod info;
mod json;
mod ksql;
mod query;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::Value as Json;

pub use json::{columns_of, value_text};

use millrace_sql::ast::Statement;
use millrace_sql::catalog::{Catalog, Settings};

use crate::{Failed, Views};

/// The largest body of a request.
const BODY_BYTES_MAX: usize = 8 << 20;
/// What clients read as the server's version: the release whose API this is.
pub const VERSION: &str = "0.29.0";

pub fn router(views: Arc<Views>) -> Router {
    Router::new()
        .route("/", get(info::root))
        .route("/info", get(info::info))
        .route("/healthcheck", get(info::healthcheck))
        .route("/clusterStatus", get(info::cluster_status))
        .route("/is_valid_property/{name}", get(info::is_valid_property))
        .route("/v1/metadata", get(info::metadata))
        .route("/v1/metadata/id", get(info::metadata_id))
        .route("/status", get(info::statuses))
        .route("/status/{type}/{entity}/{action}", get(info::status))
        .route("/chc/live", get(|| async {}))
        .route("/chc/ready", get(|| async {}))
        .route("/ksql", post(ksql::ksql))
        .route("/query", post(query::query))
        .route("/query-stream", post(query::query_stream))
        .route("/close-query", post(query::close_query))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(views)
}

/// The body of /ksql and /query; /query-stream names two of the fields otherwise.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KsqlRequest {
    #[serde(alias = "sql")]
    pub ksql: Option<String>,
    #[serde(default, alias = "properties")]
    pub streams_properties: Option<BTreeMap<String, Json>>,
    #[serde(default)]
    pub session_variables: Option<BTreeMap<String, Json>>,
    #[serde(default)]
    pub command_sequence_number: Option<i64>,
}

impl KsqlRequest {
    fn properties(&self) -> BTreeMap<String, String> {
        texts(self.streams_properties.as_ref())
    }

    fn variables(&self) -> BTreeMap<String, String> {
        texts(self.session_variables.as_ref())
    }
}

/// Properties may come as strings, numbers or booleans.
fn texts(given: Option<&BTreeMap<String, Json>>) -> BTreeMap<String, String> {
    let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_string);
    given.into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// What a statement without rows comes to: a check that holds, or a refusal.
pub(crate) fn check(views: &Arc<Views>, catalog: &Catalog, settings: &Settings, statement: &Statement) -> Result<(), Failed> {
    ask::answer(views, catalog, settings, statement).map(drop)
}
