//! One seed: which views, who writes what when, what breaks, and when the power fails.
mod acknowledged;
mod churn;
mod life;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Once};
use std::time::Duration;

use futures_util::FutureExt;
use millrace_engine::state::Cut;
use millrace_oracle::{EXPIRING, Event, LEDGER, Logs, Rows, SOURCES, VIEWS, View};
use millrace_record::{BatchBuilder, BatchHeader, Codec, Level, partition_of_key};
use millrace_serve::Views;
use millrace_serve::host::Selected;
use millrace_serve::run::Plant as ViewPlant;
use millrace_shard::{AppendOptions, Partition, Plant, Shard, ShardSettings};
use millrace_sql::name::Name;
use millrace_sql::value::Value;
use millrace_world::World;
use parking_lot::Mutex;

use crate::disk::{Loss, SimDisk};
use crate::fixture;
use crate::rng::Rng;
use crate::trace::Trace;
use crate::views::scenario::acknowledged::Acknowledged;
use crate::views::database::{SimDatabases, Tear};
use crate::views::log::read_topic;
use crate::views::outside::Metadata;
use crate::world::SimWorld;

#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    pub print: bool,
    pub shard: Plant,
    pub views: ViewPlant,
    pub tear: Tear,
}

/// What became of a seed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// What must never happen, and did.
    pub failure: Option<String>,
    pub fingerprint: u64,
    pub crashes: u64,
    /// Rows of tables that were held against the oracle.
    pub rows: u64,
    /// Records of sinks that were, in the last look.
    pub outputs: u64,
    /// Reads of both sides of the ledger at one cut.
    pub balances: u64,
}

/// Runs one seed from an empty disk to the last check.
pub fn run(seed: u64, options: Options) -> Outcome {
    count_panics();
    let panics = PANICS.get();
    let mut run = Run::new(seed, options);
    let mut failure = run.play().err();
    if failure.is_none() && PANICS.get() > panics {
        failure = Some("a task panicked; its words are above".into());
    }
    if let Some(failure) = &failure {
        run.trace.note(format_args!("FAILED: {failure}"));
    }
    run.end_node();
    Outcome { failure, fingerprint: run.trace.fingerprint(), crashes: run.crashes, rows: run.rows, outputs: run.outputs, balances: run.balances }
}

thread_local!(static PANICS: Cell<u64> = const { Cell::new(0) });

/// A task's panic is caught where tasks run, and must not go unseen.
fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.set(PANICS.get() + 1);
            before(info);
        }));
    });
}

type Slot<T> = Arc<Mutex<Option<T>>>;

struct Run {
    rng: Rng,
    trace: Trace,
    disk: SimDisk,
    world: Arc<SimWorld>,
    settings: ShardSettings,
    databases: Arc<SimDatabases>,
    metadata: Arc<Mutex<Metadata>>,
    options: Options,
    partitions: i32,
    views: Vec<&'static View>,
    node: Option<Node>,
    statement: Option<Slot<Result<(), String>>>,
    /// Views are dropped with their topics, declared again and replaced while everything else goes on.
    churns: bool,
    replaces: bool,
    /// Queries whose rows move run as one task: their tables are read at cuts of the sources themselves.
    single: bool,
    /// Of changelogs that count: what a reader was told, which the sink must come to say.
    promised: BTreeMap<(&'static str, String, i64), i64>,
    /// What producers were told is there.
    acknowledged: Acknowledged,
    /// Queries whose view was told to go with its topic: what a crash leaves of their states counts outputs of a topic that is gone.
    doomed: BTreeSet<String>,
    /// Queries that were told to end alone; the one of a statement under way; those whose end was answered.
    told_to_end: Vec<String>,
    terminating: Option<String>,
    terminated: BTreeSet<String>,
    paused: bool,
    keys: u64,
    next_number: i64,
    event_ms: i64,
    full: bool,
    broke_disk: bool,
    crashes: u64,
    rows: u64,
    outputs: u64,
    balances: u64,
}

struct Node {
    shard: Shard,
    open: Arc<Mutex<BTreeMap<String, Vec<Option<Partition>>>>>,
    views: Option<Arc<Views>>,
}

impl Run {
    fn new(seed: u64, options: Options) -> Run {
        let mut rng = Rng::new(seed);
        let disk = SimDisk::new(rng.next());
        let world = SimWorld::new(rng.next(), disk.clone());
        let settings = ShardSettings {
            ring_bytes: *rng.pick(&[128 << 10, 1 << 20]),
            direct_bytes: *rng.pick(&[600, 20_000, 1 << 20]),
            turn_bytes_max: *rng.pick(&[3_000, 1 << 20]),
            checkpoint_ms: *rng.pick(&[50, 1_000, 60_000]),
            retention_delay_ms: 2_000,
            retention_check_ms: 2_000,
            clean_check_ms: 500,
            disk_reserve_bytes: *rng.pick(&[0, 64 << 10]),
            plant: options.shard,
            ..fixture::shard_settings()
        };
        if rng.percent(30) {
            disk.set_faults(|faults, _| faults.sync_nanos_max = 20_000_000);
        }
        let single = seed % 6 == 3;
        let metadata = Metadata::new(*rng.pick(&[4_000, 1 << 20]));
        let mut views = some_views(&mut rng, seed % 3 == 0);
        if seed % 7 == 3 {
            views.extend(VIEWS.iter().filter(|view| view.name == LATER));
        }
        if seed % 4 == 2 && !single {
            views.push(&EXPIRING);
        }
        Run {
            databases: SimDatabases::new(disk.clone(), rng.next(), options.tear, seed % 5 == 4),
            partitions: rng.range(1, 4) as i32,
            keys: *rng.pick(&[2, 5, 20]),
            trace: Trace::new(options.print),
            metadata: Arc::new(Mutex::new(metadata)),
            rng,
            disk,
            world,
            settings,
            options,
            views,
            node: None,
            statement: None,
            churns: seed % 7 == 3,
            // A query that took over from another cannot be computed again from the start.
            replaces: seed % 7 == 3 && seed % 5 != 4,
            single,
            promised: BTreeMap::new(),
            acknowledged: Acknowledged::default(),
            doomed: BTreeSet::new(),
            told_to_end: Vec::new(),
            terminating: None,
            terminated: BTreeSet::new(),
            paused: false,
            next_number: 1,
            event_ms: 0,
            full: false,
            broke_disk: false,
            crashes: 0,
            rows: 0,
            outputs: 0,
            balances: 0,
        }
    }

    fn play(&mut self) -> Result<(), String> {
        let names: Vec<&str> = self.views.iter().map(|view| view.name).collect();
        self.trace.note(format_args!("{} partitions, {} keys, {names:?}, {:?}", self.partitions, self.keys, self.settings));
        self.start()?;
        // It takes a while until there is something to take away again.
        let steps = if self.churns { self.rng.range(300, 1_000) } else { self.rng.range(60, 400) };
        for _ in 0..steps {
            self.step()?;
            if self.is_down() {
                let loss = self.choose_loss();
                self.crash(loss)?;
            }
        }
        self.heal_and_finish()
    }

    fn step(&mut self) -> Result<(), String> {
        match self.rng.range(0, 100) {
            0..=24 => self.produce(),
            25..=44 => self.turn(),
            45..=62 => {
                let limit = *self.rng.pick(&[1, 3, 20, 200]);
                let ran = self.world.run_tasks(limit);
                self.trace.note(format_args!("{ran} tasks run"));
            }
            63..=67 => {
                let ran = self.node.as_mut().is_some_and(|node| node.shard.run_job());
                self.trace.note(format_args!("job: {ran}"));
            }
            68..=79 => {
                let ms = *self.rng.pick(&[1, 20, 300, 600, 1_500, 6_000]);
                self.world.advance(Duration::from_millis(ms));
                self.trace.note(format_args!("{ms} ms pass"));
            }
            80..=84 if self.churns && self.statement.is_none() && self.rng.percent(60) => self.drop_or_replace(),
            80..=84 => self.next_statement()?,
            85..=87 => self.look(false)?,
            88 => self.pause_or_resume()?,
            89..=93 => self.arm_power_failure(),
            94 => self.arm_broken_disk(),
            95..=96 => self.fill_or_free_disk(),
            97 => {
                let loss = self.choose_loss();
                self.crash(loss)?;
            }
            98 => self.stop_cleanly()?,
            _ => {
                let ms = self.rng.range(0, 7_200_000) as i64 - 3_600_000;
                self.world.jump_wall(ms);
                self.trace.note(format_args!("the wall clock jumps by {ms} ms"));
            }
        }
        Ok(())
    }

    fn is_down(&self) -> bool {
        self.disk.is_off() || self.node.as_ref().is_none_or(|node| node.shard.has_failed())
    }

    fn turn(&mut self) {
        if let Some(node) = &mut self.node {
            node.shard.turn();
            let operations = self.disk.operations();
            self.trace.note(format_args!("turn, {operations} operations"));
        }
    }

    /// A few records into one of the sources; whether they get there the topic itself will say.
    fn produce(&mut self) {
        let topic = *self.rng.pick(&["SRC", "SRC", "SRC", "USERS", "LIMITS", "ORDERS"]);
        let Some(partitions) = self.partitions_of(topic) else { return };
        let mut batches: BTreeMap<i32, (BatchBuilder, Vec<Option<i64>>)> = BTreeMap::new();
        for _ in 0..self.rng.range(1, 8) {
            let number = self.next_number;
            self.next_number += 1;
            self.event_ms += *self.rng.pick(&[0, 10, 200, 2_000]);
            let late = if self.rng.percent(20) { self.rng.range(0, 8_000) as i64 } else { 0 };
            let key = (topic != "SRC" || self.rng.percent(96)).then(|| format!("k{}", self.rng.range(0, self.keys)));
            let unreadable = topic != "ORDERS" && self.rng.percent(3);
            let value = match topic {
                _ if unreadable => Some("{\"N\": 1".to_owned()),
                "SRC" => Some(format!("{{\"N\":{number},\"G\":\"g{}\"}}", number % 3)),
                "USERS" => Some(format!("{{\"VERSION\":{number}}}")),
                "ORDERS" if self.rng.percent(20) => None,
                "ORDERS" if self.rng.percent(10) => Some(format!("{{\"N\":{number}}}")),
                "ORDERS" => Some(format!("{{\"N\":{number},\"OWNER\":\"k{}\"}}", self.rng.range(0, self.keys))),
                _ => Some(format!("{{\"CAP\":{number}}}")),
            };
            let at = key.as_ref().map_or(0, |key| partition_of_key(key.as_bytes(), self.partitions));
            let (batch, numbers) = batches.entry(at).or_insert_with(|| (BatchBuilder::new(Codec::None, Level::Default), Vec::new()));
            numbers.push((!unreadable && value.is_some()).then_some(number));
            batch.push((self.event_ms - late).max(0), key.as_deref().map(str::as_bytes), value.as_deref().map(str::as_bytes), &[]);
        }
        for (at, (batch, numbers)) in batches {
            let batch = batch.build();
            let header = BatchHeader::parse(&batch).expect("it was just built");
            let reply = partitions[at as usize].append(batch, header, AppendOptions::CLIENT);
            self.acknowledged.sent(topic, at as usize, numbers, reply);
        }
        self.trace.note(format_args!("records for {topic}"));
    }

    fn partitions_of(&self, topic: &str) -> Option<Vec<Partition>> {
        self.node.as_ref()?.open.lock().get(topic)?.iter().cloned().collect()
    }

    fn views(&self) -> Option<Arc<Views>> {
        self.node.as_ref()?.views.clone()
    }

    /// The outcome of the last statement, and the next one that is still to be made.
    fn next_statement(&mut self) -> Result<(), String> {
        let Some(views) = self.views() else { return Ok(()) };
        if let Some(slot) = &self.statement {
            let Some(outcome) = slot.lock().take() else { return Ok(()) };
            self.trace.note(format_args!("the statement: {outcome:?}"));
            self.statement = None;
            self.note_terminated(outcome.is_ok());
            if let Err(error) = outcome
                && !self.full
                && !self.broke_disk
                && !error.contains("Try again when it runs")
            {
                return Err(format!("a statement failed: {error}"));
            }
        }
        if self.drop_terminated(&views) {
            return Ok(());
        }
        let catalog = views.catalog();
        let is_there = |name: &str| catalog.source(&Name::new(name)).is_some();
        let sources = SOURCES.iter().map(|(name, sql)| (*name, *sql, None));
        let wanted = sources.chain(self.views.iter().map(|view| (view.name, view.sql, view.needs)));
        let Some((name, sql, _)) = wanted.into_iter().find(|(name, _, needs)| !is_there(name) && needs.is_none_or(is_there)) else { return Ok(()) };
        self.trace.note(format_args!("statement: {name}"));
        let sql = sql.replace("$P", &self.partitions.to_string());
        self.execute(views, sql);
        Ok(())
    }

    fn execute(&mut self, views: Arc<Views>, sql: String) {
        let slot: Slot<Result<(), String>> = Arc::default();
        self.statement = Some(slot.clone());
        let tasks = if self.single { "single" } else { "partitions" };
        self.world.spawn(Box::pin(async move {
            let properties = [("auto.offset.reset", "earliest"), ("views.query.tasks", tasks)];
            let properties = BTreeMap::from(properties.map(|(name, value)| (name.to_owned(), value.to_owned())));
            let outcome = views.execute(&sql, &properties, &BTreeMap::new()).await;
            *slot.lock() = Some(outcome.map(drop).map_err(|stopped| stopped.failed.to_string()));
        }));
    }

    /// Everything that can be read now, held against the oracle.
    fn look(&mut self, complete: bool) -> Result<(), String> {
        let Some(views) = self.views() else { return Ok(()) };
        if self.is_down() {
            return Ok(());
        }
        self.check_terminated(&views)?;
        // Rows first: what a cut has passed is in the logs.
        let tables = self.tables(&views, complete);
        let logs = self.logs();
        if self.is_down() {
            return Ok(());
        }
        let (tables, logs) = (tables?, logs?);
        self.acknowledged.check(&logs)?;
        for view in &self.views {
            view.check_log(&logs, complete)?;
            let Some((rows, cut)) = tables.get(view.name) else { continue };
            view.check_told(&logs, rows)?;
            // One task over several partitions may have told of an order that no log held yet.
            if view.counts() && (self.partitions == 1 || !self.single) {
                let told = rows.iter().filter_map(|(key, row)| Some(((view.name, key.clone(), *row.first()?), *row.get(1)?)));
                self.promised.extend(told);
            }
            if let Some(wanted) = view.rows(&logs, &positions(cut)) {
                self.rows += rows.len() as u64;
                if *rows != wanted {
                    return Err(format!("the rows of {} at {cut} are {rows:?}, not {wanted:?}", view.name));
                }
            }
        }
        self.check_promises(&logs)?;
        self.check_ledger(&tables)?;
        let sinks = self.views.iter().filter_map(|view| logs.get(view.name));
        self.outputs = sinks.map(|events| events.len() as u64).sum();
        let lengths: Vec<(&String, usize)> = logs.iter().map(|(name, events)| (name, events.len())).collect();
        self.trace.note(format_args!("looked: {lengths:?}, {} tables", tables.len()));
        Ok(())
    }

    /// Whatever a reader was told before a crash is what the sink says after it.
    fn check_promises(&self, logs: &Logs) -> Result<(), String> {
        for ((name, key, count), sum) in &self.promised {
            let view = self.views.iter().find(|view| view.name == *name).ok_or("a promise of no view")?;
            view.check_told(logs, &Rows::from([(key.clone(), vec![*count, *sum])]))?;
        }
        Ok(())
    }

    /// The balance test: credits less debits are nothing at every cut that both are read at.
    fn check_ledger(&mut self, tables: &BTreeMap<&'static str, (Rows, Cut)>) -> Result<(), String> {
        let [Some((credits, cut)), Some((debits, other))] = LEDGER.map(|name| tables.get(name)) else { return Ok(()) };
        if cut != other {
            return Ok(());
        }
        let total = |rows: &Rows| rows.values().map(|row| row[1]).sum::<i64>();
        self.balances += 1;
        let total = total(credits) - total(debits);
        if total == 0 { Ok(()) } else { Err(format!("{total} is in nobody's account at {cut}")) }
    }

    fn tables(&self, views: &Arc<Views>, complete: bool) -> Result<BTreeMap<&'static str, (Rows, Cut)>, String> {
        let mut tables = BTreeMap::new();
        for view in &self.views {
            let Some(sql) = view.pull else { continue };
            let none = BTreeMap::new();
            let anywhere = Cut::default();
            let mut selecting = Box::pin(views.select(sql, &none, &none, None, &anywhere));
            // A scan is done on the views' own threads.
            let mut look = || {
                let seen = selecting.as_mut().now_or_never();
                if seen.is_none() {
                    self.world.run_tasks(1);
                }
                seen
            };
            let selected = (0..1_000).find_map(|_| look());
            match selected.ok_or("a pull query waits for nothing")? {
                Ok(Selected::Rows(answer)) => drop(tables.insert(view.name, (answer.rows.iter().map(|row| as_numbers(row)).collect(), answer.seen.cut))),
                Ok(_) => return Err(format!("{} is no table", view.name)),
                // It is not declared yet, or starting, or paused.
                Err(failed) if complete => return Err(format!("{} cannot be read: {failed}", view.name)),
                Err(_) => {}
            }
        }
        Ok(tables)
    }

    fn logs(&self) -> Result<Logs, String> {
        let names = SOURCES.iter().map(|(name, _)| *name).chain(self.views.iter().map(|view| view.name));
        let read = |name: &'static str| -> Option<Result<(String, Vec<Event>), String>> {
            let partitions = self.partitions_of(name)?;
            Some(read_topic(&partitions).map(|events| (name.to_owned(), events)).map_err(|error| format!("{name}: {error}")))
        };
        names.filter_map(read).collect()
    }

    fn arm_power_failure(&mut self) {
        let within = *self.rng.pick(&[3, 15, 60]);
        let after = self.rng.range(1, within);
        self.disk.set_faults(|faults, now| faults.power_off_at = Some(now + after));
        self.trace.note(format_args!("the power will fail in {after} operations"));
    }

    fn arm_broken_disk(&mut self) {
        let after = self.rng.range(1, 25);
        self.disk.set_faults(|faults, now| {
            faults.broken.insert(now + after);
        });
        self.broke_disk = true;
        self.trace.note(format_args!("the disk will fail once in {after} operations"));
    }

    fn fill_or_free_disk(&mut self) {
        if self.full {
            return self.free_disk();
        }
        let room = self.rng.range(0, 100_000);
        let used = self.disk.used();
        self.disk.set_faults(|faults, _| faults.capacity = Some(used + room));
        self.full = true;
        self.trace.note(format_args!("the disk has {room} bytes left"));
    }

    fn free_disk(&mut self) {
        self.disk.set_faults(|faults, _| (faults.capacity, faults.space_lie) = (None, 0));
        self.full = false;
        self.trace.note(format_args!("the disk has room again"));
    }

    fn choose_loss(&mut self) -> Loss {
        // After a failed fsync the page cache shows what the platter does not have.
        let choices: &[Loss] = if self.broke_disk { &[Loss::Everything, Loss::Some] } else { &[Loss::Nothing, Loss::Nothing, Loss::Everything, Loss::Some] };
        *self.rng.pick(choices)
    }

    /// All is well again: every view must come to be complete, and stay so.
    fn heal_and_finish(&mut self) -> Result<(), String> {
        self.trace.note(format_args!("everything heals"));
        self.heal();
        while self.is_down() {
            let loss = self.choose_loss();
            self.crash(loss)?;
            self.heal();
        }
        self.make_all()?;
        self.await_complete()?;
        self.stop_cleanly()?;
        self.heal();
        while self.is_down() {
            self.crash(Loss::Nothing)?;
            self.heal();
        }
        self.drive(2_000, |_| false);
        self.await_complete()
    }

    fn heal(&mut self) {
        self.free_disk();
        self.disk.set_faults(|faults, _| {
            faults.power_off_at = None;
            faults.broken.clear();
        });
    }

    /// Declares what is not declared yet, and lets everything run.
    fn make_all(&mut self) -> Result<(), String> {
        for _ in 0..40 {
            self.broke_disk = true;
            self.next_statement()?;
            if self.statement.is_none() {
                break;
            }
            let answered = self.statement.clone();
            self.drive(60_000, |_| answered.as_ref().is_none_or(|slot| slot.lock().is_some()));
        }
        if let Some(views) = self.views() {
            self.execute(views, "RESUME ALL;".into());
            let answered = self.statement.clone();
            self.drive(60_000, |_| answered.as_ref().is_none_or(|slot| slot.lock().is_some()));
        }
        self.statement = None;
        self.terminating = None;
        self.paused = false;
        // From here on nothing may be refused.
        self.broke_disk = false;
        Ok(())
    }

    fn await_complete(&mut self) -> Result<(), String> {
        let mut last = Ok(());
        for wait in [100, 300, 600, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000] {
            self.drive(wait, |_| false);
            last = self.look(true);
            if last.is_ok() {
                return Ok(());
            }
        }
        let troubles = self.views().map(|views| {
            let catalog = views.catalog();
            let trouble = |query: &millrace_sql::catalog::RunningQuery| views.following(&query.plan.id).map(|following| following.trouble());
            catalog.queries().filter_map(trouble).filter(|text| !text.is_empty()).collect::<Vec<_>>()
        });
        last.map_err(|error| format!("a minute after everything healed: {error}; troubles: {:?}", troubles.unwrap_or_default()))
    }
}

fn positions(cut: &Cut) -> millrace_oracle::Cut {
    cut.iter().map(|(input, next)| ((input.topic.to_string(), input.partition as usize), next)).collect()
}

/// A view that seeds of churn have, so that the others are what they were before it was thought of.
const LATER: &str = "THREE";
/// Made by two statements, which a crash may part: left to the test of real processes.
const PARTED: &str = "FED";

fn some_views(rng: &mut Rng, with_ledger: bool) -> Vec<&'static View> {
    let payers = LEDGER[1];
    let mut views: Vec<&View> = VIEWS.iter().filter(|view| view.name != payers && view.name != LATER && view.name != PARTED && rng.percent(45)).collect();
    if views.is_empty() {
        views.push(&VIEWS[0]);
    }
    let lacks = |views: &[&View], name: &str| !views.iter().any(|view| view.name == name);
    let mut needed: Vec<&str> = views.iter().filter_map(|view| view.needs).collect();
    if with_ledger {
        needed.extend(LEDGER);
    }
    for name in needed {
        if lacks(&views, name) {
            views.extend(VIEWS.iter().filter(|view| view.name == name));
        }
    }
    views
}

/// The texts of a row joined, and its numbers: the numbers after the last text are what the key maps to, those of a window belong to
/// the key.
fn as_numbers(row: &[Value]) -> (String, Vec<i64>) {
    let numbers: Vec<i64> = row.iter().filter_map(Value::as_i64).collect();
    let mut key = row.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ");
    match numbers.as_slice() {
        [start, end, count] => {
            key.push_str(&format!(" {start} {end}"));
            (key, vec![*count])
        }
        _ => (key, numbers),
    }
}
