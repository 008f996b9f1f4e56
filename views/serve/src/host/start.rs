//! Starting and ending queries: from a plan to tasks that run, and back to nothing.
use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_engine::{Crossing, Moves, Query, Settings as EngineSettings};
use millrace_record::ProducerId;
use millrace_shard::GroupId;
use millrace_sql::ast::{Located, Statement};
use millrace_sql::catalog::{Catalog, Effect, Settings};
use millrace_sql::expr::{EvalContext, SizeLimits};
use millrace_sql::functions::FunctionSettings;
use millrace_sql::plan::{DataSource, PersistentPlan, QueryId, SourceColumn, SourceStep, Step};

use crate::Failed;
use crate::command::{Command, Repartition};
use crate::host::commands::{CommandStatus, command_id};
use crate::host::deletions::Deletion;
use crate::host::execute::message_of;
use crate::host::follow::{Following, TaskSpec};
use crate::host::names::{kept_id, safe, scheduled};
use crate::host::plan::{Layout, table_topics};
use crate::host::stages::{Stage, repartition_topics};
use crate::host::topics::{AsThen, BrokerTopics};
use crate::host::{Known, Started, Views};

impl Views {
    /// Folds the list of commands, removes what no query needs any more, then starts the queries that are left.
    pub(super) async fn restore(self: &Arc<Self>) -> Result<(), Failed> {
        let mut known = Known::default();
        for bytes in self.outside.commands() {
            let command = Arc::new(Command::decode(&bytes).map_err(|error| Failed::trouble(error.to_string()))?);
            let effect = match self.decide_again(&self.catalog(), &command) {
                Ok(effect) => effect,
                Err(error) => {
                    // It was accepted once, by another version of this program or on top of what did not hold itself.
                    tracing::error!(statement = command.sql, %error, "a statement no longer holds and is passed over");
                    self.commands.pass_over();
                    continue;
                }
            };
            known.note(&effect, &command);
            self.deletions.lock().extend(Deletion::of(&effect, &command));
            self.note_start(&effect, &command);
            let before = self.catalog();
            let query = match &effect {
                Effect::StartQuery { plan, .. } => Some(plan.id.to_string()),
                _ => None,
            };
            self.commands.carried_out(command_id(&effect, &before), CommandStatus { message: message_of(&effect), query, failed: false });
            let mut catalog = (*before).clone();
            catalog.apply(&effect);
            self.catalog.store(Arc::new(catalog));
        }
        self.forget_ended();
        self.hold_inputs();
        self.remove_leftovers(&known).await;
        self.finish_deletions().await;
        let catalog = self.catalog();
        for query in catalog.queries().filter(|query| !query.paused) {
            self.follow(&query.plan).await;
        }
        for source in catalog.sources().filter(|source| source.read_only && source.is_table()) {
            self.keep_source(source).await;
        }
        Ok(())
    }

    /// Remembers the command that a query runs by.
    pub(super) fn note_start(&self, effect: &Effect, command: &Arc<Command>) {
        match effect {
            Effect::StartQuery { plan, .. } => drop(self.starts.lock().insert(plan.id.clone(), command.clone())),
            Effect::CreateSource { source, .. } if is_kept(source) => drop(self.starts.lock().insert(kept_id(source), command.clone())),
            _ => {}
        }
    }

    /// Forgets the commands of queries that are no more.
    pub(super) fn forget_ended(&self) {
        let catalog = self.catalog();
        let kept: Vec<QueryId> = catalog.sources().filter(|source| is_kept(source)).map(|source| kept_id(source)).collect();
        self.starts.lock().retain(|id, _| catalog.query(id).is_some() || kept.contains(id));
        self.troubles.lock().retain(|id, _| catalog.query(id).is_some() || kept.contains(id));
    }

    pub(super) fn decide_again(&self, catalog: &Catalog, command: &Command) -> Result<Effect, Failed> {
        let settings: Settings = command.properties.clone().into_iter().collect();
        let located = self.parse_one(&command.sql)?;
        let topics = AsThen { then: &command.topics, now: BrokerTopics(&*self.outside) };
        Ok(self.decide(catalog, &topics, &settings, &located)?.effect)
    }

    pub(super) fn parse_one(&self, sql: &str) -> Result<Located, Failed> {
        let mut statements = millrace_sql::parser::parse(sql, &mut Default::default(), &self.settings.limits)?;
        match (statements.pop(), statements.is_empty()) {
            (Some(located), true) => Ok(located),
            _ => Err(Failed::statement("exactly one statement is expected here")),
        }
    }

    /// For what is computed once, now.
    pub(super) fn eval_context(&self, settings: &Settings) -> EvalContext {
        let now_ms = self.outside.world().wall_ms();
        EvalContext::new(now_ms, now_ms.unsigned_abs()).limited(SizeLimits::from_properties(|name| settings.get(name)))
    }

    pub(super) fn compile(&self, settings: &Settings, compile: impl FnOnce(&EngineSettings<'_>) -> Result<Query, millrace_engine::CompileError>) -> Result<Arc<Query>, Failed> {
        let function_settings = FunctionSettings::from_properties(settings.iter());
        let strict = settings.get("ksql.timestamp.throw.on.invalid").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let engine = EngineSettings { functions: self.functions, function_settings: &function_settings, strict_timestamps: strict };
        compile(&engine).map(Arc::new).map_err(|error| Failed::statement(error.to_string()))
    }

    /// Runs a persistent query from its state's last cut, or from where its command says. One that cannot start now says
    /// why, is tried again later, and keeps nobody else from running.
    pub(super) async fn follow(&self, plan: &Arc<PersistentPlan>) {
        let began = self.begin(plan).await;
        self.note_trouble(&plan.id, began);
    }

    async fn begin(&self, plan: &Arc<PersistentPlan>) -> Result<(), Failed> {
        let command = self.command_of(&plan.id)?;
        let (crossings, one_task) = match Layout::of(plan, &command)? {
            Layout::OneTask => (Vec::new(), true),
            Layout::PerPartition(crossings) => (crossings, false),
        };
        self.begin_stages(&plan.id, &crossings, &command).await?;
        if self.following(&plan.id).is_some() {
            return Ok(());
        }
        let settings: Settings = command.properties.clone().into_iter().collect();
        let topics = repartition_topics(&command);
        let moves = Moves { crossings: &crossings, topics: &topics };
        let sink_topic = &plan.sink.source.topic;
        let producer = command.producer.ok_or_else(|| Failed::trouble("a query without a producer id"))?;
        let tasks = self
            .stage_tasks(Stage {
                id: &plan.id.0,
                query_id: &plan.id,
                query: self.compile(&settings, |engine| Query::last_stage(plan, moves, engine))?,
                start: &command.start,
                tables: table_topics(&plan.root),
                moved: &topics,
                one_task,
                keep_result: plan.sink.source.is_table(),
                windowed: plan.sink.source.window.is_some(),
                sink: Some((ProducerId(producer), self.topic(sink_topic)?)),
                sink_began_with: command.sink_partitions,
            })
            .await?;
        let started = self.run(tasks, sink_topic);
        self.running.lock().insert(plan.id.clone(), started);
        Ok(())
    }

    /// Runs the stages that bring rows to their keys, so far as they do not run already for another query.
    async fn begin_stages(&self, query_id: &QueryId, crossings: &[Crossing<'_>], command: &Command) -> Result<(), Failed> {
        let settings: Settings = command.properties.clone().into_iter().collect();
        let topics = repartition_topics(command);
        let moves = Moves { crossings, topics: &topics };
        for repartition in &command.repartitions {
            self.make_internal(&repartition.topic, repartition.partitions).await?;
        }
        for (at, repartition) in command.repartitions.iter().enumerate() {
            if self.repartition(&repartition.id).is_some() {
                continue;
            }
            let tasks = self
                .stage_tasks(Stage {
                    id: &repartition.id,
                    query_id,
                    query: self.compile(&settings, |engine| Query::crossing(at, moves, engine))?,
                    start: &repartition.start,
                    tables: table_topics(crossings[at].step),
                    moved: &topics,
                    one_task: false,
                    keep_result: false,
                    windowed: false,
                    sink: Some((ProducerId(repartition.producer), self.topic(&repartition.topic)?)),
                    sink_began_with: Some(repartition.partitions),
                })
                .await?;
            let started = self.run(tasks, &repartition.topic);
            self.repartitions.lock().insert(repartition.id.clone(), started);
        }
        Ok(())
    }

    /// Keeps the rows of a table that was declared over a topic, for look-ups.
    pub(super) async fn keep_source(&self, source: &Arc<DataSource>) {
        let began = self.begin_source(source).await;
        self.note_trouble(&kept_id(source), began);
    }

    async fn begin_source(&self, source: &Arc<DataSource>) -> Result<(), Failed> {
        let id = kept_id(source);
        if self.following(&id).is_some() {
            return Ok(());
        }
        let command = self.command_of(&id)?;
        let settings: Settings = command.properties.clone().into_iter().collect();
        let root = whole_source(source);
        let query = self.compile(&settings, |engine| Query::transient(&root, engine))?;
        let windowed = source.window.is_some();
        let stage = Stage { id: &id.0, query_id: &id, query, start: &command.start, tables: table_topics(&root), moved: &[], one_task: false, keep_result: true, windowed, sink: None, sink_began_with: None };
        let started = self.run(self.stage_tasks(stage).await?, &source.topic);
        self.running.lock().insert(id, started);
        Ok(())
    }

    pub(super) fn command_of(&self, id: &QueryId) -> Result<Arc<Command>, Failed> {
        self.starts.lock().get(id).cloned().ok_or_else(|| Failed::trouble(format!("no command started {id}")))
    }

    fn run(&self, tasks: Vec<TaskSpec>, output: &str) -> Started {
        let mut topics: BTreeMap<String, Vec<GroupId>> = BTreeMap::new();
        let inputs = tasks.iter().flat_map(|task| &task.inputs).map(|(input, ..)| input.topic.to_string());
        for topic in inputs.chain([output.to_string()]) {
            topics.entry(topic).or_insert_with_key(|topic| self.groups_of(topic));
        }
        Started { following: Following::start(self.outside.world(), self.memory(), tasks), topics }
    }

    /// The partitions of a topic as nothing else is ever called.
    pub(super) fn groups_of(&self, topic: &str) -> Vec<GroupId> {
        self.outside.partitions(topic).unwrap_or_default().iter().map(millrace_shard::Partition::id).collect()
    }

    /// Ends a query's tasks, with their state written back, and the stages that only it needed.
    pub(super) async fn stop_query(&self, id: &QueryId) {
        let started = self.running.lock().remove(id);
        if let Some(started) = started {
            started.following.stop().await;
        }
        self.troubles.lock().remove(id);
        self.stop_unused_stages().await;
    }

    /// Side by side: each of them waits for its state to be on disk.
    pub(super) async fn stop_queries(&self, ids: &[QueryId]) {
        futures_util::future::join_all(ids.iter().map(|id| self.stop_query(id))).await;
    }

    pub(super) async fn stop_unused_stages(&self) {
        let used: Vec<String> = {
            let (running, starts) = (self.running.lock(), self.starts.lock());
            let used = running.keys().filter_map(|id| starts.get(id)).flat_map(|command| &command.repartitions);
            used.map(|repartition| repartition.id.clone()).collect()
        };
        let unused: Vec<String> = self.repartitions.lock().keys().filter(|id| !used.contains(id)).cloned().collect();
        for id in unused {
            let started = self.repartitions.lock().remove(&id);
            if let Some(started) = started {
                started.following.stop().await;
            }
        }
    }

    /// Removes what a query that is no more has left: state, schedules, and topics through which only its rows moved.
    pub(super) async fn forget(&self, id: &QueryId, command: Option<&Command>) {
        self.forget_by_id(vec![safe(&id.0)]).await;
        self.forget_stages(command).await;
    }

    /// The same of the command's stages that no query of the catalog needs.
    pub(super) async fn forget_stages(&self, command: Option<&Command>) {
        let live = self.live_repartitions();
        let mut gone = Vec::new();
        let unused = command.into_iter().flat_map(|command| &command.repartitions).filter(|repartition| !live.contains(repartition));
        for repartition in unused {
            gone.push(repartition.id.clone());
            self.remove_topic(&repartition.topic).await;
        }
        self.forget_by_id(gone).await;
    }

    async fn forget_by_id(&self, gone: Vec<String>) {
        for id in &gone {
            self.remove_state(id);
        }
        for topic in self.outside.topics() {
            if scheduled(&topic.name).is_some_and(|of| gone.iter().any(|id| id == of)) {
                self.remove_topic(&topic.name).await;
            }
        }
    }

    /// The stages that some query of the catalog needs, running or not.
    pub(super) fn live_repartitions(&self) -> Vec<Repartition> {
        self.starts.lock().values().flat_map(|command| command.repartitions.clone()).collect()
    }

    pub(super) fn remove_state(&self, id: &str) {
        let disk = self.outside.world().disk();
        let dir = self.outside.state_dir().join(id);
        if disk.exists(&dir).unwrap_or(false)
            && let Err(error) = disk.remove_dir_all(&dir)
        {
            tracing::warn!(query = id, %error, "the state of a query that is gone could not be removed");
        }
    }

    pub(super) async fn remove_topic(&self, name: &str) {
        if self.outside.partitions(name).is_some()
            && let Err(error) = self.outside.delete_topic(name.to_string()).await
        {
            tracing::warn!(topic = name, %error, "an internal topic that nobody needs could not be removed");
        }
    }

    pub(crate) fn topic(&self, name: &str) -> Result<Vec<millrace_shard::Partition>, Failed> {
        let missing = || match self.is_there(name) {
            true => Failed::trouble(format!("not all partitions of {name} are open on this node yet")),
            false => Failed::trouble(format!("Kafka topic does not exist: {name}")),
        };
        self.outside.partitions(name).ok_or_else(missing)
    }

    /// Whether there is such a topic, its partitions open or not.
    pub(super) fn is_there(&self, topic: &str) -> bool {
        self.outside.topics().iter().any(|known| known.name == topic)
    }
}

/// Whether the rows of the source are kept for look-ups although no query writes it.
pub fn is_kept(source: &DataSource) -> bool {
    source.read_only && source.is_table()
}

/// All declared columns of a source, as a query would read them: a kept row has each at its place in the declaration.
pub fn whole_source(source: &Arc<DataSource>) -> Step {
    let columns = (0..source.schema.columns().len()).map(SourceColumn::Declared);
    Step::Source(SourceStep { source: source.clone(), columns: columns.collect(), schema: source.schema.clone() })
}

/// Whether the statement is one that the list of commands must hold.
pub fn is_lasting(statement: &Statement, effect: &Effect) -> bool {
    !matches!(statement, Statement::InsertValues { .. })
        && matches!(
            effect,
            Effect::CreateSource { .. }
                | Effect::StartQuery { .. }
                | Effect::AlterSource { .. }
                | Effect::DropSource { .. }
                | Effect::Terminate { .. }
                | Effect::Pause { .. }
                | Effect::Resume { .. }
                | Effect::CreateType { .. }
                | Effect::DropType { .. }
        )
}
