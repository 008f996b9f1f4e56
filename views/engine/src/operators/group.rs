//! Rows on their way to their groups: each change keyed by its group, before it moves to the group's partition.
//!
//! A row that stays in its group is one change; one that moves is two, the old group's first. A row without a group goes nowhere.

use crate::error::EngineError;
use crate::operators::{Context, Operator, Port, Scalars};
use crate::row::{Change, Key, Row};

pub struct Group {
    pub group_by: Scalars,
}

/// The row's group, or nothing when it belongs to none.
pub(super) fn group_of(group_by: &Scalars, row: &Row, context: &mut Context<'_>) -> Option<Key> {
    let key = group_by.eval_group(row, context);
    if key.is_none() {
        context.note("a row whose group is null is skipped");
    }
    key
}

impl Operator for Group {
    fn process(&self, _: Port, change: Change, context: &mut Context<'_>, out: &mut Vec<Change>) -> Result<(), EngineError> {
        let Change { window, new, old, timestamp, .. } = change;
        let from = old.as_ref().and_then(|row| group_of(&self.group_by, row, context));
        let to = new.as_ref().and_then(|row| group_of(&self.group_by, row, context));
        if from.is_some() && from == to {
            out.push(Change { key: to, window, new, old, timestamp });
            return Ok(());
        }
        if from.is_some() {
            out.push(Change { key: from, window, new: None, old, timestamp });
        }
        if to.is_some() {
            out.push(Change { key: to, window, new, old: None, timestamp });
        }
        Ok(())
    }
}
