//! Faults of a real process on a real disk: what the broker must survive, refuse or say aloud.
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use millrace_clients_tests::load::{Load, read_all};
use millrace_clients_tests::rest::Rest;
use millrace_clients_tests::{Peer, fresh, kcat, millrace};
use millrace_harness::{Broker, scratch, wait_for};

fn produce(broker: &Broker, topic: &str, lines: std::ops::Range<u32>) {
    let lines: String = lines.map(|number| format!("{number}\n")).collect();
    kcat(&broker.kafka(), &["-P", "-t", topic, "-p", "0"], lines).text();
}

fn consume(broker: &Broker, topic: &str) -> Vec<String> {
    kcat(&broker.kafka(), &["-C", "-t", topic, "-p", "0", "-e", "-q"], "").lines()
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

/// The files below the data directory with this ending.
fn files(broker: &Broker, ending: &str) -> Vec<PathBuf> {
    let mut folders = vec![broker.data().to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|found| found == ending) {
                found.push(entry);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn killed_again_and_again_while_it_recovers() {
    let Some(mut broker) = Peer::ours(Broker::options().set("log.segment.bytes", 1 << 20)) else { return };
    let topic = fresh("again");
    produce(&broker, &topic, 0..20_000);
    broker.kill();
    for delay in (0..40).map(|step| step * 3) {
        let mut rival = broker.rival().stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        rival.kill().unwrap();
        rival.wait().unwrap();
    }
    broker.restart();
    assert_eq!(consume(&broker, &topic), numbers(0..20_000));
}

#[test]
fn restarted_every_moment_under_load() {
    let Some(mut broker) = Peer::ours(Broker::options()) else { return };
    let topic = fresh("storm");
    millrace(&broker.kafka(), &["topic", "create", &topic, "-p", "1"], "").text();
    let load = Load::start(&broker.kafka(), &topic, 0, "p", 1000, Duration::from_millis(2));
    for round in 0..8 {
        std::thread::sleep(Duration::from_millis(250));
        if round % 2 == 0 {
            assert!(broker.stop().status.success(), "a stop under load is clean");
        }
        broker.restart();
    }
    let history = load.stop();
    let breaches = history.check(&read_all(&broker.kafka(), &topic, 1));
    assert!(breaches.is_empty(), "{breaches:?}");
    assert!(history.acknowledged() > 100);
}

#[test]
fn lost_or_torn_index_files_are_made_again_from_the_log() {
    let Some(mut broker) = Peer::ours(Broker::options().set("log.segment.bytes", 1 << 20).set("log.index.interval.bytes", 512)) else { return };
    let topic = fresh("indexed");
    for part in 0..12 {
        let lines: String = (0..2_000).map(|number| format!("{:0100}\n", part * 2_000 + number)).collect();
        kcat(&broker.kafka(), &["-P", "-t", &topic, "-p", "0"], lines).text();
    }
    let before = consume(&broker, &topic);
    assert_eq!(before.len(), 24_000);
    for damage in ["remove", "cut", "flip"] {
        assert!(broker.stop().status.success());
        let indexes: Vec<PathBuf> = ["index", "snapshot"].iter().flat_map(|ending| files(&broker, ending)).collect();
        for path in &indexes {
            let mut bytes = std::fs::read(path).unwrap();
            match damage {
                "remove" => std::fs::remove_file(path).unwrap(),
                "cut" => std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap(),
                _ => {
                    if let Some(middle) = bytes.len().checked_div(2).filter(|middle| *middle < bytes.len()) {
                        bytes[middle] ^= 0x55;
                    }
                    std::fs::write(path, bytes).unwrap();
                }
            }
        }
        broker.restart();
        assert!(consume(&broker, &topic) == before, "{damage}: other records after the restart");
        let middle = kcat(&broker.kafka(), &["-C", "-t", &topic, "-p", "0", "-o", "12345", "-c1", "-q"], "").text();
        assert_eq!(middle.trim_start_matches('0').trim(), "12345", "{damage}");
    }
}

#[test]
fn a_flipped_bit_in_old_records_is_never_served_as_if_nothing_were() {
    let Some(mut broker) = Peer::ours(Broker::options().set("log.segment.bytes", 1 << 20)) else { return };
    let topic = fresh("flipped");
    let line = "x".repeat(1000);
    let lines: String = (0..4_000).map(|number| format!("{number} {line}\n")).collect();
    kcat(&broker.kafka(), &["-P", "-t", &topic, "-p", "0"], &lines).text();
    assert!(broker.stop().status.success());
    let segments: Vec<PathBuf> = files(&broker, "log").into_iter().filter(|path| std::fs::metadata(path).unwrap().len() > 900_000).collect();
    let segment = segments.first().expect("a full segment");
    let mut bytes = std::fs::read(segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(segment, bytes).unwrap();
    let served = match broker.try_restart() {
        // It may refuse to start, if it says why.
        Err(said) => {
            assert!(said.contains("corrupt") || said.contains("crc") || said.contains("damaged"), "{said}");
            return;
        }
        Ok(()) => kcat(&broker.kafka(), &["-C", "-t", &topic, "-p", "0", "-e", "-q", "-X", "check.crcs=true"], ""),
    };
    let text = String::from_utf8_lossy(&served.stdout);
    assert!(!served.status.success() || text != lines, "the damage is gone?");
    assert!(text.lines().all(|record| record.ends_with(&line)), "a damaged record was served");
    let found = millrace(&broker.kafka(), &["doctor", &broker.data().display().to_string()], "");
    assert!(String::from_utf8_lossy(&found.stdout).contains("BAD"), "doctor sees nothing");
}

#[test]
fn without_file_descriptors_it_waits_and_goes_on() {
    let Some(mut broker) = Peer::ours(Broker::options().under(["prlimit", "--nofile=128:128"])) else { return };
    let topic = fresh("files");
    produce(&broker, &topic, 0..10);
    let mut held = Vec::new();
    for _ in 0..300 {
        // The kernel takes connections before the broker does; some will only be refused later.
        held.extend(TcpStream::connect(broker.kafka()));
    }
    std::thread::sleep(Duration::from_millis(500));
    assert!(broker.is_up(), "it died: {}", broker.log());
    drop(held);
    wait_for("service after the storm", Duration::from_secs(20), || {
        let read = kcat(&broker.kafka(), &["-C", "-t", &topic, "-p", "0", "-e", "-q", "-m", "5"], "");
        (read.status.success() && String::from_utf8_lossy(&read.stdout).lines().count() == 10).then_some(())
    });
    produce(&broker, &topic, 10..20);
    assert_eq!(consume(&broker, &topic), numbers(0..20));
}

/// The system gives no thread any more (a limit of processes, a container's pids.max): what needs one says so, and all else goes on.
#[test]
fn without_threads_it_goes_on() {
    // SAFETY: a call without arguments.
    if unsafe { libc::geteuid() } != 0 {
        eprintln!("the limit is one of a user's: only root can be another one");
        return;
    }
    const NOBODY: u32 = 65534;
    let folder = scratch("threads");
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::os::unix::fs::chown(&data, Some(NOBODY), Some(NOBODY)).unwrap();
    let options = Broker::options().data(&data).under(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
    let Some(mut broker) = Peer::ours(options) else { return };
    let topic = fresh("threads");
    let address = broker.kafka();
    millrace(&address, &["topic", "create", &topic, "-p", "8"], "").text();
    let lines: Vec<String> = (0..4000).map(|number| format!("{number}-{}", "x".repeat(2000))).collect();
    let send = |lines: &[String]| drop(kcat(&address, &["-P", "-t", &topic, "-X", "linger.ms=50"], lines.join("\n")).text());
    send(&lines[..100]);
    let limit = |threads: &str| {
        // As the same user, who may change the soft limit of its processes.
        let words = ["--reuid=65534", "--regid=65534", "--clear-groups", "prlimit", "--pid", &broker.pid().to_string(), &format!("--nproc={threads}:")];
        let status = Command::new("setpriv").args(words).status();
        assert!(status.is_ok_and(|status| status.success()), "prlimit");
    };
    let threads = || std::fs::read_dir(format!("/proc/{}/task", broker.pid())).map_or(0, Iterator::count);
    limit(&threads().to_string());
    let rest = Rest::new(broker.http());
    let view = format!("CREATE STREAM s (v VARCHAR) WITH (KAFKA_TOPIC='{topic}', VALUE_FORMAT='DELIMITED'); CREATE TABLE t WITH (VALUE_FORMAT='JSON') AS SELECT LEN(v) AS length, COUNT(*) AS n FROM s GROUP BY LEN(v);");
    let said = rest.post("/ksql", &serde_json::json!({ "ksql": view, "streamsProperties": { "auto.offset.reset": "earliest" } }));
    // Several partitions in a turn: each would be synced by a thread of its own.
    for part in lines[100..].chunks(500) {
        send(part);
    }
    let mut read = kcat(&address, &["-C", "-t", &topic, "-e", "-q"], "").lines();
    let mut sent = lines.clone();
    (read.sort(), sent.sort());
    assert!(read == sent, "{} of {} records: {}", read.len(), sent.len(), broker.log());
    limit("10000");
    wait_for("the view", Duration::from_secs(60), || {
        let rows = rest.pull("SELECT length, n FROM t;").ok()?;
        (rows.iter().filter_map(|row| row[1].as_u64()).sum::<u64>() == 4000).then_some(())
    });
    assert!(broker.is_up(), "it died: {said:?} {}", broker.log());
}

#[test]
fn lying_lengths_and_half_frames_close_one_connection_and_cost_nothing() {
    let Some(mut broker) = Peer::ours(Broker::options()) else { return };
    let topic = fresh("lies");
    produce(&broker, &topic, 0..10);
    let before = broker.resident_bytes();
    let mut held = Vec::new();
    for length in [i32::MAX, 1 << 30, -1, i32::MIN, 0, 3] {
        for _ in 0..20 {
            let mut stream = TcpStream::connect(broker.kafka()).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            stream.write_all(&length.to_be_bytes()).unwrap();
            stream.write_all(&[0, 3, 0]).unwrap_or_default();
            let mut byte = [0];
            // An end or a reset, but no answer and no wait: these lengths cannot be.
            let read = stream.read(&mut byte).unwrap_or(0);
            assert_eq!(read, 0, "an answer to a length of {length}");
        }
        let mut half = TcpStream::connect(broker.kafka()).unwrap();
        half.write_all(&[0, 0x40, 0, 0, 0, 3]).unwrap();
        held.push(half);
    }
    assert!(broker.is_up());
    let grown = broker.resident_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "{} MiB for a few lies", grown >> 20);
    assert_eq!(consume(&broker, &topic), numbers(0..10));
}

#[test]
fn random_bytes_never_stop_it() {
    let Some(mut broker) = Peer::ours(Broker::options()) else { return };
    let topic = fresh("noise");
    produce(&broker, &topic, 0..10);
    let mut state = 0x9e37_79b9_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..2_000 {
        let mut frame = Vec::new();
        let length = 8 + next() % 120;
        frame.extend((length as i32).to_be_bytes());
        frame.extend(((next() % 75) as i16).to_be_bytes());
        frame.extend(((next() % 14) as i16).to_be_bytes());
        frame.extend((0..length - 4).map(|_| if next() % 3 == 0 { 0 } else { next() as u8 }));
        let Ok(mut stream) = TcpStream::connect(broker.kafka()) else { continue };
        // It may close before all is written.
        let _ = stream.write_all(&frame);
    }
    assert!(broker.is_up(), "it died: {}", broker.log());
    assert_eq!(consume(&broker, &topic), numbers(0..10));
    assert!(broker.resident_bytes() < 300 << 20, "{} MiB", broker.resident_bytes() >> 20);
}
