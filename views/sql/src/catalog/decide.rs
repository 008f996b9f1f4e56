//! What a statement does: decided here from the catalog, carried out by whoever holds it (a server's log, a test's loop).

use std::sync::Arc;

use crate::ast::{CreateSource, CreateSourceAs, DataType, Emit, Located, Query, Statement};
use crate::catalog::{Catalog, Schemas, Settings, Topics, create, properties, upgrade};
use crate::error::{Result, SqlError};
use crate::expr::sql_type_of;
use crate::functions::Registry;
use crate::name::Name;
use crate::plan::{DataSource, InsertValues, PersistentPlan, PullPlan, PushPlan, QueryId, SourceKind};
use crate::planner::{Planner, Target};

/// What a decision may look at.
#[derive(Clone, Copy)]
pub struct Session<'a> {
    pub catalog: &'a Catalog,
    pub topics: &'a dyn Topics,
    pub schemas: &'a dyn Schemas,
    pub settings: &'a Settings,
    pub functions: &'a Registry,
}

/// A topic that must exist before the effect is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    pub name: String,
    /// The broker's default where not given.
    pub partitions: Option<i32>,
    pub replicas: Option<i16>,
    pub retention_ms: Option<i64>,
    pub cleanup_policy: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    CreateSource { source: Arc<DataSource>, topic: Option<NewTopic>, replaces: bool },
    /// Starts a query; `replaces` is the query whose state and place it takes.
    StartQuery { plan: Arc<PersistentPlan>, topic: Option<NewTopic>, creates_source: bool, replaces: Option<QueryId> },
    AlterSource { source: Arc<DataSource> },
    DropSource { name: Name, delete_topic: Option<String>, terminates: Vec<QueryId> },
    Terminate { ids: Vec<QueryId> },
    Pause { ids: Vec<QueryId> },
    Resume { ids: Vec<QueryId> },
    CreateType { name: Name, data_type: DataType },
    DropType { name: Name },
    InsertValues(InsertValues),
    Push(PushPlan),
    Pull(PullPlan),
    SetProperty { name: String, value: String },
    UnsetProperty { name: String },
    Define { name: String, value: String },
    Undefine { name: String },
    /// Nothing to do, and that is fine (IF NOT EXISTS, IF EXISTS).
    Nothing { message: String },
    /// A question (LIST, DESCRIBE, EXPLAIN, PRINT, ASSERT ..): the server answers it.
    Ask,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    pub effect: Effect,
    /// Things the writer of the statement should know.
    pub warnings: Vec<String>,
}

/// Decides one statement.
pub fn decide(session: &Session<'_>, located: &Located) -> Result<Decision> {
    let effect = session.effect(located).map_err(|error| error.with_statement(|| located.text.clone()))?;
    Ok(Decision { warnings: session.warnings(&located.statement), effect })
}

impl<'a> Session<'a> {
    pub fn planner(&self) -> Planner<'a> {
        Planner { catalog: self.catalog, topics: self.topics, settings: self.settings, functions: self.functions }
    }

    fn effect(&self, located: &Located) -> Result<Effect> {
        match &located.statement {
            Statement::Query(query) => self.query(query),
            Statement::CreateSource(create) => self.create_source(create, &located.text),
            Statement::CreateSourceAs(create) => self.create_as(create),
            Statement::InsertInto { target, properties, query, position } => {
                let plan = self.planner().plan_insert(target, properties, query, *position)?;
                Ok(Effect::StartQuery { plan: Arc::new(plan), topic: None, creates_source: false, replaces: None })
            }
            Statement::InsertValues { target, columns, values, position } => {
                Ok(Effect::InsertValues(self.planner().plan_insert_values(target, columns, values, *position)?))
            }
            Statement::DropSource { table, name, if_exists, delete_topic, position } => {
                self.drop_source(*table, name, *if_exists, *delete_topic, *position)
            }
            Statement::AlterSource { table, name, columns } => self.alter_source(*table, name, columns),
            Statement::Terminate(query) => Ok(Effect::Terminate { ids: self.catalog.meant(query)? }),
            Statement::Pause(query) => Ok(Effect::Pause { ids: self.catalog.meant(query)? }),
            Statement::Resume(query) => Ok(Effect::Resume { ids: self.catalog.meant(query)? }),
            Statement::CreateType { name, data_type, if_not_exists } => self.create_type(name, data_type, *if_not_exists),
            Statement::DropType { name, if_exists } => self.drop_type(name, *if_exists),
            Statement::Set { property, value } => {
                properties::check(property, value).map_err(|unfit| SqlError::statement(unfit.to_string()))?;
                Ok(Effect::SetProperty { name: property.clone(), value: value.clone() })
            }
            Statement::Unset { property } => {
                properties::check_name(property).map_err(|unfit| SqlError::statement(unfit.to_string()))?;
                Ok(Effect::UnsetProperty { name: property.clone() })
            }
            Statement::Define { variable, value } => Ok(Effect::Define { name: variable.clone(), value: value.clone() }),
            Statement::Undefine { variable } => Ok(Effect::Undefine { name: variable.clone() }),
            Statement::CreateConnector { .. } => Err(unsupported("CREATE CONNECTOR")),
            Statement::DropConnector { .. } => Err(unsupported("DROP CONNECTOR")),
            Statement::AlterSystem { .. } => Err(unsupported("ALTER SYSTEM")),
            Statement::RunScript { .. } => Err(unsupported("RUN SCRIPT")),
            // What is asked about must be there before any statement of the same text is carried out.
            Statement::Describe { name, .. } if self.catalog.source(name).is_none() => {
                Err(SqlError::statement(format!("Could not find STREAM/TABLE '{name}' in the Metastore")))
            }
            Statement::DescribeFunction { name } if self.functions.describe(name).is_none() => {
                Err(SqlError::statement(format!("Can't find any functions with the name '{name}'")))
            }
            Statement::Explain { query, statement } => {
                self.explain(query.as_deref(), statement.as_deref())?;
                Ok(Effect::Ask)
            }
            Statement::List { .. }
            | Statement::Describe { .. }
            | Statement::DescribeStreams { .. }
            | Statement::DescribeTables { .. }
            | Statement::DescribeFunction { .. }
            | Statement::DescribeConnector { .. }
            | Statement::Print { .. }
            | Statement::AssertTopic { .. }
            | Statement::AssertSchema { .. }
            | Statement::AssertSource(_)
            | Statement::AssertValues(_) => Ok(Effect::Ask),
        }
    }

    fn query(&self, query: &Query) -> Result<Effect> {
        if query.emit.is_none() {
            return Ok(Effect::Pull(self.planner().plan_pull(query)?));
        }
        let planned = self.planner().plan_query(query, Target::Client)?;
        Ok(Effect::Push(PushPlan { root: planned.root, limit: query.limit, schema: planned.schema }))
    }

    fn create_source(&self, create: &CreateSource, text: &str) -> Result<Effect> {
        if let Some(nothing) = self.check_existing(&create.name, create.table, create.or_replace, create.if_not_exists)? {
            return Ok(nothing);
        }
        if create.read_only && self.catalog.source(&create.name).is_some() {
            return Err(no_replacing(&create.name, SourceKind::of(create.table)));
        }
        let (source, topic) = self.declared(create, text)?;
        let existing = self.catalog.source(&create.name);
        if let Some(old) = existing {
            if old.created_by.is_some() {
                return Err(SqlError::definition(format!(
                    "Cannot upgrade data source: {} is written by the query that created it",
                    old.name.quoted()
                )));
            }
            upgrade::check_source(old, &source)?;
        }
        Ok(Effect::CreateSource { source: Arc::new(source), topic, replaces: existing.is_some() })
    }

    fn create_as(&self, create: &CreateSourceAs) -> Result<Effect> {
        if let Some(nothing) = self.check_existing(&create.name, create.table, create.or_replace, create.if_not_exists)? {
            return Ok(nothing);
        }
        let planned = self.planner().plan_create_as(create)?;
        let mut replaces = None;
        let mut plan = planned.plan;
        if let Some(old) = self.catalog.source(&create.name) {
            upgrade::check_source(old, &plan.sink.source)?;
            let writers: Vec<String> = self.catalog.writers(&create.name).map(|query| query.plan.id.to_string()).collect();
            if writers.len() > 1 {
                return Err(SqlError::definition(format!(
                    "REPLACE for sink {} is not supported because there are multiple queries writing into it: [{}]",
                    create.name.quoted(),
                    writers.join(", ")
                )));
            }
            let writer = old.created_by.as_ref().and_then(|id| self.catalog.query(id));
            if let Some(writer) = writer {
                upgrade::check_query(&writer.plan, &plan)?;
                // The query keeps its name, and with it its state and its place in its inputs.
                plan = plan.renamed(writer.plan.id.clone());
                replaces = Some(writer.plan.id.clone());
            }
        }
        Ok(Effect::StartQuery { plan: Arc::new(plan), topic: planned.topic, creates_source: true, replaces })
    }

    /// What an existing source of the same name means for a CREATE.
    fn check_existing(&self, name: &Name, table: bool, or_replace: bool, if_not_exists: bool) -> Result<Option<Effect>> {
        let Some(existing) = self.catalog.source(name) else { return Ok(None) };
        let (word, existing_word) = (SourceKind::of(table).word(), existing.kind.word());
        if if_not_exists && !or_replace {
            return Ok(Some(Effect::Nothing { message: format!("Cannot add {word} {}: A {existing_word} with the same name already exists.", name.quoted()) }));
        }
        if or_replace && self.settings.is_on(Settings::OR_REPLACE) {
            if existing.read_only {
                return Err(no_replacing(name, SourceKind::of(table)));
            }
            return Ok(None);
        }
        Err(SqlError::definition(format!("Cannot add {word} '{name}': A {existing_word} with the same name already exists")))
    }

    fn create_type(&self, name: &Name, data_type: &DataType, if_not_exists: bool) -> Result<Effect> {
        if let Some((_, known)) = self.catalog.types().find(|(known, _)| *known == name) {
            let known = sql_type_of(known).map_or_else(|error| error.to_string(), |known| known.to_string());
            let message = format!("Cannot register custom type '{name}' since it is already registered with type: {known}");
            if if_not_exists {
                return Ok(Effect::Nothing { message });
            }
            return Err(SqlError::definition(message));
        }
        Ok(Effect::CreateType { name: name.clone(), data_type: self.catalog.resolve_type(data_type, self.settings)? })
    }

    fn drop_type(&self, name: &Name, if_exists: bool) -> Result<Effect> {
        if self.catalog.types().any(|(known, _)| known == name) {
            return Ok(Effect::DropType { name: name.clone() });
        }
        let message = format!("Type {name} does not exist.");
        if if_exists { Ok(Effect::Nothing { message }) } else { Err(SqlError::definition(message)) }
    }

    fn warnings(&self, statement: &Statement) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Statement::CreateSource(create) = statement
            && create.properties.get("KEY").is_some()
        {
            warnings.push("The property KEY belongs to releases before 0.10: the column it names stays an ordinary value column.".into());
        }
        if let Statement::CreateSource(create) = statement
            && create.table
            && create::has_rowkey_rule(create)
        {
            warnings.push("A table's key is declared as PRIMARY KEY since release 0.9: ROWKEY KEY was taken as that.".into());
        }
        if let Statement::Query(query) = statement
            && query.emit == Some(Emit::Final)
        {
            warnings.push("EMIT FINAL shows a window once it has closed: without later records nothing is shown.".into());
        }
        warnings
    }
}

/// What is read-only neither replaces nor is replaced.
fn no_replacing(name: &Name, kind: SourceKind) -> SqlError {
    let word = kind.word();
    SqlError::definition(format!("Cannot add {word} '{name}': CREATE OR REPLACE is not supported on source {word}s."))
}

fn unsupported(what: &str) -> SqlError {
    SqlError::unsupported(format!("{what} is not supported by this server."))
}
