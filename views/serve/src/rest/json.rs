//! Values and schemas as ksqlDB's REST API writes them.
use std::fmt::Write;

use millrace_sql::cast::{base64, date_text, double_text, time_text};
use millrace_sql::schema::{Role, Schema};
use millrace_sql::types::SqlType;
use millrace_sql::value::Value;
use serde_json::{Value as Json, json};

/// A row as a JSON array.
pub fn row_text<'a>(values: impl IntoIterator<Item = (&'a Value, &'a SqlType)>) -> String {
    let mut out = String::from("[");
    for (at, (value, sql_type)) in values.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        push(&mut out, value, sql_type);
    }
    out.push(']');
    out
}

pub fn value_text(value: &Value, sql_type: &SqlType) -> String {
    let mut out = String::new();
    push(&mut out, value, sql_type);
    out
}

fn push(out: &mut String, value: &Value, sql_type: &SqlType) {
    match (value, sql_type) {
        (Value::Null, _) => out.push_str("null"),
        (Value::Boolean(value), _) => out.push_str(if *value { "true" } else { "false" }),
        (Value::Int(value), _) => drop(write!(out, "{value}")),
        (Value::BigInt(value), _) => drop(write!(out, "{value}")),
        // What JSON has no number for travels as text, as Jackson writes it.
        (Value::Double(value), _) if !value.is_finite() => push_string(out, &double_text(*value)),
        (Value::Double(value), _) => out.push_str(&double_text(*value)),
        (Value::Decimal(value), _) => drop(write!(out, "{value}")),
        (Value::String(value), _) => push_string(out, value),
        (Value::Bytes(value), _) => push_string(out, &base64(value)),
        (Value::Time(value), _) => push_string(out, &time_text(*value)),
        (Value::Date(value), _) => push_string(out, &date_text(*value)),
        (Value::Timestamp(value), _) => push_string(out, &timestamp(*value)),
        (Value::Array(items), SqlType::Array(element)) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                push(out, item, element);
            }
            out.push(']');
        }
        (Value::Map(entries), SqlType::Map(_, of)) => {
            out.push('{');
            for (at, (key, item)) in entries.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                match key {
                    Value::String(text) => push_string(out, text),
                    other => push_string(out, &value_text(other, &SqlType::String)),
                }
                out.push(':');
                push(out, item, of);
            }
            out.push('}');
        }
        (Value::Struct(values), SqlType::Struct(fields)) => {
            out.push('{');
            for (at, (item, field)) in values.iter().zip(fields.iter()).enumerate() {
                if at > 0 {
                    out.push(',');
                }
                push_string(out, &field.name);
                out.push(':');
                push(out, item, &field.sql_type);
            }
            out.push('}');
        }
        // A value of another type than its column's cannot come out of a plan.
        (other, _) => push_string(out, &format!("{other:?}")),
    }
}

fn push_string(out: &mut String, text: &str) {
    out.push_str(&Json::from(text).to_string());
}

/// `yyyy-MM-dd'T'HH:mm:ss.SSS` in UTC.
fn timestamp(ms: i64) -> String {
    let (days, of_day) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    let date = i32::try_from(days).map_or_else(|_| days.to_string(), date_text);
    let (hours, minutes, seconds, millis) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1000 % 60, of_day % 1000);
    format!("{date}T{hours:02}:{minutes:02}:{seconds:02}.{millis:03}")
}

/// Names and types of a schema's columns, in order.
pub fn columns_of(schema: &Schema) -> (Vec<String>, Vec<String>) {
    schema.columns().iter().map(|column| (column.name.to_string(), column.sql_type.to_string())).unzip()
}

/// A column as DESCRIBE shows it.
pub fn field(name: &str, sql_type: &SqlType, role: Option<&Role>) -> Json {
    let mut field = json!({ "name": name, "schema": schema(sql_type) });
    match role {
        Some(Role::Key) => field["type"] = json!("KEY"),
        Some(Role::Headers { key }) => {
            field["type"] = json!("HEADER");
            if let Some(key) = key {
                field["headerKey"] = json!(key);
            }
        }
        _ => {}
    }
    field
}

pub fn schema(sql_type: &SqlType) -> Json {
    let none = Json::Null;
    match sql_type {
        SqlType::Array(element) => json!({ "type": "ARRAY", "fields": none, "memberSchema": schema(element) }),
        SqlType::Map(_, of) => json!({ "type": "MAP", "fields": none, "memberSchema": schema(of) }),
        SqlType::Struct(fields) => {
            let fields: Vec<Json> = fields.iter().map(|each| field(&each.name, &each.sql_type, None)).collect();
            json!({ "type": "STRUCT", "fields": fields, "memberSchema": none })
        }
        SqlType::Decimal { precision, scale } => json!({
            "type": "DECIMAL", "fields": none, "memberSchema": none, "parameters": { "precision": precision, "scale": scale }
        }),
        plain => json!({ "type": plain.to_string(), "fields": none, "memberSchema": none }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_as_ksqldb_writes_them() {
        let cases = [
            (Value::Double(1e7), SqlType::Double, "1.0E7"),
            (Value::BigInt(-3), SqlType::BigInt, "-3"),
            (Value::Timestamp(1), SqlType::Timestamp, "\"1970-01-01T00:00:00.001\""),
            (Value::Timestamp(-1), SqlType::Timestamp, "\"1969-12-31T23:59:59.999\""),
            (Value::Date(1), SqlType::Date, "\"1970-01-02\""),
            (Value::Bytes(bytes::Bytes::from_static(b"abc")), SqlType::Bytes, "\"YWJj\""),
            (Value::from("a\"b"), SqlType::String, "\"a\\\"b\""),
            (Value::array([Value::Int(1), Value::Null]), SqlType::Array(std::sync::Arc::new(SqlType::Integer)), "[1,null]"),
        ];
        for (value, sql_type, text) in cases {
            assert_eq!(value_text(&value, &sql_type), text);
        }
    }
}
