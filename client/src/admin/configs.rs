//! Configs of topics and brokers.
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{DescribeConfigsRequest, IncrementalAlterConfigsRequest};

use crate::client::Client;
use crate::connection::Connection;
use crate::error::{ClientError, Code, Result};
use crate::text::{owned, text};

/// Whose configs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigResource {
    /// A topic's.
    Topic(String),
    /// One broker's.
    Broker(i32),
    /// All brokers' default.
    BrokerDefault,
    /// A consumer group's.
    Group(String),
}

impl std::fmt::Display for ConfigResource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ConfigResource::Topic(name) => write!(f, "topic {name}"),
            ConfigResource::Broker(id) => write!(f, "broker {id}"),
            ConfigResource::BrokerDefault => f.write_str("all brokers"),
            ConfigResource::Group(name) => write!(f, "group {name}"),
        }
    }
}

impl ConfigResource {
    fn on_wire(&self) -> (i8, String) {
        match self {
            ConfigResource::Topic(name) => (2, name.clone()),
            ConfigResource::Broker(id) => (4, id.to_string()),
            ConfigResource::BrokerDefault => (4, String::new()),
            ConfigResource::Group(name) => (32, name.clone()),
        }
    }
}

/// One config and where its value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Kafka's name.
    pub name: String,
    /// None for secrets.
    pub value: Option<String>,
    /// Cannot be changed while running.
    pub read_only: bool,
    /// Kafka's number of the source: 1 topic, 2 broker, 3 broker default, 4 server.properties, 5 default, 8 group.
    pub source: i8,
}

impl ConfigEntry {
    /// True where somebody set it.
    pub fn is_set(&self) -> bool {
        self.source != 5
    }
}

/// One change of a config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigOp {
    /// Sets a value.
    Set(String, String),
    /// Goes back to the default.
    Delete(String),
}

impl Client {
    /// The configs of one resource.
    pub async fn describe_configs(&self, resource: &ConfigResource) -> Result<Vec<ConfigEntry>> {
        let (kind, name) = resource.on_wire();
        let wanted = DescribeConfigsResource::default().with_resource_type(kind).with_resource_name(text(&name)).with_configuration_keys(None);
        let answer = self.for_resource(resource).await?.call(&DescribeConfigsRequest::default().with_resources(vec![wanted])).await?;
        let result = answer.results.first().ok_or_else(|| ClientError::malformed("DescribeConfigs response", "no resource in it"))?;
        Code(result.error_code).check(|| format!("configs of {resource}"), result.error_message.as_deref())?;
        let entry = |config: &kafka_protocol::messages::describe_configs_response::DescribeConfigsResourceResult| ConfigEntry {
            name: owned(&config.name),
            value: config.value.as_ref().map(owned),
            read_only: config.read_only,
            source: config.config_source,
        };
        Ok(result.configs.iter().map(entry).collect())
    }

    /// Changes some configs of one resource and leaves the others.
    pub async fn alter_configs(&self, resource: &ConfigResource, changes: &[ConfigOp]) -> Result<()> {
        let (kind, name) = resource.on_wire();
        let configs = changes.iter().map(|change| match change {
            ConfigOp::Set(name, value) => AlterableConfig::default().with_name(text(name)).with_config_operation(0).with_value(Some(text(value))),
            ConfigOp::Delete(name) => AlterableConfig::default().with_name(text(name)).with_config_operation(1).with_value(None),
        });
        let wanted = AlterConfigsResource::default().with_resource_type(kind).with_resource_name(text(&name)).with_configs(configs.collect());
        let answer = self.for_resource(resource).await?.call(&IncrementalAlterConfigsRequest::default().with_resources(vec![wanted])).await?;
        let result = answer.responses.first().ok_or_else(|| ClientError::malformed("IncrementalAlterConfigs response", "no resource in it"))?;
        Code(result.error_code).check(|| format!("alter configs of {resource}"), result.error_message.as_deref())
    }

    async fn for_resource(&self, resource: &ConfigResource) -> Result<Connection> {
        match resource {
            ConfigResource::Broker(id) => self.broker(*id).await,
            _ => self.controller().await,
        }
    }
}
