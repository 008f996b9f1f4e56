//! Administration: topics, configs and groups, as plain calls on [`Client`](crate::Client).
mod configs;
mod groups;
mod topics;

pub use configs::{ConfigEntry, ConfigOp, ConfigResource};
pub use groups::{GroupDescription, GroupListing, MemberDescription};
pub use topics::{NewTopic, TopicOutcome};
