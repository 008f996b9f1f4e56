//! Groups as metrics. Kafka leaves lag to tools that ask the broker; here the broker knows both ends and
//! says it itself.
use millrace_coordinator::{Committed, GroupListing, GroupState, TopicPartition};

use super::Coordinators;
use crate::metrics::Text;
use crate::partitions::Directory;

struct Shown {
    listing: GroupListing,
    offsets: Vec<(TopicPartition, Option<Committed>)>,
}

impl Coordinators {
    /// The groups that this node coordinates, and how far behind they are.
    pub fn render(&self, directory: &Directory, text: &mut Text) {
        let mut groups: Vec<Shown> = Vec::new();
        for seat in self.seats() {
            let shown = seat.peek(|coordinator| {
                let each = coordinator.list().into_iter().map(|listing| {
                    let offsets = coordinator.fetch(&listing.group, None);
                    Shown { listing, offsets }
                });
                each.collect::<Vec<_>>()
            });
            groups.extend(shown.unwrap_or_default());
        }
        groups.sort_unstable_by(|a, b| a.listing.group.cmp(&b.listing.group));
        for state in GroupState::ALL {
            let count = groups.iter().filter(|shown| shown.listing.state == state).count();
            text.value("millrace_groups", &[state.name()], count);
        }
        for Shown { listing, .. } in &groups {
            text.value("millrace_group_members", &[&listing.group], listing.members);
        }
        for Shown { listing, offsets } in &groups {
            for (at, committed) in offsets {
                let end = directory.named(&at.topic).and_then(|topic| topic.partition(at.partition)).map(|open| open.state().high_watermark);
                let (Some(end), Some(committed)) = (end, committed) else { continue };
                let lag = end.0.saturating_sub(committed.offset).max(0);
                text.value("millrace_group_lag_records", &[&listing.group, &at.topic, &at.partition.to_string()], lag);
            }
        }
    }
}
