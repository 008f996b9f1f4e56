//! Stream with table: each event of the stream meets the table's row of its key as it stands then. The table's changes emit nothing.
//!
//! Events without a value are dropped; without a key too, but in a left join, where they meet no row.

use crate::error::EngineError;
use crate::operators::{Context, Joiner, Operator, Port};
use crate::row::Change;
use crate::state::{Stored, TableId, encode_windowed};

pub struct StreamTableJoin {
    /// A left join: events without a row are kept.
    pub left_outer: bool,
    pub joiner: Joiner,
    pub rows: TableId,
}

impl Operator for StreamTableJoin {
    fn process(&self, port: Port, change: Change, context: &mut Context<'_>, out: &mut Vec<Change>) -> Result<(), EngineError> {
        let key = change.key.as_ref().map(|key| encode_windowed(key, change.window));
        if port == Port::Right {
            let Some(key) = key else { return Ok(()) };
            match change.new {
                Some(row) => context.unit.put(self.rows, key, Stored { row, timestamp: change.timestamp }),
                None => context.unit.delete(self.rows, key),
            }
            return Ok(());
        }
        let Some(event) = &change.new else { return Ok(()) };
        let found = match key {
            Some(key) => context.unit.get(self.rows, &key)?,
            None if self.left_outer => None,
            None => return Ok(()),
        };
        if self.left_outer || found.is_some() {
            let row = self.joiner.join(change.key.as_ref(), Some(event), found.as_ref().map(|found| &*found.row));
            out.push(change.with_rows(Some(row), None));
        }
        Ok(())
    }
}
