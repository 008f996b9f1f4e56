//! Texts compared with ROWTIME, WINDOWSTART and WINDOWEND are points in time.

use crate::ast::{Expression, Position};
use crate::cast::parse_timestamp;
use crate::error::{Result, SqlError};
use crate::planner::Planner;
use crate::schema::{ROWTIME, WINDOWEND, WINDOWSTART};

impl Planner<'_> {
    /// Replaces such texts by milliseconds, in comparisons and BETWEEN.
    pub(crate) fn replace_times(&self, condition: Expression) -> Result<Expression> {
        condition.rewrite(&mut |part| match part {
            Expression::Comparison { operator, left, right, position } => {
                let (left_time, right_time) = (is_time(left), is_time(right));
                if !left_time && !right_time {
                    return Ok(None);
                }
                let left = Box::new(if right_time { as_millis(left)? } else { (**left).clone() });
                let right = Box::new(if left_time { as_millis(right)? } else { (**right).clone() });
                Ok(Some(Expression::Comparison { operator: *operator, left, right, position: *position }))
            }
            Expression::Between { value, low, high } if is_time(value) => Ok(Some(Expression::Between {
                value: value.clone(),
                low: Box::new(as_millis(low)?),
                high: Box::new(as_millis(high)?),
            })),
            _ => Ok(None),
        })
    }
}

fn is_time(expression: &Expression) -> bool {
    matches!(expression, Expression::Column(column) if [ROWTIME, WINDOWSTART, WINDOWEND].contains(&column.name.as_str()))
}

fn as_millis(expression: &Expression) -> Result<Expression> {
    let Expression::String(text) = expression else { return Ok(expression.clone()) };
    match parse_timestamp(text) {
        Ok(millis) => Ok(Expression::Bigint(millis)),
        Err(error) => Err(SqlError { position: Some(Position::NOWHERE), ..SqlError::statement(format!("Failed to parse timestamp '{text}': {error}")) }),
    }
}
