//! The listener of the views' gRPC API. There are no views to serve yet; a client that calls one is
//! told so in gRPC's own words instead of meeting a closed port.
use axum::Router;
use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::http::stopped;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// UNIMPLEMENTED
const UNIMPLEMENTED: &str = "12";

/// Serves until the node stops.
pub async fn serve(socket: TcpListener, stopping: watch::Receiver<bool>) {
    let routes = Router::new().fallback(unimplemented);
    let served = axum::serve(socket, routes).with_graceful_shutdown(stopped(stopping)).await;
    if let Err(error) = served {
        tracing::error!(%error, "the gRPC listener ended");
    }
}

async fn unimplemented() -> impl IntoResponse {
    let said = "this broker does not serve views yet";
    [(CONTENT_TYPE, "application/grpc"), (GRPC_STATUS, UNIMPLEMENTED), (GRPC_MESSAGE, said)]
}
