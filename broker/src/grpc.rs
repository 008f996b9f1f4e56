//! The listener of the views' gRPC API.
use std::sync::Arc;

use axum::Router;
use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use futures_util::stream;
use millrace_serve::Views;
use tokio::sync::watch;

use crate::http::{self, stopped};
use crate::net::Seats;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// UNAVAILABLE
const UNAVAILABLE: &str = "14";

/// Serves until the node stops.
pub async fn serve(views: Option<Arc<Views>>, seats: Seats, stopping: watch::Receiver<bool>) {
    let Some(views) = views else { return http::accept(seats, Router::new().fallback(unavailable), stopping).await };
    let stop = stopped(stopping.clone());
    let connections = stream::unfold((seats, stopping), |(seats, stopping)| async {
        let connection = seats.next(stopped(stopping.clone())).await?;
        Some((connection, (seats, stopping)))
    });
    if let Err(error) = millrace_serve::grpc::serve(views, connections, stop).await {
        tracing::error!(%error, "the gRPC listener ended");
    }
}

async fn unavailable() -> impl IntoResponse {
    let said = "the views did not start; the log says why";
    [(CONTENT_TYPE, "application/grpc"), (GRPC_STATUS, UNAVAILABLE), (GRPC_MESSAGE, said)]
}
