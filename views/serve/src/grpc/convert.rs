//! Values, columns and cuts between the engine and the wire.
use millrace_engine::Window;
use millrace_engine::state::{Cut, InputId};
use millrace_shard::GroupId;
use millrace_sql::decimal::Decimal;
use millrace_sql::schema::{Role, Schema};
use millrace_sql::types::SqlType;
use millrace_sql::value::{MapValue, Value};
use millrace_proto::value::Kind;
use millrace_proto::{self as proto};

use crate::pull::Seen;

/// As SQL has it.
const DECIMAL_DIGITS_MAX: usize = 38;

pub fn to_value(value: &Value) -> proto::Value {
    let items = |items: &[Value]| items.iter().map(to_value).collect();
    let kind = match value {
        Value::Null => None,
        Value::Boolean(value) => Some(Kind::Boolean(*value)),
        Value::Int(value) => Some(Kind::Integer(*value)),
        Value::BigInt(value) => Some(Kind::Bigint(*value)),
        Value::Double(value) => Some(Kind::Double(*value)),
        Value::Decimal(value) => Some(Kind::Decimal(proto::Decimal { unscaled: value.unscaled().to_string(), scale: value.scale() })),
        Value::String(value) => Some(Kind::String(value.to_string())),
        Value::Bytes(value) => Some(Kind::Bytes(value.to_vec())),
        Value::Time(value) => Some(Kind::Time(*value)),
        Value::Date(value) => Some(Kind::Date(*value)),
        Value::Timestamp(value) => Some(Kind::Timestamp(*value)),
        Value::Array(values) => Some(Kind::Array(proto::Array { items: items(values) })),
        Value::Struct(values) => Some(Kind::Struct(proto::Struct { fields: items(values) })),
        Value::Map(entries) => {
            let entry = |(key, value)| proto::map::Entry { key: Some(to_value(key)), value: Some(to_value(value)) };
            Some(Kind::Map(proto::Map { entries: entries.iter().map(entry).collect() }))
        }
    };
    proto::Value { kind }
}

/// A value of a column's type, nothing if it is of another. An integer is taken for a wider number, as in SQL.
pub fn from_value(value: &proto::Value, sql_type: &SqlType) -> Option<Value> {
    let Some(kind) = &value.kind else { return Some(Value::Null) };
    Some(match (kind, sql_type) {
        (Kind::Boolean(value), SqlType::Boolean) => Value::Boolean(*value),
        (Kind::Integer(value), SqlType::Integer) => Value::Int(*value),
        (Kind::Integer(value), SqlType::BigInt) => Value::BigInt(i64::from(*value)),
        (Kind::Integer(value), SqlType::Double) => Value::Double(f64::from(*value)),
        (Kind::Bigint(value), SqlType::BigInt) => Value::BigInt(*value),
        (Kind::Double(value), SqlType::Double) => Value::Double(*value),
        (Kind::Decimal(value), SqlType::Decimal { .. }) => Value::Decimal(decimal_text(value)?.parse::<Decimal>().ok()?),
        (Kind::String(value), SqlType::String) => Value::from(value.as_str()),
        (Kind::Bytes(value), SqlType::Bytes) => Value::Bytes(value.clone().into()),
        (Kind::Time(value), SqlType::Time) => Value::Time(*value),
        (Kind::Date(value), SqlType::Date) => Value::Date(*value),
        (Kind::Timestamp(value), SqlType::Timestamp) => Value::Timestamp(*value),
        (Kind::Array(array), SqlType::Array(element)) => {
            let items = array.items.iter().map(|item| from_value(item, element));
            Value::Array(items.collect::<Option<Vec<_>>>()?.into())
        }
        (Kind::Map(map), SqlType::Map(key_type, value_type)) => {
            let null = proto::Value::default();
            let entries = map.entries.iter().map(|entry| {
                let key = from_value(entry.key.as_ref().unwrap_or(&null), key_type)?;
                Some((key, from_value(entry.value.as_ref().unwrap_or(&null), value_type)?))
            });
            Value::Map(entries.collect::<Option<MapValue>>()?)
        }
        (Kind::Struct(given), SqlType::Struct(fields)) if given.fields.len() == fields.len() => {
            let values = given.fields.iter().zip(fields.iter()).map(|(value, field)| from_value(value, &field.sql_type));
            Value::Struct(values.collect::<Option<Vec<_>>>()?.into())
        }
        _ => return None,
    })
}

/// Digits and scale as a text that decimals are read from; nothing if it is not that, or beyond any decimal of SQL.
fn decimal_text(decimal: &proto::Decimal) -> Option<String> {
    let digits = decimal.unscaled.strip_prefix('-').unwrap_or(&decimal.unscaled);
    let good = (1..=DECIMAL_DIGITS_MAX).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    (good && (0..=DECIMAL_DIGITS_MAX as i32).contains(&decimal.scale)).then(|| format!("{}E-{}", decimal.unscaled, decimal.scale))
}

pub fn to_row(values: &[Value], window: Option<Window>) -> proto::Row {
    let window = window.map(|window| proto::Window { start_ms: window.start, end_ms: window.end });
    proto::Row { values: values.iter().map(to_value).collect(), window }
}

pub fn columns(schema: &Schema) -> Vec<proto::Column> {
    let column = |column: &millrace_sql::schema::Column| proto::Column {
        name: column.name.to_string(),
        r#type: column.sql_type.to_string(),
        key: column.role == Role::Key,
    };
    schema.columns().iter().map(column).collect()
}

pub fn seen_cut(seen: &Seen) -> proto::Cut {
    named_cut(&seen.cut, |input| seen.log_of(input))
}

/// With the log that each position is of, as far as that is known.
pub fn named_cut(cut: &Cut, log: impl Fn(&InputId) -> Option<GroupId>) -> proto::Cut {
    let position = |(input, offset): (&InputId, i64)| proto::Position {
        topic: input.topic.to_string(),
        partition: input.partition,
        offset,
        log: log(input).map_or(0, |group| group.0),
    };
    proto::Cut { positions: cut.iter().map(position).collect() }
}

pub fn from_cut(cut: Option<&proto::Cut>) -> Cut {
    let mut out = Cut::default();
    for position in cut.into_iter().flat_map(|cut| &cut.positions) {
        out.advance(&InputId::new(position.topic.as_str(), position.partition), position.offset);
    }
    out
}

/// A parameter as an SQL literal.
pub fn literal(value: &proto::Value) -> Result<String, String> {
    Ok(match &value.kind {
        None => "NULL".into(),
        Some(Kind::Boolean(value)) => value.to_string(),
        Some(Kind::Integer(value)) => value.to_string(),
        Some(Kind::Bigint(value)) => value.to_string(),
        Some(Kind::Double(value)) if value.is_finite() => format!("{value:e}"),
        Some(Kind::String(value)) => crate::bind::quoted(value),
        Some(Kind::Decimal(decimal)) => {
            let text = decimal_text(decimal).ok_or("a decimal is at most 38 digits and a scale from 0 to 38")?;
            format!("CAST({} AS DECIMAL(38, {}))", crate::bind::quoted(&text), decimal.scale)
        }
        Some(Kind::Bytes(bytes)) => format!("TO_BYTES('{}', 'hex')", bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>()),
        Some(Kind::Timestamp(ms)) => format!("FROM_UNIXTIME({ms})"),
        Some(Kind::Date(days)) => format!("FROM_DAYS({days})"),
        Some(_) => return Err("a parameter of this type cannot stand in a query".into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(kind: Kind) -> proto::Value {
        proto::Value { kind: Some(kind) }
    }

    #[test]
    fn a_value_of_another_type_is_no_value() {
        assert_eq!(from_value(&value(Kind::Integer(7)), &SqlType::BigInt), Some(Value::BigInt(7)));
        assert_eq!(from_value(&value(Kind::Bigint(7)), &SqlType::Integer), None);
        assert_eq!(from_value(&value(Kind::String("7".into())), &SqlType::BigInt), None);
        assert_eq!(from_value(&proto::Value::default(), &SqlType::String), Some(Value::Null));
        let list = value(Kind::Array(proto::Array { items: vec![value(Kind::Boolean(true))] }));
        assert_eq!(from_value(&list, &SqlType::array(SqlType::Integer)), None);
    }

    #[test]
    fn decimals_beyond_sql_are_refused_before_they_are_read() {
        for (unscaled, scale) in [("", 0), ("1'; DROP TABLE t; --", 0), ("1", -1), ("1", i32::MAX), ("1", 39), (&"9".repeat(39), 0), ("--1", 0)] {
            let decimal = proto::Decimal { unscaled: unscaled.into(), scale };
            assert!(literal(&value(Kind::Decimal(decimal.clone()))).is_err(), "{decimal:?}");
            assert_eq!(decimal_text(&decimal), None, "{decimal:?}");
        }
        let decimal = proto::Decimal { unscaled: "-1234".into(), scale: 2 };
        assert_eq!(literal(&value(Kind::Decimal(decimal))).unwrap(), "CAST('-1234E-2' AS DECIMAL(38, 2))");
    }

    #[test]
    fn every_value_goes_out_and_comes_back() {
        let types = [
            (Value::Boolean(true), SqlType::Boolean),
            (Value::Int(i32::MIN), SqlType::Integer),
            (Value::BigInt(i64::MAX), SqlType::BigInt),
            (Value::Double(0.1), SqlType::Double),
            (Value::Decimal("-12.340".parse().unwrap()), SqlType::decimal(5, 3).unwrap()),
            (Value::from("ü"), SqlType::String),
            (Value::Bytes(vec![0, 255].into()), SqlType::Bytes),
            (Value::Time(1), SqlType::Time),
            (Value::Date(-1), SqlType::Date),
            (Value::Timestamp(-1), SqlType::Timestamp),
            (Value::Array(vec![Value::Int(1), Value::Null].into()), SqlType::array(SqlType::Integer)),
            (Value::Struct(vec![Value::Null, Value::from("b")].into()), SqlType::structure([("A", SqlType::Integer), ("B", SqlType::String)])),
        ];
        for (given, sql_type) in types {
            assert_eq!(from_value(&to_value(&given), &sql_type), Some(given));
        }
    }
}
