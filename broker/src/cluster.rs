//! The cluster's metadata on this node: the log that holds it, and the image everybody reads.
//!
//! Invariant: the published image is made of committed records only, and never goes back.
use std::sync::Arc;

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

pub struct ClusterLog {
    log: Folded<Image>,
    published: ArcSwap<Published>,
    node_id: i32,
    fixed: Map,
}

impl ClusterLog {
    /// Reads the metadata log; all of it must be committed, as it is on a node of one.
    pub fn load(partition: Partition, node_id: i32, fixed: Map) -> Result<ClusterLog, FoldedError> {
        let end = partition.state().end;
        let log = Folded::load(partition, Image::default)?;
        let image = Arc::new(log.peek(Image::clone));
        Ok(ClusterLog { log, published: ArcSwap::from_pointee(Published { image, end }), node_id, fixed })
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

    pub fn partition(&self) -> &Partition {
        self.log.partition()
    }
}

