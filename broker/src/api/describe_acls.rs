//! DescribeAcls (29). Without an authorizer Kafka says that security is disabled, and tools rely on it.
use millrace_protocol::ErrorCode;
use millrace_protocol::messages::{DescribeAclsRequest, DescribeAclsResponse};

use super::Context;
use super::view::text;

pub async fn handle(_ctx: &Context, _request: DescribeAclsRequest, _version: i16) -> DescribeAclsResponse {
    DescribeAclsResponse::default()
        .with_error_code(ErrorCode::SecurityDisabled.code())
        .with_error_message(Some(text("No Authorizer is configured on the broker")))
}
