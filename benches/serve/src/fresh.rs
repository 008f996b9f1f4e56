//! A record's way from its acknowledgement into an answer, and to a subscriber.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millrace_client::views::Cut;

use crate::pace::{Cpu, Times, open};
use crate::setup::{Place, key, record};
use crate::{Failure, Options};

/// Records a second: each is waited for by itself.
const RATE: u64 = 500;
/// Numbers of this measurement's records begin here.
const FIRST: u64 = 1 << 40;

pub async fn run(place: &Place, options: &Options) -> Result<(), Failure> {
    visible(place, options).await?;
    subscribed(place, options).await
}

/// From the acknowledgement to the answer of a Get that asks for this record or later: a round trip is in it.
async fn visible(place: &Place, options: &Options) -> Result<(), Failure> {
    let views = place.connections()?.remove(0);
    let fresh = Times::default();
    let cpu = Cpu::begin(&place.broker);
    let (written, took) = open(RATE, options.time(), |number| {
        let (views, producer, fresh) = (views.clone(), place.producer.clone(), fresh.clone());
        async move {
            let number = FIRST + number;
            let delivered = producer.send("readings", None, record(number)).await?.await?;
            let committed = Instant::now();
            let answer = views.get("by_key", key(number)).at_or_after(Cut::after(&delivered)).await?;
            fresh.add(committed.elapsed());
            let seen: i64 = answer.row().ok_or("a row that was written is not there")?.get("N")?;
            // Another record of the key may have come since.
            if seen >= number as i64 || seen >= FIRST as i64 { Ok(()) } else { Err(format!("{seen} is older than what was written").into()) }
        }
    })
    .await?;
    let cores = cpu.cores();
    fresh.print("commit to visible (with the Get)", RATE as f64, took, cores, "");
    written.print("send to visible", RATE as f64, took, cores, "acks=all, fsync included");
    Ok(())
}

/// From the acknowledgement to the subscriber's hand; a change that is there before the acknowledgement counts as 0.
async fn subscribed(place: &Place, options: &Options) -> Result<(), Failure> {
    let first = FIRST * 2;
    let mut subscription = place.connections()?.remove(0).subscribe("SELECT k, n FROM readings EMIT CHANGES;").latest().open().await?;
    let committed: Arc<Mutex<HashMap<i64, Instant>>> = Arc::default();
    let count = RATE * options.time().as_secs();
    let follower = tokio::spawn(async move {
        let mut came: Vec<(i64, Instant)> = Vec::new();
        while (came.len() as u64) < count {
            let batch = tokio::time::timeout(Duration::from_secs(30), subscription.next()).await??.ok_or("a push query goes on")?;
            let now = Instant::now();
            for change in &batch.changes {
                let number: i64 = change.row.get("N")?;
                if number >= first as i64 {
                    came.push((number, now));
                }
            }
        }
        Ok::<_, Failure>(came)
    });
    let cpu = Cpu::begin(&place.broker);
    let (_, took) = open(RATE, options.time(), |number| {
        let (producer, committed) = (place.producer.clone(), committed.clone());
        async move {
            let number = first + number;
            producer.send("readings", None, record(number)).await?.await?;
            committed.lock().unwrap_or_else(PoisonError::into_inner).insert(number as i64, Instant::now());
            Ok(())
        }
    })
    .await?;
    let came = follower.await??;
    let committed = committed.lock().unwrap_or_else(PoisonError::into_inner);
    let times = Times::default();
    for (number, at) in came {
        times.add(at.saturating_duration_since(*committed.get(&number).ok_or("a change of no record")?));
    }
    times.print("commit to subscriber", RATE as f64, took, cpu.cores(), "");
    Ok(())
}
