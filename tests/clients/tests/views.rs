//! Views and kill -9: every input counts exactly once in every table and every sink, and queries go on by themselves.
//!
//! `VIEW_ROUNDS` says how often the broker dies (`make kill-views ROUNDS=100`), `KILL_SEED` repeats a run's pauses.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use millrace_clients_tests::Peer;
use millrace_clients_tests::load::{config, read_events};
use millrace_clients_tests::rest::Rest;
use millrace_harness::{Broker, wait_for};
use millrace_oracle::{Cut, Event, Logs, Rows, SOURCES, VIEWS};
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use serde_json::Value;

const PARTITIONS: i32 = 3;
const KEYS: u64 = 17;
/// For everything to have been read, on a machine that is busy with other things.
const CATCH_UP: Duration = Duration::from_secs(120);

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

/// Numbered records for the sources, some of them late, without a key, or unreadable: all of them in the end, each once.
struct Numbers {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Numbers {
    fn start(address: &str, mut chance: u64) -> Numbers {
        let mut config = config(address);
        config.set("enable.idempotence", "true").set("linger.ms", "2").set("message.timeout.ms", "300000");
        let producer: ThreadedProducer<DefaultProducerContext> = config.create().expect("librdkafka takes this configuration");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            // Retention goes by these times, so they are of yesterday.
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
            let (mut number, mut time) = (0, now - 86_400_000);
            while !stopped.load(Ordering::Relaxed) {
                time += if next(&mut chance) % 100 < 2 { 4_000 } else { (next(&mut chance) % 100) as i64 };
                let late = if next(&mut chance) % 10 == 0 { next(&mut chance) % 8_000 } else { 0 };
                let key = format!("k{}", next(&mut chance) % KEYS);
                let (topic, value) = match next(&mut chance) % 40 {
                    0 => ("USERS", Some(format!("{{\"VERSION\":{number}}}"))),
                    1 => ("LIMITS", Some(format!("{{\"CAP\":{number}}}"))),
                    2 if next(&mut chance) % 5 == 0 => ("SRC", Some("{\"N\": 1".to_owned())),
                    3 if next(&mut chance) % 5 == 0 => ("ORDERS", None),
                    3 if next(&mut chance) % 10 == 0 => ("ORDERS", Some(format!("{{\"N\":{number}}}"))),
                    3 => ("ORDERS", Some(format!("{{\"N\":{number},\"OWNER\":\"k{}\"}}", next(&mut chance) % KEYS))),
                    _ => ("SRC", Some(format!("{{\"N\":{number},\"G\":\"g{}\"}}", number % 5))),
                };
                let record = BaseRecord::to(topic).timestamp(time - late as i64);
                let record = match &value {
                    Some(value) => record.payload(value),
                    None => record,
                };
                let keyless = topic == "SRC" && next(&mut chance) % 50 == 0;
                send(&producer, if keyless { record } else { record.key(&key) });
                number += 1;
                if number % 5 == 0 {
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

fn send(producer: &ThreadedProducer<DefaultProducerContext>, mut record: BaseRecord<'_, String, String>) {
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

/// Every topic of the views and of their sources. Sinks come first, so that the sources hold everything they speak of.
fn logs(address: &str) -> Logs {
    let views = VIEWS.iter().rev().map(|view| view.name);
    let names = views.chain(SOURCES.iter().map(|(name, _)| *name));
    names.map(|name| (name.to_owned(), read_events(address, name, PARTITIONS))).collect()
}

/// A table's rows as a pull query gives them; nothing while it starts.
fn rows(rest: &Rest, query: &str) -> Option<Rows> {
    let one = |row: &Vec<Value>| {
        let mut numbers: Vec<i64> = row.iter().filter_map(Value::as_i64).collect();
        let mut key = row.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ");
        if let [start, end, count] = numbers[..] {
            // A session's bounds are a part of the key.
            key.push_str(&format!(" {start} {end}"));
            numbers = vec![count];
        }
        (key, numbers)
    };
    Some(rest.pull(query).ok()?.iter().map(one).collect())
}

/// What every view must have come to; none of it yet, or a part, is an error too.
fn complete(broker: &Broker) -> Result<usize, String> {
    let (address, rest) = (broker.kafka(), Rest::new(broker.http()));
    let logs = logs(&address);
    let end_of = |events: &[Event], partition| events.iter().filter(|event| event.partition == partition).map(|event| event.offset + 1).max().unwrap_or(0);
    let everything = logs.iter().flat_map(|(name, events)| (0..PARTITIONS as usize).map(move |at| ((name.clone(), at), end_of(events, at))));
    let cut: Cut = everything.collect();
    for view in VIEWS {
        view.check_log(&logs, true)?;
        let Some(pull) = view.pull else { continue };
        let found = rows(&rest, pull).ok_or_else(|| format!("{} cannot be read", view.name))?;
        let wanted = view.rows(&logs, &cut).ok_or_else(|| format!("{} has no rows to be", view.name))?;
        if found != wanted {
            return Err(format!("the rows of {} are {found:?}, not {wanted:?}", view.name));
        }
    }
    Ok(logs.values().map(Vec::len).sum())
}

#[track_caller]
fn check(broker: &Broker) -> usize {
    let until = Instant::now() + CATCH_UP;
    loop {
        match complete(broker) {
            Ok(records) => return records,
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Fault matrix G1 and G8: sums, counts, joins of both kinds, sessions, moved rows, a view of a view, and every sink.
#[test]
fn every_record_counts_once_whenever_the_broker_dies() {
    let rounds = number("VIEW_ROUNDS", 4);
    let seed = number("KILL_SEED", u64::from(std::process::id()) | 1);
    let mut chance = seed;
    eprintln!("{rounds} rounds, KILL_SEED={seed}");
    // The sinks of tables are compacted topics; the oracle wants to see every change, so nothing is old enough to be cleaned here.
    let options = Broker::options().named("views").set("log.segment.bytes", 1 << 20).set("log.cleaner.min.compaction.lag.ms", 864_000_000);
    let options = options.ready_within(Duration::from_secs(60));
    let Some(mut broker) = Peer::ours(options) else { return };
    let rest = Rest::new(broker.http());
    for (_, sql) in SOURCES {
        rest.run(&sql.replace("$P", &PARTITIONS.to_string()));
    }
    for view in VIEWS {
        rest.run(view.sql);
    }
    let load = Numbers::start(&broker.kafka(), seed);
    for round in 0..rounds {
        // Around the moments at which state is written back, too.
        let longest = if next(&mut chance) % 4 == 0 { 1_200 } else { 300 };
        std::thread::sleep(Duration::from_millis(30 + next(&mut chance) % longest));
        let paused = next(&mut chance) % 8 == 0;
        if paused {
            rest.run("PAUSE ALL;");
        }
        broker.kill();
        broker.restart();
        if paused {
            rest.run("RESUME ALL;");
        }
        if round % 20 == 19 {
            eprintln!("{} of {rounds} rounds", round + 1);
        }
        if round % 100 == 99 {
            let logs = logs(&broker.kafka());
            for view in VIEWS {
                view.check_log(&logs, false).unwrap_or_else(|error| panic!("after {} rounds: {error}", round + 1));
            }
        }
    }
    let count = load.stop();
    let records = check(&broker);
    // A clean stop, and nothing is told again after it.
    let stopped = broker.stop();
    assert!(stopped.status.success() && stopped.took < Duration::from_secs(15), "{stopped:?}");
    broker.restart();
    assert_eq!(check(&broker), records);
    eprintln!("{rounds} kills, {count} records in, {records} in all topics, each once; SIGTERM took {:?}", stopped.took);
}

/// Rows of a table with two numbers.
fn totals(rest: &Rest, query: &str) -> Option<BTreeMap<String, (i64, i64)>> {
    let rows = rest.pull(query).ok()?;
    rows.iter().map(|row| Some((row.first()?.as_str()?.to_owned(), (row.get(1)?.as_i64()?, row.get(2)?.as_i64()?)))).collect()
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
        wait_for(what, CATCH_UP, || totals(&rest, "SELECT k, c, s FROM kept;").filter(|rows| *rows == wanted));
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
