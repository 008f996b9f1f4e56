//! The views that a seed may declare, each with what must hold of its rows and of its sink.
use std::collections::BTreeMap;

use crate::Event;
use crate::checks::{
    check_each_once, check_join_log, check_pairs_log, check_sessions_log, check_totals_log, expect, live_windows, pairs, sessions, totals, versions,
};
use crate::orders::{check_limited_log, limited};

/// What a chain of queries adds, so that what comes through it can be told from what comes at once.
const CHAINED: i64 = 1_000_000_000;

const GAP_MS: i64 = 3_000;

/// Declared in this order; a name stands for the source, its topic, and its place among the logs.
pub const SOURCES: &[(&str, &str)] = &[
    ("SRC", "CREATE STREAM src (k VARCHAR KEY, n BIGINT, g VARCHAR) WITH (kafka_topic='SRC', partitions=$P, value_format='JSON');"),
    ("USERS", "CREATE TABLE users (k VARCHAR PRIMARY KEY, version BIGINT) WITH (kafka_topic='USERS', partitions=$P, value_format='JSON');"),
    ("ORDERS", "CREATE TABLE orders (k VARCHAR PRIMARY KEY, n BIGINT, owner VARCHAR) WITH (kafka_topic='ORDERS', partitions=$P, value_format='JSON');"),
    ("LIMITS", "CREATE TABLE limits (k VARCHAR PRIMARY KEY, cap BIGINT) WITH (kafka_topic='LIMITS', partitions=$P, value_format='JSON');"),
];

pub struct View {
    pub name: &'static str,
    pub sql: &'static str,
    /// What it reads, when that is another view.
    pub needs: Option<&'static str>,
    /// For tables: the rows as text key and numbers.
    pub pull: Option<&'static str>,
    rows: fn(&Logs, &Cut) -> Option<Rows>,
    log: fn(&Logs, &[Event], bool) -> Result<(), String>,
}

/// Next offset by topic and partition.
pub type Cut = BTreeMap<(String, usize), i64>;

pub type Rows = BTreeMap<String, Vec<i64>>;

/// All records of all topics, by name.
pub type Logs = BTreeMap<String, Vec<Event>>;

impl View {
    /// The rows at a cut; `None` where the cut is told in positions of topics that no user made.
    pub fn rows(&self, logs: &Logs, cut: &Cut) -> Option<Rows> {
        (self.rows)(logs, cut)
    }

    /// Whether its sink is the changelog of a count and a sum.
    pub fn counts(&self) -> bool {
        matches!(self.name, "BY_KEY" | "BY_GROUP" | "PER_VERSION" | "PAYERS")
    }

    /// Rows of such a table, whatever their cut, are what the sink says or has not come to say yet.
    pub fn check_told(&self, logs: &Logs, rows: &Rows) -> Result<(), String> {
        let sink = logs.get(self.name).filter(|_| self.counts()).map_or(&[][..], Vec::as_slice);
        let keyed_by_number = matches!(self.name, "PER_VERSION" | "PAYERS");
        let keyed = sink.iter().cloned().map(|event| if keyed_by_number { with_text_key(event) } else { event });
        let told: BTreeMap<(String, i64), i64> = keyed.filter_map(|event| Some(((event.key_text()?, event.integer("C")?), event.integer("S")?))).collect();
        for (key, row) in rows {
            let [count, sum] = row[..] else { continue };
            match told.get(&(key.clone(), count)) {
                Some(said) if *said != sum => return Err(format!("{key} of {} had {count} records of {sum} in all, and its sink says {said}", self.name)),
                _ => {}
            }
        }
        Ok(())
    }

    pub fn check_log(&self, logs: &Logs, complete: bool) -> Result<(), String> {
        let sink = logs.get(self.name).map_or(&[][..], Vec::as_slice);
        (self.log)(logs, sink, complete).map_err(|error| format!("the sink {}: {error}", self.name))
    }
}

fn key(event: &Event) -> Option<String> {
    event.key_text()
}

fn group(event: &Event) -> Option<String> {
    event.text("G")
}

fn version(event: &Event) -> Option<String> {
    event.integer("VERSION").map(|version| version.to_string())
}

/// The records of a topic before the cut.
fn before<'a>(logs: &'a Logs, topic: &'a str, cut: &'a Cut) -> Option<impl Iterator<Item = &'a Event>> {
    let events = logs.get(topic)?;
    cut.keys().any(|(named, _)| named == topic).then(|| {
        events.iter().filter(move |event| cut.get(&(topic.to_owned(), event.partition)).is_some_and(|next| event.offset < *next))
    })
}

fn source(logs: &Logs) -> &[Event] {
    logs.get("SRC").map_or(&[], Vec::as_slice)
}

fn numbers(sink: &[Event], key: fn(&Event) -> Option<String>) -> impl Iterator<Item = (String, i64)> {
    sink.iter().map(move |event| (key(event).unwrap_or_default(), event.integer("N").unwrap_or(i64::MIN)))
}

fn no_rows(_: &Logs, _: &Cut) -> Option<Rows> {
    None
}

pub const VIEWS: &[View] = &[
    View {
        name: "BY_KEY",
        sql: "CREATE TABLE by_key AS SELECT k, COUNT(*) AS c, SUM(n) AS s FROM src GROUP BY k;",
        needs: None,
        pull: Some("SELECT k, c, s FROM by_key;"),
        rows: |logs, cut| Some(totals(before(logs, "SRC", cut)?, "N", key)),
        log: |logs, sink, complete| check_totals_log(sink, expect(source(logs), "N", key), complete),
    },
    View {
        name: "BY_GROUP",
        sql: "CREATE TABLE by_group AS SELECT g, COUNT(*) AS c, SUM(n) AS s FROM src GROUP BY g;",
        needs: None,
        pull: Some("SELECT g, c, s FROM by_group;"),
        rows: |logs, cut| Some(totals(before(logs, "SRC", cut)?, "N", group)),
        log: |logs, sink, complete| check_totals_log(sink, expect(source(logs), "N", group), complete),
    },
    View {
        name: "PLAIN",
        sql: "CREATE STREAM plain AS SELECT k, n, g FROM src;",
        needs: None,
        pull: None,
        rows: no_rows,
        log: |logs, sink, complete| {
            let all = |event: &Event| Some(key(event).unwrap_or_default());
            check_each_once(numbers(sink, key), expect(source(logs), "N", all), complete)
        },
    },
    View {
        name: "MOVED",
        sql: "CREATE STREAM moved AS SELECT g, k AS k, n FROM src PARTITION BY g;",
        needs: None,
        pull: None,
        rows: no_rows,
        log: |logs, sink, complete| check_each_once(numbers(sink, key), expect(source(logs), "N", group), complete),
    },
    View {
        name: "JOINED",
        sql: "CREATE STREAM joined AS SELECT src.k AS k, src.n AS n, users.version AS version FROM src LEFT JOIN users ON src.k = users.k;",
        needs: None,
        pull: None,
        rows: no_rows,
        log: |logs, sink, complete| {
            let keyed: Vec<Event> = sink.iter().filter(|event| event.key.is_some()).cloned().collect();
            check_each_once(numbers(&keyed, key), expect(source(logs), "N", key), complete)?;
            check_join_log(&keyed, "VERSION", &versions(logs.get("USERS").map_or(&[], Vec::as_slice), "VERSION"))
        },
    },
    View {
        name: "PAIRED",
        sql: "CREATE TABLE paired AS SELECT users.k AS k, users.version AS version, limits.cap AS cap FROM users JOIN limits ON users.k = limits.k;",
        needs: None,
        pull: Some("SELECT k, version, cap FROM paired;"),
        rows: |logs, cut| Some(pairs(before(logs, "USERS", cut)?, before(logs, "LIMITS", cut)?)),
        log: |logs, sink, complete| {
            let side = |topic: &str, number| versions(logs.get(topic).map_or(&[], Vec::as_slice), number);
            check_pairs_log(sink, &side("USERS", "VERSION"), &side("LIMITS", "CAP"), complete)
        },
    },
    View {
        name: "LIMITED",
        sql: "CREATE TABLE limited AS SELECT orders.k AS k, orders.n AS n, limits.cap AS cap FROM orders JOIN limits ON orders.owner = limits.k;",
        needs: None,
        pull: Some("SELECT k, n, cap FROM limited;"),
        rows: |logs, cut| Some(limited(before(logs, "ORDERS", cut)?, before(logs, "LIMITS", cut)?)),
        log: |logs, sink, complete| {
            let side = |topic: &str| logs.get(topic).map_or(&[][..], Vec::as_slice);
            check_limited_log(sink, side("ORDERS"), side("LIMITS"), complete)
        },
    },
    View {
        name: "SESSIONS",
        sql: "CREATE TABLE sessions AS SELECT k, COUNT(*) AS c FROM src WINDOW SESSION (3 SECONDS) GROUP BY k;",
        needs: None,
        pull: Some("SELECT k, windowstart, windowend, c FROM sessions;"),
        rows: |logs, cut| Some(sessions(before(logs, "SRC", cut)?, GAP_MS)),
        log: |logs, sink, complete| check_sessions_log(sink, source(logs), GAP_MS, complete),
    },
    View {
        name: "PER_VERSION",
        sql: "CREATE TABLE per_version AS SELECT version, COUNT(*) AS c, SUM(n) AS s FROM joined GROUP BY version;",
        needs: Some("JOINED"),
        pull: Some("SELECT CAST(version AS VARCHAR), c, s FROM per_version;"),
        rows: |logs, cut| Some(totals(before(logs, "JOINED", cut)?, "N", version)),
        log: |logs, sink, complete| {
            let joined = logs.get("JOINED").map_or(&[][..], Vec::as_slice);
            let texts: Vec<Event> = sink.iter().cloned().map(with_text_key).collect();
            check_totals_log(&texts, expect(joined, "N", version), complete)
        },
    },
    View {
        name: "PAYERS",
        // With BY_GROUP a ledger: each record is a transfer of N from one account of this table to one of that.
        sql: "CREATE TABLE payers AS SELECT n % 7 AS payer, COUNT(*) AS c, SUM(n) AS s FROM src GROUP BY n % 7;",
        needs: None,
        pull: Some("SELECT CAST(payer AS VARCHAR), c, s FROM payers;"),
        rows: |logs, cut| Some(totals(before(logs, "SRC", cut)?, "N", payer)),
        log: |logs, sink, complete| {
            let texts: Vec<Event> = sink.iter().cloned().map(with_text_key).collect();
            check_totals_log(&texts, expect(source(logs), "N", payer), complete)
        },
    },
    View {
        name: "THREE",
        sql: "CREATE STREAM three AS SELECT src.k AS k, src.n AS n, users.version AS version, limits.cap AS cap \
              FROM src LEFT JOIN users ON src.k = users.k LEFT JOIN limits ON src.k = limits.k;",
        needs: None,
        pull: None,
        rows: no_rows,
        log: |logs, sink, complete| {
            let keyed: Vec<Event> = sink.iter().filter(|event| event.key.is_some()).cloned().collect();
            check_each_once(numbers(&keyed, key), expect(source(logs), "N", key), complete)?;
            let side = |topic: &str, number| versions(logs.get(topic).map_or(&[], Vec::as_slice), number);
            check_join_log(&keyed, "VERSION", &side("USERS", "VERSION"))?;
            check_join_log(&keyed, "CAP", &side("LIMITS", "CAP"))
        },
    },
    View {
        name: "FED",
        // Two queries write it, and one of them reads what another one writes.
        sql: "CREATE STREAM fed AS SELECT k, n, g FROM src; INSERT INTO fed SELECT k, n + 1000000000 AS n, g FROM plain;",
        needs: Some("PLAIN"),
        pull: None,
        rows: no_rows,
        log: |logs, sink, complete| {
            let all = |event: &Event| Some(key(event).unwrap_or_default());
            let (by_chain, direct): (Vec<_>, Vec<_>) = numbers(sink, key).partition(|(_, number)| *number >= CHAINED);
            check_each_once(direct.into_iter(), expect(source(logs), "N", all), complete)?;
            check_each_once(by_chain.into_iter().map(|(key, number)| (key, number - CHAINED)), expect(source(logs), "N", all), complete)
        },
    },
];

/// Its windows go when they are past their retention, which event time comes to where it runs for minutes: in the simulator. Each
/// partition of the source must be a task, whose own records are its time.
pub const EXPIRING: View = View {
    name: "EXPIRING",
    sql: "CREATE TABLE expiring AS SELECT k, COUNT(*) AS c, SUM(n) AS s FROM src \
          WINDOW TUMBLING (SIZE 2 SECONDS, RETENTION 30 SECONDS, GRACE PERIOD 10 SECONDS) GROUP BY k;",
    needs: None,
    pull: Some("SELECT k, windowstart, windowend, c FROM expiring;"),
    rows: |logs, cut| Some(live_windows(before(logs, "SRC", cut)?, 2_000, 30_000, 60_000)),
    log: |logs, sink, complete| {
        let keyed: Result<Vec<Event>, String> = sink.iter().cloned().map(with_window_key).collect();
        let window = |event: &Event| Some(format!("{} {}", key(event)?, event.timestamp / 2_000 * 2_000));
        check_totals_log(&keyed?, expect(source(logs), "N", window), complete)
    },
};

/// Of the two tables that are a ledger: what was paid in is what was paid out, wherever both are read at one cut.
pub const LEDGER: [&str; 2] = ["BY_GROUP", "PAYERS"];

fn payer(event: &Event) -> Option<String> {
    event.integer("N").map(|number| (number % 7).to_string())
}

/// A BIGINT key is eight bytes.
fn with_text_key(mut event: Event) -> Event {
    let number = event.key.as_deref().and_then(|key| key.try_into().ok()).map(i64::from_be_bytes);
    event.key = number.map(|number| number.to_string().into_bytes());
    event
}

/// A window's key in a topic, as Kafka Streams writes it: the key, then the start. Here: both as text.
fn with_window_key(mut event: Event) -> Result<Event, String> {
    let bytes = event.key.take().unwrap_or_default();
    let (text, start) = bytes.split_last_chunk::<8>().ok_or_else(|| format!("no window in {event:?}"))?;
    event.key = Some(format!("{} {}", String::from_utf8_lossy(text), i64::from_be_bytes(*start)).into_bytes());
    Ok(event)
}
