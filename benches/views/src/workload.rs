//! What is measured: the data, the query on either side, and what must come out.
use std::collections::BTreeMap;

use bytes::Bytes;
use millrace_record::partition_of_key;

pub const PARTITIONS: i32 = 2;

/// Where event time begins: yesterday, because retention goes by it; a whole ten seconds.
fn start_ms() -> i64 {
    static START: std::sync::OnceLock<i64> = std::sync::OnceLock::new();
    *START.get_or_init(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        (now - 86_400_000) / 10_000 * 10_000
    })
}

#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// As in the table of workloads.
    pub id: &'static str,
    /// As the Kafka Streams program knows it.
    pub program: &'static str,
    /// Statements, the query last.
    pub sql: &'static str,
    /// Kafka Streams' cache in bytes.
    pub cache: u64,
    /// More keys than this only fill the disk.
    pub keys_max: u64,
}

const SOURCE: &str = "CREATE STREAM src (k VARCHAR KEY, id BIGINT, amount DOUBLE, city VARCHAR) WITH (kafka_topic='input', value_format='JSON');";

/// Statements of a workload: the source first, the query last.
pub fn statements(workload: &Workload) -> Vec<String> {
    let mut statements: Vec<String> = workload.sql.split_inclusive(';').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect();
    if workload.program != "latest" {
        statements.insert(0, SOURCE.to_owned());
    }
    statements
}

pub const ALL: &[Workload] = &[
    Workload { id: "W1 filter, project", program: "pass", sql: "CREATE STREAM output AS SELECT k, id, amount FROM src WHERE amount > 10;", cache: 0, keys_max: u64::MAX },
    Workload { id: "W2 count", program: "count", sql: "CREATE TABLE output AS SELECT k, COUNT(*) AS c FROM src GROUP BY k;", cache: 0, keys_max: u64::MAX },
    Workload { id: "W2 count, Streams caches 10 MB", program: "count", sql: "CREATE TABLE output AS SELECT k, COUNT(*) AS c FROM src GROUP BY k;", cache: 10 << 20, keys_max: u64::MAX },
    Workload { id: "W3 latest", program: "latest", sql: "CREATE SOURCE TABLE output (k VARCHAR PRIMARY KEY, id BIGINT, amount DOUBLE, city VARCHAR) WITH (kafka_topic='input', value_format='JSON');", cache: 0, keys_max: u64::MAX },
    Workload { id: "W4 tumbling 10 s", program: "tumbling", sql: "CREATE TABLE output AS SELECT k, COUNT(*) AS c FROM src WINDOW TUMBLING (SIZE 10 SECONDS, GRACE PERIOD 1 DAY) GROUP BY k;", cache: 0, keys_max: u64::MAX },
    Workload { id: "W4 hopping 10 s / 1 s", program: "hopping", sql: "CREATE TABLE output AS SELECT k, COUNT(*) AS c FROM src WINDOW HOPPING (SIZE 10 SECONDS, ADVANCE BY 1 SECOND, GRACE PERIOD 1 DAY) GROUP BY k;", cache: 0, keys_max: 1_000 },
    Workload { id: "W4 session 10 s", program: "session", sql: "CREATE TABLE output AS SELECT k, COUNT(*) AS c FROM src WINDOW SESSION (10 SECONDS, GRACE PERIOD 1 DAY) GROUP BY k;", cache: 0, keys_max: u64::MAX },
    Workload {
        id: "W5 stream-table join",
        program: "join",
        sql: "CREATE TABLE users (k VARCHAR PRIMARY KEY, city VARCHAR) WITH (kafka_topic='input-users', value_format='JSON');
              CREATE STREAM output AS SELECT src.k AS k, src.id AS id, users.city AS city FROM src JOIN users ON src.k = users.k;",
        cache: 0,
        keys_max: u64::MAX,
    },
];

/// A generator of its own, so that both sides get the same records.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

pub struct Input {
    pub partition: i32,
    pub key: Bytes,
    pub value: Bytes,
    pub timestamp: i64,
}

fn key_of(number: u64) -> Bytes {
    Bytes::from(format!("user-{number:07}"))
}

fn city_of(key: u64) -> String {
    format!("city-{}", key % 911)
}

/// One per key, for the table side of a join.
pub fn users(keys: u64) -> impl Iterator<Item = Input> {
    (0..keys).map(|number| {
        let key = key_of(number);
        Input { partition: partition_of_key(&key, PARTITIONS), key, value: Bytes::from(format!("{{\"CITY\":\"{}\"}}", city_of(number))), timestamp: start_ms() - 1 }
    })
}

/// Values of about 100 bytes; times a millisecond apart.
pub fn records(count: u64, keys: u64) -> impl Iterator<Item = (u64, Input)> {
    let mut chance = Chance::new(keys);
    (0..count).map(move |id| {
        let number = chance.next() % keys;
        let key = key_of(number);
        let value = format!("{{\"ID\":{id},\"AMOUNT\":{}.5,\"CITY\":\"Ljubljana\",\"NOTE\":\"what no query reads, some bytes of it {:08}\"}}", id % 40, id % 100_000_000);
        (number, Input { partition: partition_of_key(&key, PARTITIONS), key, value: Bytes::from(value), timestamp: start_ms() + id as i64 })
    })
}

/// The last value of each key of the result, and how many records Millrace's sink gets.
pub struct Expected {
    pub rows: BTreeMap<Vec<u8>, String>,
    pub outputs: u64,
}

/// Computed from the data alone.
pub fn expected(workload: &Workload, count: u64, keys: u64) -> Expected {
    let mut numbers: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    let mut rows = BTreeMap::new();
    let mut outputs = 0;
    let mut sessions: BTreeMap<u64, (i64, i64)> = BTreeMap::new();
    let at = |key: &Bytes, start: i64| [&key[..], &start.to_be_bytes()[..]].concat();
    for (number, input) in records(count, keys) {
        let id = input.timestamp - start_ms();
        let time = input.timestamp;
        match workload.program {
            "pass" if id % 40 >= 10 => {
                outputs += 1;
                // Every record is a row of its own.
                rows.insert([&input.key[..], &id.to_be_bytes()[..]].concat(), format!("{{\"ID\":{id},\"AMOUNT\":{}.5}}", id % 40));
            }
            "pass" => {}
            "count" => {
                outputs += 1;
                *numbers.entry(input.key.to_vec()).or_insert(0) += 1;
            }
            "latest" => drop(rows.insert(input.key.to_vec(), id.to_string())),
            "tumbling" => {
                outputs += 1;
                *numbers.entry(at(&input.key, time - time % 10_000)).or_insert(0) += 1;
            }
            "hopping" => {
                for hop in 0..10 {
                    outputs += 1;
                    *numbers.entry(at(&input.key, time - time % 1_000 - hop * 1_000)).or_insert(0) += 1;
                }
            }
            "session" => {
                let (start, end) = sessions.get(&number).copied().filter(|(_, end)| time - end <= 10_000).unwrap_or((time, time));
                // The session that is replaced is deleted first.
                outputs += if end < time { 2 } else { 1 };
                sessions.insert(number, (start, time));
                *numbers.entry(at(&input.key, start)).or_insert(0) += 1;
            }
            _ => {
                outputs += 1;
                rows.insert([&input.key[..], &id.to_be_bytes()[..]].concat(), format!("{{\"ID\":{id},\"CITY\":\"{}\"}}", city_of(number)));
            }
        }
    }
    rows.extend(numbers.into_iter().map(|(key, count)| (key, format!("{{\"C\":{count}}}"))));
    Expected { rows, outputs }
}

/// Whether rows of the result are told apart by the record that caused them.
pub fn each_record_is_a_row(workload: &Workload) -> bool {
    matches!(workload.program, "pass" | "join")
}
