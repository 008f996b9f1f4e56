//! Typed values to JSON text, as Jackson writes them.

use std::fmt::Write as _;

use millrace_sql::cast::double_text;
use millrace_sql::types::SqlType;
use millrace_sql::value::Value;

use crate::text::base64_text;

/// Appends the value's JSON; field names of structs come from the type.
pub fn write_json(out: &mut String, value: &Value, sql_type: &SqlType) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Boolean(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Int(number) | Value::Time(number) | Value::Date(number) => push(out, number),
        Value::BigInt(number) | Value::Timestamp(number) => push(out, number),
        Value::Double(number) if number.is_finite() => out.push_str(&double_text(*number)),
        Value::Double(number) => push_string(out, &double_text(*number)),
        Value::Decimal(number) => push(out, number),
        Value::String(text) => push_string(out, text),
        Value::Bytes(bytes) => push_string(out, &base64_text(bytes)),
        Value::Array(values) => {
            let element = match sql_type {
                SqlType::Array(element) => element,
                other => other,
            };
            out.push('[');
            for (at, item) in values.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_json(out, item, element);
            }
            out.push(']');
        }
        Value::Map(entries) => {
            let element = match sql_type {
                SqlType::Map(_, element) => element,
                other => other,
            };
            out.push('{');
            for (at, (key, item)) in entries.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                push_key(out, key);
                write_json(out, item, element);
            }
            out.push('}');
        }
        Value::Struct(values) => {
            let fields = sql_type.fields();
            write_object(out, fields.iter().zip(values.iter()).map(|(field, item)| (&*field.name, item, &field.sql_type)));
        }
    }
}

/// Appends an object of named values.
pub fn write_object<'a>(out: &mut String, fields: impl Iterator<Item = (&'a str, &'a Value, &'a SqlType)>) {
    out.push('{');
    for (at, (name, value, sql_type)) in fields.enumerate() {
        if at > 0 {
            out.push(',');
        }
        push_string(out, name);
        out.push(':');
        write_json(out, value, sql_type);
    }
    out.push('}');
}

fn push(out: &mut String, shown: impl std::fmt::Display) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{shown}");
}

fn push_key(out: &mut String, key: &Value) {
    match key {
        Value::String(text) => push_string(out, text),
        other => {
            let mut text = String::new();
            write_json(&mut text, other, &SqlType::String);
            push_string(out, &text);
        }
    }
    out.push(':');
}

/// A quoted string with the escapes that JSON needs, and no others.
pub fn push_string(out: &mut String, text: &str) {
    out.push('"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0c => "\\f",
            0..=0x1f => "",
            _ => continue,
        };
        out.push_str(&text[from..at]);
        if escape.is_empty() {
            push(out, format_args!("\\u{byte:04X}"));
        } else {
            out.push_str(escape);
        }
        from = at + 1;
    }
    out.push_str(&text[from..]);
    out.push('"');
}
