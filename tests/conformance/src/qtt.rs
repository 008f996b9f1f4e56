//! A qtt case: statements, records in, records out, post-conditions.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use millrace_engine::Header;
use millrace_formats::Side;
use millrace_sql::cast::{base64, from_base64};
use millrace_sql::parser::{self, Limits};

use crate::bench::Written;
use crate::case::{Case, Expected, RecordNode};
use crate::compare::{self, Actual, Numbers, Rules};
use crate::post;
use crate::report::{OTHER_WORDS, Verdict};
use crate::session::{self, Failure, Session};
use crate::wire::Wire;

/// What a case's topics hold after it ran, for people.
pub fn show(case: &Case) -> String {
    let mut out = String::new();
    let mut session = prepared(case);
    let text = case.statements.join("\n");
    let failure = match statements(&text, &mut session) {
        Ok(_) => records(case, &mut session).err(),
        Err((_, failure)) => Some(failure),
    };
    if let Some(failure) = failure {
        let _ = writeln!(out, "failed: {failure}");
    }
    for (name, topic) in &session.bench.topics {
        let source = session.source_of_topic(name);
        if let Some(source) = &source {
            let columns: Vec<String> = source.schema.columns().iter().map(post::column_text).collect();
            let _ = writeln!(out, "{name}: {} {}", source.kind.word(), columns.join(", "));
        }
        for record in &topic.records {
            let _ = match decode(record, &Wire::new(source.as_deref())) {
                Ok(Actual { key, value, timestamp, window, .. }) => {
                    let window = window.map_or(String::new(), |window| format!(" [{}, {}]", window.start, window.end));
                    writeln!(out, "{name}: {key}{window} = {value} at {timestamp}")
                }
                Err(error) => writeln!(out, "{name}: {error}"),
            };
        }
    }
    out
}

pub fn prepared(case: &Case) -> Session {
    let mut session = Session::new(&case.properties);
    for topic in &case.topics {
        session.bench.create_topic(&topic.name, topic.partitions);
    }
    session.declare_topics(&case.statements, session::DEFAULT_PARTITIONS);
    for record in case.inputs.iter().chain(&case.outputs) {
        session.reserve_topic(&record.topic);
    }
    session
}

pub fn run(case: &Case) -> Verdict {
    let mut session = prepared(case);
    let text = case.statements.join("\n");
    let (count, failure) = match statements(&text, &mut session) {
        Ok(count) => (count, records(case, &mut session).err()),
        Err((count, failure)) => (count, Some(failure)),
    };
    match (&case.expected, failure) {
        (Some(expected), failure) => rejected(expected, failure, count).into(),
        (None, Some(failure)) => Verdict::Fail(failure.to_string()),
        (None, None) => outcome(case, &session).into(),
    }
}

/// Grades a failure against the one that is demanded.
pub fn rejected(expected: &Expected, failure: Option<Failure>, statements: usize) -> Result<(), String> {
    let failure = failure.ok_or("accepted, but it must be rejected")?;
    match failure.statement {
        Some(at) if at + 1 < statements => return Err(format!("only the last statement may fail: {failure}")),
        _ => {}
    }
    match &expected.message {
        Some(wanted) if !failure.message.contains(wanted.as_str()) => {
            Err(format!("{OTHER_WORDS}: {:?} where {wanted:?} was expected", failure.message))
        }
        _ => Ok(()),
    }
}

/// Runs the statements as one text, so that errors know their lines; returns how many there are.
fn statements(text: &str, session: &mut Session) -> Result<usize, (usize, Failure)> {
    let raws = parser::split(text, &Limits::STANDARD).map_err(|error| (0, error.into()))?;
    for (at, raw) in raws.iter().enumerate() {
        session.execute_raw(raw).map_err(|failure| (raws.len(), failure.at(at)))?;
    }
    Ok(raws.len())
}

fn records(case: &Case, session: &mut Session) -> Result<(), Failure> {
    if case.expected.is_none() && session.bench.query_count() == 0 {
        return Err(Failure::new("the case made no persistent query"));
    }
    let mut given = Vec::with_capacity(case.inputs.len());
    for record in &case.inputs {
        let source = session.source_of_topic(&record.topic);
        let written = encode(record, &Wire::new(source.as_deref())).map_err(Failure::new)?;
        let topic: Arc<str> = Arc::from(record.topic.as_str());
        given.push((Arc::clone(&topic), session.bench.append(&topic, written)));
    }
    session.bench.run_in_turn(&given).map_err(|error| Failure::new(error.to_string()))
}

pub fn encode(record: &RecordNode, wire: &Wire<'_>) -> Result<Written, String> {
    let header = |header: &crate::case::Header| Header {
        key: Arc::from(header.key.as_str()),
        value: header.value.as_deref().and_then(from_base64).map(Bytes::from),
    };
    Ok(Written {
        key: wire.encode_key(&record.key, record.window.as_ref())?,
        value: wire.encode(Side::Value, &record.value)?,
        timestamp: record.timestamp.unwrap_or(0),
        headers: record.headers.iter().map(header).collect(),
    })
}

pub fn decode(record: &Written, wire: &Wire<'_>) -> Result<Actual, String> {
    let (key, window) = wire.split_key(record.key.as_deref())?;
    let header = |header: &Header| (header.key.to_string(), header.value.as_ref().map(|value| base64(value)));
    Ok(Actual {
        key: wire.decode(Side::Key, key)?,
        value: wire.decode(Side::Value, record.value.as_deref())?,
        timestamp: record.timestamp,
        window,
        headers: record.headers.iter().map(header).collect(),
    })
}

fn outcome(case: &Case, session: &Session) -> Result<(), String> {
    let mut expected: BTreeMap<&str, Vec<&RecordNode>> = BTreeMap::new();
    for record in &case.outputs {
        expected.entry(&record.topic).or_default().push(record);
    }
    for (topic, wanted) in expected {
        let source = session.source_of_topic(topic);
        let wire = Wire::new(source.as_deref());
        let numbers = |side: Side| match wire.numbers(side) {
            Numbers::Exact if !case.exact_numbers && wire.is_json(side) => Numbers::Tolerant,
            numbers => numbers,
        };
        let rules = Rules { key: numbers(Side::Key), value: numbers(Side::Value), inserts_only: case.inputs.is_empty() };
        let records = session.bench.topics.get(topic).map_or(&[][..], |topic| &topic.records);
        let actual: Vec<Actual> = records.iter().map(|record| decode(record, &wire)).collect::<Result<_, _>>()?;
        compare::topic(&actual, &wanted, rules)?;
    }
    post::check(&case.post, session)
}
