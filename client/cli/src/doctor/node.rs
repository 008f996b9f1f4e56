//! A node that runs, asked over the wire as any client would ask it.
use std::time::{Duration, Instant};

use millrace_client::{Client, Isolation, TopicPartition};

use super::Findings;
use crate::common::{CliError, Connect};

pub(super) async fn ask(connect: &Connect, findings: &mut Findings) -> Result<(), CliError> {
    let address = connect.address();
    let client = match connect.client().await {
        Ok(client) => client,
        Err(error) => {
            findings.bad(error, "is the node running, and is this its address? `millrace start` prints it; -b names another");
            return Ok(());
        }
    };
    let began = Instant::now();
    let metadata = client.refresh(None, false).await?;
    let took = began.elapsed();
    findings.ok(format!("{address} answers in {:.1} ms, cluster {}", took.as_secs_f64() * 1e3, metadata.cluster_id.as_deref().unwrap_or("without an id")));
    if took > Duration::from_millis(100) {
        findings.warn("that is slow", "look at CPU and disk of the node");
    }
    if !metadata.brokers.contains_key(&metadata.controller) {
        findings.bad("no controller", "topics cannot be made or changed until a majority of the controllers is up");
    }
    for broker in metadata.brokers.values() {
        match client.broker(broker.id).await {
            Ok(_) => findings.ok(format!("broker {} at {} can be reached", broker.id, broker.address())),
            Err(error) => findings.bad(format!("broker {}: {error}", broker.id), "clients connect to what advertised.listeners says: is it right, and the broker up?"),
        }
    }
    partitions(&client, findings).await?;
    match client.groups().await {
        Ok(groups) => findings.ok(format!("{} consumer groups", groups.len())),
        Err(error) => findings.bad(error, "the group coordinator is not ready"),
    }
    Ok(())
}

async fn partitions(client: &Client, findings: &mut Findings) -> Result<(), CliError> {
    let topics = client.metadata().topics.clone();
    let (mut count, mut sampled) = (0, None);
    for (topic, info) in &topics {
        for (number, partition) in &info.partitions {
            count += 1;
            let at = TopicPartition::new(topic.as_str(), *number);
            if partition.leader < 0 {
                findings.bad(format!("{at} has no leader"), "its replicas are down or have no majority: start them");
            } else if partition.isr.len() < partition.replicas.len() {
                let behind: Vec<_> = partition.replicas.iter().filter(|id| !partition.isr.contains(id)).collect();
                findings.warn(format!("{at}: brokers {behind:?} are behind or down"), "one more loss may stop it; start them");
            } else {
                sampled.get_or_insert(at);
            }
        }
    }
    findings.ok(format!("{} topics, {count} partitions", topics.len()));
    if let Some(at) = sampled {
        match client.list_offset(&at, -1, Isolation::ReadUncommitted).await {
            Ok(listed) => findings.ok(format!("{at} answers: end offset {}", listed.offset)),
            Err(error) => findings.bad(format!("{at}: {error}"), "the partition's leader does not serve; see the node's log"),
        }
    }
    Ok(())
}
