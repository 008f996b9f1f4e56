//! Expressions as operators use them.

use millrace_sql::expr::{EvalError, Expr};
use millrace_sql::value::Value;

use crate::operators::Context;
use crate::row::Key;

/// One compiled expression over a row.
pub struct Scalar(pub Expr);

impl Scalar {
    pub fn try_eval(&self, row: &[Value], context: &mut Context<'_>) -> Result<Value, EvalError> {
        let result = self.0.eval(row, &context.eval);
        context.drain_swallowed();
        result
    }

    /// The value, or null and a line in the log.
    pub fn eval(&self, row: &[Value], context: &mut Context<'_>) -> Value {
        match self.try_eval(row, context) {
            Ok(value) => value,
            Err(error) => {
                context.note(error.to_string());
                Value::Null
            }
        }
    }

    pub fn is_true(&self, row: &[Value], context: &mut Context<'_>) -> bool {
        self.eval(row, context) == Value::Boolean(true)
    }
}

/// Several expressions over the same row.
pub struct Scalars(pub Vec<Scalar>);

impl Scalars {
    pub fn eval_all<T: FromIterator<Value>>(&self, row: &[Value], context: &mut Context<'_>) -> T {
        self.0.iter().map(|scalar| scalar.eval(row, context)).collect()
    }

    /// All values, or nothing when any is null or fails: the rule of GROUP BY.
    pub fn eval_group(&self, row: &[Value], context: &mut Context<'_>) -> Option<Key> {
        let mut belongs = true;
        let values = self.0.iter().map(|scalar| {
            let value = if belongs { scalar.eval(row, context) } else { Value::Null };
            belongs &= value != Value::Null;
            value
        });
        let values = values.collect();
        belongs.then_some(values)
    }
}
