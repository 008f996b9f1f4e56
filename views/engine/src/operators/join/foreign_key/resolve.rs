//! Back at the left key: which answers count.

use millrace_sql::value::Value;

use super::{Head, answer_word};
use crate::error::EngineError;
use crate::operators::{Context, Operator, Port};
use crate::row::{Change, Row};
use crate::state::{CorruptRow, StoreError, Stored, TableId, encode_values};

/// Emits the result's changes.
pub struct Resolve {
    /// By left key: the last change that was answered, the lives that right keys may still speak of (the word is how many), and the row.
    pub rows: TableId,
    /// Whether a later step asks what stood there before.
    pub old_wanted: bool,
}

/// A life of the left row of which right keys have said that they have nothing more to say.
struct Life {
    began: i64,
    said: i32,
    /// How many there are; zero while its end is not known.
    of: i32,
}

struct Known<'a> {
    last: Head,
    lives: Vec<Life>,
    row: &'a [Value],
}

impl Known<'_> {
    fn split(row: &[Value]) -> Result<Known<'_>, CorruptRow> {
        let (last, mut rest) = Head::split(row)?;
        let mut lives = Vec::new();
        for _ in 0..last.word {
            let [Value::BigInt(began), Value::Int(said), Value::Int(of), after @ ..] = rest else {
                return Err(CorruptRow("a row of a foreign-key join ends inside its lives"));
            };
            lives.push(Life { began: *began, said: *said, of: *of });
            rest = after;
        }
        Ok(Known { last, lives, row: rest })
    }

    /// Counts what an answer says of its life's end, and forgets the life when there is nothing more to come.
    fn count(&mut self, head: Head) {
        let is_last = head.word & answer_word::LAST != 0;
        if !is_last {
            return;
        }
        let at = self.lives.iter().position(|life| life.began == head.life).unwrap_or_else(|| {
            self.lives.push(Life { began: head.life, said: 0, of: 0 });
            self.lives.len() - 1
        });
        let life = &mut self.lives[at];
        life.said = life.said.saturating_add(1);
        life.of = life.of.max(head.left);
        if life.said == life.of {
            self.lives.remove(at);
        }
    }

    /// Nothing can come that is older than what was told last.
    fn is_over(&self) -> bool {
        self.last.left > 0 && self.lives.is_empty() && self.row.is_empty()
    }

    fn joined(&self) -> Row {
        let lives = self.lives.iter().flat_map(|life| [Value::BigInt(life.began), Value::Int(life.said), Value::Int(life.of)]);
        let values: Vec<Value> = lives.chain(self.row.iter().cloned()).collect();
        Head { word: self.lives.len() as i32, ..self.last }.before(&values)
    }
}

impl Operator for Resolve {
    fn process(&self, _: Port, change: Change, context: &mut Context<'_>, out: &mut Vec<Change>) -> Result<(), EngineError> {
        let Some(key) = &change.key else { return Ok(()) };
        let (head, values) = Head::split(change.new.as_deref().unwrap_or_default()).map_err(StoreError::from)?;
        let place = encode_values(key);
        let stored = context.unit.get(self.rows, &place)?;
        let mut known = match &stored {
            Some(stored) => Known::split(&stored.row).map_err(StoreError::from)?,
            None => Known { last: Head { left: 0, ..head }, lives: Vec::new(), row: &[] },
        };
        known.count(head);
        if head.word & answer_word::TELLS != 0 && !head.is_older_than(known.last) {
            let row = |values: &[Value]| -> Option<Row> { (!values.is_empty()).then(|| values.into()) };
            let old = row(known.row).filter(|_| self.old_wanted);
            out.push(Change { new: row(values), old, key: change.key.clone(), window: None, timestamp: change.timestamp });
            // Where nobody asks for the row, only that there is one has to be known.
            known.row = if self.old_wanted || values.is_empty() { values } else { &[Value::Null] };
            known.last = head;
        }
        if known.is_over() {
            context.unit.delete(self.rows, place);
        } else {
            context.unit.put(self.rows, place, Stored { row: known.joined(), timestamp: change.timestamp });
        }
        Ok(())
    }
}
