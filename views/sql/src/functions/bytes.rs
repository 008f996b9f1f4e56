//! Numbers out of bytes.

use super::call::{Call, Row, strict};
use crate::expr::EvalError;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Row] = &[
    Row {
        name: "bigint_from_bytes",
        category: "BYTES",
        about: "The BIGINT in 8 bytes, BIG_ENDIAN unless told LITTLE_ENDIAN.",
        overloads: &[
            strict("(value BYTES) -> BIGINT", |call| Ok(Value::BigInt(i64::from_be_bytes(ordered(call)?)))),
            strict("(value BYTES, byteOrder STRING) -> BIGINT", |call| Ok(Value::BigInt(i64::from_be_bytes(ordered(call)?)))),
        ],
    },
    Row {
        name: "int_from_bytes",
        category: "BYTES",
        about: "The INTEGER in 4 bytes, BIG_ENDIAN unless told LITTLE_ENDIAN.",
        overloads: &[
            strict("(value BYTES) -> INT", |call| Ok(Value::Int(i32::from_be_bytes(ordered(call)?)))),
            strict("(value BYTES, byteOrder STRING) -> INT", |call| Ok(Value::Int(i32::from_be_bytes(ordered(call)?)))),
        ],
    },
    Row {
        name: "double_from_bytes",
        category: "BYTES",
        about: "The DOUBLE in 8 bytes, BIG_ENDIAN unless told LITTLE_ENDIAN.",
        overloads: &[
            strict("(value BYTES) -> DOUBLE", |call| Ok(Value::Double(f64::from_be_bytes(ordered(call)?)))),
            strict("(value BYTES, byteOrder STRING) -> DOUBLE", |call| Ok(Value::Double(f64::from_be_bytes(ordered(call)?)))),
        ],
    },
];

/// The first argument's bytes, big endian.
fn ordered<const N: usize>(call: &Call<'_>) -> Result<[u8; N], EvalError> {
    let bytes = call.bytes(0)?;
    let mut ordered = <[u8; N]>::try_from(bytes.as_ref())
        .map_err(|_| EvalError::new(format!("Number of bytes must be equal to {N}, but found {}", bytes.len())))?;
    if call.len() > 1 {
        match call.str(1)?.to_ascii_uppercase().as_str() {
            "BIG_ENDIAN" => {}
            "LITTLE_ENDIAN" => ordered.reverse(),
            other => {
                return Err(EvalError::new(format!(
                    "Byte order must be BIG_ENDIAN or LITTLE_ENDIAN, but was {other}"
                )));
            }
        }
    }
    Ok(ordered)
}
