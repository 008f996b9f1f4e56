//! POST /query, /query-stream, /close-query.
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use millrace_engine::state::Cut;
use millrace_sql::ast::{Located, Statement};
use serde::Deserialize;

use crate::host::{PrintAsk, Selected};
use crate::rest::accept::{DELIMITED, JSON, KSQL_JSON, PROTOBUF, choose};
use crate::rest::body::read;
use crate::rest::error::{BAD_REQUEST, BAD_STATEMENT, NOT_ACCEPTABLE, RestError};
use crate::rest::print::Printed;
use crate::rest::stream::Rows;
use crate::rest::writer::{Shape, Writer};
use crate::rest::{Api, KsqlRequest};
use crate::Failed;

/// An answer's shape under the content type that the client asked for.
#[derive(Clone, Copy)]
struct Form {
    kind: &'static str,
    shape: Shape,
    /// PRINT's lines are neither JSON nor rows: /query has them always, /query-stream only for those who take lines.
    prints: bool,
}

pub async fn query(State(api): State<Api>, headers: HeaderMap, body: Body) -> Response {
    let form = choose(&headers, &[KSQL_JSON, JSON, DELIMITED, PROTOBUF]).map(|kind| {
        let shape = match kind {
            DELIMITED => Shape::Delimited,
            PROTOBUF => Shape::Protobuf,
            _ => Shape::Rows,
        };
        Form { kind, shape, prints: true }
    });
    answer(&api, form, body).await
}

pub async fn query_stream(State(api): State<Api>, headers: HeaderMap, body: Body) -> Response {
    let form = choose(&headers, &[DELIMITED, JSON, KSQL_JSON, PROTOBUF]).map(|kind| {
        let shape = match kind {
            JSON => Shape::Array,
            KSQL_JSON => Shape::Rows,
            PROTOBUF => Shape::Protobuf,
            _ => Shape::Delimited,
        };
        Form { kind, shape, prints: kind == DELIMITED }
    });
    answer(&api, form, body).await
}

async fn answer(api: &Api, form: Result<Form, RestError>, body: Body) -> Response {
    let answered = async {
        let form = form?;
        let request = KsqlRequest::parse(&read(&api.views, body).await?)?;
        run(api, &request, form).await
    };
    answered.await.unwrap_or_else(IntoResponse::into_response)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CloseRequest {
    query_id: String,
}

pub async fn close_query(State(api): State<Api>, body: Body) -> Response {
    let bytes = match read(&api.views, body).await {
        Ok(bytes) => bytes,
        Err(error) => return error.into_response(),
    };
    match serde_json::from_slice::<CloseRequest>(&bytes) {
        Ok(request) if api.views.close(&request.query_id) => StatusCode::OK.into_response(),
        Ok(request) => RestError::generic(BAD_REQUEST, format!("No query with id {}", request.query_id)).into_response(),
        Err(error) => RestError::malformed(&error).into_response(),
    }
}

/// What a text that is one SELECT or PRINT comes to.
pub enum Answering {
    /// One text, or one for each frame.
    Whole(std::vec::IntoIter<String>),
    Rows(Rows),
    Printed(Printed),
}

async fn run(api: &Api, request: &KsqlRequest, form: Form) -> Result<Response, RestError> {
    let body = match begin(api, request, form.shape).await? {
        Answering::Printed(_) if !form.prints => {
            return Err(RestError::generic(NOT_ACCEPTABLE, format!("PRINT is answered with {DELIMITED} only")));
        }
        Answering::Whole(texts) => Body::from(texts.collect::<String>()),
        Answering::Rows(rows) => Body::from_stream(rows.into_stream()),
        Answering::Printed(printed) => Body::from_stream(printed.into_stream()),
    };
    Ok(([(CONTENT_TYPE, form.kind)], body).into_response())
}

/// Starts the one SELECT or PRINT of a request.
pub async fn begin(api: &Api, request: &KsqlRequest, shape: Shape) -> Result<Answering, RestError> {
    let (views, text) = (&api.views, &*request.ksql);
    request.wait(views).await?;
    let (properties, variables) = (request.properties(), request.variables());
    let statements = views.parse_with(text, &variables).map_err(|failed| refused(failed, text, None))?;
    let statement = statements.first().map(|located| &located.statement);
    if let Some(ask) = print_of(&statements) {
        let printing = views.print(&ask).map_err(|failed| refused(failed, text, statement))?;
        return Ok(Answering::Printed(Printed::new(printing)));
    }
    let pull = match statement {
        Some(Statement::Query(query)) if query.emit.is_none() => Some(api.limits.enter(views)?),
        _ => None,
    };
    let selected = views.select_parsed(&statements, &properties, None, &Cut::default()).await;
    let selected = selected.map_err(|failed| refused(failed, text, statement))?;
    Ok(match selected {
        Selected::Rows(answer) => {
            let id = format!("query_{}", views.outside().world().wall_ms());
            let mut writer = Writer::whole(shape, answer.schema)?;
            let mut texts = vec![writer.head(&id)];
            texts.extend(answer.rows.iter().map(|row| writer.row(row)));
            texts.push(writer.end());
            if let Some(pull) = pull {
                pull.answered(texts.iter().map(String::len).sum());
            }
            Answering::Whole(texts.into_iter())
        }
        Selected::Finite(subscription) => Answering::Rows(Rows::new(subscription, shape, true)?),
        Selected::Endless(subscription) => Answering::Rows(Rows::new(subscription, shape, false)?),
    })
}

fn print_of(statements: &[Located]) -> Option<PrintAsk> {
    let [Located { statement: Statement::Print { topic, from_beginning, interval, limit }, .. }] = statements else { return None };
    Some(PrintAsk {
        topic: topic.clone(),
        from_beginning: *from_beginning,
        interval: interval.map_or(1, |interval| interval.max(1)),
        limit: *limit,
    })
}

/// What a SELECT that cannot run is answered with. A push query's fault is told without its statement, any other's with it.
fn refused(failed: Failed, text: &str, statement: Option<&Statement>) -> RestError {
    match (&failed, statement) {
        (Failed::Statement(_), Some(Statement::Query(query))) if query.emit.is_some() => RestError::generic(BAD_STATEMENT, failed.to_string()),
        (Failed::Statement(_), _) => RestError::statement(BAD_STATEMENT, &failed.to_string(), text, Vec::new()),
        _ => failed.into(),
    }
}
