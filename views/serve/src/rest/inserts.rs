//! POST /inserts-stream: a line that names the stream, then a row a line; each is acknowledged once it is committed.
//!
//! Invariant: acknowledgements come in the order of the rows, and none before its row is durable. After an error nothing more is
//! taken: what follows it in the request is not inserted.
use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Version};
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, FuturesOrdered};
use futures_util::{FutureExt, StreamExt};
use millrace_sql::name::Name;
use millrace_sql::plan::DataSource;
use millrace_sql::schema::Role;
use millrace_sql::value::Value;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use crate::rest::accept::{DELIMITED, JSON, choose};
use crate::rest::body::BODY_BYTES_MAX;
use crate::rest::error::{BAD_REQUEST, BAD_STATEMENT, HTTP2_ONLY, RestError, SERVER_ERROR};
use crate::rest::{Api, from_json};
use crate::Views;

/// Rows on their way to the log before the next one is read.
const IN_FLIGHT_MAX: usize = 256;

#[derive(Deserialize)]
struct Target {
    target: String,
}

pub async fn inserts_stream(State(api): State<Api>, version: Version, headers: HeaderMap, body: Body) -> Response {
    let begun = async {
        let kind = choose(&headers, &[DELIMITED, JSON])?;
        if version != Version::HTTP_2 {
            return Err(RestError::generic(HTTP2_ONLY, "This endpoint is only available when using HTTP2"));
        }
        let mut lines = Lines::new(body);
        let head = lines.next().await.transpose()?.ok_or_else(|| RestError::generic(BAD_REQUEST, "the first line must name the target"))?;
        let target: Target = serde_json::from_slice(&head).map_err(|error| RestError::malformed(&error))?;
        let source = source(&api.views, &target.target)?;
        Ok((kind, Inserts::new(api.views.clone(), source, lines, kind == JSON)))
    };
    match begun.await {
        Ok((kind, inserts)) => ([(CONTENT_TYPE, kind)], Body::from_stream(inserts.into_stream())).into_response(),
        Err(error) => error.into_response(),
    }
}

fn source(views: &Views, target: &str) -> Result<Arc<DataSource>, RestError> {
    let refused = |message: String| RestError::generic(BAD_STATEMENT, message);
    let catalog = views.catalog();
    let name = match target.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) {
        Some(quoted) => Name::new(quoted),
        None => Name::new(target.to_uppercase()),
    };
    let source = catalog.source(&name).ok_or_else(|| refused(format!("Cannot insert values into an unknown stream: {}", name.quoted())))?;
    if source.is_table() {
        return Err(refused("Cannot insert into a table".into()));
    }
    if source.read_only {
        return Err(refused(format!("Cannot insert into read-only stream: {name}")));
    }
    if source.window.is_some() {
        return Err(refused("Cannot insert into windowed stream".into()));
    }
    if source.schema.headers().next().is_some() {
        return Err(refused(format!("Cannot insert into {name} because it has header columns")));
    }
    Ok(source.clone())
}

/// The lines of a body as they arrive, each bounded.
struct Lines {
    body: BoxStream<'static, Result<bytes::Bytes, axum::Error>>,
    buffer: BytesMut,
    ended: bool,
}

impl Lines {
    fn new(body: Body) -> Lines {
        Lines { body: body.into_data_stream().boxed(), buffer: BytesMut::new(), ended: false }
    }

    /// The next line that is not blank. A last line needs no end.
    async fn next(&mut self) -> Option<Result<BytesMut, RestError>> {
        let mut searched = 0;
        loop {
            match self.buffer[searched..].iter().position(|byte| *byte == b'\n') {
                Some(at) => {
                    let line = self.buffer.split_to(searched + at + 1);
                    searched = 0;
                    if !line.trim_ascii().is_empty() {
                        return Some(Ok(line));
                    }
                    continue;
                }
                None => searched = self.buffer.len(),
            }
            if self.buffer.len() > BODY_BYTES_MAX {
                return Some(Err(RestError::generic(BAD_REQUEST, format!("a line is longer than {BODY_BYTES_MAX} bytes"))));
            }
            if self.ended {
                let last = std::mem::take(&mut self.buffer);
                return (!last.trim_ascii().is_empty()).then_some(Ok(last));
            }
            match self.body.next().await {
                None => self.ended = true,
                Some(Ok(piece)) => self.buffer.extend_from_slice(&piece),
                Some(Err(error)) => return Some(Err(RestError::generic(BAD_REQUEST, format!("the stream of rows broke off: {error}")))),
            }
        }
    }
}

struct Inserts {
    views: Arc<Views>,
    source: Arc<DataSource>,
    lines: Option<Lines>,
    /// In the order of the rows.
    under_way: FuturesOrdered<BoxFuture<'static, Result<(), RestError>>>,
    acknowledged: u64,
    array: bool,
    ready: VecDeque<String>,
    done: bool,
}

impl Inserts {
    fn new(views: Arc<Views>, source: Arc<DataSource>, lines: Lines, array: bool) -> Inserts {
        let ready = if array { VecDeque::from(["[".to_string()]) } else { VecDeque::new() };
        Inserts { views, source, lines: Some(lines), under_way: FuturesOrdered::new(), acknowledged: 0, array, ready, done: false }
    }

    fn into_stream(self) -> impl futures_util::Stream<Item = Result<String, std::convert::Infallible>> {
        stream::unfold(self, |mut inserts| async move { inserts.next().await.map(|text| (Ok(text), inserts)) })
    }

    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(text) = self.ready.pop_front() {
                return Some(text);
            }
            if self.done {
                return None;
            }
            self.more().await;
        }
    }

    async fn more(&mut self) {
        match &mut self.lines {
            Some(lines) if self.under_way.len() < IN_FLIGHT_MAX => {
                futures_util::select_biased! {
                    line = lines.next().fuse() => self.take(line),
                    acknowledged = self.under_way.select_next_some() => self.acknowledge(acknowledged),
                }
            }
            _ => match self.under_way.next().await {
                Some(acknowledged) => self.acknowledge(acknowledged),
                None => self.finish(),
            },
        }
    }

    fn take(&mut self, line: Option<Result<BytesMut, RestError>>) {
        let row = match line {
            None => return self.lines = None,
            Some(line) => line.and_then(|line| row(&self.source, &line)),
        };
        // The row takes its place in the log now; only its acknowledgement is waited for.
        let begun = row.and_then(|(key, value)| self.views.insert_row(&self.source, &key, &value).map_err(RestError::from));
        match begun {
            Ok(appended) => self.under_way.push_back(Box::pin(async move {
                appended.await.map(drop).map_err(|error| RestError::generic(SERVER_ERROR, format!("Failed to insert values: {error}")))
            })),
            // Its turn to be told comes after those before it.
            Err(error) => {
                self.lines = None;
                self.under_way.push_back(Box::pin(async move { Err(error) }));
            }
        }
    }

    fn acknowledge(&mut self, outcome: Result<(), RestError>) {
        let seq = self.acknowledged;
        self.acknowledged += 1;
        match outcome {
            Ok(()) => self.say(&json!({ "status": "ok", "seq": seq })),
            Err(error) => {
                let (code, message) = (&error.body()["error_code"], &error.body()["message"]);
                self.say(&json!({ "@type": "insert_error", "error_code": code, "message": message, "status": "error", "seq": seq }));
                self.lines = None;
                self.finish();
            }
        }
    }

    fn say(&mut self, answer: &Json) {
        let text = match (self.array, self.acknowledged) {
            (false, _) => format!("{answer}\n"),
            (true, 1) => answer.to_string(),
            (true, _) => format!(",\n{answer}"),
        };
        self.ready.push_back(text);
    }

    fn finish(&mut self) {
        if self.array {
            self.ready.push_back("]\n".into());
        }
        self.done = true;
    }
}

/// Key and value of a row; fields that the stream does not have are not looked at.
fn row(source: &DataSource, line: &[u8]) -> Result<(Vec<Value>, Vec<Value>), RestError> {
    let object: Map<String, Json> = serde_json::from_slice(line).map_err(|error| RestError::malformed(&error))?;
    let (mut key, mut value) = (Vec::new(), Vec::new());
    for column in source.schema.columns() {
        let given = from_json::field(&object, column.name.as_str()).unwrap_or(&Json::Null);
        if column.role == Role::Key && given.is_null() {
            return Err(RestError::generic(BAD_STATEMENT, format!("Key field must be specified: {}", column.name)));
        }
        let converted = from_json::value(given, &column.sql_type).ok_or_else(|| {
            RestError::generic(BAD_STATEMENT, format!("Can't coerce a field of type {} ({given}) into type {}", kind(given), column.sql_type))
        })?;
        match column.role {
            Role::Key => key.push(converted),
            _ => value.push(converted),
        }
    }
    Ok((key, value))
}

fn kind(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}
