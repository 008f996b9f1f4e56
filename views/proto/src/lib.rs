//! The views' gRPC API as Rust: what `views.proto` says, shared by the server and by clients.
//!
//! Absences: no meaning of its own. What a message may hold is decided by the server, how it is used by the client crate.
tonic::include_proto!("millrace.views.v1");

/// The file's descriptor, with its comments, as reflection serves it.
pub const DESCRIPTOR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/views.bin"));
/// Names this API in the details of errors.
pub const ERROR_DOMAIN: &str = "views.millrace";
