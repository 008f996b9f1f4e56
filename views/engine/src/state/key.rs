//! Keys as bytes whose order is the order of the values.
//!
//! Each value is a tag and a body: numbers big-endian with the sign turned, text and bytes escaped and ended, so that no key is a
//! prefix of another's continuation. Decimals are compared by value inside SQL but are one scale within a column, so their text form
//! under a sign and length is enough to tell them apart and to order them.

use std::sync::Arc;

use bytes::Bytes;
use millrace_sql::decimal::Decimal;
use millrace_sql::value::Value;

use crate::row::Window;
use crate::state::CorruptRow;

const NULL: u8 = 0x01;
const FALSE: u8 = 0x02;
const TRUE: u8 = 0x03;
const INT: u8 = 0x04;
const BIGINT: u8 = 0x05;
const DOUBLE: u8 = 0x06;
const DECIMAL: u8 = 0x07;
const STRING: u8 = 0x08;
const BYTES: u8 = 0x09;
const TIME: u8 = 0x0a;
const DATE: u8 = 0x0b;
const TIMESTAMP: u8 = 0x0c;
const ARRAY: u8 = 0x0d;
const MAP: u8 = 0x0e;
const STRUCT: u8 = 0x0f;
/// Ends a collection; smaller than every tag, so that a shorter collection sorts first.
const END: u8 = 0x00;

/// The deepest nesting that is read back.
const DEPTH_MAX: usize = 64;

/// Joins the parts of a key.
#[derive(Default)]
pub struct KeyBuilder(Vec<u8>);

impl KeyBuilder {
    /// With room for most keys.
    pub fn new() -> KeyBuilder {
        KeyBuilder(Vec::with_capacity(48))
    }

    #[must_use]
    pub fn time(mut self, ms: i64) -> KeyBuilder {
        push_i64(&mut self.0, ms);
        self
    }

    #[must_use]
    pub fn number(mut self, number: u64) -> KeyBuilder {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    #[must_use]
    pub fn flag(mut self, flag: bool) -> KeyBuilder {
        self.0.push(u8::from(flag));
        self
    }

    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> KeyBuilder {
        self.0.extend_from_slice(bytes);
        self
    }

    pub fn build(self) -> Vec<u8> {
        self.0
    }
}

/// The least key that is greater than every key with this prefix.
pub fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let kept = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut end = prefix[..=kept].to_vec();
    end[kept] += 1;
    Some(end)
}

/// Reads a time written by [`KeyBuilder::time`] from the start of the bytes.
pub fn split_time(bytes: &[u8]) -> Result<(i64, &[u8]), CorruptRow> {
    let (head, rest) = bytes.split_first_chunk::<8>().ok_or(CorruptRow("a key ends inside a time"))?;
    Ok((i64::from_be_bytes(*head) ^ i64::MIN, rest))
}

pub fn encode_values(values: &[Value]) -> Vec<u8> {
    encode_with_room(values, 0)
}

fn encode_with_room(values: &[Value], room: usize) -> Vec<u8> {
    let bytes = |value: &Value| match value {
        Value::String(text) => text.len() + 3,
        Value::Bytes(bytes) => bytes.len() + 3,
        _ => 10,
    };
    let mut out = Vec::with_capacity(values.iter().map(bytes).sum::<usize>() + room);
    put_values(&mut out, values);
    out
}

/// Appends the values.
pub fn put_values(out: &mut Vec<u8>, values: &[Value]) {
    for value in values {
        push(out, value);
    }
}

/// Appends a time, as [`KeyBuilder::time`] does.
pub fn put_time(out: &mut Vec<u8>, ms: i64) {
    push_i64(out, ms);
}

/// A key with the window that belongs to it, as one key.
pub fn encode_windowed(values: &[Value], window: Option<Window>) -> Vec<u8> {
    let mut out = encode_with_room(values, if window.is_some() { 16 } else { 0 });
    if let Some(window) = window {
        push_i64(&mut out, window.start);
        push_i64(&mut out, window.end);
    }
    out
}

fn push_i64(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(&(number ^ i64::MIN).to_be_bytes());
}

fn push_i32(out: &mut Vec<u8>, tag: u8, number: i32) {
    out.push(tag);
    out.extend_from_slice(&(number ^ i32::MIN).to_be_bytes());
}

/// Zero bytes become `00 ff`; `00 00` ends the text.
fn push_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    // Nearly always there is none.
    let mut rest = bytes;
    while let Some(at) = memchr::memchr(0, rest) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(&[0, 0xff]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(&[0, 0]);
}

fn push(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.push(NULL),
        Value::Boolean(false) => out.push(FALSE),
        Value::Boolean(true) => out.push(TRUE),
        Value::Int(number) => push_i32(out, INT, *number),
        Value::BigInt(number) => {
            out.push(BIGINT);
            push_i64(out, *number);
        }
        Value::Double(number) => {
            out.push(DOUBLE);
            let bits = if number.is_nan() { f64::NAN.to_bits() } else { number.to_bits() };
            let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
            out.extend_from_slice(&ordered.to_be_bytes());
        }
        Value::Decimal(number) => push_decimal(out, number),
        Value::String(text) => {
            out.push(STRING);
            push_escaped(out, text.as_bytes());
        }
        Value::Bytes(bytes) => {
            out.push(BYTES);
            push_escaped(out, bytes);
        }
        Value::Time(number) => push_i32(out, TIME, *number),
        Value::Date(number) => push_i32(out, DATE, *number),
        Value::Timestamp(number) => {
            out.push(TIMESTAMP);
            push_i64(out, *number);
        }
        Value::Array(values) => push_all(out, ARRAY, values.iter()),
        Value::Struct(values) => push_all(out, STRUCT, values.iter()),
        Value::Map(entries) => push_all(out, MAP, entries.iter().flat_map(|(key, value)| [key, value])),
    }
}

fn push_all<'a>(out: &mut Vec<u8>, tag: u8, values: impl Iterator<Item = &'a Value>) {
    out.push(tag);
    for value in values {
        push(out, value);
    }
    out.push(END);
}

/// Sign, number of whole digits, then the digits of the plain text: within one scale this is the order of the values.
fn push_decimal(out: &mut Vec<u8>, number: &Decimal) {
    let text = number.to_string();
    let digits = text.trim_start_matches('-');
    let whole = digits.find('.').unwrap_or(digits.len()) as u32;
    let mut body = whole.to_be_bytes().to_vec();
    body.extend_from_slice(digits.as_bytes());
    body.push(0);
    let negative = text.starts_with('-');
    if negative {
        for byte in &mut body {
            *byte = !*byte;
        }
    }
    out.push(DECIMAL);
    out.push(u8::from(!negative));
    out.extend_from_slice(&body);
}

/// Reads as many values as there are.
pub fn decode_values(mut bytes: &[u8]) -> Result<Vec<Value>, CorruptRow> {
    let mut values = Vec::new();
    while !bytes.is_empty() {
        values.push(pop(&mut bytes, 0)?);
    }
    Ok(values)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], CorruptRow> {
    let (head, rest) = bytes.split_first_chunk::<N>().ok_or(CorruptRow("a key ends inside a value"))?;
    *bytes = rest;
    Ok(*head)
}

fn pop_i64(bytes: &mut &[u8]) -> Result<i64, CorruptRow> {
    Ok(i64::from_be_bytes(take(bytes)?) ^ i64::MIN)
}

fn pop_i32(bytes: &mut &[u8]) -> Result<i32, CorruptRow> {
    Ok(i32::from_be_bytes(take(bytes)?) ^ i32::MIN)
}

fn pop_escaped(bytes: &mut &[u8]) -> Result<Vec<u8>, CorruptRow> {
    let mut out = Vec::new();
    loop {
        let plain = memchr::memchr(0, bytes).unwrap_or(bytes.len());
        out.extend_from_slice(&bytes[..plain]);
        *bytes = &bytes[plain..];
        match take::<2>(bytes)? {
            [0, 0] => return Ok(out),
            [0, 0xff] => out.push(0),
            _ => return Err(CorruptRow("an unknown escape in a key")),
        }
    }
}

fn pop(bytes: &mut &[u8], depth: usize) -> Result<Value, CorruptRow> {
    if depth > DEPTH_MAX {
        return Err(CorruptRow("a key is nested too deeply"));
    }
    Ok(match take::<1>(bytes)?[0] {
        NULL => Value::Null,
        FALSE => Value::Boolean(false),
        TRUE => Value::Boolean(true),
        INT => Value::Int(pop_i32(bytes)?),
        BIGINT => Value::BigInt(pop_i64(bytes)?),
        DOUBLE => {
            let ordered = u64::from_be_bytes(take(bytes)?);
            Value::Double(f64::from_bits(if ordered >> 63 == 1 { ordered & !(1 << 63) } else { !ordered }))
        }
        DECIMAL => pop_decimal(bytes)?,
        STRING => {
            let text = String::from_utf8(pop_escaped(bytes)?).map_err(|_| CorruptRow("text in a key is not UTF-8"))?;
            Value::String(Arc::from(text))
        }
        BYTES => Value::Bytes(Bytes::from(pop_escaped(bytes)?)),
        TIME => Value::Time(pop_i32(bytes)?),
        DATE => Value::Date(pop_i32(bytes)?),
        TIMESTAMP => Value::Timestamp(pop_i64(bytes)?),
        ARRAY => Value::array(pop_all(bytes, depth)?),
        STRUCT => Value::structure(pop_all(bytes, depth)?),
        MAP => {
            let mut items = pop_all(bytes, depth)?.into_iter();
            let mut entries = Vec::new();
            while let (Some(key), Some(value)) = (items.next(), items.next()) {
                entries.push((key, value));
            }
            Value::map(entries)
        }
        _ => return Err(CorruptRow("an unknown tag in a key")),
    })
}

fn pop_all(bytes: &mut &[u8], depth: usize) -> Result<Vec<Value>, CorruptRow> {
    let mut values = Vec::new();
    loop {
        match bytes.first() {
            Some(&END) => {
                *bytes = &bytes[1..];
                return Ok(values);
            }
            _ => values.push(pop(bytes, depth + 1)?),
        }
    }
}

fn pop_decimal(bytes: &mut &[u8]) -> Result<Value, CorruptRow> {
    let flip = if take::<1>(bytes)?[0] == 0 { 0xff } else { 0 };
    take::<4>(bytes)?;
    let mut text = String::new();
    if flip != 0 {
        text.push('-');
    }
    loop {
        match take::<1>(bytes)?[0] ^ flip {
            0 => break,
            digit => text.push(char::from(digit)),
        }
    }
    text.parse().map(Value::Decimal).map_err(|_| CorruptRow("a decimal in a key is not a number"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Boolean),
            any::<i32>().prop_map(Value::Int),
            any::<i64>().prop_map(Value::BigInt),
            any::<f64>().prop_map(Value::Double),
            "[a\\x00b]{0,3}".prop_map(Value::from),
            prop::collection::vec(0..3u8, 0..4).prop_map(Value::bytes),
        ];
        leaf.prop_recursive(2, 8, 3, |inner| prop::collection::vec(inner, 0..3).prop_map(Value::array))
    }

    fn pair() -> impl Strategy<Value = (Value, Value)> {
        prop_oneof![
            (any::<i64>(), any::<i64>()).prop_map(|(a, b)| (Value::BigInt(a), Value::BigInt(b))),
            (any::<f64>(), any::<f64>()).prop_map(|(a, b)| (Value::Double(a), Value::Double(b))),
            ("[a\\x00b]{0,3}", "[a\\x00b]{0,3}").prop_map(|(a, b)| (Value::from(a), Value::from(b))),
            (-2000i128..2000, -2000i128..2000)
                .prop_map(|(a, b)| (Value::Decimal(Decimal::new(a, 2)), Value::Decimal(Decimal::new(b, 2)))),
        ]
    }

    proptest! {
        #[test]
        fn reads_back(values in prop::collection::vec(any_value(), 0..4)) {
            prop_assert_eq!(decode_values(&encode_values(&values)).unwrap(), values);
        }

        #[test]
        fn the_order_of_bytes_is_the_order_of_values((a, b) in pair()) {
            let bytes = encode_values(std::slice::from_ref(&a)).cmp(&encode_values(std::slice::from_ref(&b)));
            prop_assert_eq!(bytes, a.cmp(&b));
        }

        #[test]
        fn any_bytes_are_values_or_corrupt(bytes in prop::collection::vec(any::<u8>(), 0..32)) {
            let _ = decode_values(&bytes);
        }
    }

    #[test]
    fn the_end_of_a_prefix() {
        assert_eq!(after_prefix(b"a\xff"), Some(b"b".to_vec()));
        assert_eq!(after_prefix(b"\xff"), None);
    }
}
