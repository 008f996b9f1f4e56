//! Strings. Positions and lengths count UTF-16 units, as Java's do.

use super::call::{Call, Row, lenient, strict};
use crate::expr::EvalError;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Row] = &[
    Row {
        name: "lcase",
        category: "STRING",
        about: "The text in lower case.",
        overloads: &[strict("(input STRING) -> STRING", |call| Ok(call.str(0)?.to_lowercase().into()))],
    },
    Row {
        name: "ucase",
        category: "STRING",
        about: "The text in upper case.",
        overloads: &[strict("(input STRING) -> STRING", |call| Ok(call.str(0)?.to_uppercase().into()))],
    },
    Row {
        name: "len",
        category: "STRING",
        about: "The length of a text in UTF-16 units, or of bytes.",
        overloads: &[
            strict("(input STRING) -> INT", |call| Ok(Value::Int(utf16_len(call.str(0)?) as i32))),
            strict("(input BYTES) -> INT", |call| Ok(Value::Int(call.bytes(0)?.len() as i32))),
        ],
    },
    Row {
        name: "trim",
        category: "STRING",
        about: "The text without the whitespace around it.",
        overloads: &[strict("(input STRING) -> STRING", |call| Ok(call.str(0)?.trim_matches(|c| c <= ' ').into()))],
    },
    Row {
        name: "substring",
        category: "STRING",
        about: "The part that begins at a position (from 1; negative from the end), up to a length.",
        overloads: &[
            strict("(str STRING, pos INT) -> STRING", substring),
            strict("(str STRING, pos INT, length INT) -> STRING", substring),
            strict("(bytes BYTES, pos INT) -> BYTES", subbytes),
            strict("(bytes BYTES, pos INT, length INT) -> BYTES", subbytes),
        ],
    },
    Row {
        name: "concat",
        category: "STRING",
        about: "All arguments joined; nulls are skipped.",
        overloads: &[
            lenient("(inputs STRING...) -> STRING", |call| concat_text(call, 0, "")),
            lenient("(inputs BYTES...) -> BYTES", |call| concat_bytes(call, 0, &[])),
        ],
    },
    Row {
        name: "concat_ws",
        category: "STRING",
        about: "All arguments after the first joined, with the first between them; nulls are skipped.",
        overloads: &[
            lenient("(inputs STRING...) -> STRING", |call| match call.value(0) {
                _ if call.len() < 2 => Err(too_few()),
                Value::Null => Ok(Value::Null),
                _ => concat_text(call, 1, call.str(0)?),
            }),
            lenient("(inputs BYTES...) -> BYTES", |call| match call.value(0) {
                _ if call.len() < 2 => Err(too_few()),
                Value::Null => Ok(Value::Null),
                _ => concat_bytes(call, 1, call.bytes(0)?),
            }),
        ],
    },
    Row {
        name: "initcap",
        category: "STRING",
        about: "Each word's first letter in upper case, the others in lower case.",
        overloads: &[strict("(str STRING) -> STRING", initcap)],
    },
    Row {
        name: "instr",
        category: "STRING",
        about: "Where a text occurs (from 1; 0 when it does not): the n-th occurrence from a position, backwards from a negative one.",
        overloads: &[
            lenient("(str STRING, substring STRING) -> INT", instr),
            lenient("(str STRING, substring STRING, position INT) -> INT", instr),
            lenient("(str STRING, substring STRING, position INT, occurrence INT) -> INT", instr),
        ],
    },
    Row {
        name: "replace",
        category: "STRING",
        about: "The text with every occurrence of another text replaced.",
        overloads: &[strict("(str STRING, oldStr STRING, newStr STRING) -> STRING", replace)],
    },
    Row {
        name: "Chr",
        category: "STRING",
        about: "The character of a code point, or of an escape such as \\u004B.",
        overloads: &[
            strict("(decimalCode INT) -> STRING", |call| Ok(char_text(u32::try_from(call.int(0)?).ok()))),
            strict("(utf16Code STRING) -> STRING", chr_escape),
        ],
    },
    Row {
        name: "elt",
        category: "STRING",
        about: "The n-th (from 1) of the texts that follow.",
        overloads: &[lenient("(n INT, args STRING...) -> STRING", |call| {
            let position = match call.value(0) {
                Value::Int(n) if *n >= 1 => *n as usize,
                _ => return Ok(Value::Null),
            };
            Ok(call.value(position).clone())
        })],
    },
    Row {
        name: "field",
        category: "STRING",
        about: "Where the first text (from 1) stands among the others; 0 when it does not.",
        overloads: &[lenient("(str STRING, args STRING...) -> INT", |call| {
            let wanted = call.value(0);
            let found = if wanted.is_null() { None } else { call.arguments.iter().skip(1).position(|arg| arg == wanted) };
            Ok(Value::Int(found.map_or(0, |position| position as i32 + 1)))
        })],
    },
];

fn too_few() -> EvalError {
    EvalError::new("Function Concat_WS expects at least two input arguments.")
}

pub(super) fn utf16_len(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().map(char::len_utf16).sum() }
}

/// Units `from..to`; half a surrogate pair becomes the replacement character.
pub(super) fn utf16_slice(text: &str, from: usize, to: usize) -> String {
    if text.is_ascii() {
        return text[from.min(text.len())..to.min(text.len())].to_owned();
    }
    let units: Vec<u16> = text.encode_utf16().skip(from).take(to.saturating_sub(from)).collect();
    String::from_utf16_lossy(&units)
}

/// The half-open range that SUBSTRING means over `length` units.
fn range(call: &Call<'_>, length: usize) -> Result<(usize, usize), EvalError> {
    let (position, length) = (i64::from(call.int(1)?), length as i64);
    let start = if position >= 0 { (position - 1).max(0).min(length) } else { (length + position).max(0) };
    let end = if call.len() > 2 { (start + i64::from(call.int(2)?).max(0)).min(length) } else { length };
    Ok((start as usize, end.max(start) as usize))
}

fn substring(call: &Call<'_>) -> Result<Value, EvalError> {
    let text = call.str(0)?;
    let (start, end) = range(call, utf16_len(text))?;
    Ok(utf16_slice(text, start, end).into())
}

fn subbytes(call: &Call<'_>) -> Result<Value, EvalError> {
    let bytes = call.bytes(0)?;
    let (start, end) = range(call, bytes.len())?;
    Ok(Value::Bytes(bytes.slice(start..end)))
}

fn concat_text(call: &Call<'_>, from: usize, separator: &str) -> Result<Value, EvalError> {
    let parts: Vec<&str> = call.arguments.iter().skip(from).filter_map(Value::as_str).collect();
    call.context.check_result(0, parts.iter().map(|part| part.len() + separator.len()).sum())?;
    Ok(parts.join(separator).into())
}

fn concat_bytes(call: &Call<'_>, from: usize, separator: &[u8]) -> Result<Value, EvalError> {
    let parts = call.arguments.iter().skip(from).filter_map(|argument| match argument {
        Value::Bytes(bytes) => Some(bytes.as_ref()),
        _ => None,
    });
    let parts: Vec<&[u8]> = parts.collect();
    call.context.check_result(0, parts.iter().map(|part| part.len() + separator.len()).sum())?;
    Ok(parts.join(separator).into())
}

/// What `\s` means in a Java pattern.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r')
}

fn initcap(call: &Call<'_>) -> Result<Value, EvalError> {
    let mut result = String::with_capacity(call.str(0)?.len());
    let mut first = true;
    // Whitespace in front of the first word is lost.
    for c in call.str(0)?.to_lowercase().trim_start_matches(is_space).chars() {
        if first {
            result.extend(c.to_uppercase());
        } else {
            result.push(c);
        }
        first = is_space(c);
    }
    Ok(result.into())
}

fn instr(call: &Call<'_>) -> Result<Value, EvalError> {
    let (Value::String(text), Value::String(wanted)) = (call.value(0), call.value(1)) else { return Ok(Value::Int(0)) };
    let number = |position: usize| match call.value(position) {
        Value::Int(n) => i64::from(*n),
        _ => 1,
    };
    let (position, occurrence) = (number(2), number(3));
    let (text, wanted): (Vec<u16>, Vec<u16>) = (text.encode_utf16().collect(), wanted.encode_utf16().collect());
    if position == 0 || occurrence < 1 || wanted.len() > text.len() {
        return Ok(Value::Int(0));
    }
    let last = text.len() - wanted.len();
    let matches = |start: &usize| text[*start..*start + wanted.len()] == wanted[..];
    let nth = (occurrence - 1) as usize;
    let found = if position > 0 {
        ((position - 1) as usize..=last).filter(matches).nth(nth)
    } else {
        match usize::try_from(text.len() as i64 + position) {
            Ok(from) => (0..=from.min(last)).rev().filter(matches).nth(nth),
            Err(_) => None,
        }
    };
    Ok(Value::Int(found.map_or(0, |start| start as i32 + 1)))
}

fn replace(call: &Call<'_>) -> Result<Value, EvalError> {
    let (text, old, new) = (call.str(0)?, call.str(1)?, call.str(2)?);
    // As in Java an empty text occurs before and behind every character.
    let grown = text.matches(old).count().saturating_mul(new.len());
    call.context.check_result(0, text.len().saturating_add(grown))?;
    Ok(text.replace(old, new).into())
}

fn char_text(code: Option<u32>) -> Value {
    code.and_then(char::from_u32).map(|c| c.to_string()).into()
}

/// A text that begins with an escape such as `\u004B`; all such escapes in it are resolved, the rest stays.
fn chr_escape(call: &Call<'_>) -> Result<Value, EvalError> {
    let text = call.str(0)?;
    if text.len() < 6 || !text.starts_with("\\u") {
        return Ok(Value::Null);
    }
    let mut units: Vec<u16> = Vec::new();
    for part in text.split("\\u").skip(1) {
        let digits = part.trim_start_matches('u');
        let unit = digits.get(..4).and_then(|digits| u16::from_str_radix(digits, 16).ok());
        let Some(unit) = unit.filter(|_| digits.is_char_boundary(4)) else {
            return Err(EvalError::new(format!("Unable to parse unicode value: {part}")));
        };
        units.push(unit);
        units.extend(digits[4..].encode_utf16());
    }
    Ok(String::from_utf16_lossy(&units).into())
}
