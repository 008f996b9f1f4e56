//! `/metrics` of a node that has done some work: every row of the table is there, under Prometheus' rules, with the right numbers.
mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::{TestNode, batch, fetch, topic};
use millrace::metrics::{METRICS, MetricKind};
use millrace_protocol::StrBytes;
use millrace_protocol::messages as m;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn get(node: &TestNode, path: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(node.http()).await.expect("http is on");
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.expect("a request can be sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

/// Sample, with its labels, to value.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && line.starts_with("millrace_"));
    lines.map(|line| line.rsplit_once(' ').expect("a name and a value")).map(|(name, value)| (name.to_owned(), value.parse().expect("a number"))).collect()
}

#[tokio::test]
async fn every_row_is_served_by_the_rules_and_with_the_right_numbers() {
    let node = TestNode::with("offsets.topic.num.partitions=1\n").await;
    let mut client = node.connect().await;
    client.create_topic("t", 1, &[]).await;
    for _ in 0..3 {
        client.produce("t", batch(&["a", "b"])).await;
    }
    client.ask(&fetch("t", 0, 0), 11).await;
    // A group that has read two of the six, and one that has a member.
    use m::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
    let asked = OffsetCommitRequestTopic::default().with_name(topic("t")).with_partitions(vec![OffsetCommitRequestPartition::default().with_committed_offset(2)]);
    let commit = m::OffsetCommitRequest::default().with_group_id(m::GroupId(StrBytes::from_static_str("g"))).with_topics(vec![asked]);
    client.ask(&m::FindCoordinatorRequest::default().with_key(StrBytes::from_static_str("g")), 1).await;
    for _ in 0..100 {
        if client.ask(&commit, 7).await.topics[0].partitions[0].error_code == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let text = get(&node, "/metrics").await;
    assert!(text.contains("text/plain; version=0.0.4"), "{text:.300}");
    for metric in METRICS {
        assert!(text.contains(&format!("# TYPE {} {}\n", metric.name, metric.kind.name())), "{} is not served", metric.name);
        assert!(text.contains(&format!("# HELP {} ", metric.name)), "{} has no help", metric.name);
        // Base units, last in the name; a counter's total behind them.
        let unit = metric.name.strip_suffix("_total").unwrap_or(metric.name);
        assert!(!unit.ends_with("_ms") && !unit.ends_with("_us") && !unit.ends_with("_kb"), "{}: seconds and bytes", metric.name);
        for label in metric.labels {
            assert!(text.contains(&format!("{label}=\"")), "{}: no label {label}", metric.name);
        }
    }
    let samples = samples(&text);
    let of = |name: &str| *samples.get(name).unwrap_or_else(|| panic!("{name} is not there:\n{text}"));
    assert_eq!(of("millrace_produced_records_total"), 6.0);
    assert_eq!(of("millrace_log_end_offset{topic=\"t\",partition=\"0\"}"), 6.0);
    assert_eq!(of("millrace_log_high_watermark{topic=\"t\",partition=\"0\"}"), 6.0);
    assert_eq!(of("millrace_group_lag_records{group=\"g\",topic=\"t\",partition=\"0\"}"), 4.0);
    assert_eq!(of("millrace_requests_total{api=\"Produce\"}"), 3.0);
    assert_eq!(of("millrace_raft_uncommitted_records{topic=\"t\",partition=\"0\"}"), 0.0);
    assert!(of("millrace_raft_term{topic=\"t\",partition=\"0\"}") >= 0.0);
    assert_eq!(of("millrace_disk_failed") + of("millrace_disk_full"), 0.0);
    assert!(of("millrace_fsync_seconds_count") >= 3.0 && of("millrace_fsync_seconds_sum") > 0.0);
    for metric in METRICS.iter().filter(|metric| metric.kind == MetricKind::Histogram && metric.labels.is_empty()) {
        let (all, counted) = (of(&format!("{}_bucket{{le=\"+Inf\"}}", metric.name)), of(&format!("{}_count", metric.name)));
        assert_eq!(all, counted, "{}", metric.name);
        assert!(counted > 0.0, "{} saw nothing", metric.name);
    }
    assert!(get(&node, "/health/live").await.contains(" 200 "));
    assert!(get(&node, "/health/ready").await.contains(" 200 "));
}
