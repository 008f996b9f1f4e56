//! ksqlDB's REST over one short connection per request, as plain as a test needs it.
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
        let body = body.to_string();
        let limit = Some(Duration::from_secs(60));
        let mut socket = TcpStream::connect(&self.address).map_err(|error| error.to_string())?;
        socket.set_read_timeout(limit).and_then(|()| socket.set_write_timeout(limit)).map_err(|error| error.to_string())?;
        // HTTP/1.0: the answer is not chunked and ends with the connection.
        let head = format!("POST {path} HTTP/1.0\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", self.address, body.len());
        let mut answer = Vec::new();
        socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(body.as_bytes())).map_err(|error| error.to_string())?;
        socket.read_to_end(&mut answer).map_err(|error| error.to_string())?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| format!("no HTTP answer: {answer:?}"))?;
        match head.split(' ').nth(1) {
            Some("200") => Ok(body.to_owned()),
            _ => Err(body.to_owned()),
        }
    }
}
