//! An rqtt case: a server of its own, statements and queries over HTTP, records over the Kafka protocol.
//!
//! The statements are also decided by a session in process: it knows how the records of each topic stand on the wire.
//! A pull query is asked again until its answer is the expected one or patience ends, because nothing tells from outside when
//! the views have applied what was written; a push query is asked once.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use millrace_formats::Side;
use millrace_harness::Broker;
use millrace_sql::parser::{self, Limits};
use serde_json::{Value as Json, json};

use crate::case::{Case, RecordNode};
use crate::compare::{self, Rules};
use crate::http::{Answer, BODY_KIND, Exchange, PROTOBUF_KIND};
use crate::report::Verdict;
use crate::session::Session;
use crate::topics::BrokerTopics;
use crate::wire::Wire;
use crate::{answers, proto, qtt};

/// How long an answer may take to become the expected one.
const PATIENCE: Duration = Duration::from_secs(5);
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// What the harness's server is configured with.
const SERVER: [(&str, &str); 5] = [
    // The records are of 1970.
    ("log.retention.ms", "-1"),
    ("ksql.streams.auto.offset.reset", "earliest"),
    ("ksql.query.pull.table.scan.enabled", "true"),
    ("ksql.query.push.v2.enabled", "true"),
    ("ksql.headers.columns.enabled", "true"),
];

/// How the server is asked.
#[derive(Clone, Copy)]
enum Way {
    Statements,
    Json,
    Protobuf,
}

pub fn run(case: &Case) -> Verdict {
    attempt(case).into()
}

struct Server<'a> {
    case: &'a Case,
    broker: Broker,
    topics: BrokerTopics,
    session: Session,
}

fn attempt(case: &Case) -> Result<(), String> {
    let broker = started()?;
    let topics = BrokerTopics::connect(&broker.kafka())?;
    let session = qtt::prepared(case);
    let wanted: BTreeMap<String, i32> =
        session.bench.topics.iter().map(|(name, topic)| (name.to_string(), topic.partitions)).collect();
    topics.create(&wanted)?;
    Server { case, broker, topics, session }.run()
}

/// Ports are chosen before they are listened on: now and then somebody else is quicker.
fn started() -> Result<Broker, String> {
    let start = || {
        let options = SERVER.iter().fold(Broker::options(), |options, (key, value)| options.set(key, value));
        options.named("rqtt").try_start()
    };
    let taken = |result: &Result<Broker, String>| result.as_ref().is_err_and(|error| error.contains("in use"));
    (0..5).map(|_| start()).find(|result| !taken(result)).unwrap_or_else(start)
}

impl Server<'_> {
    fn run(mut self) -> Result<(), String> {
        let statements = &self.case.statements;
        let first_query = statements.iter().position(|text| text.starts_with("SELECT ")).unwrap_or(statements.len());
        let (admin, queries) = statements.split_at(first_query);
        let mut got = 0;
        if !admin.is_empty() {
            let answer = self.ask(Way::Statements, &admin.join("\n"))?.finish(Duration::from_secs(10))?;
            if answer.status != 200 {
                return self.failed(&answer, admin.last().map_or("", String::as_str));
            }
            got = self.admin(&answer, admin)?;
        }
        self.follow(admin);
        if self.case.rest.query_first {
            let [query] = queries else { return Err("inputs after a push query need exactly one query".into()) };
            let mut exchange = self.ask(Way::Json, query)?;
            exchange.begun(PATIENCE)?;
            self.write_inputs()?;
            let answer = exchange.finish(PATIENCE)?;
            got += 1;
            self.query(&answer, query, got - 1)?;
        } else {
            self.write_inputs()?;
            let ways: &[Way] = if self.case.rest.also_proto { &[Way::Json, Way::Protobuf] } else { &[Way::Json] };
            for (way, query) in ways.iter().flat_map(|way| queries.iter().map(move |query| (*way, query))) {
                if self.until_right(way, query, got)? {
                    return Ok(());
                }
                got += 1;
            }
        }
        if self.case.expected.is_some() {
            return Err("accepted, but it must be rejected".into());
        }
        if got < self.case.rest.responses.len() {
            return Err(format!("{got} answers, not {}", self.case.rest.responses.len()));
        }
        self.outputs()
    }

    fn ask(&self, way: Way, text: &str) -> Result<Exchange, String> {
        let properties: BTreeMap<&String, &String> = self.case.properties.iter().map(|(name, value)| (name, value)).collect();
        let server = self.broker.http();
        match way {
            Way::Statements => Exchange::post(&server, "/ksql", BODY_KIND, &json!({ "ksql": text, "streamsProperties": properties })),
            Way::Json => Exchange::post(&server, "/query", BODY_KIND, &json!({ "ksql": text, "streamsProperties": properties })),
            Way::Protobuf => Exchange::post(&server, "/query-stream", PROTOBUF_KIND, &json!({ "sql": text, "properties": properties })),
        }
    }

    fn failed(&self, answer: &Answer, statement: &str) -> Result<(), String> {
        match &self.case.expected {
            None => Err(format!("status {}: {}", answer.status, answer.body)),
            Some(expected) => answers::refused(answer, expected, statement),
        }
    }

    /// Compares the entities of a /ksql answer; returns how many there are.
    fn admin(&self, answer: &Answer, statements: &[String]) -> Result<usize, String> {
        let entities: Vec<Json> = serde_json::from_str(&answer.body).map_err(|error| format!("{error}: {}", answer.body))?;
        for (at, (wanted, found)) in self.case.rest.responses.iter().zip(&entities).enumerate() {
            let Some(wanted) = wanted.get("admin") else { return Err(format!("answer {at} is {found}, not {wanted}")) };
            let statement = statements.get(at).map_or("", String::as_str);
            if !answers::matches(found, wanted, statement) {
                return Err(format!("answer {at} is {found}, not {wanted}"));
            }
        }
        Ok(entities.len())
    }

    /// The statements in process. What it refuses, it knows nothing of: its topics are then taken for plain text.
    fn follow(&mut self, statements: &[String]) {
        let text = statements.join("\n");
        for raw in parser::split(&text, &Limits::STANDARD).iter().flatten() {
            if self.session.execute_raw(raw).is_err() {
                break;
            }
        }
    }

    fn write_inputs(&self) -> Result<(), String> {
        for record in &self.case.inputs {
            let source = self.session.source_of_topic(&record.topic);
            let written = qtt::encode(record, &Wire::new(source.as_deref()))?;
            self.topics.write(&record.topic, written)?;
        }
        Ok(())
    }

    /// Asks until the answer is right; true when the right answer is the failure that the case demands.
    fn until_right(&self, way: Way, query: &str, at: usize) -> Result<bool, String> {
        let pull = !query.to_uppercase().contains("EMIT CHANGES");
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = self.ask(way, query)?.finish(PATIENCE)?;
            let graded = match answer.status {
                200 => self.query(&answer, query, at).map(|()| false),
                _ => self.failed(&answer, query).map(|()| true),
            };
            match graded {
                Err(_) if pull && Instant::now() < until => sleep(AGAIN_AFTER),
                graded => return graded,
            }
        }
    }

    fn query(&self, answer: &Answer, statement: &str, at: usize) -> Result<(), String> {
        if answer.status != 200 {
            return self.failed(answer, statement);
        }
        let found = answers::rows_of(&answer.body)?;
        let Some(wanted) = self.case.rest.responses.get(at) else { return Ok(()) };
        let rows_of = |way: &str| wanted.get(way).and_then(Json::as_array);
        let ordered = self.case.rest.verify_order;
        match (rows_of("query"), rows_of("queryProto")) {
            (Some(wanted), _) => answers::rows(&found, wanted, statement, ordered),
            (None, Some(wanted)) => {
                let (found, wanted) = proto::readable(&found, wanted)?;
                answers::rows(&found, &wanted, statement, ordered)
            }
            (None, None) => Err(format!("answer {at} cannot be compared with {wanted}")),
        }
    }

    /// The first records of each topic that the case names; partitions have no order among them.
    fn outputs(&self) -> Result<(), String> {
        let mut expected: BTreeMap<&str, Vec<&RecordNode>> = BTreeMap::new();
        for record in &self.case.outputs {
            expected.entry(&record.topic).or_default().push(record);
        }
        for (topic, wanted) in expected {
            let until = Instant::now() + PATIENCE;
            while let Err(why) = self.topic(topic, &wanted) {
                if Instant::now() >= until {
                    return Err(why);
                }
                sleep(AGAIN_AFTER);
            }
        }
        Ok(())
    }

    fn topic(&self, topic: &str, wanted: &[&RecordNode]) -> Result<(), String> {
        let source = self.session.source_of_topic(topic);
        let wire = Wire::new(source.as_deref());
        let rules = Rules { key: wire.numbers(Side::Key), value: wire.numbers(Side::Value), inserts_only: self.case.inputs.is_empty() };
        let partitions = self.topics.read(topic)?;
        let mut next = vec![0; partitions.len()];
        for (at, wanted) in wanted.iter().enumerate() {
            let mut why = "no more records".to_string();
            let mut taken = None;
            for (number, records) in partitions.iter().enumerate() {
                let Some(record) = records.get(next[number]) else { continue };
                let mut actual = qtt::decode(record, &wire)?;
                // Headers are not compared in these cases.
                actual.headers.clear();
                match compare::record(&actual, wanted, rules) {
                    Ok(()) => taken = Some(number),
                    Err(error) => why = error,
                }
            }
            next[taken.ok_or_else(|| format!("{topic}[{at}]: {why}"))?] += 1;
        }
        Ok(())
    }
}
