//! Reads a topic from its beginning to its end at full speed.
use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use crate::wire::{self, CORRELATION, Frames};

/// Bytes asked for at once.
const FETCH_BYTES: i32 = 1 << 20;

/// What a run came to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Consumed {
    pub records: u64,
    /// Bytes of batches.
    pub bytes: u64,
    pub seconds: f64,
}

/// Reads every partition once, over `connections` connections.
pub fn run(address: &str, topic: &str, partitions: i32, connections: usize) -> io::Result<Consumed> {
    let next = AtomicI32::new(0);
    let began = Instant::now();
    let parts: Vec<io::Result<(u64, u64)>> = std::thread::scope(|scope| {
        let spawn = |_| scope.spawn(|| connection(address, topic, partitions, &next));
        let threads: Vec<_> = (0..connections).map(spawn).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(io::Error::other("a connection's thread died")))).collect()
    });
    let mut consumed = Consumed { seconds: began.elapsed().as_secs_f64(), ..Consumed::default() };
    for part in parts {
        let (records, bytes) = part?;
        consumed.records += records;
        consumed.bytes += bytes;
    }
    Ok(consumed)
}

fn connection(address: &str, topic: &str, partitions: i32, next: &AtomicI32) -> io::Result<(u64, u64)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut answers = Frames::new(stream.try_clone()?);
    let (mut records, mut bytes, mut number) = (0, 0, 0_u32);
    loop {
        let partition = next.fetch_add(1, Ordering::Relaxed);
        if partition >= partitions {
            return Ok((records, bytes));
        }
        let mut offset = 0;
        loop {
            let mut frame = wire::fetch(topic, partition, offset, FETCH_BYTES);
            frame[CORRELATION].copy_from_slice(&number.to_be_bytes());
            stream.write_all(&frame)?;
            let (correlation, body) = answers.next()?;
            if correlation != number {
                return Err(io::Error::other(format!("answer {correlation} where {number} was due")));
            }
            number += 1;
            let fetched = wire::read_fetch(body, offset)?;
            records += fetched.records;
            bytes += fetched.bytes;
            offset = fetched.next_offset;
            if offset >= fetched.high_watermark {
                break;
            }
        }
    }
}
