//! Table functions: their ARRAY result becomes rows.

use super::call::{Call, Row, strict};
use crate::expr::EvalError;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Row] = &[
    Row {
        name: "EXPLODE",
        category: "TABLE",
        about: "One row for each element of the array.",
        overloads: &[strict("(list ARRAY<T>) -> ARRAY<T>", |call| Ok(call.value(0).clone()))],
    },
    Row {
        name: "CUBE_EXPLODE",
        category: "TABLE",
        about: "One row for each combination in which elements of the array stay or become null.",
        overloads: &[strict("(columns ARRAY<T>) -> ARRAY<ARRAY<T>>", cube)],
    },
];

/// Elements that are null already have no second form. The last element changes fastest.
fn cube(call: &Call<'_>) -> Result<Value, EvalError> {
    let columns = call.array(0)?;
    let present = columns.iter().filter(|column| !column.is_null()).count();
    let rows = 1usize.checked_shl(present as u32).filter(|_| present < 32).unwrap_or(usize::MAX);
    call.context.check_result(rows.saturating_mul(columns.len().max(1)), 0)?;
    Ok(Value::array((0..rows).map(|row| {
        let mut bit = present;
        Value::array(columns.iter().map(|column| {
            if column.is_null() {
                return Value::Null;
            }
            bit -= 1;
            if row >> bit & 1 == 1 { column.clone() } else { Value::Null }
        }))
    })))
}
