//! Views and what the fault matrix (G) holds for them: lost input, damaged state, poison, hostile records and statements, storms of
//! readers. Each test is named after what must hold.
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use millrace_clients_tests::faulty::Faulty;
use millrace_clients_tests::load::config;
use millrace_clients_tests::rest::Rest;
use millrace_clients_tests::{Peer, millrace};
use millrace_harness::{Broker, wait_for};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

fn broker(name: &str) -> Option<Broker> {
    Peer::ours(Broker::options().named(name).ready_within(PATIENCE))
}

fn produce<K: AsRef<str>, V: AsRef<[u8]>>(address: &str, topic: &str, compression: &str, records: impl IntoIterator<Item = (K, V)>) {
    let mut config = config(address);
    config.set("compression.type", compression).set("message.max.bytes", "100000000").set("linger.ms", "5");
    let producer: BaseProducer = config.create().expect("librdkafka takes this configuration");
    for (key, value) in records {
        while let Err((error, _)) = producer.send(BaseRecord::to(topic).key(key.as_ref()).payload(value.as_ref()).partition(0)) {
            assert_eq!(error.rdkafka_error_code(), Some(rdkafka::error::RDKafkaErrorCode::QueueFull), "{error}");
            producer.poll(Duration::from_millis(10));
        }
    }
    producer.flush(PATIENCE).expect("everything is acknowledged");
}

/// The only row's numbers of a key; nothing while it starts or is not there.
fn row(rest: &Rest, table: &str, key: &str) -> Option<Vec<i64>> {
    let rows = rest.pull(&format!("SELECT * FROM {table} WHERE k = '{key}';")).ok()?;
    Some(rows.first()?.iter().filter_map(Value::as_i64).collect())
}

#[track_caller]
fn await_row(rest: &Rest, table: &str, key: &str, wanted: &[i64]) {
    let mut last = None;
    let until = Instant::now() + PATIENCE;
    while last.as_deref() != Some(wanted) {
        assert!(Instant::now() < until, "{key} of {table} is {last:?}, not {wanted:?}");
        std::thread::sleep(Duration::from_millis(50));
        last = row(rest, table, key);
    }
}

const COUNTED: &str = "
    CREATE STREAM src (k VARCHAR KEY, n BIGINT) WITH (kafka_topic='src', partitions=1, value_format='JSON');
    CREATE TABLE counted AS SELECT k, COUNT(*) AS c, SUM(n) AS s FROM src GROUP BY k;";

fn ones(count: usize) -> impl Iterator<Item = (&'static str, &'static str)> {
    std::iter::repeat_n(("a", "{\"N\":1}"), count)
}

/// G5: records that went before a paused query came to read them are missed aloud.
#[test]
fn g5_input_that_is_lost_is_said_and_never_silent() {
    let Some(broker) = broker("views-g5") else { return };
    let (address, rest) = (broker.kafka(), Rest::new(broker.http()));
    rest.run(COUNTED);
    produce(&address, "src", "none", ones(10));
    await_row(&rest, "counted", "a", &[10, 10]);
    rest.run("PAUSE ALL;");
    produce(&address, "src", "none", ones(20));
    let trimmed = millrace(&address, &["topic", "trim", "src", "--partition", "0", "--before", "25"], "");
    trimmed.text();
    rest.run("RESUME ALL;");
    await_row(&rest, "counted", "a", &[15, 15]);
    let said = broker.log().lines().any(|line| line.contains("retention removed records") && line.contains("src"));
    assert!(said, "nothing was said of 15 records that the query never saw");
}

/// The folders of all states below the data directory.
fn states(data: &Path) -> Vec<PathBuf> {
    let below = |dir: &Path| -> Vec<PathBuf> { std::fs::read_dir(dir).map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default() };
    below(&data.join("views")).iter().flat_map(|query| below(query)).filter(|path| path.join("CURRENT").exists()).collect()
}

fn file_with(dir: &Path, wanted: impl Fn(&str) -> bool) -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(dir).ok()?.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(&wanted));
    found.sort();
    found.pop()
}

/// G6: a write-ahead log that is cut anywhere brings back an older cut, and the input does the rest.
#[test]
fn g6_a_state_whose_log_is_cut_anywhere_comes_back_right() {
    let Some(mut broker) = broker("views-g6") else { return };
    let (address, rest) = (broker.kafka(), Rest::new(broker.http()));
    rest.run(COUNTED);
    let mut count = 0;
    for round in 0..8_usize {
        produce(&address, "src", "none", ones(50));
        count += 50;
        await_row(&rest, "counted", "a", &[count, count]);
        // Written behind by now, or by the stop.
        std::thread::sleep(Duration::from_millis(if round % 2 == 0 { 700 } else { 10 }));
        if round % 3 == 0 { broker.kill() } else { drop(broker.stop()) }
        for state in states(broker.data()) {
            let Some(log) = file_with(&state, |name| name.ends_with(".log")) else { continue };
            let bytes = std::fs::read(&log).expect("the log can be read");
            let keep = bytes.len() * (round * 37 % 100) / 100;
            std::fs::write(&log, &bytes[..keep]).expect("the log can be written");
        }
        broker.restart();
        await_row(&rest, "counted", "a", &[count, count]);
    }
    // And nothing was told twice.
    let told = millrace_clients_tests::load::read_all(&address, "COUNTED", 1);
    assert_eq!(told.len() as i64, count);
}

/// What may happen to the files that say which others make up a state.
const DAMAGES: &[(&str, fn(&Path))] = &[
    ("no MANIFEST", |state| std::fs::remove_file(manifest(state)).expect("it can be removed")),
    ("a MANIFEST of zeroes", |state| zero(&manifest(state))),
    ("no CURRENT", |state| std::fs::remove_file(state.join("CURRENT")).expect("it can be removed")),
    ("a CURRENT of zeroes", |state| zero(&state.join("CURRENT"))),
];

fn manifest(state: &Path) -> PathBuf {
    file_with(state, |name| name.starts_with("MANIFEST")).expect("a database has a manifest")
}

fn zero(file: &Path) {
    let long = std::fs::read(file).expect("it can be read").len();
    std::fs::write(file, vec![0; long]).expect("it can be written");
}

/// The folder of the first task of the query that writes this sink.
#[track_caller]
fn state_of(broker: &Broker, sink: &str) -> PathBuf {
    let all = states(broker.data());
    all.iter().find(|state| state.to_string_lossy().contains(&format!("_{sink}_"))).cloned().unwrap_or_else(|| panic!("no state of {sink} in {all:?}"))
}

fn query_of(rest: &Rest, sink: &str) -> Value {
    let answer = rest.run("SHOW QUERIES;");
    let queries = answer[0]["queries"].as_array().cloned().unwrap_or_default();
    queries.into_iter().find(|query| query["sinks"][0] == *sink).unwrap_or_default()
}

/// G6: a state whose database cannot be opened is computed again from its topics, aloud, and nothing is told twice.
#[test]
fn g6_a_damaged_state_is_computed_again_and_nothing_is_told_twice() {
    let Some(mut broker) = broker("views-g6-damage") else { return };
    let (address, rest) = (broker.kafka(), Rest::new(broker.http()));
    rest.run(COUNTED);
    // One that keeps the order of its inputs.
    rest.run(
        "CREATE TABLE users (k VARCHAR PRIMARY KEY, v BIGINT) WITH (kafka_topic='users', partitions=1, value_format='JSON');
         CREATE STREAM joined AS SELECT src.k AS k, src.n AS n, users.v AS v FROM src LEFT JOIN users ON src.k = users.k;",
    );
    let mut count = 0;
    for (what, damage) in DAMAGES {
        produce(&address, "src", "none", ones(20));
        produce(&address, "users", "none", [("a", format!("{{\"V\":{count}}}"))]);
        count += 20;
        await_row(&rest, "counted", "a", &[count, count]);
        let told = || millrace_clients_tests::load::read_all(&address, "JOINED", 1).len() as i64;
        wait_for("every joined row", PATIENCE, || (told() == count).then_some(()));
        assert!(broker.stop().status.success());
        for sink in ["COUNTED", "JOINED"] {
            damage(&state_of(&broker, sink));
        }
        broker.restart();
        let said = |sink: &str| broker.log().lines().filter(|line| line.contains("a state is damaged") && line.contains(&format!("_{sink}_"))).count();
        wait_for(what, PATIENCE, || (said("COUNTED") > 0 && said("JOINED") > 0).then_some(()));
        produce(&address, "src", "none", ones(1));
        count += 1;
        // Meanwhile nothing is answered that is not so.
        let until = Instant::now() + PATIENCE;
        loop {
            let found = row(&rest, "counted", "a");
            if found.as_deref() == Some(&[count, count]) {
                break;
            }
            assert!(found.is_none() || found == Some(vec![count - 1, count - 1]), "{what}: {found:?} of {count}");
            assert!(Instant::now() < until, "{what}: it is not computed again: {}", broker.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        wait_for("every joined row", PATIENCE, || (told() == count).then_some(()));
        wait_for("both to run", PATIENCE, || ["COUNTED", "JOINED"].iter().all(|sink| query_of(&rest, sink)["state"] == "RUNNING:1").then_some(()));
    }
    assert!(broker.stop().status.success());
    broker.restart();
    await_row(&rest, "counted", "a", &[count, count]);
    let told = |topic| millrace_clients_tests::load::read_all(&address, topic, 1).len() as i64;
    assert_eq!((told("COUNTED"), told("JOINED")), (count, count), "each change once");
}

/// G5 and G6: a damaged state whose input no longer reaches back is an error that says what to do, of that query alone.
#[test]
fn g6_a_damaged_state_whose_input_is_gone_stays_an_error() {
    let Some(mut broker) = broker("views-g6-gone") else { return };
    let (address, rest) = (broker.kafka(), Rest::new(broker.http()));
    rest.run(COUNTED);
    rest.run("CREATE TABLE other AS SELECT k, COUNT(*) AS c FROM src GROUP BY k;");
    produce(&address, "src", "none", ones(40));
    await_row(&rest, "counted", "a", &[40, 40]);
    await_row(&rest, "other", "a", &[40]);
    assert!(broker.stop().status.success());
    broker.restart();
    millrace(&address, &["topic", "trim", "src", "--partition", "0", "--before", "25"], "").text();
    assert!(broker.stop().status.success());
    let damaged = state_of(&broker, "COUNTED");
    std::fs::remove_file(manifest(&damaged)).expect("it can be removed");
    broker.restart();
    produce(&address, "src", "none", ones(2));
    await_row(&rest, "other", "a", &[42]);
    let query = wait_for("the query in error", PATIENCE, || Some(query_of(&rest, "COUNTED")).filter(|query| query["state"] == "ERROR:1"));
    let explained = rest.run(&format!("EXPLAIN {};", query["id"].as_str().expect("an id")));
    let error = explained[0]["queryDescription"]["queryErrors"][0]["errorMessage"].as_str().unwrap_or_default().to_owned();
    assert!(error.contains("src-0 begins at offset 25 now") && error.contains("Drop the query"), "{explained}");
    let refused = rest.pull("SELECT * FROM counted;").expect_err("there are no rows to answer with");
    assert!(refused.contains("cannot be computed again"), "{refused}");
    assert!(damaged.exists(), "what is left of it is not thrown away");
    rest.run("DROP TABLE counted DELETE TOPIC;");
    rest.run("CREATE TABLE counted AS SELECT k, COUNT(*) AS c, SUM(n) AS s FROM src GROUP BY k;");
    await_row(&rest, "counted", "a", &[17, 17]);
}

/// G7: the log of a state's database cannot be written for a while. No row gets ahead of the cut it belongs to, whether the broker
/// dies then or the disk heals first.
#[test]
fn g7_rows_and_cut_stay_together_when_the_states_log_cannot_be_written() {
    let faulty = Faulty::new();
    let Some(mut broker) = Peer::ours(faulty.options_for("/data/views/").ready_within(PATIENCE)) else { return };
    let (address, rest) = (broker.kafka(), Rest::new(broker.http()));
    rest.run(COUNTED);
    let mut count = 0;
    for (round, (fault, dies)) in [("eio", false), ("full", false), ("eio", true), ("full", true)].into_iter().enumerate() {
        produce(&address, "src", "none", ones(50));
        count += 50;
        await_row(&rest, "counted", "a", &[count, count]);
        faulty.set(fault);
        produce(&address, "src", "none", ones(50));
        count += 50;
        wait_for("trouble that is told", PATIENCE, || (query_of(&rest, "COUNTED")["state"] == "ERROR:1").then_some(()));
        assert!(broker.is_up(), "round {round}: it died");
        if dies {
            broker.kill();
            faulty.clear(fault);
            broker.restart();
        } else {
            faulty.clear(fault);
        }
        await_row(&rest, "counted", "a", &[count, count]);
        let told = millrace_clients_tests::load::read_all(&address, "COUNTED", 1);
        assert_eq!(told.len() as i64, count, "round {round}: each change once");
    }
    assert!(!broker.log().contains("a state is damaged"), "a log that is cut short is no damage");
}

/// G8: what cannot be read or computed is passed over once, and everything else counts.
#[test]
fn g8_poison_records_stop_nothing_and_count_for_nothing() {
    let Some(broker) = broker("views-g8") else { return };
    let (address, rest) = (broker.kafka(), Rest::new(broker.http()));
    rest.run(COUNTED);
    rest.run("CREATE TABLE divided AS SELECT k, COUNT(*) AS c, SUM(100 / n) AS s FROM src GROUP BY k;");
    let poison: [&[u8]; 7] = [b"", b"{", b"\xff\xfe", b"[1]", b"{\"N\":\"text\"}", b"{\"N\":NaN}", b"\x00\x01"];
    for one in poison {
        produce(&address, "src", "none", [("a", one)]);
        produce(&address, "src", "none", ones(1));
    }
    produce(&address, "src", "none", [("a", &b"{\"N\":0}"[..])]);
    produce(&address, "src", "none", [("b", &b"{\"N\":5}"[..])]);
    await_row(&rest, "counted", "b", &[1, 5]);
    assert_eq!(row(&rest, "counted", "a"), Some(vec![8, 7]), "seven ones and a zero count, poison does not");
    // Division by zero is null: the row counts, the sum goes on.
    await_row(&rest, "divided", "b", &[1, 20]);
    assert_eq!(row(&rest, "divided", "a").map(|row| row[1]), Some(700));
}

/// G10: depth, size and number of columns of a record are its own trouble.
#[test]
fn g10_monstrous_records_are_survived() {
    let Some(mut broker) = broker("views-g10") else { return };
    let (address, rest) = (broker.kafka(), Rest::new(broker.http()));
    rest.run(COUNTED);
    let deep = format!("{{\"X\":{}{},\"N\":1}}", "[".repeat(100_000), "]".repeat(100_000));
    let wide = format!("{{{}\"N\":1}}", (0..100_000).map(|number| format!("\"C{number}\":{number},")).collect::<String>());
    let long = format!("{{\"X\":\"{}\",\"N\":1}}", "x".repeat(50 << 20));
    for monster in [deep, wide, long] {
        produce(&address, "src", "lz4", [("monster", monster)]);
        produce(&address, "src", "none", ones(1));
    }
    await_row(&rest, "counted", "a", &[3, 3]);
    assert!(broker.is_up());
    let resident = broker.anonymous_bytes() >> 20;
    assert!(resident < 1_500, "{resident} MiB after 50 MiB of record");
}

/// G11: a statement may be refused; it may not take the broker with it.
#[test]
fn g11_hostile_statements_are_answered_in_time() {
    let Some(mut broker) = broker("views-g11") else { return };
    let (address, rest) = (broker.kafka(), Rest::new(broker.http()));
    rest.run(COUNTED);
    produce(&address, "src", "none", ones(3));
    await_row(&rest, "counted", "a", &[3, 3]);
    let select = |filter: String| format!("SELECT * FROM counted WHERE {filter};");
    let names = |count: usize| (0..count).map(|number| format!("'{number}'")).collect::<Vec<_>>().join(",");
    let hostile = [
        select(format!("{}k = 'a'{}", "(".repeat(10_000), ")".repeat(10_000))),
        select(format!("k IN ({})", names(200_000))),
        select(vec!["k = 'a'"; 20_000].join(" OR ")),
        select(format!("{}k = 'a'", "NOT ".repeat(20_000))),
        select(format!("k LIKE '{}'", "%a".repeat(20_000))),
        select(format!("REGEXP_EXTRACT('(a+)+$', '{}b') = k", "a".repeat(5_000))),
        select(format!("CONCAT({}'a'{}) = k", "CONCAT(".repeat(5_000), ", 'b')".repeat(5_000))),
        format!("CREATE STREAM \"{}\" (k VARCHAR KEY) WITH (kafka_topic='src', value_format='JSON');", "n".repeat(100_000)),
        format!("SELECT CAST(NULL AS {}INT{}) FROM counted;", "ARRAY<".repeat(10_000), ">".repeat(10_000)),
        "/* ".repeat(100_000),
        "'".repeat(99_999),
    ];
    for statement in hostile {
        let began = Instant::now();
        let answer = rest.pull(&statement);
        let took = began.elapsed();
        let start: String = statement.chars().take(60).collect();
        assert!(took < Duration::from_secs(20), "{took:?} for {start}: {:?}", answer.map(|rows| rows.len()));
        assert!(broker.is_up(), "{start} ended the broker");
    }
    await_row(&rest, "counted", "a", &[3, 3]);
}

/// G12: a storm of look-ups and scans slows views down and stops none.
#[test]
fn g12_a_storm_of_pull_queries_holds_up_no_view() {
    let Some(broker) = broker("views-g12") else { return };
    let (address, rest) = (broker.kafka(), Rest::new(broker.http()));
    rest.run(COUNTED);
    produce(&address, "src", "none", (0..2_000).map(|number| (format!("k{number}"), "{\"N\":1}")));
    await_row(&rest, "counted", "k1999", &[1, 1]);
    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let askers: Vec<_> = (0..6)
        .map(|number| {
            let (stop, asked, http) = (stop.clone(), asked.clone(), broker.http());
            std::thread::spawn(move || {
                let rest = Rest::new(http);
                let query = if number == 0 { "SELECT * FROM counted;" } else { "SELECT * FROM counted WHERE k = 'k7';" };
                while !stop.load(Ordering::Relaxed) {
                    let rows = rest.pull(query).unwrap_or_else(|error| panic!("{query}: {error}"));
                    assert_eq!(rows.len(), if number == 0 { 2_000 } else { 1 });
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    produce(&address, "src", "none", (0..20_000).map(|number| (format!("k{}", number % 2_000), "{\"N\":1}")));
    await_row(&rest, "counted", "k7", &[11, 11]);
    stop.store(true, Ordering::Relaxed);
    askers.into_iter().for_each(|asker| asker.join().unwrap_or_else(|_| panic!("an asker failed; its words are above")));
    assert!(asked.load(Ordering::Relaxed) > 50, "too few queries to call it a storm");
}

/// G13: whoever stops reading its push query is left behind alone, within bounded memory.
#[test]
fn g13_a_subscriber_that_stops_reading_costs_a_bounded_amount() {
    let Some(broker) = broker("views-g13") else { return };
    let (address, rest) = (broker.kafka(), Rest::new(broker.http()));
    rest.run(COUNTED);
    produce(&address, "src", "none", ones(10));
    await_row(&rest, "counted", "a", &[10, 10]);
    let sleepers: Vec<TcpStream> = (0..50).map(|_| subscribe(&broker, "SELECT * FROM src EMIT CHANGES;")).collect();
    let before = broker.anonymous_bytes();
    let long = format!("{{\"N\":1,\"X\":\"{}\"}}", "x".repeat(1_000));
    produce(&address, "src", "lz4", (0..40_000).map(|_| ("b", &long)));
    await_row(&rest, "counted", "b", &[40_000, 40_000]);
    let grown = broker.anonymous_bytes().saturating_sub(before) >> 20;
    // 50 x 40 MB is what they have not read.
    assert!(grown < 600, "{grown} MiB for 50 subscribers that do not read");
    // One that wakes up gets everything in order from where it was.
    let mut reader = sleepers.into_iter().next().expect("there are some");
    reader.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
    let (mut rows, mut buffer) = (0, vec![0; 1 << 16]);
    wait_for("every row for the one that woke up", PATIENCE, || {
        let read = reader.read(&mut buffer).unwrap_or(0);
        rows += buffer[..read].iter().filter(|byte| **byte == b'\n').count();
        (rows > 40_000).then_some(())
    });
}

fn subscribe(broker: &Broker, sql: &str) -> TcpStream {
    let mut socket = TcpStream::connect(broker.http()).expect("the broker listens");
    let body = serde_json::json!({ "sql": sql, "properties": { "auto.offset.reset": "latest" } }).to_string();
    let head = format!("POST /query-stream HTTP/1.0\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(body.as_bytes())).expect("it takes a request");
    // Its head says that the query runs.
    let mut first = [0; 1];
    socket.read_exact(&mut first).expect("it answers");
    socket
}
