//! Config resources as several APIs name them, and configs as they show them.
use millrace_cluster::config::{Key, Kind, Source};
use millrace_cluster::decide::Resource;

pub const TOPIC: i8 = 2;
pub const BROKER: i8 = 4;
pub const GROUP: i8 = 32;

/// A resource as decisions know it.
pub fn resource(kind: i8, name: &str) -> Resource {
    match kind {
        TOPIC => Resource::Topic(name.to_owned()),
        BROKER => Resource::Broker(name.to_owned()),
        GROUP => Resource::Group(name.to_owned()),
        other => Resource::Other(other),
    }
}

/// Kafka's number for where a value comes from.
pub fn source(source: Source) -> i8 {
    match source {
        Source::DynamicTopic => 1,
        Source::DynamicBroker => 2,
        Source::DynamicDefaultBroker => 3,
        Source::StaticBroker => 4,
        Source::Default => 5,
        Source::DynamicGroup => 8,
    }
}

/// Kafka's number for a type of config.
pub fn kind(key: &Key) -> i8 {
    match key.kind {
        Kind::Boolean => 1,
        Kind::String => 2,
        Kind::Int => 3,
        Kind::Short => 4,
        Kind::Long => 5,
        Kind::Double => 6,
        Kind::List => 7,
        Kind::Class => 8,
        Kind::Password => 9,
    }
}
