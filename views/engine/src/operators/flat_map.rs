//! Table functions: a row becomes as many rows as the longest result has; the shorter ones are padded with null.

use millrace_sql::value::Value;

use crate::error::EngineError;
use crate::operators::{Context, Operator, Port, Scalars};
use crate::row::{Change, Row};

pub struct FlatMap {
    /// One per call, each giving an array; a failing call gives no rows.
    pub calls: Scalars,
}

impl FlatMap {
    fn rows(&self, row: &Row, context: &mut Context<'_>) -> Vec<Row> {
        let results: Vec<Value> = self.calls.eval_all(row, context);
        let lists: Vec<&[Value]> = results
            .iter()
            .map(|result| match result {
                Value::Array(values) => &**values,
                _ => &[],
            })
            .collect();
        let longest = lists.iter().map(|list| list.len()).max().unwrap_or(0);
        let at = |list: &&[Value], position: usize| list.get(position).cloned().unwrap_or_default();
        (0..longest)
            .map(|position| row.iter().cloned().chain(lists.iter().map(|list| at(list, position))).collect())
            .collect()
    }
}

impl Operator for FlatMap {
    fn process(&self, _: Port, change: Change, context: &mut Context<'_>, out: &mut Vec<Change>) -> Result<(), EngineError> {
        let Some(row) = &change.new else { return Ok(()) };
        for row in self.rows(row, context) {
            out.push(change.with_rows(Some(row), None));
        }
        Ok(())
    }
}
