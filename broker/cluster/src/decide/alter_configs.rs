//! AlterConfigs and IncrementalAlterConfigs.
//!
//! The legacy request states all of a resource's configs, so what it does not name is taken away; the
//! incremental one states changes. Both end in the same check of the whole set that would result.
use super::{Cluster, Decision, Reason, Refusal, refuse, repeated};
use crate::config::{Key, Kind, Map, TopicSettings, broker_key, check, group_key, topic_key};
use crate::image::Image;
use crate::record::{Record, Scope};

/// What a request wants to configure, as the client names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    Topic(String),
    /// A node id, or empty for every broker.
    Broker(String),
    Group(String),
    /// A resource type that has no configs here, by its number.
    Other(i8),
}

/// One change of one config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub name: String,
    pub operation: Operation,
    pub value: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Set,
    Delete,
    Append,
    Subtract,
    /// A number that Kafka has no operation for.
    Unknown(i8),
}

/// A resource and what shall happen to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigAsk {
    pub resource: Resource,
    pub changes: Vec<Change>,
}

/// Answers each resource in its place.
pub fn incremental_alter(cluster: Cluster<'_>, asks: &[ConfigAsk]) -> Decision<Vec<Result<(), Refusal>>> {
    alter(cluster, asks, incremental)
}

/// The same for the request that states everything. Its changes are all `Set`.
pub fn legacy_alter(cluster: Cluster<'_>, asks: &[ConfigAsk]) -> Decision<Vec<Result<(), Refusal>>> {
    alter(cluster, asks, replacement)
}

type Plan = fn(&Scope, &Map, &ConfigAsk) -> Result<Map, Refusal>;

fn alter(cluster: Cluster<'_>, asks: &[ConfigAsk], plan: Plan) -> Decision<Vec<Result<(), Refusal>>> {
    let twice = repeated(asks.iter().map(|ask| &ask.resource));
    let mut image = cluster.image.clone();
    let mut records = Vec::new();
    let reply = asks
        .iter()
        .map(|ask| {
            if twice.contains(&ask.resource) {
                return refuse(Reason::InvalidRequest, "Each resource must appear at most once.");
            }
            let scope = scope_of(cluster, &ask.resource)?;
            let current = image.configs(&scope).clone();
            let wanted = plan(&scope, &current, ask)?;
            validate(cluster, &image, &scope, &current, &wanted)?;
            for record in difference(&scope, &current, &wanted) {
                image.take(record.clone());
                records.push(record);
            }
            Ok(())
        })
        .collect();
    Decision::new(records, reply)
}

fn scope_of(cluster: Cluster<'_>, resource: &Resource) -> Result<Scope, Refusal> {
    match resource {
        Resource::Topic(name) if cluster.image.topic(name).is_some() => Ok(Scope::Topic(name.clone())),
        Resource::Topic(name) => {
            super::validate_name(name)?;
            refuse(Reason::UnknownTopic, format!("The topic '{name}' does not exist."))
        }
        Resource::Broker(name) if name.is_empty() => Ok(Scope::DefaultBroker),
        Resource::Broker(name) => match name.parse::<i32>() {
            Ok(id) if cluster.image.nodes().contains_key(&id) => Ok(Scope::Broker(id)),
            Ok(id) => refuse(Reason::InvalidRequest, format!("No broker with id {id} found.")),
            Err(_) => refuse(Reason::InvalidRequest, format!("Node id must be an integer, but it is: {name}")),
        },
        Resource::Group(name) if name.is_empty() => refuse(Reason::InvalidRequest, "Default group resources are not allowed."),
        Resource::Group(name) => Ok(Scope::Group(name.clone())),
        Resource::Other(kind) => refuse(Reason::InvalidRequest, format!("Resource type {kind} has no configs that can be altered here.")),
    }
}

fn key_of(scope: &Scope, name: &str) -> Option<&'static Key> {
    match scope {
        Scope::Topic(_) => topic_key(name),
        Scope::Broker(_) | Scope::DefaultBroker => broker_key(name),
        Scope::Group(_) => group_key(name),
    }
}

fn replacement(_: &Scope, _: &Map, ask: &ConfigAsk) -> Result<Map, Refusal> {
    no_duplicates(ask)?;
    no_nulls(ask)?;
    Ok(ask.changes.iter().filter_map(|change| Some((change.name.clone(), change.value.clone()?))).collect())
}

fn incremental(scope: &Scope, current: &Map, ask: &ConfigAsk) -> Result<Map, Refusal> {
    no_duplicates(ask)?;
    no_nulls(ask)?;
    let mut wanted = current.clone();
    for change in &ask.changes {
        let value = change.value.clone().unwrap_or_default();
        match change.operation {
            Operation::Set => {
                wanted.insert(change.name.clone(), value);
            }
            Operation::Delete => {
                wanted.remove(&change.name);
            }
            Operation::Append | Operation::Subtract => {
                let list = edited_list(scope, &wanted, change, &value)?;
                wanted.insert(change.name.clone(), list);
            }
            Operation::Unknown(number) => return refuse(Reason::InvalidRequest, format!("Unknown operation type {number}.")),
        }
    }
    Ok(wanted)
}

/// A list with items added or taken away. A config that is not set begins at its default.
fn edited_list(scope: &Scope, wanted: &Map, change: &Change, value: &str) -> Result<String, Refusal> {
    let key = key_of(scope, &change.name).filter(|key| key.kind == Kind::List);
    let Some(key) = key else {
        let verb = if change.operation == Operation::Append { "APPEND" } else { "SUBTRACT" };
        return refuse(Reason::InvalidConfig, format!("Can't {verb} to key {} because its type is not LIST.", change.name));
    };
    let items = |text: &str| text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let before = wanted.get(key.name).cloned().or_else(|| table_default(key)).unwrap_or_default();
    let mut list = items(&before);
    for item in items(value) {
        match change.operation {
            Operation::Append if !list.contains(&item) => list.push(item),
            Operation::Append => {}
            _ => list.retain(|other| *other != item),
        }
    }
    Ok(list.join(","))
}

fn table_default(key: &Key) -> Option<String> {
    let behind = || key.synonyms.iter().find_map(|synonym| broker_key(synonym.name).and_then(|key| key.default));
    key.default.or_else(behind).map(str::to_owned)
}

fn no_duplicates(ask: &ConfigAsk) -> Result<(), Refusal> {
    let twice = repeated(ask.changes.iter().map(|change| change.name.as_str()));
    if twice.is_empty() { Ok(()) } else { refuse(Reason::InvalidRequest, "Error due to duplicate config keys") }
}

fn no_nulls(ask: &ConfigAsk) -> Result<(), Refusal> {
    let nulls: Vec<_> = ask
        .changes
        .iter()
        .filter(|change| change.value.is_none() && change.operation != Operation::Delete)
        .map(|change| change.name.as_str())
        .collect();
    if nulls.is_empty() { Ok(()) } else { refuse(Reason::InvalidRequest, format!("Null value not supported for : {}", nulls.join(","))) }
}

fn validate(cluster: Cluster<'_>, image: &Image, scope: &Scope, current: &Map, wanted: &Map) -> Result<(), Refusal> {
    match scope {
        Scope::Topic(_) => validate_topic_configs(Cluster { image, ..cluster }, wanted),
        Scope::Group(_) => match wanted.keys().find(|name| group_key(name).is_none()) {
            Some(name) => refuse(Reason::InvalidConfig, format!("Unknown group config name: {name}")),
            None => Ok(()),
        },
        Scope::Broker(_) | Scope::DefaultBroker => {
            let changed = |name: &&String| current.get(*name) != wanted.get(*name);
            let fixed: Vec<_> = wanted
                .keys()
                .filter(changed)
                .filter(|name| broker_key(name).is_some_and(Key::is_read_only))
                .map(String::as_str)
                .collect();
            if !fixed.is_empty() {
                return refuse(Reason::InvalidRequest, format!("Cannot update these configs dynamically: Set({})", fixed.join(", ")));
            }
            // A name without a row is stored as it is: Kafka does, for plug-ins of its own.
            for (name, value) in wanted {
                if let Some(key) = broker_key(name) {
                    check(key, value).or_else(|error| refuse(Reason::InvalidRequest, error.to_string()))?;
                }
            }
            Ok(())
        }
    }
}

/// Whether a topic may have these configs and no others.
pub(super) fn validate_topic_configs(cluster: Cluster<'_>, overrides: &Map) -> Result<(), Refusal> {
    for (name, value) in overrides {
        let Some(key) = topic_key(name) else {
            return refuse(Reason::InvalidConfig, format!("Unknown topic config name: {name}"));
        };
        check(key, value).or_else(|error| refuse(Reason::InvalidConfig, error.to_string()))?;
    }
    let settings = TopicSettings::resolve(&cluster.layers(), overrides);
    if settings.min_compaction_lag_ms > settings.max_compaction_lag_ms {
        let message = format!(
            "conflict topic config setting min.compaction.lag.ms ({}) > max.compaction.lag.ms ({})",
            settings.min_compaction_lag_ms, settings.max_compaction_lag_ms
        );
        return refuse(Reason::InvalidConfig, message);
    }
    if overrides.get("remote.storage.enable").is_some_and(|value| value.trim().eq_ignore_ascii_case("true")) {
        let message = "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.";
        return refuse(Reason::InvalidConfig, message);
    }
    Ok(())
}

fn difference(scope: &Scope, current: &Map, wanted: &Map) -> Vec<Record> {
    let record = |name: &String, value| Record::Config { scope: scope.clone(), name: name.clone(), value };
    let gone = current.keys().filter(|name| !wanted.contains_key(*name)).map(|name| record(name, None));
    let set = wanted.iter().filter(|(name, value)| current.get(*name) != Some(value)).map(|(name, value)| record(name, Some(value.clone())));
    gone.chain(set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::testing::Fixture;

    fn change(name: &str, operation: Operation, value: Option<&str>) -> Change {
        Change { name: name.to_owned(), operation, value: value.map(str::to_owned) }
    }
    fn topic(changes: Vec<Change>) -> ConfigAsk {
        ConfigAsk { resource: Resource::Topic("t".to_owned()), changes }
    }
    fn broker(id: &str, changes: Vec<Change>) -> ConfigAsk {
        ConfigAsk { resource: Resource::Broker(id.to_owned()), changes }
    }
    fn fixture() -> Fixture {
        let mut fixture = Fixture::new();
        fixture.topic("t", 1);
        fixture
    }
    fn values(fixture: &Fixture) -> Vec<(String, String)> {
        fixture.image.configs(&Scope::Topic("t".to_owned())).clone().into_iter().collect()
    }
    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// Compat: M11.
    #[test]
    fn incremental_changes_leave_the_rest() {
        use Operation::{Append, Delete, Set, Subtract};
        let mut fixture = fixture();
        let steps = [
            (vec![change("retention.ms", Set, Some("5")), change("cleanup.policy", Append, Some("compact"))], pairs(&[("cleanup.policy", "delete,compact"), ("retention.ms", "5")])),
            (vec![change("cleanup.policy", Subtract, Some("delete"))], pairs(&[("cleanup.policy", "compact"), ("retention.ms", "5")])),
            (vec![change("cleanup.policy", Append, Some("compact"))], pairs(&[("cleanup.policy", "compact"), ("retention.ms", "5")])),
            (vec![change("retention.ms", Delete, None)], pairs(&[("cleanup.policy", "compact")])),
        ];
        for (changes, expected) in steps {
            let decision = incremental_alter(fixture.cluster(), &[topic(changes)]);
            assert_eq!(decision.reply, [Ok(())]);
            fixture.apply(decision.records);
            assert_eq!(values(&fixture), expected);
        }
    }

    /// Compat: M9.
    #[test]
    fn the_legacy_request_takes_away_what_it_does_not_name() {
        let mut fixture = fixture();
        for (set, expected) in [
            (vec![("retention.ms", "5"), ("segment.bytes", "1048576")], pairs(&[("retention.ms", "5"), ("segment.bytes", "1048576")])),
            (vec![("retention.ms", "6")], pairs(&[("retention.ms", "6")])),
            (vec![], pairs(&[])),
        ] {
            let changes = set.into_iter().map(|(name, value)| change(name, Operation::Set, Some(value))).collect();
            let decision = legacy_alter(fixture.cluster(), &[topic(changes)]);
            assert_eq!(decision.reply, [Ok(())]);
            fixture.apply(decision.records);
            assert_eq!(values(&fixture), expected);
        }
    }

    #[test]
    fn refusals_change_nothing() {
        use Operation::{Append, Set, Unknown};
        let fixture = fixture();
        let table = [
            (topic(vec![change("nope", Set, Some("1"))]), Reason::InvalidConfig, "Unknown topic config name: nope"),
            (topic(vec![change("retention.ms", Set, Some("x"))]), Reason::InvalidConfig, "Invalid value x for configuration retention.ms: Not a number of type LONG"),
            (topic(vec![change("retention.ms", Set, None)]), Reason::InvalidRequest, "Null value not supported for : retention.ms"),
            (topic(vec![change("retention.ms", Append, Some("1"))]), Reason::InvalidConfig, "Can't APPEND to key retention.ms because its type is not LIST."),
            (topic(vec![change("retention.ms", Unknown(9), Some("1"))]), Reason::InvalidRequest, "Unknown operation type 9."),
            (topic(vec![change("retention.ms", Set, Some("1")), change("retention.ms", Set, Some("2"))]), Reason::InvalidRequest, "Error due to duplicate config keys"),
            (topic(vec![change("min.compaction.lag.ms", Set, Some("9")), change("max.compaction.lag.ms", Set, Some("3"))]), Reason::InvalidConfig, "conflict topic config setting"),
            (topic(vec![change("remote.storage.enable", Set, Some("true"))]), Reason::InvalidConfig, "Tiered Storage functionality is disabled"),
            (ConfigAsk { resource: Resource::Topic("none".to_owned()), changes: vec![] }, Reason::UnknownTopic, "The topic 'none' does not exist."),
            (broker("1", vec![change("node.id", Set, Some("2"))]), Reason::InvalidRequest, "Cannot update these configs dynamically: Set(node.id)"),
            (broker("9", vec![]), Reason::InvalidRequest, "No broker with id 9 found."),
            (broker("x", vec![]), Reason::InvalidRequest, "Node id must be an integer, but it is: x"),
            (broker("", vec![change("log.retention.ms", Set, Some("-7"))]), Reason::InvalidRequest, "Invalid value -7 for configuration log.retention.ms"),
            (ConfigAsk { resource: Resource::Group("g".to_owned()), changes: vec![change("x", Set, Some("1"))] }, Reason::InvalidConfig, "Unknown group config name: x"),
            (ConfigAsk { resource: Resource::Other(16), changes: vec![] }, Reason::InvalidRequest, "Resource type 16"),
        ];
        for (ask, reason, message) in table {
            let decision = incremental_alter(fixture.cluster(), std::slice::from_ref(&ask));
            let refusal = decision.reply[0].as_ref().expect_err(message);
            assert_eq!(refusal.reason, reason, "{refusal}");
            assert!(refusal.message.starts_with(message), "{refusal}");
            assert!(decision.records.is_empty());
        }
        let twice = incremental_alter(fixture.cluster(), &[topic(vec![]), topic(vec![])]);
        assert!(twice.reply.iter().all(Result::is_err));
    }

    /// Compat: M10.
    #[test]
    fn broker_configs_at_both_scopes() {
        let mut fixture = fixture();
        let set = |value| vec![change("log.retention.ms", Operation::Set, Some(value))];
        let decision = incremental_alter(fixture.cluster(), &[broker("", set("1000")), broker("1", set("2000"))]);
        assert_eq!(decision.reply, [Ok(()), Ok(())]);
        fixture.apply(decision.records);
        let settings = TopicSettings::resolve(&fixture.cluster().layers(), &Map::new());
        assert_eq!(settings.retention_ms, 2000);
    }

    /// Compat: M12.
    #[test]
    fn what_describe_returns_may_be_set_again() {
        let mut fixture = fixture();
        let layers_of = |fixture: &Fixture| -> Vec<Change> {
            let layers = fixture.cluster().layers();
            let shown = crate::config::TOPIC.iter().filter(|key| !key.is_internal());
            shown.map(|key| change(key.name, Operation::Set, layers.topic(key, &Map::new()).value.as_deref())).collect()
        };
        let decision = legacy_alter(fixture.cluster(), &[topic(layers_of(&fixture))]);
        assert_eq!(decision.reply, [Ok(())]);
        fixture.apply(decision.records);
    }
}
