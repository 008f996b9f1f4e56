//! `millrace consume`: records to standard output, from given partitions or as a member of a group.
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufWriter, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use millrace_client::{Client, Consumer, ConsumerConfig, GroupConfig, GroupEvent, GroupMember, Isolation, Polled, Position, TopicPartition};
use tokio::time::Instant;

use crate::common::{CliError, Connect, Outcome, unescape};
use crate::format::Printer;
use crate::progress::Progress;
use crate::topic::chosen;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  millrace consume orders -e                          everything there is
  millrace consume orders -o -5 -c 5                  the last five
  millrace consume orders -o @1700000000000 -o e@1700003600000 -e
  millrace consume orders -f '%T %p %o %k %v\\n'       own format
  millrace consume orders -G billing                  as a member of a group

Formats: %v value, %S its length, %k key, %K its length, %t topic, %p partition, %o offset, %T time in ms, %h headers")]
pub(crate) struct Args {
    /// What to read
    #[arg(required = true)]
    topics: Vec<String>,
    #[command(flatten)]
    connect: Connect,
    /// The partition; may be given again [default: all]
    #[arg(short, long)]
    partition: Vec<i32>,
    /// From: beginning, end, stored, N, -N (from the end), @MS or s@MS; until: e@MS [default: beginning; in a group: stored]
    #[arg(short, long, allow_hyphen_values = true)]
    offset: Vec<String>,
    /// Share the partitions with the other members of this group, and commit
    #[arg(short = 'G', long, conflicts_with = "partition")]
    group: Option<String>,
    /// Stop at the end of all partitions
    #[arg(short = 'e', long)]
    exit: bool,
    /// Stop after so many records
    #[arg(short, long)]
    count: Option<u64>,
    /// How to print a record
    #[arg(short, long)]
    format: Option<String>,
    /// Print one JSON object per record
    #[arg(short = 'J', long, conflicts_with = "format")]
    json: bool,
    /// Print keys, and this between key and value
    #[arg(short = 'K', long, value_name = "DELIM", conflicts_with_all = ["format", "json"])]
    key_delimiter: Option<String>,
    /// What ends a record
    #[arg(short = 'D', long, value_name = "DELIM", default_value = "\\n", conflicts_with_all = ["format", "json"])]
    delimiter: String,
    /// Print NULL for keys and values that are null
    #[arg(short = 'Z', long)]
    null: bool,
    /// Show every record at once, even on a pipe
    #[arg(short, long)]
    unbuffered: bool,
    /// Nothing on stderr but errors
    #[arg(short, long)]
    quiet: bool,
    /// See records of open and aborted transactions
    #[arg(long)]
    uncommitted: bool,
}

/// Where to start and where to stop.
struct Bounds {
    from: Option<Position>,
    until_ms: Option<i64>,
}

pub(crate) async fn run(args: Args) -> Outcome {
    let printer = args.printer().map_err(CliError::Usage)?;
    let bounds = args.bounds()?;
    let client = args.connect.client().await?;
    let isolation = if args.uncommitted { Isolation::ReadUncommitted } else { Isolation::ReadCommitted };
    let reset = match bounds.from {
        Some(Position::End) => Position::End,
        _ => Position::Beginning,
    };
    let config = ConsumerConfig { isolation, reset: args.group.is_some().then_some(reset), ..ConsumerConfig::usual() };
    let reader = Reader {
        out: BufWriter::with_capacity(1 << 16, std::io::stdout()),
        printer,
        progress: Progress::new("read", !std::io::stdout().is_terminal() && !args.quiet),
        left: args.count.unwrap_or(u64::MAX),
        until_ms: bounds.until_ms,
        ended: BTreeSet::new(),
        announce: !args.quiet,
        args: &args,
    };
    match &args.group {
        None => alone(&args, &client, config, bounds.from.unwrap_or(Position::Beginning), reader).await,
        Some(group) => shared(&args, &client, config, group, bounds.from, reader).await,
    }
}

impl Args {
    fn printer(&self) -> Result<Printer, String> {
        let null = if self.null { "NULL" } else { "" };
        if self.json {
            return Ok(Printer::Json);
        }
        if let Some(format) = &self.format {
            return Printer::compile(format, null);
        }
        let key_end = self.key_delimiter.as_deref().map(unescape).transpose()?;
        Ok(Printer::plain(key_end, unescape(&self.delimiter)?, null))
    }

    fn bounds(&self) -> Result<Bounds, CliError> {
        let mut bounds = Bounds { from: None, until_ms: None };
        for given in &self.offset {
            match given.strip_prefix("e@") {
                Some(time) => {
                    let time = time.parse().map_err(|_| CliError::Usage(format!("e@{time}: not a time in milliseconds")))?;
                    bounds.until_ms = Some(time);
                }
                None => bounds.from = Some(given.parse()?),
            }
        }
        Ok(bounds)
    }
}

/// Prints and counts, and knows when it is enough.
struct Reader<'a> {
    out: BufWriter<std::io::Stdout>,
    printer: Printer,
    progress: Progress,
    left: u64,
    until_ms: Option<i64>,
    ended: BTreeSet<TopicPartition>,
    announce: bool,
    args: &'a Args,
}

impl Reader<'_> {
    /// Prints what came; answers with the offset after the last record printed.
    fn print(&mut self, polled: &Polled) -> Result<i64, CliError> {
        let mut next = polled.next_offset;
        for record in &polled.records {
            if self.left == 0 {
                next = record.offset;
                break;
            }
            if self.until_ms.is_some_and(|until| record.timestamp >= until) {
                // Times need not rise with offsets; the first one past the bound ends the partition, as in kcat.
                self.end(polled);
                next = record.offset;
                break;
            }
            self.printer.print(record, &mut self.out)?;
            self.left -= 1;
            let bytes = record.value.as_ref().map_or(0, bytes::Bytes::len) + record.key.as_ref().map_or(0, bytes::Bytes::len);
            self.progress.add(1, bytes as u64);
            if self.args.unbuffered {
                self.out.flush()?;
            }
        }
        self.out.flush()?;
        if polled.at_end {
            self.end(polled);
        }
        Ok(next)
    }

    fn end(&mut self, polled: &Polled) {
        if self.ended.insert(polled.at.clone()) && self.announce && std::io::stderr().is_terminal() {
            let TopicPartition { topic, partition } = &polled.at;
            eprintln!("% reached the end of {topic} [{partition}] at offset {}", polled.next_offset);
        }
    }

    fn finished(&self, partitions: usize) -> bool {
        self.left == 0 || ((self.args.exit || self.until_ms.is_some()) && self.ended.len() >= partitions && partitions > 0)
    }
}

async fn alone(args: &Args, client: &Client, config: ConsumerConfig, from: Position, mut reader: Reader<'_>) -> Outcome {
    let mut places = Vec::new();
    for topic in &args.topics {
        let info = client.topic(topic, false).await?;
        let mut partitions = Vec::new();
        if args.partition.is_empty() {
            partitions = chosen(topic, &info, None)?;
        }
        for partition in &args.partition {
            partitions.extend(chosen(topic, &info, Some(*partition))?);
        }
        for partition in partitions {
            let at = TopicPartition::new(topic.as_str(), partition);
            let offset = client.locate(&at, from, config.isolation).await?;
            places.push((at, offset));
        }
    }
    let count = places.len();
    let mut consumer = Consumer::new(client.clone(), config);
    consumer.assign(places);
    let mut stop = std::pin::pin!(stopped());
    while !reader.finished(count) {
        tokio::select! {
            polled = consumer.next() => {
                let polled = polled?;
                reader.print(&polled)?;
                if reader.until_ms.is_some() && reader.ended.contains(&polled.at) {
                    consumer.drop_partition(&polled.at);
                }
            }
            () = &mut stop => break,
        }
    }
    reader.progress.end();
    Ok(ExitCode::SUCCESS)
}

const COMMIT_EVERY: Duration = Duration::from_secs(5);

async fn shared(args: &Args, client: &Client, config: ConsumerConfig, group: &str, from: Option<Position>, mut reader: Reader<'_>) -> Outcome {
    let mut member = GroupMember::new(client.clone(), GroupConfig::new(group, args.topics.clone()));
    let mut consumer = Consumer::new(client.clone(), config.clone());
    let mut done: BTreeMap<TopicPartition, i64> = BTreeMap::new();
    let mut assigned = 0;
    let mut commit_at = Instant::now() + COMMIT_EVERY;
    let mut stop = std::pin::pin!(stopped());
    while !reader.finished(assigned) {
        tokio::select! {
            biased;
            () = &mut stop => break,
            event = member.next() => match event? {
                GroupEvent::Revoked => {
                    commit(&member, &mut done, true).await?;
                    consumer.assign([]);
                    assigned = 0;
                }
                GroupEvent::Assigned(partitions) => {
                    assigned = partitions.len();
                    reader.ended.clear();
                    if reader.announce && std::io::stderr().is_terminal() {
                        eprintln!("% group {group}: {assigned} partitions are ours");
                    }
                    consumer.assign(starts(client, &config, group, from, partitions).await?);
                }
            },
            polled = consumer.next(), if assigned > 0 => {
                let polled = polled?;
                let next = reader.print(&polled)?;
                if !polled.records.is_empty() {
                    done.insert(polled.at.clone(), next);
                }
            }
            () = tokio::time::sleep_until(commit_at) => {
                commit(&member, &mut done, false).await?;
                commit_at = Instant::now() + COMMIT_EVERY;
            }
        }
    }
    commit(&member, &mut done, false).await?;
    member.leave().await?;
    reader.progress.end();
    Ok(ExitCode::SUCCESS)
}

/// Where each assigned partition goes on: what the group committed, else what was asked for.
async fn starts(client: &Client, config: &ConsumerConfig, group: &str, from: Option<Position>, partitions: Vec<TopicPartition>) -> Result<Vec<(TopicPartition, i64)>, CliError> {
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let committed = client.committed(group, Some(&partitions)).await?;
    let mut places = Vec::new();
    for at in partitions {
        let stored = committed.get(&at).map_or(-1, |committed| committed.offset);
        let offset = if stored >= 0 { stored } else { client.locate(&at, from.unwrap_or(Position::Beginning), config.isolation).await? };
        places.push((at, offset));
    }
    Ok(places)
}

/// Commits what was printed. When the group is joining anew somebody else may own it already: then it is read again.
async fn commit(member: &GroupMember, done: &mut BTreeMap<TopicPartition, i64>, leaving: bool) -> Result<(), CliError> {
    if done.is_empty() {
        return Ok(());
    }
    let offsets = std::mem::take(done);
    match member.commit(&offsets).await {
        Err(error) if leaving && error.code().is_some() => {
            eprintln!("millrace: {error}; records since the last commit will be read again");
            Ok(())
        }
        outcome => Ok(outcome?),
    }
}

/// Resolves at Ctrl-C or SIGTERM.
async fn stopped() {
    let mut terminate = match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(_) => return std::future::pending().await,
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
