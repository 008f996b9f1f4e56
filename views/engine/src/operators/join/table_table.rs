//! Table with table on their primary keys.
//!
//! A change of either side gives a change of the joined row, with the later of the two times. Deletions are emitted where there may
//! have been a row; an inner join says nothing while the other side has no row.

use millrace_sql::ast::JoinKind;

use crate::error::EngineError;
use crate::operators::{Context, Joiner, Operator, Port};
use crate::row::{Change, Row};
use crate::state::{Stored, TableId, encode_windowed};

pub struct TableTableJoin {
    pub kind: JoinKind,
    pub joiner: Joiner,
    pub left: TableId,
    pub right: TableId,
}

impl TableTableJoin {
    /// Whether a row of this side stands without one of the other.
    fn keeps(&self, port: Port) -> bool {
        match self.kind {
            JoinKind::Inner => false,
            JoinKind::Left => port == Port::Left,
            JoinKind::Right => port == Port::Right,
            JoinKind::Full => true,
        }
    }
}

impl Operator for TableTableJoin {
    fn process(&self, port: Port, change: Change, context: &mut Context<'_>, out: &mut Vec<Change>) -> Result<(), EngineError> {
        let Some(key) = &change.key else { return Ok(()) };
        let bytes = encode_windowed(key, change.window);
        let (own_table, other_table, other_port) = match port {
            Port::Left => (self.left, self.right, Port::Right),
            Port::Right => (self.right, self.left, Port::Left),
        };
        let before = context.unit.get(own_table, &bytes)?.map(|stored| stored.row);
        let other = context.unit.get(other_table, &bytes)?;
        match &change.new {
            Some(row) => {
                context.unit.put(own_table, bytes, Stored { row: row.clone(), timestamp: change.timestamp });
            }
            None => context.unit.delete(own_table, bytes),
        }
        let timestamp = other.as_ref().map_or(change.timestamp, |other| change.timestamp.max(other.timestamp));
        let other = other.map(|other| other.row);
        match &other {
            None if !self.keeps(port) => return Ok(()),
            None if change.new.is_none() && before.is_none() => return Ok(()),
            _ => {}
        }
        // The joined row exists when both sides do, or when the side that does is kept alone.
        let joined = |own: Option<&Row>| -> Option<Row> {
            let exists = match (own, &other) {
                (Some(_), Some(_)) => true,
                (Some(_), None) => self.keeps(port),
                (None, Some(_)) => self.keeps(other_port),
                (None, None) => false,
            };
            exists.then(|| match port {
                Port::Left => self.joiner.join(Some(key), own.map(|row| &**row), other.as_deref()),
                Port::Right => self.joiner.join(Some(key), other.as_deref(), own.map(|row| &**row)),
            })
        };
        let (new, old) = (joined(change.new.as_ref()), joined(before.as_ref()));
        out.push(Change { timestamp, ..change.with_rows(new, old) });
        Ok(())
    }
}
