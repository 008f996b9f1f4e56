//! Millrace's side: the data is there, then the query is declared, and its sink tells how far it has come.
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use millrace_client::Client;
use millrace_harness::Broker;
use serde_json::{Value, json};

use crate::feed::{Outcome, end, words};
use crate::measure::{Cost, Plan};
use crate::workload::{Expected, statements};

const PATIENCE: Duration = Duration::from_secs(600);

pub async fn run(broker: &Broker, client: &Client, plan: &Plan, expected: &Expected) -> Outcome<Cost> {
    let mut statements = statements(&plan.workload);
    let query = statements.pop().ok_or("a workload without a query")?;
    for statement in statements {
        ksql(broker, &statement)?;
    }
    let began = Instant::now();
    ksql(broker, &query)?;
    let mut marked: Option<(f64, f64, Instant)> = None;
    loop {
        let share = share_done(broker, client, plan, expected).await?;
        if marked.is_none() && share >= plan.warm_share() {
            marked = Some((share, broker.cpu_seconds(), Instant::now()));
        }
        if share >= 1.0 {
            break;
        }
        if began.elapsed() > PATIENCE {
            return Err(format!("after {PATIENCE:?} only {:.1} % are done", share * 100.0));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Rows that are written behind belong to the bill.
    let seconds_end = Instant::now();
    tokio::time::sleep(Duration::from_millis(800)).await;
    let (share, cpu, at) = marked.ok_or("it was done before it began")?;
    let records = (1.0 - share) * plan.total() as f64;
    let engine = broker.cpu_seconds() - cpu;
    Ok(Cost { records, seconds: (seconds_end - at).as_secs_f64(), engine_cpu: engine, broker_cpu: 0.0 })
}

async fn share_done(broker: &Broker, client: &Client, plan: &Plan, expected: &Expected) -> Outcome<f64> {
    if plan.workload.program != "latest" {
        // The sink's topic is made a moment after the statement.
        let outputs = end(client, "OUTPUT").await.unwrap_or(0);
        return Ok(outputs as f64 / expected.outputs.max(1) as f64);
    }
    // There is no sink: the records that came last say whether they are in, and each partition's are in order.
    let mut done = 0.0_f64;
    for (share, key, id) in plan.probes() {
        let rows = pull(broker, &format!("SELECT id FROM output WHERE k = '{key}';")).unwrap_or_default();
        let seen = rows.first().and_then(|row| row.first()).and_then(Value::as_i64);
        if seen.is_none_or(|seen| seen < id) {
            break;
        }
        done = share;
    }
    Ok(done)
}

fn ksql(broker: &Broker, statement: &str) -> Outcome<()> {
    let body = json!({ "ksql": statement, "streamsProperties": { "ksql.streams.auto.offset.reset": "earliest" } });
    post(&broker.http(), "/ksql", &body).map(drop).map_err(|error| format!("{statement}: {error}"))
}

pub fn pull(broker: &Broker, query: &str) -> Outcome<Vec<Vec<Value>>> {
    let answer = post(&broker.http(), "/query-stream", &json!({ "sql": query, "properties": {} }))?;
    answer.lines().skip(1).filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).map_err(words)).collect()
}

fn post(address: &str, path: &str, body: &Value) -> Outcome<String> {
    let body = body.to_string();
    let mut socket = TcpStream::connect(address).map_err(words)?;
    socket.set_read_timeout(Some(Duration::from_secs(120))).map_err(words)?;
    // HTTP/1.0: the answer is not chunked and ends with the connection.
    let head = format!("POST {path} HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(body.as_bytes())).map_err(words)?;
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).map_err(words)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no HTTP answer")?;
    match head.split(' ').nth(1) {
        Some("200") => Ok(body.to_owned()),
        _ => Err(body.to_owned()),
    }
}
