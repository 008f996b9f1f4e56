//! The workloads W1-W5 as views of Millrace and as Kafka Streams programs, in turn on the same machine with the same records.
//!
//! Kafka Streams runs exactly-once (`exactly_once_v2`, a commit each 100 ms) over Apache Kafka, because Millrace has no transactions for
//! it; Millrace's views are exactly-once by nature and run inside the broker. Both sides get identical records into two partitions
//! before the query starts, and the figure is records per CPU-second of engine and broker together.
//!
//! Invariants: a result is read back and held against what the data alone says, or there is no figure; a share of the records is read
//! before the clock starts on either side.
mod feed;
mod measure;
mod ours;
mod streams;
mod workload;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use millrace_client::Client;
use millrace_harness::{ApacheKafka, Broker};

use crate::feed::{Outcome, connect, create, produce, read};
use crate::measure::{Cost, Plan};
use crate::workload::{ALL, Expected, each_record_is_a_row, expected, records, users};

/// View workloads on Millrace and on Kafka Streams in turn.
#[derive(Parser)]
#[command(name = "views-bench")]
struct Options {
    /// Records measured in each run
    #[arg(long, default_value_t = 500_000)]
    records: u64,
    /// Records read before that
    #[arg(long, default_value_t = 300_000)]
    warm: u64,
    /// Numbers of keys
    #[arg(long, value_delimiter = ',', default_value = "1000,1000000")]
    keys: Vec<u64>,
    /// Runs of each; all are printed, the median counts
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Only workloads whose name contains this
    #[arg(long)]
    only: Option<String>,
    /// Millrace only
    #[arg(long)]
    alone: bool,
    /// Where Maven has put the Kafka Streams program
    #[arg(long, default_value = "benches/streams/target")]
    streams: PathBuf,
    /// The script that fetches and starts Apache Kafka
    #[arg(long, default_value = "tests/clients/compat/apache-kafka.sh")]
    kafka: PathBuf,
}

fn main() -> ExitCode {
    match Options::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("views-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Options {
    fn run(&self) -> Outcome<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(feed::words)?;
        println!("Kafka Streams 4.3.1: exactly_once_v2, commit.interval.ms 100, 2 threads, over Apache Kafka 4.3.1 (it needs transactions).");
        println!("Millrace: views inside the broker. 2 partitions, JSON values of about 100 bytes, {} + {} records, CPU = engine + broker.\n", self.warm, self.records);
        println!("{:<32} {:>9}  {:>22}  {:>22}  {:>7}  {:>20}", "workload", "keys", "Millrace rec/CPU-s", "Streams rec/CPU-s", "ratio", "rec/s (wall) M | S");
        for workload in ALL.iter().filter(|workload| self.only.as_ref().is_none_or(|part| workload.id.contains(part.as_str()))) {
            for keys in self.keys.iter().filter(|keys| **keys <= workload.keys_max) {
                runtime.block_on(self.compare(Plan::new(*workload, *keys, self.warm, self.records)))?;
            }
        }
        Ok(())
    }

    async fn compare(&self, plan: Plan) -> Outcome<()> {
        let expected = expected(&plan.workload, plan.total(), plan.keys);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 0..self.rounds.max(1) {
            // The order changes from round to round.
            for side in [round % 2, (round + 1) % 2] {
                match side {
                    0 => ours.push(millrace(&plan, &expected).await.map_err(|error| format!("Millrace, {}: {error}", plan.workload.id))?),
                    _ if self.alone => {}
                    _ => theirs.push(self.kafka_streams(&plan, &expected).await.map_err(|error| format!("Kafka Streams, {}: {error}", plan.workload.id))?),
                }
            }
        }
        print_row(&plan, &ours, &theirs);
        Ok(())
    }

    async fn kafka_streams(&self, plan: &Plan, expected: &Expected) -> Outcome<Cost> {
        let folder = millrace_harness::scratch("kafka-streams");
        let kafka = ApacheKafka::start(&self.kafka, folder.path())?;
        let client = connect(&kafka.address).await?;
        load(&client, plan, true).await?;
        let cost = tokio::task::block_in_place(|| streams::run(&kafka, &self.streams, folder.path(), plan))?;
        // A table alone has no topic to be read back; that it read every record is all that can be said of it.
        if plan.workload.program != "latest" {
            check_topic(&client, plan, expected, false).await?;
        }
        Ok(cost)
    }
}

async fn millrace(plan: &Plan, expected: &Expected) -> Outcome<Cost> {
    let broker = Broker::options().named("views-bench").try_start()?;
    let client = connect(&broker.kafka()).await?;
    load(&client, plan, false).await?;
    let cost = ours::run(&broker, &client, plan, expected).await?;
    if plan.workload.program == "latest" {
        let rows = ours::pull(&broker, "SELECT k, id FROM output;")?;
        let rows = rows.iter().filter_map(|row| Some((row.first()?.as_str()?.as_bytes().to_vec(), row.get(1)?.as_i64()?.to_string())));
        compare_rows(&rows.collect(), expected)?;
    } else {
        check_topic(&client, plan, expected, true).await?;
    }
    Ok(cost)
}

async fn load(client: &Client, plan: &Plan, with_output: bool) -> Outcome<()> {
    let joins = plan.workload.program == "join";
    let topics = [("input", true), ("input-users", joins), ("OUTPUT", with_output)];
    let topics: Vec<&str> = topics.iter().filter(|(_, wanted)| *wanted).map(|(name, _)| *name).collect();
    create(client, &topics).await?;
    if joins {
        produce(client, "input-users", users(plan.keys)).await?;
    }
    produce(client, "input", records(plan.total(), plan.keys).map(|(_, input)| input)).await
}

/// Reads the sink back: every row's last value must be what the data says.
async fn check_topic(client: &Client, plan: &Plan, expected: &Expected, ours: bool) -> Outcome<()> {
    let workload = &plan.workload;
    let mut rows: BTreeMap<Vec<u8>, String> = BTreeMap::new();
    let mut wrong = None;
    let by_record = each_record_is_a_row(workload);
    let session = ours && workload.program == "session";
    read(client, "OUTPUT", |record| {
        let mut key = record.key.map(|key| key.to_vec()).unwrap_or_default();
        if session {
            // The end of a session stands before its start; the start alone tells sessions of a key apart.
            let plain = key.len().saturating_sub(16);
            key.drain(plain..plain + 8);
        }
        let Some(value) = record.value.map(|value| String::from_utf8_lossy(&value).into_owned()) else {
            rows.remove(&key);
            return;
        };
        if by_record {
            let id = serde_json::from_str::<serde_json::Value>(&value).ok().and_then(|value| value.get("ID")?.as_i64());
            key.extend_from_slice(&id.unwrap_or(-1).to_be_bytes());
            if rows.contains_key(&key) {
                wrong = Some(format!("{value} is there twice"));
            }
        }
        rows.insert(key, value);
    })
    .await?;
    wrong.map_or(Ok(()), Err)?;
    if !ours && workload.program == "join" {
        // Kafka Streams may take a stream's first records before it has fetched any of the table, and drops them then. What was read
        // before the clock started may be missing for that; nothing may be wrong or there twice.
        let missing = expected.rows.iter().filter(|(key, _)| !rows.contains_key(*key) && id_of(key).is_some_and(|id| id < plan.warm));
        let missing: Vec<_> = missing.map(|(key, value)| (key.clone(), value.clone())).collect();
        rows.extend(missing);
    }
    compare_rows(&rows, expected)
}

/// Of a row that is told apart by its record.
fn id_of(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>().map(|id| u64::from_be_bytes(*id))
}

fn compare_rows(rows: &BTreeMap<Vec<u8>, String>, expected: &Expected) -> Outcome<()> {
    if *rows == expected.rows {
        return Ok(());
    }
    let differs = expected.rows.iter().find(|(key, value)| rows.get(*key) != Some(value));
    let found = differs.and_then(|(key, _)| rows.get(key));
    Err(format!("the result is wrong: {} rows, not {}; the first that differs is {found:?}, not {differs:?}", rows.len(), expected.rows.len()))
}

fn median(costs: &[Cost], figure: fn(&Cost) -> f64) -> Option<f64> {
    let mut figures: Vec<f64> = costs.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}

fn print_row(plan: &Plan, ours: &[Cost], theirs: &[Cost]) {
    let (own, other) = (median(ours, Cost::per_cpu_second), median(theirs, Cost::per_cpu_second));
    let text = |figure: Option<f64>| figure.map_or("-".to_owned(), |figure| format!("{figure:.0}"));
    let ratio = own.zip(other).map_or("-".to_owned(), |(own, other)| format!("{:.1}x", own / other));
    let wall = format!("{} | {}", text(median(ours, Cost::per_second)), text(median(theirs, Cost::per_second)));
    println!("{:<32} {:>9}  {:>22}  {:>22}  {:>7}  {:>20}", plan.workload.id, plan.keys, text(own), text(other), ratio, wall);
    for (name, costs) in [("Millrace", ours), ("Streams", theirs)].iter().filter(|(_, costs)| costs.len() > 1) {
        let all: Vec<String> = costs.iter().map(|cost| format!("{:.0}", cost.per_cpu_second())).collect();
        println!("    {name}: {}", all.join(", "));
    }
}
