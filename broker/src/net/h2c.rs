//! HTTP/2 for clients that begin with HTTP/1.1 and ask to switch (`Upgrade: h2c`, RFC 7540 3.2).
//!
//! The request that asked becomes the first stream of the new connection. The HTTP/2 server does not know that way to begin, so it
//! is shown what it knows: the client's preface and settings, then the request once more, as frames. A request that is too large
//! for that is answered over HTTP/1.1, as any server may.
use std::convert::Infallible;
use std::io::Cursor;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Request, Response, StatusCode, Version};
use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, join, split};
use tokio::time::timeout;

/// Within the window that a stream has before anything is agreed.
const BODY_BYTES_MAX: usize = 60_000;
const BEGIN_WITHIN: Duration = Duration::from_secs(20);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEAD: usize = 9;
/// What every frame may hold before anything is agreed.
const FRAME_BYTES_MAX: usize = 16 << 10;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const SETTINGS_OF_CLIENT: HeaderName = HeaderName::from_static("http2-settings");

/// Answers requests, and takes those who ask to HTTP/2.
#[derive(Clone)]
pub struct Switching {
    pub routes: Router,
    pub http2: auto::Builder<TokioExecutor>,
}

impl Service<Request<Incoming>> for Switching {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let request = request.map(Body::new);
            match asks_for_http2(&request) {
                true => Ok(this.switch(request).await),
                false => TowerToHyperService::new(this.routes).call(request).await,
            }
        })
    }
}

/// Whether the request asks for it, and is small enough to be moved.
fn asks_for_http2(request: &Request<Body>) -> bool {
    let headers = request.headers();
    let says = |name: HeaderName, word: &str| {
        headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(',')).any(|part| part.trim().eq_ignore_ascii_case(word))
    };
    let length = headers.get(CONTENT_LENGTH).map(|value| value.to_str().ok().and_then(|text| text.parse::<usize>().ok()));
    let small = match length {
        Some(length) => length.is_some_and(|length| length <= BODY_BYTES_MAX),
        None => !headers.contains_key(TRANSFER_ENCODING),
    };
    request.version() == Version::HTTP_11 && says(UPGRADE, "h2c") && headers.contains_key(SETTINGS_OF_CLIENT) && small
}

impl Switching {
    async fn switch(self, mut request: Request<Body>) -> Response<Body> {
        let on = hyper::upgrade::on(&mut request);
        let (parts, body) = request.into_parts();
        let Ok(Ok(body)) = timeout(BEGIN_WITHIN, to_bytes(body, BODY_BYTES_MAX)).await else {
            return plain(StatusCode::REQUEST_TIMEOUT);
        };
        match first_stream(&parts, &body) {
            // Headers that do not fit into a frame: answered where they are.
            None => {
                let answered = TowerToHyperService::new(self.routes).call(Request::from_parts(parts, Body::from(body))).await;
                answered.unwrap_or_else(|never| match never {})
            }
            Some(stream) => {
                tokio::spawn(self.serve(on, stream));
                let mut response = plain(StatusCode::SWITCHING_PROTOCOLS);
                // In lower case: there are clients that compare it letter by letter.
                response.headers_mut().insert(CONNECTION, axum::http::HeaderValue::from_static("upgrade"));
                response.headers_mut().insert(UPGRADE, axum::http::HeaderValue::from_static("h2c"));
                response
            }
        }
    }

    async fn serve(self, on: OnUpgrade, stream: Vec<u8>) {
        let begun = async {
            let mut io = TokioIo::new(on.await.ok()?);
            let begin = timeout(BEGIN_WITHIN, client_begin(&mut io)).await.ok()??;
            Some((io, begin))
        };
        let Some((io, mut begin)) = begun.await else {
            tracing::debug!("a client asked for HTTP/2 and did not begin with it");
            return;
        };
        begin.extend_from_slice(&stream);
        let (read, write) = split(io);
        let io = TokioIo::new(join(Cursor::new(begin).chain(read), write));
        if let Err(error) = self.http2.serve_connection(io, TowerToHyperService::new(self.routes)).await {
            tracing::debug!(error, "an HTTP/2 connection ended");
        }
    }
}

fn plain(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// The client's preface and its settings, as they came.
async fn client_begin(io: &mut TokioIo<Upgraded>) -> Option<Vec<u8>> {
    let mut begin = vec![0; PREFACE.len() + FRAME_HEAD];
    io.read_exact(&mut begin).await.ok()?;
    let (preface, head) = begin.split_at(PREFACE.len());
    let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
    if preface != PREFACE || head[3] != SETTINGS || length > FRAME_BYTES_MAX {
        return None;
    }
    let mut settings = vec![0; length];
    io.read_exact(&mut settings).await.ok()?;
    begin.extend_from_slice(&settings);
    Some(begin)
}

/// The request as the frames of stream 1; nothing when its headers do not fit into one.
fn first_stream(parts: &Parts, body: &Bytes) -> Option<Vec<u8>> {
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let host = parts.headers.get(HOST).map_or(&b""[..], |host| host.as_bytes());
    let mut block = Vec::new();
    literal(&mut block, b":method", parts.method.as_str().as_bytes());
    literal(&mut block, b":scheme", b"http");
    literal(&mut block, b":path", path.as_bytes());
    literal(&mut block, b":authority", host);
    for (name, value) in carried(&parts.headers) {
        literal(&mut block, name.as_str().as_bytes(), value.as_bytes());
    }
    if block.len() > FRAME_BYTES_MAX {
        return None;
    }
    let mut frames = Vec::with_capacity(block.len() + body.len() + 64);
    let end = if body.is_empty() { END_STREAM } else { 0 };
    frame(&mut frames, HEADERS, END_HEADERS | end, &block);
    let mut pieces = body.chunks(FRAME_BYTES_MAX).peekable();
    while let Some(piece) = pieces.next() {
        frame(&mut frames, DATA, if pieces.peek().is_none() { END_STREAM } else { 0 }, piece);
    }
    Some(frames)
}

/// Headers that are about the request, not about its connection.
fn carried(headers: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &axum::http::HeaderValue)> {
    let of_connection = [CONNECTION, UPGRADE, HOST, TRANSFER_ENCODING, SETTINGS_OF_CLIENT, HeaderName::from_static("keep-alive"), HeaderName::from_static("te")];
    headers.iter().filter(move |(name, _)| !of_connection.contains(name))
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, payload: &[u8]) {
    let length = (payload.len() as u32).to_be_bytes();
    out.extend_from_slice(&length[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&1u32.to_be_bytes());
    out.extend_from_slice(payload);
}

/// A header field that is neither indexed nor compressed (RFC 7541 6.2.2).
fn literal(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.push(0);
    for text in [name, value] {
        match text.len() {
            short @ 0..127 => out.push(short as u8),
            long => {
                out.push(127);
                let mut left = long - 127;
                while left >= 128 {
                    out.push((left % 128) as u8 | 128);
                    left /= 128;
                }
                out.push(left as u8);
            }
        }
        out.extend_from_slice(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(length: usize) -> Request<Body> {
        let builder = Request::builder().method("POST").uri("/inserts-stream?a=b").header("Host", "h:1").header("Upgrade", "h2c");
        let builder = builder.header("Connection", "Upgrade, HTTP2-Settings").header("HTTP2-Settings", "").header("Accept", "*/*");
        builder.header("Content-Length", length).body(Body::empty()).unwrap()
    }

    #[test]
    fn only_small_requests_are_moved() {
        assert!(asks_for_http2(&request(BODY_BYTES_MAX)));
        assert!(!asks_for_http2(&request(BODY_BYTES_MAX + 1)));
        let mut chunked = request(0);
        chunked.headers_mut().remove(CONTENT_LENGTH);
        chunked.headers_mut().insert(TRANSFER_ENCODING, "chunked".parse().unwrap());
        assert!(!asks_for_http2(&chunked));
        let mut without = request(0);
        without.headers_mut().remove(SETTINGS_OF_CLIENT);
        assert!(!asks_for_http2(&without));
    }

    #[test]
    fn a_request_becomes_frames() {
        let (parts, _) = request(3).into_parts();
        let frames = first_stream(&parts, &Bytes::from_static(b"abc")).unwrap();
        let length = usize::from(frames[1]) << 8 | usize::from(frames[2]);
        assert_eq!(frames[3..FRAME_HEAD], [HEADERS, END_HEADERS, 0, 0, 0, 1]);
        let block = &frames[FRAME_HEAD..FRAME_HEAD + length];
        assert!(block.starts_with(b"\0\x07:method\x04POST\0\x07:scheme\x04http\0\x05:path\x13/inserts-stream?a=b\0\x0a:authority\x03h:1"));
        assert!(!block.windows(7).any(|part| part == b"upgrade"));
        assert_eq!(frames[FRAME_HEAD + length..], [0, 0, 3, DATA, END_STREAM, 0, 0, 0, 1, b'a', b'b', b'c']);
        let mut large = request(0);
        large.headers_mut().insert("x", "y".repeat(20_000).parse().unwrap());
        assert!(first_stream(&large.into_parts().0, &Bytes::new()).is_none());
    }

    #[test]
    fn long_texts_have_their_length_in_several_bytes() {
        let mut out = Vec::new();
        literal(&mut out, b"n", &[b'v'; 300]);
        assert_eq!(out[..6], [0, 1, b'n', 127, 45 | 128, 1]);
    }
}
