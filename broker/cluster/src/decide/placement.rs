//! Which nodes hold a new partition.
use std::collections::BTreeSet;

use super::{Reason, Refusal, refuse};
use crate::image::Image;

/// `replicas` nodes for each of `count` partitions, the first to lead. Partitions go round the nodes,
/// beginning where the partition numbers stand, so that leaders and replicas spread evenly.
pub(super) fn spread(image: &Image, first: usize, count: usize, replicas: i64) -> Result<Vec<Vec<i32>>, Refusal> {
    let nodes: Vec<i32> = image.nodes().keys().copied().collect();
    let width = match usize::try_from(replicas) {
        Ok(width) if (1..=nodes.len()).contains(&width) => width,
        _ => {
            return refuse(
                Reason::InvalidReplicationFactor,
                format!(
                    "Unable to replicate the partition {replicas} time(s): The target replication factor of {replicas} cannot be reached because only {} broker(s) are registered.",
                    nodes.len()
                ),
            );
        }
    };
    let place = |partition: usize| (0..width).map(|replica| nodes[(partition + replica) % nodes.len()]).collect();
    Ok((first..first + count).map(place).collect())
}

/// A list of nodes that a client chose by hand. `width` is the number of replicas that the topic's other partitions have.
pub(super) fn check_manual(image: &Image, nodes: &[i32], width: Option<usize>) -> Result<(), Refusal> {
    let refuse = |message: String| refuse(Reason::InvalidReplicaAssignment, message);
    if nodes.is_empty() {
        return refuse("The manual partition assignment includes an empty replica list.".to_owned());
    }
    let mut seen = BTreeSet::new();
    for node in nodes {
        if !image.nodes().contains_key(node) {
            return refuse(format!("The manual partition assignment includes broker {node}, but no such broker is registered."));
        }
        if !seen.insert(node) {
            return refuse(format!("The manual partition assignment includes the broker {node} more than once."));
        }
    }
    match width {
        Some(width) if width != nodes.len() => refuse(format!(
            "The manual partition assignment includes a partition with {} replica(s), but this is not consistent with previous partitions, which have {width} replica(s).",
            nodes.len()
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;

    #[test]
    fn leaders_go_round() {
        let mut image = Image::default();
        for id in [1, 2, 5] {
            image.take(Record::Node { id, rack: None, endpoints: Vec::new() });
        }
        assert_eq!(spread(&image, 0, 4, 2).expect("fits"), [vec![1, 2], vec![2, 5], vec![5, 1], vec![1, 2]]);
        assert_eq!(spread(&image, 4, 1, 3).expect("fits"), [vec![2, 5, 1]]);
        assert!(spread(&image, 0, 1, 4).expect_err("too many").message.contains("only 3 broker(s)"));
    }
}
