//! Records of a topic as changes: decoding, event time, pseudo columns.
//!
//! A record that cannot be decoded, or whose event time cannot be told, is skipped with a line in the processing log.

use std::sync::Arc;

use bytes::Bytes;
use millrace_formats::{Codec, ColumnSpec, DecodeError, Side, codec, window};
use millrace_sql::ast::{ColumnRef, Expression, Position};
use millrace_sql::expr::Expr;
use millrace_sql::name::Name;
use millrace_sql::plan::{DataSource, SourceColumn, SourceStep, WindowInfo, WindowType};
use millrace_sql::schema::{Role, Schema};
use millrace_sql::types::SqlType;
use millrace_sql::value::Value;

use crate::compile::Settings;
use crate::error::{CompileError, EngineError};
use crate::log::{LogEvent, LogKind};
use crate::operators::{Context, Scalar};
use crate::record::{Header, InputRecord};
use crate::row::{Change, Key, Window};

pub struct Source {
    pub topic: Arc<str>,
    key: Box<dyn Codec>,
    value: Box<dyn Codec>,
    /// For each declared column, where its value comes from.
    declared: Vec<Origin>,
    key_count: usize,
    columns: Vec<SourceColumn>,
    window: Option<WindowInfo>,
    timestamp: Option<EventTime>,
}

#[derive(Clone, Debug)]
enum Origin {
    Key(usize),
    Value(usize),
    Headers,
    Header(String),
}

impl Source {
    /// Its name in the processing log.
    pub const STEP: &str = "Source";

    pub fn compile(step: &SourceStep, settings: &Settings<'_>) -> Result<Source, CompileError> {
        let source = &step.source;
        let mut wanted = vec![false; source.schema.len()];
        for column in &step.columns {
            if let SourceColumn::Declared(at) = column {
                *wanted.get_mut(*at).ok_or(CompileError::Plan("a column that the source does not have"))? = true;
            }
        }
        if let Some(at) = source.timestamp.as_ref().and_then(|column| source.schema.index_of(column.column.as_str())) {
            wanted[at] = true;
        }
        let (mut keys, mut values, mut declared) = (Vec::new(), Vec::new(), Vec::new());
        for (column, wanted) in source.schema.columns().iter().zip(wanted) {
            let mut spec = ColumnSpec::new(column.name.as_str(), column.sql_type.clone());
            declared.push(match &column.role {
                Role::Key => {
                    keys.push(spec);
                    Origin::Key(keys.len() - 1)
                }
                Role::Headers { key: None } => Origin::Headers,
                Role::Headers { key: Some(key) } => Origin::Header(key.clone()),
                Role::Value | Role::Pseudo | Role::WindowBound => {
                    spec.wanted = wanted;
                    values.push(spec);
                    Origin::Value(values.len() - 1)
                }
            });
        }
        Ok(Source {
            topic: Arc::from(source.topic.as_str()),
            key_count: keys.len(),
            key: codec(&source.key_format, Side::Key, keys)?,
            value: codec(&source.value_format, Side::Value, values)?,
            declared,
            columns: step.columns.clone(),
            window: source.window,
            timestamp: EventTime::compile(source, &source.schema, settings)?,
        })
    }

    /// The change that the record is, or nothing when it must be skipped.
    pub fn read(&self, record: &InputRecord, context: &mut Context<'_>) -> Result<Option<Change>, EngineError> {
        let (key, window) = match self.read_key(record.key.as_ref()) {
            Ok(read) => read,
            Err(error) => {
                self.refuse("key", record.key.as_ref(), &error, context);
                return Ok(None);
            }
        };
        let value = match record.value.as_ref().map(|bytes| self.value.decode(bytes)).transpose() {
            Ok(value) => value.flatten(),
            Err(error) => {
                self.refuse("value", record.value.as_ref(), &error, context);
                return Ok(None);
            }
        };
        let Some(value) = value else {
            return Ok(Some(Change { key, window, new: None, old: None, timestamp: record.timestamp }));
        };
        let declared = |at: usize| match &self.declared[at] {
            Origin::Key(at) => key.as_ref().and_then(|key| key.get(*at)).cloned().unwrap_or_default(),
            Origin::Value(at) => value.get(*at).cloned().unwrap_or_default(),
            Origin::Headers => all_headers(&record.headers),
            Origin::Header(name) => one_header(&record.headers, name),
        };
        let timestamp = match &self.timestamp {
            None => record.timestamp,
            Some(event_time) => match event_time.of(&(0..self.declared.len()).map(declared).collect::<Vec<_>>(), context)? {
                Some(timestamp) => timestamp,
                None => return Ok(None),
            },
        };
        let bound = |time: Option<i64>| time.map_or(Value::Null, Value::BigInt);
        let row = self.columns.iter().map(|column| match column {
            SourceColumn::Declared(at) => declared(*at),
            SourceColumn::RowTime => Value::BigInt(timestamp),
            SourceColumn::RowPartition => Value::Int(record.partition),
            SourceColumn::RowOffset => Value::BigInt(record.offset),
            SourceColumn::WindowStart => bound(window.map(|window| window.start)),
            SourceColumn::WindowEnd => bound(window.map(|window| window.end)),
        });
        let row = row.collect();
        Ok(Some(Change { key, window, new: Some(row), old: None, timestamp }))
    }

    fn read_key(&self, bytes: Option<&Bytes>) -> Result<(Option<Key>, Option<Window>), DecodeError> {
        let Some(bytes) = bytes else { return Ok((None, None)) };
        let (bytes, window): (&[u8], _) = match self.window {
            None => (bytes, None),
            Some(WindowInfo { window_type: WindowType::Session, .. }) => {
                let (key, start, end) = window::decode_session(bytes)?;
                (key, Some(Window { start, end }))
            }
            Some(WindowInfo { size_ms, .. }) => {
                let (key, start) = window::decode_time(bytes)?;
                (key, Some(Window { start, end: start.saturating_add(size_ms.unwrap_or(i64::MAX)) }))
            }
        };
        if self.key_count == 0 {
            return Ok((None, window));
        }
        Ok((self.key.decode(bytes)?.map(Key::from), window))
    }

    fn refuse(&self, target: &'static str, record: Option<&Bytes>, error: &DecodeError, context: &mut Context<'_>) {
        let what = LogKind::Deserialization {
            target,
            topic: Arc::clone(&self.topic),
            record: record.cloned().unwrap_or_default(),
            message: error.to_string(),
        };
        context.log.push(LogEvent { step: Source::STEP, what });
    }
}

fn all_headers(headers: &[Header]) -> Value {
    let one = |header: &Header| Value::structure([Value::string(&*header.key), header.value.clone().into()]);
    Value::array(headers.iter().map(one))
}

fn one_header(headers: &[Header], name: &str) -> Value {
    let last = headers.iter().rev().find(|header| &*header.key == name);
    last.and_then(|header| header.value.clone()).into()
}

/// The event time that a column gives (TIMESTAMP in WITH).
pub struct EventTime {
    expression: Scalar,
    /// A row without a valid time stops the query instead of being skipped.
    strict: bool,
}

impl EventTime {
    /// For rows of `schema`, where the source asks for it.
    pub fn compile(source: &DataSource, schema: &Schema, settings: &Settings<'_>) -> Result<Option<EventTime>, CompileError> {
        let Some(timestamp) = &source.timestamp else { return Ok(None) };
        let declared = schema.find(timestamp.column.as_str());
        let column = Expression::Column(ColumnRef {
            source: None,
            name: timestamp.column.clone(),
            position: Position::NOWHERE,
        });
        let is_text = declared.is_some_and(|column| column.sql_type == SqlType::String);
        let expression = match &timestamp.format {
            Some(format) if is_text => Expression::Call {
                function: Name::new("STRINGTOTIMESTAMP"),
                arguments: vec![column, Expression::String(format.clone())],
                position: Position::NOWHERE,
            },
            _ => column,
        };
        let compiled = Expr::compile(&expression, schema, settings.functions)
            .map_err(|error| CompileError::Expression(error.to_string()))?;
        Ok(Some(EventTime { expression: Scalar(compiled), strict: settings.strict_timestamps }))
    }

    /// The time, or nothing when the row must be skipped.
    pub fn of(&self, row: &[Value], context: &mut Context<'_>) -> Result<Option<i64>, EngineError> {
        let why = match self.expression.try_eval(row, context).map(|value| value.as_i64()) {
            Ok(Some(time)) if time >= 0 => return Ok(Some(time)),
            Ok(Some(_)) => "the timestamp is negative".to_string(),
            Ok(None) => "the timestamp column is null".to_string(),
            Err(error) => error.to_string(),
        };
        if self.strict {
            return Err(EngineError::Stopped(format!("Fatal user code error in TimestampExtractor callback for record: {why}")));
        }
        context.note(format!("Failed to extract timestamp from row: {why}"));
        Ok(None)
    }
}
