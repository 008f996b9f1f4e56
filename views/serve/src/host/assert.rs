//! ASSERT TOPIC: waits until a topic is there (or not), with as many partitions and replicas as said.
use std::time::Duration;

use millrace_sql::ast::{Properties, PropertyValue, WindowLength};

use crate::Failed;
use crate::host::Views;
use crate::outside::TopicSummary;

/// Without a TIMEOUT.
const USUALLY_WITHIN: Duration = Duration::from_secs(1);
const AGAIN_AFTER: Duration = Duration::from_millis(20);

impl Views {
    pub(super) async fn assert_topic(&self, topic: &str, exists: bool, properties: &Properties, timeout: Option<&WindowLength>) -> Result<(), Failed> {
        let world = self.outside.world();
        let within = timeout.and_then(|timeout| timeout.millis()).map_or(USUALLY_WITHIN, |ms| Duration::from_millis(ms.max(0).unsigned_abs()));
        let deadline = world.now() + within;
        loop {
            let held = self.holds(topic, exists, properties);
            if held.is_ok() || world.now() >= deadline {
                return held;
            }
            world.sleep_until(world.now() + AGAIN_AFTER).await;
        }
    }

    fn holds(&self, topic: &str, exists: bool, properties: &Properties) -> Result<(), Failed> {
        let found = self.outside.topics().into_iter().find(|known| known.name == topic);
        match (found, exists) {
            (None, true) => Err(Failed::Assertion(format!("Topic {topic} does not exist"))),
            (Some(_), false) => Err(Failed::Assertion(format!("Topic {topic} exists"))),
            (None, false) => Ok(()),
            (Some(found), true) => {
                let wrong: Vec<String> = properties.0.iter().filter_map(|(name, value)| mismatch(&found, name, value)).collect();
                if wrong.is_empty() {
                    return Ok(());
                }
                Err(Failed::Assertion(format!("Mismatched configuration for topic {topic}: {}", wrong.join(", "))))
            }
        }
    }
}

/// What is wrong with a topic by one property; a property that says nothing about topics is wrong too.
fn mismatch(found: &TopicSummary, name: &str, value: &PropertyValue) -> Option<String> {
    let (config, got) = match name {
        "PARTITIONS" => ("partitions", found.replicas.len()),
        "REPLICAS" => ("replicas", found.replicas.first().copied().unwrap_or(0)),
        _ => return Some(format!("Cannot assert unknown topic property: {name}")),
    };
    let wanted = match value {
        PropertyValue::Number(text) | PropertyValue::String(text) => text.as_str(),
        PropertyValue::Boolean(_) | PropertyValue::Null => "no number",
    };
    (wanted.trim().parse() != Ok(got)).then(|| format!("For config {config}, expected {wanted} got {got}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assertion_about_what_a_topic_has_not_fails() {
        let found = TopicSummary { name: "t".into(), replicas: vec![1, 1], internal: false };
        let number = |text: &str| PropertyValue::Number(text.into());
        let cases = [
            ("PARTITIONS", number("2"), None),
            ("PARTITIONS", number("3"), Some("For config partitions, expected 3 got 2")),
            ("PARTITIONS", PropertyValue::String("many".into()), Some("For config partitions, expected many got 2")),
            ("REPLICAS", PropertyValue::String("1".into()), None),
            ("FOO", number("1"), Some("Cannot assert unknown topic property: FOO")),
        ];
        for (name, value, expected) in cases {
            assert_eq!(mismatch(&found, name, &value).as_deref(), expected, "{name} {value:?}");
        }
    }
}
