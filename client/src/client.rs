//! The cluster seen from one client: metadata, who leads what, and one connection per broker.
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{FindCoordinatorRequest, MetadataRequest};
use tokio::time::{Instant, sleep};

use crate::connection::Connection;
use crate::error::{ClientError, Code, Result};
use crate::metadata::{Broker, Metadata};
use crate::text::{broker_id, owned, text, topic_name};
use crate::{TopicInfo, TopicPartition};

/// How long to wait before asking the same question again.
pub(crate) const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// How to reach a cluster.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// `host:port` of brokers to ask first; a host alone means port 9092.
    pub bootstrap: Vec<String>,
    /// Shown in the broker's logs and quotas.
    pub client_id: String,
    /// The longest wait for one answer.
    pub request_timeout: Duration,
    /// The longest wait for a call with all its retries.
    pub patience: Duration,
}

impl ClientConfig {
    /// The usual waits: 30 s for an answer, 60 s in all.
    pub fn new(bootstrap: &str) -> Self {
        let with_port = |address: &str| {
            let has_port = address.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
            if has_port { address.to_owned() } else { format!("{address}:9092") }
        };
        Self {
            bootstrap: bootstrap.split(',').map(str::trim).filter(|part| !part.is_empty()).map(with_port).collect(),
            client_id: "millrace".into(),
            request_timeout: Duration::from_secs(30),
            patience: Duration::from_secs(60),
        }
    }
}

/// A client of one cluster; clones share connections and metadata.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    config: ClientConfig,
    connections: Mutex<HashMap<String, Connection>>,
    metadata: RwLock<Arc<Metadata>>,
}

impl Client {
    /// Connects to the first bootstrap broker that answers and learns the brokers.
    pub async fn connect(config: ClientConfig) -> Result<Client> {
        if config.bootstrap.is_empty() {
            return Err(ClientError::Misuse("no broker address given".into()));
        }
        let shared = Shared { config, connections: Mutex::default(), metadata: RwLock::default() };
        let client = Client { shared: Arc::new(shared) };
        client.refresh(Some(&[]), false).await?;
        Ok(client)
    }

    /// The settings this client was made with.
    pub fn config(&self) -> &ClientConfig {
        &self.shared.config
    }

    /// The metadata in hand, perhaps old.
    pub fn metadata(&self) -> Arc<Metadata> {
        self.shared.metadata.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks for metadata of `topics` (none: all topics) and keeps the answer.
    pub async fn refresh(&self, topics: Option<&[&str]>, auto_create: bool) -> Result<Arc<Metadata>> {
        let connection = self.any().await?;
        let version = connection.version_of::<MetadataRequest>()?;
        let named = topics.map(|names| names.iter().map(|name| MetadataRequestTopic::default().with_name(Some(topic_name(name)))).collect());
        let mut request = MetadataRequest::default().with_topics(named);
        if version == 0 && topics.is_none() {
            request.topics = Some(Vec::new());
        }
        if version >= 4 {
            request.allow_auto_topic_creation = auto_create;
        }
        let answer: Metadata = connection.call(&request).await?.into();
        let mut held = self.shared.metadata.write().unwrap_or_else(PoisonError::into_inner);
        *held = match topics {
            // The answer about all topics is the whole truth: what it does not name is gone.
            None => Arc::new(answer),
            Some(_) => {
                let mut merged = Metadata::clone(&held);
                merged.absorb(answer);
                Arc::new(merged)
            }
        };
        Ok(held.clone())
    }

    /// One topic's partitions, waiting until each has a leader; creates the topic if `auto_create` and the broker agree.
    pub async fn topic(&self, name: &str, auto_create: bool) -> Result<TopicInfo> {
        self.persist(|| async {
            let metadata = self.refresh(Some(&[name]), auto_create).await?;
            let about = || format!("topic {name}");
            let info = metadata.topics.get(name).ok_or_else(|| ClientError::malformed("Metadata response", "the topic asked for is missing"))?;
            // An unknown topic is final unless asking creates it.
            if info.error == Code::UNKNOWN_TOPIC_OR_PARTITION && !auto_create {
                return Ok(Err(ClientError::refused(info.error, about(), None)));
            }
            info.error.check(about, None)?;
            if info.partitions.is_empty() || info.partitions.values().any(|partition| partition.leader < 0) {
                return Err(ClientError::refused(Code::LEADER_NOT_AVAILABLE, about(), None));
            }
            Ok(Ok(info.clone()))
        })
        .await?
    }

    /// A connection to any broker that answers.
    pub async fn any(&self) -> Result<Connection> {
        let known: Vec<String> = self.metadata().brokers.values().map(Broker::address).collect();
        let mut last = None;
        for address in known.iter().chain(&self.shared.config.bootstrap) {
            match self.at(address).await {
                Ok(connection) => return Ok(connection),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| ClientError::Misuse("no broker address given".into())))
    }

    /// A connection to one broker.
    pub async fn broker(&self, id: i32) -> Result<Connection> {
        let address = self.metadata().brokers.get(&id).map(Broker::address);
        let address = match address {
            Some(address) => address,
            None => self.refresh(Some(&[]), false).await?.brokers.get(&id).map(Broker::address).ok_or_else(|| {
                ClientError::refused(Code(8), format!("broker {id}"), Some("the cluster does not name it"))
            })?,
        };
        self.at(&address).await
    }

    /// A connection to the broker that takes administrative requests.
    pub async fn controller(&self) -> Result<Connection> {
        match self.metadata().controller {
            id if id >= 0 => self.broker(id).await,
            _ => self.any().await,
        }
    }

    /// A connection to the leader of a partition.
    pub async fn leader(&self, at: &TopicPartition) -> Result<Connection> {
        if let Some(broker) = self.metadata().leader(at) {
            return self.at(&broker.address()).await;
        }
        let metadata = self.refresh(Some(&[&at.topic]), false).await?;
        let topic = metadata.topics.get(&at.topic).map_or(Code::UNKNOWN_TOPIC_OR_PARTITION, |topic| topic.error);
        topic.check(|| format!("topic {}", at.topic), None)?;
        match metadata.leader(at) {
            Some(broker) => self.at(&broker.address()).await,
            None if metadata.topics[&at.topic].partitions.contains_key(&at.partition) => {
                Err(ClientError::refused(Code::LEADER_NOT_AVAILABLE, at.to_string(), None))
            }
            None => Err(ClientError::refused(Code::UNKNOWN_TOPIC_OR_PARTITION, at.to_string(), Some("there is no such partition"))),
        }
    }

    /// A connection to the coordinator of a consumer group.
    pub async fn coordinator(&self, group: &str) -> Result<Connection> {
        self.persist(|| async {
            let connection = self.any().await?;
            let about = || format!("coordinator of group {group}");
            if connection.version_of::<FindCoordinatorRequest>()? >= 4 {
                let request = FindCoordinatorRequest::default().with_coordinator_keys(vec![text(group)]);
                let answer = connection.call(&request).await?;
                let found = answer.coordinators.first().ok_or_else(|| ClientError::malformed("FindCoordinator response", "no coordinator in it"))?;
                Code(found.error_code).check(about, found.error_message.as_deref())?;
                return self.found(broker_id(found.node_id), owned(&found.host), found.port).await;
            }
            let answer = connection.call(&FindCoordinatorRequest::default().with_key(text(group))).await?;
            Code(answer.error_code).check(about, answer.error_message.as_deref())?;
            self.found(broker_id(answer.node_id), owned(&answer.host), answer.port).await
        })
        .await
    }

    async fn found(&self, id: i32, host: String, port: i32) -> Result<Connection> {
        self.at(&Broker { id, host, port, rack: None }.address()).await
    }

    /// Repeats `attempt` while it fails with something that may pass, until patience ends.
    pub(crate) async fn persist<T, F: Future<Output = Result<T>>>(&self, mut attempt: impl FnMut() -> F) -> Result<T> {
        let until = Instant::now() + self.shared.config.patience;
        loop {
            match attempt().await {
                Err(error) if error.is_retriable() && Instant::now() < until => sleep(RETRY_PAUSE).await,
                outcome => return outcome,
            }
        }
    }

    async fn at(&self, address: &str) -> Result<Connection> {
        if let Some(connection) = self.open(address) {
            return Ok(connection);
        }
        // No lock is held while connecting: a broker that is down keeps nobody from the others. Of two connections made
        // at once the first one stays.
        let config = &self.shared.config;
        let connection = Connection::open(address, &config.client_id, config.request_timeout).await?;
        if let Some(first) = self.open(address) {
            return Ok(first);
        }
        self.shared.connections.lock().unwrap_or_else(PoisonError::into_inner).insert(address.to_owned(), connection.clone());
        Ok(connection)
    }

    fn open(&self, address: &str) -> Option<Connection> {
        let connections = self.shared.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.get(address).filter(|connection| !connection.is_closed()).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bootstrap_lists_take_spaces_and_default_ports() {
        let config = ClientConfig::new("a:1, b ,, 10.0.0.1:9093");
        assert_eq!(config.bootstrap, ["a:1", "b:9092", "10.0.0.1:9093"]);
    }
}
