//! ListGroups (16): the groups that this node coordinates.
use millrace_protocol::messages::list_groups_response::ListedGroup;
use millrace_protocol::messages::{GroupId, ListGroupsRequest, ListGroupsResponse};

use super::Context;
use super::error::coordinator_code;
use super::view::text;
use crate::coordinators::CoordinatorError;

/// The one type of groups that there is.
const CLASSIC: &str = "classic";

pub async fn handle(ctx: &Context, request: ListGroupsRequest, version: i16) -> ListGroupsResponse {
    let wants = |filter: &[millrace_protocol::StrBytes], name: &str| {
        filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
    };
    if version >= 5 && !wants(&request.types_filter, CLASSIC) {
        return ListGroupsResponse::default();
    }
    let mut groups = Vec::new();
    for seat in ctx.node.coordinators.seats() {
        match seat.look(|coordinator| coordinator.list()).await {
            Ok(listed) => groups.extend(listed),
            // Led elsewhere: that node lists them.
            Err(CoordinatorError::NotCoordinator) => {}
            Err(error) => return ListGroupsResponse::default().with_error_code(coordinator_code(error).code()),
        }
    }
    let listed = groups.into_iter().filter(|group| version < 4 || wants(&request.states_filter, group.state.name())).map(|group| {
        ListedGroup::default()
            .with_group_id(GroupId(text(&group.group)))
            .with_protocol_type(text(&group.protocol_type))
            .with_group_state(text(group.state.name()))
            .with_group_type(text(CLASSIC))
    });
    ListGroupsResponse::default().with_groups(listed.collect())
}
