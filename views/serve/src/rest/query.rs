//! POST /query, /query-stream, /close-query: rows as they come.
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use millrace_engine::{Change, Window};
use millrace_engine::state::Cut;
use millrace_sql::ast::Statement;
use millrace_sql::schema::{Column, Role, Schema, WINDOWEND, WINDOWSTART};
use millrace_sql::types::SqlType;
use millrace_sql::value::Value;
use serde::Deserialize;
use serde_json::json;

use crate::host::Selected;
use crate::rest::error::{BAD_REQUEST, BAD_STATEMENT, KSQL_JSON, RestError, SERVER_ERROR};
use crate::rest::info::accept;
use crate::rest::json::{columns_of, row_text};
use crate::rest::ksql::request;
use crate::{Ended, Failed, Subscription, Views};

const DELIMITED: &str = "application/vnd.ksqlapi.delimited.v1";

/// How rows are put on the wire.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// `[{"header":..},\n{"row":{"columns":[..]}},\n..]`
    Rows,
    /// A line of metadata, then an array a line.
    Delimited,
    /// `[{metadata},[..],[..]]`
    Array,
}

pub async fn query(State(views): State<Arc<Views>>, headers: HeaderMap, body: Bytes) -> Response {
    let shape = match accept(&headers) {
        Some(accept) if accept.contains(DELIMITED) => Shape::Delimited,
        _ => Shape::Rows,
    };
    run(&views, &body, shape).await.unwrap_or_else(IntoResponse::into_response)
}

pub async fn query_stream(State(views): State<Arc<Views>>, headers: HeaderMap, body: Bytes) -> Response {
    let shape = match accept(&headers) {
        Some(accept) if accept.contains("vnd.ksql.v1+json") => Shape::Rows,
        Some(accept) if accept.contains("application/json") => Shape::Array,
        _ => Shape::Delimited,
    };
    run(&views, &body, shape).await.unwrap_or_else(IntoResponse::into_response)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CloseRequest {
    query_id: String,
}

pub async fn close_query(State(views): State<Arc<Views>>, body: Bytes) -> Response {
    match serde_json::from_slice::<CloseRequest>(&body) {
        Ok(request) if views.close(&request.query_id) => StatusCode::OK.into_response(),
        Ok(request) => RestError::generic(BAD_REQUEST, format!("No query with id {}", request.query_id)).into_response(),
        Err(error) => RestError::generic(BAD_REQUEST, format!("Malformed JSON: {error}")).into_response(),
    }
}

async fn run(views: &Arc<Views>, body: &[u8], shape: Shape) -> Result<Response, RestError> {
    let (request, text) = request(body)?;
    let variables = request.variables();
    let selected = views.select_patiently(&text, &request.properties(), &variables, None, &Cut::default()).await;
    let selected = selected.map_err(|failed| refused(views, failed, &text, &variables))?;
    Ok(match selected {
        Selected::Rows(answer) => {
            let id = format!("query_{}", views.outside().world().wall_ms());
            let mut writer = Writer { shape, schema: answer.schema, marks_keys: true };
            let mut text = writer.head(&id);
            for row in &answer.rows {
                text.push_str(&writer.row(row));
            }
            text.push_str(&writer.tail(None));
            response(shape, Body::from(text))
        }
        Selected::Finite(subscription) => streamed(subscription, shape, true, "Query Completed"),
        Selected::Endless(subscription) => streamed(subscription, shape, false, "Limit Reached"),
    })
}

/// What a SELECT that cannot run is answered with. A push query's fault is told without its statement, any other's with it.
fn refused(views: &Views, failed: Failed, text: &str, variables: &BTreeMap<String, String>) -> RestError {
    if !matches!(failed, Failed::Statement(_)) {
        return failed.into();
    }
    let statements = views.parse_with(text, variables).unwrap_or_default();
    match statements.first().map(|located| &located.statement) {
        Some(Statement::Query(query)) if query.emit.is_some() => RestError::generic(BAD_STATEMENT, failed.to_string()),
        _ => RestError::statement(BAD_STATEMENT, &failed.to_string(), text, Vec::new()),
    }
}

fn response(shape: Shape, body: Body) -> Response {
    let kind = match shape {
        Shape::Rows => KSQL_JSON,
        Shape::Delimited => DELIMITED,
        Shape::Array => "application/json",
    };
    ([(CONTENT_TYPE, kind)], body).into_response()
}

/// Writes one answer.
struct Writer {
    shape: Shape,
    schema: Schema,
    /// Whether the header tells key columns apart: only those of push queries do not.
    marks_keys: bool,
}

impl Writer {
    fn head(&self, id: &str) -> String {
        let (names, types) = columns_of(&self.schema);
        match self.shape {
            Shape::Rows => {
                let column = |column: &Column| format!("{} {}", column.name.quoted(), column.sql_type);
                let schema = match self.marks_keys {
                    true => self.schema.to_string(),
                    false => self.schema.columns().iter().map(column).collect::<Vec<_>>().join(", "),
                };
                let header = json!({ "header": { "queryId": id, "schema": schema } });
                format!("[{header}")
            }
            Shape::Delimited => format!("{}\n", json!({ "queryId": id, "columnNames": names, "columnTypes": types })),
            Shape::Array => format!("[{}", json!({ "queryId": id, "columnNames": names, "columnTypes": types })),
        }
    }

    fn row(&mut self, values: &[Value]) -> String {
        let columns = row_text(values.iter().zip(self.types()));
        match self.shape {
            Shape::Rows => format!(",\n{{\"row\":{{\"columns\":{columns}}}}}"),
            Shape::Delimited => format!("{columns}\n"),
            Shape::Array => format!(",\n{columns}"),
        }
    }

    /// A table's row that is gone: only its key and window are known. Only one shape can say so.
    fn tombstone(&mut self, key: &[Value], window: Option<Window>) -> String {
        if self.shape != Shape::Rows {
            return String::new();
        }
        let mut keys = key.iter();
        let bound = |at: Option<i64>| at.map_or(Value::Null, Value::BigInt);
        let (start, end) = (bound(window.map(|window| window.start)), bound(window.map(|window| window.end)));
        let columns = self.schema.columns().iter().map(|column| {
            let value = match &column.role {
                _ if column.name == WINDOWSTART => &start,
                _ if column.name == WINDOWEND => &end,
                Role::Key => keys.next().unwrap_or(&Value::Null),
                _ => &Value::Null,
            };
            (value, &column.sql_type)
        });
        format!(",\n{{\"row\":{{\"columns\":{},\"tombstone\":true}}}}", row_text(columns))
    }

    fn failed(&self, message: &str) -> String {
        let error = RestError::generic(SERVER_ERROR, message);
        match self.shape {
            Shape::Rows => format!(",\n{}", json!({ "errorMessage": error.body() })),
            Shape::Delimited => format!("{}\n", error.body()),
            Shape::Array => format!(",\n{}", error.body()),
        }
    }

    fn tail(&self, last: Option<&str>) -> String {
        match (self.shape, last) {
            (Shape::Rows, Some(message)) => format!(",\n{}]\n", json!({ "finalMessage": message })),
            (Shape::Rows, None) => "]\n".into(),
            (Shape::Delimited, _) => String::new(),
            (Shape::Array, _) => "]\n".into(),
        }
    }

    fn types(&self) -> impl Iterator<Item = &SqlType> {
        self.schema.columns().iter().map(|column| &column.sql_type)
    }
}

struct Rows {
    writer: Writer,
    subscription: Subscription,
    left: Option<i64>,
    last: &'static str,
    ready: VecDeque<String>,
    done: bool,
}

/// Rows as they come, until the query ends, the limit is reached, or the client goes away (which drops the subscription).
fn streamed(subscription: Subscription, shape: Shape, marks_keys: bool, last: &'static str) -> Response {
    let writer = Writer { shape, schema: subscription.schema.clone(), marks_keys };
    let head = writer.head(&subscription.id);
    let left = subscription.limit;
    let rows = Rows { writer, subscription, left, last, ready: VecDeque::from([head]), done: false };
    let body = stream::unfold(rows, |mut rows| async move {
        loop {
            if let Some(text) = rows.ready.pop_front() {
                return Some((Ok::<_, std::convert::Infallible>(text), rows));
            }
            if rows.done {
                return None;
            }
            rows.more().await;
        }
    });
    response(shape, Body::from_stream(body))
}

impl Rows {
    async fn more(&mut self) {
        if self.left == Some(0) {
            return self.finish("Limit Reached");
        }
        match self.subscription.next().await {
            None => self.finish(self.last),
            Some(Err(Ended::Stopped)) => self.finish(self.last),
            Some(Err(why)) => {
                self.ready.push_back(self.writer.failed(&why.to_string()));
                self.ready.push_back(self.writer.tail(None));
                self.done = true;
            }
            Some(Ok(batch)) => {
                let mut text = String::new();
                // A record of a stream without a value is no row, and the limit does not count it.
                let table = self.subscription.table;
                for change in batch.changes.iter().filter(|change| table || change.new.is_some()) {
                    if self.left == Some(0) {
                        break;
                    }
                    text.push_str(&self.change(change));
                    self.left = self.left.map(|left| left - 1);
                }
                if !text.is_empty() {
                    self.ready.push_back(text);
                }
                if self.left == Some(0) {
                    self.finish("Limit Reached");
                }
            }
        }
    }

    fn change(&mut self, change: &Change) -> String {
        match (&change.new, &change.key) {
            (Some(row), _) => self.writer.row(row),
            (None, Some(key)) if self.subscription.table => self.writer.tombstone(key, change.window),
            (None, _) => String::new(),
        }
    }

    fn finish(&mut self, message: &str) {
        self.ready.push_back(self.writer.tail(Some(message)));
        self.done = true;
    }
}
