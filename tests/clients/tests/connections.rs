//! Clients that behave badly with their connections, beside one that behaves: it is served all the time.
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use millrace_clients_tests::rest::Rest;
use millrace_clients_tests::{Peer, fresh, kcat, millrace};
use millrace_harness::{Broker, wait_for};

/// How long one ask of the well-behaved client may take, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(3);

/// A client that asks for metadata, again and again, on one connection.
struct Bystander(TcpStream);

impl Bystander {
    fn connect(broker: &Broker) -> Bystander {
        let stream = TcpStream::connect(broker.kafka()).expect("the broker listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
        Bystander(stream)
    }

    /// Metadata v1 for no topic; how long the answer took.
    fn ask(&mut self) -> Duration {
        let began = Instant::now();
        self.0.write_all(&[0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0]).expect("the connection lives");
        let mut len = [0; 4];
        self.0.read_exact(&mut len).expect("an answer within its time");
        let mut answer = vec![0; u32::from_be_bytes(len) as usize];
        self.0.read_exact(&mut answer).expect("the rest of it");
        began.elapsed()
    }

    #[track_caller]
    fn is_served(&mut self) {
        for _ in 0..20 {
            let took = self.ask();
            assert!(took < PATIENCE, "{took:?}");
        }
    }
}

#[test]
fn a_storm_of_connections_and_slow_ones_leave_room_for_others() {
    let Some(mut broker) = Peer::ours(Broker::options().set("max.connections.per.ip", 1_500)) else { return };
    let mut bystander = Bystander::connect(&broker);
    bystander.is_served();
    let before = broker.anonymous_bytes();
    let mut storm: Vec<TcpStream> = Vec::new();
    for _ in 0..3_000 {
        storm.extend(TcpStream::connect(broker.kafka()));
    }
    bystander.is_served();
    // A byte now and then, of a request that never ends.
    let frame = [0, 0, 0x40, 0, 0, 3, 0, 1];
    for byte in frame {
        for stream in storm.iter_mut().take(1_000) {
            // The ones above the limit are closed by now.
            let _ = stream.write_all(&[byte]);
        }
        bystander.is_served();
    }
    wait_for("the ones too many to be closed", Duration::from_secs(20), || {
        let open = storm.iter().filter(|stream| is_open(stream)).count();
        (open < 1_500).then_some(())
    });
    let grown = broker.anonymous_bytes().saturating_sub(before);
    assert!(grown < 200 << 20, "{} MiB for connections that say nothing", grown >> 20);
    drop(storm);
    bystander.is_served();
    assert!(broker.is_up());
    wait_for("room for new ones", Duration::from_secs(20), || kcat(&broker.kafka(), &["-L", "-m", "5"], "").status.success().then_some(()));
}

fn is_open(mut stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("a socket can be asked without waiting");
    let mut byte = [0];
    match stream.read(&mut byte) {
        Ok(read) => read > 0,
        Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
    }
}

#[test]
fn clients_that_never_read_hold_up_nobody() {
    let Some(broker) = Peer::ours(Broker::options()) else { return };
    let topic = fresh("unread");
    millrace(&broker.kafka(), &["topic", "create", &topic, "-p", "1"], "").text();
    let line = format!("{}\n", "x".repeat(900_000));
    kcat(&broker.kafka(), &["-P", "-t", &topic, "-p", "0"], line.repeat(20)).text();
    let before = broker.anonymous_bytes();
    let mut bystander = Bystander::connect(&broker);
    let mut silent = Vec::new();
    for _ in 0..30 {
        let mut stream = TcpStream::connect(broker.kafka()).expect("the broker listens");
        stream.set_write_timeout(Some(Duration::from_millis(200))).expect("a socket takes a timeout");
        for _ in 0..40 {
            // Not read from, it stops reading in the end.
            if stream.write_all(&fetch(&topic)).is_err() {
                break;
            }
        }
        silent.push(stream);
    }
    bystander.is_served();
    let grown = broker.anonymous_bytes().saturating_sub(before);
    assert!(grown < 400 << 20, "{} MiB for answers that nobody takes", grown >> 20);
}

/// Fetch v4 of partition 0 from 0: 50 MB at the most, at once.
fn fetch(topic: &str) -> Vec<u8> {
    let mut body = vec![0, 1, 0, 4, 0, 0, 0, 1, 0xff, 0xff];
    body.extend((-1_i32).to_be_bytes());
    body.extend(0_i32.to_be_bytes());
    body.extend(1_i32.to_be_bytes());
    body.extend((50_i32 << 20).to_be_bytes());
    body.push(0);
    body.extend(1_i32.to_be_bytes());
    body.extend((topic.len() as i16).to_be_bytes());
    body.extend(topic.as_bytes());
    body.extend(1_i32.to_be_bytes());
    body.extend(0_i32.to_be_bytes());
    body.extend(0_i64.to_be_bytes());
    body.extend((50_i32 << 20).to_be_bytes());
    [&(body.len() as i32).to_be_bytes()[..], &body].concat()
}

#[test]
fn keys_of_a_megabyte_are_compacted_and_counted() {
    let options = Broker::options().set("log.cleaner.backoff.ms", 200).set("message.max.bytes", 3 << 20).set("log.segment.bytes", 4 << 20);
    let Some(mut broker) = Peer::ours(options) else { return };
    let topic = fresh("heavy");
    millrace(&broker.kafka(), &["topic", "create", &topic, "-p", "1", "-c", "cleanup.policy=compact", "-c", "min.cleanable.dirty.ratio=0.01", "-c", "segment.bytes=4194304"], "").text();
    let rest = Rest::new(broker.http());
    rest.run(&format!(
        "CREATE STREAM heavy (k VARCHAR KEY, v VARCHAR) WITH (KAFKA_TOPIC='{topic}', VALUE_FORMAT='DELIMITED');
         CREATE TABLE weights AS SELECT k, COUNT(*) AS n FROM heavy GROUP BY k;"
    ));
    let before = broker.anonymous_bytes();
    let mut lines = String::new();
    for round in 0..6 {
        for key in 0..4 {
            lines.push_str(&format!("{}{key}:value {round}\n", "k".repeat(1 << 20)));
        }
    }
    kcat(&broker.kafka(), &["-P", "-t", &topic, "-p", "0", "-K:", "-X", "message.max.bytes=3000000"], lines).text();
    let counted = wait_for("the view to count them all", Duration::from_secs(60), || {
        let rows = rest.pull("SELECT n FROM weights;").ok()?;
        let counts: Vec<i64> = rows.iter().filter_map(|row| row.first()?.as_i64()).collect();
        (counts.iter().sum::<i64>() == 24).then_some(counts)
    });
    assert_eq!(counted, [6, 6, 6, 6]);
    assert!(broker.is_up(), "{}", broker.log());
    let grown = broker.anonymous_bytes().saturating_sub(before);
    assert!(grown < 400 << 20, "{} MiB", grown >> 20);
    let last = kcat(&broker.kafka(), &["-C", "-t", &topic, "-p", "0", "-e", "-q", "-f", "%s\n", "-X", "fetch.message.max.bytes=3000000"], "").lines();
    assert!((4..=24).contains(&last.len()) && last.ends_with(&vec!["value 5".to_owned(); 4]), "{last:?}");
}
