//! POST /ksql/terminate: ends every query, drops every stream and table, and deletes the topics that are asked for.
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use fancy_regex::Regex;
use millrace_sql::catalog::Catalog;
use millrace_sql::plan::DataSource;
use serde::Deserialize;
use serde_json::json;

use crate::rest::Api;
use crate::rest::body::read;
use crate::rest::error::{BAD_REQUEST, RestError, answer};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Terminate {
    /// Names or regular expressions.
    #[serde(default)]
    delete_topic_list: Vec<String>,
}

pub async fn terminate(State(api): State<Api>, headers: HeaderMap, body: Body) -> Response {
    match run(&api, body).await {
        Ok(text) => answer(&headers, || {
            json!([{
                "@type": "currentStatus", "statementText": text, "commandId": "terminate/CLUSTER/execute",
                "commandStatus": { "status": "SUCCESS", "message": "Cluster terminated.", "queryId": null },
                "commandSequenceNumber": api.views.last_command(), "warnings": [],
            }])
        }),
        Err(error) => error.into_response(),
    }
}

async fn run(api: &Api, body: Body) -> Result<String, RestError> {
    let bytes = read(&api.views, body).await?;
    let asked: Terminate = match bytes.is_empty() {
        true => Terminate::default(),
        false => serde_json::from_slice(&bytes).map_err(|error| RestError::malformed(&error))?,
    };
    let patterns: Vec<Regex> = asked
        .delete_topic_list
        .iter()
        .map(|pattern| Regex::new(&format!("^(?:{pattern})$")))
        .collect::<Result<_, _>>()
        .map_err(|error| RestError::generic(BAD_REQUEST, format!("Invalid pattern in deleteTopicList: {error}")))?;
    let mut text = String::from("TERMINATE ALL;");
    for source in in_order(&api.views.catalog()) {
        let delete = patterns.iter().any(|pattern| pattern.is_match(&source.topic).unwrap_or(false));
        let kind = if source.is_table() { "TABLE" } else { "STREAM" };
        text.push_str(&format!("\nDROP {kind} {}{};", source.name.quoted(), if delete { " DELETE TOPIC" } else { "" }));
    }
    let stopped = api.views.execute(&text, &BTreeMap::new(), &BTreeMap::new()).await;
    stopped.map_err(|stopped| RestError::stopped(&stopped, Vec::new()))?;
    Ok("TERMINATE CLUSTER;".into())
}

/// All sources, each behind those that were made from it: none goes before they do.
fn in_order(catalog: &Catalog) -> Vec<Arc<DataSource>> {
    let mut left: Vec<Arc<DataSource>> = catalog.sources().cloned().collect();
    let mut ordered = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let needed = |source: &Arc<DataSource>| catalog.made_of(&source.name).any(|made| left.iter().any(|other| other.name == *made));
        let (kept, free): (Vec<_>, Vec<_>) = left.iter().cloned().partition(needed);
        if free.is_empty() {
            // None can be made of itself; if it were, its DROP says so.
            ordered.extend(kept);
            break;
        }
        ordered.extend(free);
        left = kept;
    }
    ordered
}
