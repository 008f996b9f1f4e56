//! The gRPC API of `views.proto`: typed rows, each answer with its cut.
//!
//! Invariants: what a request may cost is bounded (message, streams, time, keys); an answer's messages are bounded
//! whatever the rows are; parameters are bound as values; every error has a reason that programs can match on.
//!
//! One of the named exceptions to "only world knows tokio": tonic serves here, on connections that it is given.
mod answers;
mod ask;
mod convert;
mod deadline;
mod error;
mod guarded;
mod service;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use millrace_proto::DESCRIPTOR;
use millrace_proto::views_server::ViewsServer;
use tokio::net::TcpStream;
use tonic::transport::server::Server;

use crate::Views;
use crate::grpc::guarded::Guarded;

/// The largest request.
const REQUEST_BYTES_MAX: usize = 8 << 20;
/// The largest answer in one message; answers in streams come in far smaller ones.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Calls of one connection at once: a thousand subscribers may share one.
const STREAMS_MAX: u32 = 1024;
const HEADER_BYTES_MAX: u32 = 64 << 10;
/// A request that has not arrived by then, or an answer that has not begun, is given up.
const BEGIN_WITHIN: Duration = Duration::from_secs(65);
/// A peer that answers no ping is gone, and its subscriptions with it.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_WITHIN: Duration = Duration::from_secs(20);

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Reflection(#[from] tonic_reflection::server::Error),
    #[error(transparent)]
    Transport(#[from] tonic::transport::Error),
}

/// Serves the API with reflection (v1 and v1alpha) and health until `stop` resolves. With each connection comes what is held for as
/// long as it lives.
pub async fn serve<G>(views: Arc<Views>, connections: impl Stream<Item = (TcpStream, G)>, stop: impl Future<Output = ()>) -> Result<(), ServeError>
where
    G: Send + Unpin + 'static,
{
    let service = ViewsServer::new(service::Service::new(views))
        .max_decoding_message_size(REQUEST_BYTES_MAX)
        .max_encoding_message_size(ANSWER_BYTES_MAX);
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTOR)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET)
            .include_reflection_service(false)
    };
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<ViewsServer<service::Service>>().await;
    let served = Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .http2_keepalive_interval(Some(PING_EVERY))
        .http2_keepalive_timeout(Some(PING_WITHIN))
        .timeout(BEGIN_WITHIN)
        .add_service(service)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .add_service(health)
        .serve_with_incoming_shutdown(connections.map(|(stream, guard)| Ok::<_, io::Error>(Guarded { stream, _guard: guard })), stop)
        .await;
    Ok(served?)
}
