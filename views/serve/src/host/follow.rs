//! A persistent query as it runs on this node: its tasks, each started again after trouble from its state's last cut.
use std::any::Any;
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use futures_util::FutureExt;
use millrace_engine::state::{Cut, InputId, Store, StoreError};
use millrace_engine::{Query, Task};
use millrace_record::{Offset, ProducerId};
use millrace_shard::Partition;
use millrace_sql::value::Value;
use millrace_store::{Databases, DiskStore, RowBudget};
use millrace_world::{World, create_dir_durably};
use parking_lot::Mutex;

use crate::host::processing_log::ProcessingLog;
use crate::run::{Cell, INPUTS, Input, Output, PROGRESS, Plant, Progress, RunError, Runner, Schedule, SharedStore, Signal, Stop, ViewStore, input_key, note_input, progress_key};

/// No trouble: it will be open soon.
const OPENING: &str = "opening its state";
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
    pub schedule: Option<Partition>,
    pub sink: Option<(ProducerId, Vec<Partition>)>,
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
}

/// How one task is doing.
#[derive(Clone, Debug)]
pub struct TaskStatus {
    pub progress: Progress,
    pub memory_bytes: usize,
    pub disk_bytes: u64,
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
            let runner = open(&slot.spec, &known, &world, &memory, &stop)?;
            slot.trouble.lock().clear();
            cell = Some(runner.cell.clone());
            slot.cell.store(Some(runner.cell.clone()));
            changed.notify();
            runner.run().await
        });
        // A panic ends this attempt alone: what it had in memory goes, and the state's last cut is as good as ever.
        let attempt = attempt.catch_unwind().await.unwrap_or_else(|panic| Err(RunError::Panicked(words_of(&*panic))));
        slot.cell.store(None);
        cell.iter().for_each(|cell| cell.end());
        let Err(error) = attempt else { return };
        let cut = cell.map(|cell| cell.progress().cut).unwrap_or_default();
        let failure = Failure { reason: error.to_string(), at_ms: world.wall_ms(), cut };
        let again = slot.failure.lock().as_ref().is_some_and(|before| before.reason == failure.reason && before.cut == failure.cut);
        pause = if again { (pause * 2).min(AGAIN_LAST) } else { AGAIN_AFTER };
        if !again {
            tracing::error!(query = slot.spec.name, %error, "a query stopped; it is started again from its last cut");
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

/// Which partitions of the sink hold outputs of this task already.
async fn known_sinks(spec: &TaskSpec) -> Result<Vec<bool>, RunError> {
    let Some((producer, partitions)) = &spec.sink else { return Ok(Vec::new()) };
    let mut known = Vec::with_capacity(partitions.len());
    for partition in partitions {
        known.push(partition.producers().await?.iter().any(|view| view.id == *producer));
    }
    Ok(known)
}

/// Whether the state reads this partition already; refuses one that only has the name of the one it has read.
fn is_known(task: &Task<SharedStore>, id: &InputId, partition: &Partition) -> Result<bool, RunError> {
    let group = partition.id().0 as i64;
    match task.store().get(INPUTS, &input_key(id))?.as_ref().map(|stored| &*stored.row) {
        Some([Value::BigInt(known)]) if *known == group => Ok(true),
        Some(_) => Err(RunError::InputRemade { topic: id.topic.clone(), partition: id.partition }),
        None => Ok(false),
    }
}

fn open(spec: &TaskSpec, known: &[bool], world: &Arc<dyn World>, memory: &Memory, stop: &Stop) -> Result<Runner, RunError> {
    // A state that outlives a part of its schedule must not lose its folder.
    create_dir_durably(&*world.disk(), &spec.dir).map_err(StoreError::Io)?;
    let store = DiskStore::open(&spec.dir, &*memory.databases, &memory.rows)?;
    let mut task = Task::open(spec.query.clone(), SharedStore::new(ViewStore::Disk(store)))?;
    let fresh = task.cut() == &Cut::default();
    let output = match &spec.sink {
        None => None,
        Some((producer, partitions)) => {
            let progress = |partition| Ok(task.store().get(PROGRESS, &progress_key(partition))?);
            let output = Output::open(*producer, partitions.clone(), known, progress)?;
            if fresh {
                // Before the first output: where to look for it after a crash.
                for (key, stored) in output.progress() {
                    task.put(PROGRESS, key, Some(stored));
                }
            }
            Some(output)
        }
    };
    let (mut inputs, mut later) = (Vec::with_capacity(spec.inputs.len()), Vec::new());
    for (id, partition, begin) in &spec.inputs {
        let known = is_known(&task, id, partition)?;
        let next = Offset(task.cut().next(id).unwrap_or(begin.0));
        let input = Input::new(id.clone(), partition.clone(), next, spec.tables.contains(&id.topic));
        if !known && !fresh {
            later.push(input);
            continue;
        }
        if !known {
            note_input(&mut task, &input);
        }
        inputs.push(input);
    }
    if fresh {
        task.commit()?;
        if let ViewStore::Disk(store) = &mut *task.store().write() {
            store.write_back()?;
        }
    }
    let (log, query) = (spec.log.clone(), spec.logs_as.clone());
    Ok(Runner {
        name: spec.name.clone(),
        world: world.clone(),
        cell: Arc::new(Cell::new(task)),
        inputs,
        later,
        fresh: Arc::default(),
        hooks: Vec::new(),
        schedule: spec.schedule.clone().map(|partition| Schedule::new(partition, spec.query.topics())),
        written_ends: output.as_ref().map(Output::ends).unwrap_or_default(),
        unsettled: false,
        kept_at: world.now(),
        output,
        deliver: None,
        keep_result: spec.keep_result,
        windowed: spec.windowed,
        warm: None,
        until: None,
        stop: stop.clone(),
        plant: spec.plant,
        entries: Default::default(),
        on_log: Arc::new(move |event| log.note(&query, event)),
    })
}
