//! The properties that a statement, a request or a server's file may set, by ksqlDB's names: each declared once, here.
//!
//! Names of Kafka Streams, consumers and producers are known with or without their prefix (`ksql.streams.`, `consumer.`,
//! `producer.`): many scripts set them. Those that nothing here follows are accepted and have no effect.

use crate::catalog::Settings;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Flag,
    Number,
    Text,
    OneOf(&'static [&'static str]),
}

/// Who may set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The server's file only.
    Server,
    /// A statement or a request, too.
    Session,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Property {
    pub name: &'static str,
    pub kind: Kind,
    pub scope: Scope,
    pub default: &'static str,
}

const fn server(name: &'static str, kind: Kind, default: &'static str) -> Property {
    Property { name, kind, scope: Scope::Server, default }
}

const fn session(name: &'static str, kind: Kind, default: &'static str) -> Property {
    Property { name, kind, scope: Scope::Session, default }
}

use Kind::{Flag, Number, OneOf, Text};

/// What has an effect here.
pub const PROPERTIES: &[Property] = &[
    session("auto.offset.reset", OneOf(&["earliest", "latest"]), "latest"),
    session("ksql.create.or.replace.enabled", Flag, "true"),
    session("ksql.functions.collect_list.limit", Number, "1000"),
    session("ksql.functions.collect_set.limit", Number, "1000"),
    server("ksql.max.push.queries", Number, "1000"),
    server("ksql.output.topic.name.prefix", Text, ""),
    session("ksql.persistence.default.format.key", Text, "KAFKA"),
    session("ksql.persistence.default.format.value", Text, ""),
    session("ksql.persistence.wrap.single.values", Flag, "true"),
    session("ksql.pull.queries.enable", Flag, "true"),
    session("ksql.query.pull.limit.clause.enabled", Flag, "true"),
    server("ksql.query.pull.max.concurrent.requests", Number, "2147483647"),
    server("ksql.query.pull.max.hourly.bandwidth.megabytes", Number, "2147483647"),
    server("ksql.query.pull.max.qps", Number, "2147483647"),
    session("ksql.query.pull.range.scan.enabled", Flag, "true"),
    session("ksql.query.pull.stream.enabled", Flag, "true"),
    session("ksql.query.pull.table.scan.enabled", Flag, "true"),
    session("ksql.query.push.stalled.max.ms", Number, "60000"),
    session("ksql.query.push.v2.enabled", Flag, "false"),
    server("ksql.server.command.response.timeout.ms", Number, "5000"),
    server("ksql.service.id", Text, "default_"),
    session("ksql.timestamp.throw.on.invalid", Flag, "false"),
    server("views.function.result.bytes.max", Number, "16777216"),
    server("views.function.result.elements.max", Number, "1048576"),
    session("views.query.tasks", OneOf(&["partitions", "single"]), "partitions"),
    server("views.row.bytes.max", Number, "33554432"),
    session("views.sql.legacy.group.key", Flag, "false"),
];

/// ksqlDB's other settings that statements and requests may name: accepted, without effect.
const ACCEPTED: &[&str] = &[
    "ksql.cast.strings.preserve.nulls",
    "ksql.headers.columns.enabled",
    "ksql.insert.into.values.enabled",
    "ksql.lambdas.enabled",
    "ksql.nested.error.set.null",
    "ksql.new.query.planner.enabled",
    "ksql.query.cleanup.shutdown.timeout.ms",
    "ksql.query.error.max.queue.size",
    "ksql.query.pull.consistency.token.enabled",
    "ksql.query.pull.enable.standby.reads",
    "ksql.query.pull.interpreter.enabled",
    "ksql.query.pull.max.allowed.offset.lag",
    "ksql.query.pull.thread.pool.size",
    "ksql.query.push.v2.alos.enabled",
    "ksql.query.push.v2.continuation.tokens.enabled",
    "ksql.query.push.v2.registry.installed",
    "ksql.query.retry.backoff.initial.ms",
    "ksql.query.retry.backoff.max.ms",
    "ksql.rowpartition.rowoffset.enabled",
    "ksql.sink.partitions",
    "ksql.sink.replicas",
    "ksql.suppress.buffer.size.bytes",
    "ksql.suppress.enabled",
    "ksql.variable.substitution.enable",
    "ksql.windowed.session.key.legacy",
];

/// Settings of Kafka Streams and its clients that scripts set.
const CLIENTS: &[&str] = &[
    "acceptable.recovery.lag",
    "acks",
    "allow.auto.create.topics",
    "auto.commit.interval.ms",
    "batch.size",
    "buffer.memory",
    "buffered.records.per.partition",
    "cache.max.bytes.buffering",
    "client.id",
    "commit.interval.ms",
    "compression.type",
    "default.api.timeout.ms",
    "default.deserialization.exception.handler",
    "default.production.exception.handler",
    "default.timestamp.extractor",
    "delivery.timeout.ms",
    "enable.auto.commit",
    "enable.idempotence",
    "fetch.max.bytes",
    "fetch.max.wait.ms",
    "fetch.min.bytes",
    "group.id",
    "group.instance.id",
    "heartbeat.interval.ms",
    "isolation.level",
    "linger.ms",
    "max.block.ms",
    "max.in.flight.requests.per.connection",
    "max.partition.fetch.bytes",
    "max.poll.interval.ms",
    "max.poll.records",
    "max.request.size",
    "max.task.idle.ms",
    "max.warmup.replicas",
    "metadata.max.age.ms",
    "metrics.recording.level",
    "num.standby.replicas",
    "num.stream.threads",
    "partition.assignment.strategy",
    "poll.ms",
    "processing.guarantee",
    "receive.buffer.bytes",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "replication.factor",
    "request.timeout.ms",
    "retries",
    "retry.backoff.ms",
    "rocksdb.config.setter",
    "send.buffer.bytes",
    "session.timeout.ms",
    "state.cleanup.delay.ms",
    "state.dir",
    "statestore.cache.max.bytes",
    "task.timeout.ms",
    "topology.optimization",
    "transaction.timeout.ms",
    "upgrade.from",
    "window.size.ms",
    "windowstore.changelog.additional.retention.ms",
];

/// What only a server's file may say, because a statement that changed it would change it for everybody.
const FIXED: &[&str] = &["application.id", "bootstrap.servers", "ksql.extension.dir", "ksql.streams.application.id", "listeners"];

/// Why a property cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("Not recognizable as ksql, streams, consumer, or producer property: '{0}'")]
    Unknown(String),
    #[error("Cannot override property '{0}': only the server's properties file may set it")]
    Fixed(String),
    #[error("Invalid value {value} for property {name}: {wanted}")]
    Value { name: String, value: String, wanted: String },
}

/// A name without the prefix of Kafka Streams: `ksql.streams.auto.offset.reset` is `auto.offset.reset`.
pub fn plain_name(name: &str) -> &str {
    name.strip_prefix("ksql.streams.").unwrap_or(name)
}

pub fn find(name: &str) -> Option<&'static Property> {
    let name = plain_name(name);
    PROPERTIES.iter().find(|property| property.name == name)
}

/// Whether a statement or a request may set the name at all.
pub fn check_name(name: &str) -> Result<(), Unfit> {
    if FIXED.contains(&name) || FIXED.contains(&plain_name(name)) {
        return Err(Unfit::Fixed(name.to_string()));
    }
    match find(name) {
        Some(property) if property.scope == Scope::Server => return Err(Unfit::Fixed(name.to_string())),
        Some(_) => return Ok(()),
        None => {}
    }
    let client = plain_name(name);
    let client = ["consumer.", "producer.", "main.consumer.", "restore.consumer.", "global.consumer.", "admin.", "topic."]
        .iter()
        .find_map(|prefix| client.strip_prefix(prefix))
        .unwrap_or(client);
    // A property of Kafka Streams that begins with underscores is one of its own, unwritten ones.
    let known = ACCEPTED.contains(&name) || CLIENTS.contains(&client) || find(client).is_some() || client.starts_with("__");
    let of_function = name.starts_with("ksql.functions.");
    if known || of_function { Ok(()) } else { Err(Unfit::Unknown(name.to_string())) }
}

/// Whether a statement or a request may set the name to the value.
pub fn check(name: &str, value: &str) -> Result<(), Unfit> {
    check_name(name)?;
    let Some(property) = find(name) else { return Ok(()) };
    let unfit = |wanted: String| Err(Unfit::Value { name: name.to_string(), value: value.to_string(), wanted });
    match property.kind {
        Flag if !value.eq_ignore_ascii_case("true") && !value.eq_ignore_ascii_case("false") => unfit("it must be true or false".into()),
        Number if value.trim().parse::<f64>().is_err() => unfit("it must be a number".into()),
        OneOf(names) if !names.iter().any(|name| value.eq_ignore_ascii_case(name)) => unfit(format!("it must be one of {}", names.join(", "))),
        _ => Ok(()),
    }
}

/// What holds: the setting, or the default where there is one.
pub fn value<'a>(settings: &'a Settings, name: &str) -> Option<&'a str> {
    settings.get(name).or_else(|| find(name).map(|property| property.default))
}

pub fn number(settings: &Settings, name: &str) -> Option<f64> {
    value(settings, name)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_with_and_without_their_prefix() {
        for name in [
            "auto.offset.reset",
            "ksql.streams.auto.offset.reset",
            "ksql.streams.consumer.max.poll.records",
            "consumer.auto.offset.reset",
            "ksql.streams.cache.max.bytes.buffering",
            "ksql.functions.my_function.limit",
            "ksql.streams.__emit.interval.ms.kstreams.windowed.aggregation__",
        ] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        assert_eq!(check_name("ksql.invented"), Err(Unfit::Unknown("ksql.invented".into())));
        assert_eq!(check_name("nonsense"), Err(Unfit::Unknown("nonsense".into())));
        assert_eq!(check_name("bootstrap.servers"), Err(Unfit::Fixed("bootstrap.servers".into())));
        assert_eq!(check_name("ksql.service.id"), Err(Unfit::Fixed("ksql.service.id".into())));
    }

    #[test]
    fn values_must_fit() {
        assert!(check("auto.offset.reset", "Earliest").is_ok());
        for value in ["sometimes", "none"] {
            assert!(check("auto.offset.reset", value).is_err(), "{value}");
        }
        assert!(check("ksql.query.pull.table.scan.enabled", "yes").is_err());
        assert!(check("ksql.functions.collect_set.limit", "10").is_ok());
    }

    #[test]
    fn the_table_is_in_order_and_says_everything_once() {
        assert!(PROPERTIES.windows(2).all(|two| two[0].name < two[1].name));
        for list in [ACCEPTED, CLIENTS, FIXED] {
            assert!(list.windows(2).all(|two| two[0] < two[1]), "{list:?}");
            assert!(list.iter().all(|name| find(name).is_none()));
        }
    }
}
