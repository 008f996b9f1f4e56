//! GET /ws/query: a query over a web socket. The first frame is the columns, then a frame a row; the socket closes at the end.
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use futures_util::future::{Either, select};
use serde::Deserialize;

use crate::rest::body::BODY_BYTES_MAX;
use crate::rest::error::{BAD_REQUEST, RestError};
use crate::rest::query::{Answering, begin};
use crate::rest::writer::Shape;
use crate::rest::{Api, KsqlRequest};

/// A reason has to fit into a control frame.
const REASON_BYTES_MAX: usize = 120;
/// What a client may send is a close and an answer to a ping.
const FRAME_BYTES_MAX: usize = 64 << 10;
/// How long a client may keep one frame waiting.
const FRAME_WITHIN: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
pub struct Asked {
    request: Option<String>,
    version: Option<String>,
}

pub async fn ws_query(State(api): State<Api>, Query(asked): Query<Asked>, socket: WebSocketUpgrade) -> Response {
    let socket = socket.max_message_size(FRAME_BYTES_MAX).max_frame_size(FRAME_BYTES_MAX);
    socket.on_upgrade(move |socket| serve(api, asked, socket)).into_response()
}

async fn serve(api: Api, asked: Asked, mut socket: WebSocket) {
    let answering = match request(&asked) {
        Ok(request) => begin(&api, &request, Shape::Frames).await,
        Err(error) => Err(error),
    };
    let mut answering = match answering {
        Ok(answering) => answering,
        Err(error) => return close(&mut socket, close_code::ERROR, &error.message()).await,
    };
    loop {
        // A client that has gone ends its query even when there is nothing to tell.
        let text = {
            let next = std::pin::pin!(next(&mut answering));
            let gone = std::pin::pin!(gone(&mut socket));
            match select(next, gone).await {
                Either::Left((text, _)) => text,
                Either::Right(_) => return,
            }
        };
        let Some(text) = text else { return close(&mut socket, close_code::NORMAL, "done").await };
        let world = api.views.outside().world();
        let deadline = world.sleep_until(world.now() + FRAME_WITHIN);
        match select(socket.send(Message::text(text)).boxed(), deadline).await {
            Either::Left((Ok(()), _)) => {}
            _ => return,
        }
    }
}

fn request(asked: &Asked) -> Result<KsqlRequest, RestError> {
    if let Some(version) = asked.version.as_deref().filter(|version| !matches!(*version, "1" | "latest" | "LATEST")) {
        return Err(RestError::generic(BAD_REQUEST, format!("Received invalid api version: {version}")));
    }
    let text = asked.request.as_deref().unwrap_or_default();
    if text.len() > BODY_BYTES_MAX {
        return Err(RestError::generic(BAD_REQUEST, "the request is too large"));
    }
    KsqlRequest::parse(text.as_bytes())
}

async fn next(answering: &mut Answering) -> Option<String> {
    match answering {
        Answering::Whole(texts) => texts.find(|text| !text.is_empty()),
        Answering::Rows(rows) => rows.next().await,
        Answering::Printed(printed) => printed.next().await,
    }
}

/// Returns when the client has closed; pings are answered by the socket itself.
async fn gone(socket: &mut WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if matches!(message, Message::Close(_)) {
            return;
        }
    }
}

async fn close(socket: &mut WebSocket, code: u16, reason: &str) {
    let end = (0..=REASON_BYTES_MAX.min(reason.len())).rev().find(|at| reason.is_char_boundary(*at)).unwrap_or(0);
    let frame = CloseFrame { code, reason: Utf8Bytes::from(&reason[..end]) };
    let _ = socket.send(Message::Close(Some(frame))).await;
}
