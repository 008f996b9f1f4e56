//! Views and kill -9: every input counts exactly once in every table and every sink, and queries go on by themselves.
//!
//! `VIEW_ROUNDS` says how often the broker dies (`make kill-views ROUNDS=100`), `KILL_SEED` repeats a run's pauses.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use millrace_clients_tests::Peer;
use millrace_clients_tests::history::Seen;
use millrace_clients_tests::load::{config, read_all};
use millrace_clients_tests::rest::Rest;
use millrace_harness::{Broker, wait_for};
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use serde_json::Value;

const PARTITIONS: i32 = 3;
const KEYS: u64 = 17;
const GROUPS: u64 = 5;
/// For everything to have been read, on a machine that is busy with other things.
const CATCH_UP: Duration = Duration::from_secs(120);

const STATEMENTS: &str = "
    CREATE STREAM src (k VARCHAR KEY, n BIGINT, g VARCHAR) WITH (kafka_topic='src', partitions=3, value_format='JSON');
    CREATE TABLE users (k VARCHAR PRIMARY KEY, version BIGINT) WITH (kafka_topic='users', partitions=3, value_format='JSON');
    CREATE TABLE by_key AS SELECT k, COUNT(*) AS c, SUM(n) AS s FROM src GROUP BY k;
    CREATE TABLE by_group AS SELECT g, COUNT(*) AS c, SUM(n) AS s FROM src GROUP BY g;
    CREATE STREAM plain AS SELECT k, n, g FROM src;
    CREATE STREAM joined AS SELECT src.k AS k, src.n AS n, users.version AS version FROM src LEFT JOIN users ON src.k = users.k;";

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(usual)
}

/// A small generator, so that a run can be repeated.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Numbered records into `src`, now and then a new version of a user: all of them in the end, each once.
struct Numbers {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Numbers {
    fn start(address: &str) -> Numbers {
        let mut config = config(address);
        config.set("enable.idempotence", "true").set("linger.ms", "2").set("message.timeout.ms", "300000");
        let producer: ThreadedProducer<DefaultProducerContext> = config.create().expect("librdkafka takes this configuration");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut number = 0;
            while !stopped.load(Ordering::Relaxed) {
                let key = format!("k{}", number % KEYS);
                if number % 40 == 0 {
                    send(&producer, "users", &key, &format!("{{\"VERSION\":{number}}}"));
                }
                send(&producer, "src", &key, &format!("{{\"N\":{number},\"G\":\"g{}\"}}", number % GROUPS));
                number += 1;
                if number % 20 == 0 {
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
            producer.flush(Duration::from_secs(120)).expect("everything is acknowledged once the broker is back");
            number
        });
        Numbers { stop, thread }
    }

    /// How many there are, once all are acknowledged.
    #[track_caller]
    fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|_| panic!("the producer failed; its words are above"))
    }
}

fn send(producer: &ThreadedProducer<DefaultProducerContext>, topic: &str, key: &str, value: &str) {
    let mut record = BaseRecord::to(topic).key(key).payload(value);
    loop {
        match producer.send(record) {
            Ok(()) => return,
            Err((error, back)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => {
                record = back;
                std::thread::sleep(Duration::from_millis(5));
            }
            Err((error, _)) => panic!("librdkafka refused a record: {error}"),
        }
    }
}

fn field(record: &Seen, name: &str) -> Value {
    let value: Value = serde_json::from_str(&record.value).unwrap_or_else(|error| panic!("{error} in {record:?}"));
    value.get(name).cloned().unwrap_or(Value::Null)
}

fn integer(record: &Seen, name: &str) -> i64 {
    field(record, name).as_i64().unwrap_or_else(|| panic!("no number {name} in {record:?}"))
}

/// Count and sum by some text, computed from the source's records alone.
fn totals(source: &[Seen], by: impl Fn(&Seen) -> String) -> BTreeMap<String, (i64, i64)> {
    let mut totals = BTreeMap::new();
    for record in source {
        let (count, sum) = totals.entry(by(record)).or_insert((0, 0));
        *count += 1;
        *sum += integer(record, "N");
    }
    totals
}

/// A table's rows as a pull query gives them; nothing while it starts.
fn rows(rest: &Rest, query: &str) -> Option<BTreeMap<String, (i64, i64)>> {
    let rows = rest.pull(query).ok()?;
    rows.iter().map(|row| Some((row.first()?.as_str()?.to_owned(), (row.get(1)?.as_i64()?, row.get(2)?.as_i64()?)))).collect()
}

fn check(broker: &Broker, count: u64) {
    let (address, rest) = (broker.kafka(), Rest::new(broker.http()));
    let source = read_all(&address, "src", PARTITIONS);
    assert_eq!(numbers(&source), (0..count as i64).collect::<Vec<_>>(), "the source itself");
    let group = |record: &Seen| field(record, "G").as_str().unwrap_or_default().to_owned();
    let counted = |rows: &BTreeMap<String, (i64, i64)>| rows.values().map(|(count, _)| count).sum::<i64>();
    for (table, oracle) in [("BY_KEY", totals(&source, |record| record.key.clone())), ("BY_GROUP", totals(&source, group))] {
        let column = if table == "BY_KEY" { "k" } else { "g" };
        let query = format!("SELECT {column}, c, s FROM {table};");
        let rows = wait_for(&format!("{count} records in {table}"), CATCH_UP, || rows(&rest, &query).filter(|rows| counted(rows) >= count as i64));
        assert_eq!(rows, oracle, "{table}");
        check_counts(table, &sink(&address, table, count));
    }
    assert_eq!(numbers(&sink(&address, "PLAIN", count)), numbers(&source), "PLAIN");
    let joined = sink(&address, "JOINED", count);
    assert_eq!(numbers(&joined), numbers(&source), "JOINED");
    check_join(&joined);
}

/// A sink's records, once it has as many as there must be; more are for the caller to find.
fn sink(address: &str, topic: &str, count: u64) -> Vec<Seen> {
    wait_for(&format!("{count} records in the topic {topic}"), CATCH_UP, || {
        Some(read_all(address, topic, PARTITIONS)).filter(|records| records.len() as u64 >= count)
    })
}

fn numbers(records: &[Seen]) -> Vec<i64> {
    let mut numbers: Vec<i64> = records.iter().map(|record| integer(record, "N")).collect();
    numbers.sort_unstable();
    numbers
}

/// Per key 1, 2, 3, ...: a repeat is a change told twice, a gap one that was lost.
fn check_counts(table: &str, records: &[Seen]) {
    let mut last: BTreeMap<&str, i64> = BTreeMap::new();
    for record in records {
        let before = last.entry(&record.key).or_insert(0);
        let count = integer(record, "C");
        assert_eq!(count, *before + 1, "{table}: after {before} of {}: {record:?}", record.key);
        *before = count;
    }
}

/// A record meets its key's newest version, so versions of a key never go back, and are of that key.
fn check_join(records: &[Seen]) {
    let mut last: BTreeMap<&str, i64> = BTreeMap::new();
    for record in records {
        let Some(version) = field(record, "VERSION").as_i64() else {
            assert!(!last.contains_key(record.key.as_str()), "JOINED: a version of {} was forgotten: {record:?}", record.key);
            continue;
        };
        assert_eq!(format!("k{}", version as u64 % KEYS), record.key, "JOINED: {record:?}");
        let before = last.insert(&record.key, version);
        assert!(before.is_none_or(|before| before <= version), "JOINED: {before:?} before {record:?}");
    }
}

#[test]
fn every_record_counts_once_whenever_the_broker_dies() {
    let rounds = number("VIEW_ROUNDS", 4);
    let seed = number("KILL_SEED", u64::from(std::process::id()) | 1);
    let mut chance = seed;
    eprintln!("{rounds} rounds, KILL_SEED={seed}");
    let options = Broker::options().named("views").set("log.segment.bytes", 1 << 20).ready_within(Duration::from_secs(60));
    let Some(mut broker) = Peer::ours(options) else { return };
    let rest = Rest::new(broker.http());
    rest.run(STATEMENTS);
    let load = Numbers::start(&broker.kafka());
    for round in 0..rounds {
        // Around the moments at which state is written back, too.
        std::thread::sleep(Duration::from_millis(100 + next(&mut chance) % 1400));
        if next(&mut chance) % 5 == 0 {
            rest.run("PAUSE ALL;");
            broker.kill();
            broker.restart();
            rest.run("RESUME ALL;");
            continue;
        }
        broker.kill();
        broker.restart();
        if round % 20 == 19 {
            eprintln!("{} of {rounds} rounds", round + 1);
        }
    }
    let count = load.stop();
    check(&broker, count);
    // A clean stop, and nothing is told again after it.
    let stopped = broker.stop();
    assert!(stopped.status.success() && stopped.took < Duration::from_secs(15), "{stopped:?}");
    broker.restart();
    check(&broker, count);
    eprintln!("{count} records, each once in every view; SIGTERM took {:?}", stopped.took);
}

#[test]
fn a_topic_that_grew_or_went_takes_no_other_view_with_it() {
    let options = Broker::options().named("views-topics").ready_within(Duration::from_secs(60));
    let Some(mut broker) = Peer::ours(options) else { return };
    let rest = Rest::new(broker.http());
    rest.run(
        "CREATE STREAM gone (k VARCHAR KEY, n BIGINT) WITH (kafka_topic='gone', partitions=1, value_format='JSON');
         CREATE TABLE lost AS SELECT k, COUNT(*) AS c, SUM(n) AS s FROM gone GROUP BY k;
         CREATE STREAM grown (k VARCHAR KEY, n BIGINT) WITH (kafka_topic='grown', partitions=1, value_format='JSON');
         CREATE TABLE kept AS SELECT k, COUNT(*) AS c, SUM(n) AS s FROM grown GROUP BY k;
         INSERT INTO grown (k, n) VALUES ('a', 1);",
    );
    let expect = |what: &str, rows_wanted: &[(&str, (i64, i64))]| {
        let wanted: BTreeMap<String, (i64, i64)> = rows_wanted.iter().map(|(key, totals)| ((*key).to_owned(), *totals)).collect();
        wait_for(what, CATCH_UP, || rows(&rest, "SELECT k, c, s FROM kept;").filter(|rows| *rows == wanted));
    };
    expect("the first row", &[("a", (1, 1))]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let admin: AdminClient<DefaultClientContext> = config(&broker.kafka()).create().expect("librdkafka takes this configuration");
    let wait = AdminOptions::new();
    let changed = runtime.block_on(async {
        let grown = admin.create_partitions(&[NewPartitions::new("grown", 4)], &wait).await?;
        let gone = admin.delete_topics(&["gone"], &wait).await?;
        Ok::<_, rdkafka::error::KafkaError>((grown, gone))
    });
    let (grown, gone) = changed.expect("the broker answers");
    assert!(grown.iter().chain(&gone).all(Result::is_ok), "{grown:?} {gone:?}");
    broker.kill();
    broker.restart();
    // The new partitions are read, and what was counted is still there.
    for key in ["b", "c", "d", "e", "f"] {
        rest.run(&format!("INSERT INTO grown (k, n) VALUES ('{key}', 2);"));
    }
    let rest_of: Vec<(&str, (i64, i64))> = [("a", (1, 1))].into_iter().chain(["b", "c", "d", "e", "f"].map(|key| (key, (1, 2)))).collect();
    expect("rows of the new partitions", &rest_of);
    // The statements over the topic that went still stand, and can be taken back.
    rest.run("DROP TABLE lost; DROP STREAM gone;");
    assert!(broker.stop().status.success());
}
