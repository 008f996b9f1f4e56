//! Views and what the fault matrix (G) holds for them: lost input, damaged state, poison, hostile records and statements, storms of
//! readers. Each test is named after what must hold.
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

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

/// G6: damage that no replay explains is told by the query that has it, and by no other.
#[test]
fn g6_a_state_without_its_manifest_gives_no_wrong_rows() {
    let Some(mut broker) = broker("views-g6-manifest") else { return };
    let (address, rest) = (broker.kafka(), Rest::new(broker.http()));
    rest.run(COUNTED);
    rest.run("CREATE TABLE other AS SELECT k, COUNT(*) AS c FROM src GROUP BY k;");
    produce(&address, "src", "none", ones(40));
    await_row(&rest, "counted", "a", &[40, 40]);
    await_row(&rest, "other", "a", &[40]);
    assert!(broker.stop().status.success());
    let damaged = states(broker.data()).into_iter().find(|state| state.to_string_lossy().contains("COUNTED")).expect("the view has a state");
    let manifest = file_with(&damaged, |name| name.starts_with("MANIFEST")).expect("a database has a manifest");
    std::fs::remove_file(manifest).expect("it can be removed");
    broker.restart();
    produce(&address, "src", "none", ones(2));
    await_row(&rest, "other", "a", &[42]);
    for _ in 0..20 {
        let found = row(&rest, "counted", "a");
        assert!(found.is_none() || found == Some(vec![42, 42]) || found == Some(vec![40, 40]), "{found:?} is no state that ever was");
        std::thread::sleep(Duration::from_millis(50));
    }
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
