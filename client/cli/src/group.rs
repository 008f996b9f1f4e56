//! `millrace group`: consumer groups from outside.
use std::collections::BTreeMap;
use std::process::ExitCode;

use millrace_client::{Client, Isolation, Position, TopicPartition};

use crate::common::{CliError, Connect, Outcome};
use crate::table;
use crate::topic::chosen;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Names and states of all groups
    List {
        #[command(flatten)]
        connect: Connect,
    },
    /// Members, committed offsets and lag of one group
    Describe {
        group: String,
        #[command(flatten)]
        connect: Connect,
    },
    /// Set committed offsets of a group without members
    #[command(after_help = "Examples:\n  millrace group reset billing -t orders --to beginning\n  millrace group reset billing -t orders --to @1700000000000")]
    Reset {
        group: String,
        #[command(flatten)]
        connect: Connect,
        #[arg(short, long)]
        topic: String,
        /// The partition [default: all]
        #[arg(short, long)]
        partition: Option<i32>,
        /// beginning, end, N, -N (from the end) or @MILLISECONDS
        #[arg(long, allow_hyphen_values = true)]
        to: Position,
    },
    /// Delete groups that have no members
    Delete {
        #[arg(required = true)]
        groups: Vec<String>,
        #[command(flatten)]
        connect: Connect,
    },
}

pub(crate) async fn run(command: Command) -> Outcome {
    match command {
        Command::List { connect } => {
            let groups = connect.client().await?.groups().await?;
            let rows = groups.into_iter().map(|group| vec![group.group, group.protocol_type, group.state]).collect::<Vec<_>>();
            table::print(&["group", "type", "state"], &rows)?;
        }
        Command::Describe { group, connect } => describe(&connect.client().await?, &group).await?,
        Command::Reset { group, connect, topic, partition, to } => {
            let client = connect.client().await?;
            let info = client.topic(&topic, false).await?;
            let mut offsets = BTreeMap::new();
            for partition in chosen(&topic, &info, partition)? {
                let at = TopicPartition::new(topic.as_str(), partition);
                let offset = client.locate(&at, to, Isolation::ReadUncommitted).await?;
                offsets.insert(at, offset);
            }
            client.commit(&group, "", -1, &offsets).await?;
            let rows = offsets.iter().map(|(at, offset)| vec![at.topic.clone(), at.partition.to_string(), offset.to_string()]);
            table::print(&["topic", "partition", "offset"], &rows.collect::<Vec<_>>())?;
        }
        Command::Delete { groups, connect } => {
            let client = connect.client().await?;
            let mut failed = false;
            for group in &groups {
                if let Err(error) = client.delete_group(group).await {
                    eprintln!("millrace: {error}");
                    failed = true;
                }
            }
            return Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS });
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn describe(client: &Client, group: &str) -> Result<(), CliError> {
    let found = client.describe_group(group).await?;
    eprintln!("group {} is {}, {} members", found.group, found.state, found.members.len());
    for member in &found.members {
        eprintln!("  {} ({} at {})", member.member, member.client_id, member.host);
    }
    let mut rows = Vec::new();
    for (at, committed) in client.committed(group, None).await? {
        let end = client.list_offset(&at, -1, Isolation::ReadUncommitted).await.map(|listed| listed.offset);
        let (end, lag) = match end {
            Ok(end) => (end.to_string(), (end - committed.offset).max(0).to_string()),
            // The topic may be gone; its committed offsets are not.
            Err(_) => ("?".into(), "?".into()),
        };
        rows.push(vec![at.topic, at.partition.to_string(), committed.offset.to_string(), end, lag]);
    }
    Ok(table::print(&["topic", "partition", "committed", "end", "lag"], &rows)?)
}
