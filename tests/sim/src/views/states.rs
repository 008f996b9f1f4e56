//! What a crash left of the views' states, before anybody opens them: none may be ahead of the logs.
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use millrace_engine::state::{Cut, InputId, Stored};
use millrace_serve::run::{PROGRESS, Schedule};
use millrace_shard::Partition;
use millrace_sql::value::Value;
use millrace_world::Disk;

use crate::disk::SimDisk;
use crate::views::database::SimDatabases;

struct State {
    query: String,
    task: String,
    cut: Cut,
    /// Partition of the sink, outputs counted, the sink's end then.
    progress: Vec<(i32, i64, i64)>,
}

#[derive(Default)]
pub struct States(Vec<State>);

pub fn peek(disk: &SimDisk, databases: &SimDatabases) -> io::Result<States> {
    let root = Path::new("data/views");
    let mut states = States::default();
    if !disk.exists(root)? {
        return Ok(states);
    }
    for query in disk.list(root)?.into_iter().filter(|entry| entry.is_dir) {
        for task in disk.list(&root.join(&query.name))?.into_iter().filter(|entry| entry.is_dir && !entry.name.contains('.')) {
            let (rows, cut) = databases.peek(&root.join(&query.name).join(&task.name))?;
            let progress = rows.iter().filter(|((table, _), _)| *table == PROGRESS).filter_map(|((_, key), stored)| one_progress(key, stored));
            states.0.push(State { query: query.name.clone(), progress: progress.collect(), task: task.name, cut });
        }
    }
    Ok(states)
}

fn one_progress(key: &[u8], stored: &Stored) -> Option<(i32, i64, i64)> {
    match (key.try_into().ok().map(i32::from_be_bytes), &*stored.row) {
        (Some(partition), [Value::BigInt(made), Value::BigInt(end)]) => Some((partition, *made, *end)),
        _ => None,
    }
}

impl States {
    pub fn check(&self, partitions: impl Fn(&str) -> Option<Vec<Partition>>, sink_of: impl Fn(&str) -> Option<String>) -> Result<(), String> {
        for state in &self.0 {
            let name = format!("{}/{}", state.query, state.task);
            for (input, next) in state.cut.iter() {
                let Some(ends) = partitions(&input.topic) else { continue };
                let end = ends.get(input.partition as usize).map_or(0, |partition| partition.state().high_watermark.0);
                if next > end {
                    return Err(format!("the state of {name} has read {}-{} up to {next}, and that ends at {end}", input.topic, input.partition));
                }
            }
            if let Some(sink) = sink_of(&state.query).and_then(|sink| partitions(&sink)) {
                for (number, made, end) in &state.progress {
                    let there = sink.get(*number as usize).map_or(0, |partition| partition.state().high_watermark.0);
                    if *end > there {
                        return Err(format!("the state of {name} counts {made} outputs up to {end} of partition {number}, and that ends at {there}"));
                    }
                }
            }
            if let Some(schedule) = partitions(&format!("_millrace_schedule_{}_{}", state.query, state.task)).and_then(|mut one| one.pop()) {
                check_schedule(&name, &state.cut, &schedule)?;
            }
        }
        Ok(())
    }
}

/// While no step has been forgotten, every position of the cut is the end of one.
fn check_schedule(name: &str, cut: &Cut, schedule: &Partition) -> Result<(), String> {
    if schedule.state().start.0 > 0 || cut.iter().next().is_none() {
        return Ok(());
    }
    // The schedule names topics by their place in the query, which the cut does not tell: any names will do for how far it goes.
    let topics: std::collections::BTreeSet<Arc<str>> = cut.iter().map(|(input, _)| input.topic.clone()).collect();
    let steps = Schedule::new(schedule.clone(), topics.into_iter().collect()).read().map_err(|error| error.to_string())?;
    let reached = steps.iter().map(|step| step.upto.0).max().unwrap_or(0);
    let mut ahead: BTreeMap<InputId, i64> = cut.iter().map(|(input, next)| (input.clone(), next)).collect();
    ahead.retain(|_, next| *next > reached);
    if ahead.is_empty() { Ok(()) } else { Err(format!("the state of {name} has read {ahead:?}, and its schedule ends at {reached}")) }
}
