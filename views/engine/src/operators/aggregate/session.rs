//! A stream's groups in sessions: rows of a group that follow each other within the gap.
//!
//! A row that touches sessions takes their place: each is deleted, then the merged one appears, with the time of its last row. A
//! session takes rows until stream time is past its end, the gap and the grace. EMIT FINAL shows each session once, when it closes.

use crate::error::EngineError;
use crate::operators::aggregate::{Live, Retention, Sweep, result_key};
use crate::operators::{Context, Folds, Look, Operator, Port, Register};
use crate::row::{Change, Key, Row, Window};
use crate::state::{KeyBuilder, StoreError, Stored, TableId, decode_values, encode_values, split_time};

pub struct SessionAggregate {
    pub folds: Folds,
    pub gap_ms: i64,
    pub grace_ms: i64,
    /// At least gap and grace together.
    pub retention: Retention,
    pub final_only: bool,
    /// Group, end, start.
    pub sessions: TableId,
    /// End, start, group.
    pub by_time: TableId,
}

impl SessionAggregate {
    const STREAM_TIME: &'static [u8] = b"time";
    /// The greatest session end kept.
    const YOUNGEST: &'static [u8] = b"youngest";
    /// Sessions that ended before this have been shown.
    const SHOWN: &'static [u8] = b"shown";

    fn register(&self, name: &'static [u8]) -> Register {
        Register::new(self.folds.registers, name)
    }

    /// How long after its end a session may still take rows.
    fn open_ms(&self) -> i64 {
        self.gap_ms.saturating_add(self.grace_ms)
    }

    fn keys(group: &[u8], window: Window) -> (Vec<u8>, Vec<u8>) {
        let by_group = KeyBuilder::new().bytes(group).time(window.end).time(window.start).build();
        let by_time = KeyBuilder::new().time(window.end).time(window.start).bytes(group).build();
        (by_group, by_time)
    }

    /// The group's sessions that a row at this time touches, in the order of their ends.
    fn touched(&self, group: &[u8], time: i64, context: &mut Context<'_>) -> Result<Vec<(Window, Row)>, EngineError> {
        if !context.unit.begins(self.sessions, group) {
            return Ok(Vec::new());
        }
        let youngest = self.register(Self::YOUNGEST).read(&mut context.unit)?;
        let live = youngest.map_or(i64::MIN, |youngest| youngest.saturating_sub(self.open_ms()).saturating_add(1));
        let first_end = time.saturating_sub(self.gap_ms).max(live);
        let from = KeyBuilder::new().bytes(group).time(first_end).build();
        let to = crate::state::after_prefix(group);
        let mut found = Vec::new();
        for (bytes, stored) in context.unit.range(self.sessions, &from, to.as_deref(), usize::MAX)? {
            let (end, rest) = split_time(&bytes[group.len()..]).map_err(StoreError::from)?;
            let (start, _) = split_time(rest).map_err(StoreError::from)?;
            if start <= time.saturating_add(self.gap_ms) {
                found.push((Window { start, end }, stored.row));
            }
        }
        Ok(found)
    }

    fn close(&self, closed: i64, context: &mut Context<'_>, out: &mut Vec<Change>) -> Result<(), EngineError> {
        let shown = self.register(Self::SHOWN);
        let before = shown.read(&mut context.unit)?;
        if before.is_some_and(|before| before >= closed) || closed < 1 {
            return Ok(());
        }
        let from = KeyBuilder::new().time(before.unwrap_or(0).max(0)).build();
        let to = KeyBuilder::new().time(closed).build();
        for (bytes, _) in context.unit.range(self.by_time, &from, Some(&to), usize::MAX)? {
            let (end, rest) = split_time(&bytes).map_err(StoreError::from)?;
            let (start, group) = split_time(rest).map_err(StoreError::from)?;
            let window = Window { start, end };
            let key = Key::from(decode_values(group).map_err(StoreError::from)?);
            let (by_group, _) = Self::keys(group, window);
            if let Some(stored) = context.unit.get(self.sessions, &by_group)? {
                let new = Some(self.folds.shown(&key, &stored.row, Some(window))?);
                out.push(Change { key: Some(key), window: Some(window), new, old: None, timestamp: end });
            }
        }
        shown.write(&mut context.unit, closed);
        Ok(())
    }

    /// Forgets sessions that the youngest one has left behind.
    fn expire(&self, youngest: i64, context: &mut Context<'_>) -> Result<(), EngineError> {
        let from = self.retention.live_from(youngest);
        context.live = Some(Live { from, by_end: true });
        let sessions = self.sessions;
        let sweep = Sweep { rows: self.by_time, registers: self.folds.registers, made: 1 };
        sweep.sweep(from, context, |unit, bytes| {
            let (end, rest) = split_time(bytes)?;
            let (start, group) = split_time(rest)?;
            let window = Window { start, end };
            let (by_group, _) = Self::keys(group, window);
            unit.delete(sessions, by_group);
            Ok(result_key(group, window))
        })
    }
}

impl Operator for SessionAggregate {
    fn process(&self, _: Port, change: Change, context: &mut Context<'_>, out: &mut Vec<Change>) -> Result<(), EngineError> {
        let Some(row) = &change.new else { return Ok(()) };
        let Some(key) = self.folds.group(row, &change.key, context) else { return Ok(()) };
        let time = change.timestamp;
        let stream_time = self.register(Self::STREAM_TIME).raise(&mut context.unit, time)?;
        let closed = stream_time.saturating_sub(self.open_ms());
        let group = encode_values(&key);
        let touched = self.touched(&group, time, context)?;
        let alone = Window { start: time, end: time };
        let merged = touched.iter().fold(alone, |merged, (window, _)| Window {
            start: merged.start.min(window.start),
            end: merged.end.max(window.end),
        });
        if merged.end < closed {
            context.note(format!("a row at {time} is too late for its session, which would end at {}", merged.end));
        } else {
            let mut states = self.folds.initial();
            for (window, before) in &touched {
                states = self.folds.merge(&states, before)?;
                if merged == alone {
                    // The session has the row's own bounds: it is replaced in place.
                    continue;
                }
                let (by_group, by_time) = Self::keys(&group, *window);
                context.unit.delete(self.sessions, by_group);
                context.unit.delete(self.by_time, by_time);
                if !self.final_only {
                    let old = self.folds.shown_before(&key, Some(before), Some(*window))?;
                    let timestamp = window.end;
                    out.push(Change { key: Some(key.clone()), window: Some(*window), new: None, old, timestamp });
                }
            }
            let states = self.folds.add(&states, row, context)?;
            if !self.final_only {
                let new = Some(self.folds.shown(&key, &states, Some(merged))?);
                let timestamp = merged.end;
                out.push(Change { key: Some(key), window: Some(merged), new, old: None, timestamp });
            }
            let (by_group, by_time) = Self::keys(&group, merged);
            let empty: [millrace_sql::value::Value; 0] = [];
            context.unit.put_under(&group, self.sessions, by_group, Stored { row: states, timestamp: merged.end });
            context.unit.put(self.by_time, by_time, Stored { row: empty.into(), timestamp: merged.end });
        }
        if self.final_only {
            self.close(closed, context, out)?;
        }
        let register = self.register(Self::YOUNGEST);
        let youngest_before = register.read(&mut context.unit)?;
        let youngest = register.raise(&mut context.unit, merged.end.max(youngest_before.unwrap_or(i64::MIN)))?;
        self.expire(youngest, context)
    }

    fn look(&self) -> Look {
        // Sessions that are still to be shown lie there too.
        if self.final_only { Look::Opaque } else { Look::Group(self.sessions) }
    }

    fn told(&self, key: &[u8], kept: &Stored) -> Result<Change, EngineError> {
        let (group, times) = key.split_at_checked(key.len().saturating_sub(16)).unwrap_or_default();
        let (end, rest) = split_time(times).map_err(StoreError::from)?;
        let (start, _) = split_time(rest).map_err(StoreError::from)?;
        self.folds.told(group, kept, Some(Window { start, end }))
    }
}
