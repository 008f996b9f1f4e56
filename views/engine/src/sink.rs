//! Changes as records of the sink topic.

use std::ops::Range;
use std::sync::Arc;

use millrace_formats::{Codec, ColumnSpec, Side, codec, window};
use millrace_sql::plan::{DataSource, WindowType};
use millrace_sql::schema::{Role, Schema};

use crate::compile::Settings;
use crate::error::{CompileError, EngineError};
use crate::operators::Context;
use crate::record::{Header, OutputRecord};
use crate::row::Change;
use crate::source::EventTime;

pub struct Sink {
    key: Box<dyn Codec>,
    value: Box<dyn Codec>,
    has_key: bool,
    values: Values,
    session: bool,
    timestamp: Option<EventTime>,
}

/// Where the value columns stand in a row.
enum Values {
    Together(Range<usize>),
    Apart(Vec<usize>),
}

impl Values {
    fn at(places: Vec<usize>) -> Values {
        let first = places.first().copied().unwrap_or(0);
        let together = first..first + places.len();
        if places.iter().copied().eq(together.clone()) { Values::Together(together) } else { Values::Apart(places) }
    }
}

impl Sink {
    /// `rows` is the schema of the rows that come; columns match the sink's by role and position.
    pub fn compile(sink: &DataSource, rows: &Schema, settings: &Settings<'_>) -> Result<Sink, CompileError> {
        let specs = |role: Role| -> Vec<ColumnSpec> {
            let columns = sink.schema.columns().iter().filter(move |column| column.role == role);
            columns.map(|column| ColumnSpec::new(column.name.as_str(), column.sql_type.clone())).collect()
        };
        let places = rows.columns().iter().enumerate().filter(|(_, column)| column.role == Role::Value);
        let (keys, value_specs) = (specs(Role::Key), specs(Role::Value));
        let values: Vec<usize> = places.map(|(at, _)| at).collect();
        if values.len() != value_specs.len() {
            return Err(CompileError::Plan("the sink has other columns than the query gives"));
        }
        Ok(Sink {
            has_key: !keys.is_empty(),
            key: codec(&sink.key_format, Side::Key, keys)?,
            value: codec(&sink.value_format, Side::Value, value_specs)?,
            values: Values::at(values),
            session: sink.window.is_some_and(|window| window.window_type == WindowType::Session),
            timestamp: EventTime::compile(sink, rows, settings)?,
        })
    }

    /// The record, or nothing when its row has no valid time.
    pub fn write(
        &self,
        change: &Change,
        headers: &Arc<[Header]>,
        context: &mut Context<'_>,
    ) -> Result<Option<OutputRecord>, EngineError> {
        let key = match &change.key {
            Some(key) if self.has_key => self.key.encode(key)?,
            _ => None,
        };
        let (key, window_bytes) = match change.window {
            None => (key, 0),
            Some(bounds) => {
                let bytes = key.unwrap_or_default();
                let windowed = if self.session {
                    window::encode_session(&bytes, bounds.start, bounds.end)
                } else {
                    window::encode_time(&bytes, bounds.start)
                };
                let window_bytes = windowed.len() - bytes.len();
                (Some(windowed), window_bytes)
            }
        };
        let (value, timestamp) = match &change.new {
            None => (None, change.timestamp),
            Some(row) => {
                let timestamp = match &self.timestamp {
                    None => change.timestamp,
                    Some(event_time) => match event_time.of(row, context)? {
                        Some(timestamp) => timestamp,
                        None => return Ok(None),
                    },
                };
                let value = match &self.values {
                    Values::Together(places) => self.value.encode(&row[places.clone()])?,
                    Values::Apart(places) => self.value.encode(&places.iter().map(|at| row[*at].clone()).collect::<Vec<_>>())?,
                };
                (value, timestamp)
            }
        };
        Ok(Some(OutputRecord { key, window_bytes, value, timestamp, headers: Arc::clone(headers) }))
    }
}
