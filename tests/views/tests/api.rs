//! The gRPC API as the client crate sees it: typed rows, one cut per answer, read-your-writes, reasons of errors.
use std::time::{Duration, Instant};

use millrace_client::TopicPartition;
use millrace_client::views::{Code, Cut, Decimal, Key, Value, ViewsError};
use millrace_views_tests::{COUNTED, broker, producer, record, run, views, write};

#[path = "../../../client/examples/carparks.rs"]
#[allow(dead_code, reason = "its main is the example's")]
mod carparks;

#[test]
fn the_example_of_the_client_crate_runs() {
    let broker = broker("example");
    let spaces = run(async { carparks::run(&broker.kafka(), &broker.grpc()).await.map_err(|error| error.to_string()) });
    assert_eq!(spaces, Ok(42));
}

#[test]
fn a_program_reads_its_own_writes_at_once() {
    let broker = broker("own-writes");
    run(async {
        let (views, producer) = (views(&broker), producer(&broker).await);
        views.execute(COUNTED).await.unwrap();
        for round in 1..=50i64 {
            let keys: Vec<String> = (0..20).map(|number| format!("k{number}")).collect();
            let cut = write(&producer, "src", keys.iter().map(|key| record(key, format!("{{\"n\":{round}}}")))).await;
            // One key, many keys, all of them: each holds every record up to the cut, and nothing by halves.
            let one = views.get("by_key", "k7").at_or_after(&cut).await.unwrap();
            assert!(one.cut.covers(&cut));
            assert_eq!(one.row().unwrap().get::<i64>("C").unwrap(), round);
            let many = views.batch_get("BY_KEY", keys.iter().map(String::as_str)).at_or_after(&cut).await.unwrap();
            assert!(many.found.iter().all(|rows| rows[0].get::<i64>("c").unwrap() == round));
            let all = views.scan("by_key").at_or_after(&cut).await.unwrap();
            assert_eq!(all.rows.iter().map(|row| row.get::<i64>("S").unwrap()).sum::<i64>(), 20 * round * (round + 1) / 2);
            let pulled = views.query("SELECT c FROM by_key WHERE k = ?;").bind("k3").at_or_after(&cut).await.unwrap();
            assert_eq!(pulled.row().unwrap().get::<i64>("C").unwrap(), round);
        }
    });
}

#[test]
fn an_answer_is_of_exactly_its_cut_while_records_stream_in() {
    let broker = broker("exact-cut");
    run(async {
        let (views, producer) = (views(&broker), producer(&broker).await);
        views.execute(COUNTED).await.unwrap();
        let writer = tokio::spawn(async move {
            for batch in 0..400 {
                write(&producer, "src", (0..50).map(|number| record(&format!("k{}", (batch + number) % 97), "{\"n\":1}"))).await;
            }
        });
        let mut answers = 0;
        while !writer.is_finished() {
            let all = views.scan("by_key").await.unwrap();
            let counted: i64 = all.rows.iter().map(|row| row.get::<i64>("C").unwrap()).sum();
            let read: i64 = all.cut.iter().map(|(_, next)| next).sum();
            assert_eq!(counted, read, "the rows are not those of {}", all.cut);
            let keys: Vec<String> = (0..97).map(|number| format!("k{number}")).collect();
            let each = views.batch_get("by_key", keys.iter().map(String::as_str)).await.unwrap();
            let counted: i64 = each.found.iter().flatten().map(|row| row.get::<i64>("C").unwrap()).sum();
            assert_eq!(counted, each.cut.iter().map(|(_, next)| next).sum::<i64>());
            let pulled = views.query("SELECT c FROM by_key;").await.unwrap();
            let counted: i64 = pulled.rows.iter().map(|row| row.get::<i64>("C").unwrap()).sum();
            assert_eq!(counted, pulled.cut.iter().map(|(_, next)| next).sum::<i64>());
            answers += 3;
        }
        writer.await.unwrap();
        assert!(answers > 9, "only {answers} answers came while records did");
    });
}

#[test]
fn execute_answers_columns_and_rows() {
    let broker = broker("execute");
    run(async {
        let views = views(&broker);
        let done = views.execute(COUNTED).await.unwrap();
        assert_eq!(done[0].message, "Stream created");
        assert!(done[1].query_id.starts_with("CTAS_BY_KEY_"), "{done:?}");
        let done = views.execute("INSERT INTO src (k, n, g) VALUES ('a', 5, 'g'); LIST TABLES; DESCRIBE by_key; LIST QUERIES; LIST TOPICS; SHOW FUNCTIONS;").await.unwrap();
        let written = done[0].written.clone().expect("an INSERT says where it wrote");
        let answer = views.get("by_key", "a").at_or_after(written).await.unwrap();
        assert_eq!(answer.row().unwrap().values(), [Value::from("a"), Value::Bigint(1), Value::Bigint(5), Value::Bigint(5)]);
        let table = &done[1].rows[0];
        assert_eq!(table.get::<String>("TABLE").unwrap(), "BY_KEY");
        assert!(!table.get::<bool>("WINDOWED").unwrap());
        let columns: Vec<(String, String)> = done[2].rows.iter().map(|row| (row.get("COLUMN").unwrap(), row.get("TYPE").unwrap())).collect();
        assert_eq!(columns[..2], [("K".to_owned(), "STRING".to_owned()), ("C".to_owned(), "BIGINT".to_owned())]);
        assert_eq!(done[3].rows[0].get::<String>("STATE").unwrap(), "RUNNING");
        assert!(done[4].rows.iter().any(|row| row.get::<String>("TOPIC").unwrap() == "src" && row.get::<i32>("PARTITIONS").unwrap() == 3));
        assert!(done[5].rows.len() > 100);
        for statement in ["EXPLAIN SELECT * FROM by_key;", "DESCRIBE by_key EXTENDED;", "DESCRIBE FUNCTION UCASE;", "LIST STREAMS EXTENDED;", "SHOW PROPERTIES;", "LIST TYPES;"] {
            let done = views.execute(statement).await.unwrap();
            assert!(!done[0].columns.is_empty(), "{statement}");
            let texts = done[0].rows.iter().flat_map(|row| row.values()).chain([&Value::Null]);
            let json = |value: &Value| matches!(value, Value::String(text) if text.starts_with(['{', '[']));
            assert!(!done[0].message.starts_with(['{', '[']) && !texts.clone().any(json), "JSON in a string: {done:?}");
        }
    });
}

#[test]
fn every_type_travels_as_itself() {
    let broker = broker("types");
    run(async {
        let views = views(&broker);
        views
            .execute(
                "CREATE STREAM typed (k BIGINT KEY, b BOOLEAN, i INT, d DOUBLE, m DECIMAL(9, 3), y BYTES, t TIME, e DATE, s TIMESTAMP,
                   a ARRAY<INT>, p MAP<STRING, INT>, z STRUCT<x INT, w STRING>) WITH (kafka_topic='typed', value_format='JSON', partitions=1);
                 CREATE TABLE kept AS SELECT k, LATEST_BY_OFFSET(b) b, LATEST_BY_OFFSET(i) i, LATEST_BY_OFFSET(d) d, LATEST_BY_OFFSET(m) m,
                   LATEST_BY_OFFSET(y) y, LATEST_BY_OFFSET(t) t, LATEST_BY_OFFSET(e) e, LATEST_BY_OFFSET(s) s, LATEST_BY_OFFSET(a) a,
                   LATEST_BY_OFFSET(p) p, LATEST_BY_OFFSET(z) z FROM typed GROUP BY k;",
            )
            .await
            .unwrap();
        let producer = producer(&broker).await;
        let key = bytes::Bytes::copy_from_slice(&7i64.to_be_bytes());
        let value = r#"{"b":true,"i":-3,"d":0.5,"m":12.345,"y":"AP8=","t":1000,"e":2,"s":3,"a":[1,null],"p":{"q":1},"z":{"x":4,"w":"ü"}}"#;
        let mut written = record("", value);
        written.key = Some(key);
        let cut = write(&producer, "typed", [written]).await;
        let row = views.get("kept", 7).at_or_after(cut).await.unwrap().rows.remove(0);
        let expected = [
            Value::Bigint(7),
            Value::Boolean(true),
            Value::Integer(-3),
            Value::Double(0.5),
            Value::Decimal(Decimal { unscaled: "12345".into(), scale: 3 }),
            Value::Bytes(vec![0, 255]),
            Value::Time(1000),
            Value::Date(2),
            Value::Timestamp(3),
            Value::Array(vec![Value::Integer(1), Value::Null]),
            Value::Map(vec![("q".into(), 1.into())]),
            Value::Struct(vec![4.into(), "ü".into()]),
        ];
        assert_eq!(row.values(), expected);
        // As parameters, too.
        for (column, value) in [("b", &expected[1]), ("i", &expected[2]), ("d", &expected[3]), ("m", &expected[4]), ("k", &expected[0])] {
            let answer = views.query(&format!("SELECT k FROM kept WHERE {column} = ?;")).bind(value.clone()).await.unwrap_or_else(|error| panic!("{column}: {error}"));
            assert_eq!(answer.rows.len(), 1, "{column} = {value:?}");
        }
    });
}

#[test]
fn windows_and_key_ranges() {
    let broker = broker("windows");
    run(async {
        let (views, producer) = (views(&broker), producer(&broker).await);
        views
            .execute(
                "CREATE STREAM hits (k VARCHAR KEY, n INT) WITH (kafka_topic='hits', value_format='JSON', partitions=2);
                 CREATE TABLE per_second AS SELECT k, COUNT(*) AS c FROM hits WINDOW TUMBLING (SIZE 1 SECOND) GROUP BY k;",
            )
            .await
            .unwrap();
        let at = |key: &str, timestamp| millrace_client::Outgoing { timestamp: Some(timestamp), ..record(key, "{\"n\":1}") };
        let cut = write(&producer, "hits", [at("a", 1000), at("a", 1500), at("a", 2000), at("b", 1000), at("c", 5000)]).await;
        let all = views.get("per_second", "a").at_or_after(&cut).await.unwrap();
        let seen: Vec<(i64, i64)> = all.rows.iter().map(|row| (row.window.unwrap().start_ms, row.get("C").unwrap())).collect();
        assert_eq!(seen, [(1000, 2), (2000, 1)]);
        let one = views.get("per_second", "a").windows(1500..=2000).await.unwrap();
        assert_eq!(one.rows.len(), 1);
        let range = views.scan("per_second").from("b").to("c").await.unwrap();
        let keys: Vec<String> = range.rows.iter().map(|row| row.get("K").unwrap()).collect();
        assert_eq!(keys, ["b", "c"]);
        assert_eq!(views.scan("per_second").limit(3).await.unwrap().rows.len(), 3);
    });
}

#[test]
fn a_large_answer_comes_in_messages_that_any_client_takes() {
    let broker = broker("large");
    run(async {
        let (views, producer) = (views(&broker), producer(&broker).await);
        views
            .execute(
                "CREATE STREAM texts (k VARCHAR KEY, t VARCHAR) WITH (kafka_topic='texts', value_format='JSON', partitions=2);
                 CREATE TABLE kept AS SELECT k, LATEST_BY_OFFSET(t) AS t FROM texts GROUP BY k;",
            )
            .await
            .unwrap();
        let text = "x".repeat(20_000);
        let cut = write(&producer, "texts", (0..1000).map(|number| record(&format!("k{number:04}"), format!("{{\"t\":\"{text}\"}}")))).await;
        // As a client with the usual limit of 4 MB sees it: 20 MB in all.
        let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", broker.grpc())).unwrap().connect().await.unwrap();
        let mut plain = millrace_proto::views_client::ViewsClient::new(channel);
        let wait = views.get("kept", "k0000").at_or_after(&cut).await.unwrap();
        assert_eq!(wait.rows.len(), 1);
        let request = millrace_proto::ScanRequest { view: "kept".into(), ..Default::default() };
        let mut messages = plain.scan(request).await.unwrap().into_inner();
        let (mut rows, mut cuts) = (0, 0);
        while let Some(message) = messages.message().await.unwrap() {
            rows += message.rows.len();
            cuts += usize::from(message.cut.is_some());
        }
        assert_eq!((rows, cuts), (1000, 1));
        let keys: Vec<String> = views.scan("kept").await.unwrap().rows.iter().map(|row| row.get("K").unwrap()).collect();
        assert!(keys.is_sorted(), "a scan is in key order over all partitions");
    });
}

#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, ViewsError>, code: Code, reason: &str) -> String {
    let error = answer.expect_err("refused");
    assert_eq!((error.code(), error.reason()), (Some(code), reason), "{error}");
    error.to_string()
}

#[test]
fn errors_have_codes_and_reasons() {
    let broker = broker("errors");
    run(async {
        let views = views(&broker);
        views.execute(COUNTED).await.unwrap();
        let said = refused(views.get("nothing", "a").await, Code::NotFound, "NOT_FOUND");
        assert!(said.contains("nothing"), "{said}");
        refused(views.get("src", "a").await, Code::FailedPrecondition, "NOT_A_TABLE");
        refused(views.get("by_key", 1).await, Code::InvalidArgument, "INVALID_ARGUMENT");
        refused(views.get("by_key", Key(vec![])).await, Code::InvalidArgument, "INVALID_ARGUMENT");
        refused(views.query("SELECT nonsense").await, Code::InvalidArgument, "STATEMENT_INVALID");
        refused(views.query("SELECT * FROM by_key WHERE k = ?;").await, Code::InvalidArgument, "INVALID_ARGUMENT");
        refused(views.query("SELECT * FROM by_key EMIT CHANGES;").await, Code::InvalidArgument, "INVALID_ARGUMENT");
        let said = refused(views.execute("DROP TABLE IF EXISTS nope; DROP TABLE nope;").await, Code::InvalidArgument, "STATEMENT_INVALID");
        assert!(said.to_lowercase().contains("nope"), "{said}");
        // A property that cannot be is refused; one that nothing knows has no effect.
        for (name, value) in [("auto.offset.reset", "none"), ("ksql.query.pull.table.scan.enabled", "maybe"), ("bootstrap.servers", "x")] {
            let wrong = views.clone().with_property(name, value);
            let said = refused(wrong.query("SELECT * FROM by_key;").await, Code::InvalidArgument, "STATEMENT_INVALID");
            assert!(said.contains(name), "{said}");
            refused(wrong.execute("CREATE STREAM other AS SELECT * FROM src;").await, Code::InvalidArgument, "STATEMENT_INVALID");
        }
        views.clone().with_property("of.somebody.else", "1").query("SELECT * FROM by_key;").await.unwrap();
        let strange = Cut::after(&millrace_client::Delivered { at: TopicPartition::new("elsewhere", 0), offset: 1 });
        refused(views.get("by_key", "a").at_or_after(&strange).await, Code::InvalidArgument, "NOT_AN_INPUT");
        // A record that nobody has written yet: the call ends at its deadline, not later.
        let future = Cut::after(&millrace_client::Delivered { at: TopicPartition::new("src", 0), offset: 1 << 40 });
        let began = Instant::now();
        let hasty = views.clone().with_timeout(Duration::from_millis(300));
        let said = refused(hasty.get("by_key", "a").at_or_after(&future).await, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
        // The caller's own timer may be first on a busy machine, and knows nothing.
        assert!(said.contains("src-0 ends at offset 0") || said.contains("within the timeout"), "it does not say why: {said}");
        let patient = views.clone().with_timeout(Duration::from_secs(3));
        let said = refused(patient.get("by_key", "a").at_or_after(&future).await, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
        assert!(said.contains("src-0 ends at offset 0"), "it does not say why: {said}");
        let nowhere = Cut::after(&millrace_client::Delivered { at: TopicPartition::new("src", 17), offset: 1 });
        let said = refused(views.get("by_key", "a").at_or_after(&nowhere).await, Code::InvalidArgument, "NOT_AN_INPUT");
        assert!(said.contains("src-17"), "{said}");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        // What is bound stays a value.
        let hostile = "x' OR '1'='1'; DROP TABLE by_key; --";
        assert!(views.query("SELECT * FROM by_key WHERE k = ?;").bind(hostile).await.unwrap().rows.is_empty());
        views.describe("by_key").await.unwrap();
    });
}

#[test]
fn describe_says_how_far_a_view_has_come() {
    let broker = broker("describe");
    run(async {
        let (views, producer) = (views(&broker), producer(&broker).await);
        views.execute(COUNTED).await.unwrap();
        let cut = write(&producer, "src", (0..300).map(|number| record(&format!("k{number}"), "{\"n\":1}"))).await;
        views.get("by_key", "k1").at_or_after(&cut).await.unwrap();
        views.scan("by_key").at_or_after(&cut).await.unwrap();
        let view = views.describe("by_key").await.unwrap();
        assert!(view.table && view.queryable && view.trouble.is_empty(), "{view:?}");
        assert_eq!(view.cut, view.end);
        assert!(view.cut.covers(&cut));
        assert_eq!(view.topic, "BY_KEY");
        let stream = views.describe("src").await.unwrap();
        assert!(!stream.table && !stream.queryable && stream.read_by == view.written_by, "{stream:?}");
    });
}

/// As in ksqlDB: RETENTION bounds how long a pull query sees a window, in segments of at least a minute; what the view's topic tells
/// is not touched by it.
#[test]
fn windows_past_the_retention_are_not_seen_any_more() {
    let broker = broker("retention");
    run(async {
        let views = views(&broker);
        let statements = "
            CREATE STREAM src (k VARCHAR KEY, n BIGINT) WITH (kafka_topic='src', partitions=1, value_format='JSON');
            CREATE TABLE counted AS SELECT k, COUNT(*) AS c FROM src
                WINDOW TUMBLING (SIZE 10 SECONDS, RETENTION 2 MINUTES, GRACE PERIOD 0 SECONDS) GROUP BY k;
            CREATE TABLE visits AS SELECT k, COUNT(*) AS c FROM src
                WINDOW SESSION (10 SECONDS, RETENTION 2 MINUTES, GRACE PERIOD 0 SECONDS) GROUP BY k;";
        views.execute(statements).await.unwrap();
        let mut written = Cut::default();
        for second in [0, 30, 59, 60, 100, 150, 200] {
            let insert = format!("INSERT INTO src (ROWTIME, k, n) VALUES ({}, 'a', 1);", second * 1000);
            written.merge(views.execute(&insert).await.unwrap()[0].written.as_ref().expect("it says where"));
        }
        // The youngest is of 200 s; what began before 80 s is past the retention, and so is the segment that ends at 60 s.
        for (view, wanted) in [("counted", vec![60, 100, 150, 200]), ("visits", vec![59, 100, 150, 200])] {
            let starts = |rows: &[millrace_client::views::Row]| rows.iter().map(|row| row.window.expect("it is windowed").start_ms / 1000).collect::<Vec<_>>();
            let got = views.get(view, "a").at_or_after(&written).await.unwrap();
            assert_eq!(starts(&got.rows), wanted, "{view}");
            assert_eq!(starts(&views.batch_get(view, ["a"]).await.unwrap().found[0]), wanted, "{view}");
            assert_eq!(starts(&views.scan(view).await.unwrap().rows), wanted, "{view}");
            for select in ["SELECT windowstart FROM {} WHERE k = 'a';", "SELECT windowstart FROM {};"] {
                let rows = views.query(&select.replace("{}", view)).await.unwrap().rows;
                let starts: Vec<i64> = rows.iter().map(|row| row.get::<i64>("WINDOWSTART").unwrap() / 1000).collect();
                assert_eq!(starts, wanted, "{view}: {select}");
            }
        }
    });
}

/// A cut is of logs, not of names: one that speaks of a topic that is gone is refused by whatever bears its name now, not read as
/// if it spoke of that.
#[test]
fn a_cut_of_a_topic_that_was_made_anew_is_refused_by_look_ups() {
    let broker = broker("anew-cuts");
    run(async {
        let (views, producer) = (views(&broker), producer(&broker).await);
        views.execute(COUNTED).await.unwrap();
        let written = write(&producer, "src", [record("a", "{\"n\":1}"), record("b", "{\"n\":1}")]).await;
        let inserted = views.execute("INSERT INTO src (k, n) VALUES ('c', 1);").await.unwrap().remove(0).written.expect("it says where");
        let mut cuts = vec![
            ("insert", inserted),
            ("get", views.get("by_key", "a").at_or_after(&written).await.unwrap().cut),
            ("batch", views.batch_get("by_key", ["a", "b"]).at_or_after(&written).await.unwrap().cut),
            ("scan", views.scan("by_key").at_or_after(&written).await.unwrap().cut),
            ("query", views.query("SELECT * FROM by_key;").at_or_after(&written).await.unwrap().cut),
            ("stream", views.query("SELECT * FROM src;").await.unwrap().cut),
            ("describe", views.describe("by_key").await.unwrap().end),
        ];
        for (what, cut) in &mut cuts {
            assert!(cut.to_string().split(',').all(|position| position.contains('#')), "{what} names no log: {cut}");
            *cut = cut.to_string().parse().expect("it is kept as text");
            views.get("by_key", "a").at_or_after(&*cut).await.expect("the log is there");
        }
        views.execute("DROP TABLE by_key; DROP STREAM src DELETE TOPIC;").await.unwrap();
        views.execute(COUNTED).await.unwrap();
        let now = write(&producer, "src", (0..40).map(|number| record(&format!("k{number}"), "{\"n\":2}"))).await;
        views.scan("by_key").at_or_after(&now).await.unwrap();
        for (what, cut) in &cuts {
            let said = refused(views.get("by_key", "a").at_or_after(cut).await, Code::OutOfRange, "CUT_NOT_KEPT");
            assert!(said.contains("made again"), "{what}: {said}");
            refused(views.batch_get("by_key", ["a"]).at_or_after(cut).await, Code::OutOfRange, "CUT_NOT_KEPT");
            refused(views.scan("by_key").at_or_after(cut).await, Code::OutOfRange, "CUT_NOT_KEPT");
            refused(views.query("SELECT * FROM by_key;").at_or_after(cut).await, Code::OutOfRange, "CUT_NOT_KEPT");
            let subscribed = views.subscribe("SELECT * FROM src EMIT CHANGES;").behind(cut).patience(Duration::ZERO).open().await;
            refused(subscribed.map(|_| ()), Code::OutOfRange, "CUT_NOT_KEPT");
        }
    });
}

/// The state is told from one place, on every face: a query whose stage cannot go on does not run, and waiting for it ends.
#[test]
fn a_query_whose_stage_failed_is_in_error_everywhere() {
    let options = millrace_harness::Broker::options().named("stage-error").set("views.row.bytes.max", 2000);
    let broker = options.ready_within(Duration::from_secs(60)).start();
    run(async {
        let (views, producer) = (views(&broker), producer(&broker).await);
        views
            .execute(
                "CREATE STREAM src (k VARCHAR KEY, g VARCHAR, t VARCHAR) WITH (kafka_topic='src', partitions=2, value_format='JSON');
                 CREATE TABLE by_g AS SELECT g, COUNT(*) AS c, LATEST_BY_OFFSET(t) AS t FROM src GROUP BY g;",
            )
            .await
            .unwrap();
        let cut = write(&producer, "src", [record("a", "{\"g\":\"x\",\"t\":\"short\"}")]).await;
        assert_eq!(views.get("by_g", "x").at_or_after(&cut).await.unwrap().rows.len(), 1);
        // A row that the stage may not write.
        let cut = write(&producer, "src", [record("a", format!("{{\"g\":\"x\",\"t\":\"{}\"}}", "l".repeat(5000)))]).await;
        let said = refused(views.get("by_g", "x").at_or_after(&cut).await, Code::Unavailable, "UNAVAILABLE");
        assert!(said.contains("does not run") && said.contains("views.row.bytes.max"), "{said}");
        let trouble = views.describe("by_g").await.unwrap().trouble;
        assert!(trouble.contains("views.row.bytes.max"), "{trouble}");
        let asked = views.execute("LIST QUERIES; DESCRIBE by_g EXTENDED; LIST TABLES;").await.unwrap();
        assert_eq!(asked[0].rows[0].get::<String>("STATE").unwrap(), "ERROR");
        assert!(asked[1].message.contains("(ERROR)"), "{}", asked[1].message);
        // What it has read so far is still there to look at.
        assert_eq!(views.get("by_g", "x").await.unwrap().row().unwrap().get::<i64>("C").unwrap(), 1);
    });
}
