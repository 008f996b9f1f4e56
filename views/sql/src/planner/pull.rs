//! SELECT without EMIT: reads what a table holds now, or a stream up to its present end.

use crate::ast::{Expression, Query, SelectItem};
use crate::catalog::Settings;
use crate::error::{Result, SqlError};
use crate::plan::{Access, DataSource, PullPlan, Step};
use crate::planner::query::Target;
use crate::planner::scope::{Clause, Scope};
use crate::planner::{Planner, pull_keys};
use crate::schema::{Column, ROWOFFSET, ROWPARTITION, Role, Schema};

pub(crate) const SEE: &str = "See https://cnfl.io/queries for more info.\nAdd EMIT CHANGES if you intended to issue a push query.";

impl Planner<'_> {
    pub fn plan_pull(&self, query: &Query) -> Result<PullPlan> {
        self.check_enabled()?;
        check_clauses(query)?;
        self.check_limit(query)?;
        let source = self.source(&query.from.name, query.from.position)?;
        self.check_stream(&source)?;
        check_pseudo_columns(query)?;
        let planned = self.plan_query(query, Target::Client)?;
        check_queryable(&source)?;
        if source.is_table() && !planned.states.is_empty() {
            return Err(SqlError::statement(format!("Pull queries don't support aggregate functions. {SEE}")));
        }
        let scope = Scope::of(self, query)?;
        let access = match &query.filter {
            Some(filter) if source.is_table() => {
                let filter = self.replace_times(self.prepare(filter, &scope, Clause::Where)?)?;
                self.access(&scope.row(&filter)?, &source)?
            }
            _ if source.is_table() => self.scan()?,
            _ => Access::Scan,
        };
        let schema = if source.is_table() { answer_schema(&planned.root, &planned.schema)? } else { planned.schema.without_keys() };
        Ok(PullPlan { source, root: planned.root, access, limit: query.limit, schema })
    }

    /// A look-up of keys where the condition allows it, else a scan where the settings do.
    fn access(&self, filter: &Expression, source: &DataSource) -> Result<Access> {
        let (scans, ranges) = (self.settings.is_on(Settings::TABLE_SCAN), self.settings.is_on(Settings::RANGE_SCAN));
        match pull_keys::access(filter, source, pull_keys::Allowed { scans, ranges }) {
            Ok(access) => Ok(access),
            Err(pull_keys::NoKeys::NullKey(error)) => Err(error),
            Err(pull_keys::NoKeys::NeedsScan(error)) => self.scan().map_err(|_| error),
        }
    }

    fn scan(&self) -> Result<Access> {
        if self.settings.is_on(Settings::TABLE_SCAN) {
            return Ok(Access::Scan);
        }
        Err(SqlError::statement(format!(
            "Query requires table scan to be enabled. Table scans can be enabled by setting {}=true",
            Settings::TABLE_SCAN
        )))
    }

    fn check_enabled(&self) -> Result<()> {
        if self.settings.is_on(Settings::PULL) {
            return Ok(());
        }
        let setting = Settings::PULL;
        Err(SqlError::statement(format!("Pull queries are disabled. {SEE}\nPlease set {setting}=true to enable this feature.\n")))
    }

    fn check_stream(&self, source: &DataSource) -> Result<()> {
        if !source.is_stream() || self.settings.is_on(Settings::PULL_STREAM) {
            return Ok(());
        }
        let setting = Settings::PULL_STREAM;
        Err(SqlError::statement(format!(
            "Pull queries on streams are disabled. To create a push query on the stream, add EMIT CHANGES to the end. To enable pull queries on streams, set the {setting} config to 'true'."
        )))
    }

    fn check_limit(&self, query: &Query) -> Result<()> {
        match query.limit {
            Some(_) if !self.settings.is_on(Settings::PULL_LIMIT) => Err(SqlError::statement(format!(
                "LIMIT clause in pull queries is currently disabled. You can enable them by setting {}=true. {SEE}",
                Settings::PULL_LIMIT
            ))),
            Some(limit) if limit < 0 => {
                Err(SqlError::statement(format!("Pull queries don't support negative integers in the LIMIT clause. {SEE}")))
            }
            _ => Ok(()),
        }
    }
}

/// A window's bounds belong to its key, and answers say so; they also say what comes from headers.
fn answer_schema(root: &Step, schema: &Schema) -> Result<Schema> {
    let Step::Project(project) = root else { return Ok(schema.clone()) };
    let input = project.input.schema();
    let origin = |expression: &Expression| match expression {
        Expression::Column(column) => input.find(column.name.as_str()).map(|column| column.role.clone()),
        _ => None,
    };
    let columns = schema.columns().iter().zip(&project.columns).map(|(column, expression)| {
        let role = match origin(expression) {
            Some(Role::WindowBound) => Role::Key,
            Some(headers @ Role::Headers { .. }) => headers,
            _ => column.role.clone(),
        };
        Column { role, ..column.clone() }
    });
    Schema::new(columns.collect()).map_err(|error| SqlError::statement(error.to_string()))
}

fn check_clauses(query: &Query) -> Result<()> {
    let unsupported = [
        (!query.joins.is_empty(), "JOIN"),
        (query.window.is_some(), "WINDOW"),
        (query.group_by.is_some(), "GROUP BY"),
        (query.partition_by.is_some(), "PARTITION BY"),
        (query.having.is_some(), "HAVING"),
    ];
    match unsupported.iter().find(|(given, _)| *given) {
        Some((_, clause)) => Err(SqlError::statement(format!("Pull queries don't support {clause} clauses. {SEE}"))),
        None => Ok(()),
    }
}

/// A table is queryable when this engine keeps its rows: as a query's result, or because it was declared a SOURCE table.
fn check_queryable(source: &DataSource) -> Result<()> {
    if source.is_stream() || source.created_by.is_some() || source.read_only {
        return Ok(());
    }
    let name = &source.name;
    Err(SqlError::statement(format!(
        "The {} table isn't queryable. To derive a queryable table, you can do 'CREATE TABLE QUERYABLE_{name} AS SELECT * FROM {name}'. See https://cnfl.io/queries for more info.",
        name.quoted()
    )))
}

/// Where a row was read from is not known of a table's row.
fn check_pseudo_columns(query: &Query) -> Result<()> {
    let listed = query.select.iter().filter_map(|item| match item {
        SelectItem::Expression { expression, .. } => Some(expression),
        _ => None,
    });
    check_none(listed, "SELECT")?;
    check_none(query.filter.iter(), "WHERE")
}

fn check_none<'e>(expressions: impl Iterator<Item = &'e Expression>, clause: &str) -> Result<()> {
    let disallowed = |name: &str| name == ROWPARTITION || name == ROWOFFSET;
    let mut found: Vec<String> = Vec::new();
    for column in expressions.flat_map(|expression| expression.columns()) {
        if disallowed(column.name.as_str()) && !found.contains(&column.name.quoted()) {
            found.push(column.name.quoted());
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    let found = found.join(", ");
    Err(SqlError::statement(format!("Pull queries don't support the following columns in {clause} clauses: {found}")))
}
