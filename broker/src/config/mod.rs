//! From `server.properties` and `--override` to what this node is: pure, text in and settings out.
//!
//! Kafka's names and rules hold as they are. Beside the checks of the config table there are three of
//! the node's own: a key that it would be unsafe to ignore refuses the start, a listener that other
//! machines reach must be allowed by name, and one node is all that there can be yet.
mod listeners;

use std::path::PathBuf;

use millrace_cluster::config::{
    BrokerSettings, Effect, Layers, Map, Properties, PropertyError, ValueError, broker_key, check,
};

pub use listeners::{Address, ListenerConfig};

use crate::loggers::{Format, Levels, LoggerError};

/// What must be put right before the node starts. Each message says how.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("server.properties: {0}")]
    Properties(#[from] PropertyError),
    #[error("{0}")]
    Value(#[from] ValueError),
    #[error("{name} is set, and this broker does not have it yet: {doc}")]
    Refused { name: String, doc: &'static str },
    #[error("{name}: {reason}")]
    Listener { name: &'static str, reason: String },
    #[error(
        "{listener} can be reached from other machines and asks nobody who they are: anybody could read, \
         write and delete everything. Bind it to 127.0.0.1, or, if the network in front of it is trusted, \
         allow this with allow.everyone.if.no.acl.found=true"
    )]
    OpenToEverybody { listener: String },
    #[error("{name}: {reason}")]
    Cluster { name: &'static str, reason: String },
    #[error("logging.levels: {0}")]
    Levels(#[from] LoggerError),
    #[error("log.dirs names no folder: give it one, or leave it out for ./millrace-data")]
    NoFolder,
}

/// Everything that is fixed while the node runs.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    pub node_id: i32,
    pub rack: Option<String>,
    pub data_dir: PathBuf,
    /// Where Kafka clients connect; never empty.
    pub listeners: Vec<ListenerConfig>,
    pub http: Option<Address>,
    pub grpc: Option<Address>,
    pub logging: (Levels, Format),
    /// The properties as they were given: one of the layers that every config falls through.
    pub fixed: Map,
    /// `fetch.max.bytes`
    pub fetch_bytes_max: usize,
}

static EMPTY: Map = Map::new();

impl NodeConfig {
    /// Checks `properties` and makes them a node's. The second half of the answer is what to warn of.
    pub fn from_properties(properties: Properties) -> Result<(NodeConfig, Vec<String>), ConfigError> {
        let mut warnings: Vec<String> =
            properties.unknown().filter(|name| !name.starts_with("ksql.")).map(|name| format!("{name} is not a config of this broker: ignored")).collect();
        let fixed = properties.values;
        for (name, value) in &fixed {
            let Some(key) = broker_key(name) else { continue };
            check(key, value)?;
            let is_default = key.default == Some(value.trim());
            match key.effect {
                Effect::Refused if !is_default => {
                    return Err(ConfigError::Refused { name: name.clone(), doc: key.doc });
                }
                Effect::Works | Effect::Accepted | Effect::Refused => {}
            }
        }
        let settings = fixed_settings(&fixed);
        let listeners = listeners::parse(&settings)?;
        let everybody = settings.flag("allow.everyone.if.no.acl.found");
        let http = listeners::plain(&settings, "http.listener")?;
        let grpc = listeners::plain(&settings, "grpc.listener")?;
        let doors = listeners.iter().map(|listener| (&*listener.name, &listener.bind));
        let ours = [("http.listener", &http), ("grpc.listener", &grpc)];
        let ours = ours.iter().filter_map(|(name, address)| Some((*name, address.as_ref()?)));
        for (name, bind) in doors.chain(ours) {
            if !everybody && !bind.is_loopback() {
                return Err(ConfigError::OpenToEverybody { listener: format!("{name}://{bind}") });
            }
        }
        let node_id = node_id(&settings);
        alone(&settings, node_id)?;
        let dirs: Vec<String> = settings.list("log.dirs").into_iter().filter(|dir| !dir.is_empty()).collect();
        if dirs.len() > 1 {
            warnings.push(format!("log.dirs names {} folders: only {} is used", dirs.len(), dirs[0]));
        }
        let data_dir = dirs.first().map(PathBuf::from).ok_or(ConfigError::NoFolder)?;
        let config = NodeConfig {
            node_id,
            rack: settings.text("broker.rack"),
            data_dir,
            listeners,
            http,
            grpc,
            logging: (
                Levels::parse(&settings.text("logging.levels").unwrap_or_default())?,
                if settings.text("logging.format").as_deref() == Some("json") { Format::Json } else { Format::Text },
            ),
            fetch_bytes_max: usize::try_from(settings.number("fetch.max.bytes")).unwrap_or(0),
            fixed,
        };
        Ok((config, warnings))
    }

    /// `max.incremental.fetch.session.cache.slots`
    pub fn fetch_session_slots(&self) -> usize {
        usize::try_from(self.settings().number("max.incremental.fetch.session.cache.slots")).unwrap_or(0)
    }

    /// The settings before anything was altered at run time.
    pub fn settings(&self) -> BrokerSettings<'_> {
        fixed_settings(&self.fixed)
    }

    /// The views' server properties: every `ksql.` and `views.` key, and `auto.offset.reset` for queries as ksqlDB names it.
    pub fn ksql_properties(&self) -> impl Iterator<Item = (String, String)> {
        let streams = |name: &str| name.strip_prefix("ksql.streams.").unwrap_or(name).to_string();
        let ours = |name: &str| name.starts_with("ksql.") || name.starts_with("views.");
        self.fixed.iter().filter(move |(name, _)| ours(name)).map(move |(name, value)| (streams(name), value.clone()))
    }

    /// The listener that other addresses fall back to: the first.
    pub fn first_listener(&self) -> &ListenerConfig {
        &self.listeners[0]
    }
}

fn fixed_settings(fixed: &Map) -> BrokerSettings<'_> {
    BrokerSettings { layers: Layers { fixed, default_broker: &EMPTY, broker: &EMPTY } }
}

/// `node.id`, or the older `broker.id` where only that is set.
fn node_id(settings: &BrokerSettings<'_>) -> i32 {
    let fixed = settings.layers.fixed;
    let name = if !fixed.contains_key("node.id") && fixed.contains_key("broker.id") { "broker.id" } else { "node.id" };
    i32::try_from(settings.number(name)).unwrap_or(i32::MAX)
}

/// Refuses a configuration that means a cluster of several nodes.
fn alone(settings: &BrokerSettings<'_>, node_id: i32) -> Result<(), ConfigError> {
    let refuse = |name, reason: String| Err(ConfigError::Cluster { name, reason });
    let roles = settings.list("process.roles");
    for role in ["broker", "controller"] {
        if !roles.iter().any(|given| given == role) {
            let reason = format!("a single node is broker and controller; {role} is missing, and there are no clusters yet");
            return refuse("process.roles", reason);
        }
    }
    let voters = settings.list("controller.quorum.voters");
    if voters.len() > 1 {
        return refuse("controller.quorum.voters", "it names several nodes, and there are no clusters yet".to_owned());
    }
    if let Some(voter) = voters.first() {
        let id = voter.split('@').next().and_then(|id| id.trim().parse::<i32>().ok());
        if id != Some(node_id) {
            let reason = format!("{voter} is not this node (node.id={node_id}), and there are no clusters yet");
            return refuse("controller.quorum.voters", reason);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(NodeConfig, Vec<String>), ConfigError> {
        NodeConfig::from_properties(Properties::parse(text).expect("readable"))
    }

    #[test]
    fn a_folder_that_is_named_by_nothing_is_refused() {
        for text in ["log.dirs=", "log.dirs= , ", "log.dir="] {
            assert!(matches!(read(text), Err(ConfigError::NoFolder)), "{text}");
        }
    }

    #[test]
    fn nothing_at_all_is_one_node_on_loopback() {
        let (config, warnings) = read("").expect("starts");
        assert!(warnings.is_empty());
        assert_eq!(config.node_id, 1);
        assert_eq!(config.data_dir, PathBuf::from("./millrace-data"));
        assert_eq!(config.listeners.len(), 1);
        assert_eq!(config.first_listener().bind.to_string(), "127.0.0.1:9092");
        assert_eq!(config.http.expect("http").to_string(), "127.0.0.1:8088");
        assert_eq!(config.grpc.expect("grpc").to_string(), "127.0.0.1:8090");
    }

    #[test]
    fn kafkas_own_sample_starts_once_its_open_door_is_allowed() {
        let sample = "process.roles=broker,controller\nnode.id=7\ncontroller.quorum.voters=7@localhost:9093\n\
            listeners=PLAINTEXT://:9092,CONTROLLER://:9093\ninter.broker.listener.name=PLAINTEXT\n\
            advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\n\
            controller.listener.names=CONTROLLER\n\
            listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL\n\
            log.dirs=/tmp/kraft-combined-logs\nnum.partitions=3\nzookeeper.connect=gone\n";
        let refused = read(sample).expect_err("open to everybody").to_string();
        assert!(refused.contains("PLAINTEXT://0.0.0.0:9092"), "{refused}");
        assert!(refused.contains("allow.everyone.if.no.acl.found=true"), "{refused}");
        let (config, warnings) = read(&format!("{sample}allow.everyone.if.no.acl.found=true\n")).expect("allowed");
        assert_eq!(config.node_id, 7);
        assert_eq!(warnings, ["zookeeper.connect is not a config of this broker: ignored"]);
        assert_eq!(config.listeners.len(), 1, "the controller's listener is not for clients");
        let advertised = config.first_listener().advertised.as_ref().expect("advertised");
        assert_eq!(advertised.to_string(), "localhost:9092");
    }

    #[test]
    fn what_cannot_be_done_safely_refuses() {
        for (text, word) in [
            ("listeners=SASL_SSL://127.0.0.1:9092", "SASL_SSL"),
            ("listeners=NOWHERE://127.0.0.1:9092", "listener.security.protocol.map"),
            ("listeners=PLAINTEXT://127.0.0.1:9092,PLAINTEXT://127.0.0.1:9093", "twice"),
            ("listeners=PLAINTEXT:127.0.0.1", "PLAINTEXT:127.0.0.1"),
            ("authorizer.class.name=x.Y", "authorizer.class.name"),
            ("process.roles=broker", "controller"),
            ("controller.quorum.voters=1@a:1,2@b:1", "clusters"),
            ("num.partitions=none", "num.partitions"),
            ("http.listener=0.0.0.0:8088", "http.listener"),
            ("logging.levels=millrace=loud", "logging.levels"),
            ("logging.format=xml", "logging.format"),
        ] {
            let refused = read(text).expect_err(text).to_string();
            assert!(refused.contains(word), "{text}: {refused}");
        }
    }

    #[test]
    fn our_own_listeners_can_be_turned_off() {
        let (config, _) = read("http.listener=\ngrpc.listener=\n").expect("starts");
        assert!(config.http.is_none() && config.grpc.is_none());
    }
}
