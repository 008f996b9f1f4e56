//! How a record is printed: a format string as kcat reads it, or one JSON object.
//!
//! `%s` and `%v` value, `%S` its length (-1 for null), `%R` the length as four bytes, `%k` key, `%K` its length,
//! `%t` topic, `%p` partition, `%o` offset, `%T` timestamp in ms, `%h` headers, `%%` a percent sign;
//! `\n \r \t \0 \\ \xHH` as usual.
use std::io::{self, Write};

use millrace_client::Record;
use serde_json::{Map, Value};

use crate::common::unescape;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(Vec<u8>),
    Value,
    ValueLength,
    ValueLengthBytes,
    Key,
    KeyLength,
    Topic,
    Partition,
    Offset,
    Timestamp,
    Headers,
}

/// How to print records.
pub(crate) enum Printer {
    Pieces { pieces: Vec<Piece>, null: Vec<u8> },
    Json,
}

impl Printer {
    /// Compiles a format string. `null` stands for keys and values that are not there.
    pub(crate) fn compile(format: &str, null: &str) -> Result<Printer, String> {
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut rest = format.chars();
        while let Some(letter) = rest.next() {
            if letter == '\\' {
                // Kept as it stands for unescape, with what it escapes.
                text.push('\\');
                text.extend(rest.next());
                continue;
            }
            if letter != '%' {
                text.push(letter);
                continue;
            }
            let piece = match rest.next() {
                Some('s' | 'v') => Piece::Value,
                Some('S') => Piece::ValueLength,
                Some('R') => Piece::ValueLengthBytes,
                Some('k') => Piece::Key,
                Some('K') => Piece::KeyLength,
                Some('t') => Piece::Topic,
                Some('p') => Piece::Partition,
                Some('o') => Piece::Offset,
                Some('T') => Piece::Timestamp,
                Some('h') => Piece::Headers,
                Some('%') => {
                    text.push('%');
                    continue;
                }
                other => return Err(format!("%{} means nothing in a format", other.map_or(String::new(), String::from))),
            };
            pieces.push(Piece::Text(unescape(&std::mem::take(&mut text))?));
            pieces.push(piece);
        }
        pieces.push(Piece::Text(unescape(&text)?));
        pieces.retain(|piece| *piece != Piece::Text(Vec::new()));
        Ok(Printer::Pieces { pieces, null: null.as_bytes().to_vec() })
    }

    /// Values, each followed by `end`; with `key_end`, the key and `key_end` before each.
    pub(crate) fn plain(key_end: Option<Vec<u8>>, end: Vec<u8>, null: &str) -> Printer {
        let mut pieces = Vec::new();
        if let Some(key_end) = key_end {
            pieces.extend([Piece::Key, Piece::Text(key_end)]);
        }
        pieces.extend([Piece::Value, Piece::Text(end)]);
        Printer::Pieces { pieces, null: null.as_bytes().to_vec() }
    }

    pub(crate) fn print(&self, record: &Record, to: &mut impl Write) -> io::Result<()> {
        let Printer::Pieces { pieces, null } = self else {
            serde_json::to_writer(&mut *to, &envelope(record))?;
            return to.write_all(b"\n");
        };
        let length = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(-1, |bytes| bytes.len() as i64);
        for piece in pieces {
            match piece {
                Piece::Text(text) => to.write_all(text)?,
                Piece::Value => to.write_all(record.value.as_deref().unwrap_or(null))?,
                Piece::ValueLength => write!(to, "{}", length(&record.value))?,
                Piece::ValueLengthBytes => to.write_all(&(length(&record.value) as i32).to_be_bytes())?,
                Piece::Key => to.write_all(record.key.as_deref().unwrap_or(null))?,
                Piece::KeyLength => write!(to, "{}", length(&record.key))?,
                Piece::Topic => to.write_all(record.topic.as_bytes())?,
                Piece::Partition => write!(to, "{}", record.partition)?,
                Piece::Offset => write!(to, "{}", record.offset)?,
                Piece::Timestamp => write!(to, "{}", record.timestamp)?,
                Piece::Headers => {
                    for (at, header) in record.headers.iter().enumerate() {
                        to.write_all(if at == 0 { b"" } else { b"," })?;
                        to.write_all(&header.name)?;
                        to.write_all(b"=")?;
                        to.write_all(header.value.as_deref().unwrap_or(b"NULL"))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The object that kcat prints with -J: same names, same order.
fn envelope(record: &Record) -> Value {
    let text = |bytes: &bytes::Bytes| Value::String(String::from_utf8_lossy(bytes).into_owned());
    let optional = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(Value::Null, text);
    let mut object = Map::new();
    object.insert("topic".into(), Value::String(record.topic.to_string()));
    object.insert("partition".into(), record.partition.into());
    object.insert("offset".into(), record.offset.into());
    object.insert("tstype".into(), if record.log_append_time { "logappend" } else { "create" }.into());
    object.insert("ts".into(), record.timestamp.into());
    if !record.headers.is_empty() {
        let flat = record.headers.iter().flat_map(|header| [text(&header.name), optional(&header.value)]);
        object.insert("headers".into(), flat.collect());
    }
    object.insert("key".into(), optional(&record.key));
    object.insert("payload".into(), optional(&record.value));
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use millrace_client::Header;

    use super::*;

    fn record() -> Record {
        let header = |name: &'static str, value| Header { name: Bytes::from_static(name.as_bytes()), value };
        Record {
            topic: "t".into(),
            partition: 2,
            offset: 7,
            timestamp: 1234,
            log_append_time: false,
            key: Some(Bytes::from_static(b"k")),
            value: None,
            headers: vec![header("a", Some(Bytes::from_static(b"1"))), header("a", None)],
        }
    }

    fn printed(printer: &Printer) -> String {
        let mut out = Vec::new();
        printer.print(&record(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_piece_of_a_format_prints() {
        let format = Printer::compile(r"%t [%p] at %o: key %k (%K) value %s/%v (%S) %T %h 100%%\n", "NULL").unwrap();
        assert_eq!(printed(&format), "t [2] at 7: key k (1) value NULL/NULL (-1) 1234 a=1,a=NULL 100%\n");
    }

    #[test]
    fn wrong_formats_are_refused() {
        assert!(Printer::compile("%q", "").is_err());
        assert!(Printer::compile("50%", "").is_err());
        assert!(Printer::compile(r"\q", "").is_err());
    }

    #[test]
    fn json_is_kcats_envelope() {
        let wanted = r#"{"topic":"t","partition":2,"offset":7,"tstype":"create","ts":1234,"headers":["a","1","a",null],"key":"k","payload":null}"#;
        assert_eq!(printed(&Printer::Json), format!("{wanted}\n"));
    }

    #[test]
    fn plain_prints_keys_when_asked() {
        assert_eq!(printed(&Printer::plain(Some(b":".to_vec()), b"\n".to_vec(), "")), "k:\n");
        assert_eq!(printed(&Printer::plain(None, b"|".to_vec(), "NULL")), "NULL|");
    }
}
