//! Disks that fail, lie, fill up or are tampered with, under a real process. After each: what was acknowledged is read back, and the
//! broker says what is wrong.
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use millrace_clients_tests::faulty::Faulty;
use millrace_clients_tests::load::{Load, read_all};
use millrace_clients_tests::program::Output;
use millrace_clients_tests::{Peer, fresh, kcat, millrace};
use millrace_harness::{Broker, scratch, wait_for};

fn try_produce(broker: &Broker, topic: &str, lines: std::ops::Range<u32>) -> Output {
    let lines: String = lines.map(|number| format!("{number}\n")).collect();
    kcat(&broker.kafka(), &["-P", "-t", topic, "-p", "0", "-X", "message.timeout.ms=4000", "-X", "acks=all"], lines)
}

#[track_caller]
fn produce(broker: &Broker, topic: &str, lines: std::ops::Range<u32>) {
    try_produce(broker, topic, lines).text();
}

fn consume(broker: &Broker, topic: &str) -> Vec<String> {
    kcat(&broker.kafka(), &["-C", "-t", topic, "-p", "0", "-e", "-q"], "").lines()
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

fn not_ready(broker: &Broker) -> bool {
    http(broker, "/health/ready").contains(" 503 ")
}

fn http(broker: &Broker, path: &str) -> String {
    let mut stream = std::net::TcpStream::connect(broker.http()).expect("http is on");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket takes a timeout");
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).expect("a request can be sent");
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).expect("an answer");
    answer
}

/// A write or fsync that fails once: nothing of it is acknowledged, nothing more is taken, reads go on; a restart heals.
fn a_disk_that_fails_once(fault: &str) {
    let faulty = Faulty::new();
    let Some(mut broker) = Peer::ours(faulty.options()) else { return };
    let topic = fresh("failing");
    produce(&broker, &topic, 0..100);
    faulty.set(fault);
    let refused = try_produce(&broker, &topic, 100..110);
    assert!(faulty.happened(fault), "the fault was never met");
    assert!(!refused.status.success(), "acknowledged, though the disk failed");
    // The disk would work again, and must not be believed.
    let refused = try_produce(&broker, &topic, 110..120);
    assert!(!refused.status.success(), "a failed disk was written to again");
    assert!(broker.is_up(), "it died: {}", broker.log());
    assert_eq!(consume(&broker, &topic)[..100], numbers(0..100), "what was acknowledged is still read");
    assert!(broker.log().contains("writing stops on this node"), "it does not say so: {}", broker.log());
    wait_for("a node that is not ready", Duration::from_secs(5), || not_ready(&broker).then_some(()));
    broker.restart();
    assert!(!not_ready(&broker));
    let kept = consume(&broker, &topic);
    assert_eq!(kept[..100], numbers(0..100));
    produce(&broker, &topic, 200..210);
    assert_eq!(consume(&broker, &topic)[kept.len()..], numbers(200..210));
}

#[test]
fn a_failed_fsync_is_not_repeated_and_vouches_for_nothing() {
    a_disk_that_fails_once("sync-eio");
}

#[test]
fn a_failed_write_acknowledges_nothing() {
    a_disk_that_fails_once("write-eio");
}

#[test]
fn writes_that_come_up_short_are_finished() {
    let faulty = Faulty::new();
    let Some(mut broker) = Peer::ours(faulty.options().set("log.segment.bytes", 1 << 20)) else { return };
    let topic = fresh("short");
    faulty.set("short");
    produce(&broker, &topic, 0..50_000);
    broker.kill();
    broker.restart();
    assert_eq!(consume(&broker, &topic), numbers(0..50_000));
}

/// Refuses with a word, serves what it has, and goes on by itself: `fill` takes the room away, `free` gives it back.
fn a_full_disk(broker: &mut Broker, fill: impl FnOnce(), free: impl FnOnce()) {
    let topic = fresh("full");
    produce(broker, &topic, 0..1_000);
    kcat(&broker.kafka(), &["-P", "-t", &topic, "-p", "0"], "more\n").text();
    fill();
    let refused = wait_for("a refusal", Duration::from_secs(60), || {
        let refused = try_produce(broker, &topic, 5_000..5_001);
        (!refused.status.success()).then_some(refused)
    });
    assert!(refused.stderr.contains("disk") || refused.stderr.contains("Disk") || refused.stderr.contains("timed out"), "{}", refused.stderr);
    assert!(broker.is_up(), "it died: {}", broker.log());
    // Clients repeat such a send until their own time is over; what it was, the broker says.
    assert!(http(broker, "/metrics").contains("millrace_disk_full 1\n"), "it does not know why");
    let kept = consume(broker, &topic);
    assert_eq!(kept[..1_000], numbers(0..1_000), "reads go on");
    assert!(!millrace(&broker.kafka(), &["topic", "list"], "").text().is_empty(), "metadata is served");
    free();
    wait_for("room", Duration::from_secs(30), || try_produce(broker, &topic, 9_000..9_001).status.success().then_some(()));
    // Its own log may lie on the full disk: it is written again from here on.
    assert!(broker.log().contains("room"), "it does not say so: {}", broker.log());
    assert!(http(broker, "/metrics").contains("millrace_disk_full 0\n"), "it does not know that there is room");
    let kept = consume(broker, &topic);
    assert_eq!(kept.last().map(String::as_str), Some("9000"));
    broker.kill();
    broker.restart();
    assert_eq!(consume(broker, &topic), kept, "after a kill");
}

#[test]
fn a_full_disk_refuses_serves_reads_and_heals_without_a_restart() {
    let faulty = Faulty::new();
    let Some(mut broker) = Peer::ours(faulty.options()) else { return };
    a_full_disk(&mut broker, || faulty.set("full"), || faulty.clear("full"));
}

/// A small file system of its own; gone with the handle.
struct Volume(PathBuf);

impl Volume {
    /// None where this process may not mount.
    fn mount(at: &Path, size: &str) -> Option<Volume> {
        std::fs::create_dir_all(at).expect("a scratch folder");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={size}"), "millrace"]).arg(at).output().is_ok_and(|output| output.status.success());
        mounted.then(|| Volume(at.to_owned()))
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // The broker may hold files for a moment yet.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_small_file_system_fills_up_and_is_given_room() {
    let folder = scratch("volume");
    let data = folder.path().join("data");
    let Some(_volume) = Volume::mount(&data, "200m") else {
        eprintln!("this process may not mount: the full disk is tested with the shim alone");
        return;
    };
    let Some(mut broker) = Peer::ours(Broker::options().data(&data).set("log.segment.bytes", 1 << 20)) else { return };
    let (filler, rest) = (data.join("filler"), data.join("rest"));
    let address = broker.kafka();
    let fill = || {
        std::fs::write(&filler, vec![1; 60 << 20]).expect("there is room for this");
        // The rest is filled by records, as it is in life.
        let topic = fresh("filling");
        let line = format!("{}\n", "x".repeat(900));
        let all = kcat(&address, &["-P", "-t", &topic, "-p", "0", "-X", "message.timeout.ms=5000"], line.repeat(150_000));
        assert!(!all.status.success(), "135 MB went into a volume of 200 with 60 taken and 64 held back");
        // Small batches would still find room.
        std::fs::write(&rest, vec![1; 20 << 20]).expect("what is held back is there");
    };
    a_full_disk(&mut broker, fill, || [&filler, &rest].into_iter().for_each(|path| std::fs::remove_file(path).expect("it is there")));
    drop(broker);
}

/// Somebody cuts files under a running broker: an error for who reads there, no crash, and nothing made up.
#[test]
fn files_cut_under_a_running_broker_are_an_error_and_no_crash() {
    let Some(mut broker) = Peer::ours(Broker::options().set("log.segment.bytes", 1 << 20)) else { return };
    let (cut, whole) = (fresh("cut"), fresh("whole"));
    let lines: String = (0..4_000).map(|number| format!("{number:01000}\n")).collect();
    for topic in [&cut, &whole] {
        kcat(&broker.kafka(), &["-P", "-t", topic, "-p", "0"], &lines).text();
    }
    let before = kcat(&broker.kafka(), &["-C", "-t", &cut, "-p", "0", "-e", "-q"], "").text();
    assert_eq!(before, lines);
    let folder = first_partition(&broker);
    for entry in std::fs::read_dir(folder).expect("the partition's folder").map(|entry| entry.expect("its entries").path()) {
        if entry.extension().is_some_and(|ending| ending == "log" || ending == "index") {
            std::fs::OpenOptions::new().write(true).open(&entry).expect("a file of the partition").set_len(0).expect("it can be cut");
        }
    }
    for offset in ["0", "1500", "3999", "beginning"] {
        let read = kcat(&broker.kafka(), &["-C", "-t", &cut, "-p", "0", "-o", offset, "-e", "-q", "-c", "5", "-X", "fetch.error.backoff.ms=10", "-m", "5"], "");
        let text = String::from_utf8_lossy(&read.stdout).into_owned();
        assert!(text.lines().all(|line| lines.contains(line)), "something was made up: {text}");
    }
    // What asks for offsets and times reads the indexes.
    kcat(&broker.kafka(), &["-Q", "-t", &format!("{cut}:0:1000")], "");
    assert!(broker.is_up(), "it died: {}", broker.log());
    assert_eq!(kcat(&broker.kafka(), &["-C", "-t", &whole, "-p", "0", "-e", "-q"], "").text(), lines, "the other partition is served as before");
}

/// The folder of the first topic that holds something: partitions are numbered in the order of their making.
fn first_partition(broker: &Broker) -> PathBuf {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(broker.data().join("partitions")).expect("partitions").map(|entry| entry.expect("its entries").path()).collect();
    folders.retain(|folder| std::fs::read_dir(folder).is_ok_and(|entries| entries.flatten().any(|entry| entry.metadata().is_ok_and(|about| about.len() > 500_000))));
    folders.sort();
    folders.first().cloned().expect("a partition with a full segment")
}

/// The kernel takes the process when memory runs out.
#[test]
fn a_process_that_ran_out_of_memory_lost_nothing() {
    let group = PathBuf::from(format!("/sys/fs/cgroup/memory/millrace-test-{}", std::process::id()));
    if std::fs::create_dir(&group).is_err() || std::fs::write(group.join("memory.limit_in_bytes"), "90000000").is_err() {
        eprintln!("skipped: no memory control group can be made here");
        return;
    }
    let script = format!("echo $$ > {}/cgroup.procs && exec \"$@\"", group.display());
    let options = Broker::options().under(["sh", "-c", &script, "sh"]);
    let Some(mut broker) = Peer::ours(options) else { return };
    let topic = fresh("hungry");
    millrace(&broker.kafka(), &["topic", "create", &topic, "-p", "1"], "").text();
    let load = Load::start(&broker.kafka(), &topic, 0, "p", 1_000_000_007, Duration::from_millis(2));
    std::thread::sleep(Duration::from_millis(800));
    // Requests that are all but there: each holds what has come.
    let mut held = Vec::new();
    for _ in 0..40 {
        let Ok(mut stream) = std::net::TcpStream::connect(broker.kafka()) else { break };
        stream.set_write_timeout(Some(Duration::from_secs(5))).expect("a socket takes a timeout");
        let _ = stream.write_all(&(20_i32 << 20).to_be_bytes()).and_then(|()| stream.write_all(&vec![7; 10 << 20]));
        held.push(stream);
        if !broker.is_up() {
            break;
        }
    }
    wait_for("the end of the process", Duration::from_secs(30), || (!broker.is_up()).then_some(()));
    drop(held);
    std::fs::write(group.join("memory.limit_in_bytes"), "4000000000").expect("the limit can be lifted");
    broker.restart();
    let history = load.stop();
    let breaches = history.check(&read_all(&broker.kafka(), &topic, 1));
    assert!(breaches.is_empty(), "{breaches:?}");
    assert!(history.acknowledged() > 100);
    broker.kill();
    let _ = std::fs::remove_dir(&group);
}
