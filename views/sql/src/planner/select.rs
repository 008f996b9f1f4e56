//! The SELECT list: stars written out, every item named.

use crate::ast::{Expression, Query, SelectItem};
use crate::error::{Result, SqlError};
use crate::name::Name;
use crate::planner::Planner;
use crate::planner::naming::Namer;
use crate::planner::scope::{Clause, Scope, ScopeColumn, ScopeSource, qualified};
use crate::schema::{RESERVED, Role};
use crate::types::SqlType;

/// One column of the result.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    /// Qualified.
    pub expression: Expression,
    pub alias: Name,
}

/// What `*` means beside the declared columns.
pub(crate) struct Star<'a> {
    /// Columns that the query adds in front: its own key, when no source has it.
    pub made_keys: &'a [Item],
    /// Window bounds belong to it (in transient queries).
    pub bounds: bool,
    /// Behind PARTITION BY the old key is a value like others: it comes last, and a join's rows show their pseudo columns.
    pub partitioned: bool,
}

/// The list twice: as it is planned, and as it is shown (stars kept).
pub(crate) struct Selected {
    pub items: Vec<Item>,
    pub shown: Vec<SelectItem>,
}

impl Planner<'_> {
    pub(crate) fn select(&self, query: &Query, scope: &Scope, namer: &mut Namer, star: &Star<'_>) -> Result<Selected> {
        let mut selected = Selected { items: Vec::new(), shown: Vec::new() };
        for item in &query.select {
            match item {
                SelectItem::Star { source, .. } => {
                    if let Some(alias) = source
                        && scope.source(alias).is_none()
                    {
                        return Err(SqlError::definition(format!("'{alias}' is not a valid stream/table name or alias.")));
                    }
                    if source.is_none() {
                        selected.items.extend(star.made_keys.iter().cloned());
                    }
                    let wanted = scope.sources.iter().filter(|found| source.as_ref().is_none_or(|alias| found.alias == *alias));
                    selected.items.extend(wanted.flat_map(|source| star.columns(source, scope)));
                    selected.shown.push(item.clone());
                }
                SelectItem::StructStar { base, position } => {
                    let base = self.prepare(base, scope, Clause::Select)?;
                    for field in self.struct_fields(&base, scope)? {
                        let alias = namer.field(&field);
                        let expression = Expression::Dereference { base: Box::new(base.clone()), field };
                        selected.items.push(Item { expression, alias });
                    }
                    selected.shown.push(SelectItem::StructStar { base, position: *position });
                }
                SelectItem::Expression { expression, alias, position } => {
                    let expression = self.prepare(expression, scope, Clause::Select)?;
                    if let Some(alias) = alias {
                        check_alias(alias, &expression)?;
                    }
                    let alias = alias.clone().unwrap_or_else(|| namer.name(&expression, scope));
                    let shown = SelectItem::Expression { expression: expression.clone(), alias: Some(alias.clone()), position: *position };
                    selected.shown.push(shown);
                    selected.items.push(Item { expression, alias });
                }
            }
        }
        Ok(selected)
    }

    /// Qualifies, puts user types in, and knows every function.
    pub(crate) fn prepare(&self, expression: &Expression, scope: &Scope, clause: Clause) -> Result<Expression> {
        let expression = scope.qualify(expression.clone(), clause)?;
        self.check_functions(&expression)?;
        self.resolve_types(expression)
    }

    fn struct_fields(&self, base: &Expression, scope: &Scope) -> Result<Vec<Name>> {
        let columns = scope.sources.iter().flat_map(|source| &source.columns);
        let columns = columns.map(|column| crate::schema::Column::new(column.row.clone(), column.sql_type.clone(), column.role.clone()));
        let schema = crate::schema::Schema::new(columns.collect()).map_err(|error| SqlError::statement(error.to_string()))?;
        match self.type_of(&scope.row(base)?, &schema)? {
            Some(SqlType::Struct(fields)) => Ok(fields.iter().map(|field| Name::new(&field.name)).collect()),
            _ => Err(SqlError::statement(format!("Cannot resolve all columns, expression is not a STRUCT: {}", crate::format::bare(base)))),
        }
    }
}

/// A reserved word may only name the column it means, and then the check on the result says why not.
fn check_alias(alias: &Name, expression: &Expression) -> Result<()> {
    let names_itself = matches!(expression, Expression::Column(column) if column.name == *alias);
    if RESERVED.contains(&alias.as_str()) && !names_itself {
        let alias = alias.quoted();
        return Err(SqlError::statement(format!("{alias} is a reserved column name. You cannot use it as an alias for a column.")));
    }
    Ok(())
}

impl Star<'_> {
    fn columns(&self, source: &ScopeSource, scope: &Scope) -> Vec<Item> {
        let item = |column: &ScopeColumn| {
            let alias = if scope.is_join() { &column.row } else { &column.name };
            Item { expression: qualified(source, column), alias: alias.clone() }
        };
        let shown = |role: &Role, column: &ScopeColumn| column.role == *role && !source.is_hidden(column);
        let with_role = |role: Role| source.columns.iter().filter(move |column| shown(&role, column)).map(item);
        let plain = source.unkeyed().map(item);
        if self.partitioned {
            let pseudo = with_role(Role::Pseudo).filter(|_| scope.is_join());
            return plain.chain(pseudo).chain(with_role(Role::Key)).collect();
        }
        let bounds = with_role(Role::WindowBound).filter(|_| self.bounds || scope.is_join());
        if self.bounds && !scope.is_join() {
            // Answers to clients show headers before the values.
            let is_header = |column: &&ScopeColumn| matches!(column.role, Role::Headers { .. });
            let headers = source.columns.iter().filter(is_header).map(item);
            return with_role(Role::Key).chain(bounds).chain(headers).chain(with_role(Role::Value)).collect();
        }
        with_role(Role::Key).chain(bounds).chain(plain).collect()
    }
}
