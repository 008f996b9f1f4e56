//! The listener of the views' gRPC API.
use std::sync::Arc;

use axum::Router;
use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use millrace_serve::Views;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::http::stopped;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// UNAVAILABLE
const UNAVAILABLE: &str = "14";

/// Serves until the node stops.
pub async fn serve(views: Option<Arc<Views>>, socket: TcpListener, stopping: watch::Receiver<bool>) {
    let served = match views {
        None => axum::serve(socket, Router::new().fallback(unavailable)).with_graceful_shutdown(stopped(stopping)).await.map_err(|error| error.to_string()),
        Some(views) => millrace_serve::grpc::serve(views, socket, stopped(stopping)).await.map_err(|error| error.to_string()),
    };
    if let Err(error) = served {
        tracing::error!(error, "the gRPC listener ended");
    }
}

async fn unavailable() -> impl IntoResponse {
    let said = "the views did not start; the log says why";
    [(CONTENT_TYPE, "application/grpc"), (GRPC_STATUS, UNAVAILABLE), (GRPC_MESSAGE, said)]
}
