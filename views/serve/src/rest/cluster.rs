//! GET /clusterStatus: which node keeps what, and how far behind its inputs each of its tasks is.
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use millrace_sql::plan::QueryId;
use serde_json::{Map, Value as Json, json};

use crate::Views;
use crate::rest::error::answer;

pub async fn status(State(views): State<Arc<Views>>, headers: HeaderMap) -> Response {
    answer(&headers, || {
        let now = views.outside().world().wall_ms();
        let (mut active, mut lags) = (Map::new(), Map::new());
        for id in views.running() {
            if let Some((partitions, lag)) = query(&views, &id) {
                active.insert(
                    id.to_string(),
                    json!({ "activeStores": [store(&id)], "activePartitions": partitions, "standByStores": [], "standByPartitions": [] }),
                );
                lags.insert(format!("{id}#{}", store(&id)), json!({ "lagByPartition": lag }));
            }
        }
        let host = json!({
            "hostAlive": true, "lastStatusUpdateMs": now, "activeStandbyPerQuery": active,
            "hostStoreLags": { "stateStoreLags": lags, "updateTimeMs": now },
        });
        json!({ "clusterStatus": { views.outside().http_address(): host } })
    })
}

/// A query has one store here: its rows.
fn store(id: &QueryId) -> String {
    format!("{id}-Materialize")
}

/// The partitions that a query reads, in its stages and in its own tasks, and per partition where it is and where the end is, over
/// all of these.
fn query(views: &Views, id: &QueryId) -> Option<(Vec<Json>, Map<String, Json>)> {
    let own = views.following(id)?;
    let status: Vec<_> = views.stages(id).into_iter().chain([own]).flat_map(|part| part.status()).collect();
    let (mut partitions, mut lags) = (Vec::new(), BTreeMap::new());
    for (input, next) in status.iter().flat_map(|task| task.progress.cut.iter()) {
        partitions.push(json!({ "topic": &*input.topic, "partition": input.partition }));
        let open = views.outside().partitions(&input.topic)?;
        let end = open.get(usize::try_from(input.partition).ok()?).map_or(next, |partition| partition.state().high_watermark.0);
        let (current, last) = lags.entry(input.partition).or_insert((0, 0));
        *current += next;
        *last += end.max(next);
    }
    let lags = lags.into_iter().map(|(partition, (current, end))| {
        (partition.to_string(), json!({ "currentOffsetPosition": current, "endOffsetPosition": end, "offsetLag": end - current }))
    });
    Some((partitions, lags.collect()))
}
