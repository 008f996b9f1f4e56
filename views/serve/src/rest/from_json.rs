//! JSON values of a row as values of its columns.
use std::sync::Arc;

use millrace_sql::decimal::Decimal;
use millrace_sql::expr::coerce_literal;
use millrace_sql::types::SqlType;
use millrace_sql::value::Value;
use serde_json::{Map, Value as Json};

/// The field of an object: by its exact name, or in any case.
pub fn field<'a>(object: &'a Map<String, Json>, name: &str) -> Option<&'a Json> {
    let quoted = |key: &str| key.len() >= 2 && key.starts_with('`') && key.ends_with('`');
    object.iter().find_map(|(key, value)| {
        let same = if quoted(key) { key[1..key.len() - 1] == *name } else { key == name || key.to_uppercase() == name };
        same.then_some(value)
    })
}

/// The value, or nothing when the JSON cannot stand for one of this type.
pub fn value(json: &Json, to: &SqlType) -> Option<Value> {
    match (json, to) {
        (Json::Null, _) => Some(Value::Null),
        (Json::Bool(flag), _) => coerce_literal(&Value::Boolean(*flag), &SqlType::Boolean, to),
        (Json::String(text), _) => coerce_literal(&Value::from(text.as_str()), &SqlType::String, to),
        (Json::Number(number), _) => self::number(number.as_str(), to),
        (Json::Array(items), SqlType::Array(element)) => {
            items.iter().map(|item| value(item, element)).collect::<Option<Vec<_>>>().map(|items| Value::Array(items.into()))
        }
        (Json::Object(entries), SqlType::Map(key_type, value_type)) => {
            let entry = |(key, item): (&String, &Json)| {
                Some((coerce_literal(&Value::from(key.as_str()), &SqlType::String, key_type)?, value(item, value_type)?))
            };
            entries.iter().map(entry).collect::<Option<Vec<_>>>().map(Value::map)
        }
        (Json::Object(object), SqlType::Struct(fields)) => {
            let of = |name: &Arc<str>, sql_type: &SqlType| field(object, name).map_or(Some(Value::Null), |json| value(json, sql_type));
            fields.iter().map(|part| of(&part.name, &part.sql_type)).collect::<Option<Vec<_>>>().map(|values| Value::Struct(values.into()))
        }
        _ => None,
    }
}

/// A number by its text, so that no digit of a decimal is lost on the way.
fn number(text: &str, to: &SqlType) -> Option<Value> {
    if let SqlType::String = to {
        return Some(Value::from(text));
    }
    if let Ok(whole) = text.parse::<i64>() {
        let (natural, from) = match i32::try_from(whole) {
            Ok(small) => (Value::Int(small), SqlType::Integer),
            Err(_) => (Value::BigInt(whole), SqlType::BigInt),
        };
        return coerce_literal(&natural, &from, to);
    }
    match to {
        SqlType::Double => text.parse().ok().map(Value::Double),
        SqlType::Decimal { precision, scale } => {
            let decimal: Decimal = text.parse().ok()?;
            let fit = decimal.fit(*precision, *scale).ok()?;
            fit.compare(&decimal).is_eq().then_some(Value::Decimal(fit))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str, to: &SqlType) -> Option<Value> {
        value(&serde_json::from_str(json).unwrap(), to)
    }

    #[test]
    fn numbers_become_what_the_column_is() {
        let decimal = SqlType::Decimal { precision: 20, scale: 2 };
        assert_eq!(of("5", &SqlType::BigInt), Some(Value::BigInt(5)));
        assert_eq!(of("5", &SqlType::Double), Some(Value::Double(5.0)));
        assert_eq!(of("5.5", &SqlType::Integer), None);
        assert_eq!(of("9007199254740993", &SqlType::BigInt), Some(Value::BigInt(9_007_199_254_740_993)));
        assert_eq!(of("123456789012345678.25", &decimal), "123456789012345678.25".parse().ok().map(Value::Decimal));
        assert_eq!(of("1.255", &decimal), None);
        assert_eq!(of("\"12\"", &SqlType::Integer), Some(Value::Int(12)));
        assert_eq!(of("true", &SqlType::Integer), None);
    }

    #[test]
    fn objects_become_structs_in_any_case_and_maps_as_they_are() {
        let fields = SqlType::structure([("A", SqlType::Integer), ("b", SqlType::String)]);
        assert_eq!(of("{\"a\":1,\"`b`\":\"x\",\"more\":2}", &fields), Some(Value::Struct(vec![Value::Int(1), Value::from("x")].into())));
        assert_eq!(of("[1]", &fields), None);
        let map = SqlType::map(SqlType::String, SqlType::Integer);
        assert_eq!(of("{\"a\":1}", &map), Some(Value::map([(Value::from("a"), Value::Int(1))])));
    }
}
