//! Records in, records out: what is skipped and logged, what is carried along, what time a row has.

mod common;

use std::sync::Arc;

use bytes::Bytes;
use millrace_engine::state::MemoryStore;
use millrace_engine::{EngineError, Fed, Header, InputRecord, LogKind, Query, Task};

use common::{query, query_with};

fn record(key: Option<&[u8]>, value: Option<&str>, timestamp: i64) -> InputRecord {
    InputRecord {
        topic: Arc::from("s"),
        partition: 3,
        offset: 7,
        timestamp,
        key: key.map(Bytes::copy_from_slice),
        value: value.map(|value| Bytes::from(value.to_string())),
        headers: Arc::from([]),
    }
}

fn feed(query: &Arc<Query>, record: &InputRecord) -> Result<Fed, EngineError> {
    Task::open(query.clone(), MemoryStore::new()).unwrap().feed(record, 0)
}

fn values(fed: &Fed) -> Vec<Option<&str>> {
    fed.records.iter().map(|record| record.value.as_ref().map(|bytes| std::str::from_utf8(bytes).unwrap())).collect()
}

const ONE: &[u8] = &[0, 0, 0, 1];
const STREAM: &str = "CREATE STREAM S (K INT KEY, V INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON');";

#[test]
fn an_undecodable_record_is_skipped_and_logged() {
    let query = query(&format!("{STREAM} CREATE STREAM O AS SELECT * FROM S;"));
    for (key, value, target) in [(ONE, "{\"V\": true}", "value"), (ONE, "{", "value"), (&[1][..], "{}", "key")] {
        let fed = feed(&query, &record(Some(key), Some(value), 0)).unwrap();
        assert!(fed.records.is_empty());
        let [event] = &*fed.log else { panic!("one line of log, not {:?}", fed.log) };
        let LogKind::Deserialization { target: found, topic, .. } = &event.what else { panic!("{event:?}") };
        assert_eq!((*found, &**topic), (target, "s"));
    }
}

#[test]
fn a_failing_expression_is_null_and_logged() {
    let query = query(&format!("{STREAM} CREATE STREAM O AS SELECT K, V / 0 AS X, V FROM S;"));
    let fed = feed(&query, &record(Some(ONE), Some("{\"V\": 5}"), 0)).unwrap();
    assert_eq!(values(&fed), [Some("{\"X\":null,\"V\":5}")]);
    assert_eq!(fed.log.len(), 1);
}

#[test]
fn nulls_pass_projections_and_not_filters() {
    let null = record(Some(ONE), None, 0);
    let project = query(&format!("{STREAM} CREATE STREAM O AS SELECT * FROM S;"));
    assert_eq!(values(&feed(&project, &null).unwrap()), [None]);
    let filter = query(&format!("{STREAM} CREATE STREAM O AS SELECT * FROM S WHERE K = 1;"));
    assert!(feed(&filter, &null).unwrap().records.is_empty());
}

#[test]
fn pseudo_columns_and_headers_are_the_records() {
    let query = query(
        "CREATE STREAM S (K INT KEY, H BYTES HEADER('a')) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON');
         CREATE STREAM O AS SELECT K, H, ROWTIME AS T, ROWPARTITION AS P, ROWOFFSET AS N FROM S;",
    );
    let header = |key: &str, value: &'static [u8]| Header { key: Arc::from(key), value: Some(Bytes::from_static(value)) };
    let headers: Arc<[Header]> = Arc::from([header("a", &[1]), header("b", &[2]), header("a", &[3])]);
    let fed = feed(&query, &InputRecord { headers: headers.clone(), ..record(Some(ONE), Some("{}"), 12) }).unwrap();
    assert_eq!(values(&fed), [Some("{\"H\":\"Aw==\",\"T\":12,\"P\":3,\"N\":7}")]);
    assert_eq!(fed.records[0].headers, headers);
}

#[test]
fn a_timestamp_column_is_the_time_and_an_invalid_one_skips_the_row() {
    let text = "CREATE STREAM S (K INT KEY, AT STRING) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', TIMESTAMP='AT', TIMESTAMP_FORMAT='yyyy-MM-dd');
         CREATE STREAM O AS SELECT * FROM S;";
    let good = record(Some(ONE), Some("{\"AT\": \"1970-01-02\"}"), 5);
    let bad = record(Some(ONE), Some("{\"AT\": \"tomorrow\"}"), 5);
    let query = query(text);
    assert_eq!(feed(&query, &good).unwrap().records[0].timestamp, 86_400_000);
    let skipped = feed(&query, &bad).unwrap();
    assert!(skipped.records.is_empty() && !skipped.log.is_empty());
    assert!(matches!(feed(&query_with(text, true), &bad), Err(EngineError::Stopped(_))));
}

#[test]
fn a_windowed_key_goes_through_with_its_window() {
    let query = query(
        "CREATE STREAM S (K INT KEY, V INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', WINDOW_TYPE='SESSION');
         CREATE STREAM O AS SELECT K, V, WINDOWSTART AS A, WINDOWEND AS B FROM S;",
    );
    let key = [ONE, &9i64.to_be_bytes(), &5i64.to_be_bytes()].concat();
    let fed = feed(&query, &record(Some(&key), Some("{\"V\": 1}"), 9)).unwrap();
    assert_eq!(values(&fed), [Some("{\"V\":1,\"A\":5,\"B\":9}")]);
    assert_eq!(fed.records[0].key.as_deref(), Some(&*key));
}
