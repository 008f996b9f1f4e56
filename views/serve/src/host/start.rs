//! Starting queries: from a plan to tasks with inputs, a sink and a place for their state.
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use millrace_engine::state::InputId;
use millrace_engine::{Query, Settings as EngineSettings};
use millrace_record::{Offset, ProducerId};
use millrace_shard::Partition;
use millrace_sql::ast::{Statement, Located};
use millrace_sql::catalog::{Catalog, Effect, NewTopic, Settings};
use millrace_sql::expr::{EvalContext, SizeLimits};
use millrace_sql::functions::FunctionSettings;
use millrace_sql::plan::{DataSource, PersistentPlan, QueryId, SourceColumn, SourceStep, Step};

use crate::Failed;
use crate::command::Command;
use crate::host::follow::{Following, TaskSpec};
use crate::host::plan::{moves_rows, table_topics};
use crate::host::Views;
use crate::host::topics::{AsThen, BrokerTopics};

/// The query that keeps the rows of a CREATE SOURCE TABLE.
pub fn kept_id(source: &DataSource) -> QueryId {
    QueryId::new(format!("CST_{}", source.name))
}

/// One query's trouble is not the others'.
fn not_started(id: &QueryId, error: &Failed) {
    tracing::error!(query = %id, %error, "a query could not be started; the others run");
}

impl Views {
    /// Folds the list of commands, then starts the queries that are left.
    pub(super) async fn restore(self: &Arc<Self>) -> Result<(), Failed> {
        let mut starts: BTreeMap<QueryId, Command> = BTreeMap::new();
        for bytes in self.outside.commands() {
            let command = Command::decode(&bytes).map_err(|error| Failed::trouble(error.to_string()))?;
            let effect = match self.decide_again(&self.catalog(), &command) {
                Ok(effect) => effect,
                Err(error) => {
                    // It was accepted once, by another version of this program or on top of what did not hold itself.
                    tracing::error!(statement = command.sql, %error, "a statement no longer holds and is passed over");
                    continue;
                }
            };
            match &effect {
                Effect::StartQuery { plan, .. } => drop(starts.insert(plan.id.clone(), command)),
                Effect::CreateSource { source, .. } => drop(starts.insert(kept_id(source), command)),
                _ => {}
            }
            let mut catalog = (*self.catalog()).clone();
            catalog.apply(&effect);
            self.catalog.store(Arc::new(catalog));
        }
        let catalog = self.catalog();
        for query in catalog.queries().filter(|query| !query.paused) {
            let Some(command) = starts.get(&query.plan.id) else { continue };
            if let Err(error) = self.follow(&query.plan, command).await {
                not_started(&query.plan.id, &error);
            }
        }
        for source in catalog.sources().filter(|source| source.read_only && source.is_table()) {
            let Some(command) = starts.get(&kept_id(source)) else { continue };
            if let Err(error) = self.keep_source(source, command).await {
                not_started(&kept_id(source), &error);
            }
        }
        Ok(())
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

    /// Starts a persistent query from its state's last cut, or from where the command says.
    pub(super) async fn follow(&self, plan: &Arc<PersistentPlan>, command: &Command) -> Result<(), Failed> {
        let settings: Settings = command.properties.clone().into_iter().collect();
        let query = self.compile(&settings, |engine| Query::persistent(plan, engine))?;
        let sink = self.topic(&plan.sink.source.topic)?;
        let producer = ProducerId(command.producer.ok_or_else(|| Failed::trouble("a query without a producer id"))?);
        let keep = plan.sink.source.is_table();
        let specs = self.task_specs(&plan.id, &plan.root, query, command, keep, plan.sink.source.window.is_some(), Some((producer, sink))).await?;
        self.run(plan.id.clone(), specs);
        Ok(())
    }

    /// Keeps the rows of a table that was declared over a topic, for look-ups.
    pub(super) async fn keep_source(&self, source: &Arc<DataSource>, command: &Command) -> Result<(), Failed> {
        let settings: Settings = command.properties.clone().into_iter().collect();
        let root = whole_source(source);
        let query = self.compile(&settings, |engine| Query::transient(&root, engine))?;
        let id = kept_id(source);
        let specs = self.task_specs(&id, &root, query, command, true, source.window.is_some(), None).await?;
        self.run(id, specs);
        Ok(())
    }

    fn run(&self, id: QueryId, specs: Vec<TaskSpec>) {
        let following = Following::start(self.outside.world(), self.databases(), specs);
        self.running.lock().insert(id, following);
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one task's description")]
    async fn task_specs(
        &self,
        id: &QueryId,
        root: &Step,
        query: Arc<Query>,
        command: &Command,
        keep_result: bool,
        windowed: bool,
        sink: Option<(ProducerId, Vec<Partition>)>,
    ) -> Result<Vec<TaskSpec>, Failed> {
        let mut inputs: Vec<(InputId, Partition, Offset)> = Vec::new();
        for topic in query.topics() {
            for (number, partition) in self.topic(&topic)?.into_iter().enumerate() {
                let begin = command.start.iter().find(|(name, at, _)| **name == *topic && *at == number as i32);
                let begin = begin.map_or(partition.state().start, |(_, _, offset)| Offset(*offset));
                inputs.push((InputId::new(topic.clone(), number as i32), partition, begin));
            }
        }
        // The schedule names inputs by their place, so a partition that a topic gets later comes after those there were.
        inputs.sort_by_key(|(input, ..)| input.partition);
        let tasks: Vec<Vec<(InputId, Partition, Offset)>> = if moves_rows(root) {
            vec![inputs]
        } else {
            let count = inputs.iter().map(|(input, ..)| input.partition + 1).max().unwrap_or(0);
            (0..count).map(|number| inputs.iter().filter(|(input, ..)| input.partition == number).cloned().collect()).collect()
        };
        let memory_bytes = (self.settings.memory_bytes / 2 / tasks.len().max(1) / 8).max(1 << 20);
        let dir = self.query_dir(id);
        let mut specs = Vec::with_capacity(tasks.len());
        for (number, inputs) in tasks.into_iter().enumerate() {
            // With one input its order is the order; only several need to be told apart later.
            let schedule = if inputs.len() > 1 { Some(self.schedule_of(id, number).await?) } else { None };
            specs.push(TaskSpec {
                name: format!("{id}/{number}"),
                query: query.clone(),
                tables: table_topics(root),
                dir: dir.join(number.to_string()),
                memory_bytes,
                inputs,
                schedule,
                // Tasks count their outputs apart, so each needs a producer id of its own: ids come in runs of this many.
                sink: sink.as_ref().map(|(producer, partitions)| (ProducerId(producer.0 + number as i64), partitions.clone())),
                keep_result,
                windowed,
                plant: self.settings.plant,
            });
        }
        Ok(specs)
    }

    async fn schedule_of(&self, id: &QueryId, task: usize) -> Result<Partition, Failed> {
        let name = schedule_topic(id, task);
        if self.outside.partitions(&name).is_none() {
            let topic = NewTopic { name: name.clone(), partitions: Some(1), replicas: None, retention_ms: Some(-1), cleanup_policy: None };
            self.outside.create_topic(topic).await.map_err(|refused| Failed::Trouble(refused.0))?;
        }
        let partitions = self.topic(&name)?;
        partitions.into_iter().next().ok_or_else(|| Failed::trouble(format!("{name} has no partition")))
    }

    /// Where the query's inputs begin, by its session's `auto.offset.reset`.
    pub(super) fn start_positions(&self, root: &Step, settings: &Settings) -> Result<Vec<(String, i32, i64)>, Failed> {
        let earliest = settings.get("auto.offset.reset").is_some_and(|value| value.eq_ignore_ascii_case("earliest"));
        let mut positions = Vec::new();
        for step in root.sources() {
            let topic = &step.source.topic;
            if positions.iter().any(|(known, ..): &(String, i32, i64)| known == topic) {
                continue;
            }
            for (number, partition) in self.topic(topic)?.iter().enumerate() {
                let state = partition.state();
                // A table is what its whole topic says, wherever streams begin.
                let begin = if earliest || step.source.is_table() { state.start } else { state.high_watermark };
                positions.push((topic.clone(), number as i32, begin.0));
            }
        }
        Ok(positions)
    }

    /// Ends a query; with `forget` its state goes too.
    pub(super) async fn stop_query(&self, id: &QueryId, forget: bool) {
        let following = self.running.lock().remove(id);
        let tasks = match &following {
            Some(following) => {
                following.stop().await;
                following.status().len()
            }
            None => 0,
        };
        if !forget {
            return;
        }
        drop(following);
        let disk = self.outside.world().disk();
        let dir = self.query_dir(id);
        if disk.exists(&dir).unwrap_or(false)
            && let Err(error) = disk.remove_dir_all(&dir)
        {
            tracing::warn!(query = %id, %error, "the state of a query that is gone could not be removed");
        }
        for task in 0..tasks {
            let name = schedule_topic(id, task);
            if self.outside.partitions(&name).is_some()
                && let Err(error) = self.outside.delete_topic(name).await
            {
                tracing::warn!(query = %id, %error, "the schedule of a query that is gone could not be removed");
            }
        }
    }

    fn query_dir(&self, id: &QueryId) -> PathBuf {
        self.outside.state_dir().join(&*id.0)
    }

    pub(super) fn topic(&self, name: &str) -> Result<Vec<Partition>, Failed> {
        self.outside.partitions(name).ok_or_else(|| Failed::trouble(format!("Kafka topic does not exist: {name}")))
    }
}

/// How many producer ids a query may use: one per task.
pub const PRODUCERS_PER_QUERY: i64 = 1000;

fn schedule_topic(id: &QueryId, task: usize) -> String {
    format!("_millrace_schedule_{id}_{task}")
}

/// All declared columns of a source, as a query would read them: a kept row has each at its place in the declaration.
pub(super) fn whole_source(source: &Arc<DataSource>) -> Step {
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
