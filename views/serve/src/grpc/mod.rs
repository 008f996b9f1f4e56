//! The views' own face: gRPC. Typed rows, a cut on every answer, reflection and health.
//!
//! One of the named exceptions to "only world knows tokio": tonic serves here.
mod convert;
mod service;

use std::sync::Arc;

use axum::Router;

use crate::Views;

/// What `views.proto` says.
pub mod proto {
    tonic::include_proto!("millrace.views.v1");
}

const DESCRIPTOR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/views.bin"));
/// The largest request.
const REQUEST_BYTES_MAX: usize = 8 << 20;

/// The service with reflection (v1 and v1alpha) and health, as routes for an HTTP/2 listener.
pub async fn router(views: Arc<Views>) -> Result<Router, tonic_reflection::server::Error> {
    let service = proto::views_server::ViewsServer::new(service::Service::new(views)).max_decoding_message_size(REQUEST_BYTES_MAX);
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTOR)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<proto::views_server::ViewsServer<service::Service>>().await;
    let routes = tonic::service::Routes::new(service)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .add_service(health);
    Ok(routes.prepare().into_axum_router())
}
