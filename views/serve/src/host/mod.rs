//! The views of a node: what is declared, what runs, and everything that can be asked of it.
mod assert;
mod commands;
mod deletions;
mod execute;
mod follow;
mod names;
mod open;
mod plan;
mod print;
mod processing_log;
mod push_care;
mod query;
mod reconcile;
mod replace;
mod stages;
mod start;
mod topics;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use millrace_engine::EngineError;
use millrace_engine::state::{Cut, InputId, StoreError};
use millrace_shard::{GroupId, Upto};
use millrace_sql::catalog::{Catalog, Settings};
use millrace_sql::error::{ErrorKind, SqlError};
use millrace_sql::functions::Registry;
use millrace_sql::name::Name;
use millrace_sql::parser::Limits;
use millrace_sql::plan::{DataSource, QueryId};
use millrace_store::RowBudget;
use parking_lot::Mutex;

pub use execute::{Executed, Outcome, Stopped, is_query};
pub use commands::{CommandStatus, Health};
pub use follow::{Following, TaskStatus};
use deletions::Deletion;
use follow::Memory;
pub use print::{PrintAsk, Printing};
pub use query::Selected;
pub use reconcile::QueryState;
use processing_log::{LogSettings, ProcessingLog};
pub(crate) use push_care::Reads;
use reconcile::{Known, Trouble, reconcile_forever};

use crate::Outside;
use crate::command::Command;
use crate::host::commands::Commands;
use crate::push::Ended;
use crate::run::{Cell, Plant, Stop};

/// Why something was not done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failed {
    /// The statement is at fault.
    #[error("{0}")]
    Statement(SqlError),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// An ASSERT does not hold.
    #[error("{0}")]
    Assertion(String),
    /// Too many of something; names the setting.
    #[error("{0}")]
    Busy(String),
    /// Records that are not kept any more, or a cut beyond the end.
    #[error("{0}")]
    Gone(String),
    /// A cut that names a partition which the view does not read.
    #[error("{0}")]
    NotAnInput(String),
    /// This node's trouble: disk, topic, log.
    #[error("{0}")]
    Trouble(String),
}

impl Failed {
    pub fn statement(message: impl Into<String>) -> Failed {
        Failed::Statement(SqlError::new(ErrorKind::Statement, message))
    }

    pub fn trouble(message: impl Into<String>) -> Failed {
        Failed::Trouble(message.into())
    }
}

impl From<SqlError> for Failed {
    fn from(error: SqlError) -> Failed {
        Failed::Statement(error)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Failed {
        Failed::Trouble(error.to_string())
    }
}

impl From<EngineError> for Failed {
    fn from(error: EngineError) -> Failed {
        Failed::Trouble(error.to_string())
    }
}

/// Bounds that an operator may set.
#[derive(Clone, Copy, Debug)]
pub struct ViewSettings {
    /// `views.memory.bytes`: for the rows of all views together, resident and in RocksDB's caches.
    pub memory_bytes: usize,
    /// `ksql.max.push.queries`
    pub push_queries_max: usize,
    pub limits: Limits,
    /// `views.sql.answer.bytes.max`
    pub answer_bytes_max: usize,
    /// For the simulator.
    pub plant: Plant,
}

/// Tasks that run, and the partitions that their topics had when they were started.
struct Started {
    following: Arc<Following>,
    topics: BTreeMap<String, Vec<GroupId>>,
}

/// A query that ends with whoever asked for it.
#[derive(Clone)]
pub struct Transient {
    pub statement: String,
    /// Over a stream up to its present end, not on and on.
    pub finite: bool,
    stop: Stop,
    reads: Arc<Reads>,
    /// Why it ended, where its subscriber finds it.
    ended: Arc<Mutex<Option<Ended>>>,
}

pub struct Views {
    outside: Arc<dyn Outside>,
    functions: &'static Registry,
    settings: ViewSettings,
    /// As a server's properties file would give them.
    server: Settings,
    memory: std::sync::OnceLock<Memory>,
    catalog: ArcSwap<Catalog>,
    /// One statement changes the catalog at a time.
    changing: futures_util::lock::Mutex<()>,
    running: Mutex<BTreeMap<QueryId, Started>>,
    /// Stages that bring rows to their keys, by id: a query's own, or shared by several.
    repartitions: Mutex<BTreeMap<String, Started>>,
    /// The command that each query of the catalog runs by.
    starts: Mutex<BTreeMap<QueryId, Arc<Command>>>,
    /// Of queries that could not be started.
    troubles: Mutex<BTreeMap<QueryId, Trouble>>,
    /// Topics whose source was dropped with them before this start, until they are gone.
    deletions: Mutex<Vec<Deletion>>,
    stopping: AtomicBool,
    log: Arc<ProcessingLog>,
    transient: Mutex<BTreeMap<String, Transient>>,
    /// Push queries and PRINTs that run.
    pushing: Arc<AtomicUsize>,
    commands: Commands,
    numbers: AtomicU64,
}

impl Views {
    /// Reads the list of commands and starts what it says.
    pub async fn start(outside: Arc<dyn Outside>, settings: ViewSettings, server: Settings) -> Result<Arc<Views>, Failed> {
        let log = Arc::new(ProcessingLog::new(LogSettings::of(&server), outside.world()));
        let views = Arc::new(Views {
            outside,
            functions: Registry::builtin(),
            settings,
            server,
            memory: std::sync::OnceLock::new(),
            catalog: ArcSwap::default(),
            changing: futures_util::lock::Mutex::new(()),
            running: Mutex::default(),
            repartitions: Mutex::default(),
            starts: Mutex::default(),
            troubles: Mutex::default(),
            deletions: Mutex::default(),
            stopping: AtomicBool::new(false),
            log,
            transient: Mutex::default(),
            pushing: Arc::default(),
            commands: Commands::default(),
            numbers: AtomicU64::new(0),
        });
        views.restore().await?;
        views.open_processing_log().await;
        let world = views.outside.world();
        world.spawn(Box::pin(reconcile_forever(Arc::downgrade(&views), world.clone())));
        Ok(views)
    }

    fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Ends every query, with its state written back.
    pub async fn stop(&self) {
        let stops: Vec<Stop> = self.transient.lock().values().map(|query| query.stop.clone()).collect();
        stops.iter().for_each(Stop::ask);
        self.stopping.store(true, Ordering::Release);
        let _alone = self.changing.lock().await;
        let running: Vec<Arc<Following>> = {
            let (queries, stages) = (self.running.lock(), self.repartitions.lock());
            queries.values().chain(stages.values()).map(|started| started.following.clone()).collect()
        };
        futures_util::future::join_all(running.iter().map(|following| following.stop())).await;
    }

    pub fn catalog(&self) -> Arc<Catalog> {
        self.catalog.load_full()
    }

    pub fn outside(&self) -> &dyn Outside {
        &*self.outside
    }

    pub(crate) fn answer_bytes_max(&self) -> usize {
        self.settings.answer_bytes_max
    }

    /// `ksql.service.id`
    pub fn service_id(&self) -> &str {
        self.server.get("ksql.service.id").unwrap_or("default_")
    }

    pub fn functions(&self) -> &'static Registry {
        self.functions
    }

    pub fn server_settings(&self) -> &Settings {
        &self.server
    }

    /// The query as it runs here.
    pub fn following(&self, id: &QueryId) -> Option<Arc<Following>> {
        self.running.lock().get(id).map(|started| started.following.clone())
    }

    fn repartition(&self, id: &str) -> Option<Arc<Following>> {
        self.repartitions.lock().get(id).map(|started| started.following.clone())
    }

    /// What runs for a query before its own tasks: the stages that bring its rows to their keys.
    pub fn stages(&self, id: &QueryId) -> Vec<Arc<Following>> {
        let command = self.starts.lock().get(id).cloned();
        command.iter().flat_map(|command| &command.repartitions).filter_map(|stage| self.repartition(&stage.id)).collect()
    }

    /// Transient queries by id.
    pub fn transient(&self) -> BTreeMap<String, Transient> {
        self.transient.lock().clone()
    }

    /// Persistent queries that run here.
    pub fn running(&self) -> Vec<QueryId> {
        self.running.lock().keys().cloned().collect()
    }

    /// Ends a transient query; `false` if there is none of that id.
    pub fn close(&self, id: &str) -> bool {
        let query = self.transient.lock().remove(id);
        query.inspect(|query| query.stop.ask()).is_some()
    }

    /// A source by the name that a program gives: as it is, or folded to upper case as SQL would.
    pub fn source(&self, name: &str) -> Result<Arc<DataSource>, Failed> {
        let catalog = self.catalog();
        let found = catalog.source(&Name::new(name)).or_else(|| catalog.source(&Name::new(name.to_uppercase())));
        found.cloned().ok_or_else(|| Failed::NotFound(format!("there is no stream or table named {name}")))
    }

    /// The tasks that hold the rows of a table, once they are open and have applied everything before `cut`.
    pub async fn cells_at(&self, source: &DataSource, cut: &Cut) -> Result<Vec<Arc<Cell>>, Failed> {
        match keeper_of(source).filter(|_| cut.iter().next().is_some()) {
            Some(id) => {
                // A view that keeps no rows is refused before anything is waited for.
                self.following_of(source)?;
                self.reached(&id, cut).await
            }
            None => self.cells_when_open(source).await,
        }
    }

    /// The tasks that hold the rows of a table, if they are open.
    pub fn cells_of(&self, source: &DataSource) -> Result<Vec<Arc<Cell>>, Failed> {
        let following = self.following_of(source)?;
        following.cells().ok_or_else(|| starting(source, &following.trouble()))
    }

    /// The same, once they are: a view that was declared a moment ago is no error.
    pub async fn cells_when_open(&self, source: &DataSource) -> Result<Vec<Arc<Cell>>, Failed> {
        let following = self.following_of(source)?;
        if let Some(cells) = following.cells() {
            return Ok(cells);
        }
        following.opened().await.map_err(|trouble| starting(source, &trouble))
    }

    /// What keeps the source from being filled by the queries that write it; empty when nothing does.
    pub fn trouble_of(&self, source: &DataSource) -> String {
        let catalog = self.catalog();
        let writers = catalog.writers(&source.name).map(|query| query.plan.id.clone());
        let troubled = writers.chain(keeper_of(source)).find_map(|id| match self.query_state(&id) {
            QueryState::Error { reason, .. } => Some(reason),
            QueryState::Running | QueryState::Paused => None,
        });
        troubled.unwrap_or_default()
    }

    fn following_of(&self, source: &DataSource) -> Result<Arc<Following>, Failed> {
        let not_kept = || {
            Failed::statement(format!(
                "The {} isn't queryable. To derive a queryable table, you can do 'CREATE TABLE QUERYABLE_{} AS SELECT * FROM {}'. \
                 Refer to https://cnfl.io/queries for info on query types. If you intended to issue a push query, resubmit \
                 with the EMIT CHANGES clause",
                source.name.quoted(),
                source.name,
                source.name
            ))
        };
        let id = keeper_of(source).ok_or_else(not_kept)?;
        if let Some(trouble) = self.troubles.lock().get(&id) {
            return Err(Failed::Trouble(format!("{} does not run: {}", source.name, trouble.reason)));
        }
        self.following(&id).ok_or_else(not_kept)
    }

    /// The log that is there under this name now.
    pub fn log_of(&self, input: &InputId) -> Option<GroupId> {
        let partitions = self.outside.partitions(&input.topic)?;
        Some(partitions.get(usize::try_from(input.partition).ok()?)?.id())
    }

    /// The present ends of the inputs that a cut names.
    pub fn ends_of(&self, cut: &Cut) -> Cut {
        let mut ends = Cut::default();
        for (input, _) in cut.iter() {
            let partitions = self.outside.partitions(&input.topic).unwrap_or_default();
            if let Some(partition) = usize::try_from(input.partition).ok().and_then(|at| partitions.get(at)) {
                ends.advance(input, partition.limit(Upto::LastStable).0);
            }
        }
        ends
    }

    /// Does work that may take a while on the views' own threads.
    pub async fn aside<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T, Failed> + Send + 'static) -> Result<T, Failed> {
        let (done, answer) = futures_channel::oneshot::channel();
        self.outside.world().spawn(Box::pin(async move {
            // Whoever asked may be gone.
            let _ = done.send(work());
        }));
        answer.await.unwrap_or_else(|_| Err(Failed::trouble("the work was given up: the node stops, or the log says why")))
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    fn memory(&self) -> Memory {
        let half = self.settings.memory_bytes / 2;
        self.memory.get_or_init(|| Memory { databases: self.outside.databases(half), rows: RowBudget::new(half) }).clone()
    }
}

fn starting(source: &DataSource, trouble: &str) -> Failed {
    Failed::Trouble(match trouble {
        "" => format!("{} is starting: its state is being opened", source.name),
        trouble => format!("{} does not run: {trouble}", source.name),
    })
}

/// The query that keeps the rows of a table.
fn keeper_of(source: &DataSource) -> Option<QueryId> {
    let kept = || start::is_kept(source).then(|| names::kept_id(source));
    source.created_by.clone().or_else(kept)
}
