//! The cluster's metadata on this node: the log that holds it, and the image everybody reads.
//!
//! Invariants: the published image is made of committed records only, and never goes back. The log holds at
//! most a few times the records that the image is made of, whatever happened before (`keep_short`).
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;
use millrace_cluster::config::Map;
use millrace_cluster::decide::{Cluster, Decision};
use millrace_cluster::{Image, Record, codec};
use millrace_fold::Fold;
use millrace_record::Offset;
use millrace_shard::Partition;

use crate::folded::{Encoded, Folded, FoldedError, Logged};

impl Logged for Image {
    type Record = Record;
    fn apply(&mut self, at: Offset, record: Record) {
        Fold::apply(self, at, record);
    }
    fn encode(record: &Record) -> Encoded {
        Encoded { key: None, value: Some(codec::encode(record)) }
    }
    fn decode(_key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Option<Record>, String> {
        let value = value.ok_or("a metadata record without a value")?;
        codec::decode(value).map(Some).map_err(|error| error.to_string())
    }
}

/// An image and the offset behind its last record.
struct Published {
    image: Arc<Image>,
    end: Offset,
}

/// A log this short is not worth a rewrite.
const RECORDS_MIN: i64 = 1_000;
/// A log is mostly history when it has so many records for one that still counts.
const RECORDS_PER_LIVE: i64 = 4;
/// The snapshot is one batch, so that it is there as a whole or not at all.
const SNAPSHOT_BYTES_MAX: usize = 48 << 20;

pub struct ClusterLog {
    log: Folded<Image>,
    published: ArcSwap<Published>,
    /// How many records the log may have before somebody looks whether it is mostly history.
    look_at: AtomicI64,
    node_id: i32,
    fixed: Map,
}

impl ClusterLog {
    /// Reads the metadata log; all of it must be committed, as it is on a node of one.
    pub fn load(partition: Partition, node_id: i32, fixed: Map) -> Result<ClusterLog, FoldedError> {
        let end = partition.state().end;
        let log = Folded::load(partition, Image::default)?;
        let image = Arc::new(log.peek(Image::clone));
        Ok(ClusterLog { log, published: ArcSwap::from_pointee(Published { image, end }), look_at: AtomicI64::new(RECORDS_MIN), node_id, fixed })
    }

    /// The cluster as it is committed.
    pub fn image(&self) -> Arc<Image> {
        self.published.load().image.clone()
    }

    /// The offset behind the last record that the image holds.
    pub fn end(&self) -> Offset {
        self.published.load().end
    }

    pub fn node_id(&self) -> i32 {
        self.node_id
    }

    /// The properties file and the command line, as a config layer.
    pub fn fixed(&self) -> &Map {
        &self.fixed
    }

    /// Looks at the committed cluster the way decisions do.
    pub fn look<R>(&self, look: impl FnOnce(Cluster<'_>) -> R) -> R {
        let image = self.image();
        look(Cluster { image: &image, node_id: self.node_id, fixed: &self.fixed })
    }

    /// Asks a question of `millrace_cluster::decide`. The image that comes back with the reply holds
    /// everything that the reply speaks of.
    pub async fn decide<R>(
        &self,
        question: impl FnOnce(Cluster<'_>) -> Decision<R>,
        now_ms: i64,
    ) -> Result<(R, Arc<Image>), FoldedError> {
        let ask = |image: &Image| {
            let Decision { records, reply } = question(Cluster { image, node_id: self.node_id, fixed: &self.fixed });
            (records, reply)
        };
        let look = |image: &Image, end: Offset| {
            if end > self.published.load().end {
                Published { image: Arc::new(image.clone()), end }
            } else {
                Published { image: self.image(), end }
            }
        };
        let (reply, seen) = self.log.decide_and_look(ask, look, now_ms).await?;
        let image = seen.image.clone();
        let seen = Arc::new(seen);
        self.published.rcu(|now| if now.end < seen.end { seen.clone() } else { now.clone() });
        Ok((reply, image))
    }

    /// If the log is mostly history: says at its end what is still true, and lets go of all before. A crash
    /// in between leaves both, which come to the same image.
    pub async fn keep_short(&self, now_ms: i64) {
        let state = self.partition().state();
        let length = state.end.0 - state.start.0;
        let look_at = self.look_at.load(Ordering::Acquire);
        if length < look_at {
            return;
        }
        let live = i64::try_from(self.image().rewrite().len()).unwrap_or(i64::MAX);
        let enough = live.saturating_mul(RECORDS_PER_LIVE).max(RECORDS_MIN);
        // Whoever moves the mark does the work. Should that fail, the log grows by as much before the next try.
        let next = if length < enough { enough } else { length.saturating_add(enough) };
        if self.look_at.compare_exchange(look_at, next, Ordering::AcqRel, Ordering::Acquire).is_err() || length < enough {
            return;
        }
        match self.rewrite(now_ms).await {
            Ok(Some(start)) => {
                self.look_at.store(enough, Ordering::Release);
                tracing::info!(start = start.0, records = live, "the metadata log was rewritten");
            }
            Ok(None) => tracing::warn!(records = live, "the metadata is too large for a snapshot: its log keeps its history"),
            Err(error) => tracing::warn!(%error, "the metadata log keeps its history for now"),
        }
    }

    /// Answers where the log begins then.
    async fn rewrite(&self, now_ms: i64) -> Result<Option<Offset>, FoldedError> {
        let snapshot = |image: &Image| {
            let mut records = vec![Record::Snapshot];
            records.extend(image.rewrite());
            let bytes: usize = records.iter().map(|record| codec::encode(record).len()).sum();
            if bytes > SNAPSHOT_BYTES_MAX {
                return (Vec::new(), None);
            }
            let length = records.len() as i64;
            (records, Some(length))
        };
        let (length, end) = self.log.decide_and_look(snapshot, |_, end| end, now_ms).await?;
        let Some(length) = length else { return Ok(None) };
        let begin = Offset(end.0 - length);
        self.partition().trim(begin).await.map(Some).map_err(FoldedError::Trim)
    }

    pub fn partition(&self) -> &Partition {
        self.log.partition()
    }
}
