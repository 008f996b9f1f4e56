//! kcat 1.7.1, unchanged: every flag that people use.
use std::io::{BufRead, BufReader};
use std::time::Duration;

use millrace_clients_tests::program::kcat_running;
use millrace_clients_tests::{Peer, fresh, kcat};
use millrace_harness::wait_for;

/// Compat: V5.
#[test]
fn lists_brokers_topics_and_partitions() {
    let peer = Peer::start();
    let topic = fresh("listed");
    kcat(peer.address(), &["-P", "-t", &topic], "x\n").text();
    let text = kcat(peer.address(), &["-L", "-t", &topic], "").text();
    assert!(text.contains(&format!("topic \"{topic}\" with 3 partitions")), "{text}");
    assert!(text.contains(&format!("at {}", peer.address())), "{text}");
    assert!(text.contains("partition 2, leader"), "{text}");
}

#[test]
fn a_hundred_thousand_lines_come_back_as_they_went() {
    let peer = Peer::start();
    let topic = fresh("lines");
    let lines: String = (0..100_000).map(|number| format!("{number} {}\n", "x".repeat(number % 97))).collect();
    kcat(peer.address(), &["-P", "-t", &topic, "-p", "1"], &lines).text();
    let back = kcat(peer.address(), &["-C", "-t", &topic, "-p", "1", "-e", "-q"], "").text();
    assert!(back == lines, "{} bytes went, {} came back", lines.len(), back.len());
    let again = kcat(peer.address(), &["-C", "-t", &topic, "-p", "1", "-e", "-q"], "").text();
    assert!(again == lines, "a second reading differs");
}

/// Compat: V12, P14.
#[test]
fn every_codec_comes_back() {
    let peer = Peer::start();
    let lines: String = (0..5_000).map(|number| format!("line {number} of a text that compresses\n")).collect();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = fresh(codec);
        kcat(peer.address(), &["-P", "-t", &topic, "-p", "0", "-z", codec], &lines).text();
        let back = kcat(peer.address(), &["-C", "-t", &topic, "-p", "0", "-e", "-q", "-X", "check.crcs=true"], "").text();
        assert!(back == lines, "{codec}: {} bytes went, {} came back", lines.len(), back.len());
    }
}

#[test]
fn offsets_absolute_from_the_end_and_by_time() {
    let peer = Peer::start();
    let topic = fresh("offsets");
    let produce = |from: i32, to: i32| {
        let lines: String = (from..to).map(|number| format!("{number}\n")).collect();
        kcat(peer.address(), &["-P", "-t", &topic, "-p", "0"], &lines).text();
    };
    let consume = |offset: &str, more: &[&str]| {
        let words = [&["-C", "-t", &topic, "-p", "0", "-o", offset, "-e", "-q"], more].concat();
        kcat(peer.address(), &words, "").lines()
    };
    produce(0, 10);
    std::thread::sleep(Duration::from_millis(20));
    let between = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    std::thread::sleep(Duration::from_millis(20));
    produce(10, 20);
    let numbers = |from: i32, to: i32| (from..to).map(|number| number.to_string()).collect::<Vec<_>>();
    assert_eq!(consume("7", &[]), numbers(7, 20));
    assert_eq!(consume("-5", &["-c5"]), numbers(15, 20));
    assert_eq!(consume("beginning", &["-c2"]), numbers(0, 2));
    assert_eq!(consume("end", &[]), Vec::<String>::new());
    assert_eq!(consume(&format!("s@{between}"), &[]), numbers(10, 20));
    let words = ["-C", "-t", &topic, "-p", "0", "-o", "s@0", "-o", &format!("e@{between}"), "-e", "-q"];
    assert_eq!(kcat(peer.address(), &words, "").lines(), numbers(0, 10));
    let query = kcat(peer.address(), &["-Q", "-t", &format!("{topic}:0:{between}")], "").text();
    assert!(query.contains("offset 10"), "{query}");
}

#[test]
fn keys_headers_nulls_timestamps_and_json() {
    let peer = Peer::start();
    let topic = fresh("shapes");
    let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    kcat(peer.address(), &["-P", "-t", &topic, "-p", "0", "-K:", "-Z", "-H", "a=1", "-H", "a=2"], "k:v\nk:\n:v\n").text();
    let format = "%k|%K|%s|%S|%h|%t|%p|%o|%T\n";
    let lines = kcat(peer.address(), &["-C", "-t", &topic, "-p", "0", "-e", "-q", "-Z", "-f", format], "").lines();
    let start = |at: usize| lines[at].rsplit_once('|').unwrap();
    assert_eq!(start(0).0, format!("k|1|v|1|a=1,a=2|{topic}|0|0"));
    assert_eq!(start(1).0, format!("k|1|NULL|-1|a=1,a=2|{topic}|0|1"));
    assert_eq!(start(2).0, format!("NULL|-1|v|1|a=1,a=2|{topic}|0|2"));
    let time: i64 = start(0).1.parse().unwrap();
    assert!((before..before + 60_000).contains(&time), "{time} is not the producer's time, {before}");
    let json = kcat(peer.address(), &["-C", "-t", &topic, "-p", "0", "-c1", "-q", "-J"], "").text();
    assert!(json.contains(r#""headers":["a","1","a","2"],"key":"k","payload":"v""#), "{json}");
}

#[test]
fn tee_prints_what_it_sends_and_a_tail_sees_it() {
    let peer = Peer::start();
    let topic = fresh("tail");
    kcat(peer.address(), &["-P", "-t", &topic, "-p", "0"], "first\n").text();
    let mut tail = kcat_running(peer.address(), &["-C", "-t", &topic, "-p", "0", "-o", "end", "-q", "-u"]);
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    // When the tail has found the end cannot be seen from outside: send until it answers.
    let (tell, told) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || tell.send(lines.next()));
    let mut count = 0;
    let line = wait_for("a line at the tail", Duration::from_secs(20), || {
        count += 1;
        let sent = kcat(peer.address(), &["-P", "-t", &topic, "-p", "0", "-T", "-u"], format!("{count}\n")).text();
        assert_eq!(sent, count.to_string());
        told.try_recv().ok()
    });
    assert!(line.unwrap().unwrap().parse::<i32>().is_ok());
    tail.kill().unwrap();
    tail.wait().unwrap();
    reader.join().unwrap().unwrap();
}

#[test]
fn groups_see_everything_each_and_late_ones_too() {
    let peer = Peer::start();
    let topic = fresh("shared");
    let lines: String = (0..1_000).map(|number| format!("{number}\n")).collect();
    kcat(peer.address(), &["-P", "-t", &topic], &lines).text();
    let read = |group: &str| {
        let words = ["-G", group, "-X", "auto.offset.reset=earliest", "-X", "partition.assignment.strategy=range", "-e", "-q", &topic];
        let mut lines = kcat(peer.address(), &words, "").lines();
        lines.sort_by_key(|line| line.parse::<i32>().unwrap());
        lines
    };
    let all: Vec<String> = (0..1_000).map(|number| number.to_string()).collect();
    let (sally, fred, rick) = (fresh("sally"), fresh("fred"), fresh("rick"));
    assert_eq!(read(&sally), all);
    assert_eq!(read(&fred), all);
    kcat(peer.address(), &["-P", "-t", &topic], "1000\n").text();
    assert_eq!(read(&sally), ["1000"], "a group goes on where it stopped");
    assert_eq!(read(&rick).len(), 1_001, "a group that comes later sees it all");
}

/// Compat: M1, M4.
#[test]
fn an_unknown_topic_is_made_by_the_first_record() {
    let peer = Peer::start();
    let topic = fresh("made");
    kcat(peer.address(), &["-P", "-t", &topic], "x\n").text();
    assert_eq!(kcat(peer.address(), &["-C", "-t", &topic, "-e", "-q"], "").text(), "x\n");
}

#[test]
fn a_record_above_the_limit_is_refused_and_the_next_one_taken() {
    let peer = Peer::start();
    let topic = fresh("large");
    let large = vec![b'x'; 2_000_000];
    let refused = kcat(peer.address(), &["-P", "-t", &topic, "-p", "0", "-X", "message.max.bytes=5000000"], &large);
    assert!(!refused.status.success(), "2 MB went through a limit of 1 MB");
    assert!(refused.stderr.contains("too large"), "{}", refused.stderr);
    kcat(peer.address(), &["-P", "-t", &topic, "-p", "0"], "small\n").text();
    assert_eq!(kcat(peer.address(), &["-C", "-t", &topic, "-p", "0", "-e", "-q"], "").text(), "small\n");
}
