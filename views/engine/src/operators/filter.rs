//! WHERE and HAVING.
//!
//! A stream loses the events that do not match, and those without a value. A table's row that stops matching becomes a deletion; a
//! row that never matched is not heard of.

use crate::error::EngineError;
use crate::operators::{Context, Look, Operator, Port, Scalar};
use crate::row::{Change, Row};

pub struct Filter {
    pub predicate: Scalar,
    pub table: bool,
    /// The same row is always kept, or never.
    pub repeats: bool,
}

impl Filter {
    fn keep(&self, row: Option<Row>, context: &mut Context<'_>) -> Option<Row> {
        row.filter(|row| self.predicate.is_true(row, context))
    }
}

impl Operator for Filter {
    fn process(&self, _: Port, change: Change, context: &mut Context<'_>, out: &mut Vec<Change>) -> Result<(), EngineError> {
        let new = self.keep(change.new.clone(), context);
        let old = if self.table { self.keep(change.old.clone(), context) } else { None };
        if new.is_some() || old.is_some() {
            out.push(change.with_rows(new, old));
        }
        Ok(())
    }

    fn look(&self) -> Look {
        if self.repeats { Look::Through } else { Look::Opaque }
    }
}
