//! A query cut into stages, with as many tasks as there are partitions, gives each key the same rows as one task over all.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use millrace_engine::state::MemoryStore;
use millrace_engine::{InputRecord, OutputRecord, Query, StageInputs, Task, crossings, inputs_of};
use millrace_sql::plan::PersistentPlan;
use proptest::prelude::*;

use common::plan;

const SOURCES: &str = "
    CREATE STREAM S (K INT KEY, V BIGINT, W BIGINT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON');
    CREATE TABLE T (K INT PRIMARY KEY, V BIGINT, W BIGINT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');
    CREATE TABLE U (K INT PRIMARY KEY, V BIGINT, W BIGINT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON');
";

/// Each with how many places its rows move at.
const QUERIES: &[(&str, usize)] = &[
    ("CREATE TABLE O AS SELECT V, COUNT(*) AS N, SUM(W) AS TOTAL, LATEST_BY_OFFSET(W) AS LAST FROM S GROUP BY V;", 1),
    ("CREATE TABLE O WITH (KEY_FORMAT='JSON') AS SELECT V, K, COUNT(*) AS N FROM S WHERE W > 1 GROUP BY V, K HAVING COUNT(*) > 1;", 1),
    ("CREATE TABLE O AS SELECT V, COUNT(*) AS N, SUM(W) AS TOTAL FROM T GROUP BY V;", 1),
    ("CREATE TABLE O AS SELECT K, COUNT(*) AS N FROM S GROUP BY K;", 0),
    // The record finds its place in the sink by itself.
    ("CREATE STREAM O AS SELECT V, K, W FROM S PARTITION BY V;", 0),
    // The join's other side lies in the partitions of its own key.
    ("CREATE STREAM O AS SELECT T.K, S.K, S.W, T.W FROM S JOIN T ON CAST(S.V AS INT) = T.K;", 1),
    ("CREATE TABLE O AS SELECT T.W, COUNT(*) AS N FROM S JOIN T ON CAST(S.V AS INT) = T.K GROUP BY T.W;", 2),
    // To the right key and back.
    ("CREATE TABLE O AS SELECT U.K, U.W, T.W FROM U JOIN T ON CAST(U.V AS INT) = T.K;", 3),
    ("CREATE TABLE O AS SELECT U.K, U.W, T.W FROM U LEFT JOIN T ON CAST(U.V AS INT) = T.K WHERE T.W IS NULL OR T.W > 1;", 3),
    ("CREATE TABLE O AS SELECT T.W, COUNT(*) AS N, SUM(U.W) AS TOTAL FROM U JOIN T ON CAST(U.V AS INT) = T.K GROUP BY T.W;", 4),
];

#[derive(Clone, Debug)]
struct Input {
    table: bool,
    key: i32,
    value: Option<(Option<i64>, i64)>,
    partition: i32,
}

fn inputs() -> impl Strategy<Value = Vec<Input>> {
    let value = prop::option::weighted(0.9, (prop::option::weighted(0.9, 0..5i64), 0..4i64));
    let input = (any::<bool>(), 0..6i32, value, 0..64i32);
    prop::collection::vec(input.prop_map(|(table, key, value, partition)| Input { table, key, value, partition }), 0..60)
}

fn record(topic: &str, partition: i32, offset: i64, input: &Input) -> InputRecord {
    let text = |(v, w): &(Option<i64>, i64)| format!("{{\"V\": {}, \"W\": {w}}}", v.map_or("null".into(), |v| v.to_string()));
    InputRecord {
        topic: Arc::from(topic),
        partition,
        offset,
        timestamp: 0,
        key: Some(Bytes::copy_from_slice(&input.key.to_be_bytes())),
        value: input.value.as_ref().map(|value| Bytes::from(text(value))),
        headers: Arc::from([]),
    }
}

/// Outputs by key, each key's in order.
type Rows = BTreeMap<Option<Bytes>, Vec<Option<Bytes>>>;

fn collect(rows: &mut Rows, records: &[OutputRecord]) {
    for record in records {
        rows.entry(record.key.clone()).or_default().push(record.value.clone());
    }
}

fn one_task(plan: &Arc<PersistentPlan>, inputs: &[(String, i32, Input)]) -> Rows {
    let query = common::with_settings(|settings| Query::persistent(plan, settings));
    let mut task = Task::open(query, MemoryStore::new()).unwrap();
    let mut rows = Rows::new();
    for (at, (topic, partition, input)) in inputs.iter().enumerate() {
        collect(&mut rows, &task.feed(&record(topic, *partition, at as i64, input), 0).unwrap().records);
    }
    rows
}

/// One task for each partition and stage; every record is followed to the end before the next one comes.
struct Sharded<'a> {
    reads: Vec<StageInputs<'a>>,
    readers: Vec<usize>,
    topics: Vec<Arc<str>>,
    tasks: Vec<Vec<Task<MemoryStore>>>,
    offsets: Vec<Vec<i64>>,
    partitions: i32,
}

impl Sharded<'_> {
    fn feed(&mut self, stage: usize, record: &InputRecord, rows: &mut Rows) {
        let fed = self.tasks[stage][record.partition as usize].feed(record, 0).unwrap();
        if stage == 0 {
            return collect(rows, &fed.records);
        }
        let crossing = stage - 1;
        for moved in fed.records {
            let key = moved.key.as_deref().unwrap_or_default();
            let partition = (key.iter().fold(7u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(*byte))) % self.partitions as u32) as i32;
            let offset = &mut self.offsets[crossing][partition as usize];
            *offset += 1;
            let moved = InputRecord {
                topic: self.topics[crossing].clone(), partition, offset: *offset - 1, timestamp: 0, key: moved.key, value: moved.value, headers: moved.headers,
            };
            self.feed(self.readers[crossing], &moved, rows);
        }
    }
}

fn sharded(plan: &Arc<PersistentPlan>, inputs: &[(String, i32, Input)], partitions: i32, moves_at: usize) -> Rows {
    let found = crossings(plan).unwrap();
    assert_eq!(found.len(), moves_at);
    let topics: Vec<Arc<str>> = (0..found.len()).map(|at| Arc::from(format!("moved-{at}"))).collect();
    let moves = millrace_engine::Moves { crossings: &found, topics: &topics };
    let mut queries = vec![common::with_settings(|settings| Query::last_stage(plan, moves, settings))];
    queries.extend((0..found.len()).map(|at| common::with_settings(|settings| Query::crossing(at, moves, settings))));
    let reads: Vec<StageInputs<'_>> = std::iter::once(inputs_of(&plan.root, &found)).chain(found.iter().map(|crossing| crossing.inputs(&found))).collect();
    let reader = |at: usize| reads.iter().position(|inputs| inputs.crossings.contains(&at)).unwrap();
    let open = |query: &Arc<Query>| (0..partitions).map(|_| Task::open(query.clone(), MemoryStore::new()).unwrap()).collect();
    let mut sharded = Sharded {
        readers: (0..found.len()).map(reader).collect(),
        offsets: vec![vec![0; partitions as usize]; found.len()],
        tasks: queries.iter().map(open).collect(),
        topics: topics.clone(),
        reads,
        partitions,
    };
    let mut rows = Rows::new();
    for (at, (topic, partition, input)) in inputs.iter().enumerate() {
        let record = record(topic, *partition, at as i64, input);
        for stage in 0..sharded.reads.len() {
            if sharded.reads[stage].topics.contains(&topic.as_str()) {
                sharded.feed(stage, &record, &mut rows);
            }
        }
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_same_rows_per_key(which in 0..QUERIES.len(), inputs in inputs(), partitions in 2..5i32) {
        let (text, moves_at) = QUERIES[which];
        let plan = plan(&format!("{SOURCES}{text}"));
        // A stream's records lie anywhere unless something above counts on their key; a table's lie where the join looks.
        let keyed = |input: &Input| {
            let bytes = input.key.to_be_bytes();
            (bytes.iter().fold(7u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(*byte))) % partitions as u32) as i32
        };
        let inputs: Vec<(String, i32, Input)> = inputs
            .into_iter()
            .map(|input| match input.table || moves_at == 0 || text.contains("FROM U") {
                true => (if input.table { "t" } else { "s" }.to_string(), keyed(&input), input),
                false => ("s".to_string(), input.partition % partitions, input),
            })
            .collect();
        prop_assert_eq!(sharded(&plan, &inputs, partitions, moves_at), one_task(&plan, &inputs));
    }
}

#[test]
fn a_group_moves_by_the_key_that_it_has_in_the_sink() {
    let queries = [
        "CREATE TABLE O AS SELECT V, COUNT(*) AS N FROM S GROUP BY V;",
        "CREATE TABLE O WITH (KEY_FORMAT='JSON') AS SELECT V, K, COUNT(*) AS N FROM S GROUP BY V, K HAVING COUNT(*) > 0;",
        "CREATE TABLE O WITH (KEY_FORMAT='DELIMITED') AS SELECT W AS Y, V AS X, SUM(K) AS N FROM T GROUP BY W, V;",
        "CREATE TABLE O AS SELECT T.W, COUNT(*) AS N FROM S JOIN T ON S.K = T.K GROUP BY T.W;",
    ];
    for text in queries {
        let plan = plan(&format!("{SOURCES}{text}"));
        let found = crossings(&plan).unwrap();
        let topics: Vec<Arc<str>> = vec![Arc::from("moved")];
        let moves = millrace_engine::Moves { crossings: &found, topics: &topics };
        let mut moving = Task::open(common::with_settings(|settings| Query::crossing(0, moves, settings)), MemoryStore::new()).unwrap();
        let mut keeping = Task::open(common::with_settings(|settings| Query::last_stage(&plan, moves, settings)), MemoryStore::new()).unwrap();
        let mut kept = 0;
        for (at, table) in [(0, true), (1, false)] {
            let input = Input { table, key: 3, value: Some((Some(4), 5)), partition: 0 };
            let read = found[0].inputs(&found).topics;
            let Some(topic) = read.iter().find(|topic| **topic == if table { "t" } else { "s" }) else { continue };
            for moved in moving.feed(&record(topic, 0, at, &input), 0).unwrap().records {
                let moved = InputRecord {
                    topic: topics[0].clone(), partition: 0, offset: kept, timestamp: 0, key: moved.key, value: moved.value, headers: moved.headers,
                };
                let rows = keeping.feed(&moved, 0).unwrap().records;
                assert!(rows.iter().all(|row| row.key == moved.key), "{text}: {:?} {rows:?}", moved.key);
                kept += rows.len() as i64;
            }
        }
        assert!(kept > 0, "{text}");
    }
}
