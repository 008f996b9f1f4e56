//! What a node says over HTTP: whether it lives, whether it serves, and its metrics.
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use millrace_serve::Views;
use tokio::sync::watch;

use crate::metrics::Text;
use crate::net::Seats;
use crate::net::h2c::Switching;
use crate::node::Node;

/// How long the head of a request may take.
const HEAD_WITHIN: Duration = Duration::from_secs(20);
const HEAD_BYTES_MAX: u32 = 64 << 10;
/// How often a silent HTTP/2 client is asked whether it is still there, and how soon it must say so.
const ALIVE_EVERY: Duration = Duration::from_secs(30);
const ALIVE_WITHIN: Duration = Duration::from_secs(20);
/// How long answers under way may take when the node stops.
const DRAIN_MAX: Duration = Duration::from_secs(3);

/// Serves until the node stops.
pub async fn serve(node: Arc<Node>, views: Option<Arc<Views>>, seats: Seats, stopping: watch::Receiver<bool>) {
    let routes = Router::new()
        .route("/health/live", get(|| async { "live\n" }))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(node);
    let routes = match views {
        Some(views) => routes.merge(millrace_serve::rest::router(views)),
        None => routes.fallback(|| async { (StatusCode::SERVICE_UNAVAILABLE, "the views did not start; the log says why\n") }),
    };
    accept(seats, routes, stopping).await;
}

/// HTTP/1.1 and HTTP/2 without TLS, told apart by how a connection begins, or switched to when a client asks.
pub async fn accept(seats: Seats, routes: Router, stopping: watch::Receiver<bool>) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(ALIVE_EVERY).keep_alive_timeout(ALIVE_WITHIN).max_header_list_size(HEAD_BYTES_MAX);
    while let Some((connection, seat)) = seats.next(stopped(stopping.clone())).await {
        let service = Switching { routes: routes.clone(), http2: builder.clone() };
        let (builder, stop) = (builder.clone(), stopped(stopping.clone()));
        tokio::spawn(async move {
            let mut served = std::pin::pin!(builder.serve_connection_with_upgrades(TokioIo::new(connection), service));
            let ended = tokio::select! {
                ended = served.as_mut() => ended,
                () = stop => {
                    served.as_mut().graceful_shutdown();
                    tokio::time::timeout(DRAIN_MAX, served).await.unwrap_or(Ok(()))
                }
            };
            if let Err(error) = ended {
                tracing::debug!(error, "an HTTP connection ended");
            }
            drop(seat);
        });
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
