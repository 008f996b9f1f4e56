//! Which groups read which topics, as far as this node coordinates them.
use std::collections::{BTreeMap, BTreeSet};

use super::Coordinators;

/// Of one topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readers {
    pub groups: usize,
    pub members: usize,
}

impl Coordinators {
    /// A group reads the topics that it has committed offsets of.
    pub fn readers(&self) -> BTreeMap<String, Readers> {
        let mut readers: BTreeMap<String, Readers> = BTreeMap::new();
        for seat in self.seats() {
            let groups = seat.peek(|coordinator| {
                let each = coordinator.list().into_iter().map(|listing| {
                    let topics: BTreeSet<String> = coordinator.fetch(&listing.group, None).into_iter().map(|(at, _)| at.topic).collect();
                    (listing.members, topics)
                });
                each.collect::<Vec<_>>()
            });
            for (members, topics) in groups.unwrap_or_default() {
                for topic in topics {
                    let one = readers.entry(topic).or_default();
                    one.groups += 1;
                    one.members += members;
                }
            }
        }
        readers
    }
}
