//! How a plan is spread over stages and tasks.
//!
//! Invariants: rows of one key meet in one task. Where rows move through topics, a reader of a stage's topic sees each row once,
//! whatever crashes. How a query was spread when it was made is part of its command and never changes: its state lies that way.
use std::collections::BTreeSet;
use std::sync::Arc;

use millrace_engine::{Crossing, StageInputs, Way, crossings, inputs_of};
use millrace_sql::plan::{JoinForm, PersistentPlan, Step};

use crate::Failed;
use crate::command::{Command, Repartition};

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
            Some(crossings) if crossings.len() == command.repartitions.len() => {
                Ok(Layout::PerPartition(as_made(crossings, plan, &command.repartitions)))
            }
            _ => Err(Failed::trouble("the query's stages are not those that it was made with: drop it and create it again")),
        }
    }
}

/// The crossings with the keys that their topics were made for.
pub fn as_made<'a>(mut crossings: Vec<Crossing<'a>>, plan: &PersistentPlan, made: &[Repartition]) -> Vec<Crossing<'a>> {
    for (crossing, made) in crossings.iter_mut().zip(made) {
        let by_sink = crossing.meets.is_some_and(|meets| std::ptr::eq(meets, &*plan.sink.source));
        if by_sink && !made.sink_keys {
            crossing.meets = None;
        }
    }
    crossings
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

/// How many partitions a stage has: its topics' own, or as many as those that come to it had before.
fn partitions_of<'a>(inputs: &StageInputs<'a>, crossings: &[Crossing<'a>], topic_partitions: &dyn Fn(&str) -> i32) -> i32 {
    let came_from = |at: &usize| {
        // Answers go back to where the subscriptions came from.
        let asked = match crossings[*at].way {
            Way::Back(join) => crossings.iter().find(|crossing| matches!(crossing.way, Way::Reference(of) if std::ptr::eq(of, join))),
            _ => None,
        };
        partitions_of(&asked.unwrap_or(&crossings[*at]).inputs(crossings), crossings, topic_partitions)
    };
    match inputs.topics.iter().map(|topic| topic_partitions(topic)).max() {
        Some(own) => own,
        None => inputs.crossings.iter().map(came_from).max().unwrap_or(1),
    }
}

/// How many partitions each crossing's topic needs: as many as the stage behind it.
pub fn crossing_partitions<'a>(root: &'a Step, crossings: &[Crossing<'a>], topic_partitions: &dyn Fn(&str) -> i32) -> Vec<i32> {
    let stages: Vec<StageInputs<'_>> = std::iter::once(inputs_of(root, crossings)).chain(crossings.iter().map(|crossing| crossing.inputs(crossings))).collect();
    let reader = |at: usize| stages.iter().find(|inputs| inputs.crossings.contains(&at));
    (0..crossings.len()).map(|at| reader(at).map_or(1, |inputs| partitions_of(inputs, crossings, topic_partitions))).collect()
}

#[cfg(test)]
mod tests {
    use millrace_sql::catalog::{Catalog, Effect, NoSchemas, Session, Settings, Topics, decide};
    use millrace_sql::functions::Registry;
    use millrace_sql::parser::{Limits, Variables, parse};

    use super::*;

    struct FourPartitions;

    impl Topics for FourPartitions {
        fn partitions(&self, _: &str) -> Option<i32> {
            Some(4)
        }
    }

    fn plan(sql: &str) -> Arc<PersistentPlan> {
        let (mut catalog, settings) = (Catalog::default(), Settings::default());
        let mut last = None;
        for located in parse(sql, &mut Variables::default(), &Limits::STANDARD).unwrap() {
            let session = Session { catalog: &catalog, topics: &FourPartitions, schemas: &NoSchemas, settings: &settings, functions: Registry::builtin() };
            let effect = decide(&session, &located).unwrap().effect;
            catalog.apply(&effect);
            last = Some(effect);
        }
        match last {
            Some(Effect::StartQuery { plan, .. }) => plan,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn groups_go_on_moving_by_the_keys_that_their_topic_was_made_for() {
        let plan = plan(
            "CREATE STREAM s (k INT KEY, v INT) WITH (kafka_topic='s', value_format='JSON');
             CREATE TABLE t AS SELECT v, COUNT(*) AS n FROM s GROUP BY v;",
        );
        let made = |sink_keys| Repartition { id: "r".into(), topic: "r".into(), partitions: 4, producer: 1, start: Vec::new(), sink_keys };
        let meets = |made: Repartition| as_made(crossings(&plan).unwrap(), &plan, &[made])[0].meets.map(|source| source.name.to_string());
        assert_eq!(meets(made(true)).as_deref(), Some("T"));
        assert_eq!(meets(made(false)), None);
        // A command of before there was the word.
        let old = r#"{"id":"r","topic":"r","partitions":4,"producer":1,"start":[]}"#;
        assert_eq!(meets(serde_json::from_str(old).unwrap()), None);
    }
}
