//! A task is a fold: wherever it is committed, killed and opened again, the same inputs give the same outputs and the same state.

mod common;

use std::sync::Arc;

use bytes::Bytes;
use millrace_engine::state::MemoryStore;
use millrace_engine::{Fed, InputRecord, Query, Task};
use proptest::prelude::*;

use common::query;

const SOURCES: &str = "
    CREATE STREAM S (K INT KEY, V BIGINT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON');
    CREATE STREAM R (K INT KEY, V BIGINT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');
    CREATE TABLE T (K INT PRIMARY KEY, V BIGINT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');
    CREATE TABLE U (K INT PRIMARY KEY, V BIGINT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON');
";

const QUERIES: &[&str] = &[
    "CREATE TABLE O AS SELECT K, COUNT(*) AS N, SUM(V) AS TOTAL FROM S GROUP BY K HAVING COUNT(*) > 1;",
    "CREATE TABLE O AS SELECT V % 3, COUNT(*) AS N, SUM(K) AS TOTAL FROM T GROUP BY V % 3;",
    "CREATE TABLE O AS SELECT K, COUNT(*) AS N FROM S WINDOW HOPPING (SIZE 10 SECONDS, ADVANCE BY 5 SECONDS, GRACE PERIOD 8 SECONDS) GROUP BY K;",
    "CREATE TABLE O AS SELECT K, COUNT(*) AS N FROM S WINDOW TUMBLING (SIZE 5 SECONDS, GRACE PERIOD 3 SECONDS) GROUP BY K EMIT FINAL;",
    "CREATE TABLE O AS SELECT K, LATEST_BY_OFFSET(V) AS LAST FROM S WINDOW SESSION (4 SECONDS, GRACE PERIOD 8 SECONDS) GROUP BY K;",
    "CREATE STREAM O AS SELECT S.K, S.V, T.V FROM S LEFT JOIN T ON S.K = T.K;",
    "CREATE STREAM O AS SELECT ROWKEY, S.V, R.V FROM S FULL OUTER JOIN R WITHIN 4 SECONDS GRACE PERIOD 2 SECONDS ON S.K = R.K;",
    "CREATE TABLE O AS SELECT U.K, U.V, T.V FROM U LEFT JOIN T ON U.K = T.K WHERE U.V > 1;",
    "CREATE TABLE O AS SELECT U.K, U.V, T.V FROM U JOIN T ON CAST(U.V AS INT) = T.K;",
    "CREATE STREAM O AS SELECT V, K, RANDOM() AS CHANCE FROM S PARTITION BY V;",
];

#[derive(Clone, Debug)]
struct Input {
    left: bool,
    key: Option<i32>,
    value: Option<i64>,
    time: i64,
}

fn inputs() -> impl Strategy<Value = Vec<Input>> {
    let input = (any::<bool>(), prop::option::weighted(0.95, 0..4i32), prop::option::weighted(0.85, 0..5i64), 0..30_000i64);
    let input = input.prop_map(|(left, key, value, time)| Input { left, key, value, time });
    prop::collection::vec(input, 0..40)
}

fn records(inputs: &[Input]) -> Vec<InputRecord> {
    let mut offsets = [0i64; 2];
    let record = |input: &Input| {
        let offset = &mut offsets[usize::from(input.left)];
        *offset += 1;
        InputRecord {
            topic: Arc::from(if input.left { "s" } else { "t" }),
            partition: 0,
            offset: *offset - 1,
            timestamp: input.time,
            key: input.key.map(|key| Bytes::copy_from_slice(&key.to_be_bytes())),
            value: input.value.map(|value| Bytes::from(format!("{{\"V\": {value}}}"))),
            headers: Arc::from([]),
        }
    };
    inputs.iter().map(record).collect()
}

fn run_through(query: &Arc<Query>, records: &[InputRecord]) -> (Vec<Fed>, MemoryStore) {
    let mut task = Task::open(query.clone(), MemoryStore::new()).unwrap();
    let fed = records.iter().map(|record| task.feed(record, 0).unwrap()).collect();
    task.commit().unwrap();
    (fed, task.into_store())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Each life of the task feeds some more records, then commits them or dies.
    #[test]
    fn any_split_gives_the_same(
        which in 0..QUERIES.len(),
        inputs in inputs(),
        lives in prop::collection::vec((0..15usize, any::<bool>()), 0..8),
    ) {
        let query = query(&format!("{SOURCES}{}", QUERIES[which]));
        let records = records(&inputs);
        let (wanted, state) = run_through(&query, &records);
        let (mut store, mut committed) = (MemoryStore::new(), 0);
        for (more, dies) in lives.into_iter().chain([(records.len(), false)]) {
            let mut task = Task::open(query.clone(), store).unwrap();
            let end = (committed + more).min(records.len());
            for (at, record) in records[..end].iter().enumerate() {
                let fed = task.feed(record, 0).unwrap();
                if at < committed {
                    prop_assert_eq!(fed, Fed::default());
                } else {
                    prop_assert_eq!(&fed, &wanted[at]);
                }
            }
            if !dies {
                task.commit().unwrap();
                committed = end;
            }
            store = task.into_store();
        }
        prop_assert_eq!(store, state);
    }
}
