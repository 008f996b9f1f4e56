//! A stream's groups in tumbling and hopping windows.
//!
//! Stream time is the greatest time seen. A window takes rows until stream time reaches its end and the grace after it; later rows
//! are dropped. EMIT FINAL shows each window once, when it closes. A window is kept while its start lies within the retention of the
//! youngest window; one that has gone by then is not shown any more, which a great leap of stream time can cause.
//! Rows of windows that are gone are removed with the records that come after (`retention.rs`).

use crate::error::EngineError;
use crate::operators::aggregate::{Live, Retention, Sweep, result_key};
use crate::operators::{Context, Folds, Operator, Port, Register};
use crate::row::{Change, Key, Window};
use crate::state::StoreError;
use crate::state::{KeyBuilder, Stored, TableId, decode_values, encode_values, split_time};

pub struct WindowAggregate {
    pub folds: Folds,
    pub size_ms: i64,
    pub advance_ms: i64,
    pub grace_ms: i64,
    /// At least size and grace together.
    pub retention: Retention,
    pub final_only: bool,
    /// Window start, then group.
    pub groups: TableId,
}

impl WindowAggregate {
    const STREAM_TIME: &'static [u8] = b"time";
    /// The greatest window start kept.
    const YOUNGEST: &'static [u8] = b"youngest";
    /// Windows that end at or before this have been shown.
    const SHOWN: &'static [u8] = b"shown";

    fn register(&self, name: &'static [u8]) -> Register {
        Register::new(self.folds.registers, name)
    }

    /// The starts of all windows that hold the time, oldest first.
    fn starts(&self, time: i64) -> impl Iterator<Item = i64> + use<> {
        let advance = self.advance_ms.max(1);
        let first = time.saturating_sub(self.size_ms).saturating_add(advance).max(0) / advance * advance;
        std::iter::successors(Some(first), move |start| start.checked_add(advance)).take_while(move |start| *start <= time)
    }

    fn window(&self, start: i64) -> Window {
        Window { start, end: start.saturating_add(self.size_ms) }
    }

    /// Shows the windows that closed since the last time.
    fn close(&self, closed: i64, youngest: i64, context: &mut Context<'_>, out: &mut Vec<Change>) -> Result<(), EngineError> {
        let shown = self.register(Self::SHOWN);
        let before = shown.read(&mut context.unit)?;
        let last_start = closed.saturating_sub(self.size_ms);
        if before.is_some_and(|before| before >= closed) || last_start < 0 {
            return Ok(());
        }
        let after_shown = before.map_or(0, |before| before.saturating_sub(self.size_ms).saturating_add(1));
        let first_start = after_shown.max(0).max(youngest.saturating_sub(self.retention.retention_ms));
        let from = KeyBuilder::new().time(first_start).build();
        let to = KeyBuilder::new().time(last_start.saturating_add(1)).build();
        for (bytes, stored) in context.unit.range(self.groups, &from, Some(&to), usize::MAX)? {
            let (start, group) = split_time(&bytes).map_err(StoreError::from)?;
            let key = Key::from(decode_values(group).map_err(StoreError::from)?);
            let window = self.window(start);
            let new = Some(self.folds.shown(&key, &stored.row, Some(window))?);
            out.push(Change { key: Some(key), window: Some(window), new, old: None, timestamp: stored.timestamp });
        }
        shown.write(&mut context.unit, closed);
        Ok(())
    }

    /// Forgets windows that the youngest one has left behind.
    fn expire(&self, youngest: i64, context: &mut Context<'_>) -> Result<(), EngineError> {
        let from = self.retention.live_from(youngest);
        context.live = Some(Live { from, by_end: false });
        let made = usize::try_from(self.size_ms / self.advance_ms.max(1)).unwrap_or(usize::MAX / 4).saturating_add(1);
        let sweep = Sweep { rows: self.groups, registers: self.folds.registers, made };
        sweep.sweep(from, context, |_, bytes| {
            let (start, group) = split_time(bytes)?;
            Ok(result_key(group, self.window(start)))
        })
    }
}

impl Operator for WindowAggregate {
    fn process(&self, _: Port, change: Change, context: &mut Context<'_>, out: &mut Vec<Change>) -> Result<(), EngineError> {
        let Some(row) = &change.new else { return Ok(()) };
        let Some(key) = self.folds.group(row, &change.key, context) else { return Ok(()) };
        let stream_time = self.register(Self::STREAM_TIME).raise(&mut context.unit, change.timestamp)?;
        let closed = stream_time.saturating_sub(self.grace_ms);
        let group = encode_values(&key);
        let youngest_register = self.register(Self::YOUNGEST);
        let youngest_before = youngest_register.read(&mut context.unit)?;
        let mut youngest = youngest_before.unwrap_or(0);
        for start in self.starts(change.timestamp) {
            let window = self.window(start);
            if window.end <= closed {
                context.note(format!("a row at {} is too late for the window that ends at {}", change.timestamp, window.end));
                continue;
            }
            let bytes = KeyBuilder::new().time(start).bytes(&group).build();
            let before = context.unit.get(self.groups, &bytes)?;
            let timestamp = before.as_ref().map_or(change.timestamp, |before| change.timestamp.max(before.timestamp));
            let states = match &before {
                Some(before) => self.folds.add(&before.row, row, context)?,
                None => self.folds.add(&self.folds.initial(), row, context)?,
            };
            if !self.final_only {
                let new = Some(self.folds.shown(&key, &states, Some(window))?);
                let old = self.folds.shown_before(&key, before.as_ref().map(|before| &*before.row), Some(window))?;
                out.push(Change { key: Some(key.clone()), window: Some(window), new, old, timestamp });
            }
            context.unit.put(self.groups, bytes, Stored { row: states, timestamp });
            youngest = youngest.max(start);
        }
        if self.final_only {
            self.close(closed, youngest, context, out)?;
        }
        if youngest_before != Some(youngest) {
            youngest_register.write(&mut context.unit, youngest);
        }
        self.expire(youngest, context)?;
        Ok(())
    }
}
