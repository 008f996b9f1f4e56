//! Fetch (1): records as they lie on disk, or a wait for some.
//!
//! Readers never go through the shard: they read the log's files up to the watermark that it publishes,
//! and a bell wakes them when one of their watermarks moves.
mod read;
mod session;

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use millrace_protocol::ErrorCode;
use millrace_protocol::fetch::{FetchRequest, FetchResponse};
use millrace_protocol::frame::Frame;
use millrace_protocol::header::Opening;
use millrace_shard::{Bell, Upto};

use self::read::Reading;
pub use self::session::FetchSessions;
use super::table::Pending;
use super::{Context, Fault, Outcome, Request};

const READ_COMMITTED: i8 = 1;
/// From here on requests name topics by id.
const TOPIC_IDS_FROM: i16 = 13;

/// Answers that wait for their clients, of all connections together: from here on each further one brings a little.
const ANSWERS_BYTES_MAX: usize = 256 << 20;
/// Enough for a reader to get on.
const ANSWER_BYTES_LEAST: usize = 64 << 10;

pub fn call(ctx: Context, request: Request) -> Pending<Result<Outcome, Fault>> {
    Box::pin(async move {
        let decoded = FetchRequest::decode(&request.body, request.opening.api_version)?;
        // A long poll must not hold the frame's memory.
        drop(request.body);
        Ok(Outcome::Now(fetch(&ctx, decoded, &request.opening).await?))
    })
}

async fn fetch(ctx: &Context, mut request: FetchRequest, opening: &Opening) -> Result<Frame, Fault> {
    let node = &ctx.node;
    let uses_ids = opening.api_version >= TOPIC_IDS_FROM;
    let plan = match node.fetch_sessions.begin(&request, uses_ids, node.world.now()) {
        Ok(plan) => plan,
        Err(error) => return refuse(error, opening),
    };
    request.topics = Vec::new();
    let upto = if request.isolation_level == READ_COMMITTED { Upto::LastStable } else { Upto::HighWatermark };
    // Answers that clients do not take wait in memory. The more of it they hold, all together, the less a further one may be.
    let room = ANSWERS_BYTES_MAX.saturating_sub(node.metrics.unsent_bytes.get()).max(ANSWER_BYTES_LEAST);
    let bytes_max = usize::try_from(request.max_bytes).unwrap_or(0).min(node.config.fetch_bytes_max).min(room);
    let bytes_min = usize::try_from(request.min_bytes).unwrap_or(0).min(bytes_max);
    let mut reading = Reading::new(ctx, plan.wanted.clone(), upto, bytes_max);
    reading.read(ctx);
    if !reading.is_done(bytes_min) && request.max_wait_ms > 0 {
        wait(ctx, &mut reading, bytes_min, Duration::from_millis(request.max_wait_ms.unsigned_abs().into())).await;
    }
    node.metrics.fetched_bytes.add(reading.bytes() as u64);
    let mut topics = reading.into_topics();
    let session_id = node.fetch_sessions.finish(plan, &mut topics, node.world.now(), node.world.random());
    let response = FetchResponse { session_id, topics, ..FetchResponse::default() };
    response.encode(opening).ok_or(Fault::TooLong)
}

/// Reads on whenever a watermark moves, until there is enough or the client's patience is over.
async fn wait(ctx: &Context, reading: &mut Reading, bytes_min: usize, max_wait: Duration) {
    let world = &ctx.node.world;
    let bell = Bell::new();
    // Hung first and looked at second, so that nothing slips through in between.
    reading.watch(&bell);
    let mut deadline = world.sleep_until(world.now() + max_wait);
    loop {
        reading.read(ctx);
        if reading.is_done(bytes_min) {
            return;
        }
        if let Either::Right(_) = select(pin!(bell.rung()), &mut deadline).await {
            return;
        }
    }
}

fn refuse(error: ErrorCode, opening: &Opening) -> Result<Frame, Fault> {
    let response = FetchResponse { error_code: error.code(), ..FetchResponse::default() };
    response.encode(opening).ok_or(Fault::TooLong)
}
