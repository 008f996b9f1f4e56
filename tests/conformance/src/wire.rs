//! JSON of a corpus to bytes of a topic and back, by the formats that the catalog declares for the topic.

use bytes::Bytes;
use millrace_formats::{Codec, ColumnSpec, Side, codec, window};
use millrace_sql::cast::{base64, double_text};
use millrace_sql::plan::{DataSource, Format, FormatInfo, WindowType};
use millrace_sql::schema::{Column, Role};
use millrace_sql::types::SqlType;
use millrace_sql::value::Value;
use serde_json::{Number, Value as Json};

use crate::case::Window;
use crate::compare::Numbers;

/// How one topic's keys and values stand on the wire.
pub struct Wire<'a> {
    source: Option<&'a DataSource>,
}

impl<'a> Wire<'a> {
    /// Of a topic that the source describes; a topic that none describes holds plain text.
    pub fn new(source: Option<&'a DataSource>) -> Wire<'a> {
        Wire { source }
    }

    fn format(&self, side: Side) -> Format {
        match (self.source, side) {
            (None, _) => Format::Kafka,
            (Some(source), Side::Key) => source.key_format.format,
            (Some(source), Side::Value) => source.value_format.format,
        }
    }

    fn columns(&self, side: Side) -> Vec<&Column> {
        let role = if side == Side::Key { Role::Key } else { Role::Value };
        let columns = self.source.into_iter().flat_map(|source| source.schema.columns());
        columns.filter(|column| column.role == role).collect()
    }

    pub fn numbers(&self, side: Side) -> Numbers {
        match self.format(side) {
            Format::Avro | Format::Protobuf | Format::ProtobufNoSr | Format::JsonSr => Numbers::Tolerant,
            Format::Json | Format::Delimited | Format::Kafka | Format::None => Numbers::Exact,
        }
    }

    pub fn is_json(&self, side: Side) -> bool {
        self.format(side) == Format::Json
    }

    /// The bytes that the harness would produce for a given key or value.
    pub fn encode(&self, side: Side, node: &Json) -> Result<Option<Bytes>, String> {
        if node.is_null() {
            return Ok(None);
        }
        let text = || Bytes::from(node.as_str().map_or_else(|| node.to_string(), str::to_string));
        match self.format(side) {
            Format::None => Ok(None),
            Format::Json => Ok(Some(Bytes::from(node.to_string()))),
            Format::Delimited => Ok(Some(text())),
            Format::Kafka => match self.columns(side).first() {
                None => Ok(Some(text())),
                Some(column) => kafka(node, &column.sql_type).map(Some),
            },
            Format::ProtobufNoSr => self.through_json(side, node),
            other => Err(format!("the format {other} needs a schema registry")),
        }
    }

    /// A typed format's bytes: the JSON is read as the columns' types first.
    fn through_json(&self, side: Side, node: &Json) -> Result<Option<Bytes>, String> {
        let json = codec(&FormatInfo::of(Format::Json), Side::Value, self.specs(side)).map_err(|error| error.to_string())?;
        let row = json.decode(node.to_string().as_bytes()).map_err(|error| error.to_string())?;
        row.map_or(Ok(None), |row| self.encode_row(side, &row))
    }

    fn specs(&self, side: Side) -> Vec<ColumnSpec> {
        let columns = self.columns(side).into_iter();
        columns.map(|column| ColumnSpec::new(column.name.as_str(), column.sql_type.clone())).collect()
    }

    /// The given key with its window.
    pub fn encode_key(&self, node: &Json, bounds: Option<&Window>) -> Result<Option<Bytes>, String> {
        let key = self.encode(Side::Key, node)?;
        Ok(match bounds {
            None => key,
            Some(bounds) => {
                let key = key.unwrap_or_default();
                Some(if bounds.session {
                    window::encode_session(&key, bounds.start, bounds.end)
                } else {
                    window::encode_time(&key, bounds.start)
                })
            }
        })
    }

    pub fn decode(&self, side: Side, bytes: Option<&[u8]>) -> Result<Json, String> {
        let Some(bytes) = bytes else { return Ok(Json::Null) };
        let text = || String::from_utf8_lossy(bytes).into_owned();
        match self.format(side) {
            Format::None => Ok(Json::Null),
            Format::Json => serde_json::from_slice(bytes).map_err(|error| format!("{error}: {}", text())),
            Format::Delimited => Ok(Json::String(text())),
            Format::Kafka => {
                let columns = self.columns(side);
                let Some(column) = columns.first() else { return Ok(Json::String(text())) };
                let row = self.codec(side)?.decode(bytes).map_err(|error| error.to_string())?;
                let value = row.and_then(|row| row.into_iter().next()).unwrap_or_default();
                Ok(plain(&value, &column.sql_type))
            }
            Format::ProtobufNoSr => {
                let row = self.codec(side)?.decode(bytes).map_err(|error| error.to_string())?;
                let fields = self.columns(side).into_iter().zip(row.unwrap_or_default());
                let shown = fields.map(|(column, value)| (column.name.to_string(), plain(&value, &column.sql_type)));
                Ok(Json::Object(shown.collect()))
            }
            other => Err(format!("the format {other} needs a schema registry")),
        }
    }

    fn codec(&self, side: Side) -> Result<Box<dyn Codec>, String> {
        let Some(source) = self.source else { return Err("no source describes the topic".to_string()) };
        let info = if side == Side::Key { &source.key_format } else { &source.value_format };
        codec(info, side, self.specs(side)).map_err(|error| error.to_string())
    }

    /// A row's bytes, for INSERT VALUES.
    pub fn encode_row(&self, side: Side, row: &[Value]) -> Result<Option<Bytes>, String> {
        if self.columns(side).is_empty() && side == Side::Key {
            return Ok(None);
        }
        self.codec(side)?.encode(row).map_err(|error| error.to_string())
    }

    /// The values of a record's side, by column.
    pub fn decode_row(&self, side: Side, bytes: Option<&[u8]>) -> Result<Option<Vec<Value>>, String> {
        let Some(bytes) = bytes else { return Ok(None) };
        self.codec(side)?.decode(bytes).map_err(|error| error.to_string())
    }

    /// Takes the window off a key, where the topic's keys carry one.
    pub fn split_key<'b>(&self, key: Option<&'b [u8]>) -> Result<(Option<&'b [u8]>, Option<Window>), String> {
        let (Some(key), Some(info)) = (key, self.source.and_then(|source| source.window)) else { return Ok((key, None)) };
        if info.window_type == WindowType::Session {
            let (key, start, end) = window::decode_session(key).map_err(|error| error.to_string())?;
            return Ok((Some(key), Some(Window { start, end, session: true })));
        }
        let (key, start) = window::decode_time(key).map_err(|error| error.to_string())?;
        let end = start.saturating_add(info.size_ms.unwrap_or(i64::MAX));
        Ok((Some(key), Some(Window { start, end, session: false })))
    }
}

fn kafka(node: &Json, sql_type: &SqlType) -> Result<Bytes, String> {
    let text = node.as_str().map_or_else(|| node.to_string(), str::to_string);
    let wrong = || format!("{text} is not {sql_type}");
    Ok(match sql_type {
        SqlType::Integer => Bytes::copy_from_slice(&text.parse::<i32>().map_err(|_| wrong())?.to_be_bytes()),
        SqlType::BigInt => Bytes::copy_from_slice(&text.parse::<i64>().map_err(|_| wrong())?.to_be_bytes()),
        SqlType::Double => Bytes::copy_from_slice(&text.parse::<f64>().map_err(|_| wrong())?.to_be_bytes()),
        _ => Bytes::from(text),
    })
}

fn plain(value: &Value, sql_type: &SqlType) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bytes(bytes) => Json::String(base64(bytes)),
        Value::String(text) => Json::String(text.to_string()),
        Value::Double(number) => double_text(*number).parse::<Number>().map_or(Json::Null, Json::Number),
        other => {
            let mut text = String::new();
            millrace_formats::write_json(&mut text, other, sql_type);
            serde_json::from_str(&text).unwrap_or(Json::Null)
        }
    }
}
