//! Records per second of one task over a store in memory: `cargo run --release -p millrace-engine --example throughput`.

use std::sync::Arc;

use bytes::Bytes;
use millrace_engine::state::MemoryStore;
use millrace_engine::{InputRecord, Query, Settings, Task};
use millrace_sql::catalog::{Catalog, Effect, NoSchemas, Session, Settings as SqlSettings, Topics, decide};
use millrace_sql::functions::{FunctionSettings, Registry};
use millrace_sql::parser::{Limits, Variables, parse};

struct OnePartition;

impl Topics for OnePartition {
    fn partitions(&self, _: &str) -> Option<i32> {
        Some(1)
    }
}

const SOURCES: &str = "
    CREATE STREAM S (K BIGINT KEY, ID BIGINT, USER_NAME STRING, AMOUNT DOUBLE, CITY STRING) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON');
";

const QUERIES: &[(&str, &str)] = &[
    ("filter and project", "CREATE STREAM O AS SELECT K, ID, AMOUNT * 2 AS DOUBLED FROM S WHERE AMOUNT > 10;"),
    ("count by key", "CREATE TABLE O AS SELECT K, COUNT(*) AS N, SUM(AMOUNT) AS TOTAL FROM S GROUP BY K;"),
    ("tumbling count", "CREATE TABLE O AS SELECT K, COUNT(*) AS N FROM S WINDOW TUMBLING (SIZE 1 MINUTE, GRACE PERIOD 1 MINUTE) GROUP BY K;"),
];

const RECORDS: i64 = 400_000;
const KEYS: i64 = 1_000;
const COMMIT_EVERY: i64 = 1_000;

fn query(text: &str) -> Result<Arc<Query>, String> {
    let mut catalog = Catalog::default();
    let settings = SqlSettings::default();
    let functions = Registry::builtin();
    let mut made = None;
    for located in parse(text, &mut Variables::default(), &Limits::STANDARD).map_err(|error| error.to_string())? {
        let (topics, schemas) = (&OnePartition, &NoSchemas);
        let session = Session { catalog: &catalog, topics, schemas, settings: &settings, functions };
        let effect = decide(&session, &located).map_err(|error| error.to_string())?.effect;
        if let Effect::StartQuery { plan, .. } = &effect {
            made = Some(plan.clone());
        }
        catalog.apply(&effect);
    }
    let function_settings = FunctionSettings::default();
    let settings = Settings { functions, function_settings: &function_settings, strict_timestamps: false };
    let plan = made.ok_or("no query")?;
    Query::persistent(&plan, &settings).map(Arc::new).map_err(|error| error.to_string())
}

fn records() -> Vec<InputRecord> {
    let (topic, headers): (Arc<str>, Arc<[_]>) = (Arc::from("s"), Arc::from([]));
    let record = |offset: i64| {
        let value = format!(
            r#"{{"ID":{offset},"USER_NAME":"user-{}","AMOUNT":{}.5,"CITY":"Ljubljana","NOTE":"what no query reads, some bytes of it"}}"#,
            offset % 977,
            offset % 100
        );
        InputRecord {
            topic: topic.clone(),
            partition: 0,
            offset,
            timestamp: offset,
            key: Some(Bytes::copy_from_slice(&((offset * 7919) % KEYS).to_be_bytes())),
            value: Some(Bytes::from(value)),
            headers: headers.clone(),
        }
    };
    (0..RECORDS).map(record).collect()
}

fn main() -> Result<(), String> {
    let records = records();
    for (name, text) in QUERIES {
        let mut task = Task::open(query(&format!("{SOURCES}{text}"))?, MemoryStore::new()).map_err(|error| error.to_string())?;
        let start = std::time::Instant::now();
        let mut written = 0;
        for record in &records {
            written += task.feed(record, 0).map_err(|error| error.to_string())?.records.len();
            if record.offset % COMMIT_EVERY == COMMIT_EVERY - 1 {
                task.commit().map_err(|error| error.to_string())?;
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        println!("{name}: {:.0} records/s, {written} written", RECORDS as f64 / seconds);
    }
    Ok(())
}
