//! What a table's query has told last of each key can be looked up in the rows that its operators keep.

mod common;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use millrace_engine::state::{MemoryStore, Store, encode_windowed};
use millrace_engine::{Change, InputRecord, Task};
use proptest::prelude::*;

use common::query;

const SOURCES: &str = "
    CREATE STREAM S (K INT KEY, V BIGINT, D DECIMAL(6, 2), X DOUBLE, W VARCHAR) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON');
    CREATE TABLE T (K INT PRIMARY KEY, V BIGINT, D DECIMAL(6, 2), X DOUBLE, W VARCHAR) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON');
    CREATE TABLE WT (K INT PRIMARY KEY, V BIGINT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', WINDOW_TYPE='SESSION');
    CREATE TABLE U (K INT PRIMARY KEY, V BIGINT) WITH (KAFKA_TOPIC='u', VALUE_FORMAT='JSON');
";

const KEPT: &[&str] = &[
    "CREATE TABLE O AS SELECT K, COUNT(*) AS N, SUM(V) AS TOTAL FROM S GROUP BY K;",
    "CREATE TABLE O AS SELECT K, COUNT(*) * 2 AS N, AVG(V) AS MEAN FROM S GROUP BY K HAVING SUM(V) > 4;",
    "CREATE TABLE O WITH (KEY_FORMAT='JSON') AS SELECT D, X, W, AS_VALUE(W) AS W2, COLLECT_LIST(V) AS ALL_OF_IT FROM S GROUP BY D, X, W;",
    "CREATE TABLE O AS SELECT K, LATEST_BY_OFFSET(V) AS LAST, 10 / LATEST_BY_OFFSET(V) AS FAILS FROM S GROUP BY K;",
    "CREATE TABLE O AS SELECT K, COUNT(*) AS N, WINDOWSTART AS WS, SUM(V) AS TOTAL FROM S WINDOW SESSION (4 MILLISECONDS) GROUP BY K HAVING COUNT(*) < 4;",
    "CREATE TABLE O AS SELECT V, COUNT(*) AS N, SUM(K) AS TOTAL FROM T GROUP BY V HAVING COUNT(*) <> 1;",
];

const NOT_KEPT: &[&str] = &[
    "CREATE TABLE O AS SELECT K, COUNT(*) AS N, UNIX_TIMESTAMP() AS NOW FROM S GROUP BY K;",
    "CREATE TABLE O AS SELECT K, COUNT(*) AS N FROM S GROUP BY K HAVING CAST(COUNT(*) AS DOUBLE) > RANDOM();",
    "CREATE TABLE O AS SELECT K, V + 1 AS MORE, W FROM T;",
    "CREATE TABLE O AS SELECT K, COUNT(*) AS N FROM S WINDOW TUMBLING (SIZE 5 SECONDS) GROUP BY K;",
    "CREATE TABLE O AS SELECT K, COUNT(*) AS N FROM S WINDOW SESSION (5 SECONDS) GROUP BY K EMIT FINAL;",
    "CREATE TABLE O AS SELECT * FROM WT;",
    "CREATE TABLE O AS SELECT T.K, T.V, U.V FROM T JOIN U ON T.K = U.K;",
];

fn record(offset: usize, (key, value, time): (i32, Option<(i64, usize)>, i64)) -> InputRecord {
    let json = |(number, word): (i64, usize)| {
        let x = ["-0.0", "0.0", "1.5", "-2e300"][word];
        format!("{{\"V\": {number}, \"D\": {}.{word}5, \"X\": {x}, \"W\": \"{}\"}}", number - 2, ["", "a", "a\\u0000b", "ö"][word])
    };
    InputRecord {
        topic: Arc::from("s"),
        partition: 0,
        offset: offset as i64,
        timestamp: time,
        key: Some(Bytes::copy_from_slice(&key.to_be_bytes())),
        value: value.map(|value| Bytes::from(json(value))),
        headers: Arc::from([]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_was_told_last_is_found(
        which in 0..KEPT.len(),
        inputs in prop::collection::vec((0..3i32, prop::option::weighted(0.8, (0..5i64, 0..4usize)), 0..100i64), 0..30),
    ) {
        let query = query(&format!("{SOURCES}{}", KEPT[which]));
        let table = query.kept().expect("its operators keep its rows");
        let mut task = Task::open(query.clone(), MemoryStore::new()).unwrap();
        let mut told = BTreeMap::new();
        for (offset, input) in inputs.into_iter().enumerate() {
            for change in task.feed(&record(offset, input), 0).unwrap().changes {
                let key = encode_windowed(change.key.as_deref().unwrap(), change.window);
                match change.new.is_some() {
                    true => drop(told.insert(key, Change { old: None, ..change })),
                    false => drop(told.remove(&key)),
                }
            }
            task.commit().unwrap();
            let mut found = Vec::new();
            task.store().scan(table, &[], None, &mut |key, kept| {
                found.extend(query.look(key, kept).unwrap());
                ControlFlow::Continue(())
            }).unwrap();
            // In the same order too.
            prop_assert_eq!(&found, &told.values().cloned().collect::<Vec<_>>());
        }
    }
}

#[test]
fn nothing_is_looked_up_that_could_differ() {
    for text in NOT_KEPT {
        assert_eq!(query(&format!("{SOURCES}{text}")).kept(), None, "{text}");
    }
}
