//! Reading a request's body: bounded in bytes and in time, so that neither a huge one nor one that trickles in costs much.
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use futures_util::future::{Either, select};

use crate::Views;
use crate::rest::error::{BAD_REQUEST, REQUEST_TIMEOUT, RestError, TOO_LARGE};

/// The largest body of a request, and the longest line of a stream of rows.
pub const BODY_BYTES_MAX: usize = 8 << 20;
/// How long a body may take to arrive.
const BODY_WITHIN: Duration = Duration::from_secs(30);

pub async fn read(views: &Views, body: Body) -> Result<Bytes, RestError> {
    let world = views.outside().world();
    let deadline = world.sleep_until(world.now() + BODY_WITHIN);
    match select(Box::pin(to_bytes(body, BODY_BYTES_MAX)), deadline).await {
        Either::Left((Ok(bytes), _)) => Ok(bytes),
        Either::Left((Err(error), _)) => Err(unread(&error)),
        Either::Right(_) => {
            Err(RestError::generic(REQUEST_TIMEOUT, format!("the body of the request did not arrive within {} s", BODY_WITHIN.as_secs())))
        }
    }
}

fn unread(error: &axum::Error) -> RestError {
    let text = error.to_string();
    match text.contains("length limit") {
        true => RestError::generic(TOO_LARGE, format!("the body of the request is larger than {BODY_BYTES_MAX} bytes")),
        false => RestError::generic(BAD_REQUEST, format!("the body of the request cannot be read: {text}")),
    }
}
