//! `millrace doctor`: what is wrong with a node, a configuration or a data directory, and what to do about it.
//!
//! Looks and never changes anything. Every finding is one line: `ok`, `warn` or `BAD`, then what was seen, then advice.
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use millrace_client::{Client, Isolation, TopicPartition};
use millrace_cluster::config::{self, Effect, Properties};
use millrace_record::Frame;

use crate::cat::{Fate, segments, walk};
use crate::common::{CliError, Connect, Outcome};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  millrace doctor                         the node at 127.0.0.1:9092
  millrace doctor server.properties       a configuration
  millrace doctor millrace-data           a data directory (every checksum is read)")]
pub(crate) struct Args {
    /// A server.properties file or a data directory [default: ask the node]
    path: Option<PathBuf>,
    #[command(flatten)]
    connect: Connect,
}

#[derive(Default)]
struct Findings {
    bad: usize,
    warned: usize,
}

impl Findings {
    fn ok(&mut self, seen: impl std::fmt::Display) {
        println!("ok    {seen}");
    }

    fn warn(&mut self, seen: impl std::fmt::Display, advice: &str) {
        self.warned += 1;
        println!("warn  {seen}\n      -> {advice}");
    }

    fn bad(&mut self, seen: impl std::fmt::Display, advice: &str) {
        self.bad += 1;
        println!("BAD   {seen}\n      -> {advice}");
    }

    fn end(self) -> ExitCode {
        match (self.bad, self.warned) {
            (0, 0) => println!("nothing is wrong"),
            (bad, warned) => println!("{bad} bad, {warned} to look at"),
        }
        if self.bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

pub(crate) async fn run(args: Args) -> Outcome {
    let mut findings = Findings::default();
    match &args.path {
        Some(path) if path.is_dir() => directory(path, &mut findings)?,
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(CliError::file(path.display()))?;
            configuration(&text, &mut findings);
        }
        None => node(&args.connect, &mut findings).await?,
    }
    Ok(findings.end())
}

fn configuration(text: &str, findings: &mut Findings) {
    let properties = match Properties::parse(text) {
        Ok(properties) => properties,
        Err(error) => return findings.bad(error, "write one key=value per line"),
    };
    for name in properties.unknown() {
        match nearest(name) {
            Some(known) => findings.warn(format!("{name} is no config and has no effect"), &format!("did you mean {known}?")),
            None => findings.warn(format!("{name} is no config and has no effect"), "take it out, or see the reference of configs"),
        }
    }
    let mut good = 0;
    for (name, value) in &properties.values {
        let Some(key) = config::broker_key(name) else { continue };
        match config::check(key, value) {
            Ok(()) if key.effect == Effect::Refused && Some(value.as_str()) != key.default && !value.is_empty() => {
                findings.bad(format!("{name} asks for what is not here yet: {}", key.doc), "the broker will not start with it: take it out");
            }
            Ok(()) => good += 1,
            Err(error) => findings.bad(error, "the broker will not start with it"),
        }
    }
    findings.ok(format!("{good} configs have valid values"));
    let get = |name: &str| properties.values.get(name).map(String::as_str);
    if get("flush.messages").or(get("log.flush.interval.messages")).is_some_and(|value| value != "1") {
        findings.warn("acknowledged records may be lost when the machine loses power", "log.flush.interval.messages=1 syncs before every answer");
    }
    listeners(&get, findings);
    let number = |name: &str| get(name).or_else(|| config::broker_key(name)?.default).and_then(|value| value.parse::<i64>().ok());
    if number("message.max.bytes") > number("socket.request.max.bytes") {
        findings.bad("message.max.bytes is larger than socket.request.max.bytes: such a batch closes the connection", "raise socket.request.max.bytes");
    }
    if number("min.insync.replicas").is_some_and(|least| least > 1) {
        findings.bad("min.insync.replicas is above 1, and there is one node: every write with acks=all is refused", "leave it at 1 until there are more nodes");
    }
    if number("log.retention.check.interval.ms") > number("log.retention.ms").filter(|kept| *kept > 0) && get("log.retention.ms").is_some() {
        findings.warn("log.retention.ms is shorter than log.retention.check.interval.ms: records stay until the next check", "shorten the interval too");
    }
    if get("controller.quorum.voters").is_some_and(|voters| voters.contains(',')) {
        findings.bad("controller.quorum.voters names several nodes, and there are no clusters yet", "the broker will not start with it: name this node alone");
    }
    if get("log.dirs").is_some_and(|folders| folders.contains(',')) {
        findings.warn("log.dirs names several folders, and only the first is used", "name the first alone");
    }
}

/// What listeners promise that cannot be kept, and who can reach them.
fn listeners<'a>(get: &impl Fn(&str) -> Option<&'a str>, findings: &mut Findings) {
    let Some(addresses) = get("listeners") else { return };
    let protocols = get("listener.security.protocol.map").unwrap_or_default();
    let controllers = get("controller.listener.names").unwrap_or_default();
    for one in addresses.split(',').map(str::trim) {
        let name = one.split("://").next().unwrap_or_default();
        if controllers.split(',').any(|controller| controller.trim() == name) {
            continue;
        }
        let mapped = protocols.split(',').find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix(':'));
        let protocol = mapped.unwrap_or(name);
        if protocol != "PLAINTEXT" {
            findings.bad(format!("{one} asks for {protocol}, and TLS and SASL are not here yet"), "the broker will not start with it: use PLAINTEXT on a loopback or trusted address");
        } else if !is_loopback(one) && get("allow.everyone.if.no.acl.found") != Some("true") {
            let seen = format!("{one} is open to other machines, and nobody has to say who they are");
            findings.bad(seen, "the broker will not start with it: bind 127.0.0.1, or, on a trusted network, say allow.everyone.if.no.acl.found=true");
        }
    }
}

fn is_loopback(listener: &str) -> bool {
    let address = listener.split("://").nth(1).unwrap_or(listener);
    address.starts_with("127.") || address.starts_with("localhost") || address.starts_with("[::1]")
}

/// The known config that differs least, where it differs by a slip of the fingers.
fn nearest(name: &str) -> Option<&'static str> {
    let best = config::broker_keys().map(|key| (distance(name, key.name), key.name)).min()?;
    (best.0 <= 1 + name.len() / 8).then_some(best.1)
}

/// How many letters must be changed, added or left out to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

fn directory(path: &Path, findings: &mut Findings) -> Result<(), CliError> {
    let segments = segments(path)?;
    if segments.is_empty() {
        findings.warn(format!("{} holds no segment files", path.display()), "is it the directory that log.dirs names?");
        return Ok(());
    }
    let (mut batches, mut bytes) = (0_u64, 0_u64);
    let last_of_folder = |at: usize| segments.get(at + 1).is_none_or(|next| next.parent() != segments[at].parent());
    let mut expected: Option<(PathBuf, i64)> = None;
    for (at, segment) in segments.iter().enumerate() {
        let folder = segment.parent().map(Path::to_owned).unwrap_or_default();
        let mut next = expected.take().filter(|(before, _)| *before == folder).map(|(_, next)| next);
        let mut backwards = None;
        let fate = walk(segment, &mut |found| {
            bytes += found.bytes.len() as u64;
            if let Frame::Batch(header, _) = found.frame {
                batches += 1;
                if next.is_some_and(|next| header.base_offset.0 < next) && backwards.is_none() {
                    backwards = Some((found.at, header.base_offset.0));
                }
                next = Some(header.next_offset().0);
            }
            Ok(())
        })?;
        if let Some((at, offset)) = backwards {
            findings.bad(format!("{}: offset {offset} comes again at byte {at}", segment.display()), "files of another partition or an old copy lie here");
        }
        expected = next.map(|next| (folder, next));
        match fate {
            Fate::Whole => {}
            Fate::Damaged { at: byte, why } if last_of_folder(at) => findings.warn(
                format!("{}: unfinished at byte {byte}: {why}", segment.display()),
                "a torn tail is cut off at the next start; if this was synced before, the start will say so and refuse",
            ),
            Fate::Damaged { at: byte, why } => {
                findings.bad(format!("{}: damaged at byte {byte}: {why}", segment.display()), "the disk lost what it had; restore this partition from a replica or a copy");
            }
        }
    }
    findings.ok(format!("{} segment files, {batches} batches, {bytes} bytes: read, checksums compared", segments.len()));
    Ok(())
}

async fn node(connect: &Connect, findings: &mut Findings) -> Result<(), CliError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_fingers_are_recognised() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(nearest("log.dir.s"), Some("log.dirs"));
        assert_eq!(nearest("completely.different"), None);
    }

    #[test]
    fn a_configuration_is_judged_line_by_line() {
        let judged = |text| {
            let mut findings = Findings::default();
            configuration(text, &mut findings);
            (findings.bad, findings.warned)
        };
        assert_eq!(judged("node.id=1\nlog.dirs=data\n"), (0, 0));
        assert_eq!(judged("num.partitoins=3\n"), (0, 1));
        assert_eq!(judged("num.partitions=many\n"), (1, 0));
        assert_eq!(judged("listeners=PLAINTEXT://0.0.0.0:9092\n"), (1, 0));
        assert_eq!(judged("listeners=PLAINTEXT://0.0.0.0:9092\nallow.everyone.if.no.acl.found=true\n"), (0, 0));
        assert_eq!(judged("listeners=SSL://127.0.0.1:9093,PLAINTEXT://127.0.0.1:9092\n"), (1, 0));
        assert_eq!(judged("listeners=INSIDE://127.0.0.1:9092\nlistener.security.protocol.map=INSIDE:PLAINTEXT\n"), (0, 0));
        assert_eq!(judged("listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093\ncontroller.listener.names=CONTROLLER\n"), (0, 0));
        assert_eq!(judged("authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n"), (1, 0));
        assert_eq!(judged("remote.log.storage.system.enable=true\n"), (1, 0));
        assert_eq!(judged("remote.log.storage.system.enable=false\n"), (0, 0));
        assert_eq!(judged("min.insync.replicas=2\n"), (1, 0));
        assert_eq!(judged("message.max.bytes=200000000\n"), (1, 0));
        assert_eq!(judged("log.dirs=a,b\n"), (0, 1));
        assert_eq!(judged("controller.quorum.voters=1@a:9093,2@b:9093\n"), (1, 0));
        assert_eq!(judged("log.retention.ms=1000\n"), (0, 1));
        assert_eq!(judged("log.flush.interval.messages=10000\n"), (0, 1));
    }
}
