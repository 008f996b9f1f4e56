//! JSON texts. A text is read up to the end of its first value, as ksqlDB's parser does; what follows is not looked at.

use serde_json::Value as Json;

use super::call::{Call, Row, lenient, strict};
use super::json_path::Path;
use crate::cast::{base64, date_text, double_text, time_text, timestamp_text};
use crate::expr::EvalError;
use crate::types::SqlType;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Row] = &[
    Row {
        name: "extractjsonfield",
        category: "JSON",
        about: "What stands at a path such as $.log.instance[0] of a JSON text; texts without their quotes.",
        overloads: &[strict("(input STRING, path STRING) -> STRING", extract_field)],
    },
    Row {
        name: "IS_JSON_STRING",
        category: "JSON",
        about: "Whether the text is JSON.",
        overloads: &[lenient("(input STRING) -> BOOLEAN", |call| {
            Ok(Value::Boolean(call.value(0).as_str().is_some_and(|text| parse(text).is_ok())))
        })],
    },
    Row {
        name: "JSON_ARRAY_CONTAINS",
        category: "JSON",
        about: "Whether a JSON array has an element of the value's type that equals it.",
        overloads: &[lenient("(jsonArray STRING, val T) -> BOOLEAN", array_contains)],
    },
    Row {
        name: "JSON_ARRAY_LENGTH",
        category: "JSON",
        about: "How many elements a JSON array has; null when the text is no array.",
        overloads: &[strict("(jsonArray STRING) -> INT", |call| match parse(call.str(0)?)? {
            Json::Array(items) => Ok(Value::Int(items.len() as i32)),
            _ => Ok(Value::Null),
        })],
    },
    Row {
        name: "JSON_CONCAT",
        category: "JSON",
        about: "JSON texts in one: objects merged, the later fields winning; otherwise an array of all elements.",
        overloads: &[strict("(jsonStrings STRING...) -> STRING", concat)],
    },
    Row {
        name: "JSON_ITEMS",
        category: "JSON",
        about: "The elements of a JSON array, each as a JSON text; null when the text is no array.",
        overloads: &[strict("(jsonItems STRING) -> ARRAY<STRING>", |call| match parse(call.str(0)?)? {
            Json::Array(items) => Ok(Value::array(items.iter().map(|item| json_text(item).into()))),
            _ => Ok(Value::Null),
        })],
    },
    Row {
        name: "JSON_KEYS",
        category: "JSON",
        about: "The names of a JSON object's fields; null when the text is no object.",
        overloads: &[strict("(jsonObj STRING) -> ARRAY<STRING>", |call| match parse(call.str(0)?)? {
            Json::Object(fields) => Ok(Value::array(fields.keys().map(|key| key.as_str().into()))),
            _ => Ok(Value::Null),
        })],
    },
    Row {
        name: "JSON_RECORDS",
        category: "JSON",
        about: "A JSON object's fields as a map; null when the text is no object.",
        overloads: &[strict("(jsonObj STRING) -> MAP<STRING, STRING>", |call| match parse(call.str(0)?)? {
            Json::Object(fields) => {
                Ok(Value::map(fields.iter().map(|(key, value)| (key.as_str().into(), plain_text(value).into()))))
            }
            _ => Ok(Value::Null),
        })],
    },
    Row {
        name: "TO_JSON_STRING",
        category: "JSON",
        about: "The value as a JSON text.",
        overloads: &[lenient("(input T) -> STRING", |call| {
            call.context.check_result(0, call.value(0).size_bytes())?;
            let mut text = String::new();
            let sql_type = call.types.first().cloned().flatten().unwrap_or(SqlType::String);
            write_value(&mut text, call.value(0), &sql_type);
            Ok(text.into())
        })],
    },
];

fn parse(text: &str) -> Result<Json, EvalError> {
    match serde_json::Deserializer::from_str(text).into_iter().next() {
        Some(Ok(json)) => Ok(json),
        Some(Err(error)) => Err(EvalError::new(format!("Invalid JSON format: {error}"))),
        None => Err(EvalError::new("Invalid JSON format: the text is empty")),
    }
}

/// The JSON text of a value, without whitespace; numbers with a point or exponent as Java's doubles.
fn json_text(json: &Json) -> String {
    let mut text = String::new();
    write_json(&mut text, json);
    text
}

fn write_json(text: &mut String, json: &Json) {
    match json {
        Json::Null => text.push_str("null"),
        Json::Bool(flag) => text.push_str(if *flag { "true" } else { "false" }),
        Json::Number(number) => text.push_str(&number_text(&number.to_string())),
        Json::String(string) => write_string(text, string),
        Json::Array(items) => {
            text.push('[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    text.push(',');
                }
                write_json(text, item);
            }
            text.push(']');
        }
        Json::Object(fields) => {
            text.push('{');
            for (position, (name, value)) in fields.iter().enumerate() {
                if position > 0 {
                    text.push(',');
                }
                write_string(text, name);
                text.push(':');
                write_json(text, value);
            }
            text.push('}');
        }
    }
}

fn number_text(digits: &str) -> String {
    match digits.parse::<f64>() {
        Ok(double) if digits.contains(['.', 'e', 'E']) => double_text(double),
        _ => digits.to_owned(),
    }
}

fn write_string(text: &mut String, string: &str) {
    text.push_str(&Json::String(string.to_owned()).to_string());
}

/// Texts bare, everything else (null too) as JSON.
fn plain_text(json: &Json) -> String {
    match json {
        Json::String(text) => text.clone(),
        other => json_text(other),
    }
}

fn extract_field(call: &Call<'_>) -> Result<Value, EvalError> {
    let path = call.prepared(call.str(1)?, |text| {
        Path::parse(text).ok_or_else(|| EvalError::new(format!("Invalid JSON path: {text}")))
    })?;
    let json = parse(call.str(0)?)?;
    Ok(path.find(&json).map(plain_text).into())
}

fn array_contains(call: &Call<'_>) -> Result<Value, EvalError> {
    let Value::String(text) = call.value(0) else { return Ok(Value::Null) };
    let Ok(Json::Array(items)) = parse(text) else { return Ok(Value::Boolean(false)) };
    let wanted = call.value(1);
    let matches = |item: &Json| match (wanted, item) {
        (Value::Null, Json::Null) => true,
        (Value::Boolean(wanted), Json::Bool(flag)) => wanted == flag,
        (Value::String(wanted), Json::String(string)) => wanted.as_ref() == string,
        (Value::Int(_) | Value::BigInt(_), Json::Number(number)) => number.as_i64() == wanted.as_i64(),
        (Value::Double(wanted), Json::Number(number)) => {
            number.to_string().contains(['.', 'e', 'E']) && number.as_f64() == Some(*wanted)
        }
        _ => false,
    };
    Ok(Value::Boolean(items.iter().any(matches)))
}

fn concat(call: &Call<'_>) -> Result<Value, EvalError> {
    if call.is_empty() {
        return Ok(Value::Null);
    }
    let parsed: Result<Vec<Json>, EvalError> = (0..call.len()).map(|n| parse(call.str(n)?)).collect();
    // A text that is no JSON makes the whole null.
    let Ok(parts) = parsed else { return Ok(Value::Null) };
    let merged = if let [only] = parts.as_slice() {
        only.clone()
    } else if parts.iter().all(Json::is_object) {
        let fields = parts.into_iter().filter_map(|part| match part {
            Json::Object(fields) => Some(fields),
            _ => None,
        });
        Json::Object(fields.flatten().collect())
    } else {
        Json::Array(
            parts
                .into_iter()
                .flat_map(|part| match part {
                    Json::Array(items) => items,
                    other => vec![other],
                })
                .collect(),
        )
    };
    let text = json_text(&merged);
    call.context.check_result(0, text.len())?;
    Ok(text.into())
}

/// The JSON of a SQL value: times as texts, bytes in base64, decimals with all their digits, names sorted.
fn write_value(text: &mut String, value: &Value, sql_type: &SqlType) {
    match (value, sql_type) {
        (Value::Null, _) => text.push_str("null"),
        (Value::Boolean(flag), _) => text.push_str(if *flag { "true" } else { "false" }),
        (Value::Int(n), _) => text.push_str(&n.to_string()),
        (Value::BigInt(n), _) => text.push_str(&n.to_string()),
        (Value::Double(n), _) if n.is_finite() => text.push_str(&double_text(*n)),
        (Value::Double(n), _) => write_string(text, &double_text(*n)),
        (Value::Decimal(n), _) => text.push_str(&n.to_string()),
        (Value::String(string), _) => write_string(text, string),
        (Value::Bytes(bytes), _) => write_string(text, &base64(bytes)),
        (Value::Time(millis), _) => write_string(text, &time_text(*millis)),
        (Value::Date(days), _) => write_string(text, &date_text(*days)),
        (Value::Timestamp(millis), _) => write_string(text, &timestamp_text(*millis)),
        (Value::Array(values), SqlType::Array(element)) => {
            text.push('[');
            for (position, item) in values.iter().enumerate() {
                if position > 0 {
                    text.push(',');
                }
                write_value(text, item, element);
            }
            text.push(']');
        }
        (Value::Map(map), SqlType::Map(key_type, value_type)) => {
            text.push('{');
            for (position, (key, value)) in map.iter().enumerate() {
                if position > 0 {
                    text.push(',');
                }
                write_string(text, &crate::cast::value_text(key, key_type));
                text.push(':');
                write_value(text, value, value_type);
            }
            text.push('}');
        }
        (Value::Struct(values), SqlType::Struct(fields)) => {
            let mut members: Vec<_> = fields.iter().zip(values.iter()).collect();
            members.sort_by(|a, b| crate::value::compare_strings(&a.0.name, &b.0.name));
            text.push('{');
            for (position, (field, value)) in members.into_iter().enumerate() {
                if position > 0 {
                    text.push(',');
                }
                write_string(text, &field.name);
                text.push(':');
                write_value(text, value, &field.sql_type);
            }
            text.push('}');
        }
        (mismatch, _) => write_string(text, &format!("{mismatch:?}")),
    }
}
