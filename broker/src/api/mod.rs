//! One file per Kafka API, one table that names them all.
//!
//! A handler is
//! `pub async fn handle(ctx: &Context, request: XRequest, version: i16) -> XResponse`
//! and cannot fail: whatever goes wrong becomes an error code in the place where this API's response
//! has room for it, so no client is ever left without an answer. Inside, work in
//! `Result<_, ApiError>` and fold the error into the response at the end.
//!
//! To add an API: its shape in `millrace_protocol::shapes`, its file here, its row in `table`.
//! Until all three are there it is not advertised.
mod alter_configs;
mod alter_partition_reassignments;
mod alter_replica_log_dirs;
pub(crate) mod api_versions;
mod configs;
mod context;
mod create_partitions;
mod create_topics;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_acls;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_quorum;
mod describe_topic_partitions;
mod elect_leaders;
mod error;
pub mod errors;
mod fetch;
pub(crate) mod find;
mod find_coordinator;
mod fresh_topics;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_config_resources;
mod list_groups;
mod list_offsets;
mod list_partition_reassignments;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod produce;
mod sync_group;
pub mod table;
pub(crate) mod view;

pub use context::{Client, Context};
pub use error::ApiError;
pub use fetch::FetchSessions;
pub use fresh_topics::FreshTopics;
pub use init_producer_id::ProducerIds;
pub use table::{Api, Fault, Outcome, Request};
