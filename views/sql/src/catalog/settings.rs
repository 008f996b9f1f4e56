//! Session and server properties that planning looks at.

use std::collections::BTreeMap;

use crate::error::{Result, SqlError};
use crate::plan::Format;

/// Properties by their full names. What is not set has ksqlDB's default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    pub const DEFAULT_KEY_FORMAT: &'static str = "ksql.persistence.default.format.key";
    pub const DEFAULT_VALUE_FORMAT: &'static str = "ksql.persistence.default.format.value";
    pub const WRAP_SINGLE_VALUES: &'static str = "ksql.persistence.wrap.single.values";
    pub const TOPIC_PREFIX: &'static str = "ksql.output.topic.name.prefix";
    pub const OR_REPLACE: &'static str = "ksql.create.or.replace.enabled";
    pub const TABLE_SCAN: &'static str = "ksql.query.pull.table.scan.enabled";
    pub const RANGE_SCAN: &'static str = "ksql.query.pull.range.scan.enabled";
    pub const PULL: &'static str = "ksql.pull.queries.enable";
    pub const PULL_STREAM: &'static str = "ksql.query.pull.stream.enabled";
    /// GROUP BY of several expressions gives one text key, as before 0.15.
    pub const LEGACY_GROUP_KEY: &'static str = "views.sql.legacy.group.key";
    pub const NEW_PLANNER: &'static str = "ksql.new.query.planner.enabled";
    pub const PULL_LIMIT: &'static str = "ksql.query.pull.limit.clause.enabled";

    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    pub fn unset(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A switch that is on unless told otherwise.
    pub fn is_on(&self, name: &str) -> bool {
        self.get(name).is_none_or(|value| !value.eq_ignore_ascii_case("false"))
    }

    /// A number; the standard one where none, or no number, is set.
    pub(crate) fn number(&self, name: &str, standard: usize) -> usize {
        self.get(name).and_then(|value| value.trim().parse().ok()).unwrap_or(standard)
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).and_then(|value| value.to_ascii_lowercase().parse().ok())
    }

    pub(crate) fn default_key_format(&self) -> Result<Format> {
        self.get(Settings::DEFAULT_KEY_FORMAT).map_or(Ok(Format::Kafka), format_named)
    }

    pub(crate) fn default_value_format(&self) -> Result<Option<Format>> {
        self.get(Settings::DEFAULT_VALUE_FORMAT).map(format_named).transpose()
    }
}

impl FromIterator<(String, String)> for Settings {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(properties: I) -> Settings {
        Settings(properties.into_iter().collect())
    }
}

pub(crate) fn format_named(name: &str) -> Result<Format> {
    Format::parse(name).ok_or_else(|| SqlError::statement(format!("Unknown format: {}", name.to_uppercase())))
}
