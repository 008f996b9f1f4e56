//! librdkafka through the rdkafka crate: what its users lean on.
use std::collections::BTreeSet;
use std::time::Duration;

use millrace_clients_tests::load::config;
use millrace_clients_tests::{Peer, fresh};
use millrace_harness::{Broker, wait_for};
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};

const PATIENCE: Duration = Duration::from_secs(30);

fn admin(peer: &Peer) -> AdminClient<DefaultClientContext> {
    config(peer.address()).create().unwrap()
}

async fn make(peer: &Peer, topic: &str, partitions: i32, configs: &[(&str, &str)]) {
    let mut wanted = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    for (name, value) in configs {
        wanted = wanted.set(name, value);
    }
    for result in admin(peer).create_topics(&[wanted], &AdminOptions::new()).await.unwrap() {
        result.unwrap();
    }
}

fn producer(peer: &Peer) -> FutureProducer {
    config(peer.address()).set("enable.idempotence", "true").create().unwrap()
}

fn member(peer: &Peer, group: &str, strategy: &str) -> BaseConsumer {
    let mut config = config(peer.address());
    config.set("group.id", group).set("auto.offset.reset", "earliest").set("enable.auto.commit", "false");
    config.set("partition.assignment.strategy", strategy).set("session.timeout.ms", "6000").set("heartbeat.interval.ms", "200");
    config.create().unwrap()
}

/// Polls each member in turn until together they have read offsets `from..to` of six partitions.
fn drain(members: &[&BaseConsumer], from: i64, to: i64) {
    let wanted: BTreeSet<_> = (0..6).flat_map(|partition| (from..to).map(move |offset| (partition, offset))).collect();
    let mut read = BTreeSet::new();
    wait_for("every record read", Duration::from_secs(60), || {
        for member in members {
            while let Some(polled) = member.poll(Duration::from_millis(20)) {
                match polled {
                    Ok(message) => _ = read.insert((message.partition(), message.offset())),
                    // A connection went, as one does when a busy machine lets a request time out; librdkafka makes another.
                    Err(KafkaError::MessageConsumption(RDKafkaErrorCode::AllBrokersDown)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
        wanted.is_subset(&read).then_some(())
    });
}

#[tokio::test]
async fn idempotent_records_come_back_with_headers_and_times() {
    let peer = Peer::start();
    let topic = fresh("rich");
    // Kept however old: the records say that they are from 2020.
    make(&peer, &topic, 1, &[("retention.ms", "-1")]).await;
    let producer = producer(&peer);
    for number in 0..500_i64 {
        let (key, value) = (format!("k{number}"), format!("v{number}"));
        let headers = OwnedHeaders::new().insert(Header { key: "n", value: Some("1") }).insert(Header { key: "n", value: None::<&str> });
        let record = FutureRecord::to(&topic).key(&key).payload(&value).timestamp(1_600_000_000_000 + number).headers(headers);
        let delivered = producer.send(record, PATIENCE).await.unwrap();
        assert_eq!(delivered.offset, number);
    }
    let reader = member(&peer, &fresh("reader"), "range");
    let mut place = TopicPartitionList::new();
    place.add_partition_offset(&topic, 0, Offset::Beginning).unwrap();
    reader.assign(&place).unwrap();
    for number in 0..500_i64 {
        let message = reader.poll(PATIENCE).unwrap().unwrap();
        assert_eq!((message.offset(), message.timestamp().to_millis()), (number, Some(1_600_000_000_000 + number)));
        let headers = message.headers().unwrap();
        assert_eq!((headers.count(), headers.get(0).value, headers.get(1).value), (2, Some(&b"1"[..]), None));
    }
}

#[tokio::test]
async fn offsets_for_times_and_watermarks() {
    let peer = Peer::start();
    let topic = fresh("times");
    make(&peer, &topic, 1, &[("retention.ms", "-1")]).await;
    let producer = producer(&peer);
    for number in 0..10_i64 {
        let record = FutureRecord::<(), str>::to(&topic).payload("x").timestamp(1_000 + number * 10);
        producer.send(record, PATIENCE).await.unwrap();
    }
    let reader = member(&peer, &fresh("reader"), "range");
    let at = |time: i64| {
        let mut times = TopicPartitionList::new();
        times.add_partition_offset(&topic, 0, Offset::Offset(time)).unwrap();
        reader.offsets_for_times(times, PATIENCE).unwrap().elements()[0].offset()
    };
    assert_eq!(at(0), Offset::Offset(0));
    assert_eq!(at(1_050), Offset::Offset(5));
    assert_eq!(at(1_051), Offset::Offset(6));
    assert_eq!(at(9_999_999), Offset::End);
    assert_eq!(reader.fetch_watermarks(&topic, 0, PATIENCE).unwrap(), (0, 10));
}

/// Compat: G2, G6, G10.
#[tokio::test]
async fn three_members_share_one_dies_and_nothing_is_missed() {
    let peer = Peer::start();
    for strategy in ["range", "roundrobin", "cooperative-sticky"] {
        let (topic, group) = (fresh("shared"), fresh("group"));
        make(&peer, &topic, 6, &[]).await;
        let producer = producer(&peer);
        let send = async |from: i32, to: i32| {
            for number in from..to {
                let value = number.to_string();
                producer.send(FutureRecord::<(), _>::to(&topic).payload(&value).partition(number % 6), PATIENCE).await.unwrap();
            }
        };
        send(0, 60).await;
        let members: Vec<BaseConsumer> = (0..3).map(|_| member(&peer, &group, strategy)).collect();
        members.iter().for_each(|member| member.subscribe(&[&topic]).unwrap());
        let all: Vec<&BaseConsumer> = members.iter().collect();
        drain(&all, 0, 10);
        wait_for("six partitions shared by three", Duration::from_secs(60), || {
            all.iter().for_each(|member| drop(member.poll(Duration::from_millis(20))));
            let shares: Vec<usize> = all.iter().map(|member| member.assignment().unwrap().count()).collect();
            (shares == [2, 2, 2]).then_some(())
        });
        let mut members = members;
        drop(members.pop());
        send(60, 120).await;
        let rest: Vec<&BaseConsumer> = members.iter().collect();
        drain(&rest, 10, 20);
        // A rebalance may still be under way; once it is over both may commit.
        wait_for("commits of both members", PATIENCE, || {
            rest.iter().for_each(|member| drop(member.poll(Duration::from_millis(20))));
            rest.iter().all(|member| member.commit_consumer_state(CommitMode::Sync).is_ok()).then_some(())
        });
    }
}

#[tokio::test]
async fn committed_offsets_are_kept_with_their_metadata() {
    let peer = Peer::start();
    let (topic, group) = (fresh("kept"), fresh("group"));
    make(&peer, &topic, 2, &[]).await;
    let committer = member(&peer, &group, "range");
    let mut place = TopicPartitionList::new();
    place.add_partition_offset(&topic, 1, Offset::Offset(42)).unwrap();
    place.find_partition(&topic, 1).unwrap().set_metadata("a note");
    committer.commit(&place, CommitMode::Sync).unwrap();
    let mut asked = TopicPartitionList::new();
    asked.add_partition(&topic, 0);
    asked.add_partition(&topic, 1);
    let stored = committer.committed_offsets(asked, PATIENCE).unwrap();
    assert_eq!(stored.find_partition(&topic, 0).unwrap().offset(), Offset::Invalid);
    let second = stored.find_partition(&topic, 1).unwrap();
    assert_eq!((second.offset(), second.metadata()), (Offset::Offset(42), "a note"));
}

#[tokio::test]
async fn topics_are_made_grown_configured_and_deleted() {
    let peer = Peer::start();
    let topic = fresh("admin");
    let admin = admin(&peer);
    let options = AdminOptions::new();
    make(&peer, &topic, 2, &[("cleanup.policy", "compact"), ("retention.ms", "900000")]).await;
    let described = admin.describe_configs(&[ResourceSpecifier::Topic(&topic)], &options).await.unwrap().remove(0).unwrap();
    let value = |name: &str| described.get(name).unwrap().value.clone().unwrap();
    assert_eq!((value("cleanup.policy").as_str(), value("retention.ms").as_str()), ("compact", "900000"));
    let grown = NewPartitions::new(&topic, 5);
    admin.create_partitions(&[grown], &options).await.unwrap().remove(0).unwrap();
    let altered = AlterConfig::new(ResourceSpecifier::Topic(&topic)).set("retention.bytes", "1073741824");
    admin.alter_configs(&[altered], &options).await.unwrap().remove(0).unwrap();
    let metadata = |topic: &str| {
        let reader = member(&peer, "metadata", "range");
        reader.fetch_metadata(Some(topic), PATIENCE).unwrap().topics()[0].partitions().len()
    };
    wait_for("five partitions", PATIENCE, || (metadata(&topic) == 5).then_some(()));
    let again = admin.create_topics(&[NewTopic::new(&topic, 1, TopicReplication::Fixed(1))], &options).await.unwrap().remove(0);
    assert_eq!(again.unwrap_err().1, rdkafka::types::RDKafkaErrorCode::TopicAlreadyExists);
    admin.delete_topics(&[&topic], &options).await.unwrap().remove(0).unwrap();
    let gone = admin.delete_topics(&[&topic], &options).await.unwrap().remove(0);
    assert_eq!(gone.unwrap_err().1, rdkafka::types::RDKafkaErrorCode::UnknownTopicOrPartition);
}

#[tokio::test]
async fn metadata_of_all_topics_names_each() {
    let peer = Peer::start();
    let topics = [fresh("one"), fresh("two")];
    for topic in &topics {
        make(&peer, topic, 2, &[]).await;
    }
    let metadata = member(&peer, "metadata", "range").fetch_metadata(None, PATIENCE).unwrap();
    let partitions = |name: &str| metadata.topics().iter().find(|topic| topic.name() == name).map(|topic| topic.partitions().len());
    assert_eq!(topics.each_ref().map(|topic| partitions(topic)), [Some(2), Some(2)]);
}

/// Compat: P6.
#[tokio::test]
async fn a_compacted_topic_wants_keys() {
    let peer = Peer::start();
    let topic = fresh("keyed");
    make(&peer, &topic, 1, &[("cleanup.policy", "compact")]).await;
    let producer = producer(&peer);
    producer.send(FutureRecord::to(&topic).key("k").payload("v"), PATIENCE).await.unwrap();
    let (error, _) = producer.send(FutureRecord::<(), _>::to(&topic).payload("v"), PATIENCE).await.unwrap_err();
    let code = error.rdkafka_error_code().unwrap();
    assert_eq!(code, rdkafka::types::RDKafkaErrorCode::InvalidRecord, "{error}");
}

#[tokio::test]
async fn a_restart_is_a_pause_and_no_loss() {
    let Some(mut broker) = Peer::ours(Broker::options()) else { return };
    let address = broker.kafka();
    let topic = fresh("restart");
    let producer: FutureProducer = config(&address).set("enable.idempotence", "true").create().unwrap();
    let send = async |from: i64, to: i64| {
        for number in from..to {
            let value = number.to_string();
            let delivered = producer.send(FutureRecord::<(), _>::to(&topic).payload(&value).partition(0), PATIENCE).await.unwrap();
            assert_eq!(delivered.offset, number);
        }
    };
    send(0, 100).await;
    assert!(broker.stop().status.success());
    broker.restart();
    send(100, 200).await;
    broker.kill();
    broker.restart();
    send(200, 300).await;
    let seen = millrace_clients_tests::load::read_all(&address, &topic, 1);
    let values: Vec<i64> = seen.iter().map(|record| record.value.parse().unwrap()).collect();
    assert_eq!(values, (0..300).collect::<Vec<_>>());
}
