//! One segmented log on one disk. Knows no Raft and no Kafka request.
mod config;
mod error;
mod log;
mod producers;
mod reader;

pub use config::{Begin, Cleanup, LogConfig, Opening};
pub use error::{LogError, ReadError};
pub use log::{CleanJob, CleanReport, Cleaned, Cut, Flush, Flushed, Log, LogEntry, Recovered, Replayed};
pub use producers::{ProducerView, Producers, Verdict};
pub use reader::{LogReader, ReadSlices, TimestampedOffset};
