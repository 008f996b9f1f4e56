//! The views of a Millrace node: look rows up, scan, query, follow changes, run statements.
//!
//! Every answer says the [`Cut`] that it was read at. A cut can be given back: `at_or_after` waits until the view has come that
//! far, so a program reads what it has just produced; a subscription that breaks goes on behind the last cut, so no
//! change is lost and none comes twice.
//!
//! The whole of it in one program, which the tests run:
//!
//! ```no_run
#![doc = include_str!("../../examples/carparks.rs")]
//! ```
//!
//! Invariants
//! * Values travel typed; nothing that a caller gives becomes SQL text: write `?` and bind it.
//! * A subscription hands a change over only with a cut behind it, so what it resumes from is what the caller has seen.
//! * A call answers within its timeout or fails; a subscription has none, and ends only for a reason.
mod answer;
mod backoff;
mod cut;
mod error;
mod look;
mod subscribe;
mod value;

use std::collections::HashMap;
use std::time::Duration;

use millrace_proto as proto;
use millrace_proto::views_client::ViewsClient;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

pub use answer::{Answer, Change, Column, Found, Row, Statement, Window};
pub use cut::Cut;
pub use error::{Result, ViewsError};
pub use look::{BatchGet, Get, Query, Rows, Scan};
pub use subscribe::{Changes, Subscribe, Subscription};
pub use tonic::Code;
pub use value::{Decimal, FromValue, Key, Value};

/// How long to wait for a connection, and for an answer.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// A node that answers no ping is gone.
const PING_EVERY: Duration = Duration::from_secs(10);
const PING_WITHIN: Duration = Duration::from_secs(10);
/// The largest message taken: what the server sends at most.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// A node's views; clones share one connection, which is made when it is needed and made again when it breaks.
#[derive(Clone)]
pub struct Views {
    client: ViewsClient<Channel>,
    timeout: Duration,
    properties: HashMap<String, String>,
    variables: HashMap<String, String>,
}

/// What a view is and how far it has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// Its name as the catalog has it.
    pub name: String,
    /// A table; otherwise a stream.
    pub table: bool,
    /// The topic that it is over.
    pub topic: String,
    /// Formats of key and value.
    pub formats: (String, String),
    /// TUMBLING, HOPPING, SESSION, or empty.
    pub window: String,
    /// The statement that made it.
    pub statement: String,
    /// In their order.
    pub columns: Vec<Column>,
    /// The queries that read it.
    pub read_by: Vec<String>,
    /// The queries that write it.
    pub written_by: Vec<String>,
    /// How far its inputs have been applied.
    pub cut: Cut,
    /// How far they go now.
    pub end: Cut,
    /// Why the query that fills it does not go on; empty while it does.
    pub trouble: String,
    /// Look-ups are answered.
    pub queryable: bool,
}

impl Views {
    /// The views at `host:port`, the node's `grpc.listener`; a host alone means port 8090. Nothing is sent yet.
    pub fn connect(address: &str) -> Result<Views> {
        let has_port = address.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        let with_port = if has_port { address.to_owned() } else { format!("{address}:8090") };
        let endpoint = Endpoint::from_shared(format!("http://{with_port}")).map_err(|error| ViewsError::Address { address: address.to_owned(), reason: error.to_string() })?;
        let channel = endpoint
            .connect_timeout(CONNECT_WITHIN)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_WITHIN)
            .keep_alive_while_idle(true)
            .connect_lazy();
        let client = ViewsClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
        Ok(Views { client, timeout: ANSWER_WITHIN, properties: HashMap::new(), variables: HashMap::new() })
    }

    /// The longest wait for an answer (30 s).
    pub fn with_timeout(mut self, timeout: Duration) -> Views {
        self.timeout = timeout;
        self
    }

    /// Sets a property for everything that this handle asks, as SET does in a script: `auto.offset.reset`.
    pub fn with_property(mut self, name: impl Into<String>, value: impl Into<String>) -> Views {
        self.properties.insert(name.into(), value.into());
        self
    }

    /// Defines `${name}` in the statements of [`Views::execute`].
    pub fn with_variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Views {
        self.variables.insert(name.into(), value.into());
        self
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.timeout);
        request
    }

    /// Runs statements, all of them checked before the first one runs.
    pub async fn execute(&self, sql: &str) -> Result<Vec<Statement>> {
        let message = proto::ExecuteRequest { sql: sql.to_owned(), properties: self.properties.clone(), variables: self.variables.clone() };
        let answer = self.client.clone().execute(self.request(message)).await?.into_inner();
        answer.results.into_iter().map(Statement::of).collect()
    }

    /// The row of a key; of a windowed view one row per window.
    pub fn get(&self, view: &str, key: impl Into<Key>) -> Get {
        Get::new(self.clone(), view, key.into())
    }

    /// The rows of many keys, all of one cut.
    pub fn batch_get<K: Into<Key>>(&self, view: &str, keys: impl IntoIterator<Item = K>) -> BatchGet {
        BatchGet::new(self.clone(), view, keys.into_iter().map(Into::into).collect())
    }

    /// All rows, or those between two keys, in key order and of one cut.
    pub fn scan(&self, view: &str) -> Scan {
        Scan::new(self.clone(), view)
    }

    /// A pull query: `SELECT` over a table as it stands, or over a stream up to its present end.
    pub fn query(&self, sql: &str) -> Query {
        Query::new(self.clone(), sql)
    }

    /// A push query: `SELECT .. EMIT CHANGES`.
    pub fn subscribe(&self, sql: &str) -> Subscribe {
        Subscribe::new(self.clone(), proto::subscribe_request::What::Sql(sql.to_owned()))
    }

    /// All changes of a view.
    pub fn subscribe_view(&self, view: &str) -> Subscribe {
        Subscribe::new(self.clone(), proto::subscribe_request::What::View(view.to_owned()))
    }

    /// What a view is.
    pub async fn describe(&self, view: &str) -> Result<Description> {
        let answer = self.client.clone().describe(self.request(proto::DescribeRequest { view: view.to_owned() })).await?.into_inner();
        Ok(Description {
            columns: answer.columns.into_iter().map(Column::of).collect(),
            cut: Cut::of(answer.cut),
            end: Cut::of(answer.end),
            formats: (answer.key_format, answer.value_format),
            name: answer.name,
            table: answer.table,
            topic: answer.topic,
            window: answer.window,
            statement: answer.statement,
            read_by: answer.read_by,
            written_by: answer.written_by,
            trouble: answer.trouble,
            queryable: answer.queryable,
        })
    }
}
