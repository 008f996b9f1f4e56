//! Rows as protobuf messages: the text of their schema, and each row's bytes.
//!
//! Invariant: field numbers follow the order of the columns, as the codec of the format PROTOBUF_NOSR writes them.
use std::fmt::Write;

use millrace_formats::{Codec, ColumnSpec, Side, codec};
use millrace_sql::plan::{Format, FormatInfo};
use millrace_sql::schema::Schema;
use millrace_sql::types::SqlType;
use millrace_sql::value::Value;

use crate::Failed;

pub struct ProtoRows {
    pub schema: String,
    codec: Box<dyn Codec>,
}

impl ProtoRows {
    pub fn new(schema: &Schema) -> Result<ProtoRows, Failed> {
        let columns = schema.columns().iter().map(|column| ColumnSpec::new(column.name.as_str(), column.sql_type.clone()));
        let codec = codec(&FormatInfo::of(Format::ProtobufNoSr), Side::Value, columns.collect());
        let codec = codec.map_err(|error| Failed::statement(error.to_string()))?;
        Ok(ProtoRows { schema: schema_text(schema), codec })
    }

    pub fn row(&self, values: &[Value]) -> Result<Vec<u8>, Failed> {
        let bytes = self.codec.encode(values).map_err(|error| Failed::trouble(error.to_string()))?;
        Ok(bytes.unwrap_or_default().to_vec())
    }
}

/// A message on its way to text. Messages are numbered in the order in which they are met.
#[derive(Default)]
struct Message {
    name: String,
    fields: Vec<String>,
    inner: Vec<Message>,
}

#[derive(Default)]
struct Schemas {
    count: usize,
    imports: std::collections::BTreeSet<&'static str>,
}

fn schema_text(schema: &Schema) -> String {
    let mut schemas = Schemas::default();
    let columns = schema.columns().iter().map(|column| (column.name.as_str(), &column.sql_type));
    let name = schemas.name("");
    let message = schemas.message(name, columns);
    let mut text = String::from("syntax = \"proto3\";\n\n");
    for import in &schemas.imports {
        let _ = writeln!(text, "import \"{import}\";");
    }
    if !schemas.imports.is_empty() {
        text.push('\n');
    }
    write_message(&mut text, &message, 0);
    text
}

fn write_message(text: &mut String, message: &Message, depth: usize) {
    let pad = "  ".repeat(depth);
    let _ = writeln!(text, "{pad}message {} {{", message.name);
    for field in &message.fields {
        let _ = writeln!(text, "{pad}  {field}");
    }
    for inner in &message.inner {
        text.push('\n');
        write_message(text, inner, depth + 1);
    }
    let _ = writeln!(text, "{pad}}}");
}

impl Schemas {
    fn name(&mut self, suffix: &str) -> String {
        self.count += 1;
        format!("ConnectDefault{}{suffix}", self.count)
    }

    fn message<'a>(&mut self, name: String, columns: impl Iterator<Item = (&'a str, &'a SqlType)>) -> Message {
        let mut message = Message { name, ..Message::default() };
        for ((column, sql_type), number) in columns.zip(1..) {
            let (label, of, options) = self.field(sql_type, &mut message.inner);
            message.fields.push(format!("{label}{of} {column} = {number}{options};"));
        }
        message
    }

    /// Label, type and options of a field; messages of its own go to `inner`.
    fn field(&mut self, sql_type: &SqlType, inner: &mut Vec<Message>) -> (&'static str, String, String) {
        let plain = |name: &str| ("", name.to_string(), String::new());
        match sql_type {
            SqlType::Boolean => plain("bool"),
            SqlType::Integer => plain("int32"),
            SqlType::BigInt => plain("int64"),
            SqlType::Double => plain("double"),
            SqlType::String => plain("string"),
            SqlType::Bytes => plain("bytes"),
            SqlType::Decimal { precision, scale } => {
                self.imports.insert("confluent/meta.proto");
                self.imports.insert("confluent/type/decimal.proto");
                let params = format!(
                    " [(confluent.field_meta) = {{\n    params: [\n      {{\n        value: \"{precision}\",\n        key: \"precision\"\n      }},\n      \
                     {{\n        value: \"{scale}\",\n        key: \"scale\"\n      }}\n    ]\n  }}]"
                );
                ("", "confluent.type.Decimal".into(), params)
            }
            SqlType::Date => self.known("google/type/date.proto", "google.type.Date"),
            SqlType::Time => self.known("google/type/timeofday.proto", "google.type.TimeOfDay"),
            SqlType::Timestamp => self.known("google/protobuf/timestamp.proto", "google.protobuf.Timestamp"),
            SqlType::Array(element) => match &**element {
                // A list in a list has no field of its own: it stands in a message of one.
                SqlType::Array(_) | SqlType::Map(..) => {
                    let name = self.name("");
                    let message = self.message(name.clone(), std::iter::once(("array", &**element)));
                    inner.push(message);
                    ("repeated ", name, String::new())
                }
                element => {
                    let (_, of, options) = self.field(element, inner);
                    ("repeated ", of, options)
                }
            },
            SqlType::Map(key, value) => {
                let name = self.name("Entry");
                let message = self.message(name.clone(), [("key", &**key), ("value", &**value)].into_iter());
                inner.push(message);
                ("repeated ", name, String::new())
            }
            SqlType::Struct(fields) => {
                let name = self.name("");
                let message = self.message(name.clone(), fields.iter().map(|field| (&*field.name, &field.sql_type)));
                inner.push(message);
                ("", name, String::new())
            }
        }
    }

    fn known(&mut self, import: &'static str, name: &str) -> (&'static str, String, String) {
        self.imports.insert(import);
        ("", name.to_string(), String::new())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use millrace_sql::schema::{Column, Role};

    use super::*;

    #[test]
    fn nested_messages_are_numbered_as_they_are_met() {
        let map = SqlType::Map(Arc::new(SqlType::String), Arc::new(SqlType::Integer));
        let columns = vec![
            Column::new("ID", SqlType::BigInt, Role::Key),
            Column::new("M", map, Role::Value),
            Column::new("AT", SqlType::Array(Arc::new(SqlType::Timestamp)), Role::Value),
        ];
        let rows = ProtoRows::new(&Schema::new(columns).unwrap()).unwrap();
        assert_eq!(
            rows.schema,
            "syntax = \"proto3\";\n\nimport \"google/protobuf/timestamp.proto\";\n\nmessage ConnectDefault1 {\n  int64 ID = 1;\n  \
             repeated ConnectDefault2Entry M = 2;\n  repeated google.protobuf.Timestamp AT = 3;\n\n  message ConnectDefault2Entry {\n    \
             string key = 1;\n    int32 value = 2;\n  }\n}\n"
        );
        assert_eq!(rows.row(&[Value::BigInt(1), Value::Null, Value::Null]).unwrap(), [8, 1]);
    }
}
