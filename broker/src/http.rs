//! What a node says over HTTP: whether it lives, whether it serves, and its metrics.
use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::serve::ListenerExt;
use millrace_serve::Views;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::metrics::Text;
use crate::node::Node;

/// Serves until the node stops.
pub async fn serve(node: Arc<Node>, views: Option<Arc<Views>>, socket: TcpListener, stopping: watch::Receiver<bool>) {
    let routes = Router::new()
        .route("/health/live", get(|| async { "live\n" }))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(node);
    let routes = match views {
        Some(views) => routes.merge(millrace_serve::rest::router(views)),
        None => routes.fallback(|| async { (StatusCode::SERVICE_UNAVAILABLE, "the views did not start; the log says why\n") }),
    };
    // Small answers must not wait for acknowledgements of earlier ones.
    let socket = socket.tap_io(|stream| drop(stream.set_nodelay(true)));
    let served = axum::serve(socket, routes).with_graceful_shutdown(stopped(stopping)).await;
    if let Err(error) = served {
        tracing::error!(%error, "the HTTP listener ended");
    }
}

/// Resolves when the node stops.
pub fn stopped(mut stopping: watch::Receiver<bool>) -> impl Future<Output = ()> {
    async move {
        let _ = stopping.wait_for(|stop| *stop).await;
    }
}

async fn ready(State(node): State<Arc<Node>>) -> impl IntoResponse {
    match node.is_ready() {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
    }
}

async fn metrics(State(node): State<Arc<Node>>) -> impl IntoResponse {
    let mut text = Text::default();
    node.metrics.render(&mut text);
    node.render_state(&mut text);
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text.finish())
}
