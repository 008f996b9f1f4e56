//! ksqlDB's REST API as programs use it, and as nobody should.
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use millrace_clients_tests::rest::{Http2, Rest, WebSocket, exchange};
use millrace_harness::{Broker, wait_for};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);
const STREAM: &str = "CREATE STREAM s (k VARCHAR KEY, n BIGINT, d DECIMAL(6,2)) WITH (kafka_topic='s', partitions=2, value_format='JSON');";

fn started(name: &str, settings: &[(&str, &str)]) -> (Broker, Rest) {
    let options = settings.iter().fold(Broker::options().named(name), |options, (key, value)| options.set(key, value));
    let broker = options.ready_within(Duration::from_secs(60)).start();
    let rest = Rest::new(broker.http());
    (broker, rest)
}

fn queries(rest: &Rest) -> usize {
    rest.run("LIST QUERIES;")[0]["queries"].as_array().expect("an array").len()
}

/// Status and body of a request of any bytes.
fn said(broker: &Broker, path: &str, body: &[u8]) -> (u16, Value) {
    let (status, text) = exchange(&broker.http(), path, body).expect("an answer");
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// A push query on a connection of its own, once its header is there.
fn pushing(broker: &Broker, sql: &str) -> TcpStream {
    let mut socket = TcpStream::connect(broker.http()).expect("the server listens");
    socket.set_read_timeout(Some(SOON)).expect("a timeout can be set");
    let body = json!({ "ksql": sql, "streamsProperties": {} }).to_string();
    write!(socket, "POST /query HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len()).expect("the request is sent");
    let mut line = String::new();
    let mut reader = BufReader::new(&socket);
    while !line.contains("\"header\"") {
        line.clear();
        assert!(reader.read_line(&mut line).expect("an answer") > 0, "the server hung up");
    }
    socket
}

#[test]
fn programs_written_for_ksqldb_get_what_they_expect() {
    let Ok(version) = Command::new("python3").arg("--version").output() else {
        eprintln!("skipped: there is no python3");
        return;
    };
    assert!(version.status.success());
    let (broker, _) = started("rest-python", &[]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/python/rest.py");
    let run = Command::new("python3").arg("-B").arg(script).arg(format!("http://{}", broker.http())).output().expect("python3 runs");
    let (told, errors) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success() && told.contains("OK"), "{told}{errors}\n{}", broker.log());
    eprintln!("{told}");
}

#[test]
fn rows_stream_in_over_http2_and_each_is_acknowledged() {
    let (broker, rest) = started("rest-inserts", &[]);
    rest.run(STREAM);
    let mut inserts = Http2::post(&broker.http(), "/inserts-stream", None);
    inserts.send(b"{\"target\":\"s\"}\n");
    for number in 0..20u64 {
        // In two pieces, as the network may cut them.
        inserts.send(format!("{{\"K\":\"k{number}\",\"n\":{number},").as_bytes());
        inserts.send(b"\"D\":1.25,\"more\":[]}\n");
        assert_eq!(inserts.line(), json!({ "status": "ok", "seq": number }).to_string());
    }
    inserts.send(b"{\"k\":\"x\",\"n\":1.5}\n{\"k\":\"never\",\"n\":1}\n");
    let error: Value = serde_json::from_str(&inserts.line()).expect("JSON");
    assert_eq!((&error["status"], &error["seq"], &error["error_code"]), (&json!("error"), &json!(20), &json!(40001)));
    assert_eq!(error["message"], "Can't coerce a field of type number (1.5) into type BIGINT");
    assert!(inserts.ended(), "nothing is taken after an error");
    let mut rows = rest.pull("SELECT k, n, d FROM s;").expect("rows");
    rows.sort_by_key(|row| row[1].as_i64());
    assert_eq!(rows.len(), 20);
    assert_eq!(rows[7], [json!("k7"), json!(7), serde_json::from_str("1.25").expect("a number")]);
}

#[test]
fn a_stream_of_inserts_that_cannot_begin_says_why() {
    let (broker, rest) = started("rest-no-inserts", &[]);
    rest.run(STREAM);
    rest.run("CREATE TABLE t (k VARCHAR PRIMARY KEY, n INT) WITH (kafka_topic='t', partitions=1, value_format='JSON');");
    let refused = |head: &[u8]| {
        let mut inserts = Http2::post(&broker.http(), "/inserts-stream", None);
        inserts.send(head);
        inserts.end();
        let error: Value = serde_json::from_str(&inserts.line()).expect("JSON");
        (error["error_code"].clone(), error["message"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(refused(b"{\"target\":\"nope\"}\n"), (json!(40001), "Cannot insert values into an unknown stream: `NOPE`".into()));
    assert_eq!(refused(b"{\"target\":\"t\"}\n"), (json!(40001), "Cannot insert into a table".into()));
    assert_eq!(refused(b"\n").0, json!(40000));
    assert_eq!(refused(b"{\"target\":7}\n").0, json!(40000));
    let mut keyless = Http2::post(&broker.http(), "/inserts-stream", Some("application/json"));
    keyless.send(b"{\"target\":\"s\"}\n{\"k\":\"a\"}\n{\"n\":1}");
    keyless.end();
    let acknowledged: Value = serde_json::from_str(&keyless.rest()).expect("one array");
    assert_eq!((&acknowledged[0]["status"], &acknowledged[1]["message"]), (&json!("ok"), &json!("Key field must be specified: K")));
}

#[test]
fn a_client_that_asks_to_switch_gets_http2() {
    let Ok(version) = Command::new("curl").arg("--version").output() else {
        eprintln!("skipped: there is no curl");
        return;
    };
    if !String::from_utf8_lossy(&version.stdout).contains("HTTP2") {
        eprintln!("skipped: this curl has no HTTP/2");
        return;
    }
    let (broker, rest) = started("rest-switch", &[]);
    rest.run(STREAM);
    let url = |path: &str| format!("http://{}{path}", broker.http());
    let curl = |words: &[&str]| String::from_utf8_lossy(&Command::new("curl").args(["-s", "-w", "|%{http_version}"]).args(words).output().expect("curl runs").stdout).into_owned();
    assert!(curl(&["--http2", &url("/info")]).ends_with("|2"));
    assert!(curl(&["--http2-prior-knowledge", &url("/info")]).ends_with("|2"));
    assert!(curl(&["--http1.1", &url("/info")]).ends_with("|1.1"));
    let rows = "{\"target\":\"S\"}\n{\"K\":\"a\",\"N\":1}\n{\"K\":\"b\",\"N\":2}";
    let told = curl(&["--http2", "--data-binary", rows, &url("/inserts-stream")]);
    assert_eq!(told, "{\"status\":\"ok\",\"seq\":0}\n{\"status\":\"ok\",\"seq\":1}\n|2");
    // Too large to be moved: answered as it came.
    let large = format!("{{\"ksql\":\"LIST STREAMS; --{}\"}}", "x".repeat(100_000));
    assert!(curl(&["--http2", "-H", "Expect:", "-d", &large, &url("/ksql")]).ends_with("|1.1"));
}

#[test]
fn a_query_over_a_web_socket_ends_with_it() {
    let (broker, rest) = started("rest-ws", &[]);
    rest.run(STREAM);
    rest.run("INSERT INTO s (k, n) VALUES ('a', 1); INSERT INTO s (k, n) VALUES ('b', 2);");
    let ask = |sql: &str| json!({ "ksql": sql, "streamsProperties": { "auto.offset.reset": "earliest" } }).to_string();
    let mut socket = WebSocket::open(&broker.http(), &ask("SELECT k, n FROM s EMIT CHANGES LIMIT 2;"));
    let columns: Value = serde_json::from_str(&socket.text().expect("a frame")).expect("JSON");
    assert_eq!((&columns[0]["name"], &columns[1]["schema"]["type"]), (&json!("K"), &json!("BIGINT")));
    let mut rows = [socket.text().expect("a row"), socket.text().expect("a row")];
    rows.sort();
    assert_eq!(rows, ["{\"row\":{\"columns\":[\"a\",1]}}", "{\"row\":{\"columns\":[\"b\",2]}}"]);
    assert_eq!(socket.text(), Err((1000, "done".into())));

    let mut wrong = WebSocket::open(&broker.http(), &ask("SELECT nope FROM s EMIT CHANGES;"));
    let (code, reason) = wrong.text().expect_err("it is refused");
    assert!(code == 1011 && reason.contains("NOPE"), "{code} {reason}");

    // A query is told to be done a moment before it is gone.
    wait_for("the end of the queries before", SOON, || (queries(&rest) == 0).then_some(()));
    let mut endless = WebSocket::open(&broker.http(), &ask("SELECT * FROM s EMIT CHANGES;"));
    endless.text().expect("the columns");
    assert_eq!(queries(&rest), 1);
    drop(endless);
    wait_for("the end of a query whose socket is gone", SOON, || (queries(&rest) == 0).then_some(()));
}

#[test]
fn a_client_that_leaves_ends_its_query() {
    let (broker, rest) = started("rest-leave", &[]);
    rest.run(STREAM);
    let socket = pushing(&broker, "SELECT * FROM s EMIT CHANGES;");
    assert_eq!(queries(&rest), 1);
    drop(socket);
    wait_for("the end of a query whose client has left", SOON, || (queries(&rest) == 0).then_some(()));
    // One that only says that it will send no more is not waited for either.
    let half = pushing(&broker, "SELECT * FROM s EMIT CHANGES;");
    half.shutdown(std::net::Shutdown::Write).expect("half of it closes");
    wait_for("the end of a query whose client is half gone", SOON, || (queries(&rest) == 0).then_some(()));
}

/// ksqlDB has two kinds of push queries, and their ids tell which one it was.
#[test]
fn only_what_one_query_writes_is_followed_by_the_second_kind_of_push_query() {
    let (_broker, rest) = started("rest-push-kinds", &[("ksql.query.push.v2.enabled", "true")]);
    rest.run(STREAM);
    rest.run("CREATE STREAM one AS SELECT * FROM s; CREATE STREAM two AS SELECT * FROM s; INSERT INTO two SELECT * FROM s;");
    let is_second = |sql: &str| {
        let answer = rest.post("/query", &json!({ "ksql": sql })).expect("an answer");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        answer[0]["header"]["queryId"].as_str().expect("a query id").starts_with("SCALABLE_PUSH_QUERY_")
    };
    assert!(is_second("SELECT k, n + 1 FROM one WHERE n > 1 EMIT CHANGES LIMIT 0;"));
    for sql in [
        "SELECT * FROM s EMIT CHANGES LIMIT 0;",
        "SELECT * FROM two EMIT CHANGES LIMIT 0;",
        "SELECT k, ROWOFFSET FROM one EMIT CHANGES LIMIT 0;",
        "SELECT k, n FROM one WHERE ROWPARTITION = 0 EMIT CHANGES LIMIT 0;",
        "SELECT k, COUNT(*) FROM one GROUP BY k EMIT CHANGES LIMIT 0;",
    ] {
        assert!(!is_second(sql), "{sql}");
    }
}

#[test]
fn terminating_the_cluster_takes_sources_behind_what_was_made_from_them() {
    let (broker, rest) = started("rest-terminate", &[]);
    rest.run(STREAM);
    rest.run("CREATE STREAM b AS SELECT * FROM s; CREATE STREAM a AS SELECT * FROM b; CREATE TABLE z AS SELECT k, COUNT(*) AS c FROM a GROUP BY k;");
    let described = rest.run("DESCRIBE b;");
    assert_eq!(described[0]["sourceDescription"]["sourceConstraints"], json!(["A"]));
    // The query that made a source may end before; what it read still stays.
    rest.run("TERMINATE ALL;");
    let (status, said) = said(&broker, "/ksql", json!({ "ksql": "DROP STREAM b;" }).to_string().as_bytes());
    assert!(status == 400 && said["message"].as_str().expect("a message").contains("read from this source: [A]"), "{said}");
    rest.post("/ksql/terminate", &json!({ "deleteTopicList": ["S", "Z"] })).expect("an answer");
    for (question, sources) in [("LIST STREAMS;", "streams"), ("LIST TABLES;", "tables")] {
        assert_eq!(rest.run(question)[0][sources], json!([]));
    }
    let topics = rest.run("LIST TOPICS;");
    let names: Vec<&str> = topics[0]["topics"].as_array().expect("topics").iter().filter_map(|topic| topic["name"].as_str()).collect();
    assert_eq!(names, ["A", "B", "s"]);
}

#[test]
fn limits_refuse_and_what_ends_makes_room() {
    let settings = [("ksql.max.push.queries", "2"), ("ksql.query.pull.max.qps", "1"), ("views.sql.answer.bytes.max", "20000")];
    let (broker, rest) = started("rest-limits", &settings);
    rest.run(STREAM);
    let push = json!({ "ksql": "SELECT * FROM s EMIT CHANGES;" }).to_string();
    let (first, _second) = (pushing(&broker, "SELECT * FROM s EMIT CHANGES;"), pushing(&broker, "SELECT * FROM s EMIT CHANGES;"));
    let (status, error) = said(&broker, "/query", push.as_bytes());
    assert_eq!((status, &error["error_code"]), (400, &json!(40003)), "{error}");
    assert!(error["message"].as_str().unwrap_or_default().contains("ksql.max.push.queries"), "{error}");
    drop(first);
    wait_for("the end of one", SOON, || (queries(&rest) == 1).then_some(()));
    drop(pushing(&broker, "SELECT * FROM s EMIT CHANGES;"));

    let pull = json!({ "ksql": "SELECT * FROM s;" }).to_string();
    let answers: Vec<(u16, Value)> = (0..5).map(|_| said(&broker, "/query", pull.as_bytes())).collect();
    let (_, error) = answers.iter().find(|(status, _)| *status == 429).unwrap_or_else(|| panic!("{answers:?}"));
    assert_eq!(error["error_code"], 42900);
    assert!(error["message"].as_str().unwrap_or_default().contains("ksql.query.pull.max.qps"), "{error}");

    let (status, error) = said(&broker, "/ksql", json!({ "ksql": "LIST FUNCTIONS;".repeat(20) }).to_string().as_bytes());
    assert_eq!(status, 413, "{error}");
    assert!(error["message"].as_str().unwrap_or_default().contains("views.sql.answer.bytes.max"), "{error}");
}

#[test]
fn a_thousand_push_queries_cost_a_bounded_amount() {
    let (broker, rest) = started("rest-thousand", &[]);
    rest.run(STREAM);
    let one = pushing(&broker, "SELECT * FROM s EMIT CHANGES;");
    let before = broker.anonymous_bytes();
    let many: Vec<TcpStream> = (1..1000).map(|_| pushing(&broker, "SELECT * FROM s EMIT CHANGES;")).collect();
    let cost = broker.anonymous_bytes().saturating_sub(before) / 999;
    eprintln!("a push query costs {cost} bytes");
    assert!(cost < 200 << 10, "a push query costs {cost} bytes");
    let (status, error) = said(&broker, "/query", b"{\"ksql\":\"SELECT * FROM s EMIT CHANGES;\"}");
    assert_eq!((status, &error["error_code"]), (400, &json!(40003)), "{error}");
    let began = Instant::now();
    rest.run("INSERT INTO s (k, n) VALUES ('a', 1);");
    for socket in many.iter().chain([&one]) {
        let mut line = String::new();
        let mut reader = BufReader::new(socket);
        while !line.contains("\"row\"") {
            line.clear();
            assert!(reader.read_line(&mut line).expect("a row for everybody") > 0, "a query ended");
        }
    }
    eprintln!("a row reached all of 1000 push queries in {:?}", began.elapsed());
    drop((one, many));
    wait_for("the end of all of them", SOON, || (queries(&rest) == 0).then_some(()));
}

#[test]
fn hostile_bodies_are_refused_with_a_reason() {
    let (broker, rest) = started("rest-hostile", &[]);
    rest.run(STREAM);
    let before = broker.anonymous_bytes();
    let deep = |open: &str, close: &str| [open.repeat(200_000), close.repeat(200_000)].concat();
    let sql = |text: String| json!({ "ksql": text }).to_string().into_bytes();
    let mut broken = b"{\"ksql\":\"SELECT * FROM s WHERE k='".to_vec();
    broken.extend_from_slice(b"\xff\xfe';\"}");
    // Each mention of the variable is a megabyte more.
    let growing = json!({ "ksql": format!("CREATE STREAM x ({}) WITH (kafka_topic='s', value_format='JSON');", "${v}".repeat(500_000)),
        "sessionVariables": { "v": "x".repeat(1 << 20) } });
    let cases: [(&str, Vec<u8>, u16); 12] = [
        ("/ksql", growing.to_string().into_bytes(), 400),
        ("/ksql", sql("LIST STREAMS;".repeat(10_001)), 400),
        ("/ksql", b"not JSON".to_vec(), 400),
        ("/ksql", format!("{{\"ksql\":{}}}", deep("[", "]")).into_bytes(), 400),
        ("/ksql", format!("{{\"ksql\":\"LIST STREAMS;\",\"more\":{}}}", deep("{\"a\":", "}")).into_bytes(), 400),
        ("/ksql", sql(format!("CREATE STREAM x AS SELECT {}1{} FROM s;", "(".repeat(200_000), ")".repeat(200_000))), 400),
        ("/query", sql(format!("SELECT * FROM s WHERE {}TRUE;", "NOT ".repeat(300_000))), 400),
        ("/query", sql(format!("SELECT {} FROM s;", vec!["n"; 500_000].join("+"))), 400),
        ("/query", broken, 400),
        ("/query", sql(";".repeat(500_000)), 400),
        ("/query", vec![b' '; 9 << 20], 413),
        ("/query-stream", sql("SELECT * FROM s WHERE k='x'; DROP STREAM s; --';".into()), 400),
    ];
    for (at, (path, body, status)) in cases.into_iter().enumerate() {
        let began = Instant::now();
        let (found, error) = said(&broker, path, &body);
        assert_eq!(found, status, "case {at}: {error}");
        let message = error["message"].as_str().unwrap_or_default();
        assert!(!message.is_empty() && message.len() < 2000, "case {at}: {} bytes of message", message.len());
        assert!(began.elapsed() < Duration::from_secs(20), "case {at} took {:?}", began.elapsed());
    }
    let streams = rest.run("LIST STREAMS;");
    assert_eq!(streams[0]["streams"].as_array().expect("an array").len(), 1, "nothing was done: {streams}");
    let grown = broker.anonymous_bytes().saturating_sub(before);
    assert!(grown < 400 << 20, "{grown} bytes more are held");
}

#[test]
fn what_trickles_in_is_given_up() {
    let (broker, rest) = started("rest-slow", &[]);
    // A head that never ends, and a body that never comes: neither holds anything for long, and others are served meanwhile.
    let mut head = TcpStream::connect(broker.http()).expect("the server listens");
    head.write_all(b"GET /info HTTP/1.1\r\nHost: x\r\nX-Slow: ").expect("a part of it");
    let mut body = TcpStream::connect(broker.http()).expect("the server listens");
    body.write_all(b"POST /ksql HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{").expect("a part of it");
    rest.run("LIST STREAMS;");
    for socket in [&head, &body] {
        socket.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout can be set");
    }
    let mut told = String::new();
    head.read_to_string(&mut told).expect("it is closed");
    assert!(told.is_empty() || told.contains("408"), "{told}");
    let mut answer = vec![0; 4096];
    let length = body.read(&mut answer).expect("an answer");
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("did not arrive"), "{answer}");
}

/// A command that was not carried out to its end is told to whoever gave it, and does not make the server look stuck from then on.
#[test]
fn a_topic_that_may_not_be_deleted_leaves_the_server_healthy() {
    let (broker, rest) = started("rest-half-way", &[("delete.topic.enable", "false")]);
    rest.run(STREAM);
    let (status, answer) = said(&broker, "/ksql", json!({ "ksql": "DROP STREAM s DELETE TOPIC;" }).to_string().as_bytes());
    let message = answer["message"].as_str().unwrap_or_default();
    assert!(status >= 400 && message.contains("S was dropped, but its topic s is still there"), "{status} {answer}");
    let get = |path: &str| rest.get(path).expect("an answer");
    let health = get("/healthcheck");
    assert_eq!(health["isHealthy"], true, "{health}");
    assert_eq!(get("/status")["commandStatuses"]["stream/`S`/drop"], "ERROR");
    let status = get("/status/stream/%60S%60/drop");
    assert!(status["status"] == "ERROR" && status["message"].as_str().is_some_and(|text| text.contains("still there")), "{status}");
    rest.run(STREAM);
    assert_eq!(get("/info")["KsqlServerInfo"]["serverStatus"], "RUNNING");
}

/// The tasks of a query's stages are its tasks, too.
#[test]
fn cluster_status_names_what_the_stages_of_a_query_read() {
    let (_broker, rest) = started("rest-cluster", &[]);
    rest.run(STREAM);
    rest.run("CREATE TABLE by_n AS SELECT n, COUNT(*) AS c FROM s GROUP BY n;");
    wait_for("both topics of the query", SOON, || {
        let status = rest.get("/clusterStatus").expect("an answer");
        let host = status["clusterStatus"].as_object()?.values().next()?.clone();
        let query = host["activeStandbyPerQuery"].as_object()?.values().next()?.clone();
        let topics: Vec<&str> = query["activePartitions"].as_array()?.iter().filter_map(|partition| partition["topic"].as_str()).collect();
        let count = |which: fn(&str) -> bool| topics.iter().filter(|topic| which(topic)).count();
        (count(|topic| topic == "s") == 2 && count(|topic| topic.contains("repartition")) == 2).then_some(())
    });
}
