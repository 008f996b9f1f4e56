//! MASK and its kin: characters replaced by one that tells their class.

use super::call::{Call, Row, lenient};
use crate::expr::EvalError;
use crate::value::Value;

/// A family member, plain and with the four replacements given.
macro_rules! mask_row {
    ($name:literal, $about:literal, $first:literal, $body:expr, $replacements_at:literal) => {
        Row {
            name: $name,
            category: "STRING",
            about: $about,
            overloads: &[
                lenient(concat!("(", $first, ") -> STRING"), |call| $body(call, $replacements_at)),
                lenient(
                    concat!("(", $first, ", upper STRING, lower STRING, digit STRING, other STRING) -> STRING"),
                    |call| $body(call, $replacements_at),
                ),
            ],
        }
    };
}

pub(super) const FUNCTIONS: &[Row] = &[
    mask_row!(
        "mask",
        "Upper-case letters as X, lower-case as x, digits as n, others as -; other replacements may be given, null keeps.",
        "input STRING",
        mask_all,
        1
    ),
    mask_row!("mask_left", "The first characters masked, as MASK does.", "input STRING, numChars INT", mask_left, 2),
    mask_row!("mask_right", "The last characters masked, as MASK does.", "input STRING, numChars INT", mask_right, 2),
    mask_row!(
        "mask_keep_left",
        "All but the first characters masked, as MASK does.",
        "input STRING, numChars INT",
        mask_keep_left,
        2
    ),
    mask_row!(
        "mask_keep_right",
        "All but the last characters masked, as MASK does.",
        "input STRING, numChars INT",
        mask_keep_right,
        2
    ),
];

/// Replacements for upper-case letters, lower-case letters, digits and the rest; nothing keeps the character.
type Replacements = [Option<char>; 4];

fn replacements(call: &Call<'_>, at: usize) -> Replacements {
    if call.len() <= at {
        return [Some('X'), Some('x'), Some('n'), Some('-')];
    }
    [0, 1, 2, 3].map(|class| call.value(at + class).as_str().and_then(|text| text.chars().next()))
}

fn masked(c: char, replacements: &Replacements) -> char {
    let class = if c.is_uppercase() {
        0
    } else if c.is_lowercase() {
        1
    } else if c.is_numeric() {
        2
    } else {
        3
    };
    replacements[class].unwrap_or(c)
}

/// Masks the characters whose position lies in the range that `range` picks from the length and the count.
fn mask(call: &Call<'_>, at: usize, range: fn(usize, usize) -> std::ops::Range<usize>) -> Result<Value, EvalError> {
    let Value::String(text) = call.value(0) else { return Ok(Value::Null) };
    let count = match call.value(1) {
        _ if at == 1 => 0,
        Value::Int(n) if *n >= 0 => *n as usize,
        Value::Int(_) => return Err(EvalError::new("function mask requires a non-negative number of characters")),
        _ => return Ok(Value::Null),
    };
    let replacements = replacements(call, at);
    let length = text.chars().count();
    let range = range(length, count.min(length));
    let masked: String =
        text.chars().enumerate().map(|(n, c)| if range.contains(&n) { masked(c, &replacements) } else { c }).collect();
    Ok(masked.into())
}

fn mask_all(call: &Call<'_>, at: usize) -> Result<Value, EvalError> {
    mask(call, at, |length, _| 0..length)
}

fn mask_left(call: &Call<'_>, at: usize) -> Result<Value, EvalError> {
    mask(call, at, |_, count| 0..count)
}

fn mask_right(call: &Call<'_>, at: usize) -> Result<Value, EvalError> {
    mask(call, at, |length, count| length - count..length)
}

fn mask_keep_left(call: &Call<'_>, at: usize) -> Result<Value, EvalError> {
    mask(call, at, |length, count| count..length)
}

fn mask_keep_right(call: &Call<'_>, at: usize) -> Result<Value, EvalError> {
    mask(call, at, |length, count| 0..length - count)
}
