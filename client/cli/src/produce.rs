//! `millrace produce`: records from standard input or files.
//!
//! A thread reads and splits, the main task sends, another takes the acknowledgements in order and stops everything at
//! the first failure: what came before it is safe, and the exit code says that not all is.
use std::io::{IsTerminal, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use clap::ValueEnum;
use millrace_client::{Acks, Compression, Delivery, Header, Outgoing, Producer, ProducerConfig};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::common::{CliError, Connect, Outcome, key_value, unescape};
use crate::progress::Progress;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  echo hello | millrace produce greetings
  millrace produce orders -K : < orders.txt          lines of key:value
  millrace produce photos a.jpg b.jpg                each file is one record
  millrace consume a -eJ | millrace produce b -J     copy a topic with keys, headers and times")]
pub(crate) struct Args {
    /// Where to send
    topic: String,
    /// Files, each of which is one record (with -l: each of its lines) [default: standard input, by lines]
    files: Vec<PathBuf>,
    #[command(flatten)]
    connect: Connect,
    /// What stands between key and value; without it records have no key
    #[arg(short = 'K', long, value_name = "DELIM", value_parser = unescape_arg)]
    key_delimiter: Option<Delimiter>,
    /// What ends a record
    #[arg(short = 'D', long, value_name = "DELIM", default_value = "\\n", value_parser = unescape_arg)]
    delimiter: Delimiter,
    /// The same key for every record
    #[arg(short, long, conflicts_with = "key_delimiter")]
    key: Option<String>,
    /// The partition [default: by the key]
    #[arg(short, long)]
    partition: Option<i32>,
    /// A header for every record; may be given again
    #[arg(short = 'H', long, value_name = "NAME=VALUE", value_parser = key_value)]
    header: Vec<(String, String)>,
    /// Compress batches
    #[arg(short = 'z', long, value_enum, default_value_t = Codec::None)]
    compression: Codec,
    /// Empty keys and values are null
    #[arg(short = 'Z', long)]
    null: bool,
    /// Read files by lines
    #[arg(short = 'l', long)]
    lines: bool,
    /// Read JSON objects as `consume -J` writes them
    #[arg(short = 'J', long, conflicts_with_all = ["key_delimiter", "key"])]
    json: bool,
    /// Copy what is sent to standard output
    #[arg(short = 'T', long)]
    tee: bool,
    /// Stop after so many records
    #[arg(short, long)]
    count: Option<u64>,
    /// Whose word an acknowledgement is: 0 nobody's, 1 the leader's, all
    #[arg(long, default_value = "all", value_parser = ["0", "1", "all"])]
    acks: String,
    /// Send a batch when it is so old
    #[arg(long, value_name = "MS", default_value_t = 5)]
    linger_ms: u64,
    /// No word at the end
    #[arg(short, long)]
    quiet: bool,
}

type Delimiter = Arc<[u8]>;

fn unescape_arg(given: &str) -> Result<Delimiter, String> {
    match unescape(given)? {
        empty if empty.is_empty() => Err("it is empty".into()),
        bytes => Ok(bytes.into()),
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

pub(crate) async fn run(args: Args) -> Outcome {
    let args = Arc::new(args);
    let acks = match args.acks.as_str() {
        "0" => Acks::None,
        "1" => Acks::Leader,
        _ => Acks::All,
    };
    let compression = match args.compression {
        Codec::None => Compression::None,
        Codec::Gzip => Compression::Gzip,
        Codec::Snappy => Compression::Snappy,
        Codec::Lz4 => Compression::Lz4,
        Codec::Zstd => Compression::Zstd,
    };
    let linger = Duration::from_millis(args.linger_ms);
    let config = ProducerConfig { acks, idempotent: acks == Acks::All, compression, linger, ..ProducerConfig::safe() };
    let producer = Producer::new(args.connect.client().await?, config)?;
    let failed = Arc::new(AtomicBool::new(false));
    let (deliveries, settled) = mpsc::unbounded_channel();
    let settled = tokio::spawn(settle(settled, failed.clone()));
    let (raw, mut records) = mpsc::channel::<Result<Vec<Bytes>, CliError>>(16);
    std::thread::spawn({
        let args = args.clone();
        // Nobody receives any more when the sending has failed; that is said elsewhere.
        move || read(&args, &|part| raw.blocking_send(part).is_ok())
    });
    let mut progress = Progress::new("sent", !std::io::stdin().is_terminal() || !args.files.is_empty());
    let mut left = args.count.unwrap_or(u64::MAX);
    'all: while let Some(part) = records.recv().await {
        for bytes in part? {
            if left == 0 || failed.load(Ordering::Relaxed) {
                break 'all;
            }
            left -= 1;
            progress.add(1, bytes.len() as u64);
            if args.tee {
                let mut out = std::io::stdout().lock();
                out.write_all(&bytes)?;
                out.write_all(&args.delimiter)?;
            }
            let (record, partition) = args.record(bytes)?;
            // The receiver lives until this sender is dropped.
            let _ = deliveries.send(producer.send(&args.topic, partition, record).await?);
        }
    }
    drop(deliveries);
    let flushed = producer.flush().await;
    let delivered = settled.await.map_err(|error| CliError::Failed(error.to_string()))?;
    progress.end();
    flushed?;
    if !args.quiet && std::io::stderr().is_terminal() {
        eprintln!("{delivered} records to {}", args.topic);
    }
    debug_assert_eq!(delivered, progress.records());
    Ok(ExitCode::SUCCESS)
}

/// Counts what arrived and raises the flag at the first failure.
async fn settle(mut deliveries: mpsc::UnboundedReceiver<Delivery>, failed: Arc<AtomicBool>) -> u64 {
    let mut delivered = 0;
    while let Some(delivery) = deliveries.recv().await {
        match delivery.await {
            Ok(_) => delivered += 1,
            Err(_) => failed.store(true, Ordering::Relaxed),
        }
    }
    delivered
}

impl Args {
    fn record(&self, bytes: Bytes) -> Result<(Outgoing, Option<i32>), CliError> {
        if self.json {
            return from_envelope(&bytes).map(|record| (record, self.partition)).map_err(CliError::Failed);
        }
        let (key, value) = match &self.key_delimiter {
            Some(delimiter) => match find(&bytes, delimiter) {
                Some(at) => (Some(bytes.slice(..at)), bytes.slice(at + delimiter.len()..)),
                None => (None, bytes),
            },
            None => (self.key.as_ref().map(|key| Bytes::copy_from_slice(key.as_bytes())), bytes),
        };
        let present = |bytes: &Bytes| !(self.null && bytes.is_empty());
        let headers = self.header.iter().map(|(name, value)| Header {
            name: Bytes::copy_from_slice(name.as_bytes()),
            value: Some(Bytes::copy_from_slice(value.as_bytes())),
        });
        let record = Outgoing {
            key: key.filter(present),
            value: Some(value).filter(present),
            headers: headers.collect(),
            timestamp: None,
        };
        Ok((record, self.partition))
    }
}

/// Reads the object that `consume -J` (and kcat) prints. Its topic, partition and offset are another log's.
fn from_envelope(bytes: &[u8]) -> Result<Outgoing, String> {
    let object: Value = serde_json::from_slice(bytes).map_err(|error| format!("not a JSON record: {error}"))?;
    let text = |value: Option<&Value>| match value {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(Bytes::copy_from_slice(text.as_bytes())),
        Some(other) => Some(Bytes::from(other.to_string().into_bytes())),
    };
    if !object.is_object() {
        return Err("not a JSON record: it is no object".into());
    }
    let flat = object.get("headers").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut headers = Vec::new();
    for pair in flat.chunks(2) {
        let name = text(pair.first()).ok_or("a header without a name")?;
        headers.push(Header { name, value: text(pair.get(1)) });
    }
    let value = object.get("payload").or_else(|| object.get("value"));
    Ok(Outgoing { key: text(object.get("key")), value: text(value), headers, timestamp: object.get("ts").and_then(Value::as_i64) })
}

type Give<'a> = &'a dyn Fn(Result<Vec<Bytes>, CliError>) -> bool;

/// Reads all input and hands it on in parts; stops when nobody wants more.
fn read(args: &Args, give: Give<'_>) -> Option<()> {
    if args.files.is_empty() {
        return split(&mut std::io::stdin().lock(), &args.delimiter, give);
    }
    for path in &args.files {
        let wrong = CliError::file(path.display());
        if args.lines {
            match std::fs::File::open(path) {
                Ok(mut file) => split(&mut file, &args.delimiter, give)?,
                Err(error) => return give(Err(wrong(error))).then_some(()),
            }
        } else {
            let whole = std::fs::read(path).map(|bytes| vec![Bytes::from(bytes)]);
            let failed = whole.is_err();
            if !give(whole.map_err(wrong)) || failed {
                return None;
            }
        }
    }
    Some(())
}

/// Splits a stream at each delimiter. What follows the last one is a record too, unless it is empty.
fn split(from: &mut impl Read, delimiter: &[u8], give: Give<'_>) -> Option<()> {
    let mut held: Vec<u8> = Vec::new();
    let mut chunk = vec![0; 1 << 17];
    loop {
        let read = match from.read(&mut chunk) {
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return give(Err(CliError::file("standard input")(error))).then_some(()),
        };
        if read == 0 {
            return if held.is_empty() || give(Ok(vec![Bytes::from(held)])) { Some(()) } else { None };
        }
        // A delimiter may begin in the bytes held back.
        let searched = held.len().saturating_sub(delimiter.len() - 1);
        held.extend_from_slice(&chunk[..read]);
        let mut whole = Bytes::from(std::mem::take(&mut held));
        let mut records = Vec::new();
        let mut from = searched;
        while let Some(at) = find(&whole[from..], delimiter) {
            let end = from + at;
            records.push(whole.slice(..end));
            whole = whole.slice(end + delimiter.len()..);
            from = 0;
        }
        held = whole.to_vec();
        if !records.is_empty() && !give(Ok(records)) {
            return None;
        }
    }
}

fn find(within: &[u8], wanted: &[u8]) -> Option<usize> {
    match wanted {
        [byte] => within.iter().position(|found| found == byte),
        _ => within.windows(wanted.len()).position(|window| window == wanted),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// Gives its bytes in pieces of one size.
    struct Dribble<'a>(&'a [u8], usize);

    impl Read for Dribble<'_> {
        fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
            let length = self.1.min(self.0.len()).min(to.len());
            to[..length].copy_from_slice(&self.0[..length]);
            self.0 = &self.0[length..];
            Ok(length)
        }
    }

    #[test]
    fn records_split_the_same_however_the_bytes_come() {
        for size in 1..12 {
            let records = RefCell::new(Vec::new());
            let give = |part: Result<Vec<Bytes>, CliError>| {
                records.borrow_mut().extend(part.unwrap());
                true
            };
            split(&mut Dribble(b"one||two|||three|", size), b"||", &give).unwrap();
            assert_eq!(*records.borrow(), [&b"one"[..], b"two", b"|three|"], "pieces of {size}");
        }
    }

    #[test]
    fn envelopes_keep_nulls_headers_and_time() {
        let record = from_envelope(br#"{"topic":"t","ts":5,"headers":["a","1","a",null],"key":null,"payload":"v"}"#).unwrap();
        assert_eq!((record.key, record.value.as_deref(), record.timestamp), (None, Some(&b"v"[..]), Some(5)));
        assert_eq!(record.headers.len(), 2);
        assert_eq!(record.headers[1].value, None);
        assert!(from_envelope(b"[]").is_err());
        assert!(from_envelope(b"{").is_err());
    }
}
