//! LeaveGroup (13): members go, by their ids or (removed by an operator) by their instance ids.
use millrace_coordinator::LeaveMember;
use millrace_protocol::messages::leave_group_response::MemberResponse;
use millrace_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};
use millrace_protocol::{ErrorCode, StrBytes};

use super::Context;
use super::error::{coordinator_code, group_code};

pub async fn handle(ctx: &Context, request: LeaveGroupRequest, version: i16) -> LeaveGroupResponse {
    let members: Vec<LeaveMember> = if version >= 3 {
        let named = request.members.iter().map(|member| LeaveMember {
            member: member.member_id.to_string(),
            instance: member.group_instance_id.as_ref().map(StrBytes::to_string),
        });
        named.collect()
    } else {
        vec![LeaveMember { member: request.member_id.to_string(), instance: None }]
    };
    let results = match leave(ctx, &request.group_id, &members).await {
        Ok(results) => results,
        // Of a group that is not there nobody is a member, which newer versions say of each.
        Err(ErrorCode::UnknownMemberId) if version >= 3 => members.iter().map(|_| Err(ErrorCode::UnknownMemberId)).collect(),
        Err(code) => return LeaveGroupResponse::default().with_error_code(code.code()),
    };
    let codes = results.iter().map(|result| result.map_or_else(|code| code.code(), |()| 0));
    if version < 3 {
        return LeaveGroupResponse::default().with_error_code(codes.sum());
    }
    let members = request.members.iter().zip(codes).map(|(member, code)| {
        MemberResponse::default()
            .with_member_id(member.member_id.clone())
            .with_group_instance_id(member.group_instance_id.clone())
            .with_error_code(code)
    });
    LeaveGroupResponse::default().with_members(members.collect())
}

async fn leave(ctx: &Context, group: &str, members: &[LeaveMember]) -> Result<Vec<Result<(), ErrorCode>>, ErrorCode> {
    let seat = ctx.node.coordinators.seat(group).map_err(coordinator_code)?;
    let answer = seat.ask(|coordinator, now| coordinator.leave(group, members, now)).await.map_err(coordinator_code)?;
    let results = answer.map_err(group_code)?;
    Ok(results.into_iter().map(|result| result.map_err(group_code)).collect())
}
