//! The statements of talks and demos about ksqlDB, verbatim, over the data that they were made for (`../shared/seeds`; without it
//! they are left out).
//!
//! What a statement needs that is not here (a schema registry, Kafka Connect) must be said in its error. Statements that ask for Avro
//! or Protobuf run a second time with JSON in their place, so that what they compute is checked too.
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use millrace_clients_tests::rest::Rest;
use millrace_clients_tests::{Peer, kcat};
use millrace_harness::{Broker, shared, wait_for};
use millrace_sql::parser::{Limits, split};
use serde_json::{Value, json};

const DAY: i64 = 86_400_000;
const CATCH_UP: Duration = Duration::from_secs(300);

struct Seeds {
    folder: PathBuf,
    broker: Broker,
    rest: Rest,
}

impl Seeds {
    fn start(name: &str) -> Option<Seeds> {
        let folder = shared("seeds")?;
        let broker = Peer::ours(Broker::options().named(name).ready_within(Duration::from_secs(60)))?;
        let rest = Rest::new(broker.http());
        Some(Seeds { folder, broker, rest })
    }

    fn data(&self, file: &str) -> String {
        let path = self.folder.join("data").join(file);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The statement of a file that begins with these words.
    fn statement(&self, file: &str, begins: &str) -> String {
        let found = statements(&self.sql(file)).into_iter().find(|statement| one_line(statement).starts_with(begins));
        found.unwrap_or_else(|| panic!("{file} has no statement that begins with {begins:?}"))
    }

    fn sql(&self, file: &str) -> String {
        let path = self.folder.join("ksql").join(file);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Lines into partition 0 of a topic, `key~value` where there are keys.
    fn load(&self, topic: &str, lines: &str, keyed: bool) {
        let mut words = vec!["-P", "-t", topic, "-p", "0"];
        if keyed {
            words.push("-K~");
        }
        kcat(&self.broker.kafka(), &words, lines).text();
    }

    fn run(&self, statement: &str) {
        self.rest.run(statement);
    }

    /// Why a statement is refused.
    fn refused(&self, statement: &str) -> String {
        let body = json!({ "ksql": statement, "streamsProperties": { "auto.offset.reset": "earliest" } });
        match self.rest.post("/ksql", &body) {
            Ok(answer) => panic!("accepted: {statement}\n{answer}"),
            Err(error) => serde_json::from_str::<Value>(&error).ok().and_then(|body| Some(body["message"].as_str()?.to_owned())).unwrap_or(error),
        }
    }

    /// The rows of a query that ends: a pull, or a push with a LIMIT.
    fn rows(&self, query: &str) -> Vec<Vec<Value>> {
        let body = json!({ "sql": query, "properties": { "auto.offset.reset": "earliest" } });
        let answer = wait_for(query, CATCH_UP, || match self.rest.post("/query-stream", &body) {
            Ok(answer) => Some(answer),
            Err(error) if error.contains("is starting") => None,
            Err(error) => panic!("{query}: {error}"),
        });
        let lines = answer.lines().skip(1).filter(|line| line.starts_with('['));
        lines.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"))).collect()
    }

    /// The rows, once there are as many as there must be in the end.
    fn all_rows(&self, query: &str, count: usize) -> Vec<Vec<Value>> {
        self.rows_when(query, |rows| rows.len() >= count)
    }

    fn rows_when(&self, query: &str, ready: impl Fn(&[Vec<Value>]) -> bool) -> Vec<Vec<Value>> {
        wait_for(query, CATCH_UP, || Some(self.rows(query)).filter(|rows| ready(rows)))
    }

    /// The values of a topic's records, as JSON, once there are so many.
    fn records(&self, topic: &str, count: usize) -> Vec<Value> {
        let address = self.broker.kafka();
        let lines = wait_for(topic, CATCH_UP, || {
            Some(kcat(&address, &["-C", "-t", topic, "-e", "-q"], "").lines()).filter(|lines| lines.len() >= count)
        });
        assert_eq!(lines.len(), count, "{topic}");
        lines.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"))).collect()
    }
}

fn statements(text: &str) -> Vec<String> {
    split(text, &Limits::STANDARD).unwrap().iter().map(|raw| raw.text.to_owned()).collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The statement in a format that needs no registry.
fn in_json(statement: &str) -> String {
    statement.replace("'AVRO'", "'JSON'").replace("'PROTOBUF'", "'JSON'")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// What the Wi-Fi statements count, computed from the captured frames alone.
#[derive(Debug, Default, PartialEq)]
struct Probes {
    count: i64,
    first: i64,
    last: i64,
    ssids: BTreeSet<Option<String>>,
}

fn first_text<'a>(frame: &'a Value, field: &str) -> Option<&'a str> {
    frame[field].get(0)?.as_str()
}

fn probes(frames: &[Value]) -> BTreeMap<String, Probes> {
    let mut devices: BTreeMap<String, Probes> = BTreeMap::new();
    for frame in frames.iter().filter(|frame| first_text(frame, "wlan_fc_type_subtype") == Some("4")) {
        let Some(device) = first_text(frame, "wlan_sa") else { continue };
        let time: i64 = text(&frame["timestamp"]).parse().unwrap();
        let seen = devices.entry(device.to_owned()).or_insert_with(|| Probes { first: time, last: time, ..Probes::default() });
        seen.count += 1;
        seen.first = seen.first.min(time);
        seen.last = seen.last.max(time);
        seen.ssids.insert(first_text(frame, "wlan_ssid").map(str::to_owned));
    }
    devices
}

/// `2020-03-31 13:07:14` in London, as seconds of UTC: summer time from the end of March to the end of October.
fn london_seconds(time: &str) -> i64 {
    let number = |range: std::ops::Range<usize>| time[range].parse::<i64>().unwrap();
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    assert!(!matches!(month, 3 | 10) || day < 24, "too close to the change for so plain a rule: {time}");
    let summer = if (4..=10).contains(&month) { 3600 } else { 0 };
    days * 86_400 + number(11..13) * 3600 + number(14..16) * 60 + number(17..19) - summer
}

#[test]
fn wifi_probes_are_counted_per_device() {
    let Some(seeds) = Seeds::start("seeds-wifi") else { return };
    let lines = seeds.data("wifi_pcap_topic_probes_real_devices.ndjson");
    let frames: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let oracle = probes(&frames);
    seeds.load("pcap", &lines, false);
    let blog = "seed000__blog_wifi_bot.sql";
    seeds.run(&seeds.statement(blog, "CREATE STREAM PCAP_RAW"));
    seeds.run(&seeds.statement(blog, "CREATE TABLE PCAP_STATS_01"));
    let total: i64 = oracle.values().map(|probes| probes.count).sum();
    let all = "SELECT SOURCE_DEVICE, PROBE_COUNT, FIRST_PROBE, LAST_PROBE, UNIQUE_SSIDS_PROBED, SSIDS_PROBED FROM PCAP_STATS_01;";
    let counted = |rows: &[Vec<Value>]| rows.iter().filter_map(|row| row[1].as_i64()).sum::<i64>();
    let rows = seeds.rows_when(all, |rows| counted(rows) >= total);
    assert_eq!(rows.len(), oracle.len());
    for row in &rows {
        let expected = &oracle[text(&row[0])];
        let ssids: Vec<Option<String>> = row[5].as_array().unwrap().iter().map(|ssid| ssid.as_str().map(str::to_owned)).collect();
        assert_eq!(row[1].as_i64(), Some(expected.count), "{row:?}");
        assert_eq!(london_seconds(text(&row[2])), expected.first.div_euclid(1000), "{row:?}");
        assert_eq!(london_seconds(text(&row[3])), expected.last.div_euclid(1000), "{row:?}");
        assert_eq!(row[4].as_i64(), Some(expected.ssids.iter().flatten().count() as i64), "{row:?}");
        assert_eq!(ssids.len(), expected.ssids.len(), "{row:?}");
        assert_eq!(ssids.into_iter().collect::<BTreeSet<_>>(), expected.ssids, "{row:?}");
    }
    // The bot's look-up: of a device that was never seen, and of one that was.
    let question = seeds.statement(blog, "SELECT PROBE_COUNT");
    assert!(seeds.rows(&question).is_empty());
    let (device, expected) = oracle.iter().max_by_key(|(_, probes)| probes.count).unwrap();
    let answer = seeds.rows(&question.replace("a4:83:e7:4e:39:15", device));
    assert_eq!(answer.len(), 1);
    assert_eq!(answer[0][0].as_i64(), Some(expected.count));

    // Per day and kind of frame; the statement asks for Avro.
    let daily = seeds.statement("wifi__README.sql", "CREATE TABLE PCAP_STATS WITH").replace("PCAP_RAW_00", "PCAP_RAW");
    assert!(seeds.refused(&daily).contains("AVRO"), "{}", seeds.refused(&daily));
    seeds.run(&in_json(&daily));
    let mut days: BTreeMap<(i64, i64), i64> = BTreeMap::new();
    let mut stream_time = i64::MIN;
    for frame in &frames {
        let time: i64 = text(&frame["timestamp"]).parse().unwrap();
        let Some(kind) = first_text(frame, "wlan_fc_type_subtype") else { continue };
        stream_time = stream_time.max(time);
        let day = time.div_euclid(DAY) * DAY;
        // A window that ended a day ago takes no more: the grace that there is without a GRACE PERIOD.
        if day + 2 * DAY > stream_time {
            *days.entry((day, kind.parse().unwrap())).or_default() += 1;
        }
    }
    let total: i64 = days.values().sum();
    let rows = seeds.rows_when("SELECT WINDOWSTART, SUBTYPE, PACKET_COUNT FROM PCAP_STATS;", |rows| {
        rows.iter().filter_map(|row| row[2].as_i64()).sum::<i64>() >= total
    });
    let found = rows.iter().map(|row| ((row[0].as_i64().unwrap(), row[1].as_i64().unwrap()), row[2].as_i64().unwrap()));
    assert_eq!(found.collect::<BTreeMap<_, _>>(), days);
}

#[test]
fn car_parks_by_csv_alerts_and_distances() {
    let Some(seeds) = Seeds::start("seeds-carparks") else { return };
    let file = "carparks__telegram_bot_demo.sql";
    let csv = seeds.data("carparks_bradford_sample.csv");
    let lines: Vec<&str> = csv.lines().skip(1).collect();
    seeds.load("carparks", &lines.join("\n"), false);
    seeds.run(&seeds.statement(file, "CREATE STREAM CARPARK_SRC"));
    let parsed: Vec<Vec<String>> = lines.iter().map(|line| fields(line)).collect();
    let rows = seeds.rows(&seeds.statement("carparks__DRAFT_cloud_demo.sql", "SELECT * FROM CARPARK_SRC"));
    assert_eq!(rows.len(), 5, "LIMIT 5");
    for (row, fields) in rows.iter().zip(&parsed) {
        let shown: Vec<String> = row.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect();
        assert_eq!(&shown, fields);
    }
    let listed = seeds.rows(&seeds.statement(file, "SELECT DATE, TIME, NAME, EMPTY_PLACES"));
    assert_eq!(listed[0], vec![json!(parsed[0][0]), json!(parsed[0][1]), json!(parsed[0][2]), json!(parsed[0][4].parse::<i64>().unwrap())]);

    let events = seeds.statement(file, "CREATE STREAM CARPARK_EVENTS");
    assert!(seeds.refused(&events).contains("PROTOBUF"));
    seeds.run(&in_json(&events));
    seeds.run(&seeds.statement(file, "CREATE TABLE CARPARK AS"));
    let mut last: BTreeMap<&str, &Vec<String>> = BTreeMap::new();
    let mut sums: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for row in &parsed {
        last.insert(&row[2], row);
        let (sum, count) = sums.entry(&row[2]).or_default();
        *sum += row[4].parse::<f64>().unwrap();
        *count += 1.0;
    }
    let question = seeds.statement(file, "SELECT NAME, LATEST_TS, CURRENT_EMPTY_PLACES, AVG_EMPTY_PLACES").replace("> 80", "> -1");
    let expected: BTreeMap<String, (String, i64, String)> = last
        .iter()
        .map(|(name, row)| {
            let (sum, count) = sums[name];
            ((*name).to_owned(), (format!("{} {}:00", row[0], row[1]), row[4].parse().unwrap(), format!("{:.6}", sum / count)))
        })
        .collect();
    let found = |rows: &[Vec<Value>]| -> BTreeMap<String, (String, i64, String)> {
        let shown = |row: &Vec<Value>| (text(&row[1]).to_owned(), row[2].as_i64().unwrap(), format!("{:.6}", row[3].as_f64().unwrap()));
        rows.iter().map(|row| (text(&row[0]).to_owned(), shown(row))).collect()
    };
    seeds.rows_when(&question, |rows| found(rows) == expected);
    let westgate = seeds.rows(&seeds.statement(file, "SELECT LATEST_TS, CURRENT_EMPTY_PLACES, AVG_EMPTY_PLACES"));
    assert_eq!(westgate[0][1].as_i64(), Some(expected["Westgate"].1));

    // To the last digit.
    let demo = seeds.sql("carparks__DRAFT_cloud_demo.sql");
    // Between the output of one statement, drawn as a table, and the next statement.
    let place = demo.find("GEO_DISTANCE(CAST(53.925232").unwrap();
    let (from, to) = (demo[..place].rfind("SELECT").unwrap(), place + demo[place..].find(';').unwrap());
    let nearest = demo[from..=to].replace("EMIT CHANGES", "");
    let golden = seeds.data("carparks_nearest_expected.tsv");
    let golden: BTreeMap<&str, f64> = golden
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let mut fields = line.split('\t');
            (fields.next().unwrap(), fields.next().unwrap().parse().unwrap())
        })
        .collect();
    let distances: BTreeMap<String, f64> =
        seeds.rows(&nearest.replace("> 10", "> -1")).iter().map(|row| (text(&row[0]).to_owned(), row[2].as_f64().unwrap())).collect();
    let shared: Vec<&&str> = golden.keys().filter(|name| distances.contains_key(**name)).collect();
    assert!(shared.len() >= 7, "{distances:?}");
    for name in shared {
        assert_eq!(distances[*name], golden[*name], "{name}");
    }

    // Alerts: more than 470 places free at Kirkgate Centre.
    seeds.run(&in_json(&seeds.statement(file, "CREATE TABLE ALERT_CONFIG")).replace("PARTITIONS=4", "PARTITIONS=1"));
    seeds.run(&seeds.statement(file, "INSERT INTO ALERT_CONFIG"));
    seeds.run(&seeds.statement(file, "CREATE STREAM CARPARK_ALERTS"));
    let kirkgate = "2020-10-14,12:28,Kirkgate Centre,611,";
    seeds.load("carparks", &format!("{kirkgate}474,Spaces,53.7,-1.7,x\n{kirkgate}469,Spaces,53.7,-1.7,x\n"), false);
    let alerts = seeds.statement(file, "SELECT CARPARK, ALERT_THRESHOLD, DATA_TS, EMPTY_PLACES").replace("EMIT CHANGES", "EMIT CHANGES LIMIT 1");
    let alert = seeds.rows(&alerts);
    assert_eq!((text(&alert[0][0]), alert[0][1].as_i64()), ("Kirkgate Centre", Some(470)));

    // A second city in another shape, joined to the same stream.
    let leeds = seeds.data("carparks_leeds_sample.ndjson");
    seeds.load("carparks_leeds", &leeds, false);
    seeds.run(&seeds.statement(file, "CREATE STREAM CARPARK_LEEDS_SRC01"));
    let union = statements(&seeds.sql(file)).into_iter().find(|text| one_line(text).contains("FROM CARPARK_LEEDS_SRC01")).unwrap();
    seeds.run(&union);
    let source: Value = serde_json::from_str(leeds.lines().next().unwrap()).unwrap();
    let name = text(&source["d2lm:carParkIdentity"]).to_owned();
    let city = seeds.rows_when("SELECT NAME, CURRENT_EMPTY_PLACES FROM CARPARK;", |rows| rows.iter().any(|row| row[0] == json!(name)));
    let row = city.iter().find(|row| row[0] == json!(name)).unwrap();
    let number = |field: &str| source[field].as_i64().or_else(|| source[field].as_str()?.parse().ok()).unwrap();
    assert_eq!(row[1].as_i64(), Some(number("d2lm:totalCapacity") - number("d2lm:occupiedSpaces")));
}

/// The fields of a line of CSV with quotes.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    for letter in line.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => fields.last_mut().unwrap().push(other),
        }
    }
    fields
}

#[test]
fn train_movements_are_routed_taken_apart_and_named() {
    let Some(seeds) = Seeds::start("seeds-rail") else { return };
    let slides = "seed001__slides_rail.sql";
    let lines = seeds.data("trust_samples.ndjson");
    let messages: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_type = |kind: &str| messages.iter().filter(|message| message["header"]["msg_type"] == kind).collect::<Vec<_>>();
    seeds.load("networkrail_TRAIN_MVT_X", &lines, false);
    seeds.run(&seeds.statement(slides, "CREATE STREAM NETWORKRAIL_TRAIN_MVT_X"));
    let cancellations = statements(&seeds.sql(slides)).into_iter().find(|text| text.contains("canx_timestamp")).unwrap();
    seeds.run(&cancellations);
    let cancelled = seeds.records("TRAIN_CANCELLATIONS_00", of_type("0002").len());
    for (found, message) in cancelled.iter().zip(of_type("0002")) {
        assert_eq!(found["CANX_REASON_CODE"], message["body"]["canx_reason_code"]);
    }
    // Some forty columns out of a JSON text.
    seeds.run(&seeds.statement("rail__03_movements__01_movement_raw.sql", "CREATE STREAM TRAIN_MOVEMENTS_00"));
    let moved = seeds.records("TRAIN_MOVEMENTS_00", of_type("0003").len());
    for (found, message) in moved.iter().zip(of_type("0003")) {
        let body = &message["body"];
        let variation = match text(&body["variation_status"]) {
            "ON TIME" => json!("ON TIME"),
            status @ ("LATE" | "EARLY") => json!(format!("{} MINS {status}", text(&body["timetable_variation"]))),
            _ => Value::Null,
        };
        assert_eq!(found["VARIATION"], variation, "{message}");
        let parts = [&body["train_id"], &body["planned_event_type"], &body["loc_stanox"]].map(text);
        assert_eq!(found["MSG_KEY"], parts.join("/"), "{message}");
        assert_eq!(found["ACTUAL_TIMESTAMP"].to_string(), text(&body["actual_timestamp"]), "{message}");
    }
    seeds.run("DROP STREAM TRAIN_CANCELLATIONS_00; DROP STREAM TRAIN_MOVEMENTS_00; DROP STREAM NETWORKRAIL_TRAIN_MVT_X;");

    // Arrays in envelopes: wrapped, read again, exploded. The statements ask for Avro around it.
    let raw = "rail__03_movements__01_movement_raw.sql";
    let envelopes = seeds.data("trust_activemq_envelope.ndjson");
    let inside: usize = envelopes
        .lines()
        .map(|line| serde_json::from_str::<Value>(text(&serde_json::from_str::<Value>(line).unwrap()["text"])).unwrap().as_array().unwrap().len())
        .sum();
    seeds.load("networkrail_train_mvt", &envelopes, false);
    assert!(seeds.refused(&seeds.statement(raw, "CREATE STREAM NETWORKRAIL_TRAIN_MVT_MQ_SOURCE")).contains("Schema Registry"));
    seeds.run("CREATE STREAM NETWORKRAIL_TRAIN_MVT_MQ_SOURCE (ROWKEY VARCHAR KEY, TEXT VARCHAR) WITH (KAFKA_TOPIC='networkrail_train_mvt', VALUE_FORMAT='JSON');");
    seeds.run(&in_json(&seeds.statement(raw, "CREATE STREAM NETWORKRAIL_TRAIN_MVT_JSON_STG")));
    // With Avro the key would come from the registry.
    let payload = in_json(&seeds.statement(raw, "CREATE STREAM NETWORKRAIL_TRAIN_MVT_PAYLOAD"));
    seeds.run(&payload.replacen('(', "(ROWKEY VARCHAR KEY, ", 1));
    seeds.run(&in_json(&seeds.statement(raw, "CREATE STREAM NETWORKRAIL_TRAIN_MVT_X")).replace("PARTITIONS=6", "PARTITIONS=1"));
    let exploded = seeds.records("NETWORKRAIL_TRAIN_MVT_X", inside);
    assert!(exploded.iter().all(|row| row["HEADER"]["MSG_TYPE"].is_string() && row["BODY"].is_string()), "{exploded:?}");

    // Reference data by key.
    let reasons = seeds.data("canx_reason_code.dat").replace(":{", "~{");
    seeds.load("canx_reason_code", &reasons, true);
    let file = "rail__03_movements__01_canx_reason.sql";
    seeds.run(&seeds.statement(file, "CREATE OR REPLACE TABLE CANX_REASON"));
    seeds.run(&seeds.statement(file, "CREATE TABLE CANX_REASON6P"));
    let count = reasons.lines().count();
    assert_eq!(seeds.all_rows("SELECT * FROM CANX_REASON6P;", count).len(), count);
    let row = seeds.rows("SELECT CANX_ABBREV FROM CANX_REASON6P WHERE CANX_REASON_CODE = 'AA';");
    assert_eq!(row, [[json!("ACCEPTANCE")]]);
}

#[test]
fn golden_values_of_the_slides() {
    let Some(seeds) = Seeds::start("seeds-slides") else { return };
    let slides = "seed001__slides_rail.sql";
    // Five widgets, two of them red.
    seeds.run("CREATE STREAM widgets (id INT KEY, colour VARCHAR) WITH (kafka_topic='widgets', value_format='JSON', partitions=1);");
    seeds.run(&seeds.statement(slides, "CREATE STREAM widgets_red"));
    for (id, colour) in ["RED", "BLUE", "RED", "GREEN", "YELLOW"].iter().enumerate() {
        seeds.run(&format!("INSERT INTO widgets VALUES ({id}, '{colour}');"));
    }
    assert_eq!(seeds.rows("SELECT id FROM widgets_red EMIT CHANGES LIMIT 2;"), [[json!(0)], [json!(2)]]);

    // A stream that meets a table.
    seeds.run(
        "CREATE TABLE LOCATION (ID INT PRIMARY KEY, DESCRIPTION VARCHAR) WITH (kafka_topic='location', value_format='JSON', partitions=1);
         CREATE STREAM TRAIN_MOVEMENTS (LOC_ID INT KEY, TS BIGINT) WITH (kafka_topic='movements', value_format='JSON', partitions=1);
         INSERT INTO LOCATION VALUES (42, 'Menston'); INSERT INTO LOCATION VALUES (43, 'Ilkley');",
    );
    seeds.run(&seeds.statement(slides, "CREATE STREAM TRAIN_MOVEMENTS_ENRICHED"));
    seeds.run("INSERT INTO TRAIN_MOVEMENTS VALUES (42, 1); INSERT INTO TRAIN_MOVEMENTS VALUES (43, 2); INSERT INTO TRAIN_MOVEMENTS VALUES (44, 3);");
    let met = seeds.rows("SELECT LOC_ID, LOC_DESC FROM TRAIN_MOVEMENTS_ENRICHED EMIT CHANGES LIMIT 3;");
    assert_eq!(met, [[json!(42), json!("Menston")], [json!(43), json!("Ilkley")], [json!(44), Value::Null]]);

    // How many spaces are free at Westgate right now?
    seeds.run(
        "CREATE STREAM READINGS (NAME VARCHAR KEY, SPACES INT) WITH (kafka_topic='readings', value_format='JSON', partitions=1);
         CREATE TABLE CARPARK AS SELECT NAME, LATEST_BY_OFFSET(SPACES) AS SPACES_AVAILABLE FROM READINGS GROUP BY NAME;
         INSERT INTO READINGS VALUES ('WESTGATE', 77); INSERT INTO READINGS VALUES ('WESTGATE', 42);",
    );
    let question = seeds.statement("seed004__slides_carparks.sql", "SELECT SPACES_AVAILABLE");
    seeds.rows_when(&question, |rows| rows == [[json!(42)]]);

    // An account's balance, exact.
    seeds.run(
        "CREATE STREAM TXNS (AC_ID INT KEY, TXN_AMT DECIMAL(9,2)) WITH (kafka_topic='txns', value_format='JSON', partitions=1);
         CREATE TABLE AC_BALANCE AS SELECT AC_ID, SUM(TXN_AMT) AS BALANCE FROM TXNS GROUP BY AC_ID;
         INSERT INTO TXNS VALUES (42, 100.00); INSERT INTO TXNS VALUES (42, -6.10); INSERT INTO TXNS VALUES (42, 0.10);",
    );
    let balance = json!({ "sql": "SELECT BALANCE FROM AC_BALANCE WHERE AC_ID = 42;", "properties": {} });
    wait_for("the balance", CATCH_UP, || seeds.rest.post("/query-stream", &balance).ok().filter(|answer| answer.contains("[94.00]")));

    // Movements per day, status and company: the slide's table from as many records as it counts.
    let golden: [(&str, &str, [i64; 4]); 8] = [
        ("2019-07-02", "OFF ROUTE", [46, 78, 20, 167]),
        ("2019-07-02", "ON TIME", [19083, 3568, 1509, 2916]),
        ("2019-07-02", "LATE", [30850, 7953, 5420, 9042]),
        ("2019-07-02", "EARLY", [11478, 3518, 1349, 2096]),
        ("2019-07-03", "OFF ROUTE", [79, 25, 41, 213]),
        ("2019-07-03", "ON TIME", [19512, 4247, 1915, 2936]),
        ("2019-07-03", "LATE", [37357, 8258, 5342, 11016]),
        ("2019-07-03", "EARLY", [11825, 4574, 1888, 2094]),
    ];
    let companies = ["Arriva Trains Northern", "East Midlands Trains", "London North Eastern Railway", "TransPennine Express"];
    let mut lines = String::new();
    for (day, status, counts) in &golden {
        let start: i64 = if *day == "2019-07-02" { 1_562_025_600_000 } else { 1_562_112_000_000 };
        for (company, count) in companies.iter().zip(counts) {
            for number in 0..*count {
                lines.push_str(&format!("{{\"TS\":{},\"TOC\":\"{company}\",\"VARIATION_STATUS\":\"{status}\"}}\n", start + number * 2300));
            }
        }
    }
    seeds.load("movements_01", &lines, false);
    let file = "rail__05_analytics__00_toc_daily_variation_stats.sql";
    let daily = seeds.statement(file, "CREATE TABLE TOC_VARIATION_STATS_DAILY");
    assert!(seeds.refused(&daily).contains("TRAIN_MOVEMENTS_01 does not exist"));
    seeds.run("CREATE STREAM TRAIN_MOVEMENTS_01 (TS BIGINT, TOC VARCHAR, VARIATION_STATUS VARCHAR) WITH (kafka_topic='movements_01', value_format='JSON', timestamp='TS');");
    seeds.run(&daily);
    let all = "SELECT WINDOW_START_TS, VARIATION_STATUS, ARRIVA_CT, EASTMIDLANDS_CT, LNER_CT, TRANSPENNINEEXPRESS_CT FROM TOC_VARIATION_STATS_DAILY;";
    let total: i64 = golden.iter().flat_map(|(_, _, counts)| counts).sum();
    let rows = seeds.rows_when(all, |rows| rows.iter().flatten().filter_map(Value::as_i64).sum::<i64>() >= total);
    let found: BTreeSet<String> = rows.iter().map(|row| json!(row).to_string()).collect();
    let expected = golden.iter().map(|(day, status, counts)| json!([day, status, counts[0], counts[1], counts[2], counts[3]]).to_string());
    assert_eq!(found, expected.collect());
}

#[test]
fn what_is_known_to_be_broken_names_what_is_missing() {
    let Some(seeds) = Seeds::start("seeds-broken") else { return };
    let refused = |statement: &str, says: &str| {
        let why = seeds.refused(statement);
        assert!(why.contains(says), "{says:?} is not in: {why}");
    };
    // A join on a column that does not exist.
    seeds.run(
        "CREATE STREAM NETWORKRAIL_TRAIN_MVT_X (HEADER STRUCT<msg_type VARCHAR>, BODY VARCHAR) WITH (kafka_topic='mvt', value_format='JSON', partitions=1);
         CREATE TABLE TRAIN_ACTIVATIONS (TRAIN_ID VARCHAR PRIMARY KEY, SCHEDULE_KEY VARCHAR) WITH (kafka_topic='act', value_format='JSON', partitions=1);
         CREATE TABLE LOCATIONS_BY_STANOX (STANOX VARCHAR PRIMARY KEY, DESCRIPTION VARCHAR, LAT_LON STRUCT<`lat` DOUBLE, `lon` DOUBLE>) WITH (kafka_topic='loc', value_format='JSON', partitions=1);
         CREATE TABLE CANX_REASON (canx_reason_code VARCHAR PRIMARY KEY, canx_reason VARCHAR) WITH (kafka_topic='canx', value_format='JSON', partitions=1);
         CREATE TABLE CANX_REASON6P (canx_reason_code VARCHAR PRIMARY KEY, canx_reason VARCHAR) WITH (kafka_topic='canx', value_format='JSON');
         CREATE TABLE SCHEDULE (SCHEDULE_KEY VARCHAR PRIMARY KEY, TRAIN_STATUS VARCHAR) WITH (kafka_topic='sched', value_format='JSON', partitions=1);",
    );
    let file = "rail__03_movements__04_cancellations_nway.sql";
    seeds.run(&seeds.statement(file, "CREATE STREAM TRAIN_CANCELLATIONS_00"));
    refused(&seeds.statement(file, "CREATE STREAM TRAIN_CANCELLATIONS_01"), "TC.SCHEDULE_KEY");
    refused(&seeds.statement("rail__05_analytics__00_toc_daily_variation_stats.sql", "CREATE TABLE TOC_VARIATION"), "TRAIN_MOVEMENTS_01");
    let alerts = "rail__04_delay_alerts__00_delay_alerts.sql";
    refused(&seeds.statement(alerts, "CREATE STREAM TRAINS_DELAYED_ALERT AS"), "TRAIN_MOVEMENTS_ACTIVATIONS_SCHEDULE_00");
    refused(&seeds.statement(alerts, "CREATE STREAM TRAINS_DELAYED_ALERT_TG"), "TRAINS_DELAYED_ALERT");
    // The column is called SOURCE.
    seeds.run(
        "CREATE STREAM PROBES (SOURCE VARCHAR KEY, SSID VARCHAR) WITH (kafka_topic='probes', value_format='JSON', partitions=1);
         CREATE TABLE PCAP_PROBE_STATS_BY_SOURCE_DEVICE_02 AS SELECT SOURCE, COUNT(*) AS PCAP_PROBES, MIN(ROWTIME) AS EARLIEST_PROBE, MAX(ROWTIME) AS LATEST_PROBE, COLLECT_SET(SSID) AS PROBED_SSIDS, COUNT_DISTINCT(SSID) AS UNIQUE_SSIDS_PROBED FROM PROBES GROUP BY SOURCE;",
    );
    let question = json!({ "sql": seeds.statement("wifi__README.sql", "SELECT SOURCE_DEVICE_NAME, PCAP_PROBES"), "properties": {} });
    let why = seeds.rest.post("/query-stream", &question).expect_err("there is no such column");
    assert!(why.contains("SOURCE_DEVICE_NAME"), "{why}");
}

/// Every statement of every file, one after the other, whatever came of those before: a refusal says why, and the server stays up.
#[test]
fn every_statement_is_answered_and_the_server_stays_up() {
    let Some(mut seeds) = Seeds::start("seeds-all") else { return };
    let topics = ["pcap", "carparks", "carparks_historic", "carparks_leeds", "networkrail_TRAIN_MVT_X", "CIF_FULL_DAILY", "canx_reason_code", "source_topic", "opencage"];
    for topic in topics {
        seeds.load(topic, "", false);
        kcat(&seeds.broker.kafka(), &["-L", "-t", topic], "").text();
    }
    const MISSING: [&str; 10] = ["Schema Registry", "schema registry", "CONNECTOR is not supported", "no Connect cluster", "Could not find", "does not exist", "unknown stream/table", "cannot be resolved", "already exists", "number of partitions don't match"];
    const NO_SQL_OF_OURS: [&str; 2] = ["Syntax Error", "Pull queries don't support"];
    let mut files: Vec<PathBuf> = std::fs::read_dir(seeds.folder.join("ksql")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "sql"));
    files.sort();
    let (mut accepted, mut refused) = (0, 0);
    for path in files {
        for statement in statements(&std::fs::read_to_string(&path).unwrap()) {
            let line = one_line(&statement);
            let is_query = line.to_uppercase().starts_with("SELECT");
            let is_endless = is_query && line.contains("EMIT CHANGES") || line.starts_with("PRINT");
            if is_endless {
                continue;
            }
            let (door, body) = if is_query {
                ("/query-stream", json!({ "sql": statement, "properties": {} }))
            } else {
                ("/ksql", json!({ "ksql": statement, "streamsProperties": {} }))
            };
            let starting = |answer: &Result<String, String>| answer.as_ref().is_err_and(|why| why.contains("is starting"));
            let answer = wait_for(&statement, CATCH_UP, || Some(seeds.rest.post(door, &body)).filter(|answer| !starting(answer)));
            match answer {
                Ok(_) => accepted += 1,
                Err(why) => {
                    let known = MISSING.iter().chain(&NO_SQL_OF_OURS).any(|known| why.contains(known));
                    assert!(known, "{}: {line}\n{why}", path.display());
                    refused += 1;
                }
            }
        }
    }
    eprintln!("{accepted} statements accepted, {refused} refused with what they miss");
    assert!(accepted >= 20, "{accepted} accepted, {refused} refused");
    assert!(seeds.broker.is_up());
    seeds.run("SHOW STREAMS;");
}
