//! What an idle broker costs, and how soon it serves.
use std::time::Duration;

use millrace_clients_tests::{Peer, fresh, kcat, millrace};
use millrace_harness::Broker;

/// CPU seconds that the broker uses in the next `seconds`.
fn cpu_in(broker: &Broker, seconds: u64) -> f64 {
    let before = broker.cpu_seconds();
    std::thread::sleep(Duration::from_secs(seconds));
    broker.cpu_seconds() - before
}

#[test]
fn an_idle_broker_is_small_and_still() {
    let Some(broker) = Peer::ours(Broker::options()) else { return };
    kcat(&broker.kafka(), &["-P", "-t", &fresh("one"), "-p", "0"], "x\n").text();
    std::thread::sleep(Duration::from_secs(1));
    let used = cpu_in(&broker, 4);
    // One per cent of a core; the clock counts in hundredths of a second.
    assert!(used <= 0.05, "{used} CPU seconds in 4 s of nothing");
    assert!(broker.anonymous_bytes() < 30 << 20, "{} MiB of its own", broker.anonymous_bytes() >> 20);
    eprintln!("idle: {} MiB of its own, {} MiB resident", broker.anonymous_bytes() >> 20, broker.resident_bytes() >> 20);
}

#[test]
fn a_thousand_partitions_start_at_once_and_rest() {
    let Some(mut broker) = Peer::ours(Broker::options()) else { return };
    for number in 0..10 {
        millrace(&broker.kafka(), &["topic", "create", &format!("many-{number}"), "-p", "100"], "").text();
    }
    kcat(&broker.kafka(), &["-P", "-t", "many-3", "-p", "77"], "x\n").text();
    assert!(broker.stop().status.success());
    broker.restart();
    let (line, took) = broker.ready();
    assert!(took < Duration::from_secs(2), "{took:?}: {line}");
    assert_eq!(kcat(&broker.kafka(), &["-C", "-t", "many-3", "-p", "77", "-e", "-q"], "").text(), "x\n");
    std::thread::sleep(Duration::from_secs(1));
    let used = cpu_in(&broker, 4);
    assert!(used <= 0.2, "{used} CPU seconds in 4 s of nothing");
    eprintln!("1,000 partitions: {took:?}, {used} CPU-s in 4 s, {} MiB", broker.resident_bytes() >> 20);
}

#[test]
fn an_empty_directory_serves_at_once() {
    let Some(broker) = Peer::ours(Broker::options()) else { return };
    let (line, took) = broker.ready();
    // The goal is 0.1 s on a machine at rest; tests run beside others.
    assert!(took < Duration::from_secs(1), "{took:?}: {line}");
    eprintln!("{line}");
}
