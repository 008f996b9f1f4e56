//! kill -9 under load, again and again: nothing acknowledged is lost, repeated or reordered, and committed group offsets
//! never go back. `KILL_ROUNDS` says how often (`make kill ROUNDS=200`), `KILL_SEED` repeats a run's pauses; with `KILL_VIEWS=1`
//! (`make kill ROUNDS=500 VIEWS=1`) views count the same records beside it, and must come to exactly what the log holds.
use std::collections::BTreeMap;
use std::time::Duration;

use millrace_clients_tests::history::{History, Seen};
use millrace_clients_tests::load::{Committer, Load, committed, read_all};
use millrace_clients_tests::rest::Rest;
use millrace_clients_tests::{Peer, fresh, millrace};
use millrace_harness::Broker;

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

#[test]
fn nothing_acknowledged_is_lost_repeated_or_reordered() {
    let rounds = number("KILL_ROUNDS", 5);
    let seed = number("KILL_SEED", u64::from(std::process::id()) | 1);
    let mut chance = seed;
    eprintln!("{rounds} rounds, KILL_SEED={seed}");
    // Small segments, so that many rolls fall into the kills.
    let options = Broker::options().named("kill").set("log.segment.bytes", 1 << 20).set("log.cleaner.backoff.ms", 200);
    let Some(mut broker) = Peer::ours(options) else { return };
    let address = broker.kafka();
    let (plain, compacted, group) = (fresh("plain"), fresh("compacted"), fresh("group"));
    let make = |topic: &str, more: &[&str]| millrace(&address, &[&["topic", "create", topic, "-p", "2"], more].concat(), "").text();
    make(&plain, &[]);
    make(&compacted, &["-c", "cleanup.policy=compact", "-c", "min.cleanable.dirty.ratio=0.01", "-c", "segment.bytes=1048576"]);
    let views = (number("KILL_VIEWS", u64::from(rounds <= 5)) == 1).then(|| Counting::start(&broker.http(), &plain, &compacted));
    let committer = Committer::start(&address, &plain, &group);
    let mut history = History::default();
    let mut loads = Vec::new();
    let pause = Duration::from_millis(2);
    for partition in 0..2 {
        for name in ["a", "b"] {
            loads.push(Load::start(&address, &plain, partition, &format!("{name}{partition}"), 1_000_000_007, pause));
        }
        loads.push(Load::start(&address, &compacted, partition, &format!("c{partition}"), 50, pause));
    }
    for round in 0..rounds {
        std::thread::sleep(Duration::from_millis(100 + next(&mut chance) % 600));
        broker.kill();
        // Now and then it dies again while it recovers.
        while next(&mut chance) % 4 == 0 {
            let mut rival = broker.rival().stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().expect("the broker can be run");
            std::thread::sleep(Duration::from_millis(next(&mut chance) % 120));
            rival.kill().expect("our own child can be killed");
            rival.wait().expect("our own child can be waited for");
        }
        broker.restart();
        if round % 20 == 19 {
            eprintln!("{} of {rounds} rounds", round + 1);
        }
    }
    let mut kept = History::default();
    for load in loads {
        let part = load.stop();
        let compacted = part.sent.keys().any(|(_, name)| name.starts_with('c'));
        if compacted { kept.merge(part) } else { history.merge(part) }
    }
    let last = committer.stop();
    broker.kill();
    broker.restart();
    assert!(last > 0, "not one commit was acknowledged");
    let stored = committed(&address, &plain, &group);
    assert!(stored >= last, "the commit of {last} was acknowledged, {stored} is stored");
    let everything = read_all(&address, &plain, 2);
    let breaches = history.check(&everything);
    assert!(breaches.is_empty(), "{} of {} acknowledged records: {}", breaches.len(), history.acknowledged(), breaches[..breaches.len().min(20)].join("\n"));
    if let Some(views) = views {
        views.check(&address, &everything);
    }
    let breaches = check_compacted(&kept, &read_all(&address, &compacted, 2));
    assert!(breaches.is_empty(), "the compacted topic: {}", breaches[..breaches.len().min(20)].join("\n"));
    eprintln!("{} and {} records acknowledged, commits up to {last}", history.acknowledged(), kept.acknowledged());
    assert!(history.acknowledged() > 100 * rounds as usize, "hardly any load");
}

/// Views beside the load: every record of the plain topic counts once, by producer and partition.
struct Counting(Rest);

impl Counting {
    fn start(http: &str, plain: &str, compacted: &str) -> Counting {
        let rest = Rest::new(http.to_owned());
        rest.run(&format!(
            "CREATE STREAM sent (k VARCHAR KEY, v VARCHAR) WITH (KAFKA_TOPIC='{plain}', VALUE_FORMAT='DELIMITED');
             CREATE TABLE counted AS SELECT SPLIT(v, ':')[1] AS name, COUNT(*) AS n, MAX(CAST(SPLIT(v, ':')[2] AS BIGINT)) AS last FROM sent GROUP BY SPLIT(v, ':')[1];
             CREATE STREAM again WITH (KAFKA_TOPIC='again', VALUE_FORMAT='DELIMITED') AS SELECT k, v FROM sent;
             CREATE TABLE newest (k VARCHAR PRIMARY KEY, v VARCHAR) WITH (KAFKA_TOPIC='{compacted}', VALUE_FORMAT='DELIMITED');
             CREATE TABLE kept AS SELECT k, v FROM newest;"
        ));
        Counting(rest)
    }

    fn check(&self, address: &str, everything: &[Seen]) {
        let mut expected: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        for record in everything {
            let (name, number) = record.value.rsplit_once(':').expect("the history was checked before");
            let (count, last) = expected.entry(name.to_owned()).or_default();
            *count += 1;
            *last = (*last).max(number.parse().expect("the history was checked before"));
        }
        // Views follow behind; they end where the log ends.
        let mut found = BTreeMap::new();
        let until = std::time::Instant::now() + Duration::from_secs(300);
        while found != expected && std::time::Instant::now() < until {
            std::thread::sleep(Duration::from_millis(500));
            let rows = self.0.pull("SELECT name, n, last FROM counted;").unwrap_or_default();
            let row = |row: &Vec<serde_json::Value>| Some((row[0].as_str()?.to_owned(), (row[1].as_i64()?, row[2].as_i64()?)));
            found = rows.iter().filter_map(row).collect();
            assert!(found.iter().all(|(name, (count, _))| expected.get(name).is_some_and(|(most, _)| count <= most)), "counted twice: {found:?}, the log holds {expected:?}");
        }
        assert_eq!(found, expected, "what the view counted, and what the log holds");
        let copied = read_all(address, "again", 2);
        // The load chooses partitions by hand, a sink goes by the key as Kafka's own producer does.
        let by_key = |key: &str| (millrace_client::murmur2(key.as_bytes()) & 0x7fff_ffff) as i32 % 2;
        let sorted = |mut records: Vec<(i32, String, String)>| {
            records.sort();
            records
        };
        let wanted = sorted(everything.iter().map(|record| (by_key(&record.key), record.key.clone(), record.value.clone())).collect());
        let found = sorted(copied.iter().map(|record| (record.partition, record.key.clone(), record.value.clone())).collect());
        let first = wanted.iter().zip(&found).find(|(wanted, found)| wanted != found);
        assert!(wanted == found, "the copied topic holds {} records, its source {}; the first that differ: {first:?}", found.len(), wanted.len());
        // What one producer sent to one partition is in order wherever it went.
        let mut last: BTreeMap<(i32, &str), u64> = BTreeMap::new();
        for record in &copied {
            let (name, number) = record.value.rsplit_once(':').expect("the history was checked before");
            let number = number.parse().expect("the history was checked before");
            let before = last.insert((record.partition, name), number);
            assert!(before.is_none_or(|before| before < number), "{} stands behind {before:?} in the copied topic", record.value);
        }
    }
}

/// Compaction takes records away, but never the last of a key: all else holds as for a plain topic.
fn check_compacted(history: &History, seen: &[millrace_clients_tests::history::Seen]) -> Vec<String> {
    let mut breaches: Vec<String> = history.check(seen).into_iter().filter(|breach| !breach.contains("are lost")).collect();
    let here: std::collections::HashSet<&str> = seen.iter().map(|record| record.value.as_str()).collect();
    for ((partition, name), sent) in &history.sent {
        // The last acknowledged number of each key, unless a later one of that key was sent.
        let newest = sent.handed.saturating_sub(50);
        for number in sent.acknowledged.keys().filter(|number| **number >= newest) {
            if !here.contains(format!("{name}:{number}").as_str()) {
                breaches.push(format!("partition {partition}: {name}:{number} is the last of its key and is gone"));
            }
        }
    }
    breaches
}
