//! POST /ksql: statements in, one entity per statement out.
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::Value as Json;

use crate::Views;
use crate::host::{Executed, is_query};
use crate::rest::body::read;
use crate::rest::error::{BAD_STATEMENT, QUERY_ENDPOINT, RestError, SERVER_ERROR, TOO_LARGE, answer};
use crate::rest::{Api, KsqlRequest, ask, entity};

pub async fn ksql(State(api): State<Api>, headers: HeaderMap, body: Body) -> Response {
    match run(&api.views, body).await {
        Ok(entities) => answer(&headers, || Json::Array(entities)),
        Err(error) => error.into_response(),
    }
}

async fn run(views: &Arc<Views>, body: Body) -> Result<Vec<Json>, RestError> {
    let request = KsqlRequest::parse(&read(views, body).await?)?;
    request.wait(views).await?;
    refuse_queries(views, &request)?;
    let executed = match views.execute(&request.ksql, &request.properties(), &request.variables()).await {
        Ok(executed) => executed,
        Err(stopped) => {
            let done = entities(views, &stopped.done).unwrap_or_default();
            return Err(RestError::stopped(&stopped, done));
        }
    };
    entities(views, &executed)
}

/// SELECT and PRINT belong to /query; a text that does not parse is left to `execute`, which says so better.
fn refuse_queries(views: &Views, request: &KsqlRequest) -> Result<(), RestError> {
    let text = &*request.ksql;
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
    let (most, mut bytes) = (views.answer_bytes_max(), Bytes(0));
    for one in executed {
        if let Some(entity) = entity::of(views, one, ask::answer)? {
            serde_json::to_writer(&mut bytes, &entity).map_err(|error| RestError::generic(SERVER_ERROR, error.to_string()))?;
            if bytes.0 > most {
                return Err(RestError::generic(
                    TOO_LARGE,
                    format!("The answer is longer than {most} bytes; the statements were carried out. The limit is the setting 'views.sql.answer.bytes.max'."),
                ));
            }
            entities.push(entity);
        }
    }
    Ok(entities)
}

/// Counts what is written.
struct Bytes(usize);

impl std::io::Write for Bytes {
    fn write(&mut self, written: &[u8]) -> std::io::Result<usize> {
        self.0 += written.len();
        Ok(written.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
