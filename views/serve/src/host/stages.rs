//! A query's stages as tasks: their inputs, their topics, their place on disk.
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use millrace_engine::state::{Cut, InputId};
use millrace_engine::{Crossing, Query};
use millrace_record::{Offset, ProducerId};
use millrace_shard::Partition;
use millrace_sql::catalog::{NewTopic, Settings};
use millrace_sql::plan::{PersistentPlan, QueryId, Step};

use crate::Failed;
use crate::command::{Command, Repartition};
use crate::host::Views;
use crate::host::follow::{Passed, TaskSpec};
use crate::host::names::{repartition_topic, safe, schedule_topic};
use crate::host::plan::{Layout, crossing_partitions};
use crate::run::Cell;

/// How many producer ids a stage may use: one per task.
pub const PRODUCERS_PER_STAGE: i64 = 1000;

/// `single`: a query whose rows move runs as one task over all partitions, so that all its rows are always of one cut.
/// `partitions` (the default): as one task for each partition.
pub const TASKS: &str = "views.query.tasks";

/// One stage of a query as it is to run.
pub struct Stage<'a> {
    pub id: &'a str,
    /// Whose stage it is.
    pub query_id: &'a QueryId,
    pub query: Arc<Query>,
    pub start: &'a [(String, i32, i64)],
    /// Those of its topics whose records are a table's rows.
    pub tables: BTreeSet<Arc<str>>,
    /// The topics through which the query's rows move.
    pub moved: &'a [Arc<str>],
    pub one_task: bool,
    pub keep_result: bool,
    pub windowed: bool,
    pub sink: Option<(ProducerId, Vec<Partition>)>,
    /// How many partitions the sink had before the first output; absent where not all outputs are the query's own.
    pub sink_began_with: Option<i32>,
}

impl Views {
    /// The stages that a new query needs, and whether it is spread over tasks at all.
    pub(super) async fn spread(&self, plan: &PersistentPlan, settings: &Settings, start: &[(String, i32, i64)]) -> Result<(bool, Vec<Repartition>), Failed> {
        let Some(crossings) = millrace_engine::crossings(plan) else { return Ok((false, Vec::new())) };
        if crossings.is_empty() {
            return Ok((true, Vec::new()));
        }
        let partitions = |topic: &str| self.outside.partitions(topic).map_or(1, |found| found.len() as i32);
        let single = settings.get(TASKS).is_some_and(|value| value.eq_ignore_ascii_case("single"));
        // Rows of one partition have nowhere to move.
        if single || plan.root.sources().iter().all(|step| partitions(&step.source.topic) <= 1) {
            return Ok((false, Vec::new()));
        }
        let counts = crossing_partitions(&plan.root, &crossings, &partitions);
        let mut repartitions: Vec<Repartition> = Vec::new();
        for (at, (crossing, partitions)) in crossings.iter().zip(counts).enumerate() {
            let topics = crossing.inputs(&crossings).topics;
            let start: Vec<_> = start.iter().filter(|(topic, ..)| topics.contains(&topic.as_str())).cloned().collect();
            let made = match self.shared(crossing, settings, partitions, &start) {
                Some(shared) if !repartitions.contains(&shared) => shared,
                _ => self.new_repartition(&plan.id, at, crossing, partitions, start).await?,
            };
            repartitions.push(made);
        }
        Ok((true, repartitions))
    }

    pub(super) async fn new_repartition(
        &self,
        query: &QueryId,
        at: usize,
        crossing: &Crossing<'_>,
        partitions: i32,
        start: Vec<(String, i32, i64)>,
    ) -> Result<Repartition, Failed> {
        // The number of the command that is about to be written: no other stage is ever called this.
        let number = self.outside.commands().len();
        Ok(Repartition {
            id: safe(&format!("{query}-{number}-{at}")),
            topic: repartition_topic(self.service_id(), query, crossing.name, number, at),
            partitions,
            producer: self.producers().await?,
            start,
            sink_keys: true,
        })
    }

    pub(super) async fn producers(&self) -> Result<i64, Failed> {
        self.outside.producer_ids(PRODUCERS_PER_STAGE).await.map_err(|refused| Failed::Trouble(refused.0))
    }

    /// The stage of another query through which the same rows move, from the same beginning, none of them gone yet.
    fn shared(&self, crossing: &Crossing<'_>, settings: &Settings, partitions: i32, start: &[(String, i32, i64)]) -> Option<Repartition> {
        let catalog = self.catalog();
        let starts = self.starts.lock();
        catalog.queries().filter(|query| !query.paused).find_map(|query| {
            let command = starts.get(&query.plan.id)?;
            let same_settings = settings.iter().map(|(name, value)| (name.to_string(), value.to_string())).eq(command.properties.clone());
            let Ok(Layout::PerPartition(theirs)) = Layout::of(&query.plan, command) else { return None };
            if !same_settings || theirs.len() != command.repartitions.len() {
                return None;
            }
            let at = theirs.iter().position(|their| their == crossing)?;
            let known = &command.repartitions[at];
            // What comes through other stages begins with them; only a stage over topics alone is sure to be the same.
            let plain = theirs[at].inputs(&theirs).crossings.is_empty();
            let whole = || self.outside.partitions(&known.topic).is_some_and(|all| all.iter().all(|one| one.state().start == Offset(0)));
            (plain && known.partitions == partitions && known.start == start && whole()).then(|| known.clone())
        })
    }

    pub(super) async fn stage_tasks(&self, stage: Stage<'_>) -> Result<Vec<TaskSpec>, Failed> {
        let mut inputs: Vec<(InputId, Partition, Offset)> = Vec::new();
        for topic in stage.query.topics() {
            for (number, partition) in self.topic(&topic)?.into_iter().enumerate() {
                let begin = stage.start.iter().find(|(name, at, _)| **name == *topic && *at == number as i32);
                let begin = begin.map_or(partition.state().start, |(_, _, offset)| Offset(*offset));
                inputs.push((InputId::new(topic.clone(), number as i32), partition, begin));
            }
        }
        inputs.sort_by_key(|(input, ..)| input.partition);
        let tasks: Vec<Vec<(InputId, Partition, Offset)>> = if stage.one_task {
            vec![inputs]
        } else {
            let count = inputs.iter().map(|(input, ..)| input.partition + 1).max().unwrap_or(0);
            (0..count).map(|number| inputs.iter().filter(|(input, ..)| input.partition == number).cloned().collect()).collect()
        };
        if tasks.len() as i64 > PRODUCERS_PER_STAGE {
            return Err(Failed::trouble(format!("a query runs at most {PRODUCERS_PER_STAGE} tasks, one for each partition; this one needs {}", tasks.len())));
        }
        let mut meets_in = BTreeMap::new();
        let topics = stage.query.topics();
        if !stage.one_task && topics.iter().any(|topic| stage.moved.contains(topic)) {
            for topic in topics.into_iter().filter(|topic| !stage.moved.contains(topic)) {
                meets_in.insert(topic.clone(), self.topic(&topic)?.len() as i32);
            }
        }
        let dir = self.state_dir_of(stage.id);
        let mut specs = Vec::with_capacity(tasks.len());
        for (number, inputs) in tasks.into_iter().enumerate() {
            // With one input its order is the order; only several need to be told apart later. A task that may get a second
            // one, when a topic gets partitions, needs to have kept the order from the start.
            let several = inputs.len() > 1 || stage.one_task || stage.query.topics().len() > 1;
            let schedule = if several { Some(self.schedule_of(stage.id, number).await?) } else { None };
            specs.push(TaskSpec {
                name: format!("{}/{number}", stage.id),
                query: stage.query.clone(),
                dir: dir.join(number.to_string()),
                inputs,
                tables: stage.tables.clone(),
                meets_in: meets_in.clone(),
                schedule,
                // Tasks count their outputs apart, so each needs a producer id of its own: ids come in runs of this many.
                sink: stage.sink.as_ref().map(|(producer, partitions)| (ProducerId(producer.0 + number as i64), partitions.clone())),
                remakes: stage.sink.as_ref().is_none_or(|(_, partitions)| stage.sink_began_with == Some(partitions.len() as i32)),
                keep_result: stage.keep_result,
                windowed: stage.windowed,
                plant: self.settings.plant,
                log: self.log.clone(),
                logs_as: stage.query_id.to_string(),
            });
        }
        Ok(specs)
    }

    async fn schedule_of(&self, id: &str, task: usize) -> Result<Partition, Failed> {
        let name = schedule_topic(id, task);
        self.make_internal(&name, 1).await?;
        let partitions = self.topic(&name)?;
        partitions.into_iter().next().ok_or_else(|| Failed::trouble(format!("{name} has no partition")))
    }

    /// A topic that only views read and write: what it holds goes when they no longer need it, and never before.
    pub(super) async fn make_internal(&self, name: &str, partitions: i32) -> Result<(), Failed> {
        if self.outside.partitions(name).is_some() {
            return Ok(());
        }
        let topic = NewTopic { name: name.to_string(), partitions: Some(partitions), replicas: None, retention_ms: Some(-1), cleanup_policy: Some("delete".into()) };
        self.outside.create_topic(topic).await.map_err(|refused| Failed::Trouble(refused.0))
    }

    pub(super) fn state_dir_of(&self, id: &str) -> PathBuf {
        self.outside.state_dir().join(safe(id))
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

    /// Waits until the query has applied everything before `cut`, through all of its stages, and answers its own tasks as they are then.
    /// A cut of anything but their inputs is refused, for no answer could be known to hold it.
    pub async fn reached(&self, id: &QueryId, cut: &Cut) -> Result<Vec<Arc<Cell>>, Failed> {
        let stopped = |trouble: String| Failed::Trouble(format!("{id} does not run: {trouble}"));
        let command = self.command_of(id)?;
        let mut stages = Vec::new();
        for repartition in &command.repartitions {
            if let Some(stage) = self.repartition(&repartition.id) {
                let cells = stage.opened().await.map_err(stopped)?;
                stages.push((repartition, stage, cells));
            }
        }
        let last = self.following(id).ok_or_else(|| stopped("it was ended".into()))?;
        let cells = last.opened().await.map_err(stopped)?;
        for (input, _) in cut.iter() {
            let reads = |cell: &Arc<Cell>| cell.reads(input);
            if !cells.iter().any(reads) && !stages.iter().flat_map(|(.., cells)| cells).any(reads) {
                return Err(Failed::NotAnInput(format!("the view does not read {}-{}, which the cut names", input.topic, input.partition)));
            }
        }
        // From the inputs down: what is in a stage's topic when the stage has settled is what the next one must have read.
        let mut cut = cut.clone();
        for (repartition, stage, _) in stages.into_iter().rev() {
            stage.passed(&cut, Passed::Settled).await.map_err(stopped)?;
            for (number, partition) in self.outside.partitions(&repartition.topic).unwrap_or_default().iter().enumerate() {
                cut.advance(&InputId::new(repartition.topic.as_str(), number as i32), partition.state().high_watermark.0);
            }
        }
        last.passed(&cut, Passed::Applied).await.map_err(stopped)
    }
}

/// The commands' part that a layout needs.
pub fn repartition_topics(command: &Command) -> Vec<Arc<str>> {
    command.repartitions.iter().map(|repartition| repartition.topic.as_str().into()).collect()
}
