//! Opening a task at its state's last cut. A state that is damaged is computed again from the query's topics.
//!
//! Invariants: outputs that the sink has already are made again as they were, or the task does not run and says why. A damaged
//! state lies aside until another has taken its place, so that a crash in between does not hide that one was lost.
use std::path::PathBuf;
use std::sync::Arc;

use millrace_engine::state::{Cut, InputId, Store, StoreError, Stored};
use millrace_engine::{FIRST_LAYOUT, Task};
use millrace_record::Offset;
use millrace_shard::{Partition, Upto};
use millrace_sql::value::Value;
use millrace_store::DiskStore;
use millrace_world::{World, create_dir_durably, parent_of};

use crate::host::follow::{Memory, TaskSpec};
use crate::run::{Cell, INPUTS, Input, LAYOUT, Output, PROGRESS, RunError, Runner, Schedule, SharedStore, Stop, ViewStore, input_key, note_input, progress_key};

pub struct Opened {
    pub runner: Runner,
    /// Of a task whose state was lost: the cut at which it is again what it was.
    pub rebuilt_at: Option<Cut>,
}

/// Where the state that was damaged lies.
fn aside(spec: &TaskSpec) -> PathBuf {
    spec.dir.with_extension("damaged")
}

/// The last sequence of this task that each partition of the sink remembers.
pub async fn known_sinks(spec: &TaskSpec) -> Result<Vec<Option<i32>>, RunError> {
    let Some((producer, partitions)) = &spec.sink else { return Ok(Vec::new()) };
    let mut known = Vec::with_capacity(partitions.len());
    for partition in partitions {
        let views = partition.producers().await?;
        known.push(views.iter().find(|view| view.id == *producer && view.last_sequence >= 0).map(|view| view.last_sequence));
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

fn layout_of(task: &Task<SharedStore>) -> Result<i32, RunError> {
    match task.store().get(LAYOUT, &[])?.as_ref().map(|stored| &*stored.row) {
        None => Ok(FIRST_LAYOUT),
        Some([Value::Int(layout)]) => Ok(*layout),
        Some(_) => Err(RunError::State("the layout of its rows is not a number")),
    }
}

pub fn open(spec: &TaskSpec, known: &[Option<i32>], world: &Arc<dyn World>, memory: &Memory, stop: &Stop) -> Result<Opened, RunError> {
    let disk = world.disk();
    // A state that outlives a part of its schedule must not lose its folder.
    create_dir_durably(&*disk, &spec.dir).map_err(StoreError::Io)?;
    let rebuilding = disk.exists(&aside(spec)).map_err(StoreError::Io)?;
    let files: Vec<String> = disk.list(&spec.dir).map_err(StoreError::Io)?.into_iter().map(|entry| entry.name).collect();
    let store = DiskStore::open(&spec.dir, &files, &*memory.databases, &memory.rows)?;
    let mut task = Task::open(spec.query.clone(), SharedStore::new(ViewStore::Disk(store)))?;
    let fresh = task.cut() == &Cut::default();
    match (fresh, spec.query.state_layout()) {
        (true, FIRST_LAYOUT) => {}
        (true, layout) => task.put(LAYOUT, Vec::new(), Some(Stored { row: vec![Value::Int(layout)].into(), timestamp: 0 })),
        (false, layout) if layout_of(&task)? == layout => {}
        // It can become what it was in the same way.
        (false, _) => return Err(StoreError::Damaged("another version of this program laid its rows out in another way".into()).into()),
    }
    let output = match &spec.sink {
        None => None,
        Some((producer, partitions)) => {
            let progress = |partition| Ok(task.store().get(PROGRESS, &progress_key(partition))?);
            // A log forgets producers after a while; what a state that was lost had told may be older.
            let output = Output::open(*producer, partitions.clone(), known, rebuilding, progress);
            let output = output.map_err(|error| match error {
                RunError::OutputsUnknown(_) => lost(spec, "it was damaged", error.to_string()),
                error => error,
            })?;
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
        let input = Input::new(id.clone(), partition.clone(), next, spec.tables.contains(&id.topic)).meeting_in(spec.meets_in.get(&id.topic).copied());
        if !known && !fresh {
            later.push(input);
            continue;
        }
        if !known {
            note_input(&mut task, &input);
        }
        inputs.push(input);
    }
    if output.as_ref().is_some_and(Output::repeats) {
        let places = inputs.iter().map(|input| (&input.id, &input.partition, input.next));
        can_repeat(spec, places, fresh).map_err(|why| lost(spec, "its last outputs are newer than what is left of it", why))?;
    }
    if fresh {
        task.commit()?;
        if let ViewStore::Disk(store) = &mut *task.store().write() {
            store.write_back()?;
        }
    }
    let cell = Arc::new(Cell::new(task));
    cell.update(|progress| progress.repeats = output.as_ref().is_some_and(Output::repeats));
    inputs.iter().for_each(|input| cell.note_log(&input.id, input.partition.id()));
    let (log, query) = (spec.log.clone(), spec.logs_as.clone());
    let runner = Runner {
        name: spec.name.clone(),
        world: world.clone(),
        cell,
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
    };
    Ok(Opened { runner, rebuilt_at: rebuilding.then(|| ends_of(spec)) })
}

fn ends_of(spec: &TaskSpec) -> Cut {
    let mut ends = Cut::default();
    for (id, partition, _) in &spec.inputs {
        ends.advance(id, partition.limit(Upto::LastStable).0);
    }
    ends
}

/// Whether what was read from these places on can be read again, in the same order and to the same end; or why not.
fn can_repeat<'a>(spec: &TaskSpec, from: impl Iterator<Item = (&'a InputId, &'a Partition, Offset)>, from_the_start: bool) -> Result<(), String> {
    for (id, partition, next) in from {
        let start = partition.state().start;
        if start > next {
            return Err(format!("{}-{} begins at offset {} now, and it would have to read from {}", id.topic, id.partition, start.0, next.0));
        }
    }
    if from_the_start && spec.schedule.as_ref().is_some_and(|schedule| schedule.state().start > Offset(0)) {
        return Err("the order in which it read its inputs is not kept from the start".into());
    }
    if from_the_start && !spec.remakes {
        return Err("its sink has got partitions since, or it replaced another query and went on from that one's state".into());
    }
    Ok(())
}

fn lost(spec: &TaskSpec, what: &str, why: String) -> RunError {
    RunError::StateLost { dir: spec.dir.clone(), what: what.to_owned(), why }
}

/// Makes room for a new state, if that can become what the damaged one was.
pub fn put_aside(spec: &TaskSpec, damage: &str, world: &dyn World) -> Result<(), RunError> {
    let places = spec.inputs.iter().map(|(id, partition, begin)| (id, partition, *begin));
    can_repeat(spec, places, true).map_err(|why| lost(spec, damage, why))?;
    let (disk, aside) = (world.disk(), aside(spec));
    let moved = || {
        // One that lies there already was the damaged one before: what is in its place now is only a part of another.
        if disk.exists(&aside)? {
            disk.remove_dir_all(&spec.dir)?;
        } else {
            disk.rename(&spec.dir, &aside)?;
        }
        disk.sync_dir(parent_of(&spec.dir))
    };
    moved().map_err(|error| StoreError::Io(error).into())
}

/// The new state has come to where the damaged one was.
pub fn rebuilt(spec: &TaskSpec, cell: &Cell, world: &dyn World) -> Result<(), RunError> {
    if let ViewStore::Disk(store) = &*cell.store() {
        store.database().sync()?;
    }
    let (disk, aside) = (world.disk(), aside(spec));
    let gone = disk.remove_dir_all(&aside).and_then(|()| disk.sync_dir(parent_of(&aside)));
    gone.map_err(|error| StoreError::Io(error).into())
}
