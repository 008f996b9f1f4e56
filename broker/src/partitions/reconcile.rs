//! Makes this node match the image: opens what should be here, closes and deletes what should not,
//! hands on changed settings. Idempotent; runs after every change and once at the start.
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::join_all;
use millrace_cluster::config::{Layers, Map, TopicSettings};
use millrace_cluster::decide::Cluster;
use millrace_cluster::{Image, Scope, TopicEntry};
use millrace_shard::{
    GroupId, Partition, PartitionConfig, PartitionSpec, ReplicaId, ShardError, ShardHandle,
};
use millrace_world::Disk;
use uuid::Uuid;

use super::settings::partition_config;
use super::{Directory, Partitions, Topic};
use crate::cluster::ClusterLog;

/// The group of the metadata log; the image gives out no number below 1.
pub const METADATA_GROUP: GroupId = GroupId(0);

const METADATA_SEGMENT_BYTES: i32 = 4 << 20;

/// Names longer than this are cut in folders' names, so that number and suffixes fit behind them.
const NAME_IN_PATH_MAX: usize = 200;

/// Partitions that one turn of the shard may be asked to open.
const OPENED_AT_ONCE: usize = 128;

struct Open {
    partition: Partition,
    topic: String,
    index: i32,
    config: PartitionConfig,
}

pub struct Reconciler {
    shard: ShardHandle,
    /// The folder that holds one folder for each partition.
    dir: PathBuf,
    node_id: i32,
    /// One run at a time, and what it left open.
    open: tokio::sync::Mutex<BTreeMap<GroupId, Open>>,
}

/// The replica that this node is in every group of its own.
fn replica(node_id: i32) -> ReplicaId {
    // Raft knows no id 0.
    ReplicaId(node_id.unsigned_abs() as u64 + 1)
}

/// The metadata log's own partition, which no image mentions.
pub fn metadata_spec(dir: &Path, node_id: i32, layers: &Layers<'_>) -> PartitionSpec {
    let me = replica(node_id);
    // Its records are few and every one is needed: nothing is ever retired by time or size.
    let mut settings = TopicSettings::resolve(layers, &Default::default());
    settings.cleanup.delete = false;
    settings.cleanup.compact = false;
    // What a rewrite leaves behind goes with whole segments.
    settings.segment_bytes = settings.segment_bytes.min(METADATA_SEGMENT_BYTES);
    settings.flush_messages = 1;
    PartitionSpec {
        id: METADATA_GROUP,
        dir: dir.join("__cluster_metadata-0"),
        identity: u128::from_be_bytes(*b"cluster metadata"),
        config: partition_config(&settings),
        voters: vec![me],
        me,
    }
}

impl Reconciler {
    pub fn new(shard: ShardHandle, dir: PathBuf, node_id: i32) -> Reconciler {
        Reconciler { shard, dir, node_id, open: Default::default() }
    }

    /// Once, before the first `run`: removes folders that a deletion did not get to rename, and nothing else. A
    /// folder that no deletion explains stays where it is and is told of.
    pub fn clear_leftovers(&self, disk: &dyn Disk, image: &Image) -> std::io::Result<()> {
        let known: BTreeSet<String> = self.wanted(image).map(|(topic, index, group)| folder(&topic.name, index, group)).collect();
        for entry in disk.list(&self.dir)? {
            let group = entry.name.rsplit_once('.').and_then(|(_, group)| group.parse::<u64>().ok());
            let Some(group) = group else { continue };
            if !entry.is_dir || known.contains(&entry.name) {
                continue;
            }
            if group < image.next_group().0 {
                tracing::info!(folder = entry.name, "removing what is left of a deleted topic");
                disk.remove_dir_all(&self.dir.join(&entry.name))?;
            } else {
                tracing::warn!(folder = entry.name, "this partition is not known to the cluster; it is left alone");
            }
        }
        Ok(())
    }

    fn wanted<'a>(&'a self, image: &'a Image) -> impl Iterator<Item = (&'a Arc<TopicEntry>, i32, GroupId)> {
        image.topics().flat_map(move |topic| {
            let here = move |partition: &millrace_cluster::PartitionEntry| partition.replicas.contains(&self.node_id);
            let indexed = (0..).zip(&topic.partitions);
            indexed.filter(move |(_, partition)| here(partition)).map(move |(index, p)| (topic, index, GroupId(p.group.0)))
        })
    }

    /// Brings the node to where the cluster says it should be and publishes what is open then. Answers
    /// the names of topics that are gone.
    ///
    /// The image is taken when it is this run's turn: one from before would make it delete what a later
    /// change has just created.
    pub async fn run(&self, log: &ClusterLog, partitions: &Partitions) -> Vec<String> {
        let mut open = self.open.lock().await;
        let image = log.image();
        let cluster = Cluster { image: &image, node_id: self.node_id, fixed: log.fixed() };
        let before = partitions.directory();
        let layers = cluster.layers();
        // Most topics have no configs of their own and share one set.
        let plain = Arc::new(TopicSettings::resolve(&layers, &Map::new()));
        let settings: BTreeMap<Uuid, Arc<TopicSettings>> = cluster
            .image
            .topics()
            .map(|topic| {
                let overrides = cluster.image.configs(&Scope::Topic(topic.name.clone()));
                let own = || Arc::new(TopicSettings::resolve(&layers, overrides));
                (topic.id, if overrides.is_empty() { plain.clone() } else { own() })
            })
            .collect();
        let wanted: BTreeMap<GroupId, (&Arc<TopicEntry>, i32)> =
            self.wanted(cluster.image).map(|(topic, index, group)| (group, (topic, index))).collect();
        self.close_unwanted(&mut open, |group| wanted.contains_key(&group)).await;
        self.open_missing(&mut open, &wanted, &settings).await;
        self.update_settings(&mut open, &wanted, &settings).await;
        partitions.0.store(Arc::new(directory(cluster.image, &open, &settings)));
        let gone = before.topics().filter(|topic| image.topic_by_id(topic.id).is_none());
        gone.map(|topic| topic.name.to_string()).collect()
    }

    async fn close_unwanted(&self, open: &mut BTreeMap<GroupId, Open>, wanted: impl Fn(GroupId) -> bool) {
        let doomed: Vec<GroupId> = open.keys().copied().filter(|group| !wanted(*group)).collect();
        let closed = join_all(doomed.iter().map(|group| self.shard.close_partition(*group, true))).await;
        for (group, closed) in doomed.into_iter().zip(closed) {
            if let (Some(gone), Err(error)) = (open.remove(&group), closed) {
                tracing::error!(topic = gone.topic, partition = gone.index, %error, "a deleted partition was not removed from disk");
            }
        }
    }

    async fn open_missing(
        &self,
        open: &mut BTreeMap<GroupId, Open>,
        wanted: &BTreeMap<GroupId, (&Arc<TopicEntry>, i32)>,
        settings: &BTreeMap<Uuid, Arc<TopicSettings>>,
    ) {
        let missing = wanted.iter().filter(|(group, _)| !open.contains_key(group));
        let opening = missing.map(|(group, (topic, index))| {
            let config = partition_config(&settings[&topic.id]);
            let spec = PartitionSpec {
                id: *group,
                dir: self.dir.join(folder(&topic.name, *index, *group)),
                identity: identity(topic.id, *index),
                config: config.clone(),
                voters: vec![replica(self.node_id)],
                me: replica(self.node_id),
            };
            async move { (*group, *topic, *index, config, self.shard.open_partition(spec).await) }
        });
        // A few at a time: between them the shard serves what is open already.
        let mut opening: Vec<_> = opening.collect();
        while !opening.is_empty() {
            let rest = opening.split_off(opening.len().min(OPENED_AT_ONCE));
            for (group, topic, index, config, opened) in join_all(std::mem::replace(&mut opening, rest)).await {
                match opened {
                    Ok(partition) => {
                        open.insert(group, Open { partition, topic: topic.name.clone(), index, config });
                    }
                    Err(error) => {
                        tracing::error!(topic = topic.name, partition = index, %error, "a partition could not be opened");
                    }
                }
            }
        }
    }

    async fn update_settings(
        &self,
        open: &mut BTreeMap<GroupId, Open>,
        wanted: &BTreeMap<GroupId, (&Arc<TopicEntry>, i32)>,
        settings: &BTreeMap<Uuid, Arc<TopicSettings>>,
    ) {
        for (group, open) in open.iter_mut() {
            let Some((topic, _)) = wanted.get(group) else { continue };
            let config = partition_config(&settings[&topic.id]);
            if config == open.config {
                continue;
            }
            match open.partition.set_config(config.clone()).await {
                Ok(()) => open.config = config,
                Err(error) => tracing::error!(topic = open.topic, partition = open.index, %error, "new settings did not take effect"),
            }
        }
    }

    /// Drops from the journal what belongs to no partition: once, when all are open.
    pub async fn forget_others(&self) -> Result<usize, ShardError> {
        self.shard.forget_unopened().await
    }
}

fn directory(image: &Image, open: &BTreeMap<GroupId, Open>, settings: &BTreeMap<Uuid, Arc<TopicSettings>>) -> Directory {
    let mut directory = Directory::default();
    for topic in image.topics() {
        let partitions = topic.partitions.iter().map(|partition| {
            open.get(&GroupId(partition.group.0)).map(|open| open.partition.clone())
        });
        directory.insert(Topic {
            name: topic.name.as_str().into(),
            id: topic.id,
            settings: settings[&topic.id].clone(),
            partitions: partitions.collect(),
        });
    }
    directory
}

/// Kafka's `topic-partition`, and the group's number behind it, so that a topic which is deleted and
/// made again never meets its own past.
fn folder(topic: &str, index: i32, group: GroupId) -> String {
    let topic = &topic[..topic.floor_char_boundary(NAME_IN_PATH_MAX)];
    format!("{topic}-{index}.{}", group.0)
}

/// What every segment of the partition carries.
fn identity(topic: Uuid, index: i32) -> u128 {
    topic.as_u128() ^ index as u128
}
