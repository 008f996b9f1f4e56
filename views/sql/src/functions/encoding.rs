//! Texts and bytes in hex, UTF-8, ASCII and base64; MD5; UUID.

use super::call::{Row, lenient, strict};
use crate::cast::{base64, from_base64};
use crate::expr::EvalError;

pub(super) const FUNCTIONS: &[Row] = &[
    Row {
        name: "encode",
        category: "STRING",
        about: "A text from one encoding (hex, utf8, ascii, base64) in another.",
        overloads: &[strict("(str STRING, inputEncoding STRING, outputEncoding STRING) -> STRING", |call| {
            let bytes = decode(call.str(0)?, encoding(call.str(1)?)?)?;
            call.context.check_result(0, bytes.len() * 2)?;
            Ok(encode(&bytes, encoding(call.str(2)?)?).into())
        })],
    },
    Row {
        name: "to_bytes",
        category: "BYTES",
        about: "The bytes that a text spells in an encoding: hex, utf8, ascii or base64.",
        overloads: &[strict("(value STRING, encoding STRING) -> BYTES", |call| {
            Ok(decode(call.str(0)?, encoding(call.str(1)?)?)?.into())
        })],
    },
    Row {
        name: "from_bytes",
        category: "BYTES",
        about: "The text of bytes in an encoding: hex (upper case), utf8, ascii or base64.",
        overloads: &[strict("(value BYTES, encoding STRING) -> STRING", |call| {
            call.context.check_result(0, call.bytes(0)?.len() * 2)?;
            Ok(match encoding(call.str(1)?)? {
                Encoding::Hex => encode(call.bytes(0)?, Encoding::Hex).to_uppercase(),
                Encoding::Base64 => in_lines(&base64(call.bytes(0)?)),
                other => encode(call.bytes(0)?, other),
            }
            .into())
        })],
    },
    Row {
        name: "md5",
        category: "STRING",
        about: "The MD5 checksum of a text's UTF-8 bytes, in hex.",
        overloads: &[strict("(s STRING) -> STRING", |call| {
            Ok(encode(&super::md5::digest(call.str(0)?.as_bytes()), Encoding::Hex).into())
        })],
    },
    Row {
        name: "uuid",
        category: "STRING",
        about: "A random UUID, or the text of one given as 16 bytes.",
        overloads: &[
            lenient("() -> STRING", |call| {
                let mut bits = u128::from(call.context.next_random()) << 64 | u128::from(call.context.next_random());
                // Version 4, variant 1.
                bits = bits & !(0xf << 76) | 0x4 << 76;
                bits = bits & !(0x3 << 62) | 0x2 << 62;
                Ok(uuid_text(bits).into())
            }),
            strict("(bytes BYTES) -> STRING", |call| match <[u8; 16]>::try_from(call.bytes(0)?.as_ref()) {
                Ok(bytes) => Ok(uuid_text(u128::from_be_bytes(bytes)).into()),
                Err(_) => Err(EvalError::new(format!("a UUID has 16 bytes, not {}", call.bytes(0)?.len()))),
            }),
        ],
    },
];

fn uuid_text(bits: u128) -> String {
    let digits = format!("{bits:032x}");
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

/// MIME's lines of 76 characters.
fn in_lines(text: &str) -> String {
    let lines: Vec<&str> = (0..text.len()).step_by(76).filter_map(|at| text.get(at..(at + 76).min(text.len()))).collect();
    lines.join("\r\n")
}

#[derive(Clone, Copy)]
enum Encoding {
    Hex,
    Utf8,
    Ascii,
    Base64,
}

fn encoding(name: &str) -> Result<Encoding, EvalError> {
    match name.to_ascii_lowercase().as_str() {
        "hex" => Ok(Encoding::Hex),
        "utf8" => Ok(Encoding::Utf8),
        "ascii" => Ok(Encoding::Ascii),
        "base64" => Ok(Encoding::Base64),
        _ => Err(EvalError::new(format!(
            "Unknown encoding type '{name}'. Supported formats are 'hex', 'utf8', 'ascii', and 'base64'."
        ))),
    }
}

fn decode(text: &str, encoding: Encoding) -> Result<Vec<u8>, EvalError> {
    match encoding {
        Encoding::Hex => from_hex(text).ok_or_else(|| EvalError::new("not a text in hex".to_owned())),
        Encoding::Utf8 => Ok(text.as_bytes().to_vec()),
        Encoding::Ascii => Ok(text.chars().map(|c| if c.is_ascii() { c as u8 } else { b'?' }).collect()),
        Encoding::Base64 => {
            // As MIME has it: what is no digit is not looked at.
            let digits: String = text.chars().filter(|c| c.is_ascii_alphanumeric() || "+/=".contains(*c)).collect();
            from_base64(&digits).ok_or_else(|| EvalError::new("not a text in base64".to_owned()))
        }
    }
}

fn encode(bytes: &[u8], encoding: Encoding) -> String {
    match encoding {
        Encoding::Hex => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        Encoding::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
        Encoding::Ascii => bytes.iter().map(|byte| if byte.is_ascii() { char::from(*byte) } else { '\u{fffd}' }).collect(),
        Encoding::Base64 => base64(bytes),
    }
}

/// Plain digits, `0x..`, `x'..'` or `X'..'`. Only behind `0x` may the number of digits be odd: a zero stands in front.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    let prefixed = text.strip_prefix("0x");
    let digits = if let Some(digits) = prefixed {
        digits
    } else if let Some(quoted) = text.strip_prefix("x'").or_else(|| text.strip_prefix("X'")) {
        quoted.strip_suffix('\'')?
    } else {
        text
    };
    if digits.len() % 2 == 1 && prefixed.is_none() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (head, tail) = digits.as_bytes().split_at(digits.len() % 2);
    let mut bytes = Vec::with_capacity(digits.len() / 2 + 1);
    for byte in head {
        bytes.push(digit(*byte)? as u8);
    }
    for pair in tail.chunks_exact(2) {
        bytes.push((digit(pair[0])? << 4 | digit(pair[1])?) as u8);
    }
    Some(bytes)
}
