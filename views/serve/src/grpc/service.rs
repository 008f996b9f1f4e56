//! The methods.
use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::Arc;

use futures_util::{Stream, stream};
use millrace_engine::state::Cut;
use millrace_sql::plan::DataSource;
use millrace_sql::schema::Role;
use millrace_sql::value::Value;
use tonic::{Request, Response, Status};

use crate::grpc::convert::{columns, from_cut, from_value, status, to_cut, to_row};
use crate::grpc::proto::{self, views_server};
use crate::host::{Outcome, Selected};
use crate::run::{Cell, ViewRow};
use crate::{From, Subscription, Views, pull};

/// Rows in one message of an answer.
const ROWS_PER_MESSAGE: usize = 1000;
/// Keys in one BatchGet.
const KEYS_MAX: usize = 10_000;

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

pub struct Service {
    views: Arc<Views>,
}

/// A table as a look-up finds it.
struct Found {
    source: Arc<DataSource>,
    cells: Vec<Arc<Cell>>,
}

impl Service {
    pub fn new(views: Arc<Views>) -> Service {
        Service { views }
    }

    /// The table, once its tasks have applied what the caller has seen.
    async fn table(&self, name: &str, at_or_after: Option<&proto::Cut>) -> Result<Found, Status> {
        let source = self.views.source(name).map_err(status)?;
        let cells = self.views.cells_of(&source).map_err(status)?;
        let wanted = from_cut(at_or_after);
        for cell in &cells {
            cell.reached(&wanted).await;
        }
        Ok(Found { source, cells })
    }
}

impl Found {
    fn windowed(&self) -> bool {
        self.source.window.is_some()
    }

    fn key(&self, given: &[proto::Value]) -> Result<Vec<Value>, Status> {
        let types: Vec<_> = self.source.schema.keys().map(|column| &column.sql_type).collect();
        if given.len() != types.len() {
            let names: Vec<String> = self.source.schema.keys().map(|column| column.name.to_string()).collect();
            let message = format!("{} has {} key columns ({}), and {} values were given", self.source.name, types.len(), names.join(", "), given.len());
            return Err(Status::invalid_argument(message));
        }
        given.iter().zip(types).map(|(value, sql_type)| from_value(value, sql_type)).collect()
    }

    fn rows(&self, rows: &[ViewRow]) -> Vec<proto::Row> {
        rows.iter().map(|row| to_row(&row.values, row.window)).collect()
    }
}

fn ordered(map: HashMap<String, String>) -> BTreeMap<String, String> {
    map.into_iter().collect()
}

/// An answer in messages of bounded size: the columns with the first, the cut with the last.
fn chunked(columns: Vec<proto::Column>, rows: Vec<proto::Row>, cut: Option<proto::Cut>) -> Answers<proto::RowsResponse> {
    let mut messages: Vec<proto::RowsResponse> = Vec::new();
    let mut rows = rows.into_iter().peekable();
    loop {
        let chunk = rows.by_ref().take(ROWS_PER_MESSAGE).collect();
        messages.push(proto::RowsResponse { columns: Vec::new(), rows: chunk, cut: None });
        if rows.peek().is_none() {
            break;
        }
    }
    if let Some(first) = messages.first_mut() {
        first.columns = columns;
    }
    if let Some(last) = messages.last_mut() {
        last.cut = cut;
    }
    Box::pin(stream::iter(messages.into_iter().map(Ok)))
}

/// `?` in the text stands for the next parameter, as a literal of its type: never as text of the statement.
fn bind(sql: &str, parameters: &[proto::Value]) -> Result<String, Status> {
    let bound = crate::bind::bind(sql, parameters.iter().map(super::convert::literal));
    bound.map_err(Status::invalid_argument)
}

#[tonic::async_trait]
impl views_server::Views for Service {
    async fn execute(&self, request: Request<proto::ExecuteRequest>) -> Result<Response<proto::ExecuteResponse>, Status> {
        let request = request.into_inner();
        let (properties, variables) = (ordered(request.properties), ordered(request.variables));
        let executed = self.views.execute(&request.sql, &properties, &variables).await.map_err(|stopped| status(stopped.failed))?;
        let results = executed.into_iter().map(|one| {
            let (message, query_id) = match &one.outcome {
                Outcome::Done { message, query, .. } => (message.clone(), query.as_ref().map(ToString::to_string)),
                Outcome::Inserted { topic, partition, offset } => (format!("inserted at {topic}/{partition} offset {offset}"), None),
                Outcome::Session => (String::new(), None),
                Outcome::Ask { .. } => (crate::rest::entity_text(&self.views, &one).unwrap_or_default(), None),
            };
            proto::StatementResult { statement: one.located.text, message, query_id: query_id.unwrap_or_default(), ..Default::default() }
        });
        Ok(Response::new(proto::ExecuteResponse { results: results.collect() }))
    }

    async fn get(&self, request: Request<proto::GetRequest>) -> Result<Response<proto::GetResponse>, Status> {
        let request = request.into_inner();
        let found = self.table(&request.view, request.at_or_after.as_ref()).await?;
        let (mut rows, cut) = pull::get(&found.cells, &found.key(&request.key)?, found.windowed()).map_err(status)?;
        if let Some(range) = &request.window_start {
            rows.retain(|row| {
                row.window.is_none_or(|window| {
                    range.from_ms.is_none_or(|from| from <= window.start) && range.to_ms.is_none_or(|to| window.start <= to)
                })
            });
        }
        let answer = proto::GetResponse { columns: columns(&found.source.schema), rows: found.rows(&rows), cut: Some(to_cut(&cut)) };
        Ok(Response::new(answer))
    }

    async fn batch_get(&self, request: Request<proto::BatchGetRequest>) -> Result<Response<proto::BatchGetResponse>, Status> {
        let request = request.into_inner();
        if request.keys.len() > KEYS_MAX {
            return Err(Status::invalid_argument(format!("at most {KEYS_MAX} keys can be asked for at once")));
        }
        let found = self.table(&request.view, request.at_or_after.as_ref()).await?;
        let keys = request.keys.iter().map(|key| found.key(&key.values)).collect::<Result<Vec<_>, _>>()?;
        let (each, cut) = pull::get_many(&found.cells, &keys, found.windowed()).map_err(status)?;
        let each = each.iter().map(|rows| proto::batch_get_response::Found { rows: found.rows(rows) }).collect();
        let answer = proto::BatchGetResponse { columns: columns(&found.source.schema), found: each, cut: Some(to_cut(&cut)) };
        Ok(Response::new(answer))
    }

    type ScanStream = Answers<proto::RowsResponse>;

    async fn scan(&self, request: Request<proto::ScanRequest>) -> Result<Response<Self::ScanStream>, Status> {
        let request = request.into_inner();
        let found = self.table(&request.view, request.at_or_after.as_ref()).await?;
        let bound = |key: &Option<proto::Key>| key.as_ref().map(|key| found.key(&key.values)).transpose();
        let (from, to) = (bound(&request.from)?, bound(&request.to)?);
        let limit = if request.limit == 0 { usize::MAX } else { request.limit as usize };
        let (rows, cut) = pull::scan(&found.cells, from.as_deref(), to.as_deref(), limit, found.windowed()).map_err(status)?;
        Ok(Response::new(chunked(columns(&found.source.schema), found.rows(&rows), Some(to_cut(&cut)))))
    }

    type QueryStream = Answers<proto::RowsResponse>;

    async fn query(&self, request: Request<proto::QueryRequest>) -> Result<Response<Self::QueryStream>, Status> {
        let request = request.into_inner();
        let sql = bind(&request.sql, &request.parameters)?;
        let cut = from_cut(request.at_or_after.as_ref());
        let selected = self.views.select(&sql, &ordered(request.properties), &BTreeMap::new(), None, &cut).await.map_err(status)?;
        match selected {
            Selected::Rows(answer) => {
                let rows = answer.rows.iter().map(|row| to_row(row, None)).collect();
                Ok(Response::new(chunked(columns(&answer.schema), rows, Some(to_cut(&answer.cut)))))
            }
            Selected::Finite(mut subscription) => {
                let (mut rows, mut cut) = (Vec::new(), Cut::default());
                let limit = subscription.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(0));
                while let Some(batch) = subscription.next().await {
                    let batch = batch.map_err(Status::unavailable)?;
                    rows.extend(batch.changes.iter().filter_map(|change| change.new.as_ref()).map(|row| to_row(row, None)));
                    cut = batch.cut;
                    if rows.len() >= limit {
                        rows.truncate(limit);
                        break;
                    }
                }
                Ok(Response::new(chunked(columns(&subscription.schema), rows, Some(to_cut(&cut)))))
            }
            Selected::Endless(_) => Err(Status::invalid_argument("EMIT CHANGES belongs to Subscribe")),
        }
    }

    type SubscribeStream = Answers<proto::SubscribeResponse>;

    async fn subscribe(&self, request: Request<proto::SubscribeRequest>) -> Result<Response<Self::SubscribeStream>, Status> {
        use proto::subscribe_request::{From as Begin, What};
        let request = request.into_inner();
        let sql = match &request.what {
            Some(What::Sql(sql)) => bind(sql, &request.parameters)?,
            Some(What::View(view)) => format!("SELECT * FROM {} EMIT CHANGES;", self.views.source(view).map_err(status)?.name.quoted()),
            None => return Err(Status::invalid_argument("say what to subscribe to: sql or view")),
        };
        let from = match &request.from {
            Some(Begin::Earliest(true)) => From::Earliest,
            Some(Begin::Cut(cut)) => From::Cut(from_cut(Some(cut))),
            _ => From::Latest,
        };
        let selected = self.views.select(&sql, &ordered(request.properties), &BTreeMap::new(), Some(from), &Cut::default()).await;
        match selected.map_err(status)? {
            Selected::Endless(subscription) => Ok(Response::new(changes(subscription))),
            _ => Err(Status::invalid_argument("only SELECT .. EMIT CHANGES can be subscribed to")),
        }
    }

    async fn describe(&self, request: Request<proto::DescribeRequest>) -> Result<Response<proto::DescribeResponse>, Status> {
        let source = self.views.source(&request.into_inner().view).map_err(status)?;
        let catalog = self.views.catalog();
        let mut cut = Cut::default();
        for cell in self.views.cells_of(&source).unwrap_or_default() {
            cell.progress().cut.iter().for_each(|(input, next)| cut.advance(input, next));
        }
        let ids = |queries: &mut dyn Iterator<Item = &millrace_sql::catalog::RunningQuery>| queries.map(|query| query.plan.id.to_string()).collect();
        Ok(Response::new(proto::DescribeResponse {
            name: source.name.to_string(),
            table: source.is_table(),
            topic: source.topic.clone(),
            key_format: source.key_format.format.name().into(),
            value_format: source.value_format.format.name().into(),
            window: source.window.map(|window| window.window_type.to_string()).unwrap_or_default(),
            statement: source.statement.clone(),
            columns: columns(&source.schema),
            read_by: ids(&mut catalog.readers(&source.name)),
            written_by: ids(&mut catalog.writers(&source.name)),
            cut: Some(to_cut(&cut)),
        }))
    }
}

/// The header, then changes with the cut behind the last of each batch.
fn changes(subscription: Subscription) -> Answers<proto::SubscribeResponse> {
    use proto::subscribe_response::{Changes, Header, What};
    let header = Header { query_id: subscription.id.clone(), columns: columns(&subscription.schema) };
    let first = proto::SubscribeResponse { what: Some(What::Header(header)) };
    let keys: Vec<usize> =
        subscription.schema.columns().iter().enumerate().filter(|(_, column)| column.role == Role::Key).map(|(at, _)| at).collect();
    let width = subscription.schema.len();
    let left = subscription.limit;
    let rest = stream::unfold((subscription, keys, left), move |(mut subscription, keys, mut left)| async move {
        if left == Some(0) {
            return None;
        }
        let batch = match subscription.next().await? {
            Ok(batch) => batch,
            Err(message) => return Some((Err(Status::unavailable(message)), (subscription, keys, Some(0)))),
        };
        let mut changes = Vec::new();
        for change in batch.changes.iter().take(left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(0))) {
            let row = match (&change.new, &change.key) {
                (Some(row), _) => to_row(row, change.window),
                (None, Some(key)) => {
                    let mut values = vec![Value::Null; width];
                    keys.iter().zip(key.iter()).for_each(|(at, value)| values[*at] = value.clone());
                    to_row(&values, change.window)
                }
                (None, None) => continue,
            };
            changes.push(proto::Change { deleted: change.new.is_none(), row: Some(row), timestamp_ms: change.timestamp });
        }
        left = left.map(|left| left - changes.len() as i64);
        let what = What::Changes(Changes { changes, cut: Some(to_cut(&batch.cut)) });
        Some((Ok(proto::SubscribeResponse { what: Some(what) }), (subscription, keys, left)))
    });
    Box::pin(stream::StreamExt::chain(stream::once(async { Ok(first) }), rest))
}
