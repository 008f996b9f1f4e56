//! A topic read as a table: the last value of each key, and, where it is asked for, what stood there before.
//!
//! A record without a key is dropped. A deletion of what is not there goes on as a deletion.

use crate::error::EngineError;
use crate::operators::{Context, Look, Operator, Port};
use crate::row::Change;
use crate::state::{Stored, TableId, encode_windowed};

pub struct Table {
    /// Nothing where a join keeps them.
    pub rows: Option<TableId>,
    /// Whether a later step asks what stood there before.
    pub old_wanted: bool,
    /// Keys have windows.
    pub windowed: bool,
}

impl Operator for Table {
    fn process(&self, _: Port, mut change: Change, context: &mut Context<'_>, out: &mut Vec<Change>) -> Result<(), EngineError> {
        let Some(key) = &change.key else {
            context.note("a record without a key cannot change a table");
            return Ok(());
        };
        if let Some(rows) = self.rows {
            let key = encode_windowed(key, change.window);
            if self.old_wanted {
                change.old = context.unit.get(rows, &key)?.map(|stored| stored.row);
            }
            match &change.new {
                Some(row) => context.unit.put(rows, key, Stored { row: row.clone(), timestamp: change.timestamp }),
                None => context.unit.delete(rows, key),
            }
        }
        out.push(change);
        Ok(())
    }

    fn look(&self) -> Look {
        self.rows.filter(|_| !self.windowed).map_or(Look::Opaque, Look::Row)
    }
}
