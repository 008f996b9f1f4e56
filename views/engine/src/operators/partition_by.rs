//! PARTITION BY: a new key for a stream.
//!
//! A null or failing expression gives a null key column; a lone null column is a null key. A record without a value is re-keyed from
//! its old key alone.

use std::sync::Arc;

use millrace_sql::value::Value;

use crate::error::EngineError;
use crate::operators::{Context, Operator, Port, Scalars};
use crate::row::Change;

pub struct PartitionBy {
    /// In the order of the output's schema.
    pub columns: Scalars,
    /// Where the key columns stand in the output.
    pub keys: Vec<usize>,
    /// Where the input's key columns stand in its rows, and how wide those are.
    pub input_keys: Vec<usize>,
    pub input_width: usize,
}

impl Operator for PartitionBy {
    fn process(&self, _: Port, change: Change, context: &mut Context<'_>, out: &mut Vec<Change>) -> Result<(), EngineError> {
        let valued = change.new.is_some();
        let row = change.new.unwrap_or_else(|| {
            let mut bare = vec![Value::Null; self.input_width];
            for (at, value) in self.input_keys.iter().zip(change.key.iter().flat_map(|key| key.iter())) {
                bare[*at] = value.clone();
            }
            bare.into()
        });
        let row: Vec<Value> = self.columns.eval_all(&row, context);
        let key: Arc<[Value]> = self.keys.iter().map(|at| row[*at].clone()).collect();
        let absent = matches!(&*key, [] | [Value::Null]);
        out.push(Change {
            key: (!absent).then_some(key),
            window: None,
            new: valued.then(|| row.into()),
            old: None,
            timestamp: change.timestamp,
        });
        Ok(())
    }
}
