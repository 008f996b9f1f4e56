//! Every broker config, by theme. A key that no section names is unknown: it warns at start and,
//! as in Kafka, may still be stored by an alter request.
mod groups;
mod log;
mod network;
mod node;
mod replication;
mod security;
mod tiered;
mod views;

use super::key::Key;

/// The table, in sections as the reference page shows them.
pub const BROKER: &[(&str, &[Key])] = &[
    ("Node, roles, quorum", node::KEYS),
    ("Listeners, connections, threads", network::KEYS),
    ("Log defaults", log::KEYS),
    ("Replication", replication::KEYS),
    ("Groups and transactions", groups::KEYS),
    ("Security and quotas", security::KEYS),
    ("Tiered storage", tiered::KEYS),
    ("Views", views::KEYS),
];
