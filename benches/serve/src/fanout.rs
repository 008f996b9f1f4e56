//! The same changes to many subscribers.
use std::time::{Duration, Instant};

use crate::pace::{Cpu, Times, open};
use crate::setup::{Place, record};
use crate::{Failure, Options};

/// Numbers of this measurement's records begin here.
const FIRST: u64 = 1 << 50;

pub async fn run(place: &Place, options: &Options) -> Result<(), Failure> {
    let connections = place.connections()?;
    let resident = place.broker.anonymous_bytes();
    let opened = Instant::now();
    let mut subscriptions = Vec::new();
    for number in 0..options.subscribers {
        let views = &connections[number % connections.len()];
        // No query of its own may hold more than its share: the node takes 1,000 at once.
        subscriptions.push(views.subscribe("SELECT k, n FROM readings EMIT CHANGES;").latest().open().await?);
    }
    let opening = opened.elapsed();
    let rate = options.changes.max(1);
    let count = rate * options.time().as_secs();
    let began = Instant::now();
    let times = Times::default();
    let followers: Vec<_> = subscriptions
        .into_iter()
        .map(|mut subscription| {
            let times = times.clone();
            tokio::spawn(async move {
                let mut seen = vec![false; count as usize];
                let mut left = count;
                while left > 0 {
                    let batch = tokio::time::timeout(Duration::from_secs(60), subscription.next()).await??.ok_or("a push query goes on")?;
                    let now = Instant::now();
                    for change in &batch.changes {
                        let number = change.row.get::<i64>("N")? as u64;
                        if number < FIRST {
                            continue;
                        }
                        let at = (number - FIRST) as usize;
                        if std::mem::replace(seen.get_mut(at).ok_or("a change of no record")?, true) {
                            return Err(format!("change {at} came twice").into());
                        }
                        left -= 1;
                        // Timed from when the record was due to be sent.
                        times.add(now.saturating_duration_since(began + Duration::from_secs_f64(at as f64 / rate as f64)));
                    }
                }
                Ok::<_, Failure>(())
            })
        })
        .collect();
    let cpu = Cpu::begin(&place.broker);
    open(rate, options.time(), |number| {
        let producer = place.producer.clone();
        async move {
            // One partition, so that every subscriber is told the same order.
            producer.send("readings", Some(0), record(FIRST + number)).await?.await?;
            Ok(())
        }
    })
    .await?;
    for follower in followers {
        follower.await??;
    }
    let (took, cores) = (began.elapsed(), cpu.cores());
    let grown = (place.broker.anonymous_bytes().saturating_sub(resident)) >> 20;
    let beside = format!("opened in {:.1} s, {grown} MiB more", opening.as_secs_f64());
    times.print(&format!("due to {} subscribers", options.subscribers), (rate * options.subscribers as u64) as f64, took, cores, &beside);
    Ok(())
}
