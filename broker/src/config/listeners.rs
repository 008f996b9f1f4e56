//! `listeners`, `advertised.listeners` and the map of their protocols, as Kafka reads them.
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use millrace_cluster::config::BrokerSettings;

use super::ConfigError;

/// A host (name or number, without brackets) and a port; port 0 lets the system choose.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    pub host: String,
    pub port: u16,
}

impl Address {
    /// Whether only this machine can reach it.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    fn parse(text: &str) -> Option<Address> {
        let (host, port) = text.rsplit_once(':')?;
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if bracketed.is_none() && host.contains(':') {
            return None;
        }
        let host = bracketed.unwrap_or(host);
        // No host means every interface.
        let host = if host.is_empty() { "0.0.0.0" } else { host };
        Some(Address { host: host.to_owned(), port: port.parse().ok()? })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') { write!(out, "[{}]:{}", self.host, self.port) } else { write!(out, "{}:{}", self.host, self.port) }
    }
}

#[derive(Clone, Debug)]
pub struct ListenerConfig {
    pub name: Arc<str>,
    pub bind: Address,
    /// What clients are told, where it is not the bound address.
    pub advertised: Option<Address>,
}

/// The listeners for clients: those of `controller.listener.names` are for other nodes.
pub fn parse(settings: &BrokerSettings<'_>) -> Result<Vec<ListenerConfig>, ConfigError> {
    let controllers = settings.list("controller.listener.names");
    let advertised = named_addresses(settings, "advertised.listeners")?;
    let mut listeners: Vec<ListenerConfig> = Vec::new();
    for (name, bind) in named_addresses(settings, "listeners")? {
        if controllers.contains(&name) {
            continue;
        }
        if listeners.iter().any(|other| *other.name == *name) {
            return Err(ConfigError::Listener { name: "listeners", reason: format!("{name} is there twice") });
        }
        plaintext_only(settings, &name)?;
        let advertised = advertised.iter().find(|(other, _)| *other == name).map(|(_, address)| address.clone());
        if advertised.as_ref().is_some_and(|address| matches!(address.host.as_str(), "0.0.0.0" | "::")) {
            let reason = format!("{name} advertises every interface, which no client can connect to");
            return Err(ConfigError::Listener { name: "advertised.listeners", reason });
        }
        listeners.push(ListenerConfig { name: name.into(), bind, advertised });
    }
    if listeners.is_empty() {
        let reason = "there must be one that clients can connect to".to_owned();
        return Err(ConfigError::Listener { name: "listeners", reason });
    }
    if let Some((name, _)) = advertised.iter().find(|(name, _)| {
        !controllers.contains(name) && listeners.iter().all(|listener| *listener.name != **name)
    }) {
        let reason = format!("{name} is not in listeners");
        return Err(ConfigError::Listener { name: "advertised.listeners", reason });
    }
    Ok(listeners)
}

/// `host:port` of one of our own listeners; empty turns it off.
pub fn plain(settings: &BrokerSettings<'_>, name: &'static str) -> Result<Option<Address>, ConfigError> {
    let text = settings.text(name).unwrap_or_default();
    if text.is_empty() {
        return Ok(None);
    }
    let refuse = || ConfigError::Listener { name, reason: format!("{text} is not host:port") };
    Address::parse(&text).map(Some).ok_or_else(refuse)
}

fn named_addresses(settings: &BrokerSettings<'_>, name: &'static str) -> Result<Vec<(String, Address)>, ConfigError> {
    let parse = |item: String| {
        let parsed = item.split_once("://").and_then(|(listener, address)| {
            Some((listener.to_ascii_uppercase(), Address::parse(address)?))
        });
        parsed.ok_or_else(|| ConfigError::Listener { name, reason: format!("{item} is not NAME://host:port") })
    };
    settings.list(name).into_iter().map(parse).collect()
}

fn plaintext_only(settings: &BrokerSettings<'_>, listener: &str) -> Result<(), ConfigError> {
    let map = settings.list("listener.security.protocol.map");
    let mapped = map.iter().find_map(|pair| {
        let (name, protocol) = pair.split_once(':')?;
        name.eq_ignore_ascii_case(listener).then_some(protocol)
    });
    match mapped {
        Some("PLAINTEXT") => Ok(()),
        Some(protocol) => {
            let reason = format!("{listener} is {protocol}, and only PLAINTEXT is here yet");
            Err(ConfigError::Listener { name: "listeners", reason })
        }
        None => {
            let reason = format!("{listener} has no protocol in it");
            Err(ConfigError::Listener { name: "listener.security.protocol.map", reason })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let shown = |text| Address::parse(text).map(|address: Address| address.to_string());
        assert_eq!(shown(":9092").as_deref(), Some("0.0.0.0:9092"));
        assert_eq!(shown("[::1]:9092").as_deref(), Some("[::1]:9092"));
        assert_eq!(shown("kafka.local:0").as_deref(), Some("kafka.local:0"));
        for bad in ["9092", "host:", "host:99999", "::1:9092", "host"] {
            assert_eq!(shown(bad), None, "{bad}");
        }
        assert!(Address::parse("[::1]:1").is_some_and(|address| address.is_loopback()));
        assert!(Address::parse("127.8.8.8:1").is_some_and(|address| address.is_loopback()));
        assert!(!Address::parse(":1").is_some_and(|address| address.is_loopback()));
    }
}
