//! How a plan is cut into stages: wherever rows must move to the partition of another key, one stage ends and the next begins.
//!
//! Invariant: rows of one key meet in one task of the stage that keeps state by that key. A key that only leads to the sink needs
//! no stage: a record finds its partition there by itself. Crossings are numbered from the result down, so a stage reads crossings
//! of higher numbers only.

use millrace_sql::ast::Expression;
use millrace_sql::plan::{DataSource, FormatInfo, JoinForm, PersistentPlan, Step};
use millrace_sql::schema::Column;

/// A place where rows move: what the step gives goes to the partition of its key.
#[derive(Clone, Copy, Debug)]
pub struct Crossing<'a> {
    /// The last step before rows move.
    pub step: &'a Step,
    /// They move to their group; absent: to the key that the step gave them.
    pub group_by: Option<&'a [Expression]>,
    /// As in the name of its topic.
    pub name: &'static str,
    /// A source that the stage behind reads too: rows must come to the partitions in which its producers put the same keys, so
    /// keys are written as its are. Where groups alone are behind, it is the sink: a task keeps the groups of one of its partitions.
    pub meets: Option<&'a DataSource>,
}

impl PartialEq for Crossing<'_> {
    /// The same rows cross with the same keys, whichever query asks for them.
    fn eq(&self, other: &Crossing<'_>) -> bool {
        self.step == other.step && self.group_by == other.group_by && self.keys() == other.keys()
    }
}

impl Crossing<'_> {
    /// How keys are written.
    fn keys(&self) -> Option<(&FormatInfo, Vec<&Column>)> {
        self.meets.map(|meets| (&meets.key_format, meets.schema.keys().collect()))
    }

    pub(crate) fn is_of(&self, step: &Step) -> bool {
        std::ptr::eq(self.step, step)
    }
}

/// All crossings of a plan; nothing where rows meet in a way that only one task over all partitions can follow.
pub fn crossings(plan: &PersistentPlan) -> Option<Vec<Crossing<'_>>> {
    let root = &plan.root;
    let mut found = Vec::new();
    if !walk(root, None, &mut found) {
        return None;
    }
    for stage in 0..=found.len() {
        let step = if stage == 0 { root } else { found[stage - 1].step };
        let (mut sources, mut read) = (Vec::new(), Vec::new());
        gather(step, true, &found, &mut sources, &mut read);
        let meets = sources.first().copied().or_else(|| (stage == 0 && keeps_groups(root)).then_some(&*plan.sink.source));
        // Equal keys in two formats lie in partitions that have nothing to do with each other.
        if sources.iter().any(|source| meets.is_some_and(|first| first.key_format != source.key_format)) {
            return None;
        }
        read.into_iter().for_each(|at| found[at].meets = meets);
    }
    Some(found)
}

/// Whether a result's rows are groups: their keys are then those that rows moved by.
fn keeps_groups(step: &Step) -> bool {
    match step {
        Step::Aggregate(_) => true,
        Step::Project(_) | Step::Filter(_) | Step::Suppress(_) => step.inputs().into_iter().all(keeps_groups),
        _ => false,
    }
}

/// `needed`: a step above keeps state by the key of what comes from here, under this name.
fn walk<'a>(step: &'a Step, needed: Option<&'static str>, found: &mut Vec<Crossing<'a>>) -> bool {
    match step {
        Step::PartitionBy(partition_by) => {
            if let Some(name) = needed {
                found.push(Crossing { step, group_by: None, name, meets: None });
            }
            walk(&partition_by.input, None, found)
        }
        Step::Aggregate(aggregate) if aggregate.repartition => {
            found.push(Crossing { step: &aggregate.input, group_by: Some(&aggregate.group_by), name: "Aggregate-GroupBy", meets: None });
            walk(&aggregate.input, None, found)
        }
        Step::Aggregate(aggregate) => walk(&aggregate.input, Some("Aggregate-GroupBy"), found),
        Step::Join(join) => {
            // The answer to a foreign key comes from another partition than the row that asked, and in another order.
            if matches!(join.form, JoinForm::ForeignKey { .. }) {
                return false;
            }
            walk(&join.left, Some("Join-left"), found) && walk(&join.right, Some("Join-right"), found)
        }
        other => other.inputs().into_iter().all(|input| walk(input, needed, found)),
    }
}

/// The crossings and the topics that a stage reads: the stage that ends at `step`.
pub fn inputs_of<'a>(step: &'a Step, crossings: &[Crossing<'a>]) -> StageInputs<'a> {
    let (mut sources, mut read) = (Vec::new(), Vec::new());
    gather(step, true, crossings, &mut sources, &mut read);
    let mut topics: Vec<&str> = Vec::new();
    for source in sources {
        if !topics.contains(&source.topic.as_str()) {
            topics.push(&source.topic);
        }
    }
    StageInputs { topics, crossings: read }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StageInputs<'a> {
    pub topics: Vec<&'a str>,
    pub crossings: Vec<usize>,
}

fn gather<'a>(step: &'a Step, is_root: bool, crossings: &[Crossing<'a>], sources: &mut Vec<&'a DataSource>, read: &mut Vec<usize>) {
    if !is_root && let Some(at) = crossings.iter().position(|crossing| crossing.is_of(step)) {
        read.push(at);
        return;
    }
    if let Step::Source(source) = step {
        sources.push(&source.source);
    }
    step.inputs().into_iter().for_each(|input| gather(input, false, crossings, sources, read));
}
