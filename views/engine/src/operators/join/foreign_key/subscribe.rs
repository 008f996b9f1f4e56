//! At the left key: which right key a row names, and what it named before.

use millrace_sql::value::Value;

use super::{Head, subscription};
use crate::error::EngineError;
use crate::operators::{Context, Operator, Port, Register, Scalar};
use crate::row::Change;
use crate::state::{CorruptRow, StoreError, Stored, TableId, encode_values};

/// Emits subscriptions: their key is the right key that is meant (absent where the row names none and is kept all the same), their
/// row the left key and the left row.
pub struct Subscribe {
    pub left_outer: bool,
    /// Over the left row: the right key.
    pub reference: Scalar,
    /// By left key: the right key that its row names, with which number its life began, and how many it has left.
    pub names: TableId,
    pub registers: TableId,
}

impl Operator for Subscribe {
    fn process(&self, _: Port, change: Change, context: &mut Context<'_>, out: &mut Vec<Change>) -> Result<(), EngineError> {
        let Some(key) = &change.key else { return Ok(()) };
        let place = encode_values(key);
        let register = Register::new(self.registers, b"number");
        let number = register.read(&mut context.unit)?.unwrap_or(0).saturating_add(1);
        let (before, life, left) = match context.unit.get(self.names, &place)?.as_ref().map(|stored| &*stored.row) {
            Some([name, Value::BigInt(life), Value::Int(left)]) => (Some(name.clone()), *life, *left),
            Some(_) => return Err(StoreError::from(CorruptRow("what a left row names is not a key, a number and a count")).into()),
            None => (None, number, 0),
        };
        let named = change.new.as_ref().map(|row| self.reference.eval(row, context));
        // Without a name there is nothing that an inner join could find.
        let now = named.clone().filter(|name| self.left_outer || *name != Value::Null);
        let leaves = before.is_some() && before != now;
        let left = left.saturating_add(i32::from(leaves));
        match &now {
            Some(name) => {
                let row = [name.clone(), Value::BigInt(life), Value::Int(left)].into();
                context.unit.put(self.names, place, Stored { row, timestamp: change.timestamp });
            }
            None if before.is_some() => context.unit.delete(self.names, place),
            None => {
                if named.is_some() {
                    context.note("a row whose foreign key is null joins nothing");
                }
                return Ok(());
            }
        }
        register.write(&mut context.unit, number);
        let ends = now.is_none();
        let mut say = |name: &Value, word: i32, row: &[Value]| {
            let head = Head { partition: context.partition, number, life, word, left: if ends { left } else { 0 } };
            out.push(Change {
                key: (*name != Value::Null).then(|| [name.clone()].into()),
                window: None,
                new: Some(head.before(key.iter().chain(row))),
                old: None,
                timestamp: change.timestamp,
            });
        };
        if let Some(before) = before.filter(|_| leaves) {
            say(&before, if ends { subscription::ANSWER } else { 0 }, &[]);
        }
        if let Some(name) = now {
            let answer = if self.left_outer || leaves { subscription::ANSWER } else { 0 };
            say(&name, subscription::HERE | answer, change.new.as_deref().unwrap_or_default());
        }
        Ok(())
    }
}
