//! Stream with stream within a span of time.
//!
//! Each event waits in its side's buffer and meets the other side's events whose time lies in its span, in the order of their time.
//! Outer rows: without a grace period at once, when nothing matched; with one, when the span and the grace have passed in stream
//! time (the greatest time seen on either side), or at once for an event whose span is already behind. A buffered event is seen
//! until the buffer's own time is past span and grace.

use std::sync::Arc;

use millrace_sql::ast::JoinKind;
use millrace_sql::value::Value;

use crate::error::EngineError;
use crate::operators::{Context, Joiner, Operator, Port, Register, expired_before};
use crate::row::{Change, Key, Row, Window};
use crate::state::{KeyBuilder, Stored, TableId, encode_windowed, split_time};

pub struct StreamStreamJoin {
    pub kind: JoinKind,
    pub joiner: Joiner,
    /// How long before and after a left event a right event may lie.
    pub before_ms: i64,
    pub after_ms: i64,
    pub grace_ms: i64,
    /// Outer rows wait until the span has closed.
    pub patient: bool,
    pub left: SideTables,
    pub right: SideTables,
    /// Events that have met nothing yet: time, side, key, number.
    pub unmatched: TableId,
    pub registers: TableId,
}

/// A side's buffer by key and time, and the same keys by time for expiry.
#[derive(Clone, Copy, Debug)]
pub struct SideTables {
    pub by_key: TableId,
    pub by_time: TableId,
}

/// What a buffered event's row must be known with, when it comes back alone: its key and window.
fn packed(key: &Key, window: Option<Window>, row: &Row) -> Row {
    let bound = |time: Option<i64>| time.map_or(Value::Null, Value::BigInt);
    let window = [bound(window.map(|window| window.start)), bound(window.map(|window| window.end))];
    Arc::from([Value::Array(Arc::clone(key)), Value::array(window), Value::Array(Arc::clone(row))])
}

fn unpacked(row: &Row) -> Option<(Key, Option<Window>, Row)> {
    match &**row {
        [Value::Array(key), Value::Array(bounds), Value::Array(row)] => {
            let window = match &**bounds {
                [Value::BigInt(start), Value::BigInt(end)] => Some(Window { start: *start, end: *end }),
                _ => None,
            };
            Some((Arc::clone(key), window, Arc::clone(row)))
        }
        _ => None,
    }
}

impl StreamStreamJoin {
    const TIME: &'static [u8] = b"time";
    /// Stream time when outer rows were last looked for.
    const CLOSED: &'static [u8] = b"closed";
    const NUMBER: &'static [u8] = b"number";
    const LEFT_TIME: &'static [u8] = b"left";
    const RIGHT_TIME: &'static [u8] = b"right";

    fn register(&self, name: &'static [u8]) -> Register {
        Register::new(self.registers, name)
    }

    fn tables(&self, port: Port) -> (SideTables, Register) {
        match port {
            Port::Left => (self.left, self.register(Self::LEFT_TIME)),
            Port::Right => (self.right, self.register(Self::RIGHT_TIME)),
        }
    }

    fn keeps(&self, port: Port) -> bool {
        match self.kind {
            JoinKind::Inner => false,
            JoinKind::Left => port == Port::Left,
            JoinKind::Right => port == Port::Right,
            JoinKind::Full => true,
        }
    }

    fn retention_ms(&self) -> i64 {
        self.before_ms.saturating_add(self.after_ms).saturating_add(self.grace_ms)
    }

    /// How far the other side's events may lie before and after one of this side.
    fn span(&self, port: Port) -> (i64, i64) {
        match port {
            Port::Left => (self.before_ms, self.after_ms),
            Port::Right => (self.after_ms, self.before_ms),
        }
    }

    fn joined(&self, port: Port, key: Option<&Key>, own: &Row, other: Option<&Row>) -> Row {
        match port {
            Port::Left => self.joiner.join(key, Some(own), other.map(|row| &**row)),
            Port::Right => self.joiner.join(key, other.map(|row| &**row), Some(own)),
        }
    }

    /// Emits the outer rows whose span has closed.
    fn close(&self, stream_time: i64, context: &mut Context<'_>, out: &mut Vec<Change>) -> Result<(), EngineError> {
        let closed = self.register(Self::CLOSED);
        let before = closed.read(&mut context.unit)?;
        if before.is_some_and(|before| before >= stream_time) {
            return Ok(());
        }
        closed.write(&mut context.unit, stream_time);
        // Nothing younger than `until` can have closed, and all older than `from` have been shown before.
        let bound = |time: i64, span_ms: i64| {
            KeyBuilder::new().time(time.saturating_sub(span_ms).saturating_sub(self.grace_ms)).build()
        };
        let from = before.map(|before| bound(before, self.before_ms.max(self.after_ms))).unwrap_or_default();
        let until = bound(stream_time, self.before_ms.min(self.after_ms));
        for (key, stored) in context.unit.range(self.unmatched, &from, Some(&until), usize::MAX)? {
            let (time, rest) = split_time(&key).map_err(crate::state::StoreError::from)?;
            let port = if rest.first() == Some(&1) { Port::Left } else { Port::Right };
            let look_back = match port {
                Port::Left => self.after_ms,
                Port::Right => self.before_ms,
            };
            if time.saturating_add(look_back).saturating_add(self.grace_ms) >= stream_time {
                continue;
            }
            context.unit.delete(self.unmatched, key);
            if let Some((key, window, row)) = unpacked(&stored.row) {
                let row = self.joined(port, Some(&key), &row, None);
                out.push(Change { key: Some(key), window, new: Some(row), old: None, timestamp: time });
            }
        }
        Ok(())
    }

    fn unmatched_key(time: i64, port: Port, key: &[u8]) -> KeyBuilder {
        KeyBuilder::new().time(time).flag(port == Port::Left).bytes(key)
    }

    /// Puts the event into its buffer and forgets what the buffer's time has passed.
    fn remember(&self, port: Port, change: &Change, row: &Row, key: &[u8], number: u64, context: &mut Context<'_>) -> Result<(), EngineError> {
        let (tables, clock) = self.tables(port);
        let seen = clock.read(&mut context.unit)?;
        let now = clock.raise(&mut context.unit, change.timestamp)?;
        let live = now.saturating_sub(self.retention_ms());
        if change.timestamp < live {
            // No event to come may see it.
            return Ok(());
        }
        let stored = Stored { row: row.clone(), timestamp: change.timestamp };
        let by_key = KeyBuilder::new().bytes(key).time(change.timestamp).number(number).build();
        let by_time = KeyBuilder::new().time(change.timestamp).bytes(&by_key).build();
        context.unit.put(tables.by_key, by_key, stored);
        let empty: [Value; 0] = [];
        context.unit.put(tables.by_time, by_time, Stored { row: empty.into(), timestamp: change.timestamp });
        let bound = |now: i64| expired_before(now, self.retention_ms());
        if let Some(seen) = seen.filter(|seen| bound(*seen) < bound(now)) {
            let from = KeyBuilder::new().time(bound(seen)).build();
            let until = KeyBuilder::new().time(bound(now)).build();
            context.unit.delete_range(tables.by_time, &from, &until, |unit, by_time| {
                let (_, by_key) = split_time(by_time)?;
                unit.delete(tables.by_key, by_key.to_vec());
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The other side's events within the span of this one, oldest first.
    fn matches(&self, port: Port, time: i64, key: &[u8], context: &mut Context<'_>) -> Result<Vec<Stored>, EngineError> {
        let (before, after) = self.span(port);
        let (other, clock) = self.tables(if port == Port::Left { Port::Right } else { Port::Left });
        let live = clock.read(&mut context.unit)?.map_or(i64::MIN, |now| now.saturating_sub(self.retention_ms()).saturating_add(1));
        let first = time.saturating_sub(before).max(0).max(live);
        let last = time.saturating_add(after).max(0);
        let from = KeyBuilder::new().bytes(key).time(first).build();
        let to = KeyBuilder::new().bytes(key).time(last.saturating_add(1)).build();
        let found = context.unit.range(other.by_key, &from, Some(&to), usize::MAX)?;
        Ok(found.into_iter().map(|(_, stored)| stored).collect())
    }
}

impl Operator for StreamStreamJoin {
    fn process(&self, port: Port, change: Change, context: &mut Context<'_>, out: &mut Vec<Change>) -> Result<(), EngineError> {
        let time = change.timestamp;
        let stream_time = self.register(Self::TIME).raise(&mut context.unit, time)?;
        let Some(row) = &change.new else { return Ok(()) };
        let Some(key) = &change.key else {
            if self.keeps(port) {
                out.push(change.with_rows(Some(self.joined(port, None, row, None)), None));
            }
            return Ok(());
        };
        let key_bytes = encode_windowed(key, change.window);
        let counter = self.register(Self::NUMBER);
        let number = counter.read(&mut context.unit)?.unwrap_or(0);
        counter.write(&mut context.unit, number + 1);
        self.remember(port, &change, row, &key_bytes, number.unsigned_abs(), context)?;
        if self.patient && time == stream_time {
            self.close(stream_time, context, out)?;
        }
        let found = self.matches(port, time, &key_bytes, context)?;
        let other_port = if port == Port::Left { Port::Right } else { Port::Left };
        for other in &found {
            if self.patient && self.keeps(other_port) {
                let waiting = Self::unmatched_key(other.timestamp, other_port, &key_bytes).build();
                for (waiting, _) in context.unit.prefix(self.unmatched, &waiting)? {
                    context.unit.delete(self.unmatched, waiting);
                }
            }
            let joined = self.joined(port, Some(key), row, Some(&other.row));
            out.push(Change { timestamp: time.max(other.timestamp), ..change.with_rows(Some(joined), None) });
        }
        if found.is_empty() && self.keeps(port) {
            let (_, after) = self.span(port);
            if !self.patient || time.saturating_add(after) < stream_time {
                out.push(change.with_rows(Some(self.joined(port, Some(key), row, None)), None));
            } else {
                let waiting = Self::unmatched_key(time, port, &key_bytes).number(number.unsigned_abs()).build();
                let stored = Stored { row: packed(key, change.window, row), timestamp: time };
                context.unit.put(self.unmatched, waiting, stored);
            }
        }
        Ok(())
    }
}
