//! A list as a state: an ARRAY of ARRAYs of bounded length, so that a longer list shares all but its last part with the shorter one.
//!
//! Adding to a plain array copies it; groups that collect many values would cost the square of their size.

use super::items;
use crate::types::SqlType;
use crate::value::Value;

/// Elements in a part: what one addition copies, beside the list of parts.
pub(super) const PART: usize = 256;

pub(super) fn state_type(element: SqlType) -> SqlType {
    SqlType::array(SqlType::array(element))
}

pub(super) fn empty() -> Value {
    Value::array([])
}

pub(super) fn len(list: &Value) -> usize {
    items(list).iter().map(|part| items(part).len()).sum()
}

pub(super) fn iter(list: &Value) -> impl DoubleEndedIterator<Item = &Value> {
    items(list).iter().flat_map(items)
}

/// The list with one more element.
pub(super) fn push(list: &Value, value: Value) -> Value {
    let parts = items(list);
    match parts.split_last() {
        Some((last, before)) if items(last).len() < PART => {
            let longer = Value::array(items(last).iter().cloned().chain([value]));
            Value::array(before.iter().cloned().chain([longer]))
        }
        _ => Value::array(parts.iter().cloned().chain([Value::array([value])])),
    }
}

/// All parts but the last are full.
pub(super) fn collect(values: impl IntoIterator<Item = Value>) -> Value {
    let mut parts = Vec::new();
    let mut part = Vec::new();
    for value in values {
        part.push(value);
        if part.len() == PART {
            parts.push(Value::array(std::mem::take(&mut part)));
        }
    }
    if !part.is_empty() {
        parts.push(Value::array(part));
    }
    Value::array(parts)
}

/// The element at a place of a list whose parts are full.
pub(super) fn at(list: &Value, place: usize) -> Option<&Value> {
    items(items(list).get(place / PART)?).get(place % PART)
}

/// The list as the plain array that is shown.
pub(super) fn array(list: &Value) -> Value {
    match items(list) {
        [only] => only.clone(),
        _ => Value::array(iter(list).cloned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_part_by_part() {
        let numbers = || (0..2 * PART as i32 + 3).map(Value::Int);
        let pushed = numbers().fold(empty(), |list, number| push(&list, number));
        assert_eq!(pushed, collect(numbers()));
        assert_eq!(array(&pushed), Value::array(numbers()));
        assert_eq!(len(&pushed), 2 * PART + 3);
        assert_eq!(at(&pushed, PART + 1), Some(&Value::Int(PART as i32 + 1)));
        assert_eq!(at(&pushed, 9 * PART), None);
        assert_eq!(array(&empty()), Value::array([]));
    }
}
