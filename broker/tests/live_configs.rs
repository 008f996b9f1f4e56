//! Configs that are advertised as changing while the broker runs do change it: for every row of the table that says so.
mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::{Client, TestNode, batch, batch_from};
use millrace_cluster::config::{Effect, Key, Kind, TOPIC, Update, Valid, broker_keys};
use millrace_protocol::StrBytes;
use millrace_protocol::messages as m;

/// Sets a config of all brokers.
async fn alter(client: &mut Client, name: &str, value: &str) {
    alter_of(client, "", name, value).await;
}

async fn alter_of(client: &mut Client, broker: &str, name: &str, value: &str) {
    use m::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
    let text = |text: &str| StrBytes::from_string(text.to_owned());
    let config = AlterableConfig::default().with_name(text(name)).with_value(Some(text(value))).with_config_operation(0);
    let resource = AlterConfigsResource::default().with_resource_type(4).with_resource_name(text(broker)).with_configs(vec![config]);
    let answer = client.ask(&m::IncrementalAlterConfigsRequest::default().with_resources(vec![resource]), 1).await;
    assert_eq!(answer.responses[0].error_code, 0, "{name}={value}: {:?}", answer.responses[0].error_message);
}

/// Keys that may change while the broker runs, and that it says it obeys.
fn live() -> impl Iterator<Item = &'static Key> {
    broker_keys().filter(|key| key.update != Update::ReadOnly && key.effect == Effect::Works)
}

fn behind_a_topic_key(key: &Key) -> bool {
    TOPIC.iter().any(|topic| topic.synonyms.iter().any(|synonym| synonym.name == key.name))
}

/// A valid value that is not the default.
fn other_value(key: &Key) -> String {
    match (key.valid, key.kind) {
        (Valid::OneOf(choices), _) | (Valid::ListOf(choices), _) => choices.iter().find(|choice| Some(**choice) != key.default).expect("a second choice").to_string(),
        (Valid::BetweenDouble(..), _) => "0.25".into(),
        (Valid::GzipLevel, _) => "3".into(),
        (_, Kind::Boolean) => if key.default == Some("true") { "false" } else { "true" }.into(),
        (Valid::Between(_, most), _) => (most - 1).to_string(),
        // Above every lower bound and below every default.
        _ => "1234567".into(),
    }
}

#[tokio::test]
async fn what_stands_behind_a_topics_configs_reaches_its_partitions() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    let mut tried = 0;
    for key in live().filter(|key| behind_a_topic_key(key)) {
        let before = node.topic_settings("t");
        alter(&mut client, key.name, &other_value(key)).await;
        let after = node.topic_settings("t");
        assert_ne!(before, after, "{}={} changed nothing of what the topic is served by", key.name, other_value(key));
        tried += 1;
    }
    assert!(tried > 20, "{tried} keys");
}

/// The rest is tried one by one below: a new live key needs its test.
#[test]
fn every_other_live_key_has_its_test() {
    let here = include_str!("live_configs.rs");
    let known: BTreeSet<&str> = live().filter(|key| !behind_a_topic_key(key)).map(|key| key.name).collect();
    let untried: Vec<_> = known.iter().filter(|name| !here.contains(&format!("\"{name}\""))).collect();
    assert!(untried.is_empty(), "no test in this file sets {untried:?}");
}

#[tokio::test]
async fn the_largest_batch() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    let value = "x".repeat(5_000);
    assert_eq!(client.produce("t", batch(&[&value])).await.error_code, 0);
    alter(&mut client, "message.max.bytes", "1000").await;
    assert_eq!(client.produce("t", batch(&[&value])).await.error_code, 10);
    alter_of(&mut client, "1", "message.max.bytes", "100000").await;
    assert_eq!(client.produce("t", batch(&[&value])).await.error_code, 0, "this broker's own value wins");
}

#[tokio::test]
async fn whose_clock_stamps_records() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    assert_eq!(client.produce("t", batch(&["a"])).await.log_append_time_ms, -1);
    alter(&mut client, "log.message.timestamp.type", "LogAppendTime").await;
    assert!(client.produce("t", batch(&["a"])).await.log_append_time_ms > 1_700_000_000_000);
}

#[tokio::test]
async fn how_long_records_are_kept() {
    let node = TestNode::with("log.retention.check.interval.ms=50\nlog.initial.task.delay.ms=0\n").await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[("retention.bytes", "-1")]).await;
    // Written as of 2023, and kept for ever until told otherwise.
    alter(&mut client, "log.retention.ms", "-1").await;
    client.produce("t", batch(&["a"])).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(start_of(&mut client).await, 0);
    alter(&mut client, "log.retention.ms", "1000").await;
    for _ in 0..100 {
        if start_of(&mut client).await == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("old records are still there");
}

async fn start_of(client: &mut Client) -> i64 {
    use m::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
    let asked = ListOffsetsTopic::default().with_name(common::topic("t")).with_partitions(vec![ListOffsetsPartition::default().with_timestamp(-2)]);
    client.ask(&m::ListOffsetsRequest::default().with_topics(vec![asked]), 5).await.topics[0].partitions[0].offset
}

#[tokio::test]
async fn how_often_and_with_how_much_memory_it_compacts() {
    let node = TestNode::with("log.cleaner.backoff.ms=3600000\n").await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0.01"), ("segment.ms", "1")]).await;
    let keyed = |second: i64| {
        let mut builder = millrace_record::BatchBuilder::new(millrace_record::Codec::None, millrace_record::Level::Default);
        builder.push(1_700_000_000_000 + second * 1_000, Some(b"k"), Some(&[b'v'; 2_000]), &[]);
        builder.build().freeze()
    };
    // The first look comes soon after the start; the next one is an hour away.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    for second in 0..20 {
        assert_eq!(client.produce("t", keyed(second)).await.error_code, 0);
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let before = node.log_size("t");
    alter(&mut client, "log.cleaner.dedupe.buffer.size", "2000000").await;
    alter(&mut client, "log.cleaner.backoff.ms", "20").await;
    for _ in 0..100 {
        if node.log_size("t") < before / 2 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} bytes before, {} now: not compacted", before, node.log_size("t"));
}

#[tokio::test]
async fn how_many_connections_there_may_be() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    let mut second = node.connect().await;
    second.ask(&m::MetadataRequest::default(), 1).await;
    alter(&mut client, "max.connections.per.ip", "2").await;
    assert!(node.connect().await.is_closed().await);
    alter(&mut client, "max.connections.per.ip.overrides", "127.0.0.1:3").await;
    let mut third = node.connect().await;
    third.ask(&m::MetadataRequest::default(), 1).await;
    alter(&mut client, "max.connections.per.ip", "100").await;
    alter(&mut client, "max.connections.per.ip.overrides", "").await;
    alter(&mut client, "max.connections", "3").await;
    let mut fourth = node.connect().await;
    fourth.send(&m::MetadataRequest::default(), 1).await;
    assert!(tokio::time::timeout(Duration::from_millis(300), fourth.receive()).await.is_err(), "four are served");
    alter(&mut client, "max.connections", "100").await;
    assert!(fourth.receive().await.is_some());
}

#[tokio::test]
async fn how_fast_connections_may_come() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    alter(&mut client, "max.connection.creation.rate", "5").await;
    let began = std::time::Instant::now();
    for _ in 0..15 {
        node.connect().await.ask(&m::MetadataRequest::default(), 1).await;
    }
    let took = began.elapsed();
    assert!(took > Duration::from_millis(1_200), "15 connections at 5 a second in {took:?}");
}

/// The round that forgets producers comes every ten minutes: here it is the setting that must have arrived.
#[tokio::test]
async fn how_long_producers_are_remembered() {
    let node = TestNode::start().await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    client.produce("t", batch_from(7, 0, 0, &["a"])).await;
    alter(&mut client, "producer.id.expiration.ms", "5").await;
    assert_eq!(node.pace().producer_expiration_ms, 5);
}

mod loggers {
    use super::*;
    use m::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};

    const BROKER_LOGGER: i8 = 8;

    fn text(text: &str) -> StrBytes {
        StrBytes::from_string(text.to_owned())
    }

    /// Changes of loggers: name, operation, level. Answers with the error code and message.
    async fn change(client: &mut Client, node: &str, changes: &[(&str, i8, Option<&str>)], validate_only: bool) -> (i16, String) {
        let configs = changes.iter().map(|(name, operation, level)| AlterableConfig::default().with_name(text(name)).with_config_operation(*operation).with_value(level.map(text)));
        let resource = AlterConfigsResource::default().with_resource_type(BROKER_LOGGER).with_resource_name(text(node)).with_configs(configs.collect());
        let answer = client.ask(&m::IncrementalAlterConfigsRequest::default().with_resources(vec![resource]).with_validate_only(validate_only), 1).await;
        let response = &answer.responses[0];
        (response.error_code, response.error_message.as_ref().map(|message| message.to_string()).unwrap_or_default())
    }

    async fn level(client: &mut Client, name: &str) -> Option<String> {
        use m::describe_configs_request::DescribeConfigsResource;
        let resource = DescribeConfigsResource::default().with_resource_type(BROKER_LOGGER).with_resource_name(text("1")).with_configuration_keys(Some(vec![text(name)]));
        let answer = client.ask(&m::DescribeConfigsRequest::default().with_resources(vec![resource]), 4).await;
        assert_eq!(answer.results[0].error_code, 0, "{:?}", answer.results[0].error_message);
        let found = answer.results[0].configs.first()?;
        assert_eq!((found.config_source, found.read_only, found.is_sensitive), (6, false, false), "as Kafka shows a logger");
        found.value.as_ref().map(|value| value.to_string())
    }

    /// All in one: levels are the process's, and tests share one.
    #[tokio::test]
    async fn levels_change_while_it_runs_as_kafkas_do() {
        let node = TestNode::start().await;
        let mut client = node.connect().await;
        assert_eq!(level(&mut client, "root").await.as_deref(), Some("INFO"));
        assert_eq!(change(&mut client, "1", &[("millrace_log", 0, Some("DEBUG")), ("millrace_shard", 0, Some("WARN"))], false).await.0, 0);
        assert_eq!(level(&mut client, "millrace_log").await.as_deref(), Some("DEBUG"));
        assert_eq!(level(&mut client, "millrace_shard").await.as_deref(), Some("WARN"));
        assert_eq!(change(&mut client, "1", &[("millrace_log", 1, None)], false).await.0, 0);
        assert_eq!(level(&mut client, "millrace_log").await.as_deref(), Some("INFO"), "without a level of its own it has its parent's");
        assert_eq!(change(&mut client, "1", &[("millrace_log", 0, Some("TRACE"))], true).await.0, 0);
        assert_eq!(level(&mut client, "millrace_log").await.as_deref(), Some("INFO"), "validation changes nothing");

        let (invalid_request, invalid_config) = (42, 40);
        for (node, changes, code, word) in [
            ("1", vec![("kafka.server.KafkaApis", 0, Some("DEBUG"))], invalid_config, "does not exist"),
            ("1", vec![("millrace_log", 0, Some("LOUD"))], invalid_config, "not a supported log level"),
            ("1", vec![("root", 1, None)], invalid_request, "root logger is not allowed"),
            ("1", vec![("millrace_log", 2, Some("DEBUG"))], invalid_request, "APPEND operation is not allowed"),
            ("1", vec![("millrace_log", 3, Some("DEBUG"))], invalid_request, "SUBTRACT operation is not allowed"),
            ("1", vec![("millrace_log", 0, Some("DEBUG")), ("millrace_log", 1, None)], invalid_request, "duplicate config keys"),
            // The good one of two does not count either.
            ("1", vec![("millrace_log", 0, Some("DEBUG")), ("nobody", 0, Some("DEBUG"))], invalid_config, "does not exist"),
            ("7", vec![("root", 0, Some("DEBUG"))], invalid_request, "Expected 1, but received 7"),
            ("", vec![("root", 0, Some("DEBUG"))], invalid_request, "must be an integer"),
        ] {
            let (found, said) = change(&mut client, node, &changes, false).await;
            assert_eq!((found, said.contains(word)), (code, true), "{changes:?}: {said}");
        }
        assert_eq!(level(&mut client, "millrace_log").await.as_deref(), Some("INFO"));
    }
}
