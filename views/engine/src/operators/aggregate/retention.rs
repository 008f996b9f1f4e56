//! How long windows are kept, and their removal.
//!
//! As in Kafka Streams time lies in segments, and a segment goes as a whole when all of it is past the retention. Whoever reads leaves
//! out what has gone by then; the rows themselves are removed a few with each record, so that a leap of time over a million windows
//! costs no record more than another.

use millrace_sql::value::Value;

use crate::error::EngineError;
use crate::operators::{Context, Register};
use crate::row::Window;
use crate::state::{KeyBuilder, StoreError, Stored, TableId, Unit};

/// The least length of a segment, as in Kafka Streams.
const SEGMENT_MS_MIN: i64 = 60_000;
/// Rows that one record removes: more than it makes, unless it falls into many windows.
const REMOVED_AT_ONCE: usize = 128;

/// Up to which time an aggregation's windows are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Live {
    /// Windows of earlier times are gone.
    pub from: i64,
    /// A session's time is its end, another window's its start.
    pub by_end: bool,
}

impl Live {
    pub fn has(&self, window: Window) -> bool {
        self.from <= if self.by_end { window.end } else { window.start }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Retention {
    pub retention_ms: i64,
    pub segment_ms: i64,
}

impl Retention {
    pub fn of(retention_ms: i64) -> Retention {
        Retention { retention_ms, segment_ms: (retention_ms / 2).max(SEGMENT_MS_MIN) }
    }

    /// Where the first segment begins that is kept when `youngest` is the greatest time of a window.
    pub fn live_from(self, youngest: i64) -> i64 {
        let live = youngest.saturating_sub(self.retention_ms);
        live.saturating_sub(live.rem_euclid(self.segment_ms.max(1)))
    }
}

/// Removes rows whose keys begin with their windows' times.
pub struct Sweep {
    pub rows: TableId,
    pub registers: TableId,
    /// How many rows a record may have made.
    pub made: usize,
}

impl Sweep {
    /// Everything before has been removed.
    const SWEPT: &'static [u8] = b"swept";
    /// The last key that was removed, while there are more.
    const CURSOR: &'static [u8] = b"cursor";

    /// Removes some of what lies before `live`; `each` is told of every key.
    pub fn sweep(
        &self,
        live: i64,
        context: &mut Context<'_>,
        mut each: impl FnMut(&mut Unit<'_>, &[u8]) -> Result<Vec<u8>, StoreError>,
    ) -> Result<(), EngineError> {
        let swept = Register::new(self.registers, Self::SWEPT);
        let before = swept.read(&mut context.unit)?;
        if before.is_some_and(|before| before >= live) {
            return Ok(());
        }
        let cursor = context.unit.get(self.registers, Self::CURSOR)?;
        let from = match cursor.as_ref().map(|stored| &*stored.row) {
            // Behind the key, whose own row is gone.
            Some([Value::Bytes(last)]) => [last, &[0][..]].concat(),
            _ => before.map(|before| KeyBuilder::new().time(before).build()).unwrap_or_default(),
        };
        let until = KeyBuilder::new().time(live).build();
        let limit = REMOVED_AT_ONCE.max(self.made * 2);
        let some = context.unit.range(self.rows, &from, Some(&until), limit)?;
        let last = some.last().map(|(key, _)| key.clone()).filter(|_| some.len() == limit);
        for (key, _) in some {
            let result = each(&mut context.unit, &key)?;
            context.expired.push(result);
            context.unit.delete(self.rows, key);
        }
        match last {
            Some(last) => context.unit.put(self.registers, Self::CURSOR.to_vec(), Stored { row: [Value::Bytes(last.into())].into(), timestamp: 0 }),
            None => {
                if cursor.is_some() {
                    context.unit.delete(self.registers, Self::CURSOR.to_vec());
                }
                swept.write(&mut context.unit, live);
            }
        }
        Ok(())
    }
}

/// The key of a window's row in a result, from the bytes of its group.
pub fn result_key(group: &[u8], window: Window) -> Vec<u8> {
    KeyBuilder::new().bytes(group).time(window.start).time(window.end).build()
}
