//! Table with table where a left expression names the right side's primary key.
//!
//! Each left row subscribes to the right key it names; a right change reaches all its subscribers in the order of their keys. The
//! result carries the left side's key. As in Kafka Streams, a deleted left row that named a right key gives a deletion whether or
//! not it had joined, and an updated one is silent only where nothing can have been there.

use std::sync::Arc;

use millrace_sql::value::Value;

use crate::error::EngineError;
use crate::operators::{Context, Joiner, Operator, Port, Scalar};
use crate::row::{Change, Key, Row};
use crate::state::{KeyBuilder, Stored, TableId, encode_values};

pub struct ForeignKeyJoin {
    pub left_outer: bool,
    /// Over the left row: the right key.
    pub reference: Scalar,
    pub joiner: Joiner,
    pub left: TableId,
    pub right: TableId,
    /// Right key, then left key; the row is the left key.
    pub subscriptions: TableId,
}

/// When a left change is answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Always,
    IfFound,
}

impl ForeignKeyJoin {
    fn named(&self, row: Option<&Row>, context: &mut Context<'_>) -> Option<Vec<u8>> {
        match self.reference.eval(row?, context) {
            Value::Null => None,
            value => Some(encode_values(&[value])),
        }
    }

    fn result(&self, key: &Key, left: Option<&Row>, right: Option<&Row>) -> Option<Row> {
        let exists = left.is_some() && (right.is_some() || self.left_outer);
        exists.then(|| self.joiner.join(Some(key), left, right))
    }

    fn left_change(&self, change: Change, context: &mut Context<'_>, out: &mut Vec<Change>) -> Result<(), EngineError> {
        let Some(key) = &change.key else { return Ok(()) };
        let key_bytes = encode_values(key);
        let before = context.unit.get(self.left, &key_bytes)?.map(|stored| stored.row);
        let old_name = self.named(before.as_ref(), context);
        let new_name = self.named(change.new.as_ref(), context);
        match &change.new {
            Some(row) => {
                let stored = Stored { row: row.clone(), timestamp: change.timestamp };
                context.unit.put(self.left, key_bytes.clone(), stored);
            }
            None => context.unit.delete(self.left, key_bytes.clone()),
        }
        let subscription = |name: &[u8]| KeyBuilder::new().bytes(name).bytes(&key_bytes).build();
        let old_right = match &old_name {
            Some(name) => context.unit.get(self.right, name)?.map(|stored| stored.row),
            None => None,
        };
        if let Some(name) = old_name.as_ref().filter(|_| old_name != new_name) {
            context.unit.delete(self.subscriptions, subscription(name));
        }
        let mut right = None;
        if let Some(name) = &new_name {
            let stored = Stored { row: Arc::clone(key), timestamp: change.timestamp };
            context.unit.put(self.subscriptions, subscription(name), stored);
            right = context.unit.get(self.right, name)?;
        }
        let answer = match (&change.new, self.left_outer) {
            (None, true) if before.is_none() => return Ok(()),
            (_, true) => Answer::Always,
            // Inner: without a name there is nothing to join, only something to take back.
            (None, false) => match old_name {
                Some(_) => Answer::Always,
                None => return Ok(()),
            },
            (Some(_), false) => match (&old_name, &new_name) {
                (None, None) => {
                    context.note("a row whose foreign key is null joins nothing");
                    return Ok(());
                }
                (Some(_), None) => Answer::Always,
                (Some(old), Some(new)) if old != new => Answer::Always,
                _ => Answer::IfFound,
            },
        };
        if answer == Answer::IfFound && right.is_none() {
            return Ok(());
        }
        let timestamp = right.as_ref().map_or(change.timestamp, |right| change.timestamp.max(right.timestamp));
        let new = self.result(key, change.new.as_ref(), right.as_ref().map(|right| &right.row));
        let old = self.result(key, before.as_ref(), old_right.as_ref());
        out.push(Change { timestamp, ..change.with_rows(new, old) });
        Ok(())
    }

    fn right_change(&self, change: &Change, context: &mut Context<'_>, out: &mut Vec<Change>) -> Result<(), EngineError> {
        let Some(key) = &change.key else { return Ok(()) };
        let name = encode_values(key);
        let before = context.unit.get(self.right, &name)?.map(|stored| stored.row);
        match &change.new {
            Some(row) => {
                let stored = Stored { row: row.clone(), timestamp: change.timestamp };
                context.unit.put(self.right, name.clone(), stored);
            }
            None => context.unit.delete(self.right, name.clone()),
        }
        for (_, subscriber) in context.unit.prefix(self.subscriptions, &name)? {
            let left_key = subscriber.row;
            let Some(left) = context.unit.get(self.left, &encode_values(&left_key))? else { continue };
            out.push(Change {
                new: self.result(&left_key, Some(&left.row), change.new.as_ref()),
                old: self.result(&left_key, Some(&left.row), before.as_ref()),
                key: Some(left_key),
                window: None,
                timestamp: change.timestamp.max(subscriber.timestamp),
            });
        }
        Ok(())
    }
}

impl Operator for ForeignKeyJoin {
    fn process(&self, port: Port, change: Change, context: &mut Context<'_>, out: &mut Vec<Change>) -> Result<(), EngineError> {
        match port {
            Port::Left => self.left_change(change, context, out),
            Port::Right => self.right_change(&change, context, out),
        }
    }
}
