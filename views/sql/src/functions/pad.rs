//! LPAD and RPAD.

use super::call::{Call, Row, strict};
use super::string::{utf16_len, utf16_slice};
use crate::expr::EvalError;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Row] = &[
    Row {
        name: "lpad",
        category: "STRING",
        about: "Padded at the left, or cut, to a length.",
        overloads: &[
            strict("(input STRING, targetLen INT, padding STRING) -> STRING", |call| pad_text(call, true)),
            strict("(input BYTES, targetLen INT, padding BYTES) -> BYTES", |call| pad_bytes(call, true)),
        ],
    },
    Row {
        name: "rpad",
        category: "STRING",
        about: "Padded at the right, or cut, to a length.",
        overloads: &[
            strict("(input STRING, targetLen INT, padding STRING) -> STRING", |call| pad_text(call, false)),
            strict("(input BYTES, targetLen INT, padding BYTES) -> BYTES", |call| pad_bytes(call, false)),
        ],
    },
];

/// The wanted length, or nothing when the call has no meaning.
fn target(call: &Call<'_>, padding_empty: bool) -> Result<Option<usize>, EvalError> {
    let Ok(target) = usize::try_from(call.int(1)?) else { return Ok(None) };
    call.context.check_result(0, target)?;
    Ok(Some(target).filter(|_| !padding_empty))
}

fn pad_text(call: &Call<'_>, left: bool) -> Result<Value, EvalError> {
    let (text, padding) = (call.str(0)?, call.str(2)?);
    let Some(target) = target(call, padding.is_empty())? else { return Ok(Value::Null) };
    let length = utf16_len(text);
    if target <= length {
        return Ok(utf16_slice(text, 0, target).into());
    }
    let missing = target - length;
    let units: Vec<u16> = padding.encode_utf16().cycle().take(missing).collect();
    let filler = String::from_utf16_lossy(&units);
    Ok(if left { format!("{filler}{text}") } else { format!("{text}{filler}") }.into())
}

fn pad_bytes(call: &Call<'_>, left: bool) -> Result<Value, EvalError> {
    let (bytes, padding) = (call.bytes(0)?, call.bytes(2)?);
    let Some(target) = target(call, padding.is_empty())? else { return Ok(Value::Null) };
    if target <= bytes.len() {
        return Ok(Value::Bytes(bytes.slice(..target)));
    }
    let filler = padding.iter().copied().cycle().take(target - bytes.len());
    let own = bytes.iter().copied();
    Ok(if left { filler.chain(own).collect::<Vec<u8>>() } else { own.chain(filler).collect() }.into())
}
