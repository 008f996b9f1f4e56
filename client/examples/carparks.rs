//! Car parks: a view is declared, a record written, read back, scanned, and its changes followed.
//!
//! `cargo run -p millrace-client --example carparks` asks the node on this machine.
use std::error::Error;

use millrace_client::views::{Cut, Views};
use millrace_client::{Client, ClientConfig, Outgoing, Producer, ProducerConfig};

/// Answers how many spaces Westgate has.
pub async fn run(kafka: &str, grpc: &str) -> Result<i32, Box<dyn Error>> {
    let views = Views::connect(grpc)?.with_property("auto.offset.reset", "earliest");
    views
        .execute(
            "CREATE STREAM IF NOT EXISTS carparks (name VARCHAR KEY, spaces INT) WITH (kafka_topic='carparks', value_format='JSON', partitions=2);
             CREATE TABLE IF NOT EXISTS latest AS SELECT name, LATEST_BY_OFFSET(spaces) AS spaces FROM carparks GROUP BY name;",
        )
        .await?;

    // Any Kafka client can write; this one says where the records are.
    let producer = Producer::new(Client::connect(ClientConfig::new(kafka)).await?, ProducerConfig::safe())?;
    let mut written = Cut::default();
    for (name, spaces) in [("Westgate", 41), ("Eastgate", 7), ("Westgate", 42)] {
        let record = Outgoing { key: Some(name.into()), value: Some(format!("{{\"spaces\": {spaces}}}").into()), ..Default::default() };
        written.include(&producer.send("carparks", None, record).await?.await?);
    }

    // Read your own writes: the answer waits until the view has come that far.
    let answer = views.get("latest", "Westgate").at_or_after(&written).await?;
    let spaces: i32 = answer.row().ok_or("no such car park")?.get("SPACES")?;

    // Many keys, all rows, or a query with bound parameters: each answer is of one cut.
    let found = views.batch_get("latest", ["Westgate", "Nowhere"]).await?;
    assert!(found.found[0].len() == 1 && found.found[1].is_empty());
    let all = views.scan("latest").at_or_after(&answer.cut).await?;
    println!("{} car parks at {}", all.rows.len(), all.cut);
    let full = views.query("SELECT name FROM latest WHERE spaces < ?;").bind(10).at_or_after(&written).await?;
    println!("nearly full: {:?}", full.rows.iter().map(|row| row.get::<String>("NAME")).collect::<Result<Vec<_>, _>>()?);

    // Changes as they happen, resumed by itself when the connection breaks. Kept, the cut goes on in another life.
    let mut changes = views.subscribe_view("latest").earliest().open().await?;
    let kept = loop {
        let batch = changes.next().await?.ok_or("a push query goes on")?;
        let westgate = |change: &millrace_client::views::Change| change.row.get::<i32>("SPACES").is_ok_and(|spaces| spaces == 42);
        if batch.changes.iter().any(westgate) {
            break batch.cut.to_string();
        }
    };
    views.subscribe_view("latest").behind(kept.parse::<Cut>()?).open().await?;
    Ok(spaces)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("Westgate has {} spaces", run("127.0.0.1:9092", "127.0.0.1:8090").await?);
    Ok(())
}
