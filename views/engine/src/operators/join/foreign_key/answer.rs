//! At the right key: its row, and the left rows that name it.

use millrace_sql::value::Value;

use super::{Head, answer_word, subscription};
use crate::error::EngineError;
use crate::operators::{Context, Joiner, Operator, Port};
use crate::row::{Change, Key};
use crate::state::{CorruptRow, KeyBuilder, StoreError, Stored, TableId, encode_values};

/// Subscriptions come from the left, the right side's changes from the right. Emits answers: by left key, the row the result's.
pub struct Answer {
    pub left_outer: bool,
    pub joiner: Joiner,
    /// How many columns the left key has.
    pub left_keys: usize,
    pub right: TableId,
    /// Right key, then left key; the row is the left key and the left row.
    pub subscriptions: TableId,
}

impl Answer {
    fn answer(&self, head: Head, key: &[Value], left: Option<&[Value]>, right: Option<&[Value]>, timestamp: i64) -> Change {
        let key: Key = key.into();
        let result = left.filter(|_| right.is_some() || self.left_outer).map(|left| self.joiner.join(Some(&key), Some(left), right));
        let new = Some(head.before(result.iter().flat_map(|row| row.iter())));
        Change { key: Some(key), window: None, new, old: None, timestamp }
    }

    fn subscription(&self, change: Change, context: &mut Context<'_>, out: &mut Vec<Change>) -> Result<(), EngineError> {
        let (head, values) = Head::split(change.new.as_deref().unwrap_or_default()).map_err(StoreError::from)?;
        let (key, left) = self.split(values)?;
        let name = change.key.as_ref().map(|name| encode_values(name));
        let place = KeyBuilder::new().bytes(name.as_ref().unwrap_or(&encode_values(&[Value::Null]))).bytes(&encode_values(key)).build();
        let always = head.word & subscription::ANSWER != 0;
        if head.word & subscription::HERE == 0 {
            context.unit.delete(self.subscriptions, place);
            let word = answer_word::LAST | if always { answer_word::TELLS } else { 0 };
            out.push(self.answer(Head { word, ..head }, key, None, None, change.timestamp));
            return Ok(());
        }
        let right = match &name {
            Some(name) => context.unit.get(self.right, name)?,
            None => None,
        };
        if always || right.is_some() {
            let timestamp = right.as_ref().map_or(change.timestamp, |right| change.timestamp.max(right.timestamp));
            out.push(self.answer(Head { word: answer_word::TELLS, ..head }, key, Some(left), right.as_ref().map(|right| &*right.row), timestamp));
        }
        context.unit.put(self.subscriptions, place, Stored { row: head.before(values), timestamp: change.timestamp });
        Ok(())
    }

    fn right_change(&self, change: &Change, context: &mut Context<'_>, out: &mut Vec<Change>) -> Result<(), EngineError> {
        let Some(key) = &change.key else { return Ok(()) };
        let name = encode_values(key);
        match &change.new {
            Some(row) => {
                let stored = Stored { row: row.clone(), timestamp: change.timestamp };
                context.unit.put(self.right, name.clone(), stored);
            }
            None => context.unit.delete(self.right, name.clone()),
        }
        // Rows that name nothing are kept under null, and no row is meant by that.
        if **key == [Value::Null] {
            return Ok(());
        }
        for (_, subscriber) in context.unit.prefix(self.subscriptions, &name)? {
            let (head, values) = Head::split(&subscriber.row).map_err(StoreError::from)?;
            let (left_key, left) = self.split(values)?;
            let timestamp = change.timestamp.max(subscriber.timestamp);
            out.push(self.answer(Head { word: answer_word::TELLS, ..head }, left_key, Some(left), change.new.as_deref(), timestamp));
        }
        Ok(())
    }

    fn split<'a>(&self, values: &'a [Value]) -> Result<(&'a [Value], &'a [Value]), StoreError> {
        Ok(values.split_at_checked(self.left_keys).ok_or(CorruptRow("a subscription ends inside its key"))?)
    }
}

impl Operator for Answer {
    fn process(&self, port: Port, change: Change, context: &mut Context<'_>, out: &mut Vec<Change>) -> Result<(), EngineError> {
        match port {
            Port::Left => self.subscription(change, context, out),
            Port::Right => self.right_change(&change, context, out),
        }
    }
}
