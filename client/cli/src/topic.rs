//! `millrace topic`: the topics of a cluster.
use std::collections::BTreeMap;
use std::process::ExitCode;

use millrace_client::{Client, ConfigOp, ConfigResource, Isolation, NewTopic, TopicInfo, TopicPartition};

use crate::common::{CliError, Connect, Outcome, key_value};
use crate::table;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Names, partitions and replicas of all topics
    List {
        #[command(flatten)]
        connect: Connect,
        /// Also the cluster's own topics
        #[arg(long)]
        internal: bool,
    },
    /// Partitions, offsets and changed configs of one topic
    Describe {
        topic: String,
        #[command(flatten)]
        connect: Connect,
        /// Also configs that nobody changed
        #[arg(long)]
        all_configs: bool,
    },
    /// Make a topic
    #[command(after_help = "Example: millrace topic create orders -p 12 -c cleanup.policy=compact")]
    Create {
        topic: String,
        #[command(flatten)]
        connect: Connect,
        /// How many partitions [default: the broker's]
        #[arg(short, long)]
        partitions: Option<i32>,
        /// How many replicas [default: the broker's]
        #[arg(short, long)]
        replication: Option<i16>,
        /// A config that differs from the default; may be given again
        #[arg(short, long, value_name = "KEY=VALUE", value_parser = key_value)]
        config: Vec<(String, String)>,
        /// It is no failure that the topic exists
        #[arg(long)]
        if_not_exists: bool,
        /// Only check
        #[arg(long)]
        dry_run: bool,
    },
    /// Delete topics with all their records
    Delete {
        #[arg(required = true)]
        topics: Vec<String>,
        #[command(flatten)]
        connect: Connect,
    },
    /// Add partitions; records with a key may then go elsewhere than before
    Grow {
        topic: String,
        /// How many there are to be in all
        partitions: i32,
        #[command(flatten)]
        connect: Connect,
    },
    /// Show or change a topic's configs
    #[command(after_help = "Example: millrace topic config orders --set retention.ms=-1 --unset retention.bytes")]
    Config {
        topic: String,
        #[command(flatten)]
        connect: Connect,
        /// Set a config
        #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
        set: Vec<(String, String)>,
        /// Back to the default
        #[arg(long, value_name = "KEY")]
        unset: Vec<String>,
    },
    /// Delete the records below an offset
    Trim {
        topic: String,
        #[command(flatten)]
        connect: Connect,
        /// The partition [default: all]
        #[arg(short, long)]
        partition: Option<i32>,
        /// The offset that becomes the first; -1: delete all
        #[arg(long, allow_negative_numbers = true)]
        before: i64,
    },
}

pub(crate) async fn run(command: Command) -> Outcome {
    match command {
        Command::List { connect, internal } => list(&connect.client().await?, internal).await?,
        Command::Describe { topic, connect, all_configs } => describe(&connect.client().await?, &topic, all_configs).await?,
        Command::Create { topic, connect, partitions, replication, config, if_not_exists, dry_run } => {
            let wanted = NewTopic {
                name: topic.clone(),
                partitions: partitions.unwrap_or(-1),
                replication: replication.unwrap_or(-1),
                assignment: BTreeMap::new(),
                configs: config,
            };
            for (_, outcome) in connect.client().await?.create_topics(&[wanted], dry_run).await? {
                match outcome {
                    Err(error) if if_not_exists && error.code() == Some(millrace_client::Code::TOPIC_ALREADY_EXISTS) => {}
                    outcome => outcome?,
                }
            }
        }
        Command::Delete { topics, connect } => {
            let names: Vec<&str> = topics.iter().map(String::as_str).collect();
            return all(connect.client().await?.delete_topics(&names).await?);
        }
        Command::Grow { topic, partitions, connect } => connect.client().await?.create_partitions(&topic, partitions).await?,
        Command::Config { topic, connect, set, unset } => {
            let client = connect.client().await?;
            let resource = ConfigResource::Topic(topic);
            let set = set.into_iter().map(|(key, value)| ConfigOp::Set(key, value));
            let changes: Vec<ConfigOp> = set.chain(unset.into_iter().map(ConfigOp::Delete)).collect();
            if changes.is_empty() {
                configs(&client, &resource, true).await?;
            } else {
                client.alter_configs(&resource, &changes).await?;
            }
        }
        Command::Trim { topic, connect, partition, before } => {
            let client = connect.client().await?;
            let info = client.topic(&topic, false).await?;
            for partition in chosen(&topic, &info, partition)? {
                let at = TopicPartition::new(topic.as_str(), partition);
                // "-1" means the end of each partition; another offset may lie beyond a shorter one's end.
                let end = client.list_offset(&at, -1, Isolation::ReadUncommitted).await?.offset;
                let low = client.delete_records(&at, if before < 0 { -1 } else { before.min(end) }).await?;
                println!("{at} begins at {low}");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One partition or all of them, as given.
pub(crate) fn chosen(topic: &str, info: &TopicInfo, partition: Option<i32>) -> Result<Vec<i32>, CliError> {
    match partition {
        None => Ok(info.partitions.keys().copied().collect()),
        Some(partition) if info.partitions.contains_key(&partition) => Ok(vec![partition]),
        Some(partition) => Err(CliError::Failed(format!("topic {topic} has no partition {partition}, only {}", info.partitions.len()))),
    }
}

/// Says every failure and fails if there was one.
fn all(outcomes: Vec<millrace_client::TopicOutcome>) -> Outcome {
    let failures: Vec<_> = outcomes.into_iter().filter_map(|(_, outcome)| outcome.err()).collect();
    for failure in &failures {
        eprintln!("millrace: {failure}");
    }
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn list(client: &Client, internal: bool) -> Result<(), CliError> {
    let mut rows = Vec::new();
    for (name, info) in client.topics().await?.iter().filter(|(_, info)| internal || !info.internal) {
        let replicas = info.partitions.values().next().map_or(0, |partition| partition.replicas.len());
        let led = info.partitions.values().filter(|partition| partition.leader >= 0).count();
        let health = if led == info.partitions.len() { "ok".into() } else { format!("{} without a leader", info.partitions.len() - led) };
        rows.push(vec![name.clone(), info.partitions.len().to_string(), replicas.to_string(), health]);
    }
    Ok(table::print(&["topic", "partitions", "replicas", "health"], &rows)?)
}

async fn describe(client: &Client, topic: &str, all_configs: bool) -> Result<(), CliError> {
    let info = client.topic(topic, false).await?;
    let ids = |ids: &[i32]| ids.iter().map(i32::to_string).collect::<Vec<_>>().join(",");
    let mut rows = Vec::new();
    for (number, partition) in &info.partitions {
        let at = TopicPartition::new(topic, *number);
        let first = client.list_offset(&at, -2, Isolation::ReadUncommitted).await?.offset;
        let end = client.list_offset(&at, -1, Isolation::ReadUncommitted).await?.offset;
        let numbers = [i64::from(*number), i64::from(partition.leader), i64::from(partition.leader_epoch)];
        let mut row: Vec<String> = numbers.iter().map(i64::to_string).collect();
        row.extend([ids(&partition.replicas), ids(&partition.isr), first.to_string(), end.to_string()]);
        rows.push(row);
    }
    table::print(&["partition", "leader", "epoch", "replicas", "in sync", "first", "end"], &rows)?;
    println!();
    configs(client, &ConfigResource::Topic(topic.to_owned()), all_configs).await
}

async fn configs(client: &Client, resource: &ConfigResource, all: bool) -> Result<(), CliError> {
    let source = |source: i8| match source {
        1 => "topic",
        2 | 3 => "broker",
        4 => "server.properties",
        5 => "default",
        _ => "other",
    };
    let entries = client.describe_configs(resource).await?;
    let rows = entries.into_iter().filter(|entry| all || entry.source == 1).map(|entry| {
        vec![entry.name, entry.value.unwrap_or_else(|| "(hidden)".into()), source(entry.source).to_owned()]
    });
    Ok(table::print(&["config", "value", "from"], &rows.collect::<Vec<_>>())?)
}
