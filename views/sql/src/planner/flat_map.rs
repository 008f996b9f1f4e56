//! Table functions in the SELECT list.

use crate::ast::Expression;
use crate::error::{Result, SqlError};
use crate::functions::FunctionKind;
use crate::name::Name;
use crate::plan::{FlatMap, SourceKind, Step, TableCall};
use crate::planner::Planner;
use crate::planner::project::Keyed;
use crate::planner::scope::Scope;
use crate::planner::select::Item;
use crate::schema::{Column, Role, Schema};

impl Planner<'_> {
    /// Puts a flat map below the projection when the list calls table functions; the items then read its columns.
    pub(crate) fn flat_map(&self, keyed: Keyed, items: &mut [Item], scope: &Scope) -> Result<Keyed> {
        let mut calls: Vec<(Expression, TableCall)> = Vec::new();
        let input = keyed.step.schema().clone();
        for item in items.iter_mut() {
            self.check_no_cases(&item.expression)?;
            let expression = std::mem::replace(&mut item.expression, Expression::Null);
            item.expression = expression.rewrite(&mut |part| match part {
                Expression::Call { function, arguments, .. } if self.function_kind(function) == Some(FunctionKind::Table) => {
                    if let Some(column) = calls.iter().find(|(known, _)| known == part).map(|(_, call)| call.column.clone()) {
                        return Ok(Some(Expression::column(column)));
                    }
                    let column = Name::from(format!("KSQL_SYNTH_{}", calls.len()));
                    let call = self.table_call(function, arguments, column.clone(), scope, &input)?;
                    calls.push((part.clone(), call));
                    Ok(Some(Expression::column(column)))
                }
                _ => Ok::<_, SqlError>(None),
            })?;
        }
        if calls.is_empty() {
            return Ok(keyed);
        }
        if keyed.step.kind() == SourceKind::Table {
            return Err(SqlError::statement("Table source is not supported with table functions"));
        }
        let calls: Vec<TableCall> = calls.into_iter().map(|(_, call)| call).collect();
        let mut columns = input.columns().to_vec();
        columns.extend(calls.iter().map(|call| Column::new(call.column.clone(), call.result.clone(), Role::Value)));
        let schema = Schema::new(columns).map_err(|error| SqlError::statement(error.to_string()))?;
        let step = Step::FlatMap(FlatMap { input: Box::new(keyed.step), calls, schema });
        Ok(Keyed { step, ..keyed })
    }

    /// Which branch is taken is known per row, how many rows a function makes is not.
    fn check_no_cases(&self, expression: &Expression) -> Result<()> {
        let mut found = None;
        expression.walk(&mut |part| {
            if matches!(part, Expression::SearchedCase { .. } | Expression::SimpleCase { .. }) && found.is_none() {
                found = self.table_function_in(part);
            }
        });
        match found {
            Some(name) => Err(SqlError::statement(format!("Table functions cannot be used in CASE: {name}"))),
            None => Ok(()),
        }
    }

    fn table_call(&self, function: &Name, arguments: &[Expression], column: Name, scope: &Scope, input: &Schema) -> Result<TableCall> {
        if let Some(inner) = arguments.iter().find_map(|argument| self.table_function_in(argument)) {
            return Err(SqlError::statement(format!("Table functions can not be nested: {function}({inner}())")));
        }
        let arguments = arguments.iter().map(|argument| scope.row(argument)).collect::<Result<Vec<_>>>()?;
        let result = self.table_result(function, &arguments, input)?;
        Ok(TableCall { function: function.clone(), arguments, column, result })
    }
}
