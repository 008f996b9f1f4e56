//! A stream's groups, without windows. The group's time is the greatest it has seen.

use crate::error::EngineError;
use crate::operators::{Context, Folds, Look, Operator, Port};
use crate::row::Change;
use crate::state::{Stored, TableId, encode_values};

pub struct StreamAggregate {
    pub folds: Folds,
    pub groups: TableId,
}

impl Operator for StreamAggregate {
    fn process(&self, _: Port, change: Change, context: &mut Context<'_>, out: &mut Vec<Change>) -> Result<(), EngineError> {
        let Some(row) = &change.new else { return Ok(()) };
        let Some(key) = self.folds.group(row, &change.key, context) else { return Ok(()) };
        let bytes = encode_values(&key);
        let before = context.unit.get(self.groups, &bytes)?;
        let timestamp = before.as_ref().map_or(change.timestamp, |before| change.timestamp.max(before.timestamp));
        let states = match &before {
            Some(before) => self.folds.add(&before.row, row, context)?,
            None => self.folds.add(&self.folds.initial(), row, context)?,
        };
        let new = Some(self.folds.shown(&key, &states, None)?);
        let old = self.folds.shown_before(&key, before.as_ref().map(|before| &*before.row), None)?;
        context.unit.put(self.groups, bytes, Stored { row: states, timestamp });
        out.push(Change { key: Some(key), window: None, new, old, timestamp });
        Ok(())
    }

    fn look(&self) -> Look {
        Look::Group(self.groups)
    }

    fn told(&self, key: &[u8], kept: &Stored) -> Result<Change, EngineError> {
        self.folds.told(key, kept, None)
    }
}
