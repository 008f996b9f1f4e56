//! A SQL script: statements, inserts that run through all queries at once, and asserts in between.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_formats::Side;
use millrace_sql::ast::{AssertSource, AssertValues, PropertyValue, Statement};
use millrace_sql::name::Name;
use millrace_sql::plan::{DataSource, SourceKind};
use millrace_sql::schema::{ROWTIME, Role};
use millrace_sql::types::SqlType;
use millrace_sql::value::Value;

use crate::bench::Written;
use crate::case::Case;
use crate::post::column_text;
use crate::qtt::rejected;
use crate::report::Verdict;
use crate::session::{Failure, Session};
use crate::wire::Wire;

pub fn run(case: &Case) -> Verdict {
    let mut scenario = Scenario { session: Session::new(&case.properties), read: BTreeMap::new() };
    let failure = case.statements.iter().find_map(|text| scenario.step(text).err());
    match (&case.expected, failure) {
        // Whatever fails first must be what the script expects; there is no rule on which statement it is.
        (Some(expected), failure) => rejected(expected, failure, 0).into(),
        (None, Some(failure)) => Verdict::Fail(failure.to_string()),
        (None, None) => Verdict::Pass,
    }
}

struct Scenario {
    session: Session,
    /// How many records of each topic have been asserted.
    read: BTreeMap<String, usize>,
}

impl Scenario {
    fn step(&mut self, text: &str) -> Result<(), Failure> {
        self.session.declare_topics(&[text.to_string()], 1);
        let located = self.session.parse(text)?;
        match &located.statement {
            Statement::AssertValues(assert) => self.values(assert).map_err(Failure::new),
            Statement::AssertSource(assert) => self.source(assert).map_err(Failure::new),
            Statement::InsertValues { .. } => {
                let (topic, offset) = self.session.insert(&located)?;
                self.session.bench.run_through(&topic, offset).map_err(|error| Failure::new(error.to_string()))
            }
            _ => self.session.execute(&located),
        }
    }

    fn find(&self, name: &Name) -> Result<Arc<DataSource>, String> {
        self.session.source(name.as_str()).ok_or(format!("Source {name} does not exist"))
    }

    fn values(&mut self, assert: &AssertValues) -> Result<(), String> {
        let source = self.find(&assert.name)?;
        let read = self.read.entry(source.topic.clone()).or_default();
        let topic = self.session.bench.topics.get(source.topic.as_str());
        let record = topic.and_then(|topic| topic.records.get(*read));
        let record = record.ok_or(format!("Expected another record, but all records have already been read: topic {}", source.topic))?;
        *read += 1;
        if assert.tombstone && record.value.is_some() {
            return Err(format!("Expected record does not match actual. Expected a tombstone in the topic {}", source.topic));
        }
        if !assert.tombstone && record.value.is_none() {
            return Err(format!("Expected record does not match actual. Expected a row in the topic {}, found a tombstone", source.topic));
        }
        let actual = columns(record, &source)?;
        for (name, expression) in assert.columns.iter().zip(&assert.values) {
            let (sql_type, found) = match actual.iter().find(|(column, _, _)| column == name.as_str()) {
                Some((_, sql_type, value)) => (sql_type, value),
                None => return Err(format!("{name} is not a column of {}", source.name)),
            };
            let wanted = self.session.constant(expression, sql_type).map_err(|failure| failure.to_string())?;
            if wanted != *found {
                return Err(format!("Expected record does not match actual. Expected {name} to be {wanted:?}, found {found:?}"));
            }
        }
        Ok(())
    }

    fn source(&self, assert: &AssertSource) -> Result<(), String> {
        let source = self.find(&assert.name)?;
        let property = |name: &str| match assert.properties.get(name) {
            Some(PropertyValue::String(text) | PropertyValue::Number(text)) => Some(text.clone()),
            Some(PropertyValue::Boolean(flag)) => Some(flag.to_string()),
            Some(PropertyValue::Null) | None => None,
        };
        let check = |what: &str, wanted: Option<String>, found: String| match wanted {
            Some(wanted) if !wanted.eq_ignore_ascii_case(&found) => Err(format!(
                "Expected {what} does not match actual for source {}. Expected: {wanted}, Actual: {found}",
                source.name
            )),
            _ => Ok(()),
        };
        check("type", Some(SourceKind::of(assert.table).to_string()), source.kind.to_string())?;
        let wanted = self.session.elements(&assert.elements)?;
        let found: Vec<String> = source.schema.columns().iter().map(column_text).collect();
        check("schema", Some(wanted.join(", ")), found.join(", "))?;
        check("kafka topic", property("KAFKA_TOPIC"), source.topic.clone())?;
        let both = property("FORMAT");
        let (key, value) = (&source.key_format, &source.value_format);
        check("key format", property("KEY_FORMAT").or(both.clone()), key.format.to_string())?;
        check("value format", property("VALUE_FORMAT").or(both), value.format.to_string())?;
        check("value delimiter", property("VALUE_DELIMITER"), value.delimiter().to_string())?;
        check("key delimiter", property("KEY_DELIMITER"), key.delimiter().to_string())?;
        check("wrap single value", property("WRAP_SINGLE_VALUE"), value.wraps_single(false).to_string())?;
        let timestamp = source.timestamp.as_ref();
        let column = timestamp.map_or(String::new(), |timestamp| timestamp.column.to_string());
        check("timestamp column", property("TIMESTAMP").map(|name| name.replace('`', "")), column)?;
        let format = timestamp.and_then(|timestamp| timestamp.format.clone()).unwrap_or_default();
        check("timestamp format", property("TIMESTAMP_FORMAT"), format)
    }
}

/// The columns of a record: name, type, value; ROWTIME among them.
fn columns(record: &Written, source: &DataSource) -> Result<Vec<(String, SqlType, Value)>, String> {
    let wire = Wire::new(Some(source));
    let (key, _) = wire.split_key(record.key.as_deref())?;
    let mut keys = wire.decode_row(Side::Key, key)?.unwrap_or_default().into_iter();
    let mut values = wire.decode_row(Side::Value, record.value.as_deref())?.unwrap_or_default().into_iter();
    let mut columns = vec![(ROWTIME.to_string(), SqlType::BigInt, Value::BigInt(record.timestamp))];
    for column in source.schema.columns() {
        let value = match &column.role {
            Role::Key => keys.next(),
            Role::Value => values.next(),
            _ => continue,
        };
        columns.push((column.name.to_string(), column.sql_type.clone(), value.unwrap_or_default()));
    }
    Ok(columns)
}
