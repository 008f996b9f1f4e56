//! The statements that made the catalog what it is, as they stand in the replicated list of commands.
use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    version: u32,
    /// One statement, with variables put in.
    pub sql: String,
    /// The session's properties when it was decided.
    pub properties: BTreeMap<String, String>,
    /// Of the query that it starts: unique for its sink.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub producer: Option<i64>,
    /// Of the query that it starts: how many partitions its sink had before the first output. Absent where it went on with
    /// another query's outputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sink_partitions: Option<i32>,
    /// Of the query that it starts: where its inputs begin (topic, partition, offset).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub start: Vec<(String, i32, i64)>,
    /// Whether the query that it starts runs as one task for each partition even where its rows move between them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sharded: bool,
    /// Of the query that it starts: the topics through which rows move, in the order of the plan's crossings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repartitions: Vec<Repartition>,
    /// Of a statement that deletes a topic: the groups of its partitions, which no other topic ever has. A crash may come before
    /// the topic goes, and another of its name may be made after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deletes: Vec<u64>,
    /// The topics that its decision asked about, with the partitions that they had.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub topics: BTreeMap<String, Option<i32>>,
}

/// A stage between two others: it reads what the plan says and writes a topic of its own. Queries that need the same rows by
/// the same key share one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repartition {
    /// Names its state and is never used again.
    pub id: String,
    pub topic: String,
    pub partitions: i32,
    pub producer: i64,
    /// Where its inputs begin.
    pub start: Vec<(String, i32, i64)>,
    /// Whether groups move by the key that they have in the sink. Before there was this word they moved by one of our own, and lie
    /// in other partitions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sink_keys: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("a command that this version does not understand: {0}")]
pub struct UnknownCommand(String);

impl Command {
    pub fn new(sql: String, properties: BTreeMap<String, String>) -> Command {
        Command { version: VERSION, sql, properties, producer: None, sink_partitions: None, start: Vec::new(), sharded: false, repartitions: Vec::new(), deletes: Vec::new(), topics: BTreeMap::new() }
    }

    pub fn encode(&self) -> Bytes {
        Bytes::from(serde_json::to_vec(self).expect("strings and numbers are JSON"))
    }

    pub fn decode(bytes: &[u8]) -> Result<Command, UnknownCommand> {
        let command: Command = serde_json::from_slice(bytes).map_err(|error| UnknownCommand(error.to_string()))?;
        match command.version {
            VERSION => Ok(command),
            other => Err(UnknownCommand(format!("version {other}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_round_trip_and_newer_ones_are_refused() {
        let mut command = Command::new("CREATE STREAM S (A INT) WITH (..);".into(), BTreeMap::from([("a".into(), "b".into())]));
        assert_eq!(Command::decode(&command.encode()).unwrap(), command);
        command.producer = Some(7);
        command.start = vec![("t".into(), 0, 12)];
        command.sharded = true;
        let repartition = Repartition { id: "Q-1-0".into(), topic: "r".into(), partitions: 3, producer: 9, start: command.start.clone(), sink_keys: true };
        command.repartitions = vec![repartition];
        assert_eq!(Command::decode(&command.encode()).unwrap(), command);
        command.version = 2;
        assert!(Command::decode(&command.encode()).is_err());
        assert!(Command::decode(b"{").is_err());
    }
}
