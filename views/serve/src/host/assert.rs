//! ASSERT TOPIC: waits until a topic is there (or not), with as many partitions and replicas as said.
use std::time::Duration;

use millrace_sql::ast::{Properties, PropertyValue, WindowLength};

use crate::Failed;
use crate::host::Views;

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
        let wanted = |name| match properties.get(name) {
            Some(PropertyValue::Number(text) | PropertyValue::String(text)) => text.parse::<usize>().ok(),
            _ => None,
        };
        let found = self.outside.topics().into_iter().find(|known| known.name == topic);
        match (found, exists) {
            (None, true) => Err(Failed::Assertion(format!("Topic {topic} does not exist"))),
            (Some(_), false) => Err(Failed::Assertion(format!("Topic {topic} exists"))),
            (None, false) => Ok(()),
            (Some(found), true) => {
                let replicas = found.replicas.first().copied().unwrap_or(0);
                for (name, wanted, got) in
                    [("partitions", wanted("PARTITIONS"), found.replicas.len()), ("replicas", wanted("REPLICAS"), replicas)]
                {
                    if let Some(wanted) = wanted.filter(|wanted| *wanted != got) {
                        return Err(Failed::Assertion(format!(
                            "Mismatched configuration for topic {topic}: For config {name}, expected {wanted} got {got}"
                        )));
                    }
                }
                Ok(())
            }
        }
    }
}
