//! The order in which a SELECT is planned.

use crate::ast::{Emit, Expression, Query, SelectItem};
use crate::error::{Result, SqlError};
use crate::name::Name;
use crate::plan::{Filter, Format, Step};
use crate::planner::aggregate::Grouping;
use crate::planner::limits;
use crate::planner::naming::Namer;
use crate::planner::prune::prune;
use crate::planner::scope::{Clause, Scope};
use crate::planner::select::{Item, Selected, Star};
use crate::planner::{Planned, Planner};

/// What a query is planned for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target<'a> {
    /// Writes a source of this name, so the key must be in the result.
    Sink(&'a Name),
    /// Answers a client.
    Client,
}

impl Planner<'_> {
    pub fn plan_query(&self, query: &Query, target: Target<'_>) -> Result<Planned> {
        limits::check_joins(query, self.settings)?;
        limits::check_columns(query.select.len(), self.settings)?;
        let mut scope = Scope::of(self, query)?;
        check_value_formats(query, &scope)?;
        scope.window_bounds = query.window.is_some();
        let mut keyed = self.plan_from(query, &mut scope)?;
        let filter = match &query.filter {
            Some(filter) => Some(self.replace_times(self.prepare(filter, &scope, Clause::Where)?)?),
            None => None,
        };
        if let Some(filter) = &filter {
            if let Some(name) = self.aggregate_in(filter) {
                return Err(SqlError::statement(format!("WHERE does not support aggregate functions: {name} is an aggregate function.")));
            }
            if let Some(name) = self.table_function_in(filter) {
                return Err(SqlError::statement(format!("WHERE does not support table functions: {name} is a table function.")));
            }
            let predicate = scope.row(filter)?;
            self.check_condition(&predicate, keyed.step.schema(), Clause::Where, &predicate)?;
            keyed.step = Step::Filter(Filter { input: Box::new(keyed.step), predicate, having: false });
        }
        let mut namer = Namer::new(&scope);
        let partition = query.partition_by.as_ref().map(|clause| self.partition_expressions(clause, &scope)).transpose()?;
        let listed = self.listed(query, &scope)?;
        let mut made_keys = match &partition {
            Some(expressions) => self.partition_items(expressions, &listed, &scope, &mut namer),
            None => Vec::new(),
        };
        if let Some(synthetic) = &scope.synthetic_key {
            let key = Item { expression: Expression::column(synthetic.clone()), alias: synthetic.clone() };
            made_keys.push(key);
        }
        let transient = target == Target::Client;
        let star = Star { made_keys: &made_keys, bounds: transient, partitioned: partition.is_some() };
        let Selected { mut items, shown } = self.select(query, &scope, &mut namer, &star)?;
        limits::check_columns(items.len(), self.settings)?;
        let ungrouped = self.check_grouping(query, &items, &scope, target)?;
        let mut states = Vec::new();
        let mut shown_query = Query { select: shown, filter: filter.clone(), ..query.clone() };
        if query.group_by.is_some() || ungrouped {
            if partition.is_some() {
                return Err(SqlError::statement("PARTITION BY clause is not supported together with GROUP BY."));
            }
            // Aggregates over everything are one group.
            let by = if ungrouped { vec![Expression::Integer(0)] } else { self.group_expressions(query, &scope)? };
            let having = query.having.as_ref().map(|having| self.prepare(having, &scope, Clause::Having)).transpose()?;
            shown_query.group_by = (!ungrouped).then(|| by.clone());
            shown_query.having = having.clone();
            check_final(query)?;
            keyed = self.aggregate(keyed, Grouping { query, by, having, filter }, &mut items, &scope, &mut states)?;
        } else {
            if let Some(expressions) = &partition {
                keyed = self.partition(keyed, expressions, &items, &scope)?;
            }
            if query.window.is_some() {
                return Err(SqlError::statement("WINDOW clause requires a GROUP BY clause."));
            }
            check_final(query)?;
            keyed = self.flat_map(keyed, &mut items, &scope)?;
        }
        let window = keyed.window;
        let sink = match target {
            Target::Sink(name) => Some(name),
            Target::Client => None,
        };
        show_sources(&mut shown_query, &scope);
        let marked = query.emit.is_none() && scope.sources[0].source.is_table();
        let (mut root, schema) = self.project(keyed, &items, &scope, sink, marked)?;
        prune(&mut root);
        let leftmost = scope.sources[0].source.clone();
        Ok(Planned { kind: root.kind(), root, schema, window, query: shown_query, leftmost, states })
    }

    /// The expressions that the list names itself, stars apart.
    fn listed(&self, query: &Query, scope: &Scope) -> Result<Vec<Expression>> {
        let mut listed = Vec::new();
        for item in &query.select {
            if let SelectItem::Expression { expression, .. } = item {
                listed.push(scope.qualify(expression.clone(), Clause::Select)?);
            }
        }
        Ok(listed)
    }
}

fn check_final(query: &Query) -> Result<()> {
    if query.emit == Some(Emit::Final) && (query.window.is_none() || query.group_by.is_none()) {
        return Err(SqlError::definition("EMIT FINAL is only supported for windowed aggregations."));
    }
    Ok(())
}

/// The KAFKA format holds one column: nothing that changes columns on the way can be written in it.
fn check_value_formats(query: &Query, scope: &Scope) -> Result<()> {
    let what = if !query.joins.is_empty() {
        "JOIN"
    } else if query.group_by.is_some() {
        "GROUP BY"
    } else {
        return Ok(());
    };
    let names: Vec<String> = scope
        .sources
        .iter()
        .filter(|source| source.source.value_format.format == Format::Kafka)
        .map(|source| source.source.name.to_string())
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(SqlError::statement(format!(
        "Source(s) {} are using the 'KAFKA' value format. This format does not yet support {what}.",
        names.join(", ")
    )))
}

/// Shown with an alias each, as resolved.
fn show_sources(query: &mut Query, scope: &Scope) {
    query.from.alias = Some(scope.sources[0].alias.clone());
    for (join, source) in query.joins.iter_mut().zip(&scope.sources[1..]) {
        join.right.alias = Some(source.alias.clone());
    }
}
