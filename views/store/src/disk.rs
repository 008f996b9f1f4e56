//! One view partition's rows over a database: what is resident, what is dirty, and the cut that they stand for.
use std::ops::{Bound, ControlFlow};
use std::path::Path;
use std::sync::Arc;

use millrace_engine::state::{Batch, Cut, Store, StoreError, Stored, TableId};
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
    budget: Arc<RowBudget>,
}

/// The rows of one cut, readable without holding up the owner.
pub struct Snapshot {
    database: Arc<dyn Database>,
    pub cut: Cut,
}

impl DiskStore {
    /// Comes back with the rows and the cut of the last write-back.
    pub fn open(dir: &Path, databases: &dyn Databases, budget: &Arc<RowBudget>) -> Result<DiskStore, StoreError> {
        let database = databases.open(dir)?;
        let cut = database.cut()?;
        budget.join();
        Ok(DiskStore { database, resident: Mutex::default(), written_cut: cut.clone(), cut, budget: budget.clone() })
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

    /// Writes the dirty rows and the cut behind them, as one batch.
    pub fn write_back(&mut self) -> Result<(), StoreError> {
        let resident = self.resident.get_mut();
        self.database.write(resident.dirty(), &self.cut)?;
        resident.written(self.budget.share());
        self.written_cut = self.cut.clone();
        Ok(())
    }

    /// Makes the last write-back outlive a crash of the machine: before something that it could be made from again is
    /// thrown away.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.database.sync()
    }

    /// Whether everything up to this cut can be forgotten by the inputs: the cut that a crash would bring back.
    pub fn durable_cut(&self) -> Result<Cut, StoreError> {
        self.database.cut()
    }

    /// Writes back, so that the database alone holds the rows of the cut, and gives them to read elsewhere.
    /// Between this call and [`Snapshot::read`] the owner must stay put; `read` is quick to freeze and free to take long.
    pub fn snapshot(&mut self) -> Result<Snapshot, StoreError> {
        self.write_back()?;
        Ok(Snapshot { database: self.database.clone(), cut: self.cut.clone() })
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

impl Snapshot {
    /// Freezes the rows, then calls `frozen` (let the owner go on there), then visits.
    pub fn read(
        &self,
        table: TableId,
        range: (&[u8], Option<&[u8]>),
        frozen: &mut dyn FnMut(),
        visit: &mut dyn FnMut(&[u8], &Stored) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.database.scan_frozen(table, range, frozen, visit)
    }
}

impl Store for DiskStore {
    fn get(&self, table: TableId, key: &[u8]) -> Result<Option<Stored>, StoreError> {
        let mut resident = self.resident.lock();
        if let Some(known) = resident.get(table, key) {
            return Ok(known);
        }
        let found = self.database.get(table, key)?;
        let room = self.budget.share().saturating_sub(resident.dirty_bytes());
        resident.remember((table, key.to_vec()), found.clone(), room);
        Ok(found)
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
        let bounds = (Bound::Included(from), to.map_or(Bound::Unbounded, Bound::Excluded));
        let dirty = resident.dirty().get(&table).into_iter().flat_map(|rows| rows.range::<[u8], _>(bounds));
        let mut dirty = dirty.map(|(key, row)| (key.as_slice(), row.as_ref())).peekable();
        let mut stopped = false;
        self.database.scan(table, from, to, &mut |key, stored| {
            while let Some((own, row)) = dirty.next_if(|(own, _)| *own <= key) {
                if row.is_some_and(|row| visit(own, row).is_break()) {
                    stopped = true;
                    return ControlFlow::Break(());
                }
                if own == key {
                    return ControlFlow::Continue(());
                }
            }
            let flow = visit(key, stored);
            stopped = flow.is_break();
            flow
        })?;
        if !stopped {
            for (key, row) in dirty {
                if row.is_some_and(|row| visit(key, row).is_break()) {
                    break;
                }
            }
        }
        Ok(())
    }

    fn cut(&self) -> Result<Cut, StoreError> {
        Ok(self.cut.clone())
    }

    fn commit(&mut self, batch: Batch) -> Result<(), StoreError> {
        let resident = self.resident.get_mut();
        for (table, rows) in batch.rows {
            for (key, row) in rows {
                resident.change((table, key), row);
            }
        }
        self.cut = batch.cut;
        Ok(())
    }
}
