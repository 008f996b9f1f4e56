//! POST /ksql: statements in, one entity per statement out.
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::Value as Json;

use crate::Views;
use crate::host::{Executed, is_query};
use crate::rest::error::{BAD_REQUEST, BAD_STATEMENT, QUERY_ENDPOINT, RestError, answer};
use crate::rest::info::accept;
use crate::rest::{KsqlRequest, ask, entity};

pub async fn ksql(State(views): State<Arc<Views>>, headers: HeaderMap, body: Bytes) -> Response {
    match run(&views, &body).await {
        Ok(entities) => answer(accept(&headers), &Json::Array(entities)),
        Err(error) => error.into_response(),
    }
}

/// The request in a body.
pub fn request(body: &[u8]) -> Result<(KsqlRequest, String), RestError> {
    let request: KsqlRequest = serde_json::from_slice(body)
        .map_err(|error| RestError::generic(BAD_REQUEST, format!("Malformed JSON: {error}")))?;
    match &request.ksql {
        Some(text) => {
            let text = text.clone();
            Ok((request, text))
        }
        None => Err(RestError::generic(BAD_REQUEST, "Missing required creator property 'ksql'")),
    }
}

async fn run(views: &Arc<Views>, body: &[u8]) -> Result<Vec<Json>, RestError> {
    let (request, text) = request(body)?;
    refuse_queries(views, &text, &request)?;
    let executed = match views.execute(&text, &request.properties(), &request.variables()).await {
        Ok(executed) => executed,
        Err(stopped) => {
            let done = entities(views, &stopped.done).unwrap_or_default();
            return Err(RestError::stopped(&stopped, done));
        }
    };
    entities(views, &executed)
}

/// SELECT and PRINT belong to /query; a text that does not parse is left to `execute`, which says so better.
fn refuse_queries(views: &Views, text: &str, request: &KsqlRequest) -> Result<(), RestError> {
    let Ok(statements) = views.parse_with(text, &request.variables()) else { return Ok(()) };
    if statements.is_empty() {
        return Err(RestError::statement(BAD_STATEMENT, "The statement is empty", text, Vec::new()));
    }
    match statements.iter().find(|located| is_query(&located.statement)) {
        None => Ok(()),
        Some(located) => {
            let message = "The following statement types should be issued to the websocket endpoint '/query':\n\t* PRINT\n\t* SELECT";
            Err(RestError::statement(QUERY_ENDPOINT, message, &located.text, Vec::new()))
        }
    }
}

fn entities(views: &Arc<Views>, executed: &[Executed]) -> Result<Vec<Json>, RestError> {
    let mut entities = Vec::new();
    for one in executed {
        if let Some(entity) = entity::of(views, one, ask::answer)? {
            entities.push(entity);
        }
    }
    Ok(entities)
}
