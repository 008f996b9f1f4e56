//! Making the node match the catalog, again and again: queries that did not start are tried again, queries whose topics
//! changed are started over their new partitions, what nobody needs any more goes.
//!
//! Invariant: nothing is removed that a query of the catalog needs, and nothing that no command of the list explains.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use millrace_engine::state::{Cut, InputId};
use millrace_record::Offset;
use millrace_shard::GroupId;
use millrace_sql::catalog::Effect;
use millrace_sql::plan::QueryId;
use millrace_world::{Moment, World};

use crate::Failed;
use crate::command::{Command, Repartition};
use crate::host::follow::Following;
use crate::host::names::{kept_id, safe, scheduled};
use crate::host::start::is_kept;
use crate::host::Views;

/// How often the node is looked over.
const EVERY: Duration = Duration::from_secs(1);
/// Rounds between two looks at what inputs and internal topics may forget.
const RELEASE_ROUNDS: u64 = 5;
/// Pauses before a query that did not start is tried again: doubled each time, up to the last.
const AGAIN_FIRST: Duration = Duration::from_secs(2);
const AGAIN_LAST: Duration = Duration::from_secs(60);
/// Records of a repartition topic that are worth a trim.
const TRIM_RECORDS: i64 = 1000;

/// Everything that the list of commands speaks of, whether it is still there or not.
#[derive(Default)]
pub struct Known {
    ids: BTreeSet<String>,
    repartitions: Vec<Repartition>,
}

impl Known {
    pub fn note(&mut self, effect: &Effect, command: &Command) {
        match effect {
            Effect::StartQuery { plan, .. } => drop(self.ids.insert(safe(&plan.id.0))),
            Effect::CreateSource { source, .. } if is_kept(source) => drop(self.ids.insert(safe(&kept_id(source).0))),
            _ => {}
        }
        for repartition in &command.repartitions {
            self.ids.insert(repartition.id.clone());
            self.repartitions.push(repartition.clone());
        }
    }
}

/// Why a query does not run although it should.
#[derive(Clone, Debug)]
pub struct Trouble {
    pub reason: String,
    pub since_ms: i64,
    again: Moment,
    pause: Duration,
}

/// How a persistent query is doing.
#[derive(Clone, Debug, PartialEq)]
pub enum QueryState {
    Running,
    Paused,
    /// It is started again by itself; this is why it does not run now.
    Error { reason: String, since_ms: i64 },
}

impl QueryState {
    /// As ksqlDB calls it.
    pub fn word(&self) -> &'static str {
        match self {
            QueryState::Running => "RUNNING",
            QueryState::Paused => "PAUSED",
            QueryState::Error { .. } => "ERROR",
        }
    }
}

/// Looks the node over as long as the views are there.
pub(super) async fn reconcile_forever(views: Weak<Views>, world: Arc<dyn World>) {
    let mut round = 0;
    loop {
        world.sleep_until(world.now() + EVERY).await;
        let Some(views) = views.upgrade() else { return };
        let _alone = views.changing.lock().await;
        if views.stopping() {
            return;
        }
        views.reconcile().await;
        views.look_after_push_queries();
        views.finish_deletions().await;
        round += 1;
        if round % RELEASE_ROUNDS == 0 {
            views.look_for_log_topic();
            views.hold_inputs();
            views.trim_repartitions().await;
        }
    }
}

impl Views {
    pub(super) fn note_trouble(&self, id: &QueryId, began: Result<(), Failed>) {
        let Err(error) = began else { return drop(self.troubles.lock().remove(id)) };
        let world = self.outside.world();
        let mut troubles = self.troubles.lock();
        let before = troubles.get(id);
        let reason = error.to_string();
        if before.is_none_or(|before| before.reason != reason) {
            tracing::error!(query = %id, %error, "a query could not be started; it is tried again, and the others run");
        }
        let pause = before.map_or(AGAIN_FIRST, |before| (before.pause * 2).min(AGAIN_LAST));
        let since_ms = before.map_or_else(|| world.wall_ms(), |before| before.since_ms);
        troubles.insert(id.clone(), Trouble { reason, since_ms, again: world.now() + pause, pause });
    }

    pub fn query_state(&self, id: &QueryId) -> QueryState {
        if self.catalog().query(id).is_some_and(|query| query.paused) {
            return QueryState::Paused;
        }
        if let Some(trouble) = self.troubles.lock().get(id) {
            return QueryState::Error { reason: trouble.reason.clone(), since_ms: trouble.since_ms };
        }
        let failure = self.following(id).into_iter().chain(self.stages(id)).find_map(|following| following.failure());
        match failure {
            Some((reason, since_ms)) => QueryState::Error { reason, since_ms },
            None => QueryState::Running,
        }
    }

    /// Records of a query's inputs that retention or somebody's hand removed before it had read them, since the start.
    pub fn lost(&self, id: &QueryId) -> u64 {
        let cells = self.following(id).into_iter().chain(self.stages(id)).flat_map(|following| following.cells().unwrap_or_default());
        cells.map(|cell| cell.progress().lost).sum()
    }

    async fn reconcile(self: &Arc<Self>) {
        let now = self.outside.world().now();
        let catalog = self.catalog();
        let due = |id: &QueryId| self.troubles.lock().get(id).is_some_and(|trouble| trouble.again <= now);
        let moved = |id: &QueryId| {
            let known = self.running.lock().get(id).map(|started| started.topics.clone());
            known.is_some_and(|topics| topics.iter().any(|(topic, groups)| self.is_other(topic, groups)))
        };
        let stages_moved: Vec<String> = {
            let stages: Vec<_> = self.repartitions.lock().iter().map(|(id, stage)| (id.clone(), stage.topics.clone())).collect();
            let moved = stages.into_iter().filter(|(_, topics)| topics.iter().any(|(topic, groups)| self.is_other(topic, groups)));
            moved.map(|(id, _)| id).collect()
        };
        for id in &stages_moved {
            tracing::info!(stage = id, "the topics of a stage have other partitions now; it goes on with them");
            let started = self.repartitions.lock().remove(id);
            if let Some(started) = started {
                started.following.stop().await;
            }
        }
        let lacks = |id: &QueryId| {
            let starts = self.starts.lock();
            let needed = starts.get(id).into_iter().flat_map(|command| &command.repartitions);
            needed.into_iter().any(|stage| stages_moved.contains(&stage.id))
        };
        for query in catalog.queries().filter(|query| !query.paused) {
            let id = &query.plan.id;
            let has_moved = moved(id);
            if has_moved {
                tracing::info!(query = %id, "the topics of a query have other partitions now; it goes on with them");
                self.stop_query_alone(id).await;
            }
            if has_moved || lacks(id) || due(id) {
                self.follow(&query.plan).await;
            }
        }
        for source in catalog.sources().filter(|source| is_kept(source)) {
            let id = kept_id(source);
            let has_moved = moved(&id);
            if has_moved {
                self.stop_query_alone(&id).await;
            }
            if has_moved || due(&id) {
                self.keep_source(source).await;
            }
        }
    }

    /// Whether the topic has other partitions than it had, or is gone: a query whose topic went would wait for ever without a word,
    /// and one that cannot start says why. While a partition is being opened nothing is known yet.
    fn is_other(&self, topic: &str, groups: &[GroupId]) -> bool {
        match self.outside.partitions(topic) {
            Some(_) => self.groups_of(topic) != groups,
            None => !self.is_there(topic),
        }
    }

    /// State, schedules and repartition topics of queries that are no more: a crash may have kept them from going with their
    /// query.
    pub(super) async fn remove_leftovers(&self, known: &Known) {
        let live = self.live_repartitions();
        let mut needed: BTreeSet<String> = self.starts.lock().keys().map(|id| safe(&id.0)).collect();
        needed.extend(live.iter().map(|repartition| repartition.id.clone()));
        let disk = self.outside.world().disk();
        for entry in disk.list(&self.outside.state_dir()).unwrap_or_default() {
            if needed.contains(&entry.name) || !entry.is_dir {
                continue;
            }
            if known.ids.contains(&entry.name) {
                tracing::info!(folder = entry.name, "removing the state of a query that is no more");
                self.remove_state(&entry.name);
            } else {
                tracing::warn!(folder = entry.name, "no statement explains this state; it is left alone");
            }
        }
        for topic in self.outside.topics() {
            if scheduled(&topic.name).is_some_and(|id| known.ids.contains(id) && !needed.contains(id)) {
                self.remove_topic(&topic.name).await;
            }
        }
        for repartition in known.repartitions.iter().filter(|known| live.iter().all(|live| live.topic != known.topic)) {
            self.remove_topic(&repartition.topic).await;
        }
    }

    /// Tells each input how far back it is still needed, so that retention leaves that much.
    pub(super) fn hold_inputs(&self) {
        let mut needed: BTreeMap<InputId, i64> = BTreeMap::new();
        let mut need = |input: &InputId, next: i64| {
            let known = needed.entry(input.clone()).or_insert(next);
            *known = next.min(*known);
        };
        for (id, command) in self.starts.lock().iter() {
            let own = (self.following(id), command.start.as_slice());
            let stages = command.repartitions.iter().map(|stage| (self.repartition(&stage.id), stage.start.as_slice()));
            for (following, start) in std::iter::once(own).chain(stages) {
                match following.as_deref().and_then(kept_cut) {
                    Some(cut) => cut.iter().for_each(|(input, next)| need(input, next)),
                    // Before it has said how far it is, it may need all.
                    None => start.iter().for_each(|(topic, partition, offset)| {
                        need(&InputId::new(topic.as_str(), *partition), *offset);
                    }),
                }
            }
        }
        self.outside.hold(&needed);
    }

    /// Trims repartition topics to what is still needed: by those who read them, and, to know what they have written, by those
    /// who write them.
    async fn trim_repartitions(&self) {
        for repartition in self.live_repartitions() {
            let readers: Vec<Option<Arc<Following>>> = {
                let starts = self.starts.lock();
                let reads = |command: &Command| command.repartitions.iter().any(|stage| stage.id == repartition.id);
                let readers: Vec<_> = starts.iter().filter(|(_, command)| reads(command)).map(|(id, command)| (id.clone(), command.clone())).collect();
                drop(starts);
                readers
                    .into_iter()
                    .flat_map(|(id, command)| {
                        let stages = command.repartitions.iter().filter(|stage| stage.id != repartition.id).map(|stage| self.repartition(&stage.id));
                        std::iter::once(self.following(&id)).chain(stages).collect::<Vec<_>>()
                    })
                    .collect()
            };
            let Some(writer) = self.repartition(&repartition.id) else { continue };
            let Some(partitions) = self.outside.partitions(&repartition.topic) else { continue };
            let Some(written) = kept_ends(&writer) else { continue };
            for (number, partition) in partitions.iter().enumerate() {
                let input = InputId::new(repartition.topic.as_str(), number as i32);
                let Some(read) = least_read(&readers, &input) else { continue };
                let upto = read.min(written.get(number).copied().unwrap_or(Offset(0)));
                if upto.0 - partition.state().start.0 >= TRIM_RECORDS
                    && let Err(error) = partition.trim(upto).await
                {
                    tracing::warn!(topic = repartition.topic, partition = number, %error, "a repartition topic could not be trimmed");
                }
            }
        }
    }
}

/// The cut that every task of it would come back with after any crash; nothing when one of them is not open.
fn kept_cut(following: &Following) -> Option<Cut> {
    let mut cut = Cut::default();
    for cell in following.cells()? {
        let kept = cell.progress().kept;
        if kept == Cut::default() {
            return None;
        }
        kept.iter().for_each(|(input, next)| cut.advance(input, next));
    }
    Some(cut)
}

/// Up to where nobody looks for outputs again, in each partition of what the tasks write.
fn kept_ends(following: &Following) -> Option<Vec<Offset>> {
    let mut lowest: Option<Vec<Offset>> = None;
    for cell in following.cells()? {
        let progress = cell.progress();
        if progress.kept == Cut::default() {
            return None;
        }
        lowest = Some(match lowest {
            None => progress.kept_ends,
            Some(lowest) => lowest.iter().zip(&progress.kept_ends).map(|(a, b)| *a.min(b)).collect(),
        });
    }
    lowest
}

/// How far all readers of the partition have come for good; nothing when one of them does not say.
fn least_read(readers: &[Option<Arc<Following>>], input: &InputId) -> Option<Offset> {
    let mut least = None;
    for reader in readers {
        let cut = kept_cut(reader.as_deref()?)?;
        if let Some(next) = cut.next(input) {
            least = Some(least.map_or(next, |least: i64| least.min(next)));
        }
    }
    least.map(Offset)
}
