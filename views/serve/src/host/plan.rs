//! How a plan is spread over stages and tasks.
//!
//! Invariants: rows of one key meet in one task. Where rows move through topics, a reader of a stage's topic sees each row once,
//! whatever crashes. How a query was spread when it was made is part of its command and never changes: its state lies that way.
use std::collections::BTreeSet;
use std::sync::Arc;

use millrace_engine::{Crossing, crossings, inputs_of};
use millrace_sql::plan::{JoinForm, PersistentPlan, Step};

use crate::Failed;
use crate::command::Command;

/// How a persistent query's tasks are laid out.
pub enum Layout<'a> {
    /// One task over all partitions of all inputs, in the order that its schedule keeps.
    OneTask,
    /// One task for each partition, in as many stages as there are crossings, and one more.
    PerPartition(Vec<Crossing<'a>>),
}

impl<'a> Layout<'a> {
    /// As the command says that the query was made.
    pub fn of(plan: &'a PersistentPlan, command: &Command) -> Result<Layout<'a>, Failed> {
        if !command.sharded {
            let apart = crossings(plan).is_some_and(|crossings| crossings.is_empty()) && !moves_rows(&plan.root);
            return Ok(if apart { Layout::PerPartition(Vec::new()) } else { Layout::OneTask });
        }
        match crossings(plan) {
            Some(crossings) if crossings.len() == command.repartitions.len() => Ok(Layout::PerPartition(crossings)),
            _ => Err(Failed::trouble("the query's stages are not those that it was made with: drop it and create it again")),
        }
    }
}

/// The topics that a query reads as tables.
pub fn table_topics(root: &Step) -> BTreeSet<Arc<str>> {
    root.sources().into_iter().filter(|step| step.source.is_table()).map(|step| Arc::from(&*step.source.topic)).collect()
}

/// Whether rows move between partitions inside the plan.
fn moves_rows(step: &Step) -> bool {
    let here = match step {
        Step::PartitionBy(_) => true,
        Step::Aggregate(aggregate) => aggregate.repartition,
        Step::Join(join) => matches!(join.form, JoinForm::ForeignKey { .. }),
        Step::Source(_) | Step::Filter(_) | Step::Project(_) | Step::FlatMap(_) | Step::Suppress(_) => false,
    };
    here || step.inputs().into_iter().any(moves_rows)
}

/// Whether the plan keeps rows between records: if not, it can begin anywhere.
pub fn is_stateful(step: &Step) -> bool {
    let here = matches!(step, Step::Aggregate(_) | Step::Join(_) | Step::Suppress(_)) || step.kind() == millrace_sql::plan::SourceKind::Table;
    here || step.inputs().into_iter().any(is_stateful)
}

/// How many partitions the stage that ends at `step` has: its topics' own, or as many as those that come to it had before.
pub fn partitions_of<'a>(step: &'a Step, crossings: &[Crossing<'a>], topic_partitions: &dyn Fn(&str) -> i32) -> i32 {
    let inputs = inputs_of(step, crossings);
    match inputs.topics.iter().map(|topic| topic_partitions(topic)).max() {
        Some(own) => own,
        None => inputs.crossings.iter().map(|at| partitions_of(crossings[*at].step, crossings, topic_partitions)).max().unwrap_or(1),
    }
}

/// How many partitions each crossing's topic needs: as many as the stage behind it.
pub fn crossing_partitions<'a>(root: &'a Step, crossings: &[Crossing<'a>], topic_partitions: &dyn Fn(&str) -> i32) -> Vec<i32> {
    let stages: Vec<&Step> = std::iter::once(root).chain(crossings.iter().map(|crossing| crossing.step)).collect();
    let reader = |at: usize| stages.iter().find(|step| inputs_of(step, crossings).crossings.contains(&at));
    (0..crossings.len()).map(|at| reader(at).map_or(1, |step| partitions_of(step, crossings, topic_partitions))).collect()
}
