//! One log on one disk: a row of segment files, appended at the end, read anywhere, shortened at both
//! ends, compacted in the middle.
//!
//! * A frame is one record batch or one internal frame, and is one entry of the replicated log: the
//!   log on disk is that log. Clients count records (`Offset`), replication counts frames (`index`);
//!   a segment's header ties the two together. Above this crate and `replica`, nobody says "index".
//! * One writer (`Log`), any number of readers (`LogReader`). A reader holds the files it reads, so
//!   a segment that is trimmed or cleaned away stays readable for whoever is inside it.
//! * Every length and checksum from disk is checked before use. The end that a crash tore is cut off;
//!   anything else that is damaged is an error and never silently shortened.
//! * Batches are served as they came: nothing here re-encodes them, compaction apart.
//! * Absences: no Raft, no Kafka request, no clock of its own, no threads. mmap only for sealed index
//!   files, never for data: a file that somebody truncates is an error, not a crash.
mod clean;
mod config;
mod epochs;
mod error;
mod files;
mod header;
mod index;
mod log;
mod paths;
mod producers;
mod reader;
mod recover;
mod retention;
mod scan;
mod segment;
mod shared;
mod start;
mod timestamps;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use clean::{AbortedTxn, CleanJob, CleanReport, Cleaned};
pub use config::{Begin, Cleanup, LogConfig, Opening};
pub use error::{LogError, ReadError};
pub use log::{Flush, Flushed, Log, LogEntry, Replayed};
pub use producers::{ProducerView, Producers, Verdict};
pub use reader::{LogReader, ReadSlices};
pub use recover::{Cut, Recovered};
pub use timestamps::TimestampedOffset;

/// What one stored batch may decompress to. Batches were validated with a tighter cap when they came.
pub(crate) const DECOMPRESSED_BYTES_MAX: usize = 1 << 30;
