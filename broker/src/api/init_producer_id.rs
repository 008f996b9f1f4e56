//! InitProducerId (22): an id for an idempotent producer. Ids come in blocks from the metadata log, so
//! that not every producer costs a commit; what is left of a block at a stop is never given out.
use millrace_cluster::decide::{ProducerIdBlock, allocate_producer_ids};
use millrace_protocol::ErrorCode;
use millrace_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use super::{ApiError, Context};

/// The one code at which the Java client, librdkafka and franz-go all give up instead of asking again.
const NO_TRANSACTIONS: ErrorCode = ErrorCode::TransactionalIdAuthorizationFailed;

/// The rest of the block that this node is giving out.
#[derive(Default)]
pub struct ProducerIds(tokio::sync::Mutex<Option<ProducerIdBlock>>);

pub async fn handle(ctx: &Context, request: InitProducerIdRequest, _version: i16) -> InitProducerIdResponse {
    let response = InitProducerIdResponse::default();
    match allocate(ctx, &request).await {
        // A producer that resumes gets a new id as well: without transactions there is nothing to fence.
        Ok(id) => response.with_producer_id(ProducerId(id)).with_producer_epoch(0),
        Err(error) => response.with_error_code(error.wire()).with_producer_id(ProducerId(-1)).with_producer_epoch(-1),
    }
}

async fn allocate(ctx: &Context, request: &InitProducerIdRequest) -> Result<i64, ApiError> {
    match &request.transactional_id {
        Some(id) if id.is_empty() => return Err(ErrorCode::InvalidRequest.into()),
        Some(id) => {
            tracing::warn!(transactional_id = id.as_str(), "a producer wants transactions, which this broker does not have");
            return Err(NO_TRANSACTIONS.into());
        }
        None => {}
    }
    // An id without an epoch resumes nothing.
    if (request.producer_id.0 == -1) != (request.producer_epoch == -1) {
        return Err(ErrorCode::InvalidRequest.into());
    }
    let mut block = ctx.node.producer_ids.0.lock().await;
    if let Some(left) = block.as_mut().filter(|left| left.count > 0) {
        let id = left.first;
        left.first += 1;
        left.count -= 1;
        return Ok(id);
    }
    let fresh = ctx.node.change(allocate_producer_ids).await?;
    let fresh = fresh.ok_or_else(|| ApiError::new(ErrorCode::UnknownServerError, "every producer id has been used"))?;
    let id = fresh.first;
    *block = Some(ProducerIdBlock { first: id + 1, count: fresh.count - 1 });
    Ok(id)
}
