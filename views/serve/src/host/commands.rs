//! The commands that this node has carried out: what became of each, and how far it has come in the list.
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use millrace_sql::catalog::{Catalog, Effect};
use millrace_sql::plan::QueryId;
use millrace_world::Moment;
use parking_lot::Mutex;

use crate::host::Views;
use crate::run::Signal;

/// After this long a statement that is being carried out counts as stuck.
const STUCK_AFTER: Duration = Duration::from_secs(15);

/// What became of a command, under its id `stream/`S`/create`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandStatus {
    pub message: String,
    pub query: Option<String>,
    /// It holds, but not all that it asks for could be done; the message says what.
    pub failed: bool,
}

#[derive(Default)]
pub(super) struct Commands {
    statuses: Mutex<BTreeMap<String, CommandStatus>>,
    /// Commands of the list that are behind us.
    done: AtomicUsize,
    /// Those among them that did not hold any more.
    passed_over: AtomicUsize,
    moved: Signal,
    /// When the statement began that is being carried out.
    began: Mutex<Option<Moment>>,
}

/// A statement that is being carried out.
pub(super) struct UnderWay<'a>(&'a Commands);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        *self.0.began.lock() = None;
    }
}

impl Commands {
    pub fn begin(&self, now: Moment) -> UnderWay<'_> {
        *self.began.lock() = Some(now);
        UnderWay(self)
    }

    pub fn carried_out(&self, id: String, status: CommandStatus) {
        self.statuses.lock().insert(id, status);
        self.count();
    }

    pub fn pass_over(&self) {
        self.passed_over.fetch_add(1, Ordering::AcqRel);
        self.count();
    }

    fn count(&self) {
        self.done.fetch_add(1, Ordering::AcqRel);
        self.moved.notify();
    }
}

/// What can be said of the node's views at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// The catalog is that of the whole list of commands.
    pub catalog: bool,
    /// The broker takes writes.
    pub broker: bool,
    /// Every command was understood, and none is stuck.
    pub commands: bool,
}

impl Views {
    pub fn health(&self) -> Health {
        let began = *self.commands.began.lock();
        let stuck = began.is_some_and(|began| self.outside.world().now() - began > STUCK_AFTER);
        Health {
            catalog: began.is_some() || self.commands.done.load(Ordering::Acquire) == self.outside.commands().len(),
            broker: self.outside.health().is_ok(),
            commands: !stuck && self.commands.passed_over.load(Ordering::Acquire) == 0,
        }
    }

    /// Waits until the command of this number has been carried out.
    pub async fn carried_out(&self, number: i64) {
        let commands = &self.commands;
        commands.moved.until(|| (number < commands.done.load(Ordering::Acquire) as i64).then_some(())).await;
    }

    /// The number of the last command; -1 before the first.
    pub fn last_command(&self) -> i64 {
        self.commands.done.load(Ordering::Acquire) as i64 - 1
    }

    pub fn statuses(&self) -> BTreeMap<String, CommandStatus> {
        self.commands.statuses.lock().clone()
    }

    pub fn status_of(&self, id: &str) -> Option<CommandStatus> {
        self.commands.statuses.lock().get(id).cloned()
    }
}

/// The id under which ksqlDB's clients ask for a command's status. `before` is the catalog that the command met.
pub fn command_id(effect: &Effect, before: &Catalog) -> String {
    match effect {
        Effect::CreateSource { source, .. } => format!("{}/{}/create", source.kind.word(), source.name.quoted()),
        Effect::StartQuery { plan, .. } => format!("{}/{}/create", plan.sink.source.kind.word(), plan.sink.source.name.quoted()),
        Effect::AlterSource { source } => format!("{}/{}/alter", source.kind.word(), source.name.quoted()),
        Effect::DropSource { name, .. } => {
            let kind = before.source(name).map_or("stream", |source| source.kind.word());
            format!("{kind}/{}/drop", name.quoted())
        }
        Effect::Terminate { ids } => format!("terminate/{}/execute", joined(ids)),
        Effect::Pause { ids } => format!("pause/{}/execute", joined(ids)),
        Effect::Resume { ids } => format!("resume/{}/execute", joined(ids)),
        Effect::CreateType { name, .. } => format!("type/{name}/create"),
        Effect::DropType { name } => format!("type/{name}/drop"),
        _ => "cluster/nothing/execute".into(),
    }
}

fn joined(ids: &[QueryId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
