//! ksqlDB's REST API over the views, as its servers answer it (0.29 line).
//!
//! One of the named exceptions to "only world knows tokio": axum serves here. Nothing is decided in this module; it
//! only gives shapes, content types and error codes to what the host answers.
mod accept;
mod ask;
mod body;
mod cluster;
mod describe;
mod entity;
mod error;
mod from_json;
mod health;
mod info;
mod inserts;
mod json;
mod ksql;
mod limits;
mod print;
mod proto;
mod query;
mod request;
mod stream;
mod terminate;
mod writer;
mod ws;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::http::{Method, Uri};
use axum::routing::{get, post};

pub use json::{columns_of, value_text};
pub use request::KsqlRequest;

use millrace_sql::ast::Statement;
use millrace_sql::catalog::{Catalog, Settings};
use millrace_sql::parser::Variables;

use crate::{Failed, Views};
use error::{NOT_FOUND, RestError, WRONG_METHOD};
use limits::PullLimits;

/// What clients read as the server's version: the release whose API this is.
pub const VERSION: &str = "0.29.0";

/// What the handlers share.
#[derive(Clone)]
pub struct Api {
    views: Arc<Views>,
    limits: Arc<PullLimits>,
}

impl FromRef<Api> for Arc<Views> {
    fn from_ref(api: &Api) -> Arc<Views> {
        api.views.clone()
    }
}

pub fn router(views: Arc<Views>) -> Router {
    let limits = Arc::new(PullLimits::new(views.server_settings()));
    Router::new()
        .route("/", get(info::root))
        .route("/info", get(info::info))
        .route("/healthcheck", get(health::healthcheck))
        .route("/clusterStatus", get(cluster::status))
        .route("/is_valid_property/{name}", get(info::is_valid_property))
        .route("/v1/metadata", get(info::metadata))
        .route("/v1/metadata/id", get(info::metadata_id))
        .route("/status", get(info::statuses))
        .route("/status/{type}/{entity}/{action}", get(info::status))
        .route("/chc/live", get(|| async {}))
        .route("/chc/ready", get(|| async {}))
        .route("/ksql", post(ksql::ksql))
        .route("/ksql/terminate", post(terminate::terminate))
        .route("/query", post(query::query))
        .route("/query-stream", post(query::query_stream))
        .route("/inserts-stream", post(inserts::inserts_stream))
        .route("/close-query", post(query::close_query))
        .route("/ws/query", get(ws::ws_query))
        .fallback(|uri: Uri| async move { RestError::generic(NOT_FOUND, format!("there is nothing at {}", uri.path())) })
        .method_not_allowed_fallback(|method: Method, uri: Uri| async move {
            RestError::generic(WRONG_METHOD, format!("{} is not answered at {}", method, uri.path()))
        })
        .with_state(Api { views, limits })
}

/// What a statement without rows comes to: a check that holds, or a refusal.
pub(crate) fn check(views: &Arc<Views>, catalog: &Catalog, settings: &Settings, statement: &Statement) -> Result<(), Failed> {
    ask::answer(views, &entity::Asked { catalog, settings, variables: &Variables::default() }, statement).map(drop)
}
