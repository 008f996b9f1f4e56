//! The sources of a query and the columns they offer.
//!
//! A name is resolved in two steps: [`Scope::qualify`] says which source each column comes from (`source.column`, the form in which
//! expressions are compared and printed), [`Scope::row`] then gives the name it has in the rows (`column`, or `ALIAS_COLUMN` in a join).

use std::sync::Arc;

use crate::ast::{ColumnRef, Expression, Position, Query, SelectItem};
use crate::error::{Result, SqlError};
use crate::name::Name;
use crate::plan::{DataSource, Format, LegacyKey, SourceColumn, SourceStep};
use crate::planner::Planner;
use crate::schema::{Column, ROWOFFSET, ROWPARTITION, ROWTIME, Role, Schema, WINDOWEND, WINDOWSTART};
use crate::types::SqlType;

/// The clause that a column stands in; messages begin with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clause {
    Select,
    Where,
    GroupBy,
    PartitionBy,
    Having,
    JoinOn,
}

impl Clause {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Clause::Select => "SELECT",
            Clause::Where => "WHERE",
            Clause::GroupBy => "GROUP BY",
            Clause::PartitionBy => "PARTITION BY",
            Clause::Having => "HAVING",
            Clause::JoinOn => "JOIN ON",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct ScopeColumn {
    pub name: Name,
    /// The name in rows.
    pub row: Name,
    pub sql_type: SqlType,
    pub role: Role,
    pub from: SourceColumn,
}

#[derive(Clone, Debug)]
pub(crate) struct ScopeSource {
    pub alias: Name,
    pub source: Arc<DataSource>,
    pub columns: Vec<ScopeColumn>,
}

#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub sources: Vec<ScopeSource>,
    /// The key that a join makes up because no source has it.
    pub synthetic_key: Option<Name>,
    /// WINDOWSTART and WINDOWEND come from the query's own window.
    pub window_bounds: bool,
}

impl ScopeSource {
    pub(crate) fn new(alias: Name, source: Arc<DataSource>, prefix: bool) -> ScopeSource {
        let row = |name: &Name| if prefix { Name::from(format!("{alias}_{name}")) } else { name.clone() };
        let mut columns: Vec<ScopeColumn> = source
            .schema
            .columns()
            .iter()
            .enumerate()
            .map(|(index, column)| ScopeColumn {
                name: column.name.clone(),
                row: row(&column.name),
                sql_type: column.sql_type.clone(),
                role: column.role.clone(),
                from: SourceColumn::Declared(index),
            })
            .collect();
        let mut add = |name: &str, sql_type, role, from| {
            let name = Name::new(name);
            columns.push(ScopeColumn { row: row(&name), name, sql_type, role, from });
        };
        add(ROWTIME, SqlType::BigInt, Role::Pseudo, SourceColumn::RowTime);
        add(ROWPARTITION, SqlType::Integer, Role::Pseudo, SourceColumn::RowPartition);
        add(ROWOFFSET, SqlType::BigInt, Role::Pseudo, SourceColumn::RowOffset);
        if source.window.is_some() {
            add(WINDOWSTART, SqlType::BigInt, Role::WindowBound, SourceColumn::WindowStart);
            add(WINDOWEND, SqlType::BigInt, Role::WindowBound, SourceColumn::WindowEnd);
        }
        ScopeSource { alias, source, columns }
    }

    pub(crate) fn find(&self, name: &Name) -> Option<&ScopeColumn> {
        let found = self.columns.iter().find(|column| column.name == *name);
        found.or_else(|| if *name == "ROWKEY" { self.legacy_rowkey() } else { None })
    }

    /// Older releases called every key ROWKEY: where no column has this name, a lone key is meant.
    fn legacy_rowkey(&self) -> Option<&ScopeColumn> {
        let mut keys = self.columns.iter().filter(|column| column.role == Role::Key);
        match (keys.next(), keys.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        }
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &ScopeColumn> {
        self.columns.iter().filter(|column| column.role == Role::Key)
    }

    /// The declared columns beside the key, in the order declared.
    pub(crate) fn unkeyed(&self) -> impl Iterator<Item = &ScopeColumn> {
        let declared = |column: &&ScopeColumn| matches!(column.from, SourceColumn::Declared(_));
        self.columns.iter().filter(declared).filter(|column| column.role != Role::Key)
    }

    /// Whether `*` leaves this column out: a key that was never declared.
    pub(crate) fn is_hidden(&self, column: &ScopeColumn) -> bool {
        column.role == Role::Key && column.name == "ROWKEY" && self.source.legacy.as_ref().is_some_and(|legacy| legacy.implicit)
    }

    /// The step that reads this source, with all its columns; what nothing reads is pruned later.
    pub(crate) fn step(&self) -> Result<SourceStep> {
        let columns = self.columns.iter().map(|column| Column::new(column.row.clone(), column.sql_type.clone(), column.role.clone()));
        let schema = Schema::new(columns.collect()).map_err(|error| SqlError::statement(error.to_string()))?;
        let columns = self.columns.iter().map(|column| column.from).collect();
        Ok(SourceStep { source: self.source.clone(), columns, schema })
    }
}

impl Scope {
    pub(crate) fn of(planner: &Planner<'_>, query: &Query) -> Result<Scope> {
        let (from, joined) = (&query.from, query.joins.iter().map(|join| &join.right).collect::<Vec<_>>());
        let prefix = !joined.is_empty();
        let mut sources: Vec<ScopeSource> = Vec::new();
        for relation in std::iter::once(from).chain(joined.iter().copied()) {
            let source = planner.source(&relation.name, relation.position)?;
            if sources.iter().any(|other| other.source.name == source.name) {
                let name = &source.name;
                return Err(SqlError::statement(format!("Can not join '{name}' to '{name}': self joins are not yet supported.")));
            }
            let alias = relation.alias.clone().unwrap_or_else(|| relation.name.clone());
            let source = with_implicit_key(source, query, &alias, prefix)?;
            sources.push(ScopeSource::new(alias, source, prefix));
        }
        Ok(Scope { sources, synthetic_key: None, window_bounds: false })
    }

    pub(crate) fn is_join(&self) -> bool {
        self.sources.len() > 1
    }

    pub(crate) fn source(&self, alias: &Name) -> Option<&ScopeSource> {
        self.sources.iter().find(|source| source.alias == *alias)
    }

    /// Whether more than one source has a column of this name, so that results name it with its source.
    pub(crate) fn is_clashing(&self, name: &Name) -> bool {
        self.sources.iter().filter(|source| source.columns.iter().any(|column| column.name == *name)).count() > 1
    }

    pub(crate) fn column(&self, column: &ColumnRef) -> Option<&ScopeColumn> {
        self.source(column.source.as_ref()?)?.find(&column.name)
    }

    /// Names the source of every column.
    pub(crate) fn qualify(&self, expression: Expression, clause: Clause) -> Result<Expression> {
        expression.rewrite(&mut |part| match part {
            Expression::Column(column) => self.qualify_column(column, clause).map(|column| Some(Expression::Column(column))),
            _ => Ok(None),
        })
    }

    /// Refuses columns that no source has, in any clause.
    pub(crate) fn check_columns(&self, query: &Query) -> Result<()> {
        let check = |expression: &Expression, clause| self.qualify(expression.clone(), clause).map(drop);
        for item in &query.select {
            match item {
                SelectItem::Expression { expression, .. } | SelectItem::StructStar { base: expression, .. } => check(expression, Clause::Select)?,
                SelectItem::Star { .. } => {}
            }
        }
        query.filter.iter().try_for_each(|filter| check(filter, Clause::Where))?;
        query.group_by.iter().flatten().try_for_each(|expression| check(expression, Clause::GroupBy))?;
        let partition = query.partition_by.iter().flat_map(|clause| &clause.expressions);
        partition.into_iter().try_for_each(|expression| check(expression, Clause::PartitionBy))?;
        query.having.iter().try_for_each(|having| check(having, Clause::Having))
    }

    fn qualify_column(&self, column: &ColumnRef, clause: Clause) -> Result<ColumnRef> {
        if let Some(alias) = &column.source {
            if let Some(source) = self.source(alias) {
                return match source.find(&column.name) {
                    Some(found) => Ok(ColumnRef { name: found.name.clone(), ..column.clone() }),
                    None => Err(unresolved(column, clause)),
                };
            }
            return Err(SqlError::statement(format!("Failed to prepare statement: '{alias}' is not a valid stream/table name or alias.")));
        }
        let from_window = self.window_bounds && !self.is_join() && (column.name == WINDOWSTART || column.name == WINDOWEND);
        let synthetic = self.synthetic_key.as_ref() == Some(&column.name);
        if from_window || synthetic {
            return Ok(column.clone());
        }
        self.check_unambiguous(column)?;
        let found = self.sources.iter().find_map(|source| Some((source, source.find(&column.name)?)));
        match found {
            Some((source, found)) => Ok(ColumnRef { source: Some(source.alias.clone()), name: found.name.clone(), position: column.position }),
            None => Err(unresolved(column, clause)),
        }
    }

    fn check_unambiguous(&self, column: &ColumnRef) -> Result<()> {
        let holders: Vec<String> = self
            .sources
            .iter()
            .filter(|source| source.find(&column.name).is_some())
            .map(|source| format!("{}.{}", source.alias, column.name))
            .collect();
        if holders.len() < 2 {
            return Ok(());
        }
        let message = format!("Column '{}' is ambiguous. Could be {}.", column.name, one_of(&holders));
        Err(SqlError::statement(message).located(column.position).prefixed("Exception while preparing statement: "))
    }

    /// The qualified expression with the names that rows have.
    pub(crate) fn row(&self, expression: &Expression) -> Result<Expression> {
        expression.clone().rewrite(&mut |part| match part {
            Expression::Column(column) => Ok(Some(Expression::Column(self.row_column(column)?))),
            _ => Ok(None),
        })
    }

    fn row_column(&self, column: &ColumnRef) -> Result<ColumnRef> {
        let name = match &column.source {
            None => column.name.clone(),
            Some(_) => self.column(column).ok_or_else(|| unresolved(column, Clause::Select))?.row.clone(),
        };
        Ok(ColumnRef { source: None, name, position: column.position })
    }

    /// Every column name that the sources declare: what generated names must keep clear of.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Name> {
        self.sources.iter().flat_map(|source| source.source.schema.columns().iter().map(|column| &column.name))
    }
}

/// Before 0.10 every source had a key called ROWKEY. Where a keyless stream is asked for it, today's answer is an error; so it is given.
fn with_implicit_key(source: Arc<DataSource>, query: &Query, alias: &Name, is_join: bool) -> Result<Arc<DataSource>> {
    let keyless = source.schema.keys().next().is_none() && source.schema.find("ROWKEY").is_none();
    if !keyless || source.key_format.format != Format::Kafka || !asks_for_rowkey(query, alias, is_join) {
        return Ok(source);
    }
    let mut columns = vec![Column::new("ROWKEY", SqlType::String, Role::Key)];
    columns.extend(source.schema.columns().iter().cloned());
    let schema = Schema::new(columns).map_err(|error| SqlError::statement(error.to_string()))?;
    let legacy = Some(LegacyKey { implicit: true, same_as: None });
    Ok(Arc::new(DataSource { schema, legacy, ..(*source).clone() }))
}

fn asks_for_rowkey(query: &Query, alias: &Name, is_join: bool) -> bool {
    let listed = query.select.iter().filter_map(|item| match item {
        SelectItem::Expression { expression, .. } => Some(expression),
        _ => None,
    });
    let partition = query.partition_by.iter().flat_map(|clause| &clause.expressions);
    let clauses = listed.chain(&query.filter).chain(query.group_by.iter().flatten()).chain(partition).chain(&query.having);
    let on = query.joins.iter().map(|join| &join.criteria.on);
    clauses.chain(on).flat_map(|expression| expression.columns()).any(|column| {
        let meant = match &column.source {
            Some(source) => source == alias,
            None => !is_join,
        };
        meant && column.name == "ROWKEY"
    })
}

/// `a`, `a or b`, `a, b or c`.
pub(crate) fn one_of<T: std::fmt::Display>(items: &[T]) -> String {
    joined_with(items, "or")
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn all_of<T: std::fmt::Display>(items: &[T]) -> String {
    joined_with(items, "and")
}

fn joined_with<T: std::fmt::Display>(items: &[T], word: &str) -> String {
    let texts: Vec<String> = items.iter().map(ToString::to_string).collect();
    match texts.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} {word} {last}", before.join(", ")),
        None => String::new(),
    }
}

fn unresolved(column: &ColumnRef, clause: Clause) -> SqlError {
    let name = match &column.source {
        Some(source) => format!("{source}.{}", column.name),
        None => column.name.to_string(),
    };
    let mut message = format!("{} column '{name}' cannot be resolved.", clause.words());
    if matches!(clause, Clause::PartitionBy | Clause::GroupBy) {
        let words = clause.words();
        message.push_str(&format!(" '{name}' must be a column in the source schema since {words} is applied on the input."));
    }
    SqlError::statement(message).located(column.position)
}

/// Where nothing in the text stands for it.
pub(crate) fn qualified(source: &ScopeSource, column: &ScopeColumn) -> Expression {
    Expression::Column(ColumnRef { source: Some(source.alias.clone()), name: column.name.clone(), position: Position::NOWHERE })
}
