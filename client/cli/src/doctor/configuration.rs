//! A configuration, line by line: every value that is wrong, where the start would stop at the first, and what is odd and allowed.
//! What the node makes of it as a whole (listeners, roles, folders) is the start's to judge.
use millrace_cluster::config::{self, Effect, Properties};

use super::Findings;

pub(super) fn judge(properties: &Properties, findings: &mut Findings) {
    for name in properties.unknown().filter(|name| !name.starts_with("ksql.")) {
        match nearest(name) {
            Some(known) => findings.warn(format!("{name} is no config and has no effect"), &format!("did you mean {known}?")),
            None => findings.warn(format!("{name} is no config and has no effect"), "take it out, or see the reference of configs"),
        }
    }
    let mut good = 0;
    for (name, value) in &properties.values {
        let Some(key) = config::broker_key(name) else { continue };
        match config::check(key, value) {
            Ok(()) if key.effect == Effect::Refused && Some(value.as_str()) != key.default && !value.is_empty() => {
                findings.bad(format!("{name} asks for what is not here yet: {}", key.doc), "the broker will not start with it: take it out");
            }
            Ok(()) => good += 1,
            Err(error) => findings.bad(error, "the broker will not start with it"),
        }
    }
    findings.ok(format!("{good} configs have valid values"));
    let get = |name: &str| properties.values.get(name).map(String::as_str);
    if get("flush.messages").or(get("log.flush.interval.messages")).is_some_and(|value| value != "1") {
        findings.warn("acknowledged records may be lost when the machine loses power", "log.flush.interval.messages=1 syncs before every answer");
    }
    let number = |name: &str| get(name).or_else(|| config::broker_key(name)?.default).and_then(|value| value.parse::<i64>().ok());
    if number("message.max.bytes") > number("socket.request.max.bytes") {
        findings.bad("message.max.bytes is larger than socket.request.max.bytes: such a batch closes the connection", "raise socket.request.max.bytes");
    }
    if number("min.insync.replicas").is_some_and(|least| least > 1) {
        findings.bad("min.insync.replicas is above 1, and there is one node: every write with acks=all is refused", "leave it at 1 until there are more nodes");
    }
    if number("log.retention.check.interval.ms") > number("log.retention.ms").filter(|kept| *kept > 0) && get("log.retention.ms").is_some() {
        findings.warn("log.retention.ms is shorter than log.retention.check.interval.ms: records stay until the next check", "shorten the interval too");
    }
    if get("log.dirs").is_some_and(|folders| folders.contains(',')) {
        findings.warn("log.dirs names several folders, and only the first is used", "name the first alone");
    }
}

/// The known config that differs least, where it differs by a slip of the fingers.
fn nearest(name: &str) -> Option<&'static str> {
    let best = config::broker_keys().map(|key| (distance(name, key.name), key.name)).min()?;
    (best.0 <= 1 + name.len() / 8).then_some(best.1)
}

/// How many letters must be changed, added or left out to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_fingers_are_recognised() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(nearest("log.dir.s"), Some("log.dirs"));
        assert_eq!(nearest("completely.different"), None);
    }

    #[test]
    fn a_configuration_is_judged_line_by_line() {
        let judged = |text| {
            let mut findings = Findings::default();
            judge(&Properties::parse(text).unwrap(), &mut findings);
            (findings.bad_ones(), findings.odd_ones())
        };
        assert_eq!(judged("node.id=1\nlog.dirs=data\n"), (0, 0));
        assert_eq!(judged("num.partitoins=3\n"), (0, 1));
        assert_eq!(judged("num.partitions=many\n"), (1, 0));
        assert_eq!(judged("authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n"), (1, 0));
        assert_eq!(judged("remote.log.storage.system.enable=true\n"), (1, 0));
        assert_eq!(judged("remote.log.storage.system.enable=false\n"), (0, 0));
        assert_eq!(judged("min.insync.replicas=2\n"), (1, 0));
        assert_eq!(judged("message.max.bytes=200000000\n"), (1, 0));
        assert_eq!(judged("log.dirs=a,b\n"), (0, 1));
        assert_eq!(judged("log.retention.ms=1000\n"), (0, 1));
        assert_eq!(judged("log.flush.interval.messages=10000\n"), (0, 1));
    }
}
