//! Every target, once.
mod broker;
mod disk;
mod folds;
mod formats;
mod records;
mod requests;
pub mod samples;
mod sql;

use crate::Target;

/// A row of the table of targets.
pub struct Row {
    pub name: &'static str,
    /// What it feeds.
    pub what: &'static str,
    /// The most bytes that one input may take at a time.
    pub growth_max: usize,
    /// Its share of a run's time.
    pub share: u64,
    pub make: fn() -> Box<dyn Target>,
}

const MIB: usize = 1 << 20;

pub const TARGETS: &[Row] = &[
    Row { name: "requests", what: "every API in every version, handed to its handler on a node in this process", growth_max: 160 * MIB, share: 6, make: || Box::new(requests::Requests::new()) },
    Row { name: "records", what: "record batches of producers: headers, every codec, records", growth_max: 16 * MIB, share: 3, make: || Box::new(records::Batches) },
    Row { name: "disk", what: "segments, indexes, producer snapshots, journal, checkpoint: damaged while the node is down", growth_max: 64 * MIB, share: 6, make: || Box::new(disk::Folder::new()) },
    Row { name: "metadata-records", what: "records of the metadata log", growth_max: 4 * MIB, share: 1, make: || Box::new(folds::Metadata) },
    Row { name: "group-records", what: "records of __consumer_offsets", growth_max: 16 * MIB, share: 1, make: || Box::new(folds::Groups) },
    Row { name: "view-records", what: "commands, schedules, rows and cuts of views", growth_max: 64 * MIB, share: 1, make: || Box::new(folds::Views) },
    Row { name: "sql", what: "SQL text: parsed, decided, printed and parsed again", growth_max: 256 * MIB, share: 3, make: || Box::new(sql::Sql::new()) },
    Row { name: "expressions", what: "SQL expressions over rows of every type: compiled and evaluated", growth_max: 192 * MIB, share: 2, make: || Box::new(sql::Expressions::new()) },
    Row { name: "formats", what: "keys and values in JSON, DELIMITED, KAFKA and PROTOBUF_NOSR", growth_max: 64 * MIB, share: 3, make: || Box::new(formats::Formats::new()) },
    Row { name: "grpc-messages", what: "requests of the views' gRPC API, as bytes", growth_max: 16 * MIB, share: 1, make: || Box::new(formats::GrpcMessages) },
    Row { name: "broker-kafka", what: "frames on the Kafka port of a real process", growth_max: 64 * MIB, share: 5, make: || Box::new(broker::Kafka::start()) },
    Row { name: "broker-http", what: "requests on the HTTP port of a real process", growth_max: 64 * MIB, share: 3, make: || Box::new(broker::Http::start()) },
    Row { name: "broker-grpc", what: "calls on the gRPC port of a real process", growth_max: 64 * MIB, share: 2, make: || Box::new(broker::Grpc::start()) },
];

pub fn find(name: &str) -> Option<&'static Row> {
    TARGETS.iter().find(|row| row.name == name)
}
