//! A task as its readers see it: rows at a cut, and a way to wait for one.
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use millrace_engine::{Query, Task};
use millrace_engine::state::{Cut, InputId, MemoryStore, Rows, Store, StoreError, Stored, TableId};
use millrace_record::Offset;
use millrace_shard::GroupId;
use millrace_store::{Database, DiskStore, WriteBack};
use parking_lot::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::run::Signal;

/// Persistent queries keep their state on disk, transient ones in memory.
pub enum ViewStore {
    Disk(DiskStore),
    Memory(MemoryStore),
}

impl ViewStore {
    /// What lies behind the rows; nothing where they are in memory alone.
    pub fn database(&self) -> Option<Arc<dyn Database>> {
        match self {
            ViewStore::Disk(store) => Some(store.database().clone()),
            ViewStore::Memory(_) => None,
        }
    }
}

impl Store for ViewStore {
    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Stored>, StoreError> {
        match self {
            ViewStore::Disk(store) => store.get(table, key),
            ViewStore::Memory(store) => store.get(table, key),
        }
    }

    fn note_prefix(&self, table: TableId, prefix: &[u8]) {
        if let ViewStore::Disk(store) = self {
            store.note_prefix(table, prefix);
        }
    }

    fn may_have_prefix(&self, table: TableId, prefix: &[u8]) -> bool {
        match self {
            ViewStore::Disk(store) => store.may_have_prefix(table, prefix),
            ViewStore::Memory(_) => true,
        }
    }

    fn scan(
        &self,
        table: TableId,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut dyn FnMut(&[u8], &Stored) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        match self {
            ViewStore::Disk(store) => store.scan(table, from, to, visit),
            ViewStore::Memory(store) => store.scan(table, from, to, visit),
        }
    }

    fn cut(&self) -> Result<Cut, StoreError> {
        match self {
            ViewStore::Disk(store) => store.cut(),
            ViewStore::Memory(store) => store.cut(),
        }
    }

    fn commit(&mut self, rows: &mut Rows, cut: &Cut) -> Result<(), StoreError> {
        match self {
            ViewStore::Disk(store) => store.commit(rows, cut),
            ViewStore::Memory(store) => store.commit(rows, cut),
        }
    }
}

/// A task's state, shared with its readers: they see it as the last commit left it, and wait for a commit at most, never for
/// what is being computed.
#[derive(Clone)]
pub struct SharedStore(Arc<RwLock<ViewStore>>);

impl SharedStore {
    pub fn new(store: ViewStore) -> SharedStore {
        SharedStore(Arc::new(RwLock::new(store)))
    }

    pub fn read(&self) -> RwLockReadGuard<'_, ViewStore> {
        self.0.read()
    }

    pub fn write(&self) -> RwLockWriteGuard<'_, ViewStore> {
        self.0.write()
    }

    /// Nothing where the state is in memory alone.
    pub fn begin_write_back(&self) -> Option<WriteBack> {
        match &mut *self.write() {
            ViewStore::Disk(store) => Some(store.begin_write_back()),
            ViewStore::Memory(_) => None,
        }
    }

    pub fn end_write_back(&self, back: &WriteBack) {
        if let ViewStore::Disk(store) = &mut *self.write() {
            store.end_write_back(back);
        }
    }
}

impl Store for SharedStore {
    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Stored>, StoreError> {
        self.read().get(table, key)
    }

    fn note_prefix(&self, table: TableId, prefix: &[u8]) {
        self.read().note_prefix(table, prefix);
    }

    fn may_have_prefix(&self, table: TableId, prefix: &[u8]) -> bool {
        self.read().may_have_prefix(table, prefix)
    }

    fn scan(
        &self,
        table: TableId,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut dyn FnMut(&[u8], &Stored) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.read().scan(table, from, to, visit)
    }

    fn cut(&self) -> Result<Cut, StoreError> {
        self.read().cut()
    }

    fn commit(&mut self, rows: &mut Rows, cut: &Cut) -> Result<(), StoreError> {
        self.write().commit(rows, cut)
    }
}

/// How a task is doing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    pub cut: Cut,
    /// Every output of what lies before is in its topic.
    pub settled: Cut,
    /// The output's topic has outputs that are still to be made again.
    pub repeats: bool,
    /// What a crash of the machine would bring back, at least.
    pub kept: Cut,
    /// Where the output's partitions ended then: outputs before are never looked for again.
    pub kept_ends: Vec<Offset>,
    /// Records that were removed before they were read.
    pub lost: u64,
    /// Why it does not go on; empty while it does.
    pub trouble: Option<String>,
    pub records_in: u64,
    pub records_out: u64,
    /// Records that could not be read or computed.
    pub errors: u64,
}

/// Shared by the runner, which feeds the task, and everybody who reads its rows between two chunks of records.
pub struct Cell {
    task: Mutex<Task<SharedStore>>,
    store: SharedStore,
    query: Arc<Query>,
    progress: Mutex<Progress>,
    /// Which log each input of the cut is, as no other is ever called.
    logs: Mutex<Vec<(InputId, GroupId)>>,
    moved: Signal,
    /// Nobody feeds the task any more.
    ended: AtomicBool,
}

impl Cell {
    pub fn new(task: Task<SharedStore>) -> Cell {
        let cut = task.cut().clone();
        let progress = Progress { settled: cut.clone(), cut, ..Progress::default() };
        Cell {
            store: task.store().clone(),
            query: task.query().clone(),
            task: Mutex::new(task),
            progress: Mutex::new(progress),
            logs: Mutex::default(),
            moved: Signal::default(),
            ended: AtomicBool::new(false),
        }
    }

    /// The task reads this log from now on.
    pub fn note_log(&self, input: &InputId, log: GroupId) {
        self.logs.lock().push((input.clone(), log));
    }

    /// The log that its cuts are of, where they name this input.
    pub fn log_of(&self, input: &InputId) -> Option<GroupId> {
        self.logs.lock().iter().find(|(id, _)| id == input).map(|(_, log)| *log)
    }

    /// The task, for whoever feeds it.
    pub fn task(&self) -> MutexGuard<'_, Task<SharedStore>> {
        self.task.lock()
    }

    /// The state as of the last commit, for as long as the guard lives: keep it short.
    pub fn store(&self) -> RwLockReadGuard<'_, ViewStore> {
        self.store.read()
    }

    /// How its rows are read.
    pub fn query(&self) -> &Query {
        &self.query
    }

    pub fn progress(&self) -> Progress {
        self.progress.lock().clone()
    }

    pub fn update(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.progress.lock());
        self.moved.notify();
    }

    /// Whether the partition is one of the task's inputs: its cut names all of them.
    pub fn reads(&self, input: &InputId) -> bool {
        self.progress.lock().cut.next(input).is_some()
    }

    /// The task comes no further: whoever waits for it must look for the one that takes its place.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.moved.notify();
    }

    /// Waits until everything before `cut` has been applied, so far as it concerns this task's inputs; `false` if it never will be.
    pub async fn reached(&self, cut: &Cut) -> bool {
        self.until(|| covers(&self.progress.lock().cut, cut)).await
    }

    /// The same, until all that comes of it is in the task's output topic.
    pub async fn settled(&self, cut: &Cut) -> bool {
        self.until(|| self.is_settled(cut)).await
    }

    /// Waits until what the task makes is new to its output's topic; `false` if it never will be.
    pub async fn past_repeats(&self) -> bool {
        self.until(|| !self.progress.lock().repeats).await
    }

    async fn until(&self, there: impl Fn() -> bool) -> bool {
        let look = || match there() {
            true => Some(true),
            false => self.ended.load(Ordering::Acquire).then_some(false),
        };
        self.moved.until(look).await
    }

    pub fn is_settled(&self, cut: &Cut) -> bool {
        covers(&self.progress.lock().settled, cut)
    }
}

/// Whether `known` is not behind `wanted` in any input that it knows.
fn covers(known: &Cut, wanted: &Cut) -> bool {
    !wanted.iter().any(|(input, next)| known.next(input).is_some_and(|known| known < next))
}
