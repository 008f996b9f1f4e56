//! SyncGroup (14): a member asks for its assignment, the leader brings everybody's.
use millrace_coordinator::{Presence, SyncGroup, Synced, Woken};
use millrace_protocol::messages::{SyncGroupRequest, SyncGroupResponse};
use millrace_protocol::{ErrorCode, StrBytes};

use super::Context;
use super::error::{coordinator_code, group_code};
use super::view::text;

pub async fn handle(ctx: &Context, request: SyncGroupRequest, version: i16) -> SyncGroupResponse {
    match sync(ctx, request, version).await {
        Ok(synced) => SyncGroupResponse::default()
            .with_protocol_type(synced.protocol_type.as_deref().map(text))
            .with_protocol_name(synced.protocol.as_deref().map(text))
            .with_assignment(synced.assignment),
        Err(code) => SyncGroupResponse::default().with_error_code(code.code()),
    }
}

async fn sync(ctx: &Context, request: SyncGroupRequest, version: i16) -> Result<Synced, ErrorCode> {
    let group = request.group_id.to_string();
    // From version 5 on a member must say what it takes part in.
    if version >= 5 && (request.protocol_type.is_none() || request.protocol_name.is_none()) {
        return Err(ErrorCode::InconsistentGroupProtocol);
    }
    let seat = ctx.node.coordinators.seat(&group).map_err(coordinator_code)?;
    let ask = SyncGroup {
        presence: Presence {
            group,
            member: request.member_id.to_string(),
            instance: request.group_instance_id.as_ref().map(StrBytes::to_string),
            generation: request.generation_id,
        },
        protocol_type: request.protocol_type.as_ref().map(StrBytes::to_string),
        protocol: request.protocol_name.as_ref().map(StrBytes::to_string),
        assignments: request.assignments.into_iter().map(|given| (given.member_id.to_string(), given.assignment)).collect(),
    };
    let woken = seat.park(|coordinator, token, now| coordinator.sync(ask, token, now)).await.map_err(coordinator_code)?;
    match woken {
        Woken::Sync(result) => result.map_err(group_code),
        Woken::Join(_) => unreachable!("a sync is answered as a sync"),
    }
}
