//! URLs: their parts by RFC 2396, and form encoding of parameters.

use super::call::{Call, Row, strict};
use crate::expr::EvalError;
use crate::value::Value;

/// A row for a part of a URL; a text that is no URL is an error.
macro_rules! part {
    ($name:literal, $about:literal, $returns:literal, $part:expr) => {
        Row {
            name: $name,
            category: "URL",
            about: $about,
            overloads: &[strict(concat!("(input STRING) -> ", $returns), |call| Ok($part(parse(call.str(0)?)?).into()))],
        }
    };
}

pub(super) const FUNCTIONS: &[Row] = &[
    part!("url_extract_fragment", "What follows the # of a URL.", "STRING", |url: Url<'_>| url.fragment.map(decode_escapes)),
    part!("url_extract_host", "A URL's host.", "STRING", |url: Url<'_>| url.host.map(str::to_owned)),
    part!("url_extract_path", "A URL's path.", "STRING", |url: Url<'_>| url.path.map(decode_escapes)),
    part!("url_extract_port", "A URL's port.", "INT", |url: Url<'_>| url.port),
    part!("url_extract_protocol", "A URL's protocol.", "STRING", |url: Url<'_>| url.scheme.map(str::to_owned)),
    part!("url_extract_query", "A URL's query.", "STRING", |url: Url<'_>| url.query.map(decode_escapes)),
    Row {
        name: "url_extract_parameter",
        category: "URL",
        about: "The decoded value of a parameter in a URL's query.",
        overloads: &[strict("(input STRING, paramToFind STRING) -> STRING", parameter)],
    },
    Row {
        name: "url_encode_param",
        category: "URL",
        about: "The text as it may stand in a URL's query (application/x-www-form-urlencoded).",
        overloads: &[strict("(input STRING) -> STRING", |call| Ok(encode(call.str(0)?).into()))],
    },
    Row {
        name: "url_decode_param",
        category: "URL",
        about: "The text that a parameter of a URL's query stands for.",
        overloads: &[strict("(input STRING) -> STRING", |call| decode_form(call.str(0)?).map(Value::from))],
    },
];

#[derive(Debug, Default, PartialEq)]
struct Url<'a> {
    scheme: Option<&'a str>,
    host: Option<&'a str>,
    port: Option<i32>,
    path: Option<&'a str>,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

fn parse(text: &str) -> Result<Url<'_>, EvalError> {
    let bad = || EvalError::new(format!("URL input has invalid syntax: {}", text.chars().take(128).collect::<String>()));
    if text.chars().any(|c| c.is_ascii_control() || matches!(c, ' ' | '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}')) {
        return Err(bad());
    }
    let mut url = Url::default();
    let (rest, fragment) = text.split_once('#').map_or((text, None), |(rest, fragment)| (rest, Some(fragment)));
    url.fragment = fragment;
    let mut rest = rest;
    if let Some((scheme, behind)) = rest.split_once(':')
        && !scheme.contains(['/', '?'])
    {
        let valid = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        if !valid || behind.is_empty() {
            return Err(bad());
        }
        url.scheme = Some(scheme);
        rest = behind;
        if !rest.starts_with('/') {
            // An opaque URL (mailto:..) has no parts that we know.
            return Ok(url);
        }
    }
    let (hierarchy, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
    url.query = query;
    let path = match hierarchy.strip_prefix("//") {
        None => hierarchy,
        Some(behind) => {
            let (authority, path) = behind.split_at(behind.find('/').unwrap_or(behind.len()));
            (url.host, url.port) = authority_of(authority).ok_or_else(bad)?;
            path
        }
    };
    url.path = Some(path);
    Ok(url)
}

fn authority_of(authority: &str) -> Option<(Option<&str>, Option<i32>)> {
    let server = authority.rsplit_once('@').map_or(authority, |(_, server)| server);
    let (host, port) = match server.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (server, ""),
    };
    let port = if port.is_empty() { None } else { Some(port.parse::<u16>().ok()?.into()) };
    let named = host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'[' | b']' | b':'));
    Some(if named && !host.is_empty() { (Some(host), port) } else { (None, None) })
}

fn parameter(call: &Call<'_>) -> Result<Value, EvalError> {
    let url = parse(call.str(0)?)?;
    let wanted = call.str(1)?;
    // Decoded first and taken apart then, as ksqlDB does; a plus stays one.
    for pair in decode_escapes(url.query.unwrap_or_default()).split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if name == wanted {
            return Ok(value.into());
        }
    }
    Ok(Value::Null)
}

fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => encoded.push(char::from(byte)),
            b' ' => encoded.push('+'),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

fn decode_form(text: &str) -> Result<String, EvalError> {
    let bytes = decode(text, true).ok_or_else(|| {
        EvalError::new(format!("url_decode udf encountered an encoding exception while decoding '{text}'"))
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The parts of a URL are shown decoded; an escape that is none stays as it is.
fn decode_escapes(text: &str) -> String {
    decode(text, false).map_or_else(|| text.to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn decode(text: &str, form: bool) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                (digit(bytes.next())? << 4 | digit(bytes.next())?) as u8
            }
            b'+' if form => b' ',
            other => other,
        });
    }
    Some(decoded)
}
