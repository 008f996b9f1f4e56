//! Get, BatchGet, Scan and Query: what is asked, step by step, and the answer.
use std::future::{Future, IntoFuture};
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::Arc;

use millrace_proto as proto;
use tonic::{Request, Streaming};

use crate::views::{Answer, Column, Cut, Found, Key, Result, Row, Value, Views, ViewsError};

type Asked<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// Awaiting it asks.
#[must_use = "nothing is asked before it is awaited"]
pub struct Get {
    views: Views,
    request: proto::GetRequest,
}

impl Get {
    pub(super) fn new(views: Views, view: &str, key: Key) -> Get {
        let request = proto::GetRequest { view: view.to_owned(), key: key.on_wire().values, ..Default::default() };
        Get { views, request }
    }

    /// Waits until the view has applied everything before this cut: the answer holds what was written there.
    pub fn at_or_after(mut self, cut: impl Into<Cut>) -> Get {
        self.request.at_or_after = Some(cut.into().on_wire());
        self
    }

    /// Of a windowed view only windows that start in this range of milliseconds.
    pub fn windows(mut self, start_ms: RangeInclusive<i64>) -> Get {
        self.request.window_start = Some(proto::TimeRange { from_ms: Some(*start_ms.start()), to_ms: Some(*start_ms.end()) });
        self
    }
}

impl IntoFuture for Get {
    type Output = Result<Answer>;
    type IntoFuture = Asked<Answer>;

    fn into_future(self) -> Asked<Answer> {
        Box::pin(async move {
            let request = self.views.request(self.request);
            let answer = self.views.client.clone().get(request).await?.into_inner();
            let columns = Column::all(answer.columns);
            Ok(Answer { rows: Row::all(&columns, answer.rows)?, columns, cut: Cut::of(answer.cut) })
        })
    }
}

/// Awaiting it asks.
#[must_use = "nothing is asked before it is awaited"]
pub struct BatchGet {
    views: Views,
    request: proto::BatchGetRequest,
}

impl BatchGet {
    pub(super) fn new(views: Views, view: &str, keys: Vec<Key>) -> BatchGet {
        let keys = keys.into_iter().map(Key::on_wire).collect();
        BatchGet { views, request: proto::BatchGetRequest { view: view.to_owned(), keys, at_or_after: None } }
    }

    /// Waits until the view has applied everything before this cut.
    pub fn at_or_after(mut self, cut: impl Into<Cut>) -> BatchGet {
        self.request.at_or_after = Some(cut.into().on_wire());
        self
    }
}

impl IntoFuture for BatchGet {
    type Output = Result<Found>;
    type IntoFuture = Asked<Found>;

    fn into_future(self) -> Asked<Found> {
        Box::pin(async move {
            let request = self.views.request(self.request);
            let answer = self.views.client.clone().batch_get(request).await?.into_inner();
            let columns = Column::all(answer.columns);
            let found = answer.found.into_iter().map(|found| Row::all(&columns, found.rows)).collect::<Result<_>>()?;
            Ok(Found { found, columns, cut: Cut::of(answer.cut) })
        })
    }
}

/// Awaiting it asks and collects; [`Scan::rows`] hands the rows over as they come.
#[must_use = "nothing is asked before it is awaited"]
pub struct Scan {
    views: Views,
    request: proto::ScanRequest,
}

impl Scan {
    pub(super) fn new(views: Views, view: &str) -> Scan {
        Scan { views, request: proto::ScanRequest { view: view.to_owned(), ..Default::default() } }
    }

    /// The first key, inclusive.
    pub fn from(mut self, key: impl Into<Key>) -> Scan {
        self.request.from = Some(key.into().on_wire());
        self
    }

    /// The last key, inclusive.
    pub fn to(mut self, key: impl Into<Key>) -> Scan {
        self.request.to = Some(key.into().on_wire());
        self
    }

    /// At most so many rows; 0 is no limit.
    pub fn limit(mut self, rows: u32) -> Scan {
        self.request.limit = rows;
        self
    }

    /// Waits until the view has applied everything before this cut.
    pub fn at_or_after(mut self, cut: impl Into<Cut>) -> Scan {
        self.request.at_or_after = Some(cut.into().on_wire());
        self
    }

    /// The rows as they come.
    pub async fn rows(self) -> Result<Rows> {
        Rows::open(self.views.client.clone().scan(Request::new(self.request)).await?.into_inner()).await
    }
}

impl IntoFuture for Scan {
    type Output = Result<Answer>;
    type IntoFuture = Asked<Answer>;

    fn into_future(self) -> Asked<Answer> {
        Box::pin(async move { self.rows().await?.collect().await })
    }
}

/// Awaiting it asks and collects; [`Query::rows`] hands the rows over as they come.
#[must_use = "nothing is asked before it is awaited"]
pub struct Query {
    views: Views,
    request: proto::QueryRequest,
}

impl Query {
    pub(super) fn new(views: Views, sql: &str) -> Query {
        let request = proto::QueryRequest { sql: sql.to_owned(), properties: views.properties.clone(), ..Default::default() };
        Query { views, request }
    }

    /// The value of the next `?` in the text. It never becomes SQL, whatever it holds.
    pub fn bind(mut self, value: impl Into<Value>) -> Query {
        self.request.parameters.push(value.into().on_wire());
        self
    }

    /// Waits until the view has applied everything before this cut.
    pub fn at_or_after(mut self, cut: impl Into<Cut>) -> Query {
        self.request.at_or_after = Some(cut.into().on_wire());
        self
    }

    /// The rows as they come.
    pub async fn rows(self) -> Result<Rows> {
        Rows::open(self.views.client.clone().query(Request::new(self.request)).await?.into_inner()).await
    }
}

impl IntoFuture for Query {
    type Output = Result<Answer>;
    type IntoFuture = Asked<Answer>;

    fn into_future(self) -> Asked<Answer> {
        Box::pin(async move { self.rows().await?.collect().await })
    }
}

/// Rows as they come. Dropping it ends the query.
pub struct Rows {
    messages: Streaming<proto::RowsResponse>,
    columns: Arc<[Column]>,
    ready: Vec<Row>,
    cut: Option<Cut>,
}

impl Rows {
    async fn open(mut messages: Streaming<proto::RowsResponse>) -> Result<Rows> {
        let first = messages.message().await?.ok_or(ViewsError::Malformed("an answer without a message"))?;
        let columns = Column::all(first.columns);
        let ready = Row::all(&columns, first.rows)?;
        Ok(Rows { messages, columns, ready, cut: first.cut.map(|cut| Cut::of(Some(cut))) })
    }

    /// What the values of each row are.
    pub fn columns(&self) -> &Arc<[Column]> {
        &self.columns
    }

    /// Some more rows, none at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<Row>>> {
        loop {
            if !self.ready.is_empty() {
                return Ok(Some(std::mem::take(&mut self.ready)));
            }
            if self.cut.is_some() {
                return Ok(None);
            }
            let message = self.messages.message().await?.ok_or(ViewsError::Malformed("an answer that ends without its cut"))?;
            self.ready = Row::all(&self.columns, message.rows)?;
            self.cut = message.cut.map(|cut| Cut::of(Some(cut)));
        }
    }

    /// What the rows were read at: known at the end.
    pub fn cut(&self) -> Option<&Cut> {
        self.cut.as_ref()
    }

    /// All of them.
    pub async fn collect(mut self) -> Result<Answer> {
        let mut rows = Vec::new();
        while let Some(more) = self.next().await? {
            rows.extend(more);
        }
        Ok(Answer { columns: self.columns, rows, cut: self.cut.unwrap_or_default() })
    }
}
