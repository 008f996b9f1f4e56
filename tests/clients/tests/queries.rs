//! Queries' lives beside their rows: stages and their topics, new partitions, replacement, removal, trouble, the processing log.
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use millrace_clients_tests::Peer;
use millrace_clients_tests::load::{config, read_all};
use millrace_clients_tests::rest::Rest;
use millrace_harness::{Broker, wait_for};
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use serde_json::{Value, json};

/// On a machine that is busy with other things.
const SOON: Duration = Duration::from_secs(90);

fn broker(name: &str) -> Option<Broker> {
    Peer::ours(Broker::options().named(name).ready_within(Duration::from_secs(60)))
}

/// A table's key and count; nothing while it starts.
fn counts(rest: &Rest, query: &str) -> Option<BTreeMap<String, i64>> {
    let rows = rest.pull(query).ok()?;
    rows.iter().map(|row| Some((row.first()?.as_str()?.to_owned(), row.get(1)?.as_i64()?))).collect()
}

#[track_caller]
fn expect(rest: &Rest, query: &str, wanted: &[(&str, i64)]) {
    let wanted: BTreeMap<String, i64> = wanted.iter().map(|(key, count)| ((*key).to_owned(), *count)).collect();
    let mut seen = None;
    let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait_for(query, SOON, || {
            seen = counts(rest, query);
            seen.as_ref().filter(|rows| **rows == wanted).map(|_| ())
        })
    }));
    assert!(found.is_ok(), "{query}: {seen:?}, not {wanted:?}");
}

fn insert(rest: &Rest, rows: &[(&str, &str)]) {
    let statements: Vec<String> = rows.iter().map(|(key, group)| format!("INSERT INTO src (k, g) VALUES ('{key}', '{group}');")).collect();
    rest.run(&statements.join("\n"));
}

const SOURCE: &str = "CREATE STREAM src (k VARCHAR KEY, g VARCHAR) WITH (kafka_topic='src', partitions=3, value_format='JSON');";
/// In several partitions.
const ROWS: &[(&str, &str)] = &[("a", "x"), ("b", "x"), ("c", "y"), ("d", "x"), ("e", "y"), ("f", "z")];

fn topics(rest: &Rest) -> Vec<String> {
    let answer = rest.run("SHOW ALL TOPICS;");
    let topics = answer[0]["topics"].as_array().cloned().unwrap_or_default();
    topics.iter().filter_map(|topic| topic["name"].as_str().map(str::to_owned)).collect()
}

fn moving(rest: &Rest) -> Vec<String> {
    topics(rest).into_iter().filter(|name| name.ends_with("-repartition")).collect()
}

fn folders(data: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(data.join("views")) else { return Vec::new() };
    entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect()
}

#[test]
fn queries_share_the_topic_through_which_their_rows_move_and_the_last_one_takes_it_along() {
    let Some(mut broker) = broker("stages") else { return };
    let rest = Rest::new(broker.http());
    rest.run(SOURCE);
    rest.run("CREATE TABLE one AS SELECT g, COUNT(*) AS c FROM src GROUP BY g;
              CREATE TABLE two AS SELECT g, COUNT(*) AS c FROM src GROUP BY g HAVING COUNT(*) > 1;");
    assert_eq!(moving(&rest).len(), 1, "{:?}", topics(&rest));
    insert(&rest, ROWS);
    expect(&rest, "SELECT g, c FROM one;", &[("x", 3), ("y", 2), ("z", 1)]);
    expect(&rest, "SELECT g, c FROM two;", &[("x", 3), ("y", 2)]);
    rest.run("DROP TABLE one;");
    insert(&rest, &[("f", "z")]);
    expect(&rest, "SELECT g, c FROM two;", &[("x", 3), ("y", 2), ("z", 2)]);
    broker.kill();
    broker.restart();
    insert(&rest, &[("a", "z")]);
    expect(&rest, "SELECT g, c FROM two;", &[("x", 3), ("y", 2), ("z", 3)]);
    // A key that never held is no change, not even a tombstone: the count of one is not told, as in ksqlDB's own case "table having".
    assert_eq!(read_all(&broker.kafka(), "TWO", 3).iter().filter(|record| record.key == "z").count(), 2, "each change once, and none before HAVING holds");
    rest.run("DROP TABLE two;");
    assert_eq!(moving(&rest), Vec::<String>::new());
    assert_eq!(folders(broker.data()), Vec::<String>::new());
}

#[test]
fn a_single_task_is_asked_for_by_a_property() {
    let Some(broker) = broker("single") else { return };
    let rest = Rest::new(broker.http());
    rest.run(SOURCE);
    rest.run("SET 'views.query.tasks'='single'; CREATE TABLE one AS SELECT g, COUNT(*) AS c FROM src GROUP BY g;");
    assert_eq!(moving(&rest), Vec::<String>::new());
    insert(&rest, ROWS);
    expect(&rest, "SELECT g, c FROM one;", &[("x", 3), ("y", 2), ("z", 1)]);
}

#[test]
fn a_foreign_key_is_followed_to_its_partition_and_back() {
    let Some(mut broker) = broker("foreign-key") else { return };
    let rest = Rest::new(broker.http());
    rest.run(
        "CREATE TABLE orders (id VARCHAR PRIMARY KEY, owner VARCHAR) WITH (kafka_topic='orders', partitions=4, value_format='JSON');
         CREATE TABLE owners (id INT PRIMARY KEY, n BIGINT) WITH (kafka_topic='owners', partitions=2, value_format='JSON');
         CREATE TABLE named AS SELECT o.id AS id, w.n AS n FROM orders o JOIN owners w ON CAST(o.owner AS INT) = w.id;
         CREATE TABLE few AS SELECT o.id AS id, w.n AS n FROM orders o JOIN owners w ON CAST(o.owner AS INT) = w.id WHERE w.n > 20;
         CREATE TABLE per_n AS SELECT CAST(w.n AS VARCHAR) AS n, COUNT(*) AS c FROM orders o JOIN owners w ON CAST(o.owner AS INT) = w.id GROUP BY CAST(w.n AS VARCHAR);",
    );
    let partitions = |broker: &Broker, part: &str| {
        let topic = moving(&rest).into_iter().find(|name| name.contains(part)).unwrap_or_else(|| panic!("no {part} in {:?}", topics(&rest)));
        let client: AdminClient<DefaultClientContext> = config(&broker.kafka()).create().expect("librdkafka takes this configuration");
        let known = client.inner().fetch_metadata(Some(&topic), SOON).expect("the broker answers");
        known.topics()[0].partitions().len()
    };
    // As many as the side with more of them has.
    let all = ["REGISTRATION", "RIGHT", "RESPONSE"].map(|part| partitions(&broker, part));
    assert_eq!(all, [4, 4, 4], "{:?}", moving(&rest));
    let order = |id: &str, owner: &str| format!("INSERT INTO orders (id, owner) VALUES ('{id}', '{owner}');");
    let orders: String = ["a", "b", "c", "d", "e", "f", "g", "h"].iter().zip(0..).map(|(id, at)| order(id, &(at % 4).to_string())).collect();
    rest.run(&orders);
    rest.run("INSERT INTO owners (id, n) VALUES (0, 10); INSERT INTO owners (id, n) VALUES (1, 20); INSERT INTO owners (id, n) VALUES (2, 30);");
    expect(&rest, "SELECT id, n FROM named;", &[("a", 10), ("b", 20), ("c", 30), ("e", 10), ("f", 20), ("g", 30)]);
    expect(&rest, "SELECT id, n FROM few;", &[("c", 30), ("g", 30)]);
    expect(&rest, "SELECT n, c FROM per_n;", &[("10", 2), ("20", 2), ("30", 2)]);
    broker.kill();
    broker.restart();
    // One moves to another owner, one to an owner who is not there, and an owner changes.
    rest.run(&[order("a", "2"), order("b", "3"), "INSERT INTO owners (id, n) VALUES (1, 40);".to_owned()].concat());
    expect(&rest, "SELECT id, n FROM named;", &[("a", 30), ("c", 30), ("e", 10), ("f", 40), ("g", 30)]);
    expect(&rest, "SELECT id, n FROM few;", &[("a", 30), ("c", 30), ("f", 40), ("g", 30)]);
    expect(&rest, "SELECT n, c FROM per_n;", &[("10", 1), ("20", 0), ("30", 3), ("40", 1)]);
    rest.run("DROP TABLE per_n; DROP TABLE few; DROP TABLE named;");
    assert_eq!(moving(&rest), Vec::<String>::new());
}

#[test]
fn new_partitions_are_followed_without_a_restart() {
    let Some(mut broker) = broker("partitions") else { return };
    let rest = Rest::new(broker.http());
    rest.run(SOURCE);
    rest.run("CREATE TABLE by_group AS SELECT g, COUNT(*) AS c FROM src GROUP BY g;
              CREATE TABLE by_key AS SELECT k, COUNT(*) AS c FROM src GROUP BY k;
              CREATE STREAM plain AS SELECT k, g FROM src;");
    insert(&rest, ROWS);
    expect(&rest, "SELECT g, c FROM by_group;", &[("x", 3), ("y", 2), ("z", 1)]);
    grow(&broker.kafka(), "src", 8);
    let keys: Vec<String> = (0..40).map(|number| format!("n{number}")).collect();
    let more: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "new")).collect();
    insert(&rest, &more);
    expect(&rest, "SELECT g, c FROM by_group;", &[("new", 40), ("x", 3), ("y", 2), ("z", 1)]);
    let all: Vec<(&str, i64)> = ROWS.iter().map(|(key, _)| (*key, 1)).chain(keys.iter().map(|key| (key.as_str(), 1))).collect();
    expect(&rest, "SELECT k, c FROM by_key;", &all);
    // The sink may grow as well, and what was written is not written again.
    grow(&broker.kafka(), "PLAIN", 5);
    broker.kill();
    broker.restart();
    insert(&rest, &[("last", "new")]);
    expect(&rest, "SELECT g, c FROM by_group;", &[("new", 41), ("x", 3), ("y", 2), ("z", 1)]);
    let plain = wait_for("all of PLAIN", SOON, || Some(read_all(&broker.kafka(), "PLAIN", 5)).filter(|records| records.len() >= 47));
    assert_eq!(plain.len(), 47);
}

fn grow(address: &str, topic: &str, partitions: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let admin: AdminClient<DefaultClientContext> = config(address).create().expect("librdkafka takes this configuration");
    let answer = runtime.block_on(async { admin.create_partitions(&[NewPartitions::new(topic, partitions)], &AdminOptions::new()).await });
    assert!(answer.as_ref().is_ok_and(|all| all.iter().all(Result::is_ok)), "{answer:?}");
}

#[test]
fn a_replaced_query_goes_on_where_it_was_and_repeats_nothing() {
    let Some(mut broker) = broker("replace") else { return };
    let rest = Rest::new(broker.http());
    rest.run(SOURCE);
    rest.run("CREATE STREAM plain AS SELECT k, g FROM src; CREATE TABLE counted AS SELECT g, COUNT(*) AS c FROM src GROUP BY g;");
    insert(&rest, ROWS);
    expect(&rest, "SELECT g, c FROM counted;", &[("x", 3), ("y", 2), ("z", 1)]);
    wait_for("all of PLAIN", SOON, || Some(read_all(&broker.kafka(), "PLAIN", 3)).filter(|records| records.len() == 6));
    rest.run("CREATE OR REPLACE STREAM plain AS SELECT k, g FROM src WHERE g <> 'y';
              CREATE OR REPLACE TABLE counted AS SELECT g, COUNT(*) AS c FROM src WHERE g <> 'y' GROUP BY g;");
    // Before the new queries have written anything of their own.
    broker.kill();
    broker.restart();
    insert(&rest, ROWS);
    expect(&rest, "SELECT g, c FROM counted;", &[("x", 6), ("y", 2), ("z", 2)]);
    let plain = wait_for("the rest of PLAIN", SOON, || Some(read_all(&broker.kafka(), "PLAIN", 3)).filter(|records| records.len() >= 10));
    assert_eq!(plain.len(), 10, "{plain:?}");
    let changes = read_all(&broker.kafka(), "COUNTED", 3);
    assert_eq!(changes.len(), 10, "{changes:?}");
    assert_eq!(moving(&rest).len(), 1, "the old stage is gone");
    assert_eq!(folders(broker.data()).len(), 3, "two queries and one stage: {:?}", folders(broker.data()));
    // Rows that are made from their groups have no chance of their own to go on with.
    let body = json!({ "ksql": "CREATE OR REPLACE TABLE counted AS SELECT g, COUNT(*) AS c, RANDOM() AS r FROM src GROUP BY g;" });
    let refused = rest.post("/ksql", &body).expect_err("a column that asks for chance");
    assert!(refused.contains("not upgradeable") && refused.contains("chance"), "{refused}");
    expect(&rest, "SELECT g, c FROM counted;", &[("x", 6), ("y", 2), ("z", 2)]);
}

#[test]
fn a_query_that_cannot_go_on_says_so_and_the_others_run() {
    let Some(broker) = broker("trouble") else { return };
    let rest = Rest::new(broker.http());
    rest.run(SOURCE);
    rest.run("CREATE STREAM other (k VARCHAR KEY, g VARCHAR) WITH (kafka_topic='other', partitions=2, value_format='JSON');
              CREATE TABLE lost AS SELECT g, COUNT(*) AS c FROM other GROUP BY g;
              CREATE TABLE kept AS SELECT g, COUNT(*) AS c FROM src GROUP BY g;");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let admin: AdminClient<DefaultClientContext> = config(&broker.kafka()).create().expect("librdkafka takes this configuration");
    let gone = runtime.block_on(async { admin.delete_topics(&["other"], &AdminOptions::new()).await });
    assert!(gone.is_ok_and(|all| all.iter().all(Result::is_ok)));
    let state = |sink: &str| {
        let answer = rest.run("SHOW QUERIES;");
        let queries = answer[0]["queries"].as_array().cloned().unwrap_or_default();
        let query = queries.into_iter().find(|query| query["sinks"][0] == *sink).unwrap_or_default();
        (query["state"].as_str().unwrap_or_default().to_owned(), query["id"].as_str().unwrap_or_default().to_owned())
    };
    let (_, id) = wait_for("the query over the topic that went", SOON, || Some(state("LOST")).filter(|(state, _)| state == "ERROR:1"));
    let explained = rest.run(&format!("EXPLAIN {id};"));
    let error = &explained[0]["queryDescription"]["queryErrors"][0]["errorMessage"];
    assert!(error.as_str().is_some_and(|text| !text.is_empty()), "{explained}");
    insert(&rest, ROWS);
    expect(&rest, "SELECT g, c FROM kept;", &[("x", 3), ("y", 2), ("z", 1)]);
    assert_eq!(state("KEPT").0, "RUNNING:1");
}

#[test]
fn what_could_not_be_read_is_a_stream_of_its_own() {
    let options = Broker::options()
        .named("processing-log")
        .set("ksql.logging.processing.topic.auto.create", true)
        .set("ksql.logging.processing.stream.auto.create", true)
        .ready_within(Duration::from_secs(60));
    let Some(broker) = Peer::ours(options) else { return };
    let rest = Rest::new(broker.http());
    rest.run("CREATE STREAM raw (v VARCHAR) WITH (kafka_topic='raw', partitions=1, value_format='KAFKA');
              CREATE STREAM src (k VARCHAR KEY, n BIGINT) WITH (kafka_topic='raw', value_format='JSON');
              CREATE STREAM plain AS SELECT k, n FROM src;
              INSERT INTO raw (v) VALUES ('not json');");
    let entries = wait_for("an entry of the log", SOON, || {
        Some(read_all(&broker.kafka(), "default_ksql_processing_log", 1)).filter(|records| !records.is_empty())
    });
    let entry: Value = serde_json::from_str(&entries[0].value).expect("JSON");
    assert_eq!(entry["message"]["type"], 0, "{entry}");
    assert!(entry["logger"].as_str().is_some_and(|logger| logger.starts_with("processing.CSAS_PLAIN_")), "{entry}");
    let row = wait_for("the log as a stream", SOON, || {
        let rows = rest.pull("SELECT message->type, message->deserializationError->errorMessage FROM KSQL_PROCESSING_LOG;").ok()?;
        rows.into_iter().next()
    });
    assert_eq!(row[0], 0);
    assert!(row[1].as_str().is_some_and(|text| !text.is_empty()), "{row:?}");
}

/// As librdkafka's usual partitioner puts them: elsewhere than Java's, and than we.
#[test]
fn a_table_that_another_partitioner_wrote_is_told_of_where_moved_rows_miss_it_and_found_by_foreign_keys() {
    let Some(broker) = broker("astray") else { return };
    let rest = Rest::new(broker.http());
    rest.run(
        "CREATE STREAM clicks (id VARCHAR KEY, who VARCHAR) WITH (kafka_topic='clicks', partitions=3, value_format='JSON');
         CREATE TABLE pages (id VARCHAR PRIMARY KEY, who VARCHAR) WITH (kafka_topic='pages', partitions=3, value_format='JSON');
         CREATE TABLE users (id VARCHAR PRIMARY KEY, n BIGINT) WITH (kafka_topic='users', partitions=3, value_format='JSON');
         CREATE STREAM moved AS SELECT c.who AS who, u.n AS n FROM clicks c JOIN users u ON c.who = u.id;
         CREATE TABLE named AS SELECT p.id AS id, u.n AS n FROM pages p JOIN users u ON p.who = u.id;",
    );
    let producer: ThreadedProducer<DefaultProducerContext> = config(&broker.kafka()).create().expect("librdkafka takes this configuration");
    let users = ["a", "b", "c", "d", "e", "f"];
    for user in users {
        producer.send(BaseRecord::to("users").key(user).payload(r#"{"n": 7}"#)).expect("it is sent");
    }
    producer.flush(SOON).expect("all are acknowledged");
    let pages: Vec<String> = users.iter().map(|user| format!("INSERT INTO pages (id, who) VALUES ('{user}', '{user}');")).collect();
    rest.run(&pages.concat());
    expect(&rest, "SELECT id, n FROM named;", &users.map(|user| (user, 7)));
    wait_for("a word of what moved rows will miss", SOON, || broker.log().contains("partitioner=murmur2_random").then_some(()));
    let told = broker.log().lines().filter(|line| line.contains("partitioner=murmur2_random")).map(str::to_owned).collect::<Vec<_>>();
    assert!(told.len() <= 3 && told.iter().all(|line| line.contains("CSAS_MOVED_")), "once for each partition, and not of the foreign key: {told:?}");
}

#[test]
fn retention_leaves_what_a_paused_query_has_not_read() {
    let options = Broker::options()
        .named("held")
        .set("log.initial.task.delay.ms", 2000)
        .set("log.retention.check.interval.ms", 100)
        .ready_within(Duration::from_secs(60));
    let Some(mut broker) = Peer::ours(options) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let admin: AdminClient<DefaultClientContext> = config(&broker.kafka()).create().expect("librdkafka takes this configuration");
    let topic = NewTopic::new("src", 1, TopicReplication::Fixed(1)).set("retention.ms", "1").set("segment.ms", "20");
    let made = runtime.block_on(async { admin.create_topics(&[topic], &AdminOptions::new()).await });
    assert!(made.is_ok_and(|all| all.iter().all(Result::is_ok)));
    let rest = Rest::new(broker.http());
    rest.run("CREATE STREAM src (k VARCHAR KEY, g VARCHAR) WITH (kafka_topic='src', value_format='JSON');
              CREATE TABLE counted AS SELECT g, COUNT(*) AS c FROM src GROUP BY g;
              PAUSE ALL;");
    for row in ROWS {
        insert(&rest, &[*row]);
        std::thread::sleep(Duration::from_millis(60));
    }
    // After a start as well, before the query is anywhere.
    broker.kill();
    broker.restart();
    std::thread::sleep(Duration::from_secs(4));
    rest.run("RESUME ALL;");
    expect(&rest, "SELECT g, c FROM counted;", &[("x", 3), ("y", 2), ("z", 1)]);
    rest.run("DROP TABLE counted;");
    wait_for("retention, once nobody needs the records", SOON, || Some(read_all(&broker.kafka(), "src", 1)).filter(|records| records.len() < ROWS.len()));
}

/// A crash right behind DROP: the statement is in the list, and everything of the query still lies there.
#[test]
fn what_a_drop_could_not_remove_goes_at_the_next_start() {
    let Some(mut broker) = broker("leftovers") else { return };
    let rest = Rest::new(broker.http());
    rest.run(SOURCE);
    rest.run("CREATE TABLE users (k VARCHAR PRIMARY KEY, v BIGINT) WITH (kafka_topic='users', partitions=3, value_format='JSON');
              CREATE TABLE one AS SELECT g, COUNT(*) AS c FROM src GROUP BY g;
              CREATE STREAM joined AS SELECT src.k AS k, g, v FROM src LEFT JOIN users ON src.k = users.k;");
    let (states, internal) = wait_for("three states and four internal topics", SOON, || {
        let (states, mut internal) = (folders(broker.data()), moving(&rest));
        internal.extend(topics(&rest).into_iter().filter(|name| name.starts_with("_millrace_schedule_")));
        Some((states, internal)).filter(|(states, internal)| (states.len(), internal.len()) == (3, 4))
    });
    rest.run("DROP TABLE one; DROP STREAM joined;");
    assert_eq!(folders(broker.data()), Vec::<String>::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let admin: AdminClient<DefaultClientContext> = config(&broker.kafka()).create().expect("librdkafka takes this configuration");
    let again: Vec<NewTopic<'_>> = internal.iter().map(|name| NewTopic::new(name, 1, TopicReplication::Fixed(1))).collect();
    let made = runtime.block_on(async { admin.create_topics(&again, &AdminOptions::new()).await });
    assert!(made.is_ok_and(|all| all.iter().all(Result::is_ok)));
    broker.kill();
    for state in states.iter().map(String::as_str).chain(["SOMETHING_ELSE"]) {
        std::fs::create_dir_all(broker.data().join("views").join(state).join("0")).expect("a folder");
    }
    broker.restart();
    wait_for("leftovers to go", SOON, || Some(()).filter(|()| folders(broker.data()) == ["SOMETHING_ELSE"]));
    let left: Vec<String> = topics(&rest).into_iter().filter(|name| internal.contains(name)).collect();
    assert_eq!(left, Vec::<String>::new());
}
