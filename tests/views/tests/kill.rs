//! Subscribers and kill -9: no change lost, none repeated, each key's in order, whenever the broker dies.
//!
//! `SUBSCRIBER_ROUNDS` says how often it dies (`make kill-subscribers ROUNDS=200`), `KILL_SEED` repeats a run's pauses.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use millrace_client::views::{Row, Subscribe, Views};
use millrace_views_tests::{broker, producer, record, run, views};
use tokio::task::JoinHandle;

const KEYS: i64 = 17;
const GROUPS: i64 = 5;
/// Of the filter.
const EVERY: i64 = 7;
/// A subscriber with several lives begins a new one after so many batches.
const BATCHES_A_LIFE: u64 = 40;

const STATEMENTS: &str = "
    CREATE STREAM src (k VARCHAR KEY, n BIGINT, g VARCHAR) WITH (kafka_topic='src', partitions=3, value_format='JSON');
    CREATE TABLE by_key AS SELECT k, COUNT(*) AS c, LATEST_BY_OFFSET(n) AS n FROM src GROUP BY k;";

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(usual)
}

/// A small generator, so that a run can be repeated.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn key(number: i64) -> String {
    format!("k{}", number % KEYS)
}

/// What a subscriber must be told of each key, in order: made from the numbers alone.
struct Expected {
    name: &'static str,
    sql: &'static str,
    /// The key and the value that a row must be of.
    read: fn(&Row) -> (String, i64),
    of: fn(i64) -> BTreeMap<String, Vec<i64>>,
    lives: bool,
}

fn grouped(count: i64, keep: impl Fn(i64) -> bool, by: impl Fn(i64) -> String, value: impl Fn(&[i64], i64) -> i64) -> BTreeMap<String, Vec<i64>> {
    let mut all: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for number in (0..count).filter(|number| keep(*number)) {
        let values = all.entry(by(number)).or_default();
        values.push(value(values, number));
    }
    all
}

fn text_and(row: &Row, text: &str, number: &str) -> (String, i64) {
    (row.get(text).expect("a text"), row.get(number).expect("a number"))
}

const EXPECTED: &[Expected] = &[
    Expected {
        name: "a stream",
        sql: "SELECT k, n FROM src EMIT CHANGES;",
        read: |row| text_and(row, "K", "N"),
        of: |count| grouped(count, |_| true, key, |_, number| number),
        lives: false,
    },
    Expected {
        name: "a stream, in several lives",
        sql: "SELECT k, n FROM src EMIT CHANGES;",
        read: |row| text_and(row, "K", "N"),
        of: |count| grouped(count, |_| true, key, |_, number| number),
        lives: true,
    },
    Expected {
        name: "a filter",
        sql: "SELECT k, n FROM src WHERE n % 7 = 0 EMIT CHANGES;",
        read: |row| text_and(row, "K", "N"),
        of: |count| grouped(count, |number| number % EVERY == 0, key, |_, number| number),
        lives: false,
    },
    Expected {
        name: "a table",
        sql: "SELECT k, n FROM by_key EMIT CHANGES;",
        read: |row| text_and(row, "K", "N"),
        of: |count| grouped(count, |_| true, key, |_, number| number),
        lives: false,
    },
    Expected {
        name: "a table's counts, in several lives",
        sql: "SELECT k, c FROM by_key EMIT CHANGES;",
        read: |row| text_and(row, "K", "C"),
        of: |count| grouped(count, |_| true, key, |before, _| before.len() as i64 + 1),
        lives: true,
    },
    Expected {
        name: "an aggregation of its own",
        sql: "SELECT g, COUNT(*) AS c FROM src GROUP BY g EMIT CHANGES;",
        read: |row| text_and(row, "G", "C"),
        of: |count| grouped(count, |_| true, |number| format!("g{}", number % GROUPS), |before, _| before.len() as i64 + 1),
        lives: false,
    },
];

type Told = BTreeMap<String, Vec<i64>>;

/// Follows until everything that `count` numbers come to has been told; a count below zero is not known yet.
fn follow(views: Views, expected: &'static Expected, count: Arc<AtomicI64>) -> JoinHandle<(Told, u64)> {
    tokio::spawn(async move {
        let open = |views: &Views| -> Subscribe { views.subscribe(expected.sql).patience(Duration::from_secs(300)) };
        let mut subscription = open(&views).earliest().open().await.unwrap_or_else(|error| panic!("{}: {error}", expected.name));
        let (mut told, mut batches, mut broken, mut changes) = (Told::new(), 0, 0, 0);
        let mut wanted = usize::MAX;
        loop {
            let known = count.load(Ordering::Acquire);
            if known >= 0 && wanted == usize::MAX {
                wanted = (expected.of)(known).values().map(Vec::len).sum();
            }
            if changes >= wanted {
                // Were there more, they would come now.
                if let Ok(Ok(Some(more))) = tokio::time::timeout(Duration::from_secs(2), subscription.next()).await {
                    assert!(more.changes.is_empty(), "{}: told again: {:?}", expected.name, more.changes);
                }
                return (told, broken + subscription.resumed());
            }
            let Ok(batch) = tokio::time::timeout(Duration::from_millis(500), subscription.next()).await else { continue };
            let batch = batch.unwrap_or_else(|error| panic!("{}: {error}", expected.name)).expect("a push query goes on");
            for change in &batch.changes {
                let (key, value) = (expected.read)(&change.row);
                told.entry(key).or_default().push(value);
                changes += 1;
            }
            batches += 1;
            if expected.lives && batches % BATCHES_A_LIFE == 0 {
                // All that the next life has is the text of the cut.
                let kept: millrace_client::views::Cut = batch.cut.to_string().parse().expect("a cut is text");
                broken += subscription.resumed();
                subscription = loop {
                    match open(&views).behind(&kept).open().await {
                        Ok(opened) => break opened,
                        Err(error) if error.is_retriable() => tokio::time::sleep(Duration::from_millis(50)).await,
                        Err(error) => panic!("{}: {error}", expected.name),
                    }
                };
            }
        }
    })
}

#[test]
fn no_change_is_lost_or_told_twice_whenever_the_broker_dies() {
    let rounds = number("SUBSCRIBER_ROUNDS", 5);
    let seed = number("KILL_SEED", u64::from(std::process::id()) | 1);
    let mut chance = seed;
    eprintln!("{rounds} rounds, KILL_SEED={seed}");
    let mut broker = broker("subscribers");
    run(async {
        let views = views(&broker);
        views.execute(STATEMENTS).await.expect("the statements stand");
        let producer = producer(&broker).await;
        let count = Arc::new(AtomicI64::new(-1));
        let followers: Vec<_> = EXPECTED.iter().map(|expected| follow(views.clone(), expected, count.clone())).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let writer = tokio::spawn(async move {
            let mut number = 0;
            let mut sent = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let value = format!("{{\"N\":{number},\"G\":\"g{}\"}}", number % GROUPS);
                sent.push(producer.send("src", None, record(&key(number), value)).await.expect("the producer takes records"));
                number += 1;
                if number % 10 == 0 {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                if sent.len() > 5000 {
                    for delivery in sent.drain(..) {
                        delivery.await.expect("everything is acknowledged once the broker is back");
                    }
                }
            }
            for delivery in sent {
                delivery.await.expect("everything is acknowledged once the broker is back");
            }
            number
        });
        for round in 0..rounds {
            tokio::time::sleep(Duration::from_millis(100 + next(&mut chance) % 900)).await;
            tokio::task::block_in_place(|| {
                broker.kill();
                broker.restart();
            });
            assert!(followers.iter().all(|follower| !follower.is_finished()), "a subscriber ended; its words are above");
            if round % 20 == 19 {
                eprintln!("{} of {rounds} rounds", round + 1);
            }
        }
        stop.store(true, Ordering::Relaxed);
        let numbers = writer.await.expect("the writer's words are above");
        count.store(numbers, Ordering::Release);
        let (mut changes, mut broken) = (0, 0);
        for (follower, expected) in followers.into_iter().zip(EXPECTED) {
            let ended = tokio::time::timeout(Duration::from_secs(300), follower).await;
            let (told, resumed) = ended.unwrap_or_else(|_| panic!("{}: changes were lost: not all came within 5 minutes", expected.name)).expect("its words are above");
            let wanted = (expected.of)(numbers);
            for (key, values) in &wanted {
                let seen = told.get(key).map_or(&[][..], Vec::as_slice);
                let differs = values.iter().zip(seen).position(|(wanted, seen)| wanted != seen);
                assert!(seen == values, "{}: {key}: {} told, {} wanted; they differ first at {differs:?}", expected.name, seen.len(), values.len());
            }
            assert_eq!(told.len(), wanted.len(), "{}", expected.name);
            changes += told.values().map(Vec::len).sum::<usize>();
            broken += resumed;
        }
        eprintln!("{rounds} kills, {numbers} records, {changes} changes to {} subscribers, {broken} resumptions: none lost, repeated or out of order", EXPECTED.len());
        assert!(broken >= rounds.min(1) * EXPECTED.len() as u64, "the subscribers never noticed that the broker died");
    });
}
