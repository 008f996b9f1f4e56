//! Values, columns, cuts and errors between the engine and the wire.
use millrace_engine::Window;
use millrace_engine::state::{Cut, InputId};
use millrace_sql::decimal::Decimal;
use millrace_sql::schema::{Role, Schema};
use millrace_sql::types::SqlType;
use millrace_sql::value::{MapValue, Value};
use tonic::{Code, Status};

use crate::Failed;
use crate::grpc::proto;
use crate::grpc::proto::value::Kind;

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

/// A value of a column's type. An integer is taken for a wider number, as in SQL.
pub fn from_value(value: &proto::Value, sql_type: &SqlType) -> Result<Value, Status> {
    let wrong = || Status::invalid_argument(format!("a value is not of the type {sql_type}"));
    let Some(kind) = &value.kind else { return Ok(Value::Null) };
    Ok(match (kind, sql_type) {
        (Kind::Boolean(value), SqlType::Boolean) => Value::Boolean(*value),
        (Kind::Integer(value), SqlType::Integer) => Value::Int(*value),
        (Kind::Integer(value), SqlType::BigInt) => Value::BigInt(i64::from(*value)),
        (Kind::Integer(value), SqlType::Double) => Value::Double(f64::from(*value)),
        (Kind::Bigint(value), SqlType::BigInt) => Value::BigInt(*value),
        (Kind::Double(value), SqlType::Double) => Value::Double(*value),
        (Kind::Decimal(decimal), SqlType::Decimal { .. }) => {
            let text = format!("{}E-{}", decimal.unscaled, decimal.scale);
            Value::Decimal(text.parse::<Decimal>().map_err(|_| wrong())?)
        }
        (Kind::String(value), SqlType::String) => Value::from(value.as_str()),
        (Kind::Bytes(value), SqlType::Bytes) => Value::Bytes(value.clone().into()),
        (Kind::Time(value), SqlType::Time) => Value::Time(*value),
        (Kind::Date(value), SqlType::Date) => Value::Date(*value),
        (Kind::Timestamp(value), SqlType::Timestamp) => Value::Timestamp(*value),
        (Kind::Array(array), SqlType::Array(element)) => {
            let items = array.items.iter().map(|item| from_value(item, element));
            Value::Array(items.collect::<Result<Vec<_>, _>>()?.into())
        }
        (Kind::Map(map), SqlType::Map(key_type, value_type)) => {
            let null = proto::Value::default();
            let entries = map.entries.iter().map(|entry| {
                let key = from_value(entry.key.as_ref().unwrap_or(&null), key_type)?;
                Ok::<_, Status>((key, from_value(entry.value.as_ref().unwrap_or(&null), value_type)?))
            });
            Value::Map(entries.collect::<Result<MapValue, _>>()?)
        }
        (Kind::Struct(given), SqlType::Struct(fields)) if given.fields.len() == fields.len() => {
            let values = given.fields.iter().zip(fields.iter()).map(|(value, field)| from_value(value, &field.sql_type));
            Value::Struct(values.collect::<Result<Vec<_>, _>>()?.into())
        }
        _ => return Err(wrong()),
    })
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

pub fn to_cut(cut: &Cut) -> proto::Cut {
    let position = |(input, offset): (&InputId, i64)| proto::Position { topic: input.topic.to_string(), partition: input.partition, offset };
    proto::Cut { positions: cut.iter().map(position).collect() }
}

pub fn from_cut(cut: Option<&proto::Cut>) -> Cut {
    let mut out = Cut::default();
    for position in cut.into_iter().flat_map(|cut| &cut.positions) {
        out.advance(&InputId::new(position.topic.as_str(), position.partition), position.offset);
    }
    out
}

pub fn status(failed: Failed) -> Status {
    let code = match &failed {
        Failed::Statement(_) => Code::InvalidArgument,
        Failed::NotFound(_) => Code::NotFound,
        Failed::Assertion(_) => Code::FailedPrecondition,
        Failed::Busy(_) => Code::ResourceExhausted,
        Failed::Trouble(_) => Code::Unavailable,
    };
    Status::new(code, failed.to_string())
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
            let digits = decimal.unscaled.strip_prefix('-').unwrap_or(&decimal.unscaled);
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err("a decimal's unscaled part must be digits".into());
            }
            format!("CAST({} AS DECIMAL(38, {}))", crate::bind::quoted(&format!("{}E-{}", decimal.unscaled, decimal.scale)), decimal.scale.clamp(0, 38))
        }
        Some(Kind::Timestamp(ms)) => format!("FROM_UNIXTIME({ms})"),
        Some(Kind::Date(days)) => format!("FROM_DAYS({days})"),
        Some(_) => return Err("a parameter of this type cannot stand in a query".into()),
    })
}
