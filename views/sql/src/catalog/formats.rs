//! Formats of keys and values: from WITH, or inherited; and what columns they can hold.

use crate::catalog::With;
use crate::error::{Result, SqlError};
use crate::plan::{Format, FormatInfo, FormatProperty, SerdeFeature};
use crate::schema::Column;
use crate::types::SqlType;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Key,
    Value,
}

impl Side {
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Side::Key => "KEY",
            Side::Value => "VALUE",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Side::Key => "Key",
            Side::Value => "Value",
        }
    }
}

/// The format that WITH describes: its name is given, its properties come from the clause.
pub(crate) fn described_format(format: Format, with: &With<'_>, side: Side) -> Result<FormatInfo> {
    let mut info = FormatInfo::of(format);
    let prefix = side.prefix();
    let given = [
        (FormatProperty::Delimiter, with.delimiter(prefix)?),
        (FormatProperty::FullSchemaName, with.full_schema_name(prefix)),
        (FormatProperty::SchemaId, with.schema_id(prefix)?.map(|id| id.to_string())),
        (FormatProperty::NullableRepresentation, with.nullable_representation(prefix)),
    ];
    for (property, value) in given {
        if let Some(value) = value {
            info.properties.insert(property, value);
        }
    }
    check_properties(&info)?;
    Ok(info)
}

/// A sink's format: as WITH says, else as the source has it. Properties are inherited with the format they belong to.
pub(crate) fn sink_format(with: &With<'_>, side: Side, source: &FormatInfo, fallback: Option<Format>) -> Result<FormatInfo> {
    let named = with.format(side.prefix())?;
    let format = named.or(fallback).unwrap_or(source.format);
    let mut info = described_format(format, with, side)?;
    if format == source.format {
        for (property, value) in &source.properties {
            let own = matches!(property, FormatProperty::SchemaId | FormatProperty::FullSchemaName);
            if !own {
                info.properties.entry(*property).or_insert_with(|| value.clone());
            }
        }
    }
    Ok(info)
}

fn check_properties(info: &FormatInfo) -> Result<()> {
    let supported: &[FormatProperty] = match info.format {
        Format::Delimited => &[FormatProperty::Delimiter],
        Format::Avro | Format::JsonSr => &[FormatProperty::FullSchemaName, FormatProperty::SchemaId],
        Format::Protobuf => {
            &[FormatProperty::FullSchemaName, FormatProperty::SchemaId, FormatProperty::NullableRepresentation]
        }
        Format::ProtobufNoSr => &[FormatProperty::NullableRepresentation],
        Format::Json | Format::Kafka | Format::None => &[],
    };
    let unsupported: Vec<&str> = info
        .properties
        .keys()
        .filter(|property| !supported.contains(property) && **property != FormatProperty::SchemaId)
        .map(|property| property.name())
        .collect();
    if !unsupported.is_empty() {
        return Err(SqlError::statement(format!("{} does not support the following configs: [{}]", info.format, unsupported.join(", "))));
    }
    match info.properties.get(&FormatProperty::FullSchemaName) {
        Some(name) if name.trim().is_empty() => Err(SqlError::statement(format!(
            "fullSchemaName cannot be empty. Format configuration: {{fullSchemaName={}}}",
            name.trim()
        ))),
        _ => Ok(()),
    }
}

/// The feature that a lone key column has: bare where the format has a choice.
pub(crate) fn key_feature(format: Format, keys: usize) -> Option<SerdeFeature> {
    (keys == 1 && format.can_wrap() && format.can_unwrap()).then_some(SerdeFeature::UnwrapSingles)
}

/// The feature that WITH or the settings choose for a lone value column.
pub(crate) fn value_feature(format: Format, values: usize, explicit: Option<bool>, default: Option<bool>) -> Result<Option<SerdeFeature>> {
    let feature = |wrap: bool| if wrap { SerdeFeature::WrapSingles } else { SerdeFeature::UnwrapSingles };
    let supports = |wrap: bool| if wrap { format.can_wrap() } else { format.can_unwrap() };
    if let Some(wrap) = explicit {
        if !supports(wrap) {
            return Err(SqlError::statement(format!("Format '{format}' does not support 'WRAP_SINGLE_VALUE' set to '{wrap}'.")));
        }
        if values != 1 {
            return Err(SqlError::statement("'WRAP_SINGLE_VALUE' is only valid for single-field value schemas"));
        }
        return Ok(Some(feature(wrap)));
    }
    match default {
        Some(wrap) if values == 1 && supports(wrap) && format.can_wrap() => Ok(Some(feature(wrap))),
        _ => Ok(None),
    }
}

/// Refuses columns that the format cannot hold.
pub(crate) fn check_schema(info: &FormatInfo, columns: &[&Column], side: Side) -> Result<()> {
    let Err(reason) = check_format(info, columns) else { return Ok(()) };
    let features = info.feature.map(|feature| match feature {
        SerdeFeature::WrapSingles => "WRAP_SINGLES",
        SerdeFeature::UnwrapSingles => "UNWRAP_SINGLES",
    });
    Err(SqlError::statement(format!(
        "{} format does not support schema.\nformat: {}\nschema: Persistence{{columns={}, features=[{}]}}\nreason: {reason}",
        side.word(),
        info.format,
        listed(columns),
        features.unwrap_or_default()
    )))
}

fn listed(columns: &[&Column]) -> String {
    let texts: Vec<String> = columns.iter().map(ToString::to_string).collect();
    format!("[{}]", texts.join(", "))
}

fn check_format(info: &FormatInfo, columns: &[&Column]) -> std::result::Result<(), String> {
    let format = info.format;
    match format {
        Format::None if !columns.is_empty() => {
            Err(format!("The 'NONE' format can only be used when no columns are defined. Got: {}", listed(columns)))
        }
        Format::None => Ok(()),
        Format::Kafka => {
            if columns.len() > 1 {
                return Err(format!("The 'KAFKA' format only supports a single field. Got: {}", listed(columns)));
            }
            let plain = [SqlType::Integer, SqlType::BigInt, SqlType::Double, SqlType::String, SqlType::Bytes];
            match columns.iter().find(|column| !plain.contains(&column.sql_type)) {
                Some(column) => Err(format!("The 'KAFKA' format does not support type '{}'", column.sql_type.base())),
                None => Ok(()),
            }
        }
        Format::Delimited => {
            let nested = |column: &&&Column| matches!(column.sql_type, SqlType::Array(_) | SqlType::Map(..) | SqlType::Struct(_));
            match columns.iter().find(nested) {
                Some(column) => Err(format!(
                    "The 'DELIMITED' format does not support type '{}', column: {}",
                    column.sql_type.base(),
                    column.name.quoted()
                )),
                None => Ok(()),
            }
        }
        Format::Json | Format::JsonSr => check_maps(columns, "JSON only supports MAP types with STRING keys"),
        Format::Protobuf | Format::ProtobufNoSr => {
            check_maps(columns, &format!("{format} format only supports MAP types with STRING keys"))
        }
        Format::Avro => columns.iter().try_for_each(|column| {
            check_avro_name(column.name.as_str())?;
            check_avro_type(&column.sql_type)
        }),
    }
}

fn check_maps(columns: &[&Column], message: &str) -> std::result::Result<(), String> {
    if columns.iter().all(|column| maps_have_string_keys(&column.sql_type)) { Ok(()) } else { Err(message.to_string()) }
}

fn maps_have_string_keys(sql_type: &SqlType) -> bool {
    match sql_type {
        SqlType::Map(key, value) => **key == SqlType::String && maps_have_string_keys(value),
        SqlType::Array(element) => maps_have_string_keys(element),
        SqlType::Struct(fields) => fields.iter().all(|field| maps_have_string_keys(&field.sql_type)),
        _ => true,
    }
}

fn check_avro_type(sql_type: &SqlType) -> std::result::Result<(), String> {
    match sql_type {
        SqlType::Array(element) => check_avro_type(element),
        SqlType::Map(key, value) => check_avro_type(key).and_then(|()| check_avro_type(value)),
        SqlType::Struct(fields) => fields.iter().try_for_each(|field| {
            check_avro_name(&field.name)?;
            check_avro_type(&field.sql_type)
        }),
        _ => Ok(()),
    }
}

fn check_avro_name(name: &str) -> std::result::Result<(), String> {
    let mut letters = name.chars();
    match letters.next() {
        Some(first) if first.is_alphabetic() || first == '_' => {}
        _ => return Err(format!("Schema is not compatible with Avro: Illegal initial character: {name}")),
    }
    match letters.find(|letter| !letter.is_alphanumeric() && *letter != '_') {
        Some(_) => Err(format!("Schema is not compatible with Avro: Illegal character in: {name}")),
        None => Ok(()),
    }
}

/// Refuses aggregates whose states the value's format cannot hold.
pub(crate) fn check_states(states: &[SqlType], format: Format) -> Result<()> {
    let nested = |state: &SqlType| matches!(state, SqlType::Array(_) | SqlType::Map(..) | SqlType::Struct(_));
    let flat = matches!(format, Format::Delimited | Format::Kafka);
    if flat && states.iter().any(nested) {
        return Err(SqlError::definition(
            "One of the functions used in the statement has an intermediate type that the value format can not handle. Please remove the function or change the format.",
        ));
    }
    Ok(())
}
