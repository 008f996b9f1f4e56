//! Values as text and as JSON. Types give structs the names of their fields.
use millrace_client::views::Value;
use millrace_sql::ast::DataType;
use millrace_sql::cast::{date_text, time_text, timestamp_text};
use millrace_sql::parser::{Limits, parse_type};
use serde_json::{Map, Value as Json};

/// The type of a column as the node writes it; a type that this program does not know shows values as they are.
pub(crate) fn type_of(sql_type: &str) -> Option<DataType> {
    parse_type(sql_type, &Limits::STANDARD).ok()
}

/// For tables and CSV. Null is for the caller to show.
pub(crate) fn text(value: &Value, of: Option<&DataType>) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        simple => match json(simple, of) {
            Json::String(text) => text,
            other => other.to_string(),
        },
    })
}

pub(crate) fn json(value: &Value, of: Option<&DataType>) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(value) => Json::Bool(*value),
        Value::Integer(value) => Json::from(*value),
        Value::Bigint(value) => Json::from(*value),
        // JSON has no word for these.
        Value::Double(value) if !value.is_finite() => Json::from(value.to_string()),
        Value::Double(value) => Json::from(*value),
        Value::Decimal(value) => value.to_string().parse::<serde_json::Number>().map_or_else(|_| Json::from(value.to_string()), Json::Number),
        Value::String(value) => Json::from(value.as_str()),
        Value::Bytes(value) => Json::from(value.iter().map(|byte| format!("{byte:02X}")).collect::<String>()),
        Value::Time(value) => Json::from(time_text(*value)),
        Value::Date(value) => Json::from(date_text(*value)),
        Value::Timestamp(value) => Json::from(timestamp_text(*value)),
        Value::Array(items) => {
            let of = match of {
                Some(DataType::Array(of)) => Some(&**of),
                _ => None,
            };
            items.iter().map(|item| json(item, of)).collect()
        }
        Value::Map(entries) => {
            let (key_of, value_of) = match of {
                Some(DataType::Map { key, value }) => (Some(&**key), Some(&**value)),
                _ => (None, None),
            };
            let entry = |(key, value): &(Value, Value)| (text(key, key_of).unwrap_or_else(|| "null".into()), json(value, value_of));
            Json::Object(entries.iter().map(entry).collect::<Map<_, _>>())
        }
        Value::Struct(values) => match of {
            Some(DataType::Struct(fields)) if fields.len() == values.len() => {
                let field = fields.iter().zip(values).map(|(field, value)| (field.name.to_string(), json(value, Some(&field.data_type))));
                Json::Object(field.collect::<Map<_, _>>())
            }
            _ => values.iter().map(|value| json(value, None)).collect(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_values_have_the_names_of_their_type() {
        let of = type_of("ARRAY<STRUCT<`A` INTEGER, `B` MAP<STRING, DATE>>>");
        let value = Value::Array(vec![Value::Struct(vec![1.into(), Value::Map(vec![("d".into(), Value::Date(0))])]), Value::Null]);
        assert_eq!(json(&value, of.as_ref()).to_string(), r#"[{"A":1,"B":{"d":"1970-01-01"}},null]"#);
        assert_eq!(text(&Value::Timestamp(0), None).as_deref(), Some("1970-01-01T00:00:00.000"));
        assert_eq!(text(&Value::Null, None), None);
    }
}
