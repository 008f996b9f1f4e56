//! What is measured: partitions x request size x when the broker syncs.

/// One kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scenario {
    /// Partitions of the topic; requests go round.
    pub partitions: i32,
    /// Records in a request, all for one partition.
    pub records: usize,
    /// Bytes of a record's value.
    pub value_bytes: usize,
    /// True: `flush.messages=1`, each answer waits for the disk. False: Kafka's default.
    pub flush: bool,
    /// Connections, each with a thread of ours.
    pub connections: usize,
    /// Requests on their way on each connection.
    pub in_flight: usize,
}

impl Scenario {
    pub fn name(&self) -> String {
        let size = if self.records == 1 { "1-record".to_owned() } else { format!("{}KiB", self.records * self.value_bytes >> 10) };
        let flush = if self.flush { "flush.messages=1" } else { "kafka-flush" };
        format!("{}p-{size}-{flush}", self.partitions)
    }

    pub fn topic_configs(&self) -> Vec<(String, String)> {
        let flush = if self.flush { "1" } else { "9223372036854775807" };
        // A minute of deleted topics fills a disk at these rates.
        let deleted_at_once = ("file.delete.delay.ms".into(), "0".into());
        vec![("flush.messages".into(), flush.into()), ("retention.ms".into(), "-1".into()), deleted_at_once]
    }
}

/// Every scenario, those with Kafka's flush first.
pub fn all() -> Vec<Scenario> {
    let mut all = Vec::new();
    for flush in [false, true] {
        for partitions in [1, 100] {
            for (records, connections, in_flight) in [(128, 4, 5), (1, 8, 32)] {
                all.push(Scenario { partitions, records, value_bytes: 1024, flush, connections, in_flight });
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_scenarios_apart() {
        let names: std::collections::BTreeSet<_> = all().iter().map(Scenario::name).collect();
        assert_eq!(names.len(), all().len());
        assert!(names.contains("100p-128KiB-flush.messages=1"), "{names:?}");
    }
}
