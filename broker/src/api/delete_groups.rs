//! DeleteGroups (42): takes groups without members away, with what they committed.
use millrace_protocol::ErrorCode;
use millrace_protocol::messages::delete_groups_response::DeletableGroupResult;
use millrace_protocol::messages::{DeleteGroupsRequest, DeleteGroupsResponse};

use super::Context;
use super::error::{coordinator_code, group_code};

pub async fn handle(ctx: &Context, request: DeleteGroupsRequest, _version: i16) -> DeleteGroupsResponse {
    let mut results = Vec::with_capacity(request.groups_names.len());
    for group in request.groups_names {
        let code = delete(ctx, &group).await.map_or_else(|code| code.code(), |()| 0);
        results.push(DeletableGroupResult::default().with_group_id(group).with_error_code(code));
    }
    DeleteGroupsResponse::default().with_results(results)
}

async fn delete(ctx: &Context, group: &str) -> Result<(), ErrorCode> {
    if group.is_empty() {
        return Err(ErrorCode::InvalidGroupId);
    }
    let seat = ctx.node.coordinators.seat(group).map_err(coordinator_code)?;
    let answer = seat.ask(|coordinator, _| coordinator.delete_group(group)).await.map_err(coordinator_code)?;
    answer.map_err(group_code)
}
