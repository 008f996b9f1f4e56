//! Every metric, once: name (unit last), kind, labels, help.

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetricKind {
    Counter,
    Gauge,
    Histogram,
}

impl MetricKind {
    pub fn name(self) -> &'static str {
        match self {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        }
    }
}

#[derive(Debug)]
pub struct Metric {
    pub name: &'static str,
    pub kind: MetricKind,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Counter, labels, help }
}
const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Gauge, labels, help }
}
const fn histogram(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Histogram, labels, help }
}

pub const METRICS: &[Metric] = &[
    counter("millrace_requests_total", &["api"], "Requests answered, or ended without an answer where none is due."),
    counter("millrace_request_bytes_total", &["api"], "Bytes of those requests, as they came."),
    counter("millrace_response_bytes_total", &["api"], "Bytes of their answers."),
    histogram("millrace_request_seconds", &["api"], "From a request's last byte in to its answer's way out."),
    gauge("millrace_queued_request_bytes", &[], "Bytes of requests that have begun and are not answered."),
    gauge("millrace_unsent_response_bytes", &[], "Bytes of answers that clients have not taken yet."),
    gauge("millrace_connections", &[], "Open connections, on all listeners."),
    counter("millrace_connections_opened_total", &[], "Connections that were accepted."),
    counter("millrace_produced_bytes_total", &[], "Bytes of batches that were appended for clients."),
    counter("millrace_produced_records_total", &[], "Records in those batches."),
    counter("millrace_produce_failures_total", &[], "Batches that were refused or failed."),
    counter("millrace_fetched_bytes_total", &[], "Bytes of records that went to clients."),
    counter("millrace_fetch_failures_total", &[], "Partitions that were asked for and answered with an error."),
    histogram("millrace_fsync_seconds", &[], "Time that the disk took to make something durable."),
    histogram("millrace_turn_appends", &[], "Batches that one turn of the shard took together: what one fsync pays for."),
    histogram("millrace_turn_append_bytes", &[], "Bytes of those batches."),
    gauge("millrace_disk_failed", &[], "1 once a write or fsync has failed: nothing more is written until a restart."),
    gauge("millrace_disk_full", &[], "1 while appends are refused for want of room."),
    gauge("millrace_partitions", &[], "Partitions open on this node."),
    gauge("millrace_topics", &[], "Topics of the cluster."),
    gauge("millrace_log_size_bytes", &["topic", "partition"], "Bytes of the partition's segments."),
    gauge("millrace_log_start_offset", &["topic", "partition"], "The first offset that can be read."),
    gauge("millrace_log_end_offset", &["topic", "partition"], "One past the last offset of this replica."),
    gauge("millrace_log_high_watermark", &["topic", "partition"], "Offsets below this one are committed."),
    gauge("millrace_is_leader", &["topic", "partition"], "1 where this node leads."),
    gauge("millrace_raft_term", &["topic", "partition"], "The Raft term, which is the leader epoch that clients see; -1 before the first election."),
    gauge("millrace_raft_uncommitted_records", &["topic", "partition"], "Records at the end of this replica's log that are not committed yet."),
    gauge("millrace_fetch_sessions", &[], "Incremental fetch sessions in the cache."),
    gauge("millrace_groups", &["state"], "Consumer groups that this node coordinates."),
    gauge("millrace_group_members", &["group"], "Members of the group."),
    gauge("millrace_group_lag_records", &["group", "topic", "partition"], "Records between what the group has committed and the high watermark."),
];

/// The row of this name. Names are constants of this crate: a missing row is a bug.
pub fn named(name: &str) -> &'static Metric {
    METRICS.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("the metrics table has no row {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_counters_end_in_total() {
        for (at, metric) in METRICS.iter().enumerate() {
            assert!(METRICS[..at].iter().all(|other| other.name != metric.name), "{}", metric.name);
            assert_eq!(metric.kind == MetricKind::Counter, metric.name.ends_with("_total"), "{}", metric.name);
        }
    }
}
