//! A key's row, over gRPC and over REST.
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use h2::client::SendRequest;
use http::Request;
use millrace_client::views::Cut;
use tokio::net::TcpStream;

use crate::pace::{Cpu, open};
use crate::setup::{CONNECTIONS, FILLING, Place, key};
use crate::{Failure, Options};

pub async fn run(place: &Place, options: &Options) -> Result<(), Failure> {
    over_grpc(place, options, "by_key", "gRPC Get, view at rest").await?;
    filling(place).await?;
    over_grpc(place, options, "filling", "gRPC Get, view at full ingestion").await?;
    place.views.execute("DROP TABLE filling DELETE TOPIC;").await?;
    over_rest(place, options, "by_key", "REST pull, view at rest").await?;
    filling(place).await?;
    over_rest(place, options, "filling", "REST pull, view at full ingestion").await?;
    // The rest is about one view: the other has had its turn.
    place.views.execute("DROP TABLE filling DELETE TOPIC;").await?;
    Ok(())
}

/// Makes the view anew, so that it reads everything again, and waits for its first rows.
async fn filling(place: &Place) -> Result<(), Failure> {
    place.views.execute(&format!("DROP TABLE IF EXISTS filling DELETE TOPIC; {FILLING}")).await?;
    loop {
        // It may still be opening its state.
        if read(place, "filling").await?.0 > 0 {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

/// How many records the view has read, and whether there are more.
async fn read(place: &Place, view: &str) -> Result<(i64, bool), Failure> {
    let described = place.views.describe(view).await?;
    let sum = |cut: &Cut| cut.iter().map(|(_, next)| next).sum::<i64>();
    Ok((sum(&described.cut), described.cut != described.end))
}

/// Says what the view did beside, and whether it did so to the end.
async fn beside(place: &Place, view: &str, before: i64, began: Instant) -> Result<String, Failure> {
    let (after, more) = read(place, view).await?;
    let rate = (after - before) as f64 / began.elapsed().as_secs_f64();
    Ok(if after == before { "nothing".into() } else { format!("{rate:.0} records/s ingested{}", if more { "" } else { ", all of them before the end" }) })
}

async fn over_grpc(place: &Place, options: &Options, view: &'static str, what: &str) -> Result<(), Failure> {
    let connections = place.connections()?;
    for views in &connections {
        views.get(view, key(1)).await?;
    }
    let (before, _) = read(place, view).await?;
    let (began, cpu) = (Instant::now(), Cpu::begin(&place.broker));
    let (times, took) = open(options.rate, options.time(), |number| {
        let asked = connections[number as usize % CONNECTIONS].get(view, key(number));
        async move {
            let answer = asked.await?;
            // A key may not have been read yet; an answer without a cut is none.
            if answer.cut.is_empty() { Err("an answer without its cut".into()) } else { Ok(()) }
        }
    })
    .await?;
    times.print(what, options.rate as f64, took, cpu.cores(), &beside(place, view, before, began).await?);
    Ok(())
}

/// HTTP/2 without TLS, as ksqlDB's own clients speak it.
async fn h2c(address: &str) -> Result<SendRequest<Bytes>, Failure> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let (client, connection) = h2::client::handshake(socket).await?;
    tokio::spawn(connection);
    Ok(client.ready().await?)
}

async fn over_rest(place: &Place, options: &Options, view: &'static str, what: &str) -> Result<(), Failure> {
    let address: Arc<str> = place.broker.http().into();
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(h2c(&address).await?);
    }
    let (before, _) = read(place, view).await?;
    let (began, cpu) = (Instant::now(), Cpu::begin(&place.broker));
    // A statement is parsed and planned for each: half the rate that gRPC is asked for.
    let rate = (options.rate / 2).max(1);
    let (times, took) = open(rate, options.time(), |number| {
        let (client, address) = (connections[number as usize % CONNECTIONS].clone(), address.clone());
        async move {
            let body = format!("{{\"sql\":\"SELECT * FROM {view} WHERE k='{}';\"}}", key(number));
            let request = Request::post(format!("http://{address}/query-stream")).header("content-type", "application/json").body(())?;
            let (response, mut stream) = client.ready().await?.send_request(request, false)?;
            stream.send_data(body.into(), true)?;
            let response = response.await?;
            let status = response.status();
            let mut body = response.into_body();
            let mut text = Vec::new();
            while let Some(data) = body.data().await {
                let data = data?;
                body.flow_control().release_capacity(data.len())?;
                text.extend_from_slice(&data);
            }
            let whole = status.is_success() && text.starts_with(b"{\"queryId\"");
            if whole { Ok(()) } else { Err(format!("{status}: {}", String::from_utf8_lossy(&text)).into()) }
        }
    })
    .await?;
    times.print(what, rate as f64, took, cpu.cores(), &beside(place, view, before, began).await?);
    Ok(())
}
