//! CREATE OR REPLACE: the new query goes on exactly where the old one stopped.
//!
//! Invariant: the old query's state is on disk for good, with every output that it counts and every one that its sink has, before
//! the command that replaces it is written: no other plan makes those again as they were. The new one has its producer ids.
//! Whichever of the two a crash brings back goes on from there, and no output is made twice or left out.
use futures_util::future::{Either, select};
use millrace_engine::{Crossing, Query};
use millrace_engine::state::{Cut, InputId};
use millrace_sql::plan::{PersistentPlan, QueryId};
use std::sync::Arc;
use std::time::Duration;

use crate::Failed;
use crate::command::{Command, Repartition};
use crate::host::Views;
use crate::host::follow::{Following, Passed};
use crate::host::plan::{Layout, as_made};
use crate::run::{Cell, Progress};

/// How long the old query may take to read what its own stages have written.
const REST_WITHIN: Duration = Duration::from_secs(20);

fn not_now(id: &QueryId, why: &str) -> Failed {
    Failed::Busy(format!("{id} cannot be replaced now: {why}. Try again when it runs"))
}

impl Views {
    /// Brings the old query to rest and gives the new one its place.
    pub(super) async fn take_over(&self, old: &Arc<PersistentPlan>, new: &PersistentPlan, command: &mut Command) -> Result<(), Failed> {
        let before = self.starts.lock().get(&old.id).cloned();
        let before = before.ok_or_else(|| Failed::trouble(format!("no command started {}", old.id)))?;
        if new.sink.source.is_table() && self.keeps_rows(old, &before)? && !self.keeps_rows(new, command)? {
            let why = "Its columns ask for the time or for chance, and the rows that there are were kept without any";
            return Err(Failed::statement(format!("Query is not upgradeable. {why}")));
        }
        command.producer = before.producer;
        command.start = before.start.clone();
        command.sharded = before.sharded;
        let theirs = match Layout::of(old, &before)? {
            Layout::OneTask => Vec::new(),
            Layout::PerPartition(crossings) => crossings,
        };
        let ours = if command.sharded { as_made(millrace_engine::crossings(new).unwrap_or_default(), new, &before.repartitions) } else { Vec::new() };
        if ours == theirs {
            command.repartitions = before.repartitions.clone();
            self.lay_to_rest(&old.id, &Cut::default(), &before, command).await?;
            return Ok(());
        }
        if ours.len() != theirs.len() {
            return Err(Failed::statement("Query is not upgradeable. Rows would move between other stages than before"));
        }
        // Rows of another shape come: what is on its way must have arrived first.
        let cuts = self.drain(&old.id, &before, command).await?;
        for (at, (crossing, known)) in ours.iter().zip(&before.repartitions).enumerate() {
            let same = theirs[at] == *crossing;
            let made = if same { known.clone() } else { self.successor(new, at, crossing, known, &cuts[at]).await? };
            command.repartitions.push(made);
        }
        Ok(())
    }

    /// Whether the rows of the query's result are made from those that its operators keep.
    fn keeps_rows(&self, plan: &PersistentPlan, command: &Command) -> Result<bool, Failed> {
        let settings = command.properties.clone().into_iter().collect();
        Ok(self.compile(&settings, |engine| Query::persistent(plan, engine))?.kept().is_some())
    }

    /// A stage that begins where another one of the query stopped.
    async fn successor(&self, new: &PersistentPlan, at: usize, crossing: &Crossing<'_>, known: &Repartition, cut: &Cut) -> Result<Repartition, Failed> {
        let mut start = known.start.clone();
        for (topic, partition, offset) in &mut start {
            *offset = cut.next(&InputId::new(topic.as_str(), *partition)).unwrap_or(*offset);
        }
        // Partitions that came later.
        let late = cut.iter().filter(|(input, _)| known.start.iter().all(|(topic, partition, _)| **topic != *input.topic || *partition != input.partition));
        let late: Vec<_> = late.map(|(input, next)| (input.topic.to_string(), input.partition, next)).collect();
        start.extend(late);
        let made = self.new_repartition(&new.id, at, crossing, known.partitions, start).await?;
        Ok(Repartition { sink_keys: known.sink_keys, ..made })
    }

    pub(super) async fn stop_query_alone(&self, id: &QueryId) {
        let started = self.running.lock().remove(id);
        if let Some(started) = started {
            started.following.stop().await;
        }
    }

    /// Stops the query's own tasks when they have come past `cut`. How far one that is paused had come nobody knows before it runs.
    async fn lay_to_rest(&self, id: &QueryId, cut: &Cut, before: &Command, command: &mut Command) -> Result<(), Failed> {
        let last = self.following(id).ok_or_else(|| not_now(id, "it does not run"))?;
        let cells = self.come_past(id, &last, cut).await?;
        self.stop_query_alone(id).await;
        let all: Vec<Progress> = cells.iter().map(|cell| cell.progress()).collect();
        if all.iter().any(|progress| progress.kept != progress.cut) {
            return Err(not_now(id, "its state could not be written"));
        }
        if all.iter().all(|progress| progress.cut == Cut::default()) {
            // It has read nothing: all that the sink will ever have can be made again by the new one.
            command.sink_partitions = before.sink_partitions;
        }
        Ok(())
    }

    async fn come_past(&self, id: &QueryId, following: &Following, cut: &Cut) -> Result<Vec<Arc<Cell>>, Failed> {
        let world = self.outside.world();
        let passed = Box::pin(following.passed(cut, Passed::Whole));
        match select(passed, world.sleep_until(world.now() + REST_WITHIN)).await {
            Either::Left((cells, _)) => cells.map_err(|trouble| not_now(id, &trouble)),
            Either::Right(_) => Err(not_now(id, "it is behind with its input")),
        }
    }

    /// Stops the query's stages one after another, from its inputs down, each when it has read all that came before. Answers
    /// how far each of its stages had read.
    async fn drain(&self, id: &QueryId, before: &Command, command: &mut Command) -> Result<Vec<Cut>, Failed> {
        if self.following(id).is_none_or(|following| following.cells().is_none()) {
            return Err(not_now(id, "it does not run, and rows are on their way to its new keys"));
        }
        let mut cuts = vec![Cut::default(); before.repartitions.len()];
        let mut arrived = Cut::default();
        for (at, repartition) in before.repartitions.iter().enumerate().rev() {
            let stage = self.repartition(&repartition.id).ok_or_else(|| not_now(id, "one of its stages does not run"))?;
            let cells = self.come_past(id, &stage, &arrived).await?;
            let started = self.repartitions.lock().remove(&repartition.id);
            if let Some(started) = started {
                started.following.stop().await;
            }
            for cell in &cells {
                cell.progress().cut.iter().for_each(|(input, next)| cuts[at].advance(input, next));
            }
            for (number, partition) in self.outside.partitions(&repartition.topic).unwrap_or_default().iter().enumerate() {
                arrived.advance(&InputId::new(repartition.topic.as_str(), number as i32), partition.state().high_watermark.0);
            }
        }
        self.lay_to_rest(id, &arrived, before, command).await?;
        Ok(cuts)
    }

    /// Starts again whatever of the running queries' stages stands still.
    pub(super) async fn restart_stages(&self) {
        let catalog = self.catalog();
        for query in catalog.queries().filter(|query| !query.paused) {
            let id = &query.plan.id;
            let Some(command) = self.starts.lock().get(id).cloned() else { continue };
            let stands = |repartition: &Repartition| self.repartition(&repartition.id).is_none();
            if self.following(id).is_none() || command.repartitions.iter().any(stands) {
                self.follow(&query.plan).await;
            }
        }
    }
}
