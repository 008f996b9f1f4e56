//! ListPartitionReassignments (46). Partitions do not move yet, so none is on its way.
use millrace_protocol::messages::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse};

use super::Context;

pub async fn handle(_ctx: &Context, _request: ListPartitionReassignmentsRequest, _version: i16) -> ListPartitionReassignmentsResponse {
    ListPartitionReassignmentsResponse::default().with_error_message(None)
}
