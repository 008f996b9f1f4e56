//! `millrace cat`: what is in a data directory, a partition's folder, one segment file or a broker's topic, batch by
//! batch.
//!
//! Reads and never writes, so it may look at a directory that a broker is using; the last frame may then be cut off.
use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use millrace_client::{Header, Isolation, TopicPartition};
use millrace_record::{Frame, PREFIX_LEN, Prefix, Records, TimestampType};

use crate::common::{CliError, Connect, Outcome};
use crate::format::Printer;

/// A segment's name is the offset that it begins with; files of RocksDB, which may lie below too, have shorter ones.
const OFFSET_DIGITS: usize = 20;

/// Frames above this are garbage: no broker of ours accepts such a batch.
const FRAME_BYTES_MAX: usize = 1 << 30;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  millrace cat millrace-data/orders-0                 every batch of a partition
  millrace cat millrace-data/orders-0 -f '%o %k %v\\n'  its records
  millrace cat 00000000000000000000.log               one segment file
  millrace cat orders                                 the batches of a topic, from its broker")]
pub(crate) struct Args {
    /// A segment file (.log), a folder with such files somewhere below, or, where there is no such path, a topic
    path: PathBuf,
    #[command(flatten)]
    connect: Connect,
    /// Print the records, in this format (as `consume -f`), not the batches
    #[arg(short, long)]
    format: Option<String>,
    /// Print the records as JSON objects
    #[arg(short = 'J', long, conflicts_with = "format")]
    json: bool,
    /// Leave out what lies below this offset
    #[arg(short, long, default_value_t = 0)]
    offset: i64,
}

pub(crate) async fn run(args: Args) -> Outcome {
    let printer = match &args.format {
        Some(format) => Some(Printer::compile(format, "").map_err(CliError::Usage)?),
        None => args.json.then_some(Printer::Json),
    };
    let mut out = BufWriter::new(std::io::stdout());
    if !args.path.exists() {
        topic(&args, printer.as_ref(), &mut out).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut damaged = 0;
    let segments = segments(&args.path)?;
    if segments.is_empty() {
        return Err(CliError::Failed(format!("{} holds no segment files (*.log)", args.path.display())));
    }
    for segment in segments {
        if printer.is_none() {
            writeln!(out, "{}", segment.display())?;
        }
        let name = partition_of(&segment);
        let fate = walk(&segment, &mut |found| match (&printer, found.frame) {
            (None, _) if found.frame.base_offset().0 < args.offset && !matches!(found.frame, Frame::Batch(header, _) if header.last_offset().0 >= args.offset) => Ok(()),
            (None, _) => Ok(writeln!(out, "  {}", line(&found))?),
            (Some(printer), Frame::Batch(_, batch)) => print_records(printer, &name, batch, args.offset, &mut out),
            (Some(_), Frame::Internal(_)) => Ok(()),
        })?;
        if let Fate::Damaged { at, why } = fate {
            damaged += 1;
            out.flush()?;
            eprintln!("millrace: {} is damaged at byte {at}: {why}", segment.display());
        }
    }
    out.flush()?;
    Ok(if damaged == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The batches of a topic as its broker hands them out.
async fn topic(args: &Args, printer: Option<&Printer>, out: &mut impl Write) -> Result<(), CliError> {
    let name = args.path.to_string_lossy().into_owned();
    let client = args.connect.client().await?;
    for number in client.topic(&name, false).await?.partitions.into_keys() {
        let at = TopicPartition::new(name.as_str(), number);
        let start = client.list_offset(&at, -2, Isolation::ReadUncommitted).await?.offset;
        let mut offset = start.max(args.offset);
        if printer.is_none() {
            writeln!(out, "{at}")?;
        }
        loop {
            let fetched = client.fetch_batches(&at, offset).await?;
            let (mut place, before) = (0, offset);
            for batch in millrace_record::split(&fetched.bytes).map_while(Result::ok) {
                let (header, batch) = batch;
                let frame = Frame::Batch(header, batch);
                match printer {
                    Some(printer) => print_records(printer, &(name.as_str().into(), number), batch, offset, out)?,
                    None => writeln!(out, "  {}", line(&Found { at: place, bytes: batch, frame: &frame }))?,
                }
                place += batch.len() as u64;
                offset = header.next_offset().0;
            }
            if offset >= fetched.high_watermark || offset == before {
                break;
            }
        }
    }
    Ok(out.flush()?)
}

/// One frame and where it lies.
pub(crate) struct Found<'a> {
    pub at: u64,
    pub bytes: &'a [u8],
    pub frame: &'a Frame<'a>,
}

/// How a segment ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// After its last whole frame.
    Whole,
    /// In the middle of something.
    Damaged { at: u64, why: String },
}

/// Every segment file at or below `path`, partition by partition, in order of offset.
pub(crate) fn segments(path: &Path) -> Result<Vec<PathBuf>, CliError> {
    let mut found = Vec::new();
    let mut folders = Vec::new();
    let about = path.metadata().map_err(CliError::file(path.display()))?;
    if about.is_dir() { folders.push(path.to_owned()) } else { found.push(path.to_owned()) }
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(CliError::file(folder.display()))? {
            let path = entry.map_err(CliError::file(folder.display()))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "log") && path.file_stem().is_some_and(|name| name.len() == OFFSET_DIGITS) {
                found.push(path);
            }
        }
    }
    // The names are zero-padded offsets.
    found.sort();
    Ok(found)
}

/// Calls `each` with every frame whose checksum holds, up to the end or the first that does not.
pub(crate) fn walk(segment: &Path, each: &mut dyn FnMut(Found<'_>) -> Result<(), CliError>) -> Result<Fate, CliError> {
    let wrong = |error| CliError::File { what: segment.display().to_string(), error };
    let file = File::open(segment).map_err(wrong)?;
    let size = file.metadata().map_err(wrong)?.len();
    let mut reader = BufReader::with_capacity(1 << 17, file);
    let mut bytes = Vec::new();
    let mut at = 0;
    while at < size {
        let damaged = |why: &dyn std::fmt::Display| Ok(Fate::Damaged { at, why: why.to_string() });
        bytes.resize(PREFIX_LEN, 0);
        match reader.read_exact(&mut bytes) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return damaged(&"a frame's first bytes are cut off"),
            Err(error) => return Err(wrong(error)),
        }
        let prefix = match Prefix::parse(&bytes) {
            Ok(prefix) => prefix,
            Err(error) => return damaged(&error),
        };
        let length = prefix.frame_len();
        if length as u64 > size - at || length > FRAME_BYTES_MAX {
            return damaged(&format!("a frame of {length} bytes, where {} remain", size - at));
        }
        bytes.resize(length, 0);
        reader.read_exact(&mut bytes[PREFIX_LEN..]).map_err(wrong)?;
        if let Err(error) = millrace_record::verify_crc(&bytes) {
            return damaged(&error);
        }
        match Frame::parse(&bytes) {
            Ok((frame, _)) => each(Found { at, bytes: &bytes, frame: &frame })?,
            Err(error) => return damaged(&error),
        }
        at += length as u64;
    }
    Ok(Fate::Whole)
}

fn line(found: &Found<'_>) -> String {
    let (at, size) = (found.at, found.bytes.len());
    match found.frame {
        Frame::Internal(frame) => format!("@{at} {:?} next offset {} epoch {} {size} bytes", frame.kind, frame.base_offset.0, frame.epoch.0),
        Frame::Batch(header, _) => {
            let codec = header.attributes.codec().map_or_else(|error| error.to_string(), |codec| codec.name().to_owned());
            let mut line = format!(
                "@{at} offsets {}..={} epoch {} {} records {size} bytes {codec} time {}..{}",
                header.base_offset.0, header.last_offset().0, header.epoch.0, header.count, header.base_timestamp, header.max_timestamp
            );
            if header.attributes.timestamp_type() == TimestampType::LogAppend {
                line.push_str(" (log append time)");
            }
            if header.producer_id.is_some() {
                line.push_str(&format!(" producer {}/{} sequence {}", header.producer_id.0, header.producer_epoch, header.base_sequence));
            }
            for (on, word) in [(header.attributes.is_transactional(), " transactional"), (header.attributes.is_control(), " control")] {
                line.push_str(if on { word } else { "" });
            }
            line
        }
    }
}

/// Topic and partition, from the name of the segment's folder.
fn partition_of(segment: &Path) -> (Arc<str>, i32) {
    let folder = segment.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match folder.rsplit_once('-').and_then(|(topic, number)| Some((topic, number.parse().ok()?))) {
        Some((topic, number)) => (topic.into(), number),
        None => (folder.as_str().into(), 0),
    }
}

fn print_records(printer: &Printer, (topic, partition): &(Arc<str>, i32), batch: &[u8], from: i64, out: &mut impl Write) -> Result<(), CliError> {
    let wrong = |error: millrace_record::BatchError| CliError::Failed(error.to_string());
    let records = Records::open(batch, FRAME_BYTES_MAX).map_err(wrong)?;
    let header = *records.header();
    if header.attributes.is_control() {
        return Ok(());
    }
    for record in records.iter() {
        let record = record.map_err(wrong)?;
        let offset = header.offset_of(&record).0;
        if offset < from {
            continue;
        }
        let headers = record.headers.iter().map(|(name, value)| Header { name: Bytes::copy_from_slice(name), value: value.map(Bytes::copy_from_slice) });
        let shown = millrace_client::Record {
            topic: topic.clone(),
            partition: *partition,
            offset,
            timestamp: header.timestamp_of(&record),
            log_append_time: header.attributes.timestamp_type() == TimestampType::LogAppend,
            key: record.key.map(Bytes::copy_from_slice),
            value: record.value.map(Bytes::copy_from_slice),
            headers: headers.collect(),
        };
        printer.print(&shown, out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use millrace_record::{BatchBuilder, Codec, Epoch, Level, Offset};

    use super::*;

    fn segment(folder: &Path) -> PathBuf {
        let mut bytes = Vec::new();
        for base in [0, 2] {
            let mut builder = BatchBuilder::new(Codec::Lz4, Level::Default).base_offset(Offset(base)).epoch(Epoch(1));
            builder.push(5, None, Some(b"a"), &[]);
            builder.push(6, Some(b"k"), Some(b"b"), &[]);
            bytes.extend(builder.build());
        }
        let path = folder.join("orders-eu-3");
        std::fs::create_dir(&path).unwrap();
        let path = path.join("00000000000000000000.log");
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn offsets(path: &Path) -> (Vec<i64>, Fate) {
        let mut offsets = Vec::new();
        let fate = walk(path, &mut |found| {
            offsets.push(found.frame.base_offset().0);
            Ok(())
        });
        (offsets, fate.unwrap())
    }

    #[test]
    fn whole_segments_are_walked_to_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = segment(folder.path());
        assert_eq!(offsets(&path), (vec![0, 2], Fate::Whole));
        assert_eq!(segments(folder.path()).unwrap(), [path.clone()]);
        assert_eq!(partition_of(&path), ("orders-eu".into(), 3));
    }

    #[test]
    fn damage_is_told_with_its_place_at_every_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = segment(folder.path());
        let good = std::fs::read(&path).unwrap();
        let second = good.len() / 2;
        for length in second + 1..good.len() {
            std::fs::write(&path, &good[..length]).unwrap();
            let (seen, fate) = offsets(&path);
            assert_eq!(seen, [0], "cut to {length}");
            assert!(matches!(fate, Fate::Damaged { at, .. } if at == second as u64), "cut to {length}: {fate:?}");
        }
        for at in second + 16..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            std::fs::write(&path, &bad).unwrap();
            assert!(matches!(offsets(&path).1, Fate::Damaged { .. }), "flip at {at}");
        }
    }

    #[test]
    fn records_print_from_an_offset_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = segment(folder.path());
        let printer = Printer::compile("%t %p %o %v;", "").unwrap();
        let mut out = Vec::new();
        let name = partition_of(&path);
        walk(&path, &mut |found| match found.frame {
            Frame::Batch(_, batch) => print_records(&printer, &name, batch, 1, &mut out),
            Frame::Internal(_) => Ok(()),
        })
        .unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "orders-eu 3 1 b;orders-eu 3 2 a;orders-eu 3 3 b;");
    }
}
