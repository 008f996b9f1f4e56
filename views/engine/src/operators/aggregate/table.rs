//! A table's groups: a changed row is first taken out of its old group, then added to its new one.
//!
//! A row that stays in its group changes it once; one that moves changes both, the old one first. A group that loses its last row
//! stays, with what its aggregates show of nothing.

use crate::error::EngineError;
use crate::operators::{Context, Folds, Look, Operator, Port};
use crate::row::{Change, Key, Row};
use crate::state::{Stored, TableId, encode_values};

pub struct TableAggregate {
    pub folds: Folds,
    pub groups: TableId,
}

impl TableAggregate {
    fn apply(
        &self,
        key: Key,
        added: Option<&Row>,
        taken: Option<&Row>,
        time: i64,
        context: &mut Context<'_>,
        out: &mut Vec<Change>,
    ) -> Result<(), EngineError> {
        let bytes = encode_values(&key);
        let before = context.unit.get(self.groups, &bytes)?;
        let timestamp = before.as_ref().map_or(time, |before| time.max(before.timestamp));
        let reduced = match (&before, taken) {
            (Some(before), Some(taken)) => Some(self.folds.undo(&before.row, taken, context)?),
            (Some(before), None) => Some(before.row.clone()),
            (None, _) => None,
        };
        let states = match (reduced, added) {
            (Some(states), Some(row)) => self.folds.add(&states, row, context)?,
            (None, Some(row)) => self.folds.add(&self.folds.initial(), row, context)?,
            (Some(states), None) => states,
            // A row taken from a group that was never seen: nothing to show.
            (None, None) => return Ok(()),
        };
        let new = Some(self.folds.shown(&key, &states, None)?);
        let old = self.folds.shown_before(&key, before.as_ref().map(|before| &*before.row), None)?;
        context.unit.put(self.groups, bytes, Stored { row: states, timestamp });
        out.push(Change { key: Some(key), window: None, new, old, timestamp });
        Ok(())
    }
}

impl Operator for TableAggregate {
    fn process(&self, _: Port, change: Change, context: &mut Context<'_>, out: &mut Vec<Change>) -> Result<(), EngineError> {
        let old = change.old.as_ref().and_then(|row| Some((self.folds.group(row, &change.key, context)?, row)));
        let new = change.new.as_ref().and_then(|row| Some((self.folds.group(row, &change.key, context)?, row)));
        let time = change.timestamp;
        match (old, new) {
            (Some((from, taken)), Some((to, added))) if from == to => {
                self.apply(to, Some(added), Some(taken), time, context, out)
            }
            (old, new) => {
                if let Some((from, taken)) = old {
                    self.apply(from, None, Some(taken), time, context, out)?;
                }
                if let Some((to, added)) = new {
                    self.apply(to, Some(added), None, time, context, out)?;
                }
                Ok(())
            }
        }
    }

    fn look(&self) -> Look {
        Look::Group(self.groups)
    }

    fn told(&self, key: &[u8], kept: &Stored) -> Result<Change, EngineError> {
        self.folds.told(key, kept, None)
    }
}
