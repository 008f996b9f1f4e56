//! One TCP connection to one broker: frames out, frames in, matched by correlation id.
//!
//! ```text
//! call() --frame, oneshot--> [writer task] --bytes--> broker
//!   ^                             | pushes the oneshot on `waiting` first
//!   +---- body ---- [reader task] <-bytes-- broker     (Kafka answers a connection's requests in order)
//! ```
//!
//! A dropped `call` leaves the stream whole: the tasks own the halves, the answer is read and thrown away.
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, HeaderVersion, Message, Request, VersionRange, encode_request_header_into_buffer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::error::{ClientError, Code, Result};
use crate::text::text;

/// Above this a frame is taken for garbage; Kafka's own brokers stop at 100 MiB.
const FRAME_BYTES_MAX: usize = 256 << 20;
/// A frame is read in pieces of at most this size, so that a lying length costs nothing.
const READ_STEP: usize = 1 << 20;

type Answer = oneshot::Sender<Result<Bytes>>;

/// One connection; clones share it.
#[derive(Clone)]
pub struct Connection {
    shared: Arc<Shared>,
}

struct Shared {
    peer: String,
    client_id: String,
    outgoing: mpsc::UnboundedSender<(Bytes, Option<(i32, Answer)>)>,
    waiting: Arc<Mutex<Waiting>>,
    correlation: AtomicI32,
    versions: HashMap<i16, VersionRange>,
    timeout: Duration,
}

impl Connection {
    /// Connects to `address` (`host:port`) and negotiates versions.
    pub async fn open(address: &str, client_id: &str, limit: Duration) -> Result<Connection> {
        let failed = |reason: String| ClientError::Connect { address: address.to_owned(), reason };
        let stream = timeout(limit, TcpStream::connect(address))
            .await
            .map_err(|_| failed(format!("no connection within {} ms", limit.as_millis())))?
            .map_err(|error| failed(error.to_string()))?;
        stream.set_nodelay(true).map_err(|error| failed(error.to_string()))?;
        let (reader, writer) = stream.into_split();
        let (outgoing, requests) = mpsc::unbounded_channel();
        let waiting = Arc::new(Mutex::new(Waiting::default()));
        tokio::spawn(write_all(writer, requests, waiting.clone(), address.to_owned()));
        tokio::spawn(read_all(reader, waiting.clone(), address.to_owned()));
        let shared = Shared {
            peer: address.to_owned(),
            client_id: client_id.to_owned(),
            outgoing,
            waiting,
            correlation: AtomicI32::new(0),
            versions: HashMap::new(),
            timeout: limit,
        };
        let first = Connection { shared: Arc::new(shared) };
        let versions = first.ask_versions().await?;
        let old = Arc::into_inner(first.shared).ok_or_else(|| failed("shared too early".into()))?;
        Ok(Connection { shared: Arc::new(Shared { versions, ..old }) })
    }

    /// The address this connection was opened with.
    pub fn peer(&self) -> &str {
        &self.shared.peer
    }

    /// True once either half has ended; callers then open another one.
    pub fn is_closed(&self) -> bool {
        self.shared.outgoing.is_closed() || self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).closed
    }

    /// What the broker offers, by API key.
    pub fn versions(&self) -> &HashMap<i16, VersionRange> {
        &self.shared.versions
    }

    /// The version that [`Connection::call`] uses for `R`.
    pub fn version_of<R: Request>(&self) -> Result<i16> {
        let unsupported = || ClientError::Unsupported { peer: self.shared.peer.clone(), api: api_name(R::KEY) };
        let theirs = self.shared.versions.get(&R::KEY).ok_or_else(unsupported)?;
        let shared = R::VERSIONS.intersect(theirs);
        let version = shared.max.min(cap(R::KEY));
        if version < shared.min { Err(unsupported()) } else { Ok(version) }
    }

    /// Sends `request` and waits for its answer.
    pub async fn call<R: Request>(&self, request: &R) -> Result<R::Response> {
        self.call_within(request, self.shared.timeout).await
    }

    /// [`Connection::call`] with its own time limit, for requests that may be held by the broker.
    pub async fn call_within<R: Request>(&self, request: &R, limit: Duration) -> Result<R::Response> {
        let version = self.version_of::<R>()?;
        self.call_as(request, version, limit).await
    }

    /// Sends a request that has no answer (produce with acks=0).
    pub fn tell<R: Request>(&self, request: &R) -> Result<()> {
        let (_, frame) = self.frame(request, self.version_of::<R>()?)?;
        self.shared.outgoing.send((frame, None)).map_err(|_| self.closed("it had ended"))
    }

    async fn call_as<R: Request>(&self, request: &R, version: i16, limit: Duration) -> Result<R::Response> {
        let (correlation, frame) = self.frame(request, version)?;
        let mut body = self.exchange(correlation, frame, limit, R::KEY).await?;
        let what = || format!("{} response v{version} from {}", api_name(R::KEY), self.shared.peer);
        ResponseHeader::decode(&mut body, R::Response::header_version(version)).map_err(|error| ClientError::malformed(what(), error))?;
        R::Response::decode(&mut body, version).map_err(|error| ClientError::malformed(what(), error))
    }

    async fn exchange(&self, correlation: i32, frame: Bytes, limit: Duration, key: i16) -> Result<Bytes> {
        let (answer, answered) = oneshot::channel();
        self.shared.outgoing.send((frame, Some((correlation, answer)))).map_err(|_| self.closed("it had ended"))?;
        match timeout(limit, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(self.closed("it ended before the answer")),
            Err(_) => {
                Err(ClientError::Timeout { peer: self.shared.peer.clone(), what: api_name(key), after_ms: limit.as_millis() as u64 })
            }
        }
    }

    fn frame<R: Request>(&self, request: &R, version: i16) -> Result<(i32, Bytes)> {
        let what = || format!("{} request v{version}", api_name(R::KEY));
        let correlation = self.shared.correlation.fetch_add(1, Ordering::Relaxed) & i32::MAX;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(correlation)
            .with_client_id(Some(text(&self.shared.client_id)));
        let size = request.compute_size(version).map_err(|error| ClientError::malformed(what(), error))?;
        let mut frame = BytesMut::with_capacity(size + 64);
        frame.put_i32(0);
        encode_request_header_into_buffer(&mut frame, &header).map_err(|error| ClientError::malformed(what(), error))?;
        request.encode(&mut frame, version).map_err(|error| ClientError::malformed(what(), error))?;
        let length = i32::try_from(frame.len() - 4).map_err(|_| ClientError::Misuse(format!("{} is above 2 GiB", what())))?;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        Ok((correlation, frame.freeze()))
    }

    /// Asks with the newest version first; a broker that does not know it answers in version 0 with what it knows.
    async fn ask_versions(&self) -> Result<HashMap<i16, VersionRange>> {
        let newest = ApiVersionsRequest::VERSIONS.max;
        let request =
            ApiVersionsRequest::default().with_client_software_name(text("millrace")).with_client_software_version(text(env!("CARGO_PKG_VERSION")));
        let (correlation, frame) = self.frame(&request, newest)?;
        let mut body = self.exchange(correlation, frame, self.shared.timeout, ApiKey::ApiVersions as i16).await?;
        let what = || format!("ApiVersions response from {}", self.shared.peer);
        // The response header of ApiVersions is always version 0: just the correlation id.
        ResponseHeader::decode(&mut body, 0).map_err(|error| ClientError::malformed(what(), error))?;
        let unsupported = body.len() >= 2 && body[..2] == 35i16.to_be_bytes();
        let answer = if unsupported {
            self.call_as(&ApiVersionsRequest::default(), 0, self.shared.timeout).await?
        } else {
            ApiVersionsResponse::decode(&mut body, newest).map_err(|error| ClientError::malformed(what(), error))?
        };
        Code(answer.error_code).check(|| format!("ApiVersions at {}", self.shared.peer), None)?;
        Ok(answer.api_keys.iter().map(|row| (row.api_key, VersionRange { min: row.min_version, max: row.max_version })).collect())
    }

    fn closed(&self, reason: &str) -> ClientError {
        ClientError::Closed { peer: self.shared.peer.clone(), reason: reason.to_owned() }
    }
}

/// Versions above these name topics by id alone; this crate speaks names everywhere.
fn cap(key: i16) -> i16 {
    match ApiKey::try_from(key) {
        Ok(ApiKey::Produce | ApiKey::Fetch) => 12,
        Ok(ApiKey::OffsetCommit | ApiKey::OffsetFetch) => 9,
        _ => i16::MAX,
    }
}

fn api_name(key: i16) -> String {
    ApiKey::try_from(key).map_or_else(|()| format!("API {key}"), |api| format!("{api:?}"))
}

#[derive(Default)]
struct Waiting {
    answers: VecDeque<(i32, Answer)>,
    closed: bool,
}

/// Requests that wait when the connection ends learn why.
fn close(waiting: &Mutex<Waiting>, peer: &str, reason: &str) {
    let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
    waiting.closed = true;
    for (_, answer) in waiting.answers.drain(..) {
        // The caller may have stopped waiting; that is its right.
        let _ = answer.send(Err(ClientError::Closed { peer: peer.to_owned(), reason: reason.to_owned() }));
    }
}

async fn write_all(
    mut writer: OwnedWriteHalf,
    mut requests: mpsc::UnboundedReceiver<(Bytes, Option<(i32, Answer)>)>,
    waiting: Arc<Mutex<Waiting>>,
    peer: String,
) {
    while let Some((frame, answer)) = requests.recv().await {
        {
            let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.closed {
                break;
            }
            waiting.answers.extend(answer);
        }
        if let Err(error) = writer.write_all(&frame).await {
            close(&waiting, &peer, &error.to_string());
            break;
        }
    }
}

async fn read_all(mut reader: OwnedReadHalf, waiting: Arc<Mutex<Waiting>>, peer: String) {
    loop {
        let frame = match read_frame(&mut reader).await {
            Ok(frame) => frame,
            Err(reason) => return close(&waiting, &peer, &reason),
        };
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).answers.pop_front();
        match next {
            Some((correlation, answer)) if frame[..4] == correlation.to_be_bytes() => {
                let _ = answer.send(Ok(frame));
            }
            _ => return close(&waiting, &peer, "an answer that belongs to no request"),
        }
    }
}

async fn read_frame(reader: &mut OwnedReadHalf) -> std::result::Result<Bytes, String> {
    let length = reader.read_i32().await.map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "the broker closed it".to_owned(),
        _ => error.to_string(),
    })?;
    let length = usize::try_from(length).ok().filter(|length| (4..=FRAME_BYTES_MAX).contains(length));
    let length = length.ok_or("a frame of impossible length")?;
    let mut frame = BytesMut::new();
    while frame.remaining() < length {
        let step = (length - frame.remaining()).min(READ_STEP);
        frame.reserve(step);
        let mut limited = (&mut *reader).take(step as u64);
        if limited.read_buf(&mut frame).await.map_err(|error| error.to_string())? == 0 {
            return Err("the broker closed it within an answer".into());
        }
    }
    Ok(frame.freeze())
}
