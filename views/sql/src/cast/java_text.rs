//! The text of a value as Java's `toString` gives it: what CAST to STRING and ARRAY_JOIN print.

use std::fmt::Write as _;

use super::number_text::double_text;
use super::time_text::{date_text, time_text, timestamp_text};
use crate::types::SqlType;
use crate::value::Value;

/// The text of a value at the top: a decimal shows every digit, a null is the word `null`.
pub fn value_text(value: &Value, sql_type: &SqlType) -> String {
    match value {
        Value::Decimal(decimal) => decimal.to_string(),
        other => {
            let mut text = String::new();
            write_nested(&mut text, other, sql_type);
            text
        }
    }
}

fn write_nested(text: &mut String, value: &Value, sql_type: &SqlType) {
    match (value, sql_type) {
        (Value::Null, _) => text.push_str("null"),
        (Value::Boolean(flag), _) => text.push_str(if *flag { "true" } else { "false" }),
        (Value::Int(n), _) => {
            let _ = write!(text, "{n}");
        }
        (Value::BigInt(n), _) => {
            let _ = write!(text, "{n}");
        }
        (Value::Double(n), _) => text.push_str(&double_text(*n)),
        (Value::Decimal(n), _) => text.push_str(&n.to_scientific_string()),
        (Value::String(string), _) => text.push_str(string),
        (Value::Bytes(bytes), _) => text.push_str(&crate::cast::base64(bytes)),
        (Value::Time(millis), _) => text.push_str(&time_text(*millis)),
        (Value::Date(days), _) => text.push_str(&date_text(*days)),
        (Value::Timestamp(millis), _) => text.push_str(&timestamp_text(*millis)),
        (Value::Array(values), SqlType::Array(element)) => {
            text.push('[');
            for (position, item) in values.iter().enumerate() {
                if position > 0 {
                    text.push_str(", ");
                }
                write_nested(text, item, element);
            }
            text.push(']');
        }
        (Value::Map(map), SqlType::Map(key_type, value_type)) => {
            text.push('{');
            for (position, (key, value)) in map.java_order().into_iter().enumerate() {
                if position > 0 {
                    text.push_str(", ");
                }
                write_nested(text, key, key_type);
                text.push('=');
                write_nested(text, value, value_type);
            }
            text.push('}');
        }
        (Value::Struct(values), SqlType::Struct(fields)) => {
            text.push_str("Struct{");
            let mut first = true;
            // Fields without a value are left out.
            for (field, value) in fields.iter().zip(values.iter()).filter(|(_, value)| !value.is_null()) {
                if !first {
                    text.push(',');
                }
                first = false;
                let _ = write!(text, "{}=", field.name);
                write_nested(text, value, &field.sql_type);
            }
            text.push('}');
        }
        // A value that is not of its type: its elements have no types to go by.
        (mismatch, _) => {
            let _ = write!(text, "{mismatch:?}");
        }
    }
}
