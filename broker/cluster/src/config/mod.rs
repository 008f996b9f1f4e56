//! One table from which everything about configs comes: validation, defaults, DescribeConfigs with
//! sources and synonyms, `server.properties`, and the reference page.
//!
//! A config has a scope (topic, broker, group), a type, a range and a default; a topic's value falls
//! through to the broker keys behind it. Values are kept as the text that was given, exactly as
//! Kafka shows them, and parsed where they are used.
//! Nothing here reads a file or the environment: text comes in as an argument.
mod broker;
mod group;
mod key;
mod layers;
mod properties;
mod reference;
mod settings;
mod topic;
mod value;

pub use broker::BROKER;
pub use group::GROUP;
pub use key::{Effect, Key, Kind, Synonym, Unit, Update, Valid};
pub use layers::{Described, Layers, Source, SynonymValue};
pub use properties::{Properties, PropertyError};
pub use reference::reference_page;
pub use settings::{BrokerSettings, Cleanup, Compression, TimestampType, TopicSettings};
pub use topic::TOPIC;
pub use value::{Value, ValueError, check};

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

/// Values as they were set, by name.
pub type Map = BTreeMap<String, String>;

/// A name's row. Every topic of a node asks for some fifty of them whenever the cluster changes.
type Index = LazyLock<HashMap<&'static str, &'static Key>>;
static TOPIC_KEYS: Index = LazyLock::new(|| TOPIC.iter().map(|key| (key.name, key)).collect());
static BROKER_KEYS: Index = LazyLock::new(|| broker_keys().map(|key| (key.name, key)).collect());

/// The topic config of this name.
pub fn topic_key(name: &str) -> Option<&'static Key> {
    TOPIC_KEYS.get(name).copied()
}

/// The broker config of this name.
pub fn broker_key(name: &str) -> Option<&'static Key> {
    BROKER_KEYS.get(name).copied()
}

/// The group config of this name.
pub fn group_key(name: &str) -> Option<&'static Key> {
    GROUP.iter().find(|key| key.name == name)
}

/// Every broker config.
pub fn broker_keys() -> impl Iterator<Item = &'static Key> {
    BROKER.iter().flat_map(|(_, keys)| keys.iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_valid_and_every_key_is_documented() {
        for key in TOPIC.iter().chain(broker_keys()) {
            assert!(!key.doc.is_empty(), "{} has no doc", key.name);
            if let Some(default) = key.default {
                check(key, default).unwrap_or_else(|error| panic!("{error}"));
            }
        }
    }

    #[test]
    fn names_are_unique_and_topic_keys_sorted() {
        let names: Vec<_> = broker_keys().map(|key| key.name).collect();
        let mut unique = names.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), names.len());
        assert!(TOPIC.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn synonyms_exist_and_give_a_default() {
        for key in TOPIC.iter().chain(broker_keys()) {
            for synonym in key.synonyms {
                assert!(broker_key(synonym.name).is_some(), "{} has the unknown synonym {}", key.name, synonym.name);
            }
        }
        let empty = Map::new();
        let layers = Layers { fixed: &empty, default_broker: &empty, broker: &empty };
        for key in TOPIC.iter().filter(|key| !key.is_internal()) {
            let value = layers.topic(key, &empty).value.unwrap_or_else(|| panic!("{} has no default", key.name));
            check(key, &value).unwrap_or_else(|error| panic!("{error}"));
        }
    }
}
