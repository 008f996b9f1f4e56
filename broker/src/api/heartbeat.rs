//! Heartbeat (12): a member is alive, and hears whether it must join again.
use millrace_coordinator::Presence;
use millrace_protocol::messages::{HeartbeatRequest, HeartbeatResponse};
use millrace_protocol::{ErrorCode, StrBytes};

use super::Context;
use super::error::{coordinator_code, group_code};

pub async fn handle(ctx: &Context, request: HeartbeatRequest, _version: i16) -> HeartbeatResponse {
    match beat(ctx, &request).await {
        Ok(()) => HeartbeatResponse::default(),
        Err(code) => HeartbeatResponse::default().with_error_code(code.code()),
    }
}

async fn beat(ctx: &Context, request: &HeartbeatRequest) -> Result<(), ErrorCode> {
    let presence = Presence {
        group: request.group_id.to_string(),
        member: request.member_id.to_string(),
        instance: request.group_instance_id.as_ref().map(StrBytes::to_string),
        generation: request.generation_id,
    };
    let seat = ctx.node.coordinators.seat(&presence.group).map_err(coordinator_code)?;
    let answer = seat.ask(|coordinator, now| coordinator.heartbeat(&presence, now)).await.map_err(coordinator_code)?;
    answer.map_err(group_code)
}
