//! The WITH clause, read and checked against the table of what may stand in it.

use crate::ast::{Properties, PropertyValue, TimeUnit};
use crate::catalog::settings::format_named;
use crate::datetime::Pattern;
use crate::error::{ErrorKind, Result, SqlError};
use crate::name::Name;
use crate::plan::{Format, WindowInfo, WindowType};

/// The statements that take a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Create,
    Both,
    Insert,
}

/// Every property, with the statements that take it.
const PROPERTIES: [(&str, Takes); 27] = [
    ("KAFKA_TOPIC", Takes::Both),
    ("PARTITIONS", Takes::Both),
    ("REPLICAS", Takes::Both),
    ("RETENTION_MS", Takes::Both),
    ("CLEANUP_POLICY", Takes::Both),
    ("FORMAT", Takes::Both),
    ("KEY_FORMAT", Takes::Both),
    ("VALUE_FORMAT", Takes::Both),
    ("KEY_DELIMITER", Takes::Both),
    ("VALUE_DELIMITER", Takes::Both),
    ("WRAP_SINGLE_VALUE", Takes::Both),
    ("TIMESTAMP", Takes::Both),
    ("TIMESTAMP_FORMAT", Takes::Both),
    ("VALUE_AVRO_SCHEMA_FULL_NAME", Takes::Both),
    ("KEY_SCHEMA_FULL_NAME", Takes::Both),
    ("VALUE_SCHEMA_FULL_NAME", Takes::Both),
    ("KEY_SCHEMA_ID", Takes::Both),
    ("VALUE_SCHEMA_ID", Takes::Both),
    ("KEY_PROTOBUF_NULLABLE_REPRESENTATION", Takes::Both),
    ("VALUE_PROTOBUF_NULLABLE_REPRESENTATION", Takes::Both),
    ("WINDOW_TYPE", Takes::Create),
    ("WINDOW_SIZE", Takes::Create),
    ("SOURCE_CONNECTOR", Takes::Create),
    ("SOURCED_BY_CONNECTOR", Takes::Create),
    ("KEY", Takes::Create),
    ("AVRO_SCHEMA_ID", Takes::Create),
    ("QUERY_ID", Takes::Insert),
];

/// A checked WITH clause.
#[derive(Clone, Copy, Debug)]
pub(crate) struct With<'a>(&'a Properties);

impl<'a> With<'a> {
    /// Of CREATE STREAM / TABLE with columns.
    pub(crate) fn create(properties: &'a Properties) -> Result<With<'a>> {
        With::checked(properties, &[Takes::Create, Takes::Both])
    }

    /// Of CREATE .. AS SELECT.
    pub(crate) fn create_as(properties: &'a Properties) -> Result<With<'a>> {
        With::checked(properties, &[Takes::Both])
    }

    /// Of INSERT INTO .. SELECT.
    pub(crate) fn insert(properties: &'a Properties) -> Result<With<'a>> {
        With::checked(properties, &[Takes::Insert])
    }

    fn checked(properties: &'a Properties, statements: &[Takes]) -> Result<With<'a>> {
        let known = |key: &str| PROPERTIES.iter().any(|(name, takes)| *name == key && statements.contains(takes));
        let unknown: Vec<&str> = properties.0.iter().map(|(key, _)| key.as_str()).filter(|key| !known(key)).collect();
        if !unknown.is_empty() {
            return Err(prepare_error(format!("Invalid config variable(s) in the WITH clause: {}", unknown.join(", "))));
        }
        for (index, (key, _)) in properties.0.iter().enumerate() {
            if properties.0[..index].iter().any(|(earlier, _)| earlier == key) {
                return Err(prepare_error(format!("Duplicate property '{key}' in the WITH clause")));
            }
        }
        let with = With(properties);
        if with.has("FORMAT") {
            for side in ["KEY_FORMAT", "VALUE_FORMAT"] {
                if with.has(side) {
                    return Err(prepare_error(format!(
                        "Cannot supply both '{side}' and 'FORMAT' properties, as 'FORMAT' sets both key and value formats.\nEither use just 'FORMAT', or use 'KEY_FORMAT' and 'VALUE_FORMAT'."
                    )));
                }
            }
        }
        if let Some(pattern) = with.timestamp_format()
            && let Err(error) = Pattern::compile(&pattern)
        {
            return Err(prepare_error(format!("Invalid datetime format for config:TIMESTAMP_FORMAT, reason:{error}")));
        }
        // A fault is told whether or not the statement comes to need the property.
        with.partitions()?;
        with.replicas()?;
        with.retention_ms()?;
        Ok(with)
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|value| *value != PropertyValue::Null)
    }

    /// A property as text, whatever its literal was.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        match self.0.get(key)? {
            PropertyValue::String(text) => Some(text.clone()),
            PropertyValue::Boolean(flag) => Some(flag.to_string()),
            PropertyValue::Number(digits) => Some(digits.clone()),
            PropertyValue::Null => None,
        }
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> Result<Option<T>> {
        let Some(text) = self.text(key) else { return Ok(None) };
        let kind = match size_of::<T>() {
            2 => "SHORT",
            4 => "INT",
            _ => "LONG",
        };
        match text.trim().parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(prepare_error(format!("Invalid value {text} for configuration {key}: Not a number of type {kind}"))),
        }
    }

    pub(crate) fn topic(&self) -> Option<String> {
        self.text("KAFKA_TOPIC")
    }

    pub(crate) fn partitions(&self) -> Result<Option<i32>> {
        positive("PARTITIONS", self.number("PARTITIONS")?)
    }

    pub(crate) fn replicas(&self) -> Result<Option<i16>> {
        let replicas: Option<i16> = self.number("REPLICAS")?;
        match replicas {
            // -1 means the broker's default.
            Some(-1) => Ok(None),
            other => positive("REPLICAS", other),
        }
    }

    pub(crate) fn retention_ms(&self) -> Result<Option<i64>> {
        self.number("RETENTION_MS")
    }

    pub(crate) fn cleanup_policy(&self) -> Option<String> {
        self.text("CLEANUP_POLICY")
    }

    pub(crate) fn wrap_single_value(&self) -> Result<Option<bool>> {
        let Some(text) = self.text("WRAP_SINGLE_VALUE") else { return Ok(None) };
        match text.to_ascii_lowercase().as_str() {
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            _ => Err(prepare_error(format!(
                "Invalid value {text} for configuration WRAP_SINGLE_VALUE: Expected value to be either true or false"
            ))),
        }
    }

    /// `prefix` is KEY or VALUE; FORMAT stands for both.
    pub(crate) fn format(&self, prefix: &str) -> Result<Option<Format>> {
        let named = self.text(&format!("{prefix}_FORMAT")).or_else(|| self.text("FORMAT"));
        named.map(|name| format_named(&name)).transpose()
    }

    pub(crate) fn delimiter(&self, prefix: &str) -> Result<Option<String>> {
        let key = format!("{prefix}_DELIMITER");
        let Some(text) = self.text(&key) else { return Ok(None) };
        let bad = |why: String| Err(prepare_error(format!("Configuration {key} is invalid: {why}\nExample valid value: ';'")));
        if text.is_empty() || (text.trim().is_empty()) {
            return bad(
                "Delimiter cannot be empty, if you meant to have a tab or space for delimiter, please use the special values 'TAB' or 'SPACE'"
                    .into(),
            );
        }
        let upper = text.to_uppercase();
        if upper == "TAB" || upper == "SPACE" {
            return Ok(Some(upper));
        }
        if text.chars().count() != 1 {
            return bad(format!("Invalid delimiter value: '{text}'. Delimiter must be a single character or TAB,SPACE"));
        }
        Ok(Some(text))
    }

    pub(crate) fn schema_id(&self, prefix: &str) -> Result<Option<i32>> {
        self.number(&format!("{prefix}_SCHEMA_ID"))
    }

    pub(crate) fn full_schema_name(&self, prefix: &str) -> Option<String> {
        let named = self.text(&format!("{prefix}_SCHEMA_FULL_NAME"));
        named.or_else(|| if prefix == "VALUE" { self.text("VALUE_AVRO_SCHEMA_FULL_NAME") } else { None })
    }

    pub(crate) fn nullable_representation(&self, prefix: &str) -> Option<String> {
        self.text(&format!("{prefix}_PROTOBUF_NULLABLE_REPRESENTATION"))
    }

    /// The value column that the dialect before 0.10 says to equal the key.
    pub(crate) fn legacy_key(&self) -> Option<Name> {
        self.column("KEY")
    }

    pub(crate) fn timestamp_column(&self) -> Option<Name> {
        self.column("TIMESTAMP")
    }

    /// A column's name: folded to upper case unless it stands in back quotes.
    fn column(&self, key: &str) -> Option<Name> {
        let text = self.text(key)?;
        let quoted = text.len() > 1 && text.starts_with('`') && text.ends_with('`');
        Some(if quoted { Name::new(text[1..text.len() - 1].replace("``", "`")) } else { Name::from(text.to_uppercase()) })
    }

    pub(crate) fn timestamp_format(&self) -> Option<String> {
        self.text("TIMESTAMP_FORMAT")
    }

    pub(crate) fn window(&self) -> Result<Option<WindowInfo>> {
        let size = self.text("WINDOW_SIZE");
        let Some(window_type) = self.text("WINDOW_TYPE") else {
            return match size {
                Some(_) => Err(parse_error("'WINDOW_SIZE' should not be set without 'WINDOW_TYPE'.".into())),
                None => Ok(None),
            };
        };
        let window_type = match window_type.to_uppercase().as_str() {
            "TUMBLING" => WindowType::Tumbling,
            "HOPPING" => WindowType::Hopping,
            "SESSION" => WindowType::Session,
            _ => {
                return Err(parse_error(format!(
                    "Configuration WINDOW_TYPE is invalid: Unknown window type: '{window_type}' Valid values are: SESSION, HOPPING, TUMBLING"
                )));
            }
        };
        let size_ms = size.as_deref().map(duration).transpose()?;
        match (window_type, size_ms) {
            (WindowType::Session, Some(_)) => Err(parse_error("'WINDOW_SIZE' should not be set for SESSION windows.".into())),
            (WindowType::Session, None) => Ok(Some(WindowInfo { window_type, size_ms: None })),
            (_, None) => Err(parse_error(format!(
                "{window_type} windows require 'WINDOW_SIZE' to be provided in the WITH clause. For example: 'WINDOW_SIZE'='10 SECONDS'"
            ))),
            (_, Some(size_ms)) => Ok(Some(WindowInfo { window_type, size_ms: Some(size_ms) })),
        }
    }
}

fn positive<T: PartialOrd + From<u8> + std::fmt::Display>(key: &str, number: Option<T>) -> Result<Option<T>> {
    match number {
        Some(number) if number < T::from(1) => {
            Err(prepare_error(format!("Invalid value {number} for configuration {key}: Value must be at least 1")))
        }
        other => Ok(other),
    }
}

/// `30 SECONDS`.
fn duration(text: &str) -> Result<i64> {
    let bad = |why: String| parse_error(format!("Configuration WINDOW_SIZE is invalid: Invalid duration: '{text}'. {why}"));
    let parts: Vec<&str> = text.split_whitespace().collect();
    let [number, unit] = parts.as_slice() else {
        return Err(bad("Expected format: '<number> <unit>', e.g. '10 SECONDS'".into()));
    };
    let number: i64 = number.parse().map_err(|_| bad(format!("Not a number: '{number}'")))?;
    let unit = unit.to_uppercase();
    let unit = TimeUnit::parse(&unit).ok_or_else(|| bad(format!("Unknown time unit: '{unit}'")))?;
    match number.checked_mul(unit.millis()) {
        Some(millis) if millis > 0 => Ok(millis),
        _ => Err(bad("It must be above zero.".into())),
    }
}

fn prepare_error(message: String) -> SqlError {
    SqlError::statement(format!("Failed to prepare statement: {message}"))
}

/// ksqlDB finds these faults while it parses.
fn parse_error(message: String) -> SqlError {
    SqlError::new(ErrorKind::Syntax, format!("Failed to prepare statement: {message}"))
}
