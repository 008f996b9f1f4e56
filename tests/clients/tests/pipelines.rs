//! The pipelines that people built on Kafka, with their own data (`../shared/seeds/data`; without it they are left out,
//! and say so): bytes in, the same bytes out, in order, for as many readers as come.
use std::path::PathBuf;

use millrace_clients_tests::{Peer, fresh, kcat, millrace};
use millrace_harness::shared;

const KINDS: [&str; 3] = ["ndjson", "csv", "dat"];

/// Text files with a record per line.
fn files() -> Vec<PathBuf> {
    let Some(folder) = shared("seeds/data") else { return Vec::new() };
    let entries = std::fs::read_dir(folder).expect("the data can be listed").map(|entry| entry.expect("an entry can be read").path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| KINDS.contains(&ending))).collect();
    files.sort();
    files
}

fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect()
}

#[test]
fn every_file_comes_back_line_by_line() {
    let peer = Peer::start();
    for file in files() {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let topic = fresh("file");
        let text = std::fs::read(&file).unwrap();
        kcat(peer.address(), &["-P", "-t", &topic, "-p", "0", "-z", "lz4"], &text).text();
        let back = kcat(peer.address(), &["-C", "-t", &topic, "-p", "0", "-e", "-q"], "").bytes();
        assert!(lines(&back) == lines(&text), "{name}: kcat reads back something else");
        let ours = millrace(peer.address(), &["consume", &topic, "-e"], "").bytes();
        assert!(ours == back, "{name}: our own consumer reads something else");
    }
}

#[test]
fn a_large_stream_is_spread_by_key_and_each_keys_order_kept() {
    let Some(file) = shared("seeds/data/wifi_pcap_topic_15k_frames.ndjson") else { return };
    let peer = Peer::start();
    let topic = fresh("frames");
    let text = std::fs::read_to_string(file).unwrap();
    // The key is a number that comes round, as a device's address would.
    let keyed: String = text.lines().enumerate().map(|(number, line)| format!("{}~{line}\n", number % 23)).collect();
    millrace(peer.address(), &["topic", "create", &topic, "-p", "3"], "").text();
    // Without idempotence a retry may reorder, on any broker.
    kcat(peer.address(), &["-P", "-t", &topic, "-K~", "-X", "enable.idempotence=true"], &keyed).text();
    let back = kcat(peer.address(), &["-C", "-t", &topic, "-e", "-q", "-K~"], "").text();
    let of_key = |text: &str, key: usize| {
        let start = format!("{key}~");
        text.lines().filter(|line| line.starts_with(&start)).map(str::to_owned).collect::<Vec<_>>()
    };
    for key in 0..23 {
        assert!(of_key(&back, key) == of_key(&keyed, key), "key {key} is out of order or incomplete");
    }
}

#[test]
fn one_topic_exploded_into_another_by_a_group() {
    // A feed of arrays, taken apart by a pipe of kcat -G into kcat -P, as on the slides.
    let Some(file) = shared("seeds/data/trust_samples.ndjson") else { return };
    let peer = Peer::start();
    let (from, to, group) = (fresh("feed"), fresh("parts"), fresh("explode"));
    let text = std::fs::read_to_string(file).unwrap();
    kcat(peer.address(), &["-P", "-t", &from, "-p", "0"], &text).text();
    let earliest = "auto.offset.reset=earliest";
    let read = kcat(peer.address(), &["-G", &group, "-X", earliest, "-X", "partition.assignment.strategy=range", "-e", "-q", "-u", &from], "").text();
    kcat(peer.address(), &["-P", "-t", &to, "-p", "0", "-T"], &read).text();
    let parts = kcat(peer.address(), &["-C", "-t", &to, "-e", "-q", "-f", "%T %s\n"], "").lines();
    assert_eq!(parts.len(), text.lines().count());
    for (part, line) in parts.iter().zip(text.lines()) {
        let (time, value) = part.split_once(' ').unwrap();
        assert!(time.parse::<i64>().unwrap() > 1_600_000_000_000, "a record's time is its producer's");
        assert_eq!(value, line);
    }
}

#[test]
fn reference_data_in_a_compacted_topic_keeps_the_last_of_each_key() {
    let Some(file) = shared("seeds/data/canx_reason_code.dat") else { return };
    let mut peer = Peer::with(millrace_harness::Broker::options().set("log.cleaner.backoff.ms", 100));
    let topic = fresh("reasons");
    let text = std::fs::read_to_string(file).unwrap();
    let configs = ["cleanup.policy=compact", "min.cleanable.dirty.ratio=0.01", "segment.ms=100", "segment.bytes=1048576"];
    let mut words = vec!["topic", "create", &topic, "-p", "1"];
    configs.iter().for_each(|config| words.extend(["-c", config]));
    millrace(peer.address(), &words, "").text();
    // Three times the same keys, the last time with other values, and one key deleted.
    let keyed = |mark: &str| text.lines().enumerate().map(|(number, line)| format!("{number}~{mark}{line}\n")).collect::<String>();
    for mark in ["a", "b", "c"] {
        kcat(peer.address(), &["-P", "-t", &topic, "-p", "0", "-K~"], keyed(mark)).text();
        std::thread::sleep(std::time::Duration::from_millis(150));
    }
    kcat(peer.address(), &["-P", "-t", &topic, "-p", "0", "-K~", "-Z"], "0~\n").text();
    std::thread::sleep(std::time::Duration::from_millis(150));
    // Something for the active segment, so that all before it may be cleaned.
    kcat(peer.address(), &["-P", "-t", &topic, "-p", "0", "-K~"], "end~end\n").text();
    let read = |address: &str| kcat(address, &["-C", "-t", &topic, "-p", "0", "-e", "-q", "-Z", "-f", "%k~%s\n"], "").lines();
    let state = |lines: &[String]| {
        let mut state = std::collections::BTreeMap::new();
        for line in lines {
            let (key, value) = line.split_once('~').unwrap();
            state.insert(key.to_owned(), value.to_owned());
        }
        state
    };
    let before = state(&read(peer.address()));
    assert_eq!(before["0"], "NULL");
    assert!(before["1"].starts_with('c'));
    if peer.broker().is_none() {
        return;
    }
    let all = text.lines().count();
    let cleaned = millrace_harness::wait_for("compaction", std::time::Duration::from_secs(30), || {
        let lines = read(peer.address());
        (lines.len() <= all + 2).then_some(lines)
    });
    assert_eq!(state(&cleaned), before, "compaction changed what a key's last value is");
}

#[test]
fn unlimited_retention_keeps_and_limited_retention_drops() {
    let mut peer = Peer::with(millrace_harness::Broker::options().set("log.retention.check.interval.ms", 100).set("log.initial.task.delay.ms", 0));
    let (kept, dropped) = (fresh("kept"), fresh("dropped"));
    let make = |topic: &str, configs: &[&str]| {
        let mut words = vec!["topic", "create", topic, "-p", "1", "-c", "segment.ms=50"];
        configs.iter().for_each(|config| words.extend(["-c", config]));
        millrace(peer.address(), &words, "").text();
    };
    make(&kept, &["retention.ms=-1", "retention.bytes=-1"]);
    make(&dropped, &["retention.ms=200"]);
    for topic in [&kept, &dropped] {
        kcat(peer.address(), &["-P", "-t", topic, "-p", "0"], "old\n").text();
    }
    std::thread::sleep(std::time::Duration::from_millis(300));
    for topic in [&kept, &dropped] {
        kcat(peer.address(), &["-P", "-t", topic, "-p", "0"], "new\n").text();
    }
    let address = peer.address().to_owned();
    let read = |topic: &str| kcat(&address, &["-C", "-t", topic, "-p", "0", "-e", "-q"], "").lines();
    if peer.broker().is_some() {
        millrace_harness::wait_for("retention", std::time::Duration::from_secs(30), || (!read(&dropped).contains(&"old".to_owned())).then_some(()));
    }
    assert_eq!(read(&kept), ["old", "new"]);
}
