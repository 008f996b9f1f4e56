//! The shapes in which rows go out.
use millrace_engine::Window;
use millrace_sql::cast::base64;
use millrace_sql::schema::{Column, Role, Schema, WINDOWEND, WINDOWSTART};
use millrace_sql::types::SqlType;
use millrace_sql::value::Value;
use serde_json::{Value as Json, json};

use crate::Failed;
use crate::rest::error::RestError;
use crate::rest::json::{columns_of, row_text};
use crate::rest::proto::ProtoRows;

/// How rows are put on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `[{"header":..},\n{"row":{"columns":[..]}},\n..]`: where rows come one by one, each line is whole with its comma, so that
    /// whoever reads lines has a row as soon as it is there.
    Rows,
    /// A line of metadata, then an array a line.
    Delimited,
    /// `[{metadata},[..],[..]]`
    Array,
    /// As `Rows`, but each row is the base64 of a message.
    Protobuf,
    /// Texts for a web socket, one each: the columns, then `{"row":..}`.
    Frames,
}

/// Writes one answer.
pub struct Writer {
    shape: Shape,
    schema: Schema,
    /// Whether the header tells key columns apart: only those of push queries do not.
    marks_keys: bool,
    /// Whether more always follows: at least a last message or an error.
    streams: bool,
    proto: Option<ProtoRows>,
}

impl Writer {
    /// For an answer that is written in one piece.
    pub fn whole(shape: Shape, schema: Schema) -> Result<Writer, Failed> {
        Writer::new(shape, schema, true, false)
    }

    /// For rows that come over time; `marks_keys` as its field.
    pub fn streaming(shape: Shape, schema: Schema, marks_keys: bool) -> Result<Writer, Failed> {
        Writer::new(shape, schema, marks_keys, true)
    }

    fn new(shape: Shape, schema: Schema, marks_keys: bool, streams: bool) -> Result<Writer, Failed> {
        let proto = if shape == Shape::Protobuf { Some(ProtoRows::new(&schema)?) } else { None };
        Ok(Writer { shape, schema, marks_keys, streams, proto })
    }

    /// An element of an array of objects, after the first.
    fn element(&self, text: String) -> String {
        if self.streams { format!("{text},\n") } else { format!(",\n{text}") }
    }

    pub fn head(&self, id: &str) -> String {
        let metadata = || {
            let (names, types) = columns_of(&self.schema);
            json!({ "queryId": id, "columnNames": names, "columnTypes": types })
        };
        match self.shape {
            Shape::Rows => {
                let column = |column: &Column| format!("{} {}", column.name.quoted(), column.sql_type);
                let schema = match self.marks_keys {
                    true => self.schema.to_string(),
                    false => self.schema.columns().iter().map(column).collect::<Vec<_>>().join(", "),
                };
                self.first(&json!({ "header": { "queryId": id, "schema": schema } }))
            }
            Shape::Protobuf => {
                let schema = self.proto.as_ref().map(|proto| &proto.schema);
                self.first(&json!({ "header": { "queryId": id, "protoSchema": schema } }))
            }
            Shape::Delimited => format!("{}\n", metadata()),
            Shape::Array => format!("[{}", metadata()),
            Shape::Frames => {
                let role = |column: &Column| if self.marks_keys { Some(column.role.clone()) } else { None };
                let field = |column: &Column| crate::rest::json::field(column.name.as_str(), &column.sql_type, role(column).as_ref());
                Json::Array(self.schema.columns().iter().map(field).collect()).to_string()
            }
        }
    }

    fn first(&self, header: &Json) -> String {
        format!("[{header}{}", if self.streams { ",\n" } else { "" })
    }

    pub fn row(&mut self, values: &[Value]) -> String {
        if let Some(proto) = &self.proto {
            return match proto.row(values) {
                Ok(bytes) => self.element(json!({ "row": { "protobufBytes": base64(&bytes) } }).to_string()),
                Err(failed) => self.element(json!({ "errorMessage": RestError::from(failed).body() }).to_string()),
            };
        }
        let columns = row_text(values.iter().zip(self.types()));
        match self.shape {
            Shape::Rows | Shape::Protobuf => self.element(format!("{{\"row\":{{\"columns\":{columns}}}}}")),
            Shape::Delimited => format!("{columns}\n"),
            Shape::Array => format!(",\n{columns}"),
            Shape::Frames => format!("{{\"row\":{{\"columns\":{columns}}}}}"),
        }
    }

    /// A table's row that is gone: only its key and window are known. Not every shape can say so; those that cannot say nothing.
    pub fn tombstone(&mut self, key: &[Value], window: Option<Window>) -> String {
        if matches!(self.shape, Shape::Delimited | Shape::Array | Shape::Protobuf) {
            return String::new();
        }
        let mut keys = key.iter();
        let bound = |at: Option<i64>| at.map_or(Value::Null, Value::BigInt);
        let (start, end) = (bound(window.map(|window| window.start)), bound(window.map(|window| window.end)));
        let columns = self.schema.columns().iter().map(|column| {
            let value = match &column.role {
                _ if column.name == WINDOWSTART => &start,
                _ if column.name == WINDOWEND => &end,
                Role::Key => keys.next().unwrap_or(&Value::Null),
                _ => &Value::Null,
            };
            (value, &column.sql_type)
        });
        let text = format!("{{\"row\":{{\"columns\":{},\"tombstone\":true}}}}", row_text(columns));
        if self.shape == Shape::Frames { text } else { self.element(text) }
    }

    /// The end of an answer that fails on the way.
    pub fn failed(&self, error: &RestError) -> String {
        match self.shape {
            Shape::Rows | Shape::Protobuf => format!("{}]\n", json!({ "errorMessage": error.body() })),
            Shape::Delimited => format!("{}\n", error.body()),
            Shape::Array => format!(",\n{}]\n", error.body()),
            Shape::Frames => error.body().to_string(),
        }
    }

    /// The end of rows that came over time, and why they end.
    pub fn last(&self, message: &str) -> String {
        match self.shape {
            Shape::Rows | Shape::Protobuf => format!("{}]\n", json!({ "finalMessage": message })),
            Shape::Delimited | Shape::Array | Shape::Frames => self.end(),
        }
    }

    /// The end of an answer in one piece.
    pub fn end(&self) -> String {
        match self.shape {
            Shape::Rows | Shape::Protobuf | Shape::Array => "]\n".into(),
            Shape::Delimited | Shape::Frames => String::new(),
        }
    }

    fn types(&self) -> impl Iterator<Item = &SqlType> {
        self.schema.columns().iter().map(|column| &column.sql_type)
    }
}
