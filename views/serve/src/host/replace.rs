//! CREATE OR REPLACE: the new query goes on exactly where the old one stopped.
//!
//! Invariant: the old query's state is on disk, with every output that it counts, before the command that replaces it is
//! written; the new one has its producer ids. Whichever of the two a crash brings back goes on from there, and no output is
//! made twice or left out.
use futures_util::future::{Either, select};
use millrace_engine::Crossing;
use millrace_engine::state::{Cut, InputId};
use millrace_sql::plan::{PersistentPlan, QueryId};
use std::sync::Arc;
use std::time::Duration;

use crate::Failed;
use crate::command::{Command, Repartition};
use crate::host::Views;
use crate::host::follow::Passed;
use crate::host::plan::{Layout, as_made};

/// How long the old query may take to read what its own stages have written.
const REST_WITHIN: Duration = Duration::from_secs(20);

impl Views {
    /// Brings the old query to rest and gives the new one its place.
    pub(super) async fn take_over(&self, old: &Arc<PersistentPlan>, new: &PersistentPlan, command: &mut Command) -> Result<(), Failed> {
        let before = self.starts.lock().get(&old.id).cloned();
        let before = before.ok_or_else(|| Failed::trouble(format!("no command started {}", old.id)))?;
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
            self.stop_query_alone(&old.id).await;
            return Ok(());
        }
        if ours.len() != theirs.len() {
            return Err(Failed::statement("Query is not upgradeable. Rows would move between other stages than before"));
        }
        // Rows of another shape come: what is on its way must have arrived first.
        let cuts = self.drain(&old.id, &before).await?;
        for (at, (crossing, known)) in ours.iter().zip(&before.repartitions).enumerate() {
            let same = theirs[at] == *crossing;
            let made = if same { known.clone() } else { self.successor(new, at, crossing, known, &cuts[at]).await? };
            command.repartitions.push(made);
        }
        Ok(())
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

    /// Stops the query's stages one after another, from its inputs down, each when it has read all that came before. Answers
    /// how far each of its stages had read.
    async fn drain(&self, id: &QueryId, command: &Command) -> Result<Vec<Cut>, Failed> {
        let not_now = |why: &str| Failed::Busy(format!("{id} cannot be replaced now: {why}. Try again when it runs"));
        let last = self.following(id).filter(|following| following.cells().is_some());
        let last = last.ok_or_else(|| not_now("it does not run, and rows are on their way to its new keys"))?;
        let world = self.outside.world();
        let mut cuts = vec![Cut::default(); command.repartitions.len()];
        let mut arrived = Cut::default();
        for (at, repartition) in command.repartitions.iter().enumerate().rev() {
            let stands = || not_now("one of its stages does not run");
            let stage = self.repartition(&repartition.id).ok_or_else(stands)?;
            let passed = Box::pin(stage.passed(&arrived, Passed::Settled));
            let cells = match select(passed, world.sleep_until(world.now() + REST_WITHIN)).await {
                Either::Left((cells, _)) => cells.map_err(|_| stands())?,
                Either::Right(_) => return Err(not_now("it is behind with its input")),
            };
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
        let passed = Box::pin(last.passed(&arrived, Passed::Applied));
        match select(passed, world.sleep_until(world.now() + REST_WITHIN)).await {
            Either::Left((passed, _)) => drop(passed.map_err(|_| not_now("it does not run"))?),
            Either::Right(_) => return Err(not_now("it is behind with its input")),
        }
        self.stop_query_alone(id).await;
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
