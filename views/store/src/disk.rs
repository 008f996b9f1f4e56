//! One view partition's rows over a database: what is resident, what is dirty, and the cut that they stand for.
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use millrace_engine::state::{Cut, Rows, Store, StoreError, Stored, TableId};
use parking_lot::Mutex;

use crate::budget::RowBudget;
use crate::database::{Database, Databases};
use crate::resident::Resident;

/// A view partition's rows. Reads may come from one thread while it is borrowed shared; the owner writes.
pub struct DiskStore {
    database: Arc<dyn Database>,
    // Reads move rows into memory.
    resident: Mutex<Resident>,
    cut: Cut,
    written_cut: Cut,
    /// A write-back has begun and not ended.
    writing: bool,
    budget: Arc<RowBudget>,
}

/// Rows on their way to the database, with their cut.
pub struct WriteBack {
    database: Arc<dyn Database>,
    rows: Arc<Rows>,
    cut: Cut,
    /// Rows of the write-back before: to be freed where nobody waits for it.
    _before: Arc<Rows>,
}

impl DiskStore {
    /// Comes back with the rows and the cut of the last write-back; `files` are the names that lie in the folder.
    pub fn open(dir: &Path, files: &[String], databases: &dyn Databases, budget: &Arc<RowBudget>) -> Result<DiskStore, StoreError> {
        let database = databases.open(dir, files)?;
        let cut = database.cut()?;
        let resident = Mutex::new(Resident::new(database.is_empty()?));
        budget.join();
        Ok(DiskStore { database, resident, written_cut: cut.clone(), cut, writing: false, budget: budget.clone() })
    }

    /// Half the budget is taken by rows still to be written; the other half stays for what is read. The owner writes back
    /// as soon as whatever else its cut stands for (records of a sink) is durable, never before.
    pub fn wants_write_back(&self) -> bool {
        self.resident.lock().dirty_bytes() > self.budget.share() / 2
    }

    pub fn has_unwritten(&self) -> bool {
        !self.resident.lock().dirty().is_empty()
    }

    /// Whether the cut is ahead of the one that a crash would bring back.
    pub fn has_moved(&self) -> bool {
        self.cut != self.written_cut
    }

    /// The cut that a crash would bring back, but for one of the machine.
    pub fn written_cut(&self) -> &Cut {
        &self.written_cut
    }

    /// Begins to write the dirty rows and the cut behind them, as one batch. Until it has ended there may be no other; whoever reads
    /// goes on meanwhile.
    pub fn begin_write_back(&mut self) -> WriteBack {
        let resident = self.resident.get_mut();
        let before = resident.begin_write_back(self.budget.share());
        self.writing = true;
        WriteBack { database: self.database.clone(), rows: resident.written().clone(), cut: self.cut.clone(), _before: before }
    }

    /// After [`WriteBack::write`].
    pub fn end_write_back(&mut self, written: &WriteBack) {
        self.writing = false;
        self.written_cut = written.cut.clone();
    }

    /// All of it at once, for an owner whom nobody reads beside.
    pub fn write_back(&mut self) -> Result<(), StoreError> {
        let back = self.begin_write_back();
        back.write()?;
        self.end_write_back(&back);
        Ok(())
    }

    /// What a crash would leave: as of the last write-back.
    pub fn database(&self) -> &Arc<dyn Database> {
        &self.database
    }

    pub fn memory_bytes(&self) -> usize {
        self.resident.lock().bytes()
    }

    pub fn disk_bytes(&self) -> u64 {
        self.database.disk_bytes()
    }
}

impl Drop for DiskStore {
    fn drop(&mut self) {
        self.budget.leave();
    }
}

impl WriteBack {
    /// Without the store: what it says does not change by this.
    pub fn write(&self) -> Result<(), StoreError> {
        self.database.write(&self.rows, &self.cut)
    }

    /// Makes it outlive a crash of the machine: before something that it could be made from again is thrown away.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.database.sync()
    }
}

impl Store for DiskStore {
    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Stored>, StoreError> {
        let mut resident = self.resident.lock();
        if let Some(known) = resident.get(table, key) {
            return Ok(known);
        }
        // That a key is absent is not remembered: the database knows it nearly as fast, and a row mostly follows.
        let Some(found) = self.database.get(table, key)? else { return Ok(None) };
        let room = self.budget.share().saturating_sub(resident.kept_bytes());
        resident.remember(table, key, found.clone(), room);
        Ok(Some(found))
    }

    fn note_prefix(&self, table: TableId, prefix: &[u8]) {
        self.resident.lock().note_prefix(table, prefix);
    }

    fn may_have_prefix(&self, table: TableId, prefix: &[u8]) -> bool {
        self.resident.lock().may_have_prefix(table, prefix)
    }

    fn scan(
        &self,
        table: TableId,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut dyn FnMut(&[u8], &Stored) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        if to.is_some_and(|to| to <= from) {
            return Ok(());
        }
        let resident = self.resident.lock();
        let newest = resident.dirty().table(table);
        // What is being written is in the database already, or is not.
        let older = resident.written().table(table).filter(|_| self.writing);
        let (newest, older) = (newest.map(|rows| rows.range(from, to)), older.map(|rows| rows.range(from, to)));
        let mut visit = |key: &[u8], row: Option<&Stored>| row.map_or(ControlFlow::Continue(()), |stored| visit(key, stored));
        merge(newest.into_iter().flatten(), &mut visit, |visit| {
            merge(older.into_iter().flatten(), visit, |visit| {
                self.database.scan(table, from, to, &mut |key, stored| visit(key, Some(stored)))
            })
        })
    }

    fn cut(&self) -> Result<Cut, StoreError> {
        Ok(self.cut.clone())
    }

    fn commit(&mut self, rows: &mut Rows, cut: &Cut) -> Result<(), StoreError> {
        let resident = self.resident.get_mut();
        for (table, rows) in rows.iter_mut() {
            for (key, row) in rows.drain() {
                resident.change(table, key, row);
            }
        }
        self.cut = cut.clone();
        Ok(())
    }
}

/// Called with each row in key order, or with what deletes it, until told to stop.
type VisitChange<'a> = &'a mut dyn FnMut(&[u8], Option<&Stored>) -> ControlFlow<()>;

/// Visits changes together with the older rows behind them; of one key, the change alone.
fn merge<'a>(
    changes: impl Iterator<Item = (&'a [u8], &'a Option<Stored>)>,
    visit: VisitChange<'_>,
    older: impl FnOnce(VisitChange<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut changes = changes.peekable();
    let mut flow = ControlFlow::Continue(());
    older(&mut |key, row| {
        while let Some((own, change)) = changes.next_if(|(own, _)| *own <= key) {
            flow = visit(own, change.as_ref());
            if flow.is_break() || own == key {
                return flow;
            }
        }
        flow = visit(key, row);
        flow
    })?;
    while flow.is_continue()
        && let Some((key, change)) = changes.next()
    {
        flow = visit(key, change.as_ref());
    }
    Ok(())
}
