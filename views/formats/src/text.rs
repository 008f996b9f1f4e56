//! Text to values and back, shared by the text formats.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use millrace_sql::decimal::Decimal;
use millrace_sql::types::SqlType;
use millrace_sql::value::Value;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Java's `Integer.parseInt` and `Long.parseLong`: an optional sign and decimal digits, nothing else.
pub fn integer(text: &str) -> Result<i64, String> {
    text.parse::<i64>().map_err(|_| format!("For input string: \"{text}\""))
}

/// Java's `Double.parseDouble`, which trims, and accepts a type suffix.
pub fn double(text: &str) -> Result<f64, String> {
    let fail = || format!("For input string: \"{text}\"");
    let body = text.trim_matches(|c: char| c <= ' ');
    let unsigned = body.strip_prefix(['+', '-']).unwrap_or(body);
    match unsigned {
        "NaN" => return Ok(f64::NAN),
        "Infinity" if body.starts_with('-') => return Ok(f64::NEG_INFINITY),
        "Infinity" => return Ok(f64::INFINITY),
        _ => {}
    }
    let digits = body.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(body);
    if !digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E')) {
        return Err(fail());
    }
    digits.parse().map_err(|_| fail())
}

pub fn decimal(text: &str, precision: u32, scale: u32) -> Result<Decimal, String> {
    let parsed: Decimal = text.parse().map_err(|error| format!("{error}"))?;
    parsed.fit(precision, scale).map_err(|error| error.to_string())
}

pub fn base64(text: &str) -> Result<Bytes, String> {
    STANDARD.decode(text).map(Bytes::from).map_err(|error| error.to_string())
}

pub fn base64_text(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub fn time(ms: i64) -> Result<Value, String> {
    match i32::try_from(ms) {
        Ok(time) if (0..=DAY_MS).contains(&ms) => Ok(Value::Time(time)),
        _ => Err("Time values must use number of milliseconds greater than 0 and less than 86400000.".to_string()),
    }
}

pub fn date(days: i64) -> Result<Value, String> {
    i32::try_from(days).map(Value::Date).map_err(|_| "Date values must use number of days since the epoch.".to_string())
}

/// A field of DELIMITED, or a JSON string where a number or time is declared, as the type.
pub fn scalar(text: &str, sql_type: &SqlType) -> Result<Value, String> {
    match sql_type {
        SqlType::Boolean => Ok(Value::Boolean(text.eq_ignore_ascii_case("true"))),
        SqlType::Integer => match i32::try_from(integer(text)?) {
            Ok(number) => Ok(Value::Int(number)),
            Err(_) => Err(format!("For input string: \"{text}\"")),
        },
        SqlType::BigInt => integer(text).map(Value::BigInt),
        SqlType::Double => double(text).map(Value::Double),
        SqlType::Decimal { precision, scale } => decimal(text, *precision, *scale).map(Value::Decimal),
        SqlType::String => Ok(Value::string(text)),
        SqlType::Bytes => base64(text).map(Value::Bytes),
        SqlType::Time => time(integer(text)?),
        SqlType::Date => date(integer(text)?),
        SqlType::Timestamp => integer(text).map(Value::Timestamp),
        SqlType::Array(_) | SqlType::Map(..) | SqlType::Struct(_) => Err("not a simple type".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_parse_as_in_java() {
        assert_eq!(integer("+5"), Ok(5));
        assert!(integer(" 5").is_err());
        assert!(integer("5.0").is_err());
        assert_eq!(double(" 5d "), Ok(5.0));
        assert!(double("inf").is_err());
        assert!(double("").is_err());
        assert!(scalar("2147483648", &SqlType::Integer).is_err());
    }

    #[test]
    fn a_time_stays_within_its_day() {
        assert!(time(86_400_001).is_err());
        assert!(time(-1).is_err());
        assert_eq!(time(10), Ok(Value::Time(10)));
    }
}
