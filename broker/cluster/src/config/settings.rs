//! Configs as typed values, for the code that acts on them.
//!
//! The text behind them was checked where it was set, but a log written by an older or newer
//! version may hold text that this table no longer takes; such a value counts as not set.
use super::key::{Key, Kind};
use super::value::Value;
use super::{Layers, Map, broker_key, topic_key};

/// What happens to a topic's old segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cleanup {
    pub delete: bool,
    pub compact: bool,
}

/// The codec in which batches are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// As the client sent them.
    Producer,
    Uncompressed,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// Whose clock stamps records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampType {
    CreateTime,
    LogAppendTime,
}

/// Everything that a topic's partitions need to know. Times are milliseconds; -1 is "no limit"
/// where Kafka says so.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicSettings {
    pub cleanup: Cleanup,
    pub compression: Compression,
    pub gzip_level: i32,
    pub lz4_level: i32,
    pub zstd_level: i32,
    pub delete_retention_ms: i64,
    pub file_delete_delay_ms: i64,
    pub flush_messages: i64,
    pub flush_ms: i64,
    pub index_interval_bytes: i32,
    pub max_compaction_lag_ms: i64,
    pub max_message_bytes: i32,
    pub timestamp_after_max_ms: i64,
    pub timestamp_before_max_ms: i64,
    pub timestamp_type: TimestampType,
    pub min_cleanable_dirty_ratio: f64,
    pub min_compaction_lag_ms: i64,
    pub min_insync_replicas: i32,
    pub preallocate: bool,
    pub retention_bytes: i64,
    pub retention_ms: i64,
    pub segment_bytes: i32,
    pub segment_index_bytes: i32,
    pub segment_jitter_ms: i64,
    pub segment_ms: i64,
}

impl TopicSettings {
    /// The settings of a topic with these overrides.
    pub fn resolve(layers: &Layers<'_>, overrides: &Map) -> Self {
        let topic = TopicReader { layers, overrides };
        let policies = match topic.value("cleanup.policy") {
            Some(Value::List(items)) => items,
            _ => Vec::new(),
        };
        let int = |name| i32::try_from(topic.number(name)).unwrap_or(i32::MAX);
        Self {
            cleanup: Cleanup {
                delete: policies.iter().any(|policy| policy == "delete"),
                compact: policies.iter().any(|policy| policy == "compact"),
            },
            compression: match topic.text("compression.type").as_str() {
                "uncompressed" => Compression::Uncompressed,
                "gzip" => Compression::Gzip,
                "snappy" => Compression::Snappy,
                "lz4" => Compression::Lz4,
                "zstd" => Compression::Zstd,
                _ => Compression::Producer,
            },
            gzip_level: int("compression.gzip.level"),
            lz4_level: int("compression.lz4.level"),
            zstd_level: int("compression.zstd.level"),
            delete_retention_ms: topic.number("delete.retention.ms"),
            file_delete_delay_ms: topic.number("file.delete.delay.ms"),
            flush_messages: topic.number("flush.messages"),
            flush_ms: topic.number("flush.ms"),
            index_interval_bytes: int("index.interval.bytes"),
            max_compaction_lag_ms: topic.number("max.compaction.lag.ms"),
            max_message_bytes: int("max.message.bytes"),
            timestamp_after_max_ms: topic.number("message.timestamp.after.max.ms"),
            timestamp_before_max_ms: topic.number("message.timestamp.before.max.ms"),
            timestamp_type: match topic.text("message.timestamp.type").as_str() {
                "LogAppendTime" => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            min_cleanable_dirty_ratio: match topic.value("min.cleanable.dirty.ratio") {
                Some(Value::Double(ratio)) => ratio,
                _ => 0.5,
            },
            min_compaction_lag_ms: topic.number("min.compaction.lag.ms"),
            min_insync_replicas: int("min.insync.replicas"),
            preallocate: topic.value("preallocate") == Some(Value::Boolean(true)),
            retention_bytes: topic.number("retention.bytes"),
            retention_ms: topic.number("retention.ms"),
            segment_bytes: match topic.value("internal.segment.bytes") {
                Some(Value::Number(bytes)) => i32::try_from(bytes).unwrap_or(i32::MAX).max(1),
                _ => int("segment.bytes"),
            },
            segment_index_bytes: int("segment.index.bytes"),
            segment_jitter_ms: topic.number("segment.jitter.ms"),
            segment_ms: topic.number("segment.ms"),
        }
    }
}

struct TopicReader<'a> {
    layers: &'a Layers<'a>,
    overrides: &'a Map,
}

impl TopicReader<'_> {
    fn value(&self, name: &str) -> Option<Value> {
        let key = named(topic_key(name), name);
        let found = self.layers.topic(key, self.overrides).value.and_then(|text| key.parse(&text).ok());
        found.or_else(|| {
            let empty = Map::new();
            let defaults = Layers { fixed: &empty, default_broker: &empty, broker: &empty };
            defaults.topic(key, &empty).value.and_then(|text| key.parse(&text).ok())
        })
    }
    fn number(&self, name: &str) -> i64 {
        match self.value(name) {
            Some(Value::Number(number)) => number,
            other => unreachable!("{name} is a number, not {other:?}"),
        }
    }
    fn text(&self, name: &str) -> String {
        match self.value(name) {
            Some(Value::Text(text)) => text,
            other => unreachable!("{name} is a string, not {other:?}"),
        }
    }
}

/// Broker configs by name, typed. Names are constants of the calling code: a wrong one is a bug.
#[derive(Debug, Clone, Copy)]
pub struct BrokerSettings<'a> {
    pub layers: Layers<'a>,
}

impl BrokerSettings<'_> {
    fn value(&self, name: &str, kinds: &[Kind]) -> Option<Value> {
        let key = named(broker_key(name), name);
        assert!(kinds.contains(&key.kind), "{name} is a {}", key.kind.name());
        let set = self.layers.effective(key).and_then(|text| key.parse(&text).ok());
        set.or_else(|| key.default.and_then(|text| key.parse(text).ok()))
    }
    /// A number that has a default.
    pub fn number(&self, name: &str) -> i64 {
        match self.value(name, &[Kind::Int, Kind::Long, Kind::Short]) {
            Some(Value::Number(number)) => number,
            other => unreachable!("{name} has a default and is a number, not {other:?}"),
        }
    }
    /// A switch.
    pub fn flag(&self, name: &str) -> bool {
        self.value(name, &[Kind::Boolean]) == Some(Value::Boolean(true))
    }
    /// A text, if one is set or there is a default.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.value(name, &[Kind::String, Kind::Class, Kind::Password]) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }
    /// A list; empty when not set.
    pub fn list(&self, name: &str) -> Vec<String> {
        match self.value(name, &[Kind::List]) {
            Some(Value::List(items)) => items,
            _ => Vec::new(),
        }
    }
}

fn named(key: Option<&'static Key>, name: &str) -> &'static Key {
    key.unwrap_or_else(|| panic!("the config table has no row {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    #[test]
    fn defaults_resolve_to_typed_values() {
        let empty = Map::new();
        let layers = Layers { fixed: &empty, default_broker: &empty, broker: &empty };
        let settings = TopicSettings::resolve(&layers, &empty);
        assert_eq!(settings.cleanup, Cleanup { delete: true, compact: false });
        assert_eq!((settings.flush_messages, settings.segment_bytes, settings.retention_ms), (1, 1 << 30, 604_800_000));
        let broker = BrokerSettings { layers };
        assert_eq!(broker.number("offsets.topic.num.partitions"), 50);
        assert!(broker.flag("auto.create.topics.enable"));
        assert_eq!(broker.list("log.dirs"), ["./millrace-data"]);
        assert_eq!(broker.text("broker.rack"), None);
    }

    #[test]
    fn overrides_and_garbage() {
        let empty = Map::new();
        let fixed: Map = [("log.segment.bytes".to_owned(), "garbage".to_owned())].into();
        let layers = Layers { fixed: &fixed, default_broker: &empty, broker: &empty };
        let overrides: Map =
            [("cleanup.policy".to_owned(), "compact,delete".to_owned()), ("message.timestamp.type".to_owned(), "LogAppendTime".to_owned())].into();
        let settings = TopicSettings::resolve(&layers, &overrides);
        assert_eq!(settings.cleanup, Cleanup { delete: true, compact: true });
        assert_eq!(settings.timestamp_type, TimestampType::LogAppendTime);
        assert_eq!(settings.segment_bytes, 1 << 30, "text that the table refuses counts as not set");
        let key = topic_key("segment.bytes").expect("key");
        assert_eq!(layers.topic(key, &empty).source, Source::StaticBroker);
    }
}
