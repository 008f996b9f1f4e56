//! The reference page, written from the table so that it cannot be out of date.
use std::fmt::Write as _;

use super::key::{Effect, Key, Unit, Update, Valid};
use super::{BROKER, Layers, Map, TOPIC};

const HEAD: &str = "# Configs

Generated from `broker/cluster/src/config` by `BLESS=1 cargo test -p millrace-cluster reference`; a test keeps it fresh.

Names, types and ranges are Kafka 4.3's, and a `server.properties` works as it is. An unknown name warns.
*Changes*: `live` = by an alter request while running, `start` = read at start.
*Effect*: **works**; *accepted* = known, checked and shown, but nothing here needs it; **refused** = ignoring it would be unsafe, so a broker that finds it set does not start.
";

/// The page `broker/reference/configs.md`.
pub fn reference_page() -> String {
    let mut page = HEAD.to_owned();
    // Writing into a string cannot fail.
    let _ = write!(page, "\n## Topics\n\n| config | type | default | range | from broker config | effect | meaning |\n|---|---|---|---|---|---|---|\n");
    let empty = Map::new();
    let layers = Layers { fixed: &empty, default_broker: &empty, broker: &empty };
    for key in TOPIC.iter().filter(|key| !key.is_internal()) {
        let default = layers.topic(key, &empty).value.unwrap_or_default();
        let from: Vec<_> = key.synonyms.iter().map(|synonym| format!("`{}`{}", synonym.name, unit(synonym.unit))).collect();
        let row = (key.name, key.kind.name(), shown(&default), range(key.valid), from.join(", "), effect(key), key.doc);
        let _ = writeln!(page, "| `{}` | {} | {} | {} | {} | {} | {} |", row.0, row.1, row.2, row.3, row.4, row.5, row.6);
    }
    for (section, keys) in BROKER {
        let _ = write!(page, "\n## {section}\n\n| config | type | default | range | changes | effect | meaning |\n|---|---|---|---|---|---|---|\n");
        for key in *keys {
            let changes = if key.update == Update::ReadOnly { "start" } else { "live" };
            let default = key.default.map_or_else(|| "not set".to_owned(), shown);
            let row = (key.name, key.kind.name(), default, range(key.valid), changes, effect(key), key.doc);
            let _ = writeln!(page, "| `{}` | {} | {} | {} | {} | {} | {} |", row.0, row.1, row.2, row.3, row.4, row.5, row.6);
        }
    }
    page
}

fn shown(value: &str) -> String {
    if value.is_empty() { "empty".to_owned() } else { format!("`{value}`") }
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Same => "",
        Unit::Minutes => " (minutes)",
        Unit::Hours => " (hours)",
    }
}

fn effect(key: &Key) -> &'static str {
    match key.effect {
        Effect::Works => "**works**",
        Effect::Accepted => "*accepted*",
        Effect::Refused => "**refused**",
    }
}

fn range(valid: Valid) -> String {
    match valid {
        Valid::Any => String::new(),
        Valid::AtLeast(min) => format!("{min} and up"),
        Valid::Between(min, max) => format!("{min} to {max}"),
        Valid::BetweenDouble(min, max) => format!("{min} to {max}"),
        Valid::OneOf(choices) => format!("one of {}", choices.join(", ")),
        Valid::ListOf(choices) => format!("any of {}", choices.join(", ")),
        Valid::NonEmptyList => "not empty".to_owned(),
        Valid::ThrottledReplicas => "`partition:broker`, ... or `*`".to_owned(),
        Valid::GzipLevel => "-1, 1 to 9".to_owned(),
    }
}
