//! The partitions that live on this node, and how a request finds them.
mod reconcile;
mod settings;

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use millrace_cluster::config::TopicSettings;
use millrace_protocol::topic::TopicRef;
use millrace_shard::Partition;
use uuid::Uuid;

pub use reconcile::{METADATA_GROUP, Reconciler, metadata_spec};

/// A topic as this node serves it.
#[derive(Clone)]
pub struct Topic {
    pub name: Arc<str>,
    pub id: Uuid,
    pub settings: Arc<TopicSettings>,
    /// In the order of their numbers; `None` where it is not on this node, or did not open.
    pub partitions: Vec<Option<Partition>>,
}

impl Topic {
    pub fn partition(&self, index: i32) -> Option<&Partition> {
        usize::try_from(index).ok().and_then(|index| self.partitions.get(index)).and_then(Option::as_ref)
    }

    /// Whether the topic has such a partition, here or elsewhere.
    pub fn has(&self, index: i32) -> bool {
        usize::try_from(index).is_ok_and(|index| index < self.partitions.len())
    }
}

/// What is open, by name and by id: one consistent view.
#[derive(Clone, Default)]
pub struct Directory {
    by_name: HashMap<Arc<str>, Arc<Topic>>,
    by_id: HashMap<Uuid, Arc<Topic>>,
}

impl Directory {
    pub fn named(&self, name: &str) -> Option<&Arc<Topic>> {
        self.by_name.get(name)
    }

    pub fn with_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.by_id.get(&id)
    }

    pub fn find(&self, topic: &TopicRef) -> Option<&Arc<Topic>> {
        match topic {
            TopicRef::Name(name) => self.named(name),
            TopicRef::Id(id) => self.with_id(Uuid::from_bytes(*id)),
        }
    }

    /// In no order that means anything.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.by_name.values()
    }

    fn insert(&mut self, topic: Topic) {
        let topic = Arc::new(topic);
        self.by_name.insert(topic.name.clone(), topic.clone());
        self.by_id.insert(topic.id, topic);
    }
}

/// The directory as it is now; reading takes no lock.
#[derive(Default)]
pub struct Partitions(ArcSwap<Directory>);

impl Partitions {
    pub fn directory(&self) -> Arc<Directory> {
        self.0.load_full()
    }
}
