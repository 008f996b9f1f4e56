//! Produces at full speed for a while and times every request.
use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::scenario::Scenario;
use crate::wire::{self, CORRELATION, Frames};

/// What a run came to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Produced {
    pub records: u64,
    /// Bytes of values.
    pub bytes: u64,
    pub seconds: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

/// Runs one scenario against the leader at `address`.
pub fn run(address: &str, topic: &str, scenario: &Scenario, duration: Duration, bytes_max: u64) -> io::Result<Produced> {
    let batch = wire::batch(scenario.records, scenario.value_bytes);
    let frames: Vec<Vec<u8>> = (0..scenario.partitions).map(|partition| wire::produce(topic, partition, &batch)).collect();
    let value_bytes = (scenario.records * scenario.value_bytes) as u64;
    let requests_left = AtomicU64::new(bytes_max / value_bytes);
    let began = Instant::now();
    let until = began + duration;
    let latencies: Vec<io::Result<Vec<u32>>> = std::thread::scope(|scope| {
        let spawn = |number: usize| {
            let (frames, left) = (&frames, &requests_left);
            scope.spawn(move || connection(address, frames, number, scenario, until, left))
        };
        let threads: Vec<_> = (0..scenario.connections).map(spawn).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(io::Error::other("a connection's thread died")))).collect()
    });
    let seconds = began.elapsed().as_secs_f64();
    let mut all = Vec::new();
    for one in latencies {
        all.extend(one?);
    }
    all.sort_unstable();
    let quantile = |share: f64| all.get(((all.len() as f64 - 1.0) * share) as usize).map_or(0.0, |micros| f64::from(*micros) / 1e3);
    let requests = all.len() as u64;
    Ok(Produced {
        records: requests * scenario.records as u64,
        bytes: requests * value_bytes,
        seconds,
        p50_ms: quantile(0.5),
        p99_ms: quantile(0.99),
    })
}

/// One connection: keeps its requests in flight, answers with the time of each in microseconds.
fn connection(address: &str, frames: &[Vec<u8>], number: usize, scenario: &Scenario, until: Instant, left: &AtomicU64) -> io::Result<Vec<u32>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut answers = Frames::new(stream.try_clone()?);
    let mut sent: Vec<Instant> = Vec::new();
    let mut latencies = Vec::new();
    let mut out: Vec<u8> = Vec::new();
    // Connections start at different partitions, so that they do not queue behind one another.
    let mut partition = number * frames.len() / scenario.connections;
    let mut open = true;
    loop {
        out.clear();
        while open && sent.len() - latencies.len() < scenario.in_flight {
            let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
            let now = Instant::now();
            open = taken && now < until;
            if !open {
                break;
            }
            let at = out.len();
            out.extend_from_slice(&frames[partition % frames.len()]);
            out[at + CORRELATION.start..at + CORRELATION.end].copy_from_slice(&(sent.len() as u32).to_be_bytes());
            partition += 1;
            sent.push(now);
        }
        stream.write_all(&out)?;
        if latencies.len() == sent.len() {
            return Ok(latencies);
        }
        loop {
            let expected = latencies.len() as u32;
            let (correlation, body) = answers.next()?;
            if correlation != expected {
                return Err(io::Error::other(format!("answer {correlation} where {expected} was due")));
            }
            wire::check_produce(body)?;
            let micros = sent[latencies.len()].elapsed().as_micros();
            latencies.push(u32::try_from(micros).unwrap_or(u32::MAX));
            if !answers.has_one() {
                break;
            }
        }
    }
}
