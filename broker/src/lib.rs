//! Kafka over logs: the node, its listeners, and one handler per Kafka API.
//!
//! ```text
//!  socket -> net (frames, order) -> api::table (row) -> api::<name>::handle -> Node's services
//! ```
//! Absences: handlers know no sockets; nothing below `api` knows an error code of Kafka's; a handler
//! never sees bytes that `millrace-protocol` has not bounded.
pub mod api;
pub mod cluster;
pub mod config;
pub mod coordinators;
pub mod folded;
pub mod grpc;
pub mod http;
pub mod identity;
pub mod launch;
pub mod loggers;
pub mod metrics;
pub mod net;
pub mod node;
pub mod partitions;
pub mod rehearse;
pub mod threads;
pub mod views;
