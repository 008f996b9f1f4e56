//! A ksqlDB session in process: the catalog, its settings, and the bench that runs its queries.

use std::fmt;
use std::sync::Arc;

use millrace_engine::{Query, Settings as EngineSettings};
use millrace_formats::Side;
use millrace_sql::ast::{ColumnConstraint, Expression, Located, PropertyValue, Statement, TableElement};
use millrace_sql::catalog::{Catalog, Effect, NewTopic, NoSchemas, Session as Deciding, Settings, Topics, decide};
use millrace_sql::error::SqlError;
use millrace_sql::expr::{EvalContext, Expr, coerce_literal, sql_type_of};
use millrace_sql::functions::{FunctionSettings, Registry};
use millrace_sql::name::Name;
use millrace_sql::parser::{self, Limits, RawStatement, Variables};
use millrace_sql::plan::{DataSource, InsertValues, PersistentPlan};
use millrace_sql::schema::{Column, Role, Schema};
use millrace_sql::types::SqlType;
use millrace_sql::value::Value;

use crate::bench::{Bench, Written};
use crate::post::column_text;
use crate::test_functions;
use crate::wire::Wire;

/// Partitions of a topic that nobody gives a number.
pub const DEFAULT_PARTITIONS: i32 = 4;

/// Something failed: at a statement, or while records ran.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    pub message: String,
    /// Which statement, when one failed.
    pub statement: Option<usize>,
}

impl Failure {
    pub fn new(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), statement: None }
    }

    pub fn at(self, statement: usize) -> Failure {
        Failure { statement: Some(statement), ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.statement {
            Some(at) => write!(out, "statement {}: {}", at + 1, self.message),
            None => write!(out, "{}", self.message),
        }
    }
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Failure {
        Failure::new(error.to_string())
    }
}

pub struct Session {
    pub bench: Bench,
    catalog: Catalog,
    settings: Settings,
    functions: Registry,
    variables: Variables,
}

/// The bench's topics as planning sees them.
struct BenchTopics<'a>(&'a Bench);

impl Topics for BenchTopics<'_> {
    fn partitions(&self, topic: &str) -> Option<i32> {
        self.0.topics.get(topic).map(|topic| topic.partitions)
    }
}

impl Session {
    pub fn new(properties: &[(String, String)]) -> Session {
        Session {
            bench: Bench::default(),
            catalog: Catalog::default(),
            settings: properties.iter().cloned().collect(),
            functions: test_functions::registry(),
            variables: Variables::default(),
        }
    }

    /// A topic that records of the case name.
    pub fn reserve_topic(&mut self, name: &str) {
        self.bench.create_topic(name, DEFAULT_PARTITIONS);
    }

    /// The topics of all CREATE statements exist before the first of them runs.
    pub fn declare_topics(&mut self, statements: &[String], default_partitions: i32) {
        for text in statements {
            let Ok(Located { statement: Statement::CreateSource(create), .. }) = self.parse(text) else { continue };
            let Some(PropertyValue::String(topic)) = create.properties.get("KAFKA_TOPIC") else { continue };
            let partitions = match create.properties.get("PARTITIONS") {
                Some(PropertyValue::Number(text) | PropertyValue::String(text)) => text.parse().ok(),
                _ => None,
            };
            self.bench.create_topic(topic, partitions.unwrap_or(default_partitions));
        }
    }

    pub fn parse(&self, text: &str) -> Result<Located, Failure> {
        let raws = parser::split(text, &Limits::STANDARD)?;
        let raw = raws.first().ok_or(Failure::new("no statement"))?;
        Ok(parser::parse_raw(raw, &self.variables, &Limits::STANDARD)?)
    }

    pub fn execute_raw(&mut self, raw: &RawStatement<'_>) -> Result<(), Failure> {
        let located = parser::parse_raw(raw, &self.variables, &Limits::STANDARD)?;
        self.execute(&located)
    }

    fn decided(&self, located: &Located) -> Result<Effect, Failure> {
        let topics = BenchTopics(&self.bench);
        let session = Deciding {
            catalog: &self.catalog,
            topics: &topics,
            schemas: &NoSchemas,
            settings: &self.settings,
            functions: &self.functions,
        };
        Ok(decide(&session, located)?.effect)
    }

    pub fn execute(&mut self, located: &Located) -> Result<(), Failure> {
        let effect = self.decided(located)?;
        match &effect {
            Effect::CreateSource { topic, .. } => self.make_topic(topic.as_ref()),
            Effect::StartQuery { plan, topic, .. } => {
                let query = self.compile(plan)?;
                self.make_topic(topic.as_ref());
                let sink = &plan.sink.source.topic;
                self.bench.start(&plan.id.0, query, sink).map_err(Failure::new)?;
            }
            Effect::DropSource { delete_topic, terminates, .. } => {
                terminates.iter().for_each(|id| self.bench.stop(&id.0));
                if let Some(topic) = delete_topic {
                    self.bench.topics.remove(topic.as_str());
                }
            }
            Effect::Terminate { ids } => ids.iter().for_each(|id| self.bench.stop(&id.0)),
            Effect::InsertValues(insert) => drop(self.write(insert)?),
            Effect::SetProperty { name, value } => self.settings.set(name.as_str(), value.as_str()),
            Effect::UnsetProperty { name } => drop(self.settings.unset(name)),
            Effect::Define { name, value } => self.variables.define(name, value),
            Effect::Undefine { name } => self.variables.undefine(name),
            Effect::AlterSource { .. }
            | Effect::Pause { .. }
            | Effect::Resume { .. }
            | Effect::CreateType { .. }
            | Effect::DropType { .. }
            | Effect::Push(_)
            | Effect::Pull(_)
            | Effect::Nothing { .. }
            | Effect::Ask => {}
        }
        self.catalog.apply(&effect);
        Ok(())
    }

    fn make_topic(&mut self, topic: Option<&NewTopic>) {
        if let Some(topic) = topic {
            self.bench.create_topic(&topic.name, topic.partitions.unwrap_or(DEFAULT_PARTITIONS));
        }
    }

    fn compile(&self, plan: &PersistentPlan) -> Result<Query, Failure> {
        let function_settings = FunctionSettings::from_properties(self.settings.iter());
        let strict = self.settings.get("ksql.timestamp.throw.on.invalid").is_some_and(|value| value == "true");
        let settings = EngineSettings {
            functions: &self.functions,
            function_settings: &function_settings,
            strict_timestamps: strict,
        };
        Query::persistent(plan, &settings).map_err(|error| Failure::new(error.to_string()))
    }

    /// Runs an INSERT VALUES; returns where its record stands.
    pub fn insert(&mut self, located: &Located) -> Result<(Arc<str>, i64), Failure> {
        match self.decided(located)? {
            Effect::InsertValues(insert) => self.write(&insert),
            _ => Err(Failure::new("not an INSERT VALUES")),
        }
    }

    fn write(&mut self, insert: &InsertValues) -> Result<(Arc<str>, i64), Failure> {
        let target = &insert.target;
        let row = insert.row(&self.functions, &EvalContext::new(0, 0))?;
        let wire = Wire::new(Some(target));
        let record = Written {
            key: wire.encode_row(Side::Key, &row.key).map_err(Failure::new)?,
            value: wire.encode_row(Side::Value, &row.value).map_err(Failure::new)?,
            timestamp: row.timestamp_ms.unwrap_or(0),
            headers: Arc::from([]),
        };
        let topic: Arc<str> = Arc::from(target.topic.as_str());
        let offset = self.bench.append(&topic, record);
        Ok((topic, offset))
    }

    /// The value of an expression without columns, as a value of the type.
    pub fn constant(&self, expression: &Expression, sql_type: &SqlType) -> Result<Value, Failure> {
        let expr = Expr::compile(expression, &Schema::empty(), &self.functions)
            .map_err(|error| Failure::new(error.to_string()))?;
        let value = expr.eval(&[], &EvalContext::new(0, 0)).map_err(|error| Failure::new(error.to_string()))?;
        match expr.sql_type() {
            None => Ok(Value::Null),
            Some(from) => coerce_literal(&value, from, sql_type)
                .ok_or_else(|| Failure::new(format!("{value:?} of type {from} cannot be a {sql_type}"))),
        }
    }

    pub fn source(&self, name: &str) -> Option<Arc<DataSource>> {
        self.catalog.source(&Name::new(name)).cloned()
    }

    /// The source that says how the topic's records are written.
    pub fn source_of_topic(&self, topic: &str) -> Option<Arc<DataSource>> {
        self.catalog.sources().find(|source| source.topic == topic).cloned()
    }

    /// Declared columns as comparable texts, keys of tables and streams alike.
    pub fn elements(&self, elements: &[TableElement]) -> Result<Vec<String>, String> {
        let column = |element: &TableElement| {
            let data_type = self.catalog.resolve_type(&element.data_type, &self.settings).map_err(|error| error.to_string())?;
            let role = match (&element.header_key, element.constraint) {
                (Some(key), _) => Role::Headers { key: Some(key.clone()) },
                (None, ColumnConstraint::Headers) => Role::Headers { key: None },
                (None, ColumnConstraint::Key | ColumnConstraint::PrimaryKey) => Role::Key,
                (None, ColumnConstraint::None) => Role::Value,
            };
            let sql_type = sql_type_of(&data_type).map_err(|error| error.to_string())?;
            Ok(column_text(&Column::new(element.name.clone(), sql_type, role)))
        };
        elements.iter().map(column).collect()
    }

    /// The columns of a schema's text.
    pub fn columns_of(&self, text: &str) -> Result<Vec<String>, String> {
        if text.trim().is_empty() {
            return Ok(Vec::new());
        }
        let statement = format!("CREATE STREAM POST ({text});");
        match self.parse(&statement).map_err(|failure| failure.to_string())?.statement {
            Statement::CreateSource(create) => self.elements(&create.elements),
            _ => Err(format!("not a schema: {text}")),
        }
    }
}
