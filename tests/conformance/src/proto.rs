//! Answers whose rows are protobuf messages: the schema's text must be the expected one, and each message must say the same.
//!
//! Entries of a map have no order, so repeated messages are compared as a bag. Absences: no schemas beyond Google's own are
//! known, so a column of a type that needs another cannot be compared.

use prost_reflect::prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, Value};
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use serde_json::{Value as Json, json};

const FILE: &str = "answer.proto";

struct Text(String);

impl FileResolver for Text {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match name {
            FILE => File::from_source(name, &self.0),
            other => Err(protox::Error::file_not_found(other)),
        }
    }
}

fn message_of(schema: &str) -> Result<MessageDescriptor, String> {
    let mut files = ChainFileResolver::new();
    files.add(Text(schema.to_string()));
    files.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(files);
    compiler.open_file(FILE).map_err(|error| format!("{error}: {schema}"))?;
    let pool: DescriptorPool = compiler.descriptor_pool();
    let file = pool.get_file_by_name(FILE).ok_or("the schema was not compiled")?;
    file.messages().next().ok_or_else(|| format!("the schema has no message: {schema}"))
}

/// What a message says, repeated messages in an order of their own.
fn told(message: &DynamicMessage) -> String {
    let fields = message.fields().map(|(field, value)| {
        let text = match value {
            Value::List(items) => {
                let mut items: Vec<String> = items.iter().map(one).collect();
                if matches!(field.kind(), prost_reflect::Kind::Message(_)) {
                    items.sort();
                }
                items.join(",")
            }
            other => one(other),
        };
        format!("{}: {{{text}}}", field.name())
    });
    fields.collect::<Vec<_>>().join(" ")
}

fn one(value: &Value) -> String {
    match value {
        Value::Message(message) => format!("({})", told(message)),
        other => format!("{other:?}"),
    }
}

/// The rows of both sides as objects that tell what their messages say, for the comparison that all answers have.
pub fn readable(found: &[Json], wanted: &[Json]) -> Result<(Vec<Json>, Vec<Json>), String> {
    let schema = found.first().and_then(|row| row["header"]["protoSchema"].as_str()).ok_or("the answer has no protoSchema")?;
    let descriptor = message_of(schema)?;
    let found = found.iter().map(|row| match row["row"]["protobufBytes"].as_str() {
        None => Ok(row.clone()),
        Some(text) => {
            let bytes = millrace_sql::cast::from_base64(text).ok_or_else(|| format!("not base64: {text}"))?;
            let message = DynamicMessage::decode(descriptor.clone(), bytes.as_slice()).map_err(|error| error.to_string())?;
            debug_assert_eq!(message.encoded_len(), bytes.len());
            Ok(json!({ "row": { "columns": told(&message) } }))
        }
    });
    let wanted = wanted.iter().map(|row| match row["row"].as_str() {
        None => Ok(row.clone()),
        Some(text) => {
            let message = DynamicMessage::parse_text_format(descriptor.clone(), text).map_err(|error| format!("{error}: {text}"))?;
            Ok(json!({ "row": { "columns": told(&message) } }))
        }
    });
    Ok((found.collect::<Result<_, String>>()?, wanted.collect::<Result<_, String>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = "syntax = \"proto3\";\n\nmessage ConnectDefault1 {\n  int32 K = 1;\n  repeated E M = 2;\n\n  message E {\n    string key = 1;\n  }\n}\n";

    #[test]
    fn messages_are_compared_by_what_they_say() {
        let found = [json!({ "header": { "protoSchema": SCHEMA } }), json!({ "row": { "protobufBytes": "CAESAwoBYRIDCgFi" } })];
        let wanted = [json!({ "header": { "protoSchema": SCHEMA } }), json!({ "row": "K: 1\nM {\n  key: \"b\"\n}\nM {\n  key: \"a\"\n}\n" })];
        let (left, right) = readable(&found, &wanted).unwrap();
        assert_eq!(left[1], right[1]);
        let other = [wanted[0].clone(), json!({ "row": "K: 2\n" })];
        let (left, right) = readable(&found, &other).unwrap();
        assert_ne!(left[1], right[1]);
    }
}
