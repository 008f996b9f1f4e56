//! SELECT: new columns from old. A record or row without a value stays without one.

use crate::error::EngineError;
use crate::operators::{Context, Look, Operator, Port, Scalars};
use crate::row::{Change, Key, Row};

pub struct Project {
    pub columns: Scalars,
    /// For each key column of the output, which of the input's key columns it is.
    pub keys: Vec<usize>,
    /// Whether the keys are the same in the same order.
    pub keys_as_they_are: bool,
    /// The same row always gives the same.
    pub repeats: bool,
}

impl Project {
    fn key(&self, key: Option<Key>) -> Option<Key> {
        if self.keys_as_they_are {
            return key;
        }
        key.map(|key| self.keys.iter().map(|at| key.get(*at).cloned().unwrap_or_default()).collect())
    }
}

impl Operator for Project {
    fn process(&self, _: Port, change: Change, context: &mut Context<'_>, out: &mut Vec<Change>) -> Result<(), EngineError> {
        let new = change.new.map(|row| -> Row { self.columns.eval_all(&row, context) });
        let old = change.old.map(|row| -> Row { self.columns.eval_all(&row, context) });
        out.push(Change { key: self.key(change.key), window: change.window, new, old, timestamp: change.timestamp });
        Ok(())
    }

    fn look(&self) -> Look {
        if self.repeats && self.keys_as_they_are { Look::Through } else { Look::Opaque }
    }
}
