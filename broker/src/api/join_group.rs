//! JoinGroup (11): a member comes into a group. Answered when the rebalance is complete.
use millrace_coordinator::{JoinGroup, JoinRefused, Joined, Protocol, Woken};
use millrace_protocol::messages::join_group_response::JoinGroupResponseMember;
use millrace_protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use millrace_protocol::{ErrorCode, StrBytes};

use super::Context;
use super::error::{coordinator_code, group_code};
use super::view::text;
use crate::coordinators::CoordinatorError;

pub async fn handle(ctx: &Context, request: JoinGroupRequest, version: i16) -> JoinGroupResponse {
    let member = request.member_id.clone();
    let refused = |code: ErrorCode, member: StrBytes| {
        let protocol = if version >= 7 { None } else { Some(StrBytes::default()) };
        JoinGroupResponse::default().with_error_code(code.code()).with_member_id(member).with_protocol_name(protocol)
    };
    match join(ctx, request, version).await {
        Ok(joined) => response(joined, version),
        Err(Refused::Group(JoinRefused { error, member })) => refused(group_code(error), text(&member)),
        Err(Refused::Coordinator(error)) => refused(coordinator_code(error), member),
    }
}

enum Refused {
    Group(JoinRefused),
    Coordinator(CoordinatorError),
}

async fn join(ctx: &Context, request: JoinGroupRequest, version: i16) -> Result<Joined, Refused> {
    let group = request.group_id.to_string();
    let seat = ctx.node.coordinators.seat(&group).map_err(Refused::Coordinator)?;
    let ask = JoinGroup {
        group,
        member: request.member_id.to_string(),
        instance: request.group_instance_id.as_ref().map(StrBytes::to_string),
        client_id: ctx.client.id.clone(),
        client_host: format!("/{}", ctx.client.address.ip()),
        session_timeout_ms: request.session_timeout_ms,
        // Version 0 had no time-out of its own for rebalances.
        rebalance_timeout_ms: if version >= 1 { request.rebalance_timeout_ms } else { request.session_timeout_ms },
        protocol_type: request.protocol_type.to_string(),
        protocols: request.protocols.into_iter().map(|offered| Protocol { name: offered.name.to_string(), metadata: offered.metadata }).collect(),
        knows_member_id_required: version >= 4,
        knows_skip_assignment: version >= 9,
        unique: ctx.node.new_id().to_string(),
    };
    let woken = seat.park(|coordinator, token, now| coordinator.join(ask, token, now)).await.map_err(Refused::Coordinator)?;
    match woken {
        Woken::Join(result) => result.map_err(Refused::Group),
        Woken::Sync(_) => unreachable!("a join is answered as a join"),
    }
}

fn response(joined: Joined, version: i16) -> JoinGroupResponse {
    let members = joined.members.into_iter().map(|member| {
        JoinGroupResponseMember::default()
            .with_member_id(text(&member.id))
            .with_group_instance_id(member.instance_id.as_deref().map(text))
            .with_metadata(member.metadata)
    });
    JoinGroupResponse::default()
        .with_generation_id(joined.generation)
        .with_protocol_type(joined.protocol_type.as_deref().map(text))
        .with_protocol_name(Some(text(joined.protocol.as_deref().unwrap_or_default())))
        .with_leader(text(&joined.leader))
        .with_skip_assignment(version >= 9 && joined.skip_assignment)
        .with_member_id(text(&joined.member))
        .with_members(members.collect())
}
