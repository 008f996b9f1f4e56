//! How a plan is cut into stages: wherever rows must move to the partition of another key, one stage ends and the next begins.
//!
//! Invariant: rows of one key meet in one task of the stage that keeps state by that key. A key that only leads to the sink needs
//! no stage: a record finds its partition there by itself. Crossings are numbered from the result down, so a stage reads crossings
//! of higher numbers only.

use millrace_sql::ast::Expression;
use millrace_sql::plan::{DataSource, FormatInfo, Join, JoinForm, PersistentPlan, Step};
use millrace_sql::schema::Column;

/// A place where rows move: what the step gives goes to the partition of its key.
#[derive(Clone, Copy, Debug)]
pub struct Crossing<'a> {
    /// The last step before rows move; of answers, the join that gives them.
    pub step: &'a Step,
    pub way: Way<'a>,
    /// As in the name of its topic.
    pub name: &'static str,
    /// A source that the stage behind reads too: rows must come to the partitions in which its producers put the same keys, so
    /// keys are written as its are. Where groups alone are behind, it is the sink: a task keeps the groups of one of its partitions.
    pub meets: Option<&'a DataSource>,
}

/// What rows move to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way<'a> {
    /// The key that the step gave them.
    Key,
    /// Their group.
    Group(&'a [Expression]),
    /// The right key that they name, in a foreign-key join: subscriptions.
    Reference(&'a Join),
    /// The left key that subscribed, in a foreign-key join: answers.
    Back(&'a Join),
}

impl PartialEq for Crossing<'_> {
    /// The same rows cross with the same keys, whichever query asks for them.
    fn eq(&self, other: &Crossing<'_>) -> bool {
        self.step == other.step && self.way == other.way && self.keys() == other.keys()
    }
}

impl<'a> Crossing<'a> {
    /// How keys are written.
    fn keys(&self) -> Option<(&FormatInfo, Vec<&Column>)> {
        self.meets.map(|meets| (&meets.key_format, meets.schema.keys().collect()))
    }

    /// Whether what crosses here is what this step gives.
    pub(crate) fn is_of(&self, step: &Step) -> bool {
        matches!(self.way, Way::Key | Way::Group(_)) && std::ptr::eq(self.step, step)
    }

    pub(crate) fn is_reference_of(&self, join: &Join) -> bool {
        matches!(self.way, Way::Reference(of) if std::ptr::eq(of, join))
    }

    pub(crate) fn is_back_of(&self, join: &Join) -> bool {
        matches!(self.way, Way::Back(of) if std::ptr::eq(of, join))
    }

    /// What the stage that ends here reads.
    pub fn inputs(&self, crossings: &[Crossing<'a>]) -> StageInputs<'a> {
        let mut gathered = Gathered::default();
        match self.way {
            Way::Key | Way::Group(_) | Way::Reference(_) => gathered.stage(self.step, crossings),
            Way::Back(join) => {
                gathered.read.extend(crossings.iter().position(|crossing| crossing.is_reference_of(join)));
                gathered.step(&join.right, crossings);
            }
        }
        gathered.inputs()
    }
}

/// All crossings of a plan; nothing where rows meet in a way that only one task over all partitions can follow.
pub fn crossings(plan: &PersistentPlan) -> Option<Vec<Crossing<'_>>> {
    let root = &plan.root;
    let mut found = Vec::new();
    walk(root, None, &mut found);
    let stages: Vec<StageInputs<'_>> = std::iter::once(inputs_of(root, &found)).chain(found.iter().map(|crossing| crossing.inputs(&found))).collect();
    for (stage, inputs) in stages.into_iter().enumerate() {
        let sources = inputs.sources;
        let meets = sources.first().copied().or_else(|| (stage == 0 && keeps_groups(root)).then_some(&*plan.sink.source));
        // Equal keys in two formats lie in partitions that have nothing to do with each other.
        if sources.iter().any(|source| meets.is_some_and(|first| first.key_format != source.key_format)) {
            return None;
        }
        inputs.crossings.into_iter().for_each(|at| found[at].meets = meets);
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
fn walk<'a>(step: &'a Step, needed: Option<&'static str>, found: &mut Vec<Crossing<'a>>) {
    match step {
        Step::PartitionBy(partition_by) => {
            if let Some(name) = needed {
                found.push(Crossing { step, way: Way::Key, name, meets: None });
            }
            walk(&partition_by.input, None, found);
        }
        Step::Aggregate(aggregate) if aggregate.repartition => {
            found.push(Crossing { step: &aggregate.input, way: Way::Group(&aggregate.group_by), name: "Aggregate-GroupBy", meets: None });
            walk(&aggregate.input, None, found);
        }
        Step::Aggregate(aggregate) => walk(&aggregate.input, Some("Aggregate-GroupBy"), found),
        Step::Join(join) => {
            if matches!(join.form, JoinForm::ForeignKey { .. }) {
                found.push(Crossing { step, way: Way::Back(join), name: "FK-JOIN-SUBSCRIPTION-RESPONSE", meets: None });
                found.push(Crossing { step: &join.left, way: Way::Reference(join), name: "FK-JOIN-SUBSCRIPTION-REGISTRATION", meets: None });
                // Right rows move too: who wrote them may have chosen their partitions by another rule than we do.
                found.push(Crossing { step: &join.right, way: Way::Key, name: "FK-JOIN-RIGHT", meets: None });
            }
            walk(&join.left, Some("Join-left"), found);
            walk(&join.right, Some("Join-right"), found);
        }
        other => other.inputs().into_iter().for_each(|input| walk(input, needed, found)),
    }
}

/// What the last stage of a plan reads: the one that ends at `root`.
pub fn inputs_of<'a>(root: &'a Step, crossings: &[Crossing<'a>]) -> StageInputs<'a> {
    let mut gathered = Gathered::default();
    gathered.stage(root, crossings);
    gathered.inputs()
}

/// The crossings and the sources that a stage reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StageInputs<'a> {
    /// The topics of the sources, without repeats.
    pub topics: Vec<&'a str>,
    sources: Vec<&'a DataSource>,
    pub crossings: Vec<usize>,
}

#[derive(Default)]
struct Gathered<'a> {
    sources: Vec<&'a DataSource>,
    read: Vec<usize>,
}

impl<'a> Gathered<'a> {
    /// What lies below the stage's last step.
    fn stage(&mut self, last: &'a Step, crossings: &[Crossing<'a>]) {
        match last {
            Step::Source(source) => self.sources.push(&source.source),
            Step::Join(join) => match crossings.iter().position(|crossing| crossing.is_back_of(join)) {
                Some(at) => self.read.push(at),
                None => last.inputs().into_iter().for_each(|input| self.step(input, crossings)),
            },
            other => other.inputs().into_iter().for_each(|input| self.step(input, crossings)),
        }
    }

    fn step(&mut self, step: &'a Step, crossings: &[Crossing<'a>]) {
        match crossings.iter().position(|crossing| crossing.is_of(step)) {
            Some(at) => self.read.push(at),
            None => self.stage(step, crossings),
        }
    }

    fn inputs(self) -> StageInputs<'a> {
        let mut topics: Vec<&str> = Vec::new();
        for source in &self.sources {
            if !topics.contains(&source.topic.as_str()) {
                topics.push(&source.topic);
            }
        }
        StageInputs { topics, sources: self.sources, crossings: self.read }
    }
}
