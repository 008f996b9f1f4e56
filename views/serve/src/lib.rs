//! The serving side of views: the catalog, the queries that run, and the two faces that programs ask: gRPC and ksqlDB's REST.
//!
//! Invariants: the catalog is a fold over the replicated list of commands, so every start comes to the same sources and
//! queries; a statement is carried out before it is answered; every read names the cut that it saw.
//! Absences: no Kafka request, no broker: what is needed of one is the trait [`Outside`].
mod bind;
mod command;
pub mod grpc;
pub mod host;
mod insert;
mod outside;
mod pull;
mod push;
pub mod rest;
pub mod run;

pub use millrace_engine::state::InputId;

pub use command::Command;
pub use host::{Failed, Outcome, Views};
pub use outside::{Answer, Consumers, Outside, Refused, TopicSummary};
pub use pull::{PullAnswer, Seen};
pub use push::{Ended, From, PushBatch, Subscription};
