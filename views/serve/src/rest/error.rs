//! Errors with ksqlDB's bodies and codes: `error_code` is the HTTP status times 100, plus a number of its own.
use axum::http::{HeaderMap, StatusCode};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use millrace_sql::error::ErrorKind;
use serde_json::{Value as Json, json};

use crate::Failed;
use crate::host::Stopped;
use crate::rest::accept::{ENTITIES, KSQL_JSON, choose};

pub const BAD_REQUEST: u32 = 40000;
pub const BAD_STATEMENT: u32 = 40001;
pub const QUERY_ENDPOINT: u32 = 40002;
pub const MAX_PUSH_QUERIES: u32 = 40003;
pub const HTTP2_ONLY: u32 = 40004;
pub const NOT_FOUND: u32 = 40400;
pub const WRONG_METHOD: u32 = 40500;
pub const NOT_ACCEPTABLE: u32 = 40600;
pub const REQUEST_TIMEOUT: u32 = 40800;
pub const TOO_LARGE: u32 = 41300;
pub const ASSERTION_FAILED: u32 = 41700;
pub const TOO_MANY: u32 = 42900;
pub const SERVER_ERROR: u32 = 50000;
pub const COMMAND_TIMEOUT: u32 = 50301;

pub struct RestError {
    code: u32,
    body: Json,
}

/// A refusal repeats the statement, in its message too: of a long one its beginning will do.
const TEXT_CHARS_MAX: usize = 16_384;

fn bounded(text: &str) -> String {
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{}.. ({} bytes in all)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

impl RestError {
    pub fn generic(code: u32, message: impl Into<String>) -> RestError {
        RestError { code, body: json!({ "@type": "generic_error", "error_code": code, "message": bounded(&message.into()) }) }
    }

    pub fn statement(code: u32, message: &str, statement: &str, entities: Vec<Json>) -> RestError {
        let body = json!({
            "@type": "statement_error", "error_code": code, "message": bounded(message), "statementText": bounded(statement), "entities": entities,
        });
        RestError { code, body }
    }

    pub fn malformed(error: &serde_json::Error) -> RestError {
        RestError::generic(BAD_REQUEST, format!("Malformed JSON in request: {error}"))
    }

    pub fn stopped(stopped: &Stopped, entities: Vec<Json>) -> RestError {
        let (code, message) = coded(&stopped.failed);
        if code == SERVER_ERROR {
            return RestError::generic(code, message);
        }
        RestError::statement(code, &message, &stopped.statement, entities)
    }

    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    /// For the middle of a stream of rows.
    pub fn body(&self) -> &Json {
        &self.body
    }
}

impl From<Failed> for RestError {
    fn from(failed: Failed) -> RestError {
        let (code, message) = coded(&failed);
        match failed {
            Failed::Statement(error) => {
                let statement = error.statement.clone().unwrap_or_default();
                RestError::statement(code, &message, &statement, Vec::new())
            }
            _ => RestError::generic(code, message),
        }
    }
}

fn coded(failed: &Failed) -> (u32, String) {
    match failed {
        Failed::Statement(error) => match error.kind {
            ErrorKind::Syntax | ErrorKind::Statement | ErrorKind::Definition | ErrorKind::Limit | ErrorKind::Unsupported => {
                (BAD_STATEMENT, failed.to_string())
            }
        },
        Failed::NotFound(message) => (NOT_FOUND, message.clone()),
        Failed::Assertion(message) => (ASSERTION_FAILED, message.clone()),
        Failed::Busy(message) => (MAX_PUSH_QUERIES, message.clone()),
        Failed::Gone(message) | Failed::NotAnInput(message) => (BAD_REQUEST, message.clone()),
        Failed::Trouble(message) => (SERVER_ERROR, message.clone()),
    }
}

impl IntoResponse for RestError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16((self.code / 100) as u16).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, [(CONTENT_TYPE, KSQL_JSON)], self.body.to_string()).into_response()
    }
}

/// A body of the content type that the client asked for.
pub fn answer(headers: &HeaderMap, body: impl FnOnce() -> Json) -> Response {
    match choose(headers, ENTITIES) {
        Ok(kind) => ([(CONTENT_TYPE, kind)], body().to_string()).into_response(),
        Err(error) => error.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_repeats_the_beginning_of_a_long_statement_only() {
        let long = "ü".repeat(1_000_000);
        let refused = RestError::statement(BAD_STATEMENT, &format!("no such thing\nStatement: {long}"), &long, Vec::new());
        assert!(refused.body.to_string().len() < 8 * TEXT_CHARS_MAX);
        assert!(refused.message().starts_with("no such thing\nStatement: ü"));
        assert!(refused.body["statementText"].as_str().unwrap().ends_with(".. (2000000 bytes in all)"));
        let short = RestError::statement(BAD_STATEMENT, "m", "SELECT 1;", Vec::new());
        assert_eq!(short.body["statementText"], "SELECT 1;");
    }
}
