//! Config resources as several APIs name them, and configs as they show them.
use millrace_cluster::config::{Key, Kind, Source};
use millrace_cluster::decide::{ConfigAsk, Operation, Resource};
use millrace_protocol::ErrorCode;

use super::ApiError;
use crate::loggers::{Levels, LoggerError};

pub const TOPIC: i8 = 2;
pub const BROKER: i8 = 4;
pub const BROKER_LOGGER: i8 = 8;
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

/// Whether this names the node itself: nobody else's loggers can be reached through it.
pub fn own_loggers(node_id: i32, name: &str) -> Result<(), ApiError> {
    let message = match name.parse::<i32>() {
        Ok(id) if id == node_id => return Ok(()),
        Ok(id) => format!("Unexpected node id. Expected {node_id}, but received {id}"),
        Err(_) => format!("Node id must be an integer, but it is: {name}"),
    };
    Err(ApiError::new(ErrorCode::InvalidRequest, message))
}

/// The levels with all of these changes, or the first one's refusal.
pub fn change_levels(mut levels: Levels, ask: &ConfigAsk) -> Result<Levels, ApiError> {
    for (at, change) in ask.changes.iter().enumerate() {
        if ask.changes[..at].iter().any(|other| other.name == change.name) {
            return Err(ApiError::new(ErrorCode::InvalidRequest, "Error due to duplicate config keys"));
        }
        let level = match (change.operation, &change.value) {
            (Operation::Set, Some(level)) => Some(level.as_str()),
            (Operation::Set, None) => return Err(ApiError::new(ErrorCode::InvalidRequest, format!("Null value not supported for : {}", change.name))),
            (Operation::Delete, _) => None,
            (Operation::Append | Operation::Subtract, _) => {
                let operation = if change.operation == Operation::Append { "APPEND" } else { "SUBTRACT" };
                return Err(ApiError::new(ErrorCode::InvalidRequest, format!("{operation} operation is not allowed for the BROKER_LOGGER resource")));
            }
            (Operation::Unknown(number), _) => return Err(ApiError::new(ErrorCode::InvalidRequest, format!("Unknown operation type {number} is not allowed for the BROKER_LOGGER resource"))),
        };
        levels.change(&change.name, level).map_err(|error| {
            let code = if error == LoggerError::RootStays { ErrorCode::InvalidRequest } else { ErrorCode::InvalidConfig };
            ApiError::new(code, error.to_string())
        })?;
    }
    Ok(levels)
}
