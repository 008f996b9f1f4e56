//! A key's row, over gRPC and over REST.
use std::time::Instant;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Request, Uri};
use millrace_client::views::Cut;
use millrace_proto as proto;
use prost::Message;
use tokio::net::TcpStream;

use crate::first::first_in_line;
use crate::pace::{Cpu, open};
use crate::setup::{CONNECTIONS, FILLING, Place, key};
use crate::{Failure, Options};

/// Asks from one thread: what goes from thread to thread waits twice as often.
pub fn run(place: &Place, options: &Options) -> Result<(), Failure> {
    let asking = || {
        first_in_line();
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(all(place, options))
    };
    tokio::task::block_in_place(|| std::thread::scope(|scope| scope.spawn(asking).join().unwrap_or_else(|_| Err("a look-up panicked".into()))))
}

async fn all(place: &Place, options: &Options) -> Result<(), Failure> {
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

/// The messages are put together here: a client library would take more of the processors than the broker does.
async fn over_grpc(place: &Place, options: &Options, view: &'static str, what: &str) -> Result<(), Failure> {
    let (connections, uri) = connections(&place.broker.grpc(), "/millrace.views.v1.Views/Get").await?;
    place.views.get(view, key(1)).await?;
    let (before, _) = read(place, view).await?;
    let (began, cpu) = (Instant::now(), Cpu::begin(&place.broker));
    let (times, took) = open(options.rate, options.time(), |number| {
        let (client, uri) = (connections[number as usize % CONNECTIONS].clone(), uri.clone());
        async move {
            let key = proto::Value { kind: Some(proto::value::Kind::String(key(number))) };
            let asked = proto::GetRequest { view: view.to_owned(), key: vec![key], ..Default::default() };
            // Not compressed, and so long.
            let mut body = vec![0; 5];
            asked.encode(&mut body)?;
            let length = u32::try_from(body.len() - 5)?;
            body[1..5].copy_from_slice(&length.to_be_bytes());
            let request = Request::post(uri).header("content-type", "application/grpc").header("te", "trailers").body(())?;
            let (answer, trailers) = answer(client, request, body).await?;
            if trailers.get("grpc-status").is_none_or(|status| status != "0") {
                return Err(format!("{trailers:?}").into());
            }
            let answer = proto::GetResponse::decode(answer.get(5..).unwrap_or_default())?;
            // A key may not have been read yet; an answer without a cut is none.
            if answer.cut.is_none_or(|cut| cut.positions.is_empty()) { Err("an answer without its cut".into()) } else { Ok(()) }
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

/// Connections that the requests go round, and where to.
async fn connections(address: &str, path: &str) -> Result<(Vec<SendRequest<Bytes>>, Uri), Failure> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(h2c(address).await?);
    }
    Ok((connections, format!("http://{address}{path}").parse()?))
}

/// The whole of an answer, and what came behind it; any status but success fails.
async fn answer(client: SendRequest<Bytes>, request: Request<()>, body: impl Into<Bytes>) -> Result<(Vec<u8>, HeaderMap), Failure> {
    let (response, mut stream) = client.ready().await?.send_request(request, false)?;
    stream.send_data(body.into(), true)?;
    let response = response.await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = response.into_body();
    let mut text = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        text.extend_from_slice(&data);
    }
    if !status.is_success() {
        return Err(format!("{status}: {}", String::from_utf8_lossy(&text)).into());
    }
    // An answer without a body has its trailers for headers.
    Ok((text, body.trailers().await?.unwrap_or(headers)))
}

async fn over_rest(place: &Place, options: &Options, view: &'static str, what: &str) -> Result<(), Failure> {
    let (connections, uri) = connections(&place.broker.http(), "/query-stream").await?;
    let (before, _) = read(place, view).await?;
    let (began, cpu) = (Instant::now(), Cpu::begin(&place.broker));
    // A statement is parsed and planned for each: half the rate that gRPC is asked for.
    let rate = (options.rate / 2).max(1);
    let (times, took) = open(rate, options.time(), |number| {
        let (client, uri) = (connections[number as usize % CONNECTIONS].clone(), uri.clone());
        async move {
            let body = format!("{{\"sql\":\"SELECT * FROM {view} WHERE k='{}';\"}}", key(number));
            let request = Request::post(uri).header("content-type", "application/json").body(())?;
            let (text, _) = answer(client, request, body).await?;
            if text.starts_with(b"{\"queryId\"") { Ok(()) } else { Err(String::from_utf8_lossy(&text).into()) }
        }
    })
    .await?;
    times.print(what, rate as f64, took, cpu.cores(), &beside(place, view, before, began).await?);
    Ok(())
}
