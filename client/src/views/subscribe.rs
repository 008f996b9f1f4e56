//! Push queries that outlive their connection: resumed behind the last cut that the caller has seen.
use std::sync::Arc;
use std::time::Duration;

use millrace_proto as proto;
use millrace_proto::subscribe_request::{From as Begin, What};
use millrace_proto::subscribe_response;
use tokio::time::{Instant, sleep};
use tonic::{Code, Request, Streaming};

use crate::views::backoff::Backoff;
use crate::views::{Change, Column, Cut, Result, Row, Value, Views, ViewsError};

/// How long the node may be away.
const PATIENCE: Duration = Duration::from_secs(120);

/// What to subscribe to and from where; [`Subscribe::open`] begins.
#[must_use = "nothing is asked before it is opened"]
pub struct Subscribe {
    views: Views,
    request: proto::SubscribeRequest,
    patience: Duration,
}

impl Subscribe {
    pub(super) fn new(views: Views, what: What) -> Subscribe {
        let request = proto::SubscribeRequest { what: Some(what), properties: views.properties.clone(), ..Default::default() };
        Subscribe { views, request, patience: PATIENCE }
    }

    /// From the first record that is kept.
    pub fn earliest(mut self) -> Subscribe {
        self.request.from = Some(Begin::Earliest(true));
        self
    }

    /// From now on.
    pub fn latest(mut self) -> Subscribe {
        self.request.from = Some(Begin::Latest(true));
        self
    }

    /// Behind what was seen before, by this program or by its last life.
    pub fn behind(mut self, cut: impl Into<Cut>) -> Subscribe {
        self.request.from = Some(Begin::Cut(cut.into().on_wire()));
        self
    }

    /// The value of the next `?` in the text.
    pub fn bind(mut self, value: impl Into<Value>) -> Subscribe {
        self.request.parameters.push(value.into().on_wire());
        self
    }

    /// How long the node may be away before the subscription fails (2 minutes); zero fails at once.
    pub fn patience(mut self, patience: Duration) -> Subscribe {
        self.patience = patience;
        self
    }

    /// Begins: the node has taken the query when this returns.
    pub async fn open(self) -> Result<Subscription> {
        let mut subscription = Subscription {
            views: self.views,
            request: self.request,
            patience: self.patience,
            messages: None,
            columns: Arc::default(),
            query_id: String::new(),
            cut: Cut::default(),
            left: None,
            begun: false,
            resumed: 0,
            pending: Vec::new(),
        };
        subscription.connect().await?;
        Ok(subscription)
    }
}

/// Changes that belong together, and the cut behind the last of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Changes {
    /// In order. None where only the cut has moved on.
    pub changes: Vec<Change>,
    /// Everything up to here has been handed over: keep it to go on from here in another life.
    pub cut: Cut,
    /// Records of the inputs that are still to come: how far the subscriber is behind.
    pub records_behind: i64,
}

/// A push query that goes on over broken connections and restarts of the node. Dropping it ends the query.
pub struct Subscription {
    views: Views,
    request: proto::SubscribeRequest,
    patience: Duration,
    messages: Option<Streaming<proto::SubscribeResponse>>,
    columns: Arc<[Column]>,
    query_id: String,
    cut: Cut,
    left: Option<i64>,
    begun: bool,
    resumed: u64,
    pending: Vec<Change>,
}

impl Subscription {
    /// What the values of each row are.
    pub fn columns(&self) -> &Arc<[Column]> {
        &self.columns
    }

    /// The query's id on the node, another one after each resumption.
    pub fn query_id(&self) -> &str {
        &self.query_id
    }

    /// Behind everything that was handed over.
    pub fn cut(&self) -> &Cut {
        &self.cut
    }

    /// How often the connection broke and the query went on.
    pub fn resumed(&self) -> u64 {
        self.resumed
    }

    /// The next changes; none when a query with a LIMIT has told them all.
    pub async fn next(&mut self) -> Result<Option<Changes>> {
        loop {
            if self.left == Some(0) {
                return Ok(None);
            }
            let Some(messages) = &mut self.messages else {
                self.reconnect().await?;
                continue;
            };
            let lost = match messages.message().await {
                Ok(Some(message)) => match self.take(message)? {
                    Some(changes) => return Ok(Some(changes)),
                    None => continue,
                },
                // Only a LIMIT ends a push query, and that is counted here, too.
                Ok(None) => ViewsError::Refused { code: Code::Unavailable, reason: String::new(), message: "the stream ended".into(), statement: None },
                Err(status) => status.into(),
            };
            self.messages = None;
            self.pending.clear();
            if !lost.is_retriable() || self.patience.is_zero() {
                return Err(lost);
            }
        }
    }

    fn take(&mut self, message: proto::SubscribeResponse) -> Result<Option<Changes>> {
        let Some(subscribe_response::What::Changes(changes)) = message.what else {
            return Err(ViewsError::Malformed("a second header"));
        };
        for change in changes.changes {
            let row = Row::of(&self.columns, change.row.ok_or(ViewsError::Malformed("a change without a row"))?)?;
            self.pending.push(Change { deleted: change.deleted, row, timestamp_ms: change.timestamp_ms });
        }
        // Without a cut it is part of a larger step: nothing of it is handed over before all of it is here.
        let Some(cut) = changes.cut else { return Ok(None) };
        self.cut = Cut::of(Some(cut));
        let told = std::mem::take(&mut self.pending);
        self.left = self.left.map(|left| (left - told.len() as i64).max(0));
        Ok(Some(Changes { changes: told, cut: self.cut.clone(), records_behind: changes.records_behind }))
    }

    async fn reconnect(&mut self) -> Result<()> {
        let until = Instant::now() + self.patience;
        let mut pauses = Backoff::new();
        loop {
            match self.connect().await {
                Ok(()) => {
                    self.resumed += 1;
                    return Ok(());
                }
                Err(error) if error.is_retriable() && Instant::now() < until => {
                    // Not beyond the patience: the last attempt is at its end.
                    sleep(pauses.next().min(until.saturating_duration_since(Instant::now()))).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Asks for the query behind the present cut, and reads its header.
    async fn connect(&mut self) -> Result<()> {
        let mut request = self.request.clone();
        if self.begun {
            request.from = Some(Begin::Cut(self.cut.on_wire()));
        }
        let mut messages = self.views.client.clone().subscribe(Request::new(request)).await?.into_inner();
        let first = messages.message().await?;
        let Some(subscribe_response::What::Header(header)) = first.and_then(|first| first.what) else {
            return Err(ViewsError::Malformed("a subscription that does not begin with its header"));
        };
        let columns = Column::all(header.columns);
        if self.begun && columns != self.columns {
            return Err(ViewsError::Misuse("the columns of the query are others than before: the view was replaced".into()));
        }
        if !self.begun {
            (self.begun, self.left, self.cut) = (true, header.limit, Cut::of(header.cut));
        }
        (self.columns, self.query_id, self.messages) = (columns, header.query_id, Some(messages));
        Ok(())
    }
}
