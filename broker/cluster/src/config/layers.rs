//! Whose value counts: a topic's own, then what was altered for this broker, then for all brokers,
//! then the properties file, then the default.
use super::key::{Key, Kind, Unit};
use super::{Map, broker_key};

/// Where a value was set, in Kafka's order of priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    DynamicTopic,
    DynamicBroker,
    DynamicDefaultBroker,
    StaticBroker,
    Default,
    DynamicGroup,
}

/// One place where a value was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SynonymValue {
    pub name: &'static str,
    pub value: String,
    pub source: Source,
}

/// A key's value and every place that would give one, the winning one first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    pub value: Option<String>,
    pub source: Source,
    pub synonyms: Vec<SynonymValue>,
}

/// The broker's values by layer, highest first when read from the bottom.
#[derive(Debug, Clone, Copy)]
pub struct Layers<'a> {
    /// The properties file and the command line.
    pub fixed: &'a Map,
    /// Altered for every broker.
    pub default_broker: &'a Map,
    /// Altered for this broker.
    pub broker: &'a Map,
}

impl Layers<'_> {
    /// A topic key's value for a topic with these overrides.
    pub fn topic(&self, key: &'static Key, overrides: &Map) -> Described {
        let mut synonyms = Vec::new();
        if let Some(value) = overrides.get(key.name) {
            synonyms.push(SynonymValue { name: key.name, value: value.clone(), source: Source::DynamicTopic });
        }
        self.collect(key.synonyms.iter().map(|synonym| synonym.name), &mut synonyms);
        let value = match synonyms.first() {
            Some(first) if first.source == Source::DynamicTopic => Some(first.value.clone()),
            Some(first) => Some(converted(key, first)),
            None => key.default.map(str::to_owned),
        };
        let source = synonyms.first().map_or(Source::Default, |first| first.source);
        Described { value, source, synonyms }
    }

    /// A broker key's value. Keys behind it are listed but do not lend it their value: Kafka shows
    /// `log.retention.ms` as unset while `log.retention.hours` rules.
    pub fn broker(&self, key: &'static Key) -> Described {
        let mut synonyms = Vec::new();
        self.collect(std::iter::once(key.name).chain(key.synonyms.iter().map(|synonym| synonym.name)), &mut synonyms);
        let value = synonyms.iter().find(|found| found.name == key.name).map(|found| found.value.clone());
        let source = synonyms.first().map_or(Source::Default, |first| first.source);
        Described { value, source, synonyms }
    }

    /// The value that counts for a broker key, its synonyms asked when it is not set, in its unit.
    pub fn effective(&self, key: &'static Key) -> Option<String> {
        let names = std::iter::once(key.name).chain(key.synonyms.iter().map(|synonym| synonym.name));
        let mut found = Vec::new();
        self.collect(names, &mut found);
        found.first().map(|first| if first.name == key.name { first.value.clone() } else { converted(key, first) })
    }

    fn collect(&self, names: impl Iterator<Item = &'static str> + Clone, found: &mut Vec<SynonymValue>) {
        let layers =
            [(self.broker, Source::DynamicBroker), (self.default_broker, Source::DynamicDefaultBroker), (self.fixed, Source::StaticBroker)];
        for (layer, source) in layers {
            for name in names.clone() {
                if let Some(value) = layer.get(name) {
                    found.push(SynonymValue { name, value: value.clone(), source });
                }
            }
        }
        for name in names {
            if let Some(value) = broker_key(name).and_then(|key| key.default) {
                found.push(SynonymValue { name, value: value.to_owned(), source: Source::Default });
            }
        }
    }
}

/// A synonym's value in the unit of `key`. Text that is no number stays as it is: it was refused
/// where it was set, and shows as it stands.
fn converted(key: &Key, found: &SynonymValue) -> String {
    let unit = key.synonyms.iter().find(|synonym| synonym.name == found.name).map_or(Unit::Same, |synonym| synonym.unit);
    let factor: i64 = match unit {
        Unit::Same => return found.value.clone(),
        Unit::Minutes => 60_000,
        Unit::Hours => 3_600_000,
    };
    debug_assert!(matches!(key.kind, Kind::Long | Kind::Int), "only times have units");
    match found.value.trim().parse::<i64>() {
        // A negative time means "no limit" in every unit.
        Ok(number) if number < 0 => "-1".to_owned(),
        Ok(number) => number.saturating_mul(factor).to_string(),
        Err(_) => found.value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::topic_key;

    fn map(pairs: &[(&str, &str)]) -> Map {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_highest_layer_wins_and_all_are_listed() {
        let (fixed, all, this) = (map(&[("log.retention.hours", "2")]), map(&[("log.retention.ms", "70")]), map(&[("log.retention.ms", "60")]));
        let layers = Layers { fixed: &fixed, default_broker: &all, broker: &this };
        let key = topic_key("retention.ms").expect("key");
        let own = layers.topic(key, &map(&[("retention.ms", "50")]));
        assert_eq!((own.value.as_deref(), own.source), (Some("50"), Source::DynamicTopic));
        let listed: Vec<_> = own.synonyms.iter().map(|found| (found.name, found.value.as_str(), found.source)).collect();
        assert_eq!(
            listed,
            [
                ("retention.ms", "50", Source::DynamicTopic),
                ("log.retention.ms", "60", Source::DynamicBroker),
                ("log.retention.ms", "70", Source::DynamicDefaultBroker),
                ("log.retention.hours", "2", Source::StaticBroker),
                ("log.retention.hours", "168", Source::Default),
            ]
        );
    }

    #[test]
    fn hours_become_milliseconds() {
        let empty = Map::new();
        let fixed = map(&[("log.retention.hours", "2"), ("log.roll.hours", "1")]);
        let layers = Layers { fixed: &fixed, default_broker: &empty, broker: &empty };
        let value = |name| layers.topic(topic_key(name).expect("key"), &empty).value.expect("a value");
        assert_eq!(value("retention.ms"), "7200000");
        assert_eq!(value("segment.ms"), "3600000");
        assert_eq!(value("flush.messages"), "1");
        let key = broker_key("log.retention.ms").expect("key");
        assert_eq!(layers.broker(key).value, None);
        assert_eq!(layers.effective(key).as_deref(), Some("7200000"));
    }

    #[test]
    fn no_limit_stays_no_limit() {
        let (empty, fixed) = (Map::new(), map(&[("log.retention.hours", "-1")]));
        let layers = Layers { fixed: &fixed, default_broker: &empty, broker: &empty };
        assert_eq!(layers.topic(topic_key("retention.ms").expect("key"), &empty).value.as_deref(), Some("-1"));
    }
}
