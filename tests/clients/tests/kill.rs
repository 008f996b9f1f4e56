//! kill -9 under load, again and again: nothing acknowledged is lost, repeated or reordered, and committed group offsets
//! never go back. `KILL_ROUNDS` says how often (`make kill ROUNDS=200`), `KILL_SEED` repeats a run's pauses.
use std::time::Duration;

use millrace_clients_tests::history::History;
use millrace_clients_tests::load::{Committer, Load, committed, read_all};
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
    let breaches = history.check(&read_all(&address, &plain, 2));
    assert!(breaches.is_empty(), "{} of {} acknowledged records: {}", breaches.len(), history.acknowledged(), breaches[..breaches.len().min(20)].join("\n"));
    let breaches = check_compacted(&kept, &read_all(&address, &compacted, 2));
    assert!(breaches.is_empty(), "the compacted topic: {}", breaches[..breaches.len().min(20)].join("\n"));
    eprintln!("{} and {} records acknowledged, commits up to {last}", history.acknowledged(), kept.acknowledged());
    assert!(history.acknowledged() > 100 * rounds as usize, "hardly any load");
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
