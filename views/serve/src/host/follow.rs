//! A persistent query as it runs on this node: its tasks, each started again after trouble from its state's last cut.
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use futures_util::FutureExt;
use futures_util::future::{Either, select};
use millrace_engine::Query;
use millrace_engine::state::{Cut, InputId};
use millrace_record::{Offset, ProducerId};
use millrace_shard::Partition;
use millrace_store::{Databases, RowBudget};
use millrace_world::World;
use parking_lot::Mutex;

use crate::host::open::{Opened, known_sinks, open, put_aside, rebuilt};
use crate::host::processing_log::ProcessingLog;
use crate::run::{Cell, Plant, Progress, RunError, Signal, Stop, ViewStore};

/// No trouble: it will be open soon.
const OPENING: &str = "opening its state";
/// Until it has come to where its inputs ended when it was opened.
const REBUILDING: &str = "its state was lost or damaged and is being computed again from the topics that it reads";
/// Between two attempts of a task that met trouble.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// The same, when it met the same trouble at the same place again and again.
const AGAIN_LAST: Duration = Duration::from_secs(30);

/// What all tasks of a node share.
#[derive(Clone)]
pub struct Memory {
    pub databases: Arc<dyn Databases>,
    /// For rows above them.
    pub rows: Arc<RowBudget>,
}

/// Everything that a task needs to be opened, as often as it takes.
pub struct TaskSpec {
    pub name: String,
    pub query: Arc<Query>,
    pub dir: PathBuf,
    /// With the offset at which a state without a cut begins.
    pub inputs: Vec<(InputId, Partition, Offset)>,
    /// Those of the topics whose records are a table's rows.
    pub tables: BTreeSet<Arc<str>>,
    /// Those of the topics whose keys rows moved to, and how many partitions each has.
    pub meets_in: BTreeMap<Arc<str>, i32>,
    pub schedule: Option<Partition>,
    pub sink: Option<(ProducerId, Vec<Partition>)>,
    /// Whether its outputs, made again from the start, would be the ones that the sink has.
    pub remakes: bool,
    pub keep_result: bool,
    pub windowed: bool,
    pub plant: Plant,
    /// Where records that cannot be read or computed are told of, and as whose.
    pub log: Arc<ProcessingLog>,
    pub logs_as: String,
}

struct TaskSlot {
    spec: TaskSpec,
    /// Absent while the task is being opened.
    cell: ArcSwapOption<Cell>,
    trouble: Mutex<String>,
    /// Why the last attempt ended, and when; nothing while the present one goes well.
    failure: Mutex<Option<Failure>>,
}

/// Trouble that ended an attempt.
struct Failure {
    reason: String,
    at_ms: i64,
    /// How far the task had come.
    cut: Cut,
}

/// What it means to have come past a cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Passed {
    /// Readers see what comes of it.
    Applied,
    /// It is in the output's topic.
    Settled,
    /// That, and the topic has nothing else: after a crash it may have what is still to be made again.
    Whole,
}

/// How one task is doing.
#[derive(Clone, Debug)]
pub struct TaskStatus {
    pub progress: Progress,
    pub memory_bytes: usize,
    pub disk_bytes: u64,
}

impl TaskSlot {
    /// In trouble until it has come to `cut` again.
    fn note_rebuilding(&self, cut: &Cut, at_ms: i64) {
        *self.trouble.lock() = REBUILDING.into();
        *self.failure.lock() = Some(Failure { reason: REBUILDING.into(), at_ms, cut: cut.clone() });
    }
}

pub struct Following {
    slots: Vec<Arc<TaskSlot>>,
    stops: Mutex<Vec<Stop>>,
    ended: Arc<Mutex<usize>>,
    changed: Arc<Signal>,
}

impl Following {
    pub fn start(world: Arc<dyn World>, memory: Memory, specs: Vec<TaskSpec>) -> Arc<Following> {
        let slot = |spec| Arc::new(TaskSlot { spec, cell: ArcSwapOption::empty(), trouble: Mutex::new(OPENING.into()), failure: Mutex::default() });
        let slots: Vec<Arc<TaskSlot>> = specs.into_iter().map(slot).collect();
        let stops: Vec<Stop> = slots.iter().map(|_| Stop::default()).collect();
        let following = Arc::new(Following {
            stops: Mutex::new(stops.clone()),
            ended: Arc::new(Mutex::new(0)),
            changed: Arc::new(Signal::default()),
            slots,
        });
        for (slot, stop) in following.slots.iter().zip(stops) {
            let (slot, world, memory) = (slot.clone(), world.clone(), memory.clone());
            let (ended, changed) = (following.ended.clone(), following.changed.clone());
            let runner_world = world.clone();
            world.spawn(Box::pin(async move {
                keep_running(&slot, runner_world, memory, stop, &changed).await;
                slot.cell.store(None);
                *ended.lock() += 1;
                changed.notify();
            }));
        }
        following
    }

    /// Asks all tasks to end and waits until they have, with their state written back.
    pub async fn stop(&self) {
        self.stops.lock().iter().for_each(Stop::ask);
        self.changed.until(|| (*self.ended.lock() == self.slots.len()).then_some(())).await;
    }

    /// All of them, or none while one is being opened.
    pub fn cells(&self) -> Option<Vec<Arc<Cell>>> {
        self.slots.iter().map(|slot| slot.cell.load_full()).collect()
    }

    /// Waits until all tasks are open, or one of them has met trouble.
    pub async fn opened(&self) -> Result<Vec<Arc<Cell>>, String> {
        let ended = || (*self.ended.lock() == self.slots.len()).then(|| "it was ended".to_owned());
        self.changed.until(|| self.cells().map(Ok).or_else(|| self.troubled().or_else(ended).map(Err))).await
    }

    /// Waits until all tasks have come past `cut`, or one of them has met trouble. A task that is started again meanwhile counts as it
    /// is then.
    pub async fn passed(&self, cut: &Cut, how: Passed) -> Result<Vec<Arc<Cell>>, String> {
        'again: loop {
            let cells = self.opened().await?;
            for cell in &cells {
                let there = match how {
                    Passed::Applied => cell.reached(cut).await,
                    Passed::Settled => cell.settled(cut).await,
                    Passed::Whole => cell.settled(cut).await && cell.past_repeats().await,
                };
                if !there {
                    continue 'again;
                }
            }
            return Ok(cells);
        }
    }

    /// What keeps it from running; empty when nothing does. To be opened first is no trouble.
    pub fn trouble(&self) -> String {
        self.troubled().unwrap_or_default()
    }

    fn troubled(&self) -> Option<String> {
        self.slots.iter().map(|slot| slot.trouble.lock().clone()).find(|text| !text.is_empty() && text != OPENING)
    }

    /// Why it does not run, and since when, if trouble ended one of its tasks.
    pub fn failure(&self) -> Option<(String, i64)> {
        self.slots.iter().find_map(|slot| {
            let failure = slot.failure.lock();
            let failure = failure.as_ref()?;
            let behind_it = slot.cell.load_full().is_some_and(|cell| cell.is_settled(&failure.cut));
            (!behind_it).then(|| (failure.reason.clone(), failure.at_ms))
        })
    }

    pub fn status(&self) -> Vec<TaskStatus> {
        let status = |slot: &Arc<TaskSlot>| match slot.cell.load_full() {
            None => TaskStatus {
                progress: Progress { trouble: Some(slot.trouble.lock().clone()), ..Progress::default() },
                memory_bytes: 0,
                disk_bytes: 0,
            },
            Some(cell) => {
                let (memory_bytes, disk_bytes) = match &*cell.store() {
                    ViewStore::Disk(store) => (store.memory_bytes(), store.disk_bytes()),
                    ViewStore::Memory(_) => (0, 0),
                };
                TaskStatus { progress: cell.progress(), memory_bytes, disk_bytes }
            }
        };
        self.slots.iter().map(status).collect()
    }
}

async fn keep_running(slot: &TaskSlot, world: Arc<dyn World>, memory: Memory, stop: Stop, changed: &Signal) {
    let mut pause = AGAIN_AFTER;
    while !stop.asked() {
        let mut cell = None;
        let attempt = AssertUnwindSafe(async {
            let known = known_sinks(&slot.spec).await?;
            let Opened { runner, rebuilt_at } = open(&slot.spec, &known, &world, &memory, &stop)?;
            cell = Some(runner.cell.clone());
            let opened = runner.cell.clone();
            if let Some(cut) = &rebuilt_at {
                slot.note_rebuilding(cut, world.wall_ms());
                changed.notify();
            }
            // Readers see a state that was lost when it is again what it was.
            let ready = async {
                if let Some(cut) = &rebuilt_at {
                    opened.settled(cut).await;
                    if let Err(error) = rebuilt(&slot.spec, &opened, &*world) {
                        tracing::warn!(query = slot.spec.name, %error, "the damaged state that was put aside could not be removed; the next start tries again");
                    }
                }
                slot.trouble.lock().clear();
                slot.cell.store(Some(opened.clone()));
                changed.notify();
            };
            match select(Box::pin(ready), Box::pin(runner.run())).await {
                Either::Left(((), running)) => running.await,
                Either::Right((ended, _)) => ended,
            }
        });
        // A panic ends this attempt alone: what it had in memory goes, and the state's last cut is as good as ever.
        let attempt = attempt.catch_unwind().await.unwrap_or_else(|panic| Err(RunError::Panicked(words_of(&*panic))));
        slot.cell.store(None);
        cell.iter().for_each(|cell| cell.end());
        let Err(error) = attempt else { return };
        let cut = cell.map(|cell| cell.progress().cut).unwrap_or_default();
        let reason = match error.damage().map(|why| put_aside(&slot.spec, why, &*world)) {
            None => error.to_string(),
            Some(Err(lost)) => lost.to_string(),
            Some(Ok(())) => {
                tracing::error!(query = slot.spec.name, %error, "a state is damaged; it is put aside and computed again from the query's topics");
                REBUILDING.to_owned()
            }
        };
        let failure = Failure { reason, at_ms: world.wall_ms(), cut };
        let again = slot.failure.lock().as_ref().is_some_and(|before| before.reason == failure.reason && before.cut == failure.cut);
        pause = if again { (pause * 2).min(AGAIN_LAST) } else { AGAIN_AFTER };
        if !again {
            tracing::error!(query = slot.spec.name, error = failure.reason, "a query stopped; it is started again from its last cut");
        }
        *slot.trouble.lock() = failure.reason.clone();
        let first = slot.failure.lock().take().filter(|_| again);
        *slot.failure.lock() = Some(first.unwrap_or(failure));
        changed.notify();
        // A stop must not wait for the next attempt.
        let woken = futures_util::future::select(Box::pin(stop.asked_for()), world.sleep_until(world.now() + pause));
        drop(woken.await);
    }
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("without a word").to_owned()
}
