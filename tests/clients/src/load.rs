//! Load for the kill tests: idempotent librdkafka producers that live through restarts, and a group that commits.
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use millrace_oracle::Event;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{BorrowedMessage, DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Offset, TopicPartitionList};

use crate::history::{History, Seen, Sent};

/// A librdkafka configuration for `address`.
pub fn config(address: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address).set("broker.address.family", "v4");
    config.set("reconnect.backoff.ms", "20").set("reconnect.backoff.max.ms", "200");
    config
}

/// Keeps what the broker acknowledged. The number travels as the delivery's opaque value.
struct Acknowledged(Arc<Mutex<Sent>>);

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = Box<u64>;

    fn delivery(&self, result: &DeliveryResult<'_>, number: Self::DeliveryOpaque) {
        if let Ok(message) = result {
            let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            sent.acknowledged.insert(*number, message.offset());
        }
    }
}

/// An idempotent producer on its own thread, into one partition, until told to stop.
pub struct Load {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
    sent: Arc<Mutex<Sent>>,
    name: String,
    partition: i32,
}

impl Load {
    /// Starts sending `name:0`, `name:1`, ... as fast as `pause` lets it, keyed by `number % keys`.
    pub fn start(address: &str, topic: &str, partition: i32, name: &str, keys: u64, pause: Duration) -> Load {
        let sent = Arc::new(Mutex::new(Sent::default()));
        let mut config = config(address);
        config.set("enable.idempotence", "true").set("linger.ms", "2").set("message.timeout.ms", "120000");
        let producer: ThreadedProducer<Acknowledged> = config.create_with_context(Acknowledged(sent.clone())).expect("librdkafka takes this configuration");
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, shared, topic, prefix) = (stop.clone(), sent.clone(), topic.to_owned(), name.to_owned());
        let thread = std::thread::spawn(move || {
            let mut number = 0_u64;
            while !stopped.load(Ordering::Relaxed) {
                let (key, value) = (format!("{prefix}-{}", number % keys), format!("{prefix}:{number}"));
                shared.lock().unwrap_or_else(PoisonError::into_inner).handed = number + 1;
                let record = BaseRecord::with_opaque_to(&topic, Box::new(number)).key(&key).payload(&value).partition(partition);
                match producer.send(record) {
                    Ok(()) => number += 1,
                    Err((error, _)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => std::thread::sleep(Duration::from_millis(5)),
                    Err((error, _)) => panic!("librdkafka refused record {number}: {error}"),
                }
                if number % 50 == 0 {
                    std::thread::sleep(pause);
                }
            }
            producer.flush(Duration::from_secs(60)).expect("everything is acknowledged once the broker is back");
            assert!(producer.client().fatal_error().is_none(), "the producer ended with {:?}", producer.client().fatal_error());
        });
        Load { stop, thread, sent, name: name.to_owned(), partition }
    }

    /// Stops, waits for the last acknowledgements, and tells the history.
    #[track_caller]
    pub fn stop(self) -> History {
        self.stop.store(true, Ordering::Relaxed);
        if self.thread.join().is_err() {
            panic!("the producer {} failed; its words are above", self.name);
        }
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone();
        History { sent: [((self.partition, self.name), sent)].into() }
    }
}

/// Reads whole partitions from the beginning to the end that the broker names.
#[track_caller]
pub fn read_all(address: &str, topic: &str, partitions: i32) -> Vec<Seen> {
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let seen = |message: &BorrowedMessage<'_>| Seen {
        partition: message.partition(),
        offset: message.offset(),
        key: text(message.key()),
        value: text(message.payload()),
    };
    read_as(address, topic, partitions, seen)
}

/// The same, for the oracle of views.
#[track_caller]
pub fn read_events(address: &str, topic: &str, partitions: i32) -> Vec<Event> {
    read_as(address, topic, partitions, |message| {
        let timestamp = message.timestamp().to_millis().unwrap_or(-1);
        Event::new(message.partition() as usize, message.offset(), timestamp, message.key(), message.payload())
    })
}

#[track_caller]
fn read_as<T>(address: &str, topic: &str, partitions: i32, read: impl Fn(&BorrowedMessage<'_>) -> T) -> Vec<T> {
    let mut config = config(address);
    config.set("group.id", "reader").set("enable.auto.commit", "false").set("auto.offset.reset", "error").set("enable.partition.eof", "true");
    config.set("check.crcs", "true");
    let consumer: BaseConsumer = config.create().expect("librdkafka takes this configuration");
    let mut seen = Vec::new();
    for partition in 0..partitions {
        let mut place = TopicPartitionList::new();
        place.add_partition_offset(topic, partition, Offset::Beginning).expect("an offset for a partition");
        // Somebody may go on writing: the end that there is now is the end.
        let ends = || consumer.fetch_watermarks(topic, partition, Duration::from_secs(10)).ok();
        let (_, end) = millrace_harness::wait_for("the end of a partition", Duration::from_secs(60), ends);
        consumer.assign(&place).expect("a partition can be assigned");
        loop {
            match consumer.poll(Duration::from_secs(30)) {
                Some(Ok(message)) => {
                    seen.push(read(&message));
                    if message.offset() + 1 >= end {
                        break;
                    }
                }
                Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => break,
                Some(Err(error)) if error.rdkafka_error_code().is_some_and(passing) => {}
                Some(Err(error)) => panic!("{topic}-{partition}: {error}"),
                None => panic!("{topic}-{partition}: nothing for 30 s"),
            }
        }
    }
    seen
}

fn passing(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::NotLeaderForPartition | RDKafkaErrorCode::OperationTimedOut)
}

/// A group member that commits ever higher offsets and checks that they never go back.
pub struct Committer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<i64>,
}

impl Committer {
    /// Commits 1, 2, 3, ... for partition 0 as a simple consumer, and after each outage compares what is stored.
    pub fn start(address: &str, topic: &str, group: &str) -> Committer {
        let stop = Arc::new(AtomicBool::new(false));
        let mut config = config(address);
        config.set("group.id", group).set("enable.auto.commit", "false").set("socket.timeout.ms", "5000");
        let consumer: BaseConsumer = config.create().expect("librdkafka takes this configuration");
        let (stopped, topic) = (stop.clone(), topic.to_owned());
        let thread = std::thread::spawn(move || {
            let (mut acknowledged, mut next, mut failed) = (0, 1, false);
            while !stopped.load(Ordering::Relaxed) {
                if failed {
                    let Some(stored) = stored(&consumer, &topic) else { continue };
                    assert!(stored >= acknowledged, "the commit of {acknowledged} was acknowledged, {stored} is stored");
                    assert!(stored < next, "{stored} is stored, and {} was the last one sent", next - 1);
                    failed = false;
                }
                let mut place = TopicPartitionList::new();
                place.add_partition_offset(&topic, 0, Offset::Offset(next)).expect("an offset for a partition");
                match consumer.commit(&place, CommitMode::Sync) {
                    Ok(()) => acknowledged = next,
                    Err(_) => failed = true,
                }
                next += 1;
                std::thread::sleep(Duration::from_millis(3));
            }
            acknowledged
        });
        Committer { stop, thread }
    }

    /// Stops; answers with the last commit that was acknowledged.
    #[track_caller]
    pub fn stop(self) -> i64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|_| panic!("committed offsets went back; the words are above"))
    }
}

fn stored(consumer: &BaseConsumer, topic: &str) -> Option<i64> {
    let mut place = TopicPartitionList::new();
    place.add_partition(topic, 0);
    let stored = consumer.committed_offsets(place, Duration::from_secs(5)).ok()?;
    match stored.elements().first()?.offset() {
        Offset::Offset(offset) => Some(offset),
        _ => Some(0),
    }
}

/// What a group has stored for partition 0; 0 where nothing is.
#[track_caller]
pub fn committed(address: &str, topic: &str, group: &str) -> i64 {
    let mut config = config(address);
    config.set("group.id", group);
    let consumer: BaseConsumer = config.create().expect("librdkafka takes this configuration");
    millrace_harness::wait_for("an answer to OffsetFetch", Duration::from_secs(30), || stored(&consumer, topic))
}
