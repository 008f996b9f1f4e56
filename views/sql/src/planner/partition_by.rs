//! PARTITION BY: a stream's new key.

use crate::ast::{Expression, PartitionBy as PartitionClause};
use crate::error::{Result, SqlError};
use crate::format::bare;
use crate::functions::FunctionKind;
use crate::plan::{PartitionBy, SourceColumn, SourceKind, Step};
use crate::planner::Planner;
use crate::planner::column_refs::as_column;
use crate::planner::naming::Namer;
use crate::planner::project::{KeyColumn, KeyOrigin, Keyed, check_duplicates, map_key};
use crate::planner::scope::{Clause, Scope};
use crate::planner::select::Item;
use crate::schema::{Column, Role, Schema};

impl Planner<'_> {
    /// The clause's expressions, qualified and allowed. `PARTITION BY NULL` gives none.
    pub(crate) fn partition_expressions(&self, clause: &PartitionClause, scope: &Scope) -> Result<Vec<Expression>> {
        if clause.expressions.is_empty() {
            return Err(SqlError::statement("PARTITION BY requires at least one expression"));
        }
        let mut expressions = Vec::with_capacity(clause.expressions.len());
        for expression in &clause.expressions {
            let expression = self.prepare(expression, scope, Clause::PartitionBy)?;
            self.check_only_scalars(&expression, Clause::PartitionBy)?;
            expressions.push(expression);
        }
        if !expressions.contains(&Expression::Null) {
            return Ok(expressions);
        }
        if expressions.len() > 1 {
            return Err(SqlError::statement("Cannot PARTITION BY multiple columns including NULL"));
        }
        Ok(Vec::new())
    }

    /// GROUP BY and PARTITION BY take neither aggregates nor table functions.
    pub(crate) fn check_only_scalars(&self, expression: &Expression, clause: Clause) -> Result<()> {
        let words = clause.words();
        if let Some(name) = self.aggregate_in(expression) {
            return Err(SqlError::statement(format!("{words} does not support aggregate functions: {name} is an aggregate function.")));
        }
        if let Some(name) = self.table_function_in(expression) {
            return Err(SqlError::statement(format!("{words} does not support table functions: {name} is a table function.")));
        }
        Ok(())
    }

    /// The columns that the clause adds in front of `*`: keys that are no source's column and that no item names.
    pub(crate) fn partition_items(&self, expressions: &[Expression], listed: &[Expression], scope: &Scope, namer: &mut Namer) -> Vec<Item> {
        let in_star = |expression: &Expression| {
            let column = as_column(expression).and_then(|column| scope.column(column));
            column.is_some_and(|column| scope.is_join() || matches!(column.from, SourceColumn::Declared(_)))
        };
        let made = expressions.iter().filter(|expression| !in_star(expression) && !listed.contains(expression));
        made.map(|expression| Item { expression: expression.clone(), alias: namer.name(expression, scope) }).collect()
    }

    pub(crate) fn partition(&self, keyed: Keyed, expressions: &[Expression], items: &[Item], scope: &Scope) -> Result<Keyed> {
        if keyed.step.kind() == SourceKind::Table {
            return Err(fixed_key(&keyed, expressions, scope));
        }
        let unchanged = matches!(expressions, [only] if keyed.is_key(only));
        if unchanged {
            let keys = keyed.keys.into_iter().map(|key| KeyColumn { viable: expressions.to_vec(), ..key }).collect();
            return Ok(Keyed { keys, origin: KeyOrigin::Partition, ..keyed });
        }
        if keyed.window.is_some() {
            return Err(SqlError::statement(
                "Implicit repartitioning of windowed sources is not supported. See https://github.com/confluentinc/ksql/issues/4385.",
            ));
        }
        let input = keyed.step.schema().clone();
        let (mut columns, mut schema, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        for (index, expression) in expressions.iter().enumerate() {
            let row_expression = scope.row(expression)?;
            let sql_type = self.column_type(&row_expression, &input)?;
            let row = match as_column(&row_expression) {
                Some(column) => column.name.clone(),
                None => format!("KSQL_PARTITION_KEY_{index}").into(),
            };
            let alias = items.iter().find(|item| item.expression == *expression).map(|item| item.alias.clone());
            let name = alias.filter(|_| as_column(expression).is_none()).unwrap_or_else(|| row.clone());
            if sql_type.contains_map() {
                return Err(map_key(&name, &sql_type));
            }
            columns.push(row_expression);
            schema.push(Column::new(row.clone(), sql_type.clone(), Role::Key));
            let itself = vec![expression.clone()];
            keys.push(KeyColumn { name, row, sql_type, viable: itself.clone(), equal: itself });
        }
        check_duplicates(&schema)?;
        for column in input.columns() {
            if !schema.iter().any(|key: &Column| key.name == column.name) {
                columns.push(Expression::column(column.name.clone()));
                schema.push(Column { role: Role::Value, ..column.clone() });
            }
        }
        let schema = Schema::new(schema).map_err(|error| SqlError::statement(error.to_string()))?;
        let step = Step::PartitionBy(PartitionBy { input: Box::new(keyed.step), columns, schema, internal: false });
        Ok(Keyed { step, keys, origin: KeyOrigin::Partition, window: None })
    }

    pub(crate) fn is_aggregate(&self, name: &crate::name::Name) -> bool {
        self.function_kind(name) == Some(FunctionKind::Aggregate)
    }
}

/// A table's rows are found by their key, which therefore stays.
pub(crate) fn fixed_key(keyed: &Keyed, expressions: &[Expression], scope: &Scope) -> SqlError {
    let why = match keyed.keys.as_slice() {
        [key] => {
            let wanted: Vec<String> = expressions.iter().map(|expression| scope.row(expression).map_or_else(|_| bare(expression), |row| bare(&row))).collect();
            format!("make sure that the criteria uses the TABLE's key column {} instead of [{}]", key.row, wanted.join(", "))
        }
        _ => "joins on tables with multiple columns is not yet supported.".to_string(),
    };
    SqlError::statement(format!("Cannot repartition a TABLE source. If this is a join, {why}"))
}
