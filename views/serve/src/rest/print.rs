//! PRINT: the records of a topic as lines, with a guess at their formats.
//!
//! A format is named as long as every record so far could be of it; the first of those left is the one that is shown.
use std::collections::VecDeque;

use bytes::Bytes;
use futures_util::{Stream, stream};
use millrace_engine::InputRecord;
use millrace_sql::cast::{date_text, double_text};
use serde_json::Value as Json;

use crate::host::Printing;

/// What ksqlDB says while there is nothing to judge by.
const NO_DATA: &str = "¯\\_(ツ)_/¯ - no data processed";
const UNRECOGNISED: &str = "UNRECOGNISED_BYTES";

type Show = fn(&[u8]) -> Option<String>;

const PLAIN: [(&str, Show); 4] = [("KAFKA_INT", int), ("KAFKA_BIGINT", bigint), ("KAFKA_DOUBLE", double), ("KAFKA_STRING", string)];

/// One side of the records: the formats that all of them could be of.
struct Guess {
    left: Option<Vec<(String, Show, Option<Windowed>)>>,
    windowed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Windowed {
    Session,
    Time,
}

impl Guess {
    fn new(windowed: bool) -> Guess {
        Guess { left: None, windowed }
    }

    fn all(windowed: bool) -> Vec<(String, Show, Option<Windowed>)> {
        let mut all: Vec<(String, Show, Option<Windowed>)> = vec![("JSON".into(), json, None)];
        for (name, show) in PLAIN {
            if windowed {
                for (kind, window) in [("SESSION", Windowed::Session), ("HOPPING", Windowed::Time), ("TUMBLING", Windowed::Time)] {
                    all.push((format!("{kind}({name})"), show, Some(window)));
                }
            }
            all.push((name.into(), show, None));
        }
        all
    }

    /// Shows the bytes; drops every format that they cannot be of.
    fn show(&mut self, bytes: Option<&Bytes>) -> String {
        let Some(bytes) = bytes else { return "<null>".into() };
        let windowed = self.windowed;
        let left = self.left.get_or_insert_with(|| Guess::all(windowed));
        left.retain(|(_, show, window)| shown(bytes, *show, *window).is_some());
        match left.first() {
            Some((_, show, window)) => shown(bytes, *show, *window).unwrap_or_default(),
            None => escaped(bytes),
        }
    }

    fn names(&self) -> String {
        match &self.left {
            None => NO_DATA.into(),
            Some(left) if left.is_empty() => UNRECOGNISED.into(),
            Some(left) => left.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>().join(" or "),
        }
    }
}

fn shown(bytes: &[u8], show: Show, window: Option<Windowed>) -> Option<String> {
    let last = |bytes: &[u8]| bytes.last_chunk::<8>().map(|chunk| i64::from_be_bytes(*chunk)).filter(|number| *number >= 0);
    match window {
        None => show(bytes),
        // The size of a time window is not on the wire.
        Some(Windowed::Time) => {
            let start = last(bytes)?;
            Some(format!("[{}@{start}/-]", show(&bytes[..bytes.len() - 8])?))
        }
        Some(Windowed::Session) => {
            let start = last(bytes)?;
            let rest = &bytes[..bytes.len() - 8];
            let end = last(rest).filter(|end| *end >= start)?;
            Some(format!("[{}@{start}/{end}]", show(&rest[..rest.len() - 8])?))
        }
    }
}

fn json(bytes: &[u8]) -> Option<String> {
    serde_json::from_slice::<Json>(bytes).ok().map(|value| value.to_string())
}

fn int(bytes: &[u8]) -> Option<String> {
    bytes.try_into().ok().map(|bytes| i32::from_be_bytes(bytes).to_string())
}

fn bigint(bytes: &[u8]) -> Option<String> {
    bytes.try_into().ok().map(|bytes| i64::from_be_bytes(bytes).to_string())
}

fn double(bytes: &[u8]) -> Option<String> {
    bytes.try_into().ok().map(|bytes| double_text(f64::from_be_bytes(bytes)))
}

fn string(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_string)
}

/// Letters as they are, all else in hexadecimal.
fn escaped(bytes: &[u8]) -> String {
    let one = |byte: &u8| match byte {
        b' '..=b'~' => char::from(*byte).to_string(),
        other => format!("\\x{other:02X}"),
    };
    bytes.iter().map(one).collect()
}

/// `2020/04/14 20:43:01.251 Z`
fn rowtime(ms: i64) -> String {
    if ms < 0 {
        return "N/A".into();
    }
    let (days, of_day) = (ms / 86_400_000, ms % 86_400_000);
    let date = i32::try_from(days).map_or_else(|_| days.to_string(), date_text).replace('-', "/");
    format!("{date} {:02}:{:02}:{:02}.{:03} Z", of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1000 % 60, of_day % 1000)
}

/// The lines of one PRINT.
pub struct Printed {
    source: Printing,
    key: Guess,
    value: Guess,
    /// What was said last about the formats.
    said: (String, String),
    ready: VecDeque<String>,
    done: bool,
}

impl Printed {
    pub fn new(source: Printing) -> Printed {
        Printed { source, key: Guess::new(true), value: Guess::new(false), said: Default::default(), ready: VecDeque::new(), done: false }
    }

    pub fn into_stream(self) -> impl Stream<Item = Result<String, std::convert::Infallible>> {
        stream::unfold(self, |mut printed| async move { printed.next().await.map(|text| (Ok(text), printed)) })
    }

    /// The next lines; nothing after the limit.
    pub async fn next(&mut self) -> Option<String> {
        if let Some(text) = self.ready.pop_front() {
            return Some(text);
        }
        if self.done {
            return None;
        }
        match self.source.next().await {
            Some(Ok(records)) => Some(self.lines(&records)),
            Some(Err(message)) => {
                self.done = true;
                Some(format!("{message}\n"))
            }
            None => {
                self.done = true;
                (self.said == Default::default()).then(|| self.formats().unwrap_or_default())
            }
        }
    }

    fn lines(&mut self, records: &[InputRecord]) -> String {
        let mut text = String::new();
        for record in records {
            let (key, value) = (self.key.show(record.key.as_ref()), self.value.show(record.value.as_ref()));
            text.push_str(&self.formats().unwrap_or_default());
            text.push_str(&format!("rowtime: {}, key: {key}, value: {value}, partition: {}\n", rowtime(record.timestamp), record.partition));
        }
        text
    }

    /// The formats, when they are not what was said last.
    fn formats(&mut self) -> Option<String> {
        let now = (self.key.names(), self.value.names());
        if now == self.said {
            return None;
        }
        let text = format!("Key format: {}\nValue format: {}\n", now.0, now.1);
        self.said = now;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guessed(windowed: bool, records: &[&'static [u8]]) -> (Vec<String>, String) {
        let mut guess = Guess::new(windowed);
        let shown = records.iter().map(|bytes| guess.show(Some(&Bytes::from_static(bytes)))).collect();
        (shown, guess.names())
    }

    #[test]
    fn formats_are_all_that_the_records_could_be_of() {
        assert_eq!(guessed(false, &[b"{\"a\": 10}"]), (vec!["{\"a\":10}".into()], "JSON or KAFKA_STRING".into()));
        assert_eq!(guessed(false, &[b"{\"a\": 10}", b"x,y"]), (vec!["{\"a\":10}".into(), "x,y".into()], "KAFKA_STRING".into()));
        assert_eq!(guessed(false, &[b"\x00\x00\x00\x07"]), (vec!["7".into()], "KAFKA_INT or KAFKA_STRING".into()));
        assert_eq!(guessed(false, &[b"\xff\xfe"]), (vec!["\\xFF\\xFE".into()], UNRECOGNISED.into()));
        assert_eq!(Guess::new(false).names(), NO_DATA);
    }

    #[test]
    fn windowed_keys_show_their_window() {
        let mut time = b"abc".to_vec();
        time.extend_from_slice(&100i64.to_be_bytes());
        let mut guess = Guess::new(true);
        assert_eq!(guess.show(Some(&Bytes::from(time))), "[abc@100/-]");
        assert_eq!(guess.names(), "HOPPING(KAFKA_STRING) or TUMBLING(KAFKA_STRING) or KAFKA_STRING");
        let mut session = b"abc".to_vec();
        session.extend_from_slice(&2000i64.to_be_bytes());
        session.extend_from_slice(&1000i64.to_be_bytes());
        assert_eq!(Guess::new(true).show(Some(&Bytes::from(session))), "[abc@1000/2000]");
    }

    #[test]
    fn a_null_says_nothing_about_the_format() {
        let mut guess = Guess::new(true);
        assert_eq!(guess.show(None), "<null>");
        assert_eq!(guess.names(), NO_DATA);
        assert_eq!(rowtime(1_586_896_981_251), "2020/04/14 20:43:01.251 Z");
    }
}
