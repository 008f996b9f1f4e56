//! Group coordination on this node: one [`Seat`] for each partition of `__consumer_offsets`.
//!
//! ```text
//!  handler ─► Coordinators::seat(group) ─► Seat::ask ─► Coordinator (pure) ─► records ─► partition
//!                                            │                                  commit ─┘ │
//!                  parked joins and syncs ◄──┴─────── replies ◄────────────────────────────┘
//! ```
//! The seats follow the partitions that are open: one that appears is loaded from its log, one that
//! goes answers everybody who waits.
mod error;
mod readers;
mod render;
mod seat;
mod timer;

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use millrace_cluster::config::BrokerSettings;
use millrace_cluster::decide::NewTopic;
use millrace_coordinator::{CoordinatorConfig, partition_for};
use millrace_world::World;
use parking_lot::Mutex;

pub use error::CoordinatorError;
pub use seat::{Parked, Seat};

use crate::partitions::Partitions;

/// The topic that holds groups and their offsets.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// All seats of this node.
pub struct Coordinators {
    world: Arc<dyn World>,
    seats: ArcSwap<Vec<Option<Arc<Seat>>>>,
    /// Held while the seats are brought in line with the partitions.
    changing: Mutex<()>,
}

impl Coordinators {
    pub fn new(world: Arc<dyn World>) -> Coordinators {
        Coordinators { world, seats: ArcSwap::default(), changing: Mutex::default() }
    }

    /// Brings the seats in line with what is open. `removed` names topics that are gone for good.
    pub fn follow(&self, partitions: &Partitions, config: impl FnOnce() -> CoordinatorConfig, removed: &[String]) {
        let _changing = self.changing.lock();
        // Both taken under the lock: an older view would close what a newer one has opened.
        let (directory, config) = (partitions.directory(), config());
        let before = self.seats.load_full();
        let partitions = directory.named(OFFSETS_TOPIC).map(|topic| topic.partitions.clone()).unwrap_or_default();
        let known: BTreeMap<_, _> = before.iter().flatten().map(|seat| (seat.partition().id(), seat)).collect();
        let seats: Vec<_> = partitions
            .into_iter()
            .map(|partition| {
                let partition = partition?;
                Some(match known.get(&partition.id()) {
                    Some(seat) => {
                        seat.set_config(config.clone());
                        Arc::clone(seat)
                    }
                    None => Seat::open(self.world.clone(), partition, config.clone()),
                })
            })
            .collect();
        let stays = |seat: &Arc<Seat>| seats.iter().flatten().any(|other| Arc::ptr_eq(other, seat));
        before.iter().flatten().filter(|seat| !stays(seat)).for_each(|seat| seat.close());
        for topic in removed {
            seats.iter().flatten().for_each(|seat| seat.topic_deleted(topic));
        }
        self.seats.store(Arc::new(seats));
    }

    /// The partition that a group lives in; none while the offsets topic does not exist.
    pub fn partition_of(&self, group: &str) -> Option<i32> {
        let count = i32::try_from(self.seats.load().len()).unwrap_or(i32::MAX);
        (count > 0).then(|| partition_for(group, count))
    }

    /// Where a group's requests go.
    pub fn seat(&self, group: &str) -> Result<Arc<Seat>, CoordinatorError> {
        let at = self.partition_of(group).ok_or(CoordinatorError::NotAvailable)?;
        let seats = self.seats.load();
        let seat = usize::try_from(at).ok().and_then(|at| seats.get(at)).ok_or(CoordinatorError::NotAvailable)?;
        seat.clone().ok_or(CoordinatorError::NotCoordinator)
    }

    /// Every seat on this node.
    pub fn seats(&self) -> Vec<Arc<Seat>> {
        self.seats.load().iter().flatten().cloned().collect()
    }
}

/// The offsets topic as the configs want it.
pub fn offsets_topic(settings: &BrokerSettings<'_>) -> NewTopic {
    let config = |name: &str, value: String| (name.to_owned(), Some(value));
    NewTopic {
        partitions: i32::try_from(settings.number("offsets.topic.num.partitions")).unwrap_or(50),
        replication_factor: i16::try_from(settings.number("offsets.topic.replication.factor")).unwrap_or(1),
        configs: vec![
            config("cleanup.policy", "compact".to_owned()),
            config("compression.type", "producer".to_owned()),
            config("segment.bytes", settings.number("offsets.topic.segment.bytes").max(1024 * 1024).to_string()),
        ],
        ..NewTopic::named(OFFSETS_TOPIC)
    }
}

/// What the broker's configs say about groups.
pub fn coordinator_config(settings: &BrokerSettings<'_>) -> CoordinatorConfig {
    let int = |name| i32::try_from(settings.number(name)).unwrap_or(i32::MAX);
    let size = |name| usize::try_from(settings.number(name)).unwrap_or(usize::MAX);
    CoordinatorConfig {
        initial_rebalance_delay_ms: settings.number("group.initial.rebalance.delay.ms").max(0),
        session_timeout_min_ms: int("group.min.session.timeout.ms"),
        session_timeout_max_ms: int("group.max.session.timeout.ms"),
        group_size_max: size("group.max.size"),
        offset_metadata_bytes_max: size("offset.metadata.max.bytes"),
        commit_bytes_max: size("message.max.bytes"),
        offsets_retention_ms: settings.number("offsets.retention.minutes").saturating_mul(60_000),
        expiry_interval_ms: settings.number("offsets.retention.check.interval.ms").max(1),
    }
}
