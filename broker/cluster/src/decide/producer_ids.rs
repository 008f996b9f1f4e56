//! Producer ids are given out in blocks, so that not every producer costs a metadata record.
use super::{Cluster, Decision};
use crate::record::Record;

const BLOCK: i64 = 1000;

/// Ids from `first`, `count` of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerIdBlock {
    pub first: i64,
    pub count: i64,
}

/// The next block, or none when every id has been used.
pub fn allocate_producer_ids(cluster: Cluster<'_>) -> Decision<Option<ProducerIdBlock>> {
    let first = cluster.image.next_producer_id().max(0);
    match first.checked_add(BLOCK) {
        Some(next) => Decision { records: vec![Record::ProducerIds { next }], reply: Some(ProducerIdBlock { first, count: BLOCK }) },
        None => Decision { records: Vec::new(), reply: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::testing::Fixture;

    #[test]
    fn blocks_never_overlap() {
        let mut fixture = Fixture::new();
        let mut firsts = Vec::new();
        for _ in 0..3 {
            let decision = allocate_producer_ids(fixture.cluster());
            firsts.push(decision.reply.expect("ids left").first);
            fixture.apply(decision.records);
        }
        assert_eq!(firsts, [0, 1000, 2000]);
        fixture.apply(vec![Record::ProducerIds { next: i64::MAX - 5 }]);
        assert_eq!(allocate_producer_ids(fixture.cluster()).reply, None);
    }
}
