//! As much of an HTTP/1.1 client as the cases need: one POST per connection, and bodies that may come in pieces over time.
//!
//! Absences: no TLS, no redirects, no reuse of connections. A body that does not end is read until the deadline.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

/// One request on its way.
pub struct Exchange {
    stream: TcpStream,
    raw: Vec<u8>,
    ended: bool,
}

/// What came of it so far.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

pub const BODY_KIND: &str = "application/vnd.ksql.v1+json";
pub const PROTOBUF_KIND: &str = "application/vnd.ksql.v1+protobuf";

impl Exchange {
    pub fn post(server: &str, path: &str, accept: &str, body: &Json) -> Result<Exchange, String> {
        let mut stream = TcpStream::connect(server).map_err(|error| format!("{server}: {error}"))?;
        let body = body.to_string();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\nAccept: {accept}\r\nContent-Type: {BODY_KIND}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).map_err(|error| format!("{server}: {error}"))?;
        Ok(Exchange { stream, raw: Vec::new(), ended: false })
    }

    /// Waits until a part of the body is there: for a query, its header row.
    pub fn begun(&mut self, limit: Duration) -> Result<(), String> {
        self.read(limit, |raw| parsed(raw).is_ok_and(|answer| !answer.body.is_empty()))?;
        parsed(&self.raw).map(drop)
    }

    /// The whole answer, or what of it came within the limit.
    pub fn finish(mut self, limit: Duration) -> Result<Answer, String> {
        self.read(limit, |_| false)?;
        parsed(&self.raw)
    }

    fn read(&mut self, limit: Duration, enough: impl Fn(&[u8]) -> bool) -> Result<(), String> {
        let until = Instant::now() + limit;
        let mut piece = [0; 16 << 10];
        while !self.ended && !enough(&self.raw) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.stream.set_read_timeout(Some(left)).map_err(|error| error.to_string())?;
            match self.stream.read(&mut piece) {
                Ok(0) => self.ended = true,
                Ok(length) => self.raw.extend_from_slice(&piece[..length]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }
}

fn parsed(raw: &[u8]) -> Result<Answer, String> {
    let split = raw.windows(4).position(|four| four == b"\r\n\r\n").ok_or("no answer in time")?;
    let head = String::from_utf8_lossy(&raw[..split]).to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|text| text.parse().ok()).ok_or("an answer without a status")?;
    let rest = &raw[split + 4..];
    let chunked = head.lines().any(|line| line.starts_with("transfer-encoding:") && line.contains("chunked"));
    let body = if chunked { dechunked(rest) } else { rest.to_vec() };
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}

/// All whole chunks that are there.
fn dechunked(mut raw: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(line) = raw.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&raw[..line]).ok().and_then(|text| usize::from_str_radix(text.trim(), 16).ok());
        let Some(chunk) = size.and_then(|size| raw.get(line + 2..)?.get(..size)) else { break };
        if chunk.is_empty() {
            break;
        }
        body.extend_from_slice(chunk);
        raw = raw.get(line + 2 + chunk.len() + 2..).unwrap_or_default();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_in_pieces_is_put_together_as_far_as_it_came() {
        let whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[{}\r\nA\r\n,{\"a\":123}\r\n0\r\n\r\n";
        assert_eq!(parsed(whole).unwrap().body, "[{},{\"a\":123}");
        assert_eq!(parsed(&whole[..whole.len() - 8]).unwrap().body, "[{}");
        assert!(parsed(&whole[..20]).is_err());
    }

    #[test]
    fn a_body_of_known_length_is_taken_as_it_is() {
        let answer = parsed(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}").unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (400, "{}"));
    }
}
