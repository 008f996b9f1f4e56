//! ksqlDB's REST as plain as a test needs it: one short connection per request, streams over HTTP/2, web sockets.
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

/// Where a broker's views are asked.
pub struct Rest {
    address: String,
}

impl Rest {
    pub fn new(address: String) -> Rest {
        Rest { address }
    }

    /// Runs statements; streams begin at their start.
    #[track_caller]
    pub fn run(&self, statements: &str) -> Value {
        let body = json!({ "ksql": statements, "streamsProperties": { "ksql.streams.auto.offset.reset": "earliest" } });
        let answer = self.post("/ksql", &body).unwrap_or_else(|error| panic!("{statements}: {error}"));
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{statements}: {error} in {answer}"))
    }

    /// Rows of a pull query, or why there are none now.
    pub fn pull(&self, query: &str) -> Result<Vec<Vec<Value>>, String> {
        let answer = self.post("/query-stream", &json!({ "sql": query, "properties": {} }))?;
        let lines = answer.lines().skip(1).filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_str(line).map_err(|error| format!("{error} in {line}"))).collect()
    }

    /// The body of an answer, or that of a refusal.
    pub fn post(&self, path: &str, body: &Value) -> Result<String, String> {
        match exchange(&self.address, path, body.to_string().as_bytes())? {
            (200, body) => Ok(body),
            (_, body) => Err(body),
        }
    }

    /// What the server says of itself at a path.
    pub fn get(&self, path: &str) -> Result<Value, String> {
        match request("GET", &self.address, path, b"")? {
            (200, body) => serde_json::from_str(&body).map_err(|error| format!("{error} in {body}")),
            (_, body) => Err(body),
        }
    }
}

/// Status and body of a POST of any bytes.
pub fn exchange(address: &str, path: &str, body: &[u8]) -> Result<(u16, String), String> {
    request("POST", address, path, body)
}

fn request(method: &str, address: &str, path: &str, body: &[u8]) -> Result<(u16, String), String> {
    let limit = Some(Duration::from_secs(60));
    let mut socket = TcpStream::connect(address).map_err(|error| error.to_string())?;
    socket.set_read_timeout(limit).and_then(|()| socket.set_write_timeout(limit)).map_err(|error| error.to_string())?;
    // HTTP/1.0: the answer is not chunked and ends with the connection.
    let head = format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    let mut answer = Vec::new();
    socket.write_all(head.as_bytes()).map_err(|error| error.to_string())?;
    // A server may refuse before it has read everything.
    let _ = socket.write_all(body);
    if let Err(error) = socket.read_to_end(&mut answer)
        && answer.is_empty()
    {
        return Err(error.to_string());
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| format!("no HTTP answer: {answer:?}"))?;
    let status = head.split(' ').nth(1).and_then(|text| text.parse().ok());
    Ok((status.ok_or_else(|| format!("no status: {head}"))?, body.to_owned()))
}

/// A POST over HTTP/2 whose body and answer flow at the same time.
pub struct Http2 {
    runtime: tokio::runtime::Runtime,
    body: h2::SendStream<bytes::Bytes>,
    answer: Answer,
    buffer: Vec<u8>,
}

enum Answer {
    Expected(h2::client::ResponseFuture),
    Begun(h2::RecvStream),
}

const WITHIN: Duration = Duration::from_secs(60);

impl Http2 {
    #[track_caller]
    pub fn post(address: &str, path: &str, accept: Option<&str>) -> Http2 {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime starts");
        let (expected, body) = runtime.block_on(async {
            let socket = tokio::net::TcpStream::connect(address).await.expect("the server listens");
            let (client, connection) = h2::client::handshake(socket).await.expect("it speaks HTTP/2");
            tokio::spawn(connection);
            let mut request = http::Request::post(format!("http://{address}{path}"));
            if let Some(accept) = accept {
                request = request.header("Accept", accept);
            }
            let request = request.body(()).expect("a request");
            client.ready().await.expect("a stream is free").send_request(request, false).expect("the request is sent")
        });
        Http2 { runtime, body, answer: Answer::Expected(expected), buffer: Vec::new() }
    }

    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        // The server may have ended it already; what it said then is in the answer.
        let _ = self.body.send_data(bytes::Bytes::copy_from_slice(bytes), false);
    }

    pub fn end(&mut self) {
        let _ = self.body.send_data(bytes::Bytes::new(), true);
    }

    /// The next line of the answer, without its end.
    #[track_caller]
    pub fn line(&mut self) -> String {
        loop {
            if let Some(at) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.drain(..=at).collect::<Vec<u8>>();
                return String::from_utf8_lossy(&line[..at]).into_owned();
            }
            if !self.more() {
                return String::from_utf8_lossy(&std::mem::take(&mut self.buffer)).into_owned();
            }
        }
    }

    /// Everything until the end.
    #[track_caller]
    pub fn rest(&mut self) -> String {
        while self.more() {}
        String::from_utf8_lossy(&std::mem::take(&mut self.buffer)).into_owned()
    }

    /// Whether the answer ends without another byte.
    #[track_caller]
    pub fn ended(&mut self) -> bool {
        self.buffer.is_empty() && !self.more()
    }

    #[track_caller]
    fn more(&mut self) -> bool {
        let (answer, buffer) = (&mut self.answer, &mut self.buffer);
        self.runtime.block_on(async {
            let next = async {
                if let Answer::Expected(expected) = answer {
                    *answer = Answer::Begun(expected.await.expect("an answer").into_body());
                }
                let Answer::Begun(body) = answer else { return false };
                loop {
                    match body.data().await {
                        Some(Ok(piece)) if piece.is_empty() => {}
                        Some(Ok(piece)) => {
                            let _ = body.flow_control().release_capacity(piece.len());
                            buffer.extend_from_slice(&piece);
                            return true;
                        }
                        // A server that refuses while it is still being told resets the rest.
                        Some(Err(_)) | None => return false,
                    }
                }
            };
            tokio::time::timeout(WITHIN, next).await.expect("an answer in time")
        })
    }
}

/// A web socket of /ws/query.
pub struct WebSocket {
    socket: TcpStream,
}

impl WebSocket {
    #[track_caller]
    pub fn open(address: &str, request: &str) -> WebSocket {
        let mut socket = TcpStream::connect(address).expect("the server listens");
        socket.set_read_timeout(Some(WITHIN)).expect("a timeout can be set");
        let request: String = request.bytes().map(|byte| format!("%{byte:02X}")).collect();
        write!(
            socket,
            "GET /ws/query?request={request}&version=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        .expect("the request is sent");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte).expect("an answer");
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        WebSocket { socket }
    }

    /// The next text, or code and reason of the close.
    #[track_caller]
    pub fn text(&mut self) -> Result<String, (u16, String)> {
        let mut take = |count: usize| {
            let mut bytes = vec![0; count];
            self.socket.read_exact(&mut bytes).expect("a frame");
            bytes
        };
        let head = take(2);
        let length = match head[1] {
            126 => usize::from(u16::from_be_bytes(take(2).try_into().expect("two bytes"))),
            127 => u64::from_be_bytes(take(8).try_into().expect("eight bytes")) as usize,
            short => usize::from(short),
        };
        let payload = take(length);
        match head[0] {
            0x81 => Ok(String::from_utf8(payload).expect("text")),
            0x88 => Err((u16::from_be_bytes([payload[0], payload[1]]), String::from_utf8_lossy(&payload[2..]).into_owned())),
            other => panic!("a frame of kind {other:x}"),
        }
    }
}
