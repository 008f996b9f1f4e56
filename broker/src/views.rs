//! What the views ask of the broker: topics, partitions, producer ids, and a place in the metadata log for their commands.
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use millrace_cluster::Record;
use millrace_cluster::decide::{Decision, NewTopic, TopicRef, allocate_producer_ids, create_topics, delete_topics};
use millrace_record::Offset;
use millrace_serve::host::ViewSettings;
use millrace_serve::run::Plant;
use millrace_serve::{Answer, Consumers, Failed, InputId, Outside, Refused, TopicSummary, Views};
use millrace_shard::Partition;
use millrace_sql::catalog::{NewTopic as ViewTopic, Settings, properties};
use millrace_sql::parser::Limits;
use millrace_world::World;
use uuid::Uuid;

use crate::node::Node;

/// Topics that are nobody's data.
const INTERNAL: &[&str] = &["__", "_millrace_", "_confluent-ksql-"];

/// Starts the views of a node. `world` is where they run, `http` where they are asked.
pub async fn start(node: Arc<Node>, world: Arc<dyn World>, http: Option<SocketAddr>) -> Result<Arc<Views>, Failed> {
    let table = node.config.settings();
    let number = |name: &str| usize::try_from(table.number(name)).unwrap_or(0);
    let limits = Limits {
        depth_max: number(Limits::DEPTH_CONFIG),
        height_max: number(Limits::HEIGHT_CONFIG),
        text_bytes_max: number(Limits::TEXT_CONFIG),
        statements_max: number(Limits::STATEMENTS_CONFIG),
    };
    let server: Settings = node.config.ksql_properties().collect();
    let push_queries_max = properties::number(&server, "ksql.max.push.queries").unwrap_or(0.0) as usize;
    let settings = ViewSettings {
        memory_bytes: number("views.memory.bytes"),
        push_queries_max,
        limits,
        answer_bytes_max: number("views.sql.answer.bytes.max"),
        plant: Plant::Nothing,
    };
    Views::start(Arc::new(Broker { node, world, http }), settings, server).await
}

struct Broker {
    node: Arc<Node>,
    world: Arc<dyn World>,
    http: Option<SocketAddr>,
}

fn refused(error: impl std::fmt::Display) -> Refused {
    Refused(error.to_string())
}

impl Outside for Broker {
    fn world(&self) -> Arc<dyn World> {
        self.world.clone()
    }

    fn state_dir(&self) -> PathBuf {
        self.node.config.data_dir.join("views")
    }

    fn cluster_id(&self) -> String {
        self.node.cluster.image().cluster_id().map(crate::identity::base64url).unwrap_or_default()
    }

    fn http_address(&self) -> String {
        self.http.map_or_else(|| "off".to_string(), |address| address.to_string())
    }

    fn health(&self) -> Result<(), Refused> {
        self.node.is_ready().map_err(refused)
    }

    fn consumers(&self) -> BTreeMap<String, Consumers> {
        let readers = self.node.coordinators.readers().into_iter();
        readers.map(|(topic, readers)| (topic, Consumers { members: readers.members, groups: readers.groups })).collect()
    }

    fn topics(&self) -> Vec<TopicSummary> {
        let image = self.node.cluster.image();
        let topics = image.topics().map(|topic| TopicSummary {
            name: topic.name.clone(),
            replicas: topic.partitions.iter().map(|partition| partition.replicas.len()).collect(),
            internal: INTERNAL.iter().any(|prefix| topic.name.starts_with(prefix)),
        });
        topics.collect()
    }

    fn partitions(&self, topic: &str) -> Option<Vec<Partition>> {
        let directory = self.node.partitions.directory();
        directory.named(topic)?.partitions.iter().cloned().collect()
    }

    fn create_topic(&self, topic: ViewTopic) -> Answer<Result<(), Refused>> {
        let node = self.node.clone();
        Box::pin(async move {
            if let Some(existing) = node.partitions.directory().named(&topic.name) {
                return match topic.partitions {
                    Some(wanted) if wanted as usize != existing.partitions.len() => Err(Refused(format!(
                        "A Kafka topic with the name '{}' already exists, with different partition/replica configuration than required. \
                         KSQL expects {wanted} partitions (topic has {})",
                        topic.name,
                        existing.partitions.len()
                    ))),
                    _ => Ok(()),
                };
            }
            let mut configs = Vec::new();
            if let Some(policy) = &topic.cleanup_policy {
                configs.push(("cleanup.policy".to_string(), Some(policy.clone())));
            }
            if let Some(ms) = topic.retention_ms {
                configs.push(("retention.ms".to_string(), Some(ms.to_string())));
            }
            if INTERNAL.iter().any(|prefix| topic.name.starts_with(prefix)) {
                // Views trim their own topics; nothing else may.
                configs.push(("retention.bytes".to_string(), Some("-1".to_string())));
            }
            let ask = NewTopic {
                name: topic.name,
                partitions: topic.partitions.unwrap_or(-1),
                replication_factor: topic.replicas.unwrap_or(-1),
                assignments: Vec::new(),
                configs,
            };
            let asks = [ask];
            let outcomes = node.change(|cluster| create_topics(cluster, &asks, &mut || node.new_id())).await.map_err(refused)?;
            outcomes.into_iter().try_for_each(|outcome| outcome.map(drop)).map_err(refused)
        })
    }

    fn hold(&self, needed: &BTreeMap<InputId, i64>) {
        let directory = self.node.partitions.directory();
        for topic in directory.topics() {
            for (number, partition) in topic.partitions.iter().enumerate() {
                let Some(partition) = partition else { continue };
                let input = InputId::new(topic.name.clone(), number as i32);
                partition.hold(needed.get(&input).copied().map(Offset));
            }
        }
    }

    fn delete_topic(&self, name: String) -> Answer<Result<(), Refused>> {
        let node = self.node.clone();
        Box::pin(async move {
            let asks = [TopicRef { name: Some(name), id: Uuid::nil() }];
            let outcomes = node.change(|cluster| delete_topics(cluster, &asks)).await.map_err(refused)?;
            outcomes.into_iter().try_for_each(|outcome| outcome.map(drop)).map_err(refused)
        })
    }

    fn producer_ids(&self, count: i64) -> Answer<Result<i64, Refused>> {
        let node = self.node.clone();
        Box::pin(async move {
            let block = node.change(allocate_producer_ids).await.map_err(refused)?;
            match block {
                Some(block) if i64::from(block.count) >= count => Ok(block.first),
                _ => Err(Refused("every producer id has been used".into())),
            }
        })
    }

    fn append_command(&self, command: Bytes) -> Answer<Result<(), Refused>> {
        let node = self.node.clone();
        Box::pin(async move {
            let decide = |_: millrace_cluster::decide::Cluster<'_>| Decision { records: vec![Record::Command { bytes: command }], reply: () };
            node.change(decide).await.map_err(refused)
        })
    }

    fn commands(&self) -> Vec<Bytes> {
        self.node.cluster.image().commands().to_vec()
    }
}
