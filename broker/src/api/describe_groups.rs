//! DescribeGroups (15): groups with their members.
use millrace_coordinator::GroupView;
use millrace_protocol::ErrorCode;
use millrace_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use millrace_protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse, GroupId};

use super::Context;
use super::error::coordinator_code;
use super::view::{GROUP_OPERATIONS, NO_OPERATIONS, text};

pub async fn handle(ctx: &Context, request: DescribeGroupsRequest, version: i16) -> DescribeGroupsResponse {
    let mut groups = Vec::with_capacity(request.groups.len());
    let asked = version >= 3 && request.include_authorized_operations;
    let operations = if asked { GROUP_OPERATIONS } else { NO_OPERATIONS };
    for id in request.groups {
        let described = match describe(ctx, &id).await {
            Ok(Some(view)) => shown(id, view).with_authorized_operations(operations),
            Ok(None) => missing(id, version, operations),
            Err(code) => DescribedGroup::default().with_group_id(id).with_error_code(code.code()),
        };
        groups.push(described);
    }
    DescribeGroupsResponse::default().with_groups(groups)
}

async fn describe(ctx: &Context, group: &str) -> Result<Option<GroupView>, ErrorCode> {
    let seat = ctx.node.coordinators.seat(group).map_err(coordinator_code)?;
    seat.look(|coordinator| coordinator.describe(group)).await.map_err(coordinator_code)
}

/// Until version 5 a group that does not exist was dead, and no error.
fn missing(id: GroupId, version: i16, operations: i32) -> DescribedGroup {
    let message = format!("Group {} not found.", id.as_str());
    let group = DescribedGroup::default().with_group_id(id).with_group_state(text("Dead"));
    if version < 6 {
        return group.with_authorized_operations(operations);
    }
    group.with_error_code(ErrorCode::GroupIdNotFound.code()).with_error_message(Some(text(&message)))
}

fn shown(id: GroupId, view: GroupView) -> DescribedGroup {
    let members = view.members.into_iter().map(|member| {
        DescribedGroupMember::default()
            .with_member_id(text(&member.id))
            .with_group_instance_id(member.instance_id.as_deref().map(text))
            .with_client_id(text(&member.client_id))
            .with_client_host(text(&member.client_host))
            .with_member_metadata(member.metadata)
            .with_member_assignment(member.assignment)
    });
    DescribedGroup::default()
        .with_group_id(id)
        .with_group_state(text(view.state.name()))
        .with_protocol_type(text(&view.protocol_type))
        .with_protocol_data(text(&view.protocol))
        .with_members(members.collect())
}
