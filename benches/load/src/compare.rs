//! Runs scenarios on one broker or on two in turn.
use std::collections::BTreeMap;
use std::time::Duration;

use millrace_client::{Client, ClientConfig, Code, Isolation, NewTopic, TopicPartition};
use millrace_harness::ApacheKafka;

use crate::report::{self, Figures};
use crate::scenario::Scenario;
use crate::{Options, consume, process, produce};

struct Target {
    name: &'static str,
    address: String,
    pid: Option<u32>,
}

type Outcome<T> = Result<T, String>;

/// Every scenario against one broker.
pub fn one(bootstrap: &str, pid: Option<u32>, options: &Options) -> Outcome<()> {
    let target = Target { name: "broker", address: bootstrap.to_owned(), pid };
    let mut rows = Vec::new();
    for scenario in options.scenarios() {
        rows.push((scenario, vec![measure(&target, &scenario, options)?]));
    }
    report::print(&[target.name], &rows);
    Ok(())
}

/// Every scenario against Millrace and, where its script is given, Apache Kafka in turn.
pub fn both(script: Option<&std::path::PathBuf>, rounds: usize, options: &Options) -> Outcome<()> {
    let folder = millrace_harness::scratch("apache-kafka");
    let kafka = match script {
        Some(script) => {
            eprintln!("starting Apache Kafka");
            Some(ApacheKafka::start(script, folder.path())?)
        }
        None => None,
    };
    eprintln!("starting Millrace");
    let broker = millrace_harness::Broker::options().named("load").try_start()?;
    let mut targets = vec![Target { name: "millrace", address: broker.kafka(), pid: Some(broker.pid()) }];
    targets.extend(kafka.as_ref().map(|kafka| Target { name: "kafka", address: kafka.address.clone(), pid: Some(kafka.pid) }));
    let mut rows = Vec::new();
    for scenario in options.scenarios() {
        let mut best: Vec<Option<Figures>> = vec![None; targets.len()];
        for round in 0..rounds.max(1) {
            // The order changes from round to round: what the first leaves behind hits each in turn.
            let mut order: Vec<usize> = (0..targets.len()).collect();
            order.rotate_left(round % targets.len());
            for at in order {
                let figures = measure(&targets[at], &scenario, options)?;
                best[at] = Some(best[at].map_or(figures, |before| before.better(figures)));
            }
        }
        rows.push((scenario, best.into_iter().flatten().collect()));
    }
    let names: Vec<&str> = targets.iter().map(|target| target.name).collect();
    report::print(&names, &rows);
    Ok(())
}

fn measure(target: &Target, scenario: &Scenario, options: &Options) -> Outcome<Figures> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(|error| error.to_string())?;
    let topic = format!("load-{}", scenario.name().replace('=', "-"));
    let client = runtime.block_on(prepare(&target.address, &topic, scenario)).map_err(|error| format!("{}: {error}", target.name))?;
    let wrong = |error: std::io::Error| format!("{} in {}: {error}", target.name, scenario.name());
    // What earlier runs left for the disk is theirs, not this one's.
    let _ = std::process::Command::new("sync").status();
    let cpu = || target.pid.and_then(process::cpu_seconds).unwrap_or(0.0);
    // Not measured: code and caches get warm.
    produce::run(&target.address, &topic, scenario, options.duration() / 5, u64::MAX).map_err(wrong)?;
    let before = cpu();
    let produced = produce::run(&target.address, &topic, scenario, options.duration(), options.megabytes * 1_000_000).map_err(wrong)?;
    let middle = cpu();
    let consumed = consume::run(&target.address, &topic, scenario.partitions, 4.min(scenario.partitions as usize)).map_err(wrong)?;
    let after = cpu();
    let figures = Figures {
        records_per_second: produced.records as f64 / produced.seconds,
        megabytes_per_second: produced.bytes as f64 / produced.seconds / 1e6,
        cpu_per_gigabyte: (middle - before) / (produced.bytes as f64 / 1e9),
        p50_ms: produced.p50_ms,
        p99_ms: produced.p99_ms,
        consume_megabytes_per_second: consumed.bytes as f64 / consumed.seconds / 1e6,
        consume_cpu_per_gigabyte: (after - middle) / (consumed.bytes as f64 / 1e9),
        resident_mib: target.pid.and_then(process::resident_mib).unwrap_or(0.0),
    };
    eprintln!(
        "{:<32} {:<9} {:>9.0} records/s {:>6.2} CPU-s/GB  p99 {:.2} ms  fetch {:.0} MB/s",
        scenario.name(), target.name, figures.records_per_second, figures.cpu_per_gigabyte, figures.p99_ms, figures.consume_megabytes_per_second
    );
    if consumed.records < produced.records {
        return Err(format!("{} in {}: {} records were acknowledged, {} could be read", target.name, scenario.name(), produced.records, consumed.records));
    }
    runtime.block_on(client.delete_topics(&[&topic])).map_err(|error| error.to_string())?;
    Ok(figures)
}

/// Makes the topic afresh and waits for its leaders.
async fn prepare(address: &str, topic: &str, scenario: &Scenario) -> millrace_client::Result<Client> {
    let client = Client::connect(ClientConfig::new(address)).await?;
    // It may be there from a run that was broken off.
    client.delete_topics(&[topic]).await?;
    for attempt in 0.. {
        let wanted = NewTopic { name: topic.into(), partitions: scenario.partitions, replication: 1, assignment: BTreeMap::new(), configs: scenario.topic_configs() };
        let outcomes = client.create_topics(&[wanted], false).await?;
        match outcomes.into_iter().next().map(|(_, outcome)| outcome) {
            // Deleting takes a moment.
            Some(Err(_)) if attempt < 50 => tokio::time::sleep(Duration::from_millis(100)).await,
            Some(Err(error)) => return Err(error),
            _ => break,
        }
    }
    // A broker may learn of a topic a moment after the controller has made it.
    for attempt in 0.. {
        match client.topic(topic, false).await {
            Err(error) if error.code() == Some(Code::UNKNOWN_TOPIC_OR_PARTITION) && attempt < 50 => tokio::time::sleep(Duration::from_millis(100)).await,
            Err(error) => return Err(error),
            Ok(_) => break,
        }
    }
    // A leader that is named need not serve yet; asking it for an offset waits until it does.
    for partition in 0..scenario.partitions {
        client.list_offset(&TopicPartition::new(topic, partition), -1, Isolation::ReadUncommitted).await?;
    }
    Ok(client)
}
