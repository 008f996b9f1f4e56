//! A node says at its start who it is and where it is reached, and raises the cluster's features to what it
//! can do.
use uuid::Uuid;

use super::{Cluster, Decision};
use crate::feature::FEATURES;
use crate::image::NodeEntry;
use crate::record::{Endpoint, Record};

/// What a starting node says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    pub node_id: i32,
    pub rack: Option<String>,
    pub endpoints: Vec<Endpoint>,
}

/// Writes only what is new: the cluster's id once, the node when something about it changed, features when
/// they rise. (One node is the cluster, so nobody else has to be asked.)
pub fn register(cluster: Cluster<'_>, node: Registration, new_id: &mut dyn FnMut() -> Uuid) -> Decision<()> {
    let mut records = Vec::new();
    if cluster.image.cluster_id().is_none() {
        records.push(Record::Cluster { id: new_id() });
    }
    let entry = NodeEntry { rack: node.rack.clone(), endpoints: node.endpoints.clone() };
    if cluster.image.nodes().get(&node.node_id) != Some(&entry) {
        records.push(Record::Node { id: node.node_id, rack: node.rack, endpoints: node.endpoints });
    }
    let level = |name| cluster.image.features().get(name).copied().unwrap_or(0);
    let rising = FEATURES.iter().filter(|feature| level(feature.name) < feature.max);
    records.extend(rising.map(|feature| Record::Feature { name: feature.name.to_owned(), level: feature.max }));
    Decision { records, reply: () }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::testing::{Fixture, ids};

    #[test]
    fn a_second_start_writes_nothing() {
        let mut fixture = Fixture::new();
        let node = Registration { node_id: 1, rack: Some("r".to_owned()), endpoints: Vec::new() };
        let decision = register(fixture.cluster(), node.clone(), &mut ids());
        assert_eq!(decision.records.len(), 3);
        fixture.apply(decision.records);
        assert!(register(fixture.cluster(), node, &mut ids()).records.is_empty());
        assert!(fixture.image.cluster_id().is_some());
        assert_eq!(fixture.image.features()["metadata.version"], 30);
    }
}
