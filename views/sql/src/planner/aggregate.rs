//! GROUP BY: the aggregates of the SELECT list and of HAVING, and what may stand beside them.

use crate::ast::{ArithmeticOperator, DataType, Expression, Position, Query};
use crate::catalog::Settings;
use crate::error::{Result, SqlError};
use crate::format::bare;
use crate::name::Name;
use crate::plan::{Aggregate, AggregateCall, Filter, Format, SourceKind, Step, Suppress, WindowInfo};
use crate::planner::{Planner, Target};
use crate::planner::column_refs::as_column;
use crate::planner::project::{KeyColumn, KeyOrigin, Keyed, check_duplicates};
use crate::planner::scope::{Clause, Scope};
use crate::planner::select::Item;
use crate::planner::typing::BoundCall;
use crate::planner::windows::window_spec;
use crate::schema::{Column, ROWTIME, Role, Schema, WINDOWEND, WINDOWSTART};
use crate::types::SqlType;

/// What an aggregation's clauses say, qualified.
pub(crate) struct Grouping<'q> {
    pub query: &'q Query,
    pub by: Vec<Expression>,
    pub having: Option<Expression>,
    pub filter: Option<Expression>,
}

/// The keys and calls found so far; rewrites expressions to read them.
struct Folded {
    /// Group expression, its column in the aggregate's rows.
    keys: Vec<(Expression, Name)>,
    /// Call as written (qualified), its column.
    calls: Vec<(Expression, Name)>,
}

/// The key that GROUP BY gives.
struct GroupKeys {
    group_by: Vec<Expression>,
    schema: Vec<Column>,
    keys: Vec<KeyColumn>,
}

impl GroupKeys {
    fn add(&mut self, name: Name, row: Name, sql_type: SqlType, expression: Expression) {
        let itself = vec![Expression::column(row.clone())];
        self.schema.push(Column::new(row.clone(), sql_type.clone(), Role::Key));
        self.keys.push(KeyColumn { name, row, sql_type, viable: itself.clone(), equal: itself });
        self.group_by.push(expression);
    }
}

/// `a|+|b` as the key ROWKEY; the expressions themselves are the same in all rows of a group, so any row's will do.
fn text_key(by: &[Expression], scope: &Scope) -> Result<(GroupKeys, Folded)> {
    let mut made = GroupKeys { group_by: Vec::new(), schema: Vec::new(), keys: Vec::new() };
    let mut folded = Folded { keys: Vec::new(), calls: Vec::new() };
    let mut key: Option<Expression> = None;
    for (index, expression) in by.iter().enumerate() {
        let column = Name::from(format!("KSQL_AGG_VARIABLE_{index}"));
        folded.calls.push((Expression::call("LATEST_BY_OFFSET", vec![expression.clone()]), column.clone()));
        folded.keys.push((expression.clone(), column));
        let text = Expression::Cast { value: Box::new(scope.row(expression)?), data_type: DataType::String };
        key = Some(match key {
            None => text,
            Some(before) => plus(plus(before, Expression::String("|+|".into())), text),
        });
    }
    let key = key.ok_or_else(|| SqlError::statement("GROUP BY requires at least one expression"))?;
    made.add(Name::new("ROWKEY"), Name::new("ROWKEY"), SqlType::String, key);
    Ok((made, folded))
}

fn plus(left: Expression, right: Expression) -> Expression {
    Expression::Arithmetic {
        operator: ArithmeticOperator::Add,
        left: Box::new(left),
        right: Box::new(right),
        position: Position::NOWHERE,
    }
}

impl Planner<'_> {
    /// Refuses GROUP BY without aggregates, and aggregates without GROUP BY where the result needs a key. True when a client asks for
    /// aggregates over everything.
    pub(crate) fn check_grouping(&self, query: &Query, items: &[Item], scope: &Scope, target: Target<'_>) -> Result<bool> {
        let listed = items.iter().find_map(|item| self.aggregate_in(&item.expression));
        let aggregate = listed.or_else(|| self.aggregate_in(query.having.as_ref()?));
        match (&query.group_by, aggregate) {
            (Some(_), None) => Err(SqlError::definition("GROUP BY requires aggregate functions in either the SELECT or HAVING clause.")),
            (None, Some(name)) => {
                let plain: Vec<&Item> = items.iter().filter(|item| self.aggregate_in(&item.expression).is_none()).collect();
                if plain.is_empty() && target == Target::Client {
                    return Ok(true);
                }
                if plain.is_empty() {
                    return Err(SqlError::statement(format!("Use of aggregate function {name} requires a GROUP BY clause.")));
                }
                Err(not_grouped(&plain, scope))
            }
            (None, None) if query.having.is_some() => Err(SqlError::statement("HAVING clause requires a GROUP BY clause.")),
            _ => Ok(false),
        }
    }

    pub(crate) fn group_expressions(&self, query: &Query, scope: &Scope) -> Result<Vec<Expression>> {
        let written = query.group_by.as_deref().unwrap_or_default();
        if written.is_empty() {
            return Err(SqlError::statement("GROUP BY requires at least one expression"));
        }
        written
            .iter()
            .map(|expression| {
                let expression = self.prepare(expression, scope, Clause::GroupBy)?;
                self.check_only_scalars(&expression, Clause::GroupBy)?;
                check_no_bounds(&expression, scope)?;
                Ok(expression)
            })
            .collect()
    }

    /// `states` receives what the calls keep.
    pub(crate) fn aggregate(
        &self,
        keyed: Keyed,
        grouping: Grouping<'_>,
        items: &mut [Item],
        scope: &Scope,
        states: &mut Vec<SqlType>,
    ) -> Result<Keyed> {
        let expressions = items.iter().map(|item| &item.expression).chain(&grouping.having);
        if expressions.into_iter().any(|expression| self.table_function_in(expression).is_some()) {
            return Err(SqlError::statement("Table functions cannot be used with aggregations."));
        }
        let required = required_columns(&grouping, items, scope)?;
        let over_table = keyed.step.kind() == SourceKind::Table;
        let window = grouping.query.window.as_ref().map(window_spec).transpose()?;
        if over_table && window.is_some() {
            return Err(SqlError::statement("Windowing not supported for table aggregations."));
        }
        let input = keyed.step.schema().clone();
        let one_text_key = !over_table && self.wants_text_key(&grouping.by, scope);
        let (GroupKeys { group_by, mut schema, keys }, mut folded) = if one_text_key {
            text_key(&grouping.by, scope)?
        } else {
            self.group_keys(&grouping.by, scope, &input)?
        };
        let originals: Vec<Item> = items.to_vec();
        let mut outside = Vec::new();
        for (item, original) in items.iter_mut().zip(&originals) {
            let (expression, whole) = self.fold(&original.expression, &mut folded, scope)?;
            item.expression = expression;
            if !whole {
                outside.push(original);
            }
        }
        if !outside.is_empty() {
            return Err(not_grouped(&outside, scope));
        }
        let having = match &grouping.having {
            Some(having) => {
                check_no_bounds(having, scope)?;
                let (folded_having, whole) = self.fold(having, &mut folded, scope)?;
                if !whole {
                    let text = bare(&scope.row(having)?);
                    return Err(SqlError::statement(format!("Non-aggregate HAVING expression not part of GROUP BY: {text}")));
                }
                Some(folded_having)
            }
            None => None,
        };
        let (mut calls, mut fixed) = (Vec::new(), Vec::new());
        for (call, column) in &folded.calls {
            let (call, bound) = self.aggregate_call(call, column.clone(), scope, &input)?;
            if over_table && !bound.can_undo && !fixed.contains(&call.function) {
                fixed.push(call.function.clone());
            }
            states.push(bound.state);
            calls.push(call);
        }
        if !fixed.is_empty() {
            let names: Vec<&str> = fixed.iter().map(Name::as_str).collect();
            return Err(SqlError::statement(format!(
                "The aggregation function(s) ({}) cannot be applied to a table source, only to a stream source.",
                names.join(", ")
            )));
        }
        schema.extend(calls.iter().map(|call| Column::new(call.column.clone(), call.result.clone(), Role::Value)));
        if window.is_some() {
            schema.push(Column::new(WINDOWSTART, SqlType::BigInt, Role::WindowBound));
            schema.push(Column::new(WINDOWEND, SqlType::BigInt, Role::WindowBound));
        }
        let schema = Schema::new(schema).map_err(|error| SqlError::statement(error.to_string()))?;
        let unmoved = keyed.keys.len() == grouping.by.len()
            && keyed.keys.iter().zip(&grouping.by).all(|(key, by)| key.equal.contains(by));
        let window_info = window.as_ref().map(WindowInfo::from);
        let aggregate =
            Aggregate { input: Box::new(keyed.step), group_by, window, calls, schema, repartition: !unmoved, required };
        let mut step = Step::Aggregate(aggregate);
        if grouping.query.emit == Some(crate::ast::Emit::Final) {
            step = Step::Suppress(Suppress { input: Box::new(step) });
        }
        if let (Some(predicate), Some(original)) = (having, &grouping.having) {
            self.check_having(&predicate, &scope.row(original)?, step.schema(), &folded, scope)?;
            step = Step::Filter(Filter { input: Box::new(step), predicate, having: true });
        }
        Ok(Keyed { step, keys, origin: KeyOrigin::Group, window: window_info })
    }

    /// One key column for each expression of GROUP BY.
    fn group_keys(&self, by: &[Expression], scope: &Scope, input: &Schema) -> Result<(GroupKeys, Folded)> {
        let mut made = GroupKeys { group_by: Vec::new(), schema: Vec::new(), keys: Vec::new() };
        let mut folded = Folded { keys: Vec::new(), calls: Vec::new() };
        for (index, expression) in by.iter().enumerate() {
            let row_expression = scope.row(expression)?;
            let sql_type = self.column_type(&row_expression, input)?;
            let row: Name = match as_column(&row_expression) {
                Some(column) => column.name.clone(),
                None => format!("KSQL_GROUP_KEY_{index}").into(),
            };
            made.add(bare(&row_expression).into(), row.clone(), sql_type, row_expression);
            folded.keys.push((expression.clone(), row));
        }
        check_duplicates(&made.schema)?;
        Ok((made, folded))
    }

    /// Before 0.15 several expressions made one text key; a setting brings that back where the key's format holds one column only.
    fn wants_text_key(&self, by: &[Expression], scope: &Scope) -> bool {
        let single = scope.sources[0].source.key_format.format == Format::Kafka;
        by.len() > 1 && single && self.settings.flag(Settings::LEGACY_GROUP_KEY) == Some(true)
    }

    /// Replaces group expressions and aggregate calls by their columns. False when a column is left that is neither.
    fn fold(&self, expression: &Expression, folded: &mut Folded, scope: &Scope) -> Result<(Expression, bool)> {
        let mut whole = true;
        let rewritten = expression.clone().rewrite(&mut |part| {
            if let Some((_, row)) = folded.keys.iter().find(|(known, _)| known == part) {
                return Ok(Some(Expression::column(row.clone())));
            }
            match part {
                Expression::Call { function, arguments, .. } if self.is_aggregate(function) => {
                    if let Some(inner) = arguments.iter().find_map(|argument| self.aggregate_in(argument)) {
                        return Err(SqlError::statement(format!("Aggregate functions can not be nested: {function}({inner}())")));
                    }
                    arguments.iter().try_for_each(|argument| check_no_bounds(argument, scope))?;
                    let known = folded.calls.iter().find(|(known, _)| known == part).map(|(_, column)| column.clone());
                    let column = known.unwrap_or_else(|| {
                        let column = Name::from(format!("KSQL_AGG_VARIABLE_{}", folded.calls.len()));
                        folded.calls.push((part.clone(), column.clone()));
                        column
                    });
                    Ok(Some(Expression::column(column)))
                }
                Expression::Column(column) => {
                    whole &= column.source.is_none() && scope.window_bounds;
                    Ok(None)
                }
                _ => Ok::<_, SqlError>(None),
            }
        })?;
        Ok((rewritten, whole))
    }

    fn aggregate_call(&self, call: &Expression, column: Name, scope: &Scope, input: &Schema) -> Result<(AggregateCall, BoundCall)> {
        let Expression::Call { function, arguments, .. } = call else {
            return Err(SqlError::statement(format!("Not an aggregate: {}", bare(call))));
        };
        let mut arguments = arguments.iter().map(|argument| scope.row(argument)).collect::<Result<Vec<_>>>()?;
        if arguments.is_empty() && function == "COUNT" {
            // COUNT(*) counts rows; every row has a time.
            arguments.extend(row_time(scope));
        }
        let bound = self.aggregate_result(function, &arguments, input)?;
        let (result, argument_types) = (bound.result.clone(), bound.argument_types.clone());
        Ok((AggregateCall { function: function.clone(), arguments, argument_types, column, result }, bound))
    }

    /// Messages speak of the calls, not of the columns that hold them.
    fn check_having(&self, predicate: &Expression, shown: &Expression, schema: &Schema, folded: &Folded, scope: &Scope) -> Result<()> {
        self.check_condition(predicate, schema, Clause::Having, shown).map_err(|mut error| {
            for (call, column) in folded.calls.iter().rev() {
                if let Ok(call) = scope.row(call) {
                    error.message = error.message.replace(column.as_str(), &bare(&call));
                }
            }
            error
        })
    }
}

fn row_time(scope: &Scope) -> Option<Expression> {
    let column = scope.sources.first()?.columns.iter().find(|column| column.name == ROWTIME)?;
    Some(Expression::column(column.row.clone()))
}

fn not_grouped(items: &[&Item], scope: &Scope) -> SqlError {
    let texts: Vec<String> = items.iter().map(|item| scope.row(&item.expression).map_or_else(|_| bare(&item.expression), |row| bare(&row))).collect();
    SqlError::statement(format!(
        "Non-aggregate SELECT expression(s) not part of GROUP BY: {}\nEither add the column(s) to the GROUP BY or remove them from the SELECT.",
        texts.join(", ")
    ))
}

/// The bounds of a window exist behind the aggregation only.
fn check_no_bounds(expression: &Expression, scope: &Scope) -> Result<()> {
    let bound = expression.columns().into_iter().find(|column| column.source.is_none() && scope.window_bounds);
    match bound {
        Some(column) => Err(SqlError::statement(format!(
            "Window bounds column {} can only be used in the SELECT clause of windowed aggregations and can not be passed to aggregate functions.\nSee https://github.com/confluentinc/ksql/issues/4397",
            column.name
        ))),
        None => Ok(()),
    }
}

/// The input columns that the query reads, in the order in which its clauses name them.
fn required_columns(grouping: &Grouping<'_>, items: &[Item], scope: &Scope) -> Result<Vec<Name>> {
    let listed = items.iter().map(|item| &item.expression);
    let clauses = listed.chain(&grouping.filter).chain(&grouping.by).chain(&grouping.having);
    let mut required: Vec<Name> = Vec::new();
    for expression in clauses {
        let mut found = Vec::new();
        scope.row(expression)?.walk(&mut |part| match part {
            Expression::Column(column) => found.push(column.name.clone()),
            Expression::Call { function, arguments, .. } if arguments.is_empty() && function == "COUNT" => {
                found.extend(row_time(scope).as_ref().and_then(as_column).map(|column| column.name.clone()));
            }
            _ => {}
        });
        for name in found {
            if !required.contains(&name) {
                required.push(name);
            }
        }
    }
    Ok(required)
}
