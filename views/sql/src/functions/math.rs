//! Numbers: rounding, roots, logarithms, angles. Doubles follow IEEE 754, so there is no error, only NaN.

use super::call::{Call, Row, lenient, strict};
use super::decimal::{ceil_decimal, floor_decimal, round_decimal, same_decimal, trunc_decimal, whole_decimal};
use crate::decimal::{Decimal, Rounding};
use crate::expr::EvalError;
use crate::value::Value;

/// A function of one double, with its overloads for the three plain number types.
macro_rules! of_double {
    ($name:literal, $parameter:literal, $about:literal, $body:expr) => {
        Row {
            name: $name,
            category: "MATHEMATICAL",
            about: $about,
            overloads: &[
                strict(concat!("(", $parameter, " INT) -> DOUBLE"), |call| Ok(Value::Double($body(call.double(0)?)))),
                strict(concat!("(", $parameter, " BIGINT) -> DOUBLE"), |call| Ok(Value::Double($body(call.double(0)?)))),
                strict(concat!("(", $parameter, " DOUBLE) -> DOUBLE"), |call| Ok(Value::Double($body(call.double(0)?)))),
            ],
        }
    };
}

/// A function of two doubles.
macro_rules! of_doubles {
    ($first:literal, $second:literal, $body:expr) => {
        [
            strict(concat!("(", $first, " INT, ", $second, " INT) -> DOUBLE"), |call| {
                Ok(Value::Double($body(call.double(0)?, call.double(1)?)))
            }),
            strict(concat!("(", $first, " BIGINT, ", $second, " BIGINT) -> DOUBLE"), |call| {
                Ok(Value::Double($body(call.double(0)?, call.double(1)?)))
            }),
            strict(concat!("(", $first, " DOUBLE, ", $second, " DOUBLE) -> DOUBLE"), |call| {
                Ok(Value::Double($body(call.double(0)?, call.double(1)?)))
            }),
        ]
    };
}

pub(super) const FUNCTIONS: &[Row] = &[
    of_double!("acos", "value", "The arc cosine, in radians.", f64::acos),
    of_double!("asin", "value", "The arc sine, in radians.", f64::asin),
    of_double!("atan", "value", "The arc tangent, in radians.", f64::atan),
    of_double!("cbrt", "value", "The cube root.", f64::cbrt),
    of_double!("cos", "value", "The cosine of an angle in radians.", f64::cos),
    of_double!("cosh", "value", "The hyperbolic cosine.", f64::cosh),
    of_double!("cot", "value", "The cotangent of an angle in radians.", |x: f64| 1.0 / x.tan()),
    of_double!("degrees", "value", "An angle in radians as degrees.", to_degrees),
    of_double!("exp", "exponent", "e to a power.", f64::exp),
    of_double!("ln", "value", "The natural logarithm.", f64::ln),
    of_double!("radians", "value", "An angle in degrees as radians.", to_radians),
    of_double!("sin", "value", "The sine of an angle in radians.", f64::sin),
    of_double!("sinh", "value", "The hyperbolic sine.", f64::sinh),
    of_double!("sqrt", "value", "The square root.", f64::sqrt),
    of_double!("tan", "value", "The tangent of an angle in radians.", f64::tan),
    of_double!("tanh", "value", "The hyperbolic tangent.", f64::tanh),
    of_double!("log", "value", "The natural logarithm, or with a base first the logarithm to that base.", f64::ln),
    Row {
        name: "log",
        category: "MATHEMATICAL",
        about: "",
        overloads: &of_doubles!("base", "value", log_to_base),
    },
    Row {
        name: "atan2",
        category: "MATHEMATICAL",
        about: "The angle of the point (x, y), in radians; y comes first.",
        overloads: &of_doubles!("y", "x", f64::atan2),
    },
    Row {
        name: "power",
        category: "MATHEMATICAL",
        about: "A base to an exponent.",
        overloads: &of_doubles!("base", "exponent", f64::powf),
    },
    Row {
        name: "pi",
        category: "MATHEMATICAL",
        about: "The circumference of a circle over its diameter.",
        overloads: &[lenient("() -> DOUBLE", |_| Ok(Value::Double(std::f64::consts::PI)))],
    },
    Row {
        name: "random",
        category: "MATHEMATICAL",
        about: "A random number from 0 up to, not including, 1.",
        overloads: &[lenient("() -> DOUBLE", |call| {
            Ok(Value::Double((call.context.next_random() >> 11) as f64 / (1u64 << 53) as f64))
        })],
    },
    Row {
        name: "sign",
        category: "MATHEMATICAL",
        about: "-1, 0 or 1, as the number is below, at or above zero.",
        overloads: &[
            strict("(value INT) -> INT", |call| Ok(Value::Int(call.int(0)?.signum()))),
            strict("(value BIGINT) -> INT", |call| Ok(Value::Int(call.long(0)?.signum() as i32))),
            strict("(value DOUBLE) -> INT", |call| {
                let n = call.double(0)?;
                Ok(Value::Int(i32::from(n > 0.0) - i32::from(n < 0.0)))
            }),
        ],
    },
    Row {
        name: "abs",
        category: "MATHEMATICAL",
        about: "The number without its sign.",
        overloads: &[
            strict("(val INT) -> INT", |call| Ok(Value::Int(call.int(0)?.wrapping_abs()))),
            strict("(val BIGINT) -> BIGINT", |call| Ok(Value::BigInt(call.long(0)?.wrapping_abs()))),
            strict("(val DOUBLE) -> DOUBLE", |call| Ok(Value::Double(call.double(0)?.abs()))),
            strict("(val DECIMAL) -> DECIMAL", |call| super::decimal::map(call, Decimal::abs)).deriving(same_decimal),
        ],
    },
    Row {
        name: "ceil",
        category: "MATHEMATICAL",
        about: "The smallest whole number that is not below.",
        overloads: &[
            strict("(val INT) -> INT", |call| Ok(call.value(0).clone())),
            strict("(val BIGINT) -> BIGINT", |call| Ok(call.value(0).clone())),
            strict("(val DOUBLE) -> DOUBLE", |call| Ok(Value::Double(call.double(0)?.ceil()))),
            strict("(val DECIMAL) -> DECIMAL", ceil_decimal).deriving(same_decimal),
        ],
    },
    Row {
        name: "floor",
        category: "MATHEMATICAL",
        about: "The largest whole number that is not above.",
        overloads: &[
            strict("(val INT) -> INT", |call| Ok(call.value(0).clone())),
            strict("(val BIGINT) -> BIGINT", |call| Ok(call.value(0).clone())),
            strict("(val DOUBLE) -> DOUBLE", |call| Ok(Value::Double(call.double(0)?.floor()))),
            strict("(val DECIMAL) -> DECIMAL", floor_decimal).deriving(same_decimal),
        ],
    },
    Row {
        name: "Round",
        category: "MATHEMATICAL",
        about: "The nearest whole number, or the nearest with so many places; halves go up.",
        overloads: &[
            strict("(val INT) -> BIGINT", |call| Ok(Value::BigInt(call.long(0)?))),
            strict("(val BIGINT) -> BIGINT", |call| Ok(call.value(0).clone())),
            strict("(val DOUBLE) -> BIGINT", |call| Ok(Value::BigInt(round_half_up(call.double(0)?)))),
            strict("(val DOUBLE, decimalPlaces INT) -> DOUBLE", |call| places(call, round_mode)),
            strict("(val DECIMAL) -> DECIMAL", round_decimal).deriving(whole_decimal),
            strict("(val DECIMAL, decimalPlaces INT) -> DECIMAL", round_decimal).deriving(same_decimal),
        ],
    },
    Row {
        name: "trunc",
        category: "MATHEMATICAL",
        about: "The number without its fraction, or with only so many places of it.",
        overloads: &[
            strict("(val INT) -> BIGINT", |call| Ok(Value::BigInt(call.long(0)?))),
            strict("(val BIGINT) -> BIGINT", |call| Ok(call.value(0).clone())),
            strict("(val DOUBLE) -> BIGINT", |call| Ok(Value::BigInt(call.double(0)? as i64))),
            strict("(val DOUBLE, decimalPlaces INT) -> DOUBLE", |call| places(call, |_| Rounding::Down)),
            strict("(val DECIMAL) -> DECIMAL", trunc_decimal).deriving(whole_decimal),
            strict("(val DECIMAL, decimalPlaces INT) -> DECIMAL", trunc_decimal).deriving(same_decimal),
        ],
    },
];

/// As Java since 9 has it, one multiplication; another order of operations has another last digit.
pub(super) fn to_radians(degrees: f64) -> f64 {
    degrees * 0.017453292519943295
}

fn to_degrees(radians: f64) -> f64 {
    radians * 57.29577951308232
}

fn log_to_base(base: f64, value: f64) -> f64 {
    if base <= 0.0 || base == 1.0 { f64::NAN } else { value.ln() / base.ln() }
}

/// Java's `Math.round`: halves towards positive infinity, saturating, NaN is 0.
fn round_half_up(value: f64) -> i64 {
    let floor = value.floor();
    (if value - floor >= 0.5 { floor + 1.0 } else { floor }) as i64
}

/// Halves towards positive infinity, as a mode of decimal rounding.
pub(super) fn round_mode(value: &Decimal) -> Rounding {
    if value.signum() > 0 { Rounding::HalfUp } else { Rounding::HalfDown }
}

fn places(call: &Call<'_>, mode: fn(&Decimal) -> Rounding) -> Result<Value, EvalError> {
    let exact = Decimal::from_f64(call.double(0)?).map_err(|error| EvalError::new(error.to_string()))?;
    Ok(Value::Double(exact.rescale(call.int(1)?, mode(&exact)).to_f64()))
}
