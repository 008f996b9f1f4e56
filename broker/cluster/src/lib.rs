//! Cluster metadata: what exists and how it is configured.
//!
//! ```text
//!  request -> decide::x(context, ask) -> records + reply      records -> metadata log -> Image::apply
//! ```
//! * `config`: the one table of configs.
//! * `record`, `codec`: a change of the cluster, and its bytes in the metadata log.
//! * `image`: the fold over those records.
//! * `decide`: one file per question; checks a request against the image and says what to write.
//!
//! This crate opens no file and no socket, has no clock and no chance of its own (ids come in as an
//! argument), and knows no Kafka error code.
pub mod codec;
pub mod config;
pub mod decide;
pub mod feature;
mod image;
mod record;

pub use image::{Image, NodeEntry, PartitionEntry, TopicEntry};
pub use record::{Endpoint, GroupNumber, Record, Scope};
