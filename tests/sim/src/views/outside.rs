//! What views ask of a broker, answered by one simulated node: topics are partitions of its shard.
//!
//! Topics and commands live in the metadata log of a broker. Here they are in the simulator's memory and durable at once: that logs
//! keep what they acknowledge is the storage simulation's part.
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use millrace_record::Offset;
use millrace_serve::{Answer, Consumers, InputId, Outside, Refused, TopicSummary};
use millrace_shard::{Flush, GroupId, LogConfig, Partition, PartitionConfig, PartitionSpec, ReplicaId, ShardHandle};
use millrace_sql::catalog::NewTopic;
use millrace_store::Databases;
use millrace_world::World;
use parking_lot::Mutex;

use crate::fixture;
use crate::views::database::SimDatabases;
use crate::world::SimWorld;

/// By name; a partition is absent until it is open.
pub type OpenTopics = Arc<Mutex<BTreeMap<String, Vec<Option<Partition>>>>>;

/// Outlives every crash.
#[derive(Default)]
pub struct Metadata {
    pub commands: Vec<Bytes>,
    pub topics: BTreeMap<String, Vec<PartitionSpec>>,
    groups: u64,
    producers: i64,
    segment_bytes: u64,
    /// Why a partition did not open the last time that one did not.
    pub trouble: String,
}

impl Metadata {
    pub fn new(segment_bytes: u64) -> Metadata {
        Metadata { segment_bytes, ..Metadata::default() }
    }

    fn add_topic(&mut self, name: &str, partitions: i32) {
        let spec = |number: i32, group: u64, segment_bytes: u64| PartitionSpec {
            id: GroupId(group),
            // As the broker names them: a topic made anew has folders of its own.
            dir: PathBuf::from(format!("data/{name}-{number}.{group}")),
            identity: u128::from(group) + 1000,
            config: PartitionConfig { log: log_config(segment_bytes), flush: Flush::BEFORE_ANSWER, delete_delay_ms: 60_000 },
            voters: vec![ReplicaId(1)],
            me: ReplicaId(1),
        };
        let specs = (0..partitions).map(|number| {
            self.groups += 1;
            spec(number, self.groups, self.segment_bytes)
        });
        let specs = specs.collect();
        self.topics.insert(name.to_owned(), specs);
    }
}

fn log_config(segment_bytes: u64) -> LogConfig {
    LogConfig {
        segment_bytes,
        index_interval_bytes: 500,
        delete_retention_ms: 1_000,
        ..fixture::log_config()
    }
}

/// One life of the node.
pub struct SimOutside {
    pub world: Arc<SimWorld>,
    pub databases: Arc<SimDatabases>,
    pub metadata: Arc<Mutex<Metadata>>,
    pub shard: ShardHandle,
    pub open: OpenTopics,
}

impl SimOutside {
    /// Opens what the metadata says, as reconciling does: again and again until it works.
    pub async fn open_topic(world: Arc<SimWorld>, shard: ShardHandle, metadata: Arc<Mutex<Metadata>>, name: String, specs: Vec<PartitionSpec>, open: OpenTopics) {
        open.lock().entry(name.clone()).or_insert_with(|| vec![None; specs.len()]);
        for (number, spec) in specs.into_iter().enumerate() {
            loop {
                match shard.open_partition(spec.clone()).await {
                    Ok(partition) => {
                        if let Some(slots) = open.lock().get_mut(&name) {
                            slots[number] = Some(partition);
                        }
                        break;
                    }
                    Err(error) => metadata.lock().trouble = format!("{name}-{number}: {error}"),
                }
                let deadline = world.now() + Duration::from_millis(200);
                world.sleep_until(deadline).await;
            }
        }
    }
}

impl Outside for SimOutside {
    fn world(&self) -> Arc<dyn World> {
        self.world.clone()
    }

    fn state_dir(&self) -> PathBuf {
        PathBuf::from("data/views")
    }

    fn databases(&self, _memory_bytes: usize) -> Arc<dyn Databases> {
        self.databases.clone()
    }

    fn cluster_id(&self) -> String {
        "simulated".into()
    }

    fn http_address(&self) -> String {
        "off".into()
    }

    fn health(&self) -> Result<(), Refused> {
        Ok(())
    }

    /// Nobody but views reads here.
    fn consumers(&self) -> BTreeMap<String, Consumers> {
        BTreeMap::new()
    }

    fn topics(&self) -> Vec<TopicSummary> {
        let metadata = self.metadata.lock();
        let summary = |(name, specs): (&String, &Vec<PartitionSpec>)| TopicSummary { name: name.clone(), replicas: vec![1; specs.len()], internal: name.starts_with('_') };
        metadata.topics.iter().map(summary).collect()
    }

    fn partitions(&self, topic: &str) -> Option<Vec<Partition>> {
        self.open.lock().get(topic)?.iter().cloned().collect()
    }

    fn create_topic(&self, topic: NewTopic) -> Answer<Result<(), Refused>> {
        let (world, shard, metadata, open) = (self.world.clone(), self.shard.clone(), self.metadata.clone(), self.open.clone());
        Box::pin(async move {
            let specs = {
                let mut metadata = metadata.lock();
                match metadata.topics.get(&topic.name) {
                    Some(specs) if topic.partitions.is_some_and(|wanted| wanted as usize != specs.len()) => {
                        return Err(Refused(format!("{} exists with {} partitions", topic.name, specs.len())));
                    }
                    Some(_) => return Ok(()),
                    None => metadata.add_topic(&topic.name, topic.partitions.unwrap_or(1)),
                }
                metadata.topics[&topic.name].clone()
            };
            SimOutside::open_topic(world, shard, metadata, topic.name, specs, open).await;
            Ok(())
        })
    }

    fn hold(&self, needed: &BTreeMap<InputId, i64>) {
        for (topic, partitions) in self.open.lock().iter() {
            for (number, partition) in partitions.iter().enumerate() {
                let Some(partition) = partition else { continue };
                partition.hold(needed.get(&InputId::new(topic.as_str(), number as i32)).copied().map(Offset));
            }
        }
    }

    fn delete_topic(&self, name: String) -> Answer<Result<(), Refused>> {
        let (shard, metadata, open) = (self.shard.clone(), self.metadata.clone(), self.open.clone());
        Box::pin(async move {
            let specs = metadata.lock().topics.remove(&name).ok_or_else(|| Refused(format!("{name} is not there")))?;
            open.lock().remove(&name);
            for spec in specs {
                shard.close_partition(spec.id, true).await.map_err(|error| Refused(error.to_string()))?;
            }
            Ok(())
        })
    }

    fn producer_ids(&self, count: i64) -> Answer<Result<i64, Refused>> {
        let mut metadata = self.metadata.lock();
        let first = metadata.producers;
        metadata.producers += count;
        Box::pin(async move { Ok(first) })
    }

    fn append_command(&self, command: Bytes) -> Answer<Result<(), Refused>> {
        self.metadata.lock().commands.push(command);
        Box::pin(async { Ok(()) })
    }

    fn commands(&self) -> Vec<Bytes> {
        self.metadata.lock().commands.clone()
    }
}
